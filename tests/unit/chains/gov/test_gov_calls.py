"""Calls read and told, times, ballots, and proposals looked for on nodes that answer little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from infera.errors import InferaError
from infera.keys import Signer
from infera_plugins.chains.evm.commands import desk as commands_desk
from infera_plugins.chains.evm.embedded import EmbeddedNode
from infera_plugins.chains.evm.embedded.ledger import RpcError
from infera_plugins.chains.evm.governance.ballots import Ballot
from infera_plugins.chains.evm.governance.calls import (
    Action,
    describe,
    lines_of,
    parse_calls,
    parse_written,
    selector,
)
from infera_plugins.chains.evm.governance.times import (
    LONGEST_LOCK,
    parse_duration,
    parse_time,
    span,
    week_start,
)

if TYPE_CHECKING:
    from conftest import Clock, Town

VAULT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
STAKES = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
OTHER = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"
CONTRACTS = {"PaymentVault": VAULT, "StakeRegistry": STAKES}


def told(action: Action) -> dict[str, Any]:
    return describe(action, CONTRACTS)


def test_calls_take_their_arguments_in_order() -> None:
    calls = [
        "PaymentVault.setFees(uint16, uint16)",
        "StakeRegistry.setSlasher(address,bool)",
        f"{OTHER}.setMany((address,uint)[],bytes4,string)",
    ]
    pairs = f'[["{STAKES.lower()}", "7"]]'
    given = ["1_2", "0x10", "PaymentVault", "TRUE", pairs, "0x12345678", "a"]
    fees, slasher, many = parse_calls(calls, given, CONTRACTS)
    assert told(fees)["arguments"] == {"routerFeeBps": "12", "protocolFeeBps": "16"}
    assert list(told(slasher)["arguments"].values()) == [VAULT, True]
    assert many.target == OTHER
    assert many.data[:4] == selector("setMany((address,uint256)[],bytes4,string)")
    assert told(many)["function"] == ""
    assert "not a function known here" in "\n".join(lines_of(told(many), CONTRACTS))


@pytest.mark.parametrize(
    ("calls", "args", "words"),
    [
        ([], [], "1 to 32 calls, not 0"),
        (["PaymentVault.setFees"] * 33, [], "not 33"),
        (["PaymentVault"], [], "is no call"),
        (["PaymentVolt.setFees"], [], "did you mean 'PaymentVault'?"),
        (["PaymentVault.setFee"], [], "did you mean 'setFees'?"),
        (["PaymentVault.setFees(uint16)"], [], "has setFees(uint16,uint16), not setFees(uint16)"),
        (["PaymentVault.setFees"], ["1"], "takes 2 arguments, and 1 are left"),
        (["PaymentVault.setFees"], ["1", "2", "3"], "no call takes the argument '3'"),
        (["PaymentVault.setFees"], ["1", "1.5"], "protocolFeeBps (uint16): it is '1.5', no whole"),
        (["PaymentVault.setFees"], ["1", "65536"], "PaymentVault.setFees: "),
        (["PaymentVault.setFees"], ["1", "-1"], "PaymentVault.setFees: "),
        (["StakeRegistry.setSlasher"], [VAULT, "yes"], "neither true nor false"),
        (["StakeRegistry.setSlasher"], ["PaymentVau1t", "true"], "did you mean 'PaymentVault'?"),
        (["StakeRegistry.setSlasher"], ["0x12", "true"], "must be 20 bytes"),
        ([f"{OTHER}.f"], [], "a call by address needs its types"),
        ([f"{OTHER}.f(uint17)"], ["1"], "are no types"),
        ([f"{OTHER}.f(uint8"], ["1"], "is no call"),
        ([f"{OTHER}.f(uint8[2])"], ["[1]"], f"{OTHER}.f(uint8[2]): "),
        ([f"{OTHER}.f(uint8[])"], ["1, 2"], "is no JSON list"),
        ([f"{OTHER}.f(uint8[])"], ["{}"], "is no list"),
        ([f"{OTHER}.f((uint8,bool))"], ["[1]"], "has 1 parts, not 2"),
        ([f"{OTHER}.f(bytes2)"], ["0x1"], "must be 2 bytes"),
    ],
)
def test_what_is_wrong_with_a_call_is_named(calls: list[str], args: list[str], words: str) -> None:
    with pytest.raises(InferaError) as refused:
        parse_calls(calls, args, CONTRACTS)
    assert words in str(refused.value)
    assert refused.value.code == "call_invalid"


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (None, "must be a list"),
        ([], "must be a list"),
        ([{"args": []}], "call 1 must have `call`"),
        ([{"call": "PaymentVault.setFees", "gas": 1}], "call 1 must have `call`"),
        ([{"call": "PaymentVault.setFees", "args": "1, 2"}], "`args` a list"),
        ([{"call": "PaymentVault.setFees", "args": [1]}], "was given 1 arguments"),
        ([{"call": "PaymentVault.setFees", "args": [1, 2], "value": 1.5}], "no whole number"),
        ([{"call": "PaymentVault.setFees", "args": [1, 2], "value": -1}], "no amount of wei"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(items: Any, words: str) -> None:
    with pytest.raises(InferaError, match=words):
        parse_written(items, CONTRACTS)


def test_a_file_may_send_ether_and_call_nothing_known() -> None:
    call = {"call": f"{OTHER}.take(bytes)", "args": ["0x00"], "value": "5"}
    [action] = parse_written([call], CONTRACTS)
    assert action.value == 5
    assert "ETH, in wei" in "\n".join(lines_of(told(action), CONTRACTS))


def test_what_is_not_known_is_told_as_it_is() -> None:
    fees = parse_calls(["PaymentVault.setFees"], ["1", "2"], CONTRACTS)[0]
    elsewhere = told(Action(OTHER, 0, fees.data))
    assert (elsewhere["contract"], elsewhere["certain"]) == ("", False)
    assert elsewhere["function"] == "setFees(uint16,uint16)"
    assert "guessed" in lines_of(elsewhere, CONTRACTS)[0]
    for data in (b"", b"\1\2\3", fees.data[:20], b"\xff" * 40):
        raw = told(Action(VAULT, 0, data))
        assert (raw["function"], raw["data"]) == ("", "0x" + data.hex())
        assert raw["data"] in lines_of(raw, CONTRACTS)[0]


def test_times() -> None:
    now = 1_700_000_000
    assert parse_duration("4y") == LONGEST_LOCK == 1461 * 86_400
    assert [parse_duration(t) for t in ("1.5w", "180d", "12 h")] == [907_200, 15_552_000, 43_200]
    assert parse_time("2028-01-06", now) == parse_time("2028-01-06T01:00+01:00", now)
    assert parse_time("+1d", now) == now + 86_400
    assert week_start(parse_time("1970-01-14", now)) == 7 * 86_400
    assert [span(s) for s in (0, 59, 3_661, 90_000)] == ["0 s", "59 s", "1 h 1 min", "1 d 1 h"]
    for wrong in ("1m", "y", "1e3d", "", "-1d", "1234567d"):
        with pytest.raises(InferaError, match="is no duration"):
            parse_duration(wrong)


@pytest.mark.parametrize("reason", ["", "weil es „Zeit“ ist"])
def test_ballots_are_typed_data(reason: str) -> None:
    """What is signed is what any wallet signs for OpenZeppelin's Governor."""
    signer = Signer(b"\x07" * 32)
    ballot = Ballot(31337, VAULT, 5, 1, signer.address, 2, reason)
    fields = [("proposalId", "uint256"), ("support", "uint8"), ("voter", "address"),
              ("nonce", "uint256")]  # fmt: skip
    message: dict[str, Any] = {
        "proposalId": 5, "support": 1, "voter": signer.address, "nonce": 2
    }  # fmt: skip
    if reason:
        fields += [("reason", "string"), ("params", "bytes")]
        message |= {"reason": reason, "params": b""}
    name = "ExtendedBallot" if reason else "Ballot"
    domain = {"name": "INFERA Governor", "version": "1", "chainId": 31337,
              "verifyingContract": VAULT}  # fmt: skip
    types = {name: [{"name": n, "type": t} for n, t in fields]}
    signed = encode_typed_data(domain, types, message)
    recovered = Account.recover_message(signed, signature=ballot.signed(signer).signature)
    assert recovered == signer.address


def test_proposals_are_found_on_a_node_that_answers_little(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Narrow(EmbeddedNode):
        async def _eth_getLogs(self, query: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: N802
            span = int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1
            asked.append(span)
            if span > 5:
                raise RpcError("query exceeds the range of 5 blocks")
            return await super()._eth_getLogs(query)

    town.lock_all()
    fees = ("--call", "PaymentVault.setFees", "--arg", "1", "--arg", "2")
    made = [town.sent("propose", "--title", t, *fees, by="whale")["id"] for t in ("A", "B")]
    clock: Clock = town.clock

    def narrow(url: str) -> EmbeddedNode:
        return Narrow.at(town.chain, chain_id=31337, alloc={}, clock=clock)

    monkeypatch.setattr(commands_desk, "make_transport", narrow)
    found = [p["id"] for p in town.json("gov", "list")["proposals"]]
    assert found == list(reversed(made))
    assert max(asked) > 5
    asked.clear()
    assert town.json("gov", "show", made[1])["title"] == "B"  # the record says where to look
    assert max(asked) <= 5
