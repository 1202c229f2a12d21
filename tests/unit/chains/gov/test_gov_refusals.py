"""What does not go, and what people are told: defeats, canceled proposals, forbidden calls, too
little power, ballots of others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from governed import INFR_WEI

from infera.errors import ChainError
from infera_plugins.chains.evm.bindings.infera_governor import InferaGovernor
from infera_plugins.chains.evm.bindings.infera_timelock import InferaTimelock
from infera_plugins.chains.evm.bindings.job_registry import JobRegistry
from infera_plugins.chains.evm.bindings.payment_vault import PaymentVault
from infera_plugins.chains.evm.bindings.stake_registry import StakeRegistry
from infera_plugins.chains.evm.governance.calls import Action, attempt
from infera_plugins.chains.evm.governance.proposals import Governance, lists_of
from infera_plugins.chains.evm.governance.rules import broken_rule, examine

if TYPE_CHECKING:
    from conftest import Town
    from infera_plugins.chains.evm.commands.desk import Desk

FEES = ("--call", "PaymentVault.setFees", "--arg", "120", "--arg", "150")


def proposed(town: Town, title: str, by: str = "whale") -> dict[str, Any]:
    """A fresh proposal whose voting has begun."""
    made: dict[str, Any] = town.sent("propose", "--title", title, *FEES, by=by)
    town.until(made["voting_from"] + 60)
    return made


def test_defeats_are_told_with_their_reason(town: Town) -> None:
    town.lock_all()
    lone = proposed(town, "Nobody comes")
    town.sent("vote", lone["id"], "for", by="minnow")
    town.until(lone["voting_until"] + 60)
    said = town.refused("queue", lone["id"], by="whale")
    assert "it was defeated at 2023-" in said
    assert "the quorum was not reached" in said
    assert "no more were for it" not in said
    assert "GovernorUnexpectedProposalState(" in said

    split = proposed(town, "Opposed")
    town.sent("vote", split["id"], "for", by="shark")
    town.sent("vote", split["id"], "against", by="whale")
    town.until(split["voting_until"] + 60)
    said = town.refused("execute", split["id"], by="whale")
    assert "no more were for it than against" in said
    listed = town.json("gov", "list")["proposals"]
    assert [(p["title"], p["state"]) for p in listed] == [
        ("Opposed", "defeated"), ("Nobody comes", "defeated")
    ]  # fmt: skip
    assert "no more were for it than against" in town("gov", "list")
    assert town.json("gov", "list", "--state", "queued") == {"proposals": []}


def test_cancel(town: Town) -> None:
    town.lock_all()
    made = town.sent("propose", "--title", "On second thought", *FEES, by="whale")
    said = town.refused("cancel", made["id"], by="shark")
    assert f"only its proposer, {town.key('whale')}, can cancel it" in said
    town.sent("cancel", made["id"], by="whale")
    shown = town.json("gov", "show", made["id"])
    assert shown["state"] == "canceled"
    assert shown["timeline"]["canceled"] is not None
    assert "before voting began" in town.refused("cancel", made["id"], by="whale")
    for doing in (("vote", made["id"], "for"), ("queue", made["id"]), ("execute", made["id"])):
        assert "it was canceled before" in town.refused(*doing, by="whale")


def test_power_below_the_threshold_is_told_with_all_the_rest(town: Town) -> None:
    town.sent("lock", "90000", "--for", "4y", by="minnow")
    propose = ("gov", "propose", "--title", "Mine", *FEES, "--key", "minnow")
    for manner in ("--dry-run", "--yes"):
        said = town(*propose, manner, code=1)
        assert "kind      parameter" in said
        assert "and a proposal takes 100,000" in said
        assert "delegate to this account" in said
    text = town(*propose, "--dry-run", "--json", code=1)
    facts, _ = json.JSONDecoder().raw_decode(text)
    assert facts["calls"] == []
    assert int(facts["power"]) < int(facts["threshold"]) == 100_000 * INFR_WEI
    assert town.json("gov", "list") == {"proposals": []}


def test_calls_that_would_fail_are_named_before_anything_is_sent(town: Town) -> None:
    town.lock_all()
    propose = ("gov", "propose", "--title", "Too much", "--key", "whale", "--dry-run")
    calls = (
        "--call", "PaymentVault.setFees", "--arg", "120", "--arg", "501",
        "--call", "InferaTimelock.updateDelay", "--arg", "2592001",
        "--call", "InferaGovernor.setVotingPeriod", "--arg", "2592001",
        "--call", "InferaGovernor.setVotingDelay", "--arg", "3600",
    )  # fmt: skip
    facts = town.json(*propose, *calls)
    trials = [action["trial"] for action in facts["actions"]]
    assert [t["verdict"] for t in trials] == ["reverts", "reverts", "reverts", "untried"]
    assert trials[0]["detail"] == "PaymentVault_FeeOutOfBounds(501, 500)"
    assert trials[1]["detail"].startswith("InferaTimelock_DelayOutOfBounds(2592001, ")
    assert trials[2]["detail"] == "InferaGovernor_OutOfBounds(2592001, 1, 2592000)"
    assert facts["kind"] == "upgrade"
    said = town(*propose, *calls)
    assert "upgrade, because of call 2: it changes the governor or the timelock" in said
    assert "reverts: PaymentVault_FeeOutOfBounds(501, 500)" in said


@pytest.mark.parametrize("allowed", [False, True])
def test_the_rules_are_the_governors(town: Town, allowed: bool) -> None:
    """What is called forbidden here, the governor refuses to have proposed, and nothing else."""
    town.lock_all()
    whale = town.key("whale")

    async def check(desk: Desk) -> None:
        governance = Governance(desk)
        governor, timelock = InferaGovernor(desk), InferaTimelock(desk)
        stakes, jobs, vault = StakeRegistry(desk), JobRegistry(desk), PaymentVault(desk)
        role, nobody = b"\1" * 32, "0x" + "0" * 40
        hidden = vault._encode("transferOwnership", whale)
        good = [
            vault.set_fees(1, 2), timelock.update_delay(60), governor.set_voting_delay(7_200),
            stakes.set_slasher(whale, False), jobs.set_court(vault.address, True),
            vault.upgrade_to_and_call(whale, b""), vault.accept_ownership(),
            vault.upgrade_to_and_call(whale, vault._encode("setFees", 1, 2)),
        ]  # fmt: skip
        bad = [
            timelock.grant_role(role, whale), timelock.revoke_role(role, whale),
            governor.relay(whale, 0, b""), governor.update_timelock(whale),
            vault.transfer_ownership(whale), jobs.renounce_ownership(),
            stakes.set_slasher(whale, True), jobs.set_court(timelock.address, True),
            jobs.set_court(governor.address, True), stakes.set_slasher(nobody, True),
            vault.upgrade_to_and_call(stakes.address, hidden),
        ]  # fmt: skip
        for call in good if allowed else bad:
            action = Action(call.to, 0, call.data)
            rule = await broken_rule(governance, action)
            propose = governor.propose(*lists_of([action]), call.function.name)
            tried = Action(propose.to, 0, propose.data)
            if allowed:
                await attempt(desk.rpc, whale, tried)
            else:
                with pytest.raises(ChainError, match="InferaGovernor_") as refused:
                    await attempt(desk.rpc, whale, tried)
                assert (refused.value.revert or "").partition("(")[0] in (
                    "InferaGovernor_ForbiddenCall",
                    "InferaGovernor_NotAJudge",
                )
            assert bool(rule) is not allowed, call.function.name
            [found] = await examine(governance, await governance.settings(), [action])
            kind = await governor.classify(*lists_of([action]))
            assert found["parameter"] is bool(kind), call.function.name

    town.on_chain(check)


def test_forbidden_calls_are_refused_before_they_cost_anything(town: Town) -> None:
    town.lock_all()
    said = town.refused(
        "propose", "--title", "Give it to me",
        "--call", "PaymentVault.transferOwnership", "--arg", town.key("shark"), by="whale",
    )  # fmt: skip
    assert "what stands behind the timelock stays behind it" in said
    assert "proposal_refused" in said


def test_a_ballot_signed_by_one_and_sent_by_another(town: Town) -> None:
    town.lock_all()
    made = proposed(town, "By letter")
    vote = ("gov", "vote", made["id"], "for", "--by-signature", "--key", "whale", "--yes")
    before = town.now()
    plain = json.loads(town(*vote))
    reasoned = town.json(*vote, "--reason", "it is time")
    assert reasoned["calls"] == []
    assert plain["voter"] == reasoned["ballot"]["voter"] == town.key("whale")
    assert town.json("gov", "show", made["id"])["participation"] == "0"  # nothing was sent
    assert town.now() >= before

    file = town.home / "ballot.json"
    file.write_text(json.dumps(plain | {"support": "against"}))
    assert "signature is not the voter's" in town.refused("ballot", str(file), by="minnow")
    file.write_text(json.dumps(plain | {"chain_id": 1}))
    assert "of chain 1" in town.refused("ballot", str(file), by="minnow")
    for wrong in ("{", "[]", json.dumps(plain | {"support": "maybe"}), json.dumps({"voter": 1})):
        file.write_text(wrong)
        assert "ballot_malformed" in town.refused("ballot", str(file), by="minnow")
    file.write_text(json.dumps(reasoned))
    sent = town.sent("ballot", str(file), by="minnow")
    assert sent["voter"] == town.key("whale")
    assert sent["calls"][0]["function"] == "castVoteWithReasonAndParamsBySig"
    assert town.json("gov", "show", made["id"])["participation"] == sent["power"]
    file.write_text(json.dumps(plain))  # signed for the nonce that is used now
    assert "was used" in town.refused("ballot", str(file), by="minnow")
    letter = json.loads(town(*("gov", "vote", made["id"], "abstain", "--by-signature"),
                             "--key", "shark", "--yes"))  # fmt: skip
    file.write_text(json.dumps(letter))
    sent = town.sent("ballot", str(file), by="minnow")
    assert sent["calls"][0]["function"] == "castVoteBySig"
    assert town.json("gov", "show", made["id"])["votes"]["abstain"] == sent["weight"]


def test_proposals_that_are_not_to_be_found(town: Town) -> None:
    assert "no proposal begins with '0x12'" in town("gov", "show", "0x12", code=1)
    town.lock_all()
    for title in ("One", "Another"):
        town.sent("propose", "--title", title, *FEES, by="whale")
    said = town("gov", "show", "0x", code=1)
    assert "2 proposals begin with '0x'" in said
    assert "(One)" in said
    assert "proposal_unknown" in said
    for nonsense in ("", "../../etc/passwd", "zz"):
        assert "proposal_unknown" in town("gov", "show", nonsense, code=1)


def test_a_deployment_without_governance(town: Town) -> None:
    path = town.home / "contracts.json"
    record = json.loads(path.read_text())
    del record["contracts"]["InferaGovernor"]
    path.write_text(json.dumps(record))
    said = town("gov", "list", code=1)
    assert "has no InferaGovernor" in said
    assert "contracts_unknown" in said
