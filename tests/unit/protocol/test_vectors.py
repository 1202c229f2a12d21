"""The same numbers as Solidity (tests/vectors/contracts), and as ever (protocol.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infera.keys import Signer, recover
from infera.protocol import leaves, messages, pricing, sampling
from infera.protocol.eip712 import Domain
from infera.protocol.jobs import (
    canonical_json,
    request_from_json,
    request_hash,
    request_to_json,
    response_hash,
    sampling_hash,
    token_commitment,
)
from infera.types import FinishReason
from infera_ext import keccak256

VECTORS = Path(__file__).parents[2] / "vectors"
SOLIDITY = json.loads((VECTORS / "contracts" / "messages.json").read_text(encoding="utf-8"))
LEAVES = json.loads((VECTORS / "contracts" / "merkle.json").read_text(encoding="utf-8"))["leaves"]
OWN = json.loads((VECTORS / "protocol.json").read_text(encoding="utf-8"))


def data(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def numbers(value: Any) -> Any:
    """Decimal strings (how the contracts' files keep 64-bit integers) as integers."""
    if isinstance(value, dict):
        return {k: v if k == "region" else numbers(v) for k, v in value.items()}
    if isinstance(value, list):
        return [numbers(v) for v in value]
    return int(value) if isinstance(value, str) and value.isdigit() else value


def test_the_domain_is_soliditys() -> None:
    got = SOLIDITY["domain"]
    domain = Domain(int(got["chainId"]), got["verifyingContract"])
    assert (domain.name, domain.version) == (got["name"], got["version"])
    assert domain.separator == data(got["separator"])


def test_type_hashes_are_soliditys() -> None:
    for name, expected in SOLIDITY["typehashes"].items():
        assert keccak256(getattr(messages, name).type_string().encode()) == data(expected)


@pytest.mark.parametrize("vector", SOLIDITY["messages"], ids=lambda v: v["type"])
def test_messages_are_soliditys(vector: dict[str, Any]) -> None:
    domain = Domain(int(SOLIDITY["domain"]["chainId"]), SOLIDITY["domain"]["verifyingContract"])
    message = getattr(messages, vector["type"]).from_json(numbers(vector["message"]))
    digest = message.digest(domain)
    assert message.struct_hash() == data(vector["structHash"])
    assert digest == data(vector["digest"])
    signer = Signer(data(vector["privateKey"]))
    assert signer.address == vector["signer"]
    assert signer.sign(digest) == data(vector["signature"])
    assert recover(digest, data(vector["signature"])) == vector["signer"]


def test_prices_and_fees_are_soliditys() -> None:
    for row in map(numbers, SOLIDITY["costs"]):
        expected = row.pop("cost")
        snake = {
            "tokensIn": "tokens_in", "tokensOut": "tokens_out", "priceIn": "price_in",
            "priceOut": "price_out", "premiumBps": "premium_bps",
        }  # fmt: skip
        assert pricing.cost(**{snake[k]: v for k, v in row.items()}) == expected
    for row in map(numbers, SOLIDITY["fees"]):
        got = pricing.fees(row["cost"])
        assert got == (row["routerFee"], row["protocolFee"], row["net"])


@pytest.mark.parametrize("vector", LEAVES, ids=lambda v: v["tree"])
def test_leaves_are_soliditys(vector: dict[str, Any]) -> None:
    kinds = {
        "jobs": leaves.JobLeaf,
        "debits": leaves.DebitLeaf,
        "credits": leaves.CreditLeaf,
    }
    body = numbers(vector)
    tree, encoded, leaf_hash = (body.pop(key) for key in ("tree", "data", "leafHash"))
    leaf = kinds[tree].from_json(body)
    assert leaf.encode() == data(encoded)
    assert leaves.leaf_hash(leaf.encode()) == data(leaf_hash)


def test_hashed_json_stays_what_it_was() -> None:
    for row in OWN["requests"]:
        request = request_from_json(row["request"])
        assert canonical_json(request_to_json(request)).decode() == row["canonical"]
        assert request_hash(request) == data(row["requestHash"])
        assert sampling_hash(request.sampling) == data(row["samplingHash"])
    for row in OWN["responses"]:
        finish = FinishReason(row["finishReason"])
        assert response_hash(row["text"], finish) == data(row["responseHash"])
    for row in OWN["tokens"]:
        assert token_commitment(row["prompt"], row["output"]) == data(row["commitment"])


def test_sampling_stays_what_it_was() -> None:
    for row in OWN["log2"]:
        assert sampling.negative_log2(int(row["h"])) == int(row["L"])
    for row in OWN["sampling"]:
        rand = sampling.batch_rand(data(row["prevrandao"]), data(row["jobsRoot"]))
        assert rand == data(row["rand"])
        rates = [row["ratePpm"]] * row["count"]
        assert sampling.sampled(rand, rates) == row["sampled"]
        stakes = {address: int(stake) for address, stake in row["stakes"].items()}
        for index, ranking in row["checkers"].items():
            assert sampling.rank_checkers(rand, int(index), stakes) == ranking
    for row in OWN["rates"]:
        got = sampling.sampling_rate(row["tenure"], row["reputation"], row["base"])
        assert got == row["rate"]
