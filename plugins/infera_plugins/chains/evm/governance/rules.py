"""What the governor would make of calls: the kind of proposal, the rules they break, and what each
does when the timelock makes it now.

The rules are those of `contracts/src/governance/ProposalRules.sol`, told to whoever may not propose
and would else hear of nothing but the missing power.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from infera.errors import ChainError
from infera.protocol.abi import checksum_address

from ..rpc import unhex
from .calls import UPGRADE, Action, attempt, selector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.types import Address

    from .proposals import Governance, Settings

DAY = 86_400
SHORT_CHAINS = frozenset({31337, 1337, 84532})
"""Where the lowest of every duration is a second (`Chains.sol`)."""

JUDGES = {selector("setSlasher(address,bool)"), selector("setCourt(address,bool)")}
_OWNERS = {selector("transferOwnership(address)"), selector("renounceOwnership()")}
_UPGRADE = selector(f"{UPGRADE}(address,bytes)")
_DELAY = selector("updateDelay(uint256)")
_RELAY = selector("relay(address,uint256,bytes)")
_TIMELOCK = selector("updateTimelock(address)")
_BOUNDED = {
    selector("setVotingDelay(uint48)"): (DAY, 30 * DAY),
    selector("setVotingPeriod(uint32)"): (3 * DAY, 30 * DAY),
    selector("setLateQuorumVoteExtension(uint48)"): (DAY, None),
    selector("setProposalThreshold(uint256)"): (10**18, 5_000_000 * 10**18),
}


async def examine(
    governance: Governance, settings: Settings, actions: Sequence[Action]
) -> list[dict[str, Any]]:
    """For each call: `why` it makes the proposal of its kind, the `rule` it breaks, and `trial`."""
    return [
        {
            "parameter": await _is_parameter(governance, action),
            "why": await _why(governance, action),
            "rule": await broken_rule(governance, action),
            "trial": await trial(governance, settings, action),
        }
        for action in actions
    ]


async def _is_parameter(governance: Governance, action: Action) -> bool:
    if action.value or len(action.data) < 4:
        return False
    return await governance.governor.is_parameter_call(action.target, action.selector)


async def _why(governance: Governance, action: Action) -> str:
    if action.value:
        return "it sends ETH"
    if len(action.data) < 4:
        return "it calls no function"
    if action.target in (governance.timelock.address, governance.governor.address):
        return "it changes the governor or the timelock, which is never a parameter"
    if action.selector == _UPGRADE:
        return "it changes code, which is never a parameter"
    if action.selector in JUDGES:
        return "it names or dismisses a judge, which is never a parameter"
    listed = await _is_parameter(governance, action)
    return f"it is {'' if listed else 'not '}on the list of parameter calls"


async def broken_rule(governance: Governance, action: Action) -> str:
    """Why this cannot be proposed at all; empty if it can."""
    timelock, governor = governance.timelock.address, governance.governor.address
    chosen, data = action.selector, action.data
    if len(data) < 4:
        return ""
    if action.target == timelock and chosen != _DELAY:
        return "of the timelock's functions only updateDelay can be proposed"
    if action.target == governor and chosen in (_RELAY, _TIMELOCK):
        return "neither relay nor updateTimelock can be proposed"
    if chosen in _OWNERS:
        return "what stands behind the timelock stays behind it"
    try:
        if chosen in JUDGES:
            judge, allowed = decode(["address", "bool"], data[4:])
            mine = checksum_address(unhex(judge)) in (timelock, governor)
            if allowed and (mine or not await _is_contract(governance, judge)):
                return "a judge must be a contract, and neither the governor nor the timelock"
        if chosen == _UPGRADE:
            inner = decode(["address", "bytes"], data[4:])[1]
            return await broken_rule(governance, Action(action.target, 0, inner))
    except (DecodingError, OverflowError):
        return "its arguments cannot be decoded"
    return ""


async def _is_contract(governance: Governance, address: Address) -> bool:
    code = await governance.desk.rpc.code(address)
    return bool(code) and not (len(code) == 23 and code[:3] == bytes.fromhex("ef0100"))


async def trial(governance: Governance, settings: Settings, action: Action) -> dict[str, Any]:
    """What the call does if the timelock makes it on top of the newest block, alone."""
    desk = governance.desk
    if action.target == governance.governor.address:
        problem = _out_of_bounds(desk.chain_id, settings, action)
        if problem:
            return {"verdict": "reverts", "detail": problem}
        return {"verdict": "untried", "detail": "the governor takes it only within a proposal"}
    try:
        await attempt(desk.rpc, governance.timelock.address, action)
    except ChainError as e:
        return {"verdict": "reverts", "detail": e.revert or e.message}
    if not await desk.rpc.code(action.target):
        return {"verdict": "succeeds", "detail": "no contract is there: nothing but ETH moves"}
    return {"verdict": "succeeds", "detail": ""}


def _out_of_bounds(chain_id: int, settings: Settings, action: Action) -> str:
    bounds = _BOUNDED.get(action.selector)
    if bounds is None or len(action.data) != 36:
        return ""
    value = int.from_bytes(action.data[4:], "big")
    lowest, highest = bounds
    if highest is None:
        highest = settings.voting_period
    if chain_id in SHORT_CHAINS and lowest in (DAY, 3 * DAY):
        lowest = 1
    if lowest <= value <= highest:
        return ""
    return f"InferaGovernor_OutOfBounds({value}, {lowest}, {highest})"
