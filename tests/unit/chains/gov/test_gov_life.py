"""Proposals from the first thought to what they changed, typed as people type them."""

from __future__ import annotations

import json
from math import isqrt
from typing import TYPE_CHECKING, Any

import pytest
from governed import DAY, DELAY, HOLDERS, INFR_WEI, VOTING_DELAY, VOTING_PERIOD

from infera_plugins.chains.evm.bindings.payment_vault import PaymentVault
from infera_plugins.chains.evm.deployment.faucet import FAUCET
from infera_plugins.chains.evm.governance.times import LONGEST_LOCK

if TYPE_CHECKING:
    from conftest import Town
    from infera_plugins.chains.evm.commands.desk import Desk

FEES = ("--call", "PaymentVault.setFees(uint16,uint16)", "--arg", "120", "--arg", "150")
IMPLEMENTATION = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"


@pytest.fixture
def town(town: Town) -> Town:
    town.lock_all()
    return town


async def fees(desk: Desk) -> Any:
    return await PaymentVault(desk).fees()


def test_a_parameter_proposal(town: Town) -> None:
    propose = ("propose", "--title", "Lower the fees", "--description", "Routers earn enough.")
    dry = town.json("gov", *propose, *FEES, "--key", "whale", "--dry-run")
    assert (dry["kind"], dry["quorum_bps"]) == ("parameter", 400)
    [action] = dry["actions"]
    assert action["contract"] == "PaymentVault"
    assert action["function"] == "setFees(uint16,uint16)"
    assert action["arguments"] == {"routerFeeBps": "120", "protocolFeeBps": "150"}
    assert action["parameter"]
    assert action["why"] == "it is on the list of parameter calls"
    assert action["rule"] == ""
    assert action["trial"] == {"verdict": "succeeds", "detail": ""}
    assert int(dry["quorum"]) == 6_800_000 * INFR_WEI
    assert dry["voting_until"] - dry["voting_from"] == VOTING_PERIOD
    assert dry["executable_from"] - dry["voting_until"] == DELAY
    assert town.json("gov", "list") == {"proposals": []}

    made = town.sent(*propose, *FEES, by="whale")
    assert made["id"] == dry["id"]  # the id follows from what is proposed
    kept = json.loads((town.home / "proposals" / f"{made['id']}.json").read_text())
    assert kept["description"] == "# Lower the fees\n\nRouters earn enough."
    assert kept["block"] == made["calls"][0]["block"]

    shown = town.json("gov", "show", made["id"])
    assert shown["title"] == "Lower the fees"
    assert shown["state"] == "pending"
    assert shown["voting_from"] == shown["timeline"]["proposed"] + VOTING_DELAY
    assert not shown["quorum_is_final"]
    early = town.refused("vote", made["id"], "for", by="whale")
    assert "voting begins only at 2023-11-15" in early
    assert "proposal_refused" in early

    town.until(shown["voting_from"])
    vote = town.sent("vote", made["id"][:8], "for", "--reason", "cheaper", by="whale")
    power = int(vote["power"])
    end = town.json("gov", "power", "whale")["end"]
    slope = HOLDERS["whale"] * INFR_WEI // LONGEST_LOCK
    assert power == slope * (end - shown["voting_from"])  # as of the snapshot, to the unit
    assert int(vote["weight"]) == isqrt(power * 100 * INFR_WEI)
    town.sent("vote", shown["number"][:12], "against", by="minnow")
    assert "votes are final" in town.refused("vote", made["id"], "against", by="whale")
    assert "voting goes on until" in town.refused("queue", made["id"], by="minnow")

    shown = town.json("gov", "show", made["id"])
    assert shown["state"] == "active"
    assert shown["quorum_is_final"]
    assert shown["votes"]["for"] == vote["weight"]
    assert shown["participation"] == vote["power"]  # who is against does not make a quorum
    assert int(shown["quorum"]) * 10_000 == int(shown["circulating"]) * shown["quorum_bps"]
    assert f"{power // INFR_WEI:,}." in town("gov", "show", made["id"])

    town.until(shown["voting_until"])
    assert "queued first" in town.refused("execute", made["id"], by="minnow")
    assert "voting ended at" in town.refused("vote", made["id"], "for", by="shark")
    town.sent("queue", made["id"], by="minnow")
    shown = town.json("gov", "show", made["id"])
    assert shown["state"] == "queued"
    assert shown["executable_from"] == shown["timeline"]["queued"] + DELAY
    assert "queued already" in town.refused("queue", made["id"], by="minnow")
    soon = town.refused("execute", made["id"], by="minnow")
    assert "it can be executed only from 2023-11-27" in soon
    assert "(in 6 d 23 h)" in soon
    assert "TimelockUnexpectedOperationState(" in soon
    assert "only before voting began" in town.refused("cancel", made["id"], by="whale")

    before = tuple(town.on_chain(fees))
    town.forward(60 * DAY)  # there is no last day to execute
    town.sent("execute", made["id"], by="minnow")
    assert tuple(town.on_chain(fees)) == (120, 150) != before
    shown = town.json("gov", "show", made["id"])
    assert shown["state"] == "executed"
    assert [n for n, at in shown["timeline"].items() if at is None] == ["extended", "canceled"]
    assert "executed before" in town.refused("execute", made["id"], by="minnow")


