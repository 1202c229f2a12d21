"""Amounts that people type are exact or refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infera.errors import InferaError, ProtocolError
from infera_plugins.chains.evm.commands.desk import ether, infr, parse_units, units, usdc
from infera_plugins.chains.evm.commands.vault import read_proof

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1", 1_000_000),
        ("0.000001", 1),
        (".5", 500_000),
        ("7.", 7_000_000),
        ("1_000.25", 1_000_250_000),
        ("1,000", 1_000_000_000),
        ("2.5000000000", 2_500_000),
        ("9007199254740993.000001", 9_007_199_254_740_993_000_001),
    ],
)
def test_amounts_are_exact(text: str, amount: int) -> None:
    assert parse_units(text, 6, "USDC") == amount


@pytest.mark.parametrize(
    "text", ["", ".", "-1", "1e6", "0x5", "1.0000001", "0", "0.0", "½", "\u0661", "1 2"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InferaError) as caught:
        parse_units(text, 6, "USDC")
    assert caught.value.code == "amount_invalid"


@given(st.integers(1, 10**30), st.sampled_from([6, 18]))
def test_shown_amounts_read_back(amount: int, decimals: int) -> None:
    assert parse_units(units(amount, decimals), decimals, "token") == amount


def test_how_amounts_are_shown() -> None:
    assert usdc(1_234_500_000) == "1,234.5 USDC"
    assert infr(10**27) == "1,000,000,000 INFR"
    assert infr(1) == "0.000000000000000001 INFR"
    assert ether(1) == "0.0000000001 ETH"  # rounded up: nothing costs nothing
    assert ether(0) == "0 ETH"


def test_a_claims_file_is_read_strictly(tmp_path: Path) -> None:
    router = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    facts = {
        "router": router, "batch": 3, "provider": router, "credited": 10, "position": 0,
        "proof": ["0x" + "11" * 32],
    }  # fmt: skip
    path = tmp_path / "claim.json"
    path.write_text(json.dumps(facts))
    assert read_proof(path) == (router, 3, router, 10, 0, [b"\x11" * 32])
    for change in ({"batch": -1}, {"batch": 1.5}, {"router": "0x1"}, {"proof": ["0x12"]}, {"x": 1}):
        path.write_text(json.dumps(facts | change))
        with pytest.raises(ProtocolError):
            read_proof(path)
    path.write_text("[")
    with pytest.raises(InferaError) as caught:
        read_proof(path)
    assert caught.value.code == "proof_malformed"
    with pytest.raises(InferaError) as caught:
        read_proof(tmp_path / "none.json")
    assert caught.value.code == "file_unreadable"
