"""What the commands say, ask and refuse, on an embedded chain that they reach as if it were a
node.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import pytest

from infera.cli import main
from infera.keys import KeyStore
from infera_plugins.chains.evm import commands_desk
from infera_plugins.chains.evm.faucet import FAUCET
from infera_plugins.chains.evm.embedded import EmbeddedNode

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://127.0.0.1:1"


class Shell:
    """Types commands about one chain and one home."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> str:
        status = 0
        try:
            main([*words, "--rpc", URL, "--home", str(self.home)])
        except SystemExit as stop:
            status = int(stop.code or 0)
        said = self._capsys.readouterr()
        assert status == code, said.out + said.err
        return said.out + said.err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    now = [1_700_000_000.0]

    def clock() -> float:
        now[0] += 1
        return now[0]

    def connect(url: str) -> EmbeddedNode:
        assert url == URL
        rich = {bytes.fromhex(FAUCET.address[2:]): 10**30}
        return EmbeddedNode.at(tmp_path / "chain.db", chain_id=31337, alloc=rich, clock=clock)

    monkeypatch.setattr(commands_desk, "make_transport", connect)
    home = tmp_path / "home"
    store = KeyStore(home / "keys")
    store.add("deployer", FAUCET)
    for name in ("hot", "other", "governor"):
        store.create(name)
    return Shell(home, capsys)


@pytest.fixture
def deployed(shell: Shell) -> Shell:
    shell("contracts", "deploy", "--key", "deployer", "--yes")
    return shell


def answer(monkeypatch: pytest.MonkeyPatch, yes: bool) -> list[str]:
    asked: list[str] = []

    def confirm(text: str, abort: bool = False) -> bool:
        asked.append(text)
        if abort and not yes:
            raise click.Abort
        return yes

    monkeypatch.setattr(click, "confirm", confirm)
    return asked


def test_nothing_is_sent_before_a_person_says_yes(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(monkeypatch, yes=False)
    said = shell("contracts", "deploy", "--key", "deployer", code=130)
    assert "in all" in said
    assert "PaymentVault: thawPeriod_ = 3600" in said
    assert asked[0].startswith("send ")
    assert not (shell.home / "contracts.json").exists()
    assert "contracts_unknown" in shell("contracts", "verify", code=1)
    asked = answer(monkeypatch, yes=True)
    assert "deployed" in shell("contracts", "deploy", "--key", "deployer")
    assert len(asked) == 1
    stake = ("stake", "deposit", "provider", "1000", "--key", "deployer", "--hot-key", "hot")
    answer(monkeypatch, yes=False)
    assert "succeeds" in shell(*stake, code=130)
    assert shell.json("stake", "show", "deployer")["hot_key"] == "0x" + "0" * 40
    answer(monkeypatch, yes=True)
    assert "mined in block" in shell(*stake)
    assert shell.json("stake", "show", "deployer")["roles"][0]["is_active"]


def test_json_asks_nothing(shell: Shell) -> None:
    said = shell("contracts", "deploy", "--key", "deployer", "--json", code=2)
    assert "--yes or --dry-run" in said
    plan = shell.json("contracts", "deploy", "--key", "deployer", "--dry-run")
    assert plan["dry_run"]
    assert {step["label"] for step in plan["transactions"]} >= {"Distribution", "PaymentVault"}
    assert all(step["tx"] is None for step in plan["transactions"])


def test_what_is_missing_is_named(shell: Shell, deployed: Shell) -> None:
    by = ("--key", "deployer", "--yes")
    assert "key_not_found" in shell("vault", "lock", "other", "1", "--key", "nobody", code=1)
    assert "key_not_found" in shell("vault", "lock", "nobody", "1", *by, code=1)
    assert "amount_invalid" in shell("vault", "lock", "other", "1.0000001", *by, code=1)
    assert "hot_key_needed" in shell("stake", "deposit", "router", "10000", *by, code=1)
    assert "balance_too_low" in shell("vault", "deposit", "1", *by, code=1)
    assert "not_owner" in shell("contracts", "accept", "--key", "other", "--yes", code=1)
    assert "owns everything" in shell("contracts", "accept", *by)
    assert "AMOUNT" in shell("vault", "withdraw", *by, code=2)
    refused = shell("vault", "withdraw", "1", *by, code=1)
    assert "PaymentVault_InsufficientFree(" in refused
    assert "`infera vault show`" in refused  # what to do about it
    assert "chain_reverted" in refused
    wrong = shell("stake", "rotate-key", "0x5aaeb6053f3E94C9b9A09f33669435E7Ef1BeAed", *by, code=1)
    assert "checksum" in wrong


def test_manifests_must_fit(shell: Shell, deployed: Shell) -> None:
    record = json.loads((shell.home / "contracts.json").read_text())
    far, half, bad = shell.home / "far.json", shell.home / "half.json", shell.home / "bad.json"
    far.write_text(json.dumps(record | {"chain_id": 1}))
    half.write_text(json.dumps(record | {"contracts": {"INFR": record["contracts"]["INFR"]}}))
    bad.write_text("{")
    show = ("vault", "show", "deployer", "--contracts")
    assert "about chain 1" in shell(*show, str(far), code=1)
    assert "broke off" in shell(*show, str(half), code=1)
    assert "cannot be read" in shell(*show, str(bad), code=1)
    assert "contracts_unknown" in shell(*show, str(shell.home / "none.json"), code=1)
    said = shell("contracts", "verify", "--manifest", str(half), code=1)
    assert "StakeRegistry code" in said
    assert "the deployment broke off" in said


def test_a_claim_is_tried_before_it_is_sent(shell: Shell, deployed: Shell) -> None:
    address = KeyStore(shell.home / "keys").get("other").address
    facts = {
        "router": address, "batch": 0, "provider": address, "credited": 5, "position": 0,
        "proof": [],
    }  # fmt: skip
    path = shell.home / "claim.json"
    path.write_text(json.dumps(facts))
    said = shell("vault", "claim", "earnings", str(path), "--key", "deployer", "--yes", code=1)
    assert "PaymentVault.claim" in said
    assert "0.000005 USDC in all" in said
    assert "chain_reverted" in said


def test_a_node_that_does_not_answer(tmp_path: Path, capsys: Any) -> None:
    KeyStore(tmp_path / "keys").create("deployer")
    words = ["stake", "show", "deployer", "--rpc", f"ipc://{tmp_path}/nobody.ipc"]
    with pytest.raises(SystemExit):
        main([*words, "--home", str(tmp_path)])
    said = capsys.readouterr().err
    assert "chain_unavailable" in said
    assert "is --rpc right" in said


def test_the_embedded_chain_has_no_address(tmp_path: Path, capsys: Any) -> None:
    store = KeyStore(tmp_path / "keys")
    store.create("deployer")
    words = ["contracts", "deploy", "--config", "devnet", "--key", "deployer"]
    with pytest.raises(SystemExit):
        main([*words, "--home", str(tmp_path)])
    assert "url_invalid" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["contracts", "deploy", "--key", "deployer", "--home", str(tmp_path)])
    assert "--rpc URL or --config" in capsys.readouterr().err