def test_an_upgrade_proposal_from_a_file(town: Town) -> None:
    async def another(desk: Desk) -> str:
        receipt = await desk.transactor.send(FAUCET, None, PaymentVault.creation())
        assert receipt.created is not None
        return receipt.created

    new = town.on_chain(another)
    inner = "0x" + PaymentVault._encode("setThawPeriod", 7_200).hex()
    file = town.home / "proposal.yaml"
    file.write_text(
        "title: Another vault\n"
        "description: |\n  It thaws later.\n"
        "calls:\n"
        f"  - call: PaymentVault.upgradeToAndCall\n    args: ['{new}', '{inner}']\n"
        "  - {call: 'JobRegistry.setChallengeWindow(uint64)', args: [120]}\n"
    )
    said = town("gov", "propose", "--file", str(file), "--key", "whale", "--dry-run")
    assert "upgrade, because of call 1: it changes code, which is never a parameter" in said
    assert "and then, on the new code:" in said
    assert "PaymentVault.setThawPeriod(uint64)" in said
    made = town.sent("propose", "--file", str(file), by="whale")
    assert (made["kind"], made["quorum_bps"]) == ("upgrade", 800)
    assert [a["parameter"] for a in made["actions"]] == [False, True]

    (town.home / "proposals").rename(town.home / "lost")  # everybody else has no record either
    shown = town.json("gov", "show", made["id"][:10])
    assert [a["function"] for a in shown["actions"]] == [
        "upgradeToAndCall(address,bytes)", "setChallengeWindow(uint64)"
    ]  # fmt: skip
    assert shown["actions"][0]["inner"]["arguments"] == {"period": "7200"}
    assert shown["description"] == "# Another vault\n\nIt thaws later."
    town.until(shown["voting_from"])
    vote = town.sent("vote", made["id"], "for", by="whale")
    assert vote["weight"] == vote["power"]  # flat
    assert "not reached" in town("gov", "show", made["id"])  # 13.5 of 13.6 million
    town.sent("vote", made["id"], "abstain", by="shark")
    shown = town.json("gov", "show", made["id"])
    assert int(shown["participation"]) == int(vote["power"]) + int(shown["votes"]["abstain"])
    town.until(shown["voting_until"])
    town.sent("queue", made["id"], by="minnow")
    town.until(town.json("gov", "show", made["id"])["executable_from"])
    town.sent("execute", made["id"], by="shark")

    async def code_and_period(desk: Desk) -> tuple[str, int]:
        vault = PaymentVault(desk)
        slot = await desk.rpc.read("eth_getStorageAt", vault.address, IMPLEMENTATION, "latest")
        return slot, await vault.thaw_period()

    slot, period = town.on_chain(code_and_period)
    assert slot.endswith(new[2:].lower())
    assert period == 7_200


def test_a_late_quorum_extends_the_vote(town: Town) -> None:
    made = town.sent("propose", "--title", "Late", *FEES, by="whale")
    town.until(made["voting_until"] - 3_600)
    town.sent("vote", made["id"], "for", by="whale")
    shown = town.json("gov", "show", made["id"])
    assert shown["timeline"]["extended"] is not None
    assert shown["voting_until"] - shown["timeline"]["extended"] == 2 * DAY
    town.until(made["voting_until"] + 60)
    assert town.json("gov", "list", "--state", "active")["proposals"][0]["id"] == made["id"]
