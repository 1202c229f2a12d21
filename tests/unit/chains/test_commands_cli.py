"""What the commands say, ask and refuse, on an embedded chain that they reach as if it were a
node.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import click
import pytest

from infera.cli import main
from infera.keys import KeyStore
from infera_plugins.chains.evm.bindings.dev_usdc import DevUSDC
from infera_plugins.chains.evm.bindings.hot_pool import HotPool
from infera_plugins.chains.evm.bindings.model_registry import ModelRegistry, Terms
from infera_plugins.chains.evm.commands import desk as commands_desk
from infera_plugins.chains.evm.deployment.faucet import FAUCET
from infera_plugins.chains.evm.embedded import EmbeddedNode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from infera_plugins.chains.evm.binding import Call
    from infera_plugins.chains.evm.commands.desk import Desk

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


# -- models and seats

BIRD = "0x" + "07" * 32
BY = ("--key", "deployer", "--yes")


def govern(shell: Shell, calls: Callable[[Desk], Sequence[Call]]) -> None:
    """Send calls for which there is no command, as the key that governs here."""

    async def send() -> None:
        async with commands_desk.at_contracts(URL, "home", shell.home) as desk:
            for call in calls(desk):
                await desk.transactor.send(FAUCET, call.to, call.data)

    anyio.run(send)


@pytest.fixture
def official(deployed: Shell) -> Shell:
    """A model with one paid seat, and a provider with twice the minimum of stake."""

    def calls(desk: Desk) -> list[Call]:
        usdc, pool, model = DevUSDC(desk, "USDC"), HotPool(desk), bytes.fromhex(BIRD[2:])
        terms = Terms(500_000, 1_500_000, 1_000, True, 100, 1, 1)
        return [
            usdc.mint(FAUCET.address, 5_000_000),
            usdc.approve(pool.address, 5_000_000),
            pool.fund(model, 5_000_000),
            ModelRegistry(desk).add_model(model, "bird", "here:bird", terms),
        ]

    govern(deployed, calls)
    deployed("stake", "deposit", "provider", "2000", "--hot-key", "hot", *BY)
    return deployed


def test_official_models_are_listed(deployed: Shell, official: Shell) -> None:
    (model,) = official.json("models", "official")
    assert model == {
        "model_id": BIRD, "name": "bird", "version": 1, "max_price_in": 500_000,
        "max_price_out": 1_500_000, "stake_ppm": 1_000, "incentive": True, "subsidy_rate": 100,
        "min_seats": 1, "max_seats": 1,
    }  # fmt: skip
    header, row = official("models", "official").splitlines()
    assert header.split()[:2] == ["NAME", "VERSION"]
    assert row.split() == ["bird", "1", "0.5", "1.5", "1000", "1", "-", "1", "100", BIRD]


def test_a_chain_without_official_models(deployed: Shell) -> None:
    assert deployed("models", "official") == "no model is official\n"
    assert deployed.json("models", "official") == []
    said = deployed("seats", "show", "bird", code=1)
    assert "model_unknown" in said
    assert "`infera models official`" in said
    assert "is paid nothing" in deployed("seats", "show", BIRD)


def test_a_seat_by_hand_from_bid_to_claim(official: Shell) -> None:
    dry = official("seats", "bid", "bird", "40", "--key", "deployer", "--dry-run")
    assert "0.00004 USDC a second" in dry
    assert "asks for 100 INFR of stake" in dry
    assert official.json("seats", "show", "bird")["taken"] == []

    sent = official.json("seats", "bid", "bird", "40", "--tier", "tee", "--capacity", "3", *BY)
    assert sent["calls"][0]["function"] == "bid"
    shown = official.json("seats", "show", BIRD)
    (seat,) = shown["taken"]
    assert (seat["provider"], seat["ask"], seat["capacity"]) == (FAUCET.address, 40, 3)
    assert (seat["tiers"], seat["tokens_per_second"]) == (["tee"], 100)
    assert seat["present"]
    assert shown["highest_ask"] == 100
    assert "1 of 1 taken" in official("seats", "show", "bird")
    again = official("seats", "bid", "bird", "30", *BY, code=1)
    assert "HotPool_AlreadySeated" in again

    # Time has passed: something was earned, and anybody can have it paid out.
    dry = official("seats", "claim", "--key", "deployer", "--dry-run")
    assert "all of its 1 seats" in dry
    before = int(official.json("vault", "show", "deployer")["wallet"])
    official("seats", "claim", "deployer", *BY)
    earned = int(official.json("vault", "show", "deployer")["wallet"]) - before
    assert earned > 0
    assert earned % 40 == 0
    nobody = official("seats", "claim", "other", *BY, code=1)
    assert "nothing_due" in nobody

    assert "paid for 10 s more" in official(
        "seats", "leave", "bird", "--key", "deployer", "--dry-run"
    )
    official("seats", "leave", "bird", *BY)
    (seat,) = official.json("seats", "show", "bird")["taken"]
    assert seat["leaves_at"] > seat["taken_at"]
    assert "HotPool_NoticeGiven" in official("seats", "leave", "bird", *BY, code=1)


def test_a_bid_that_no_pool_takes_says_what_to_do(official: Shell) -> None:
    assert "the dearest ask" in official("seats", "bid", "bird", "101", *BY, code=1)
    many = ("--tokens-per-second", "2000")
    assert "`infera stake deposit provider`" in official(
        "seats", "bid", "bird", "9", *many, *BY, code=1
    )
    assert "who has a seat" in official("seats", "leave", "bird", *BY, code=1)


def test_throughput_is_declared(official: Shell) -> None:
    said = official("stake", "declare", "bird", "1000", "--key", "deployer", "--dry-run")
    assert "asks for 1,000 INFR above the minimum" in said
    assert "1,000 INFR are needed, and 2,000 INFR staked" in said
    official("stake", "declare", "bird", "1000", *BY)
    (provider, *_) = official.json("stake", "show", "deployer")["roles"]
    assert provider["required"] == str(2_000 * 10**18)
    over = official("stake", "declare", "bird", "1001", *BY, code=1)
    assert "StakePricer_ClaimNotCovered" in over
    assert "`infera stake deposit provider`" in over
    official("stake", "declare", BIRD, "0", *BY)
    (provider, *_) = official.json("stake", "show", "deployer")["roles"]
    assert provider["required"] == str(1_000 * 10**18)
