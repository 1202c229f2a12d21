"""Governance as it stands on a chain: settings, proposals from their events, votes and quorums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from infera.errors import InferaError, NeedsOperatorError
from infera_ext import keccak256

from ..bindings.infera_governor import (
    InferaGovernor,
    Kind,
    ProposalCanceled,
    ProposalCreated,
    ProposalExecuted,
    ProposalExtended,
    ProposalQueued,
)
from ..bindings.infera_timelock import InferaTimelock
from ..bindings.types import ProposalState
from ..bindings.ve_infr import VeINFR
from ..contracts import position
from ..rpc import RpcFailureError
from .calls import Action
from .times import when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.types import Address

    from ..commands.desk import Desk

BPS = 10_000
SUPPORT = {"against": 0, "for": 1, "abstain": 2}
_Step: TypeAlias = ProposalExtended | ProposalQueued | ProposalExecuted | ProposalCanceled
_STEPS: dict[str, type[_Step]] = {
    "extended": ProposalExtended,
    "queued": ProposalQueued,
    "executed": ProposalExecuted,
    "canceled": ProposalCanceled,
}
_LIST = "`infera gov list` shows them"


def word(value: Kind | ProposalState) -> str:
    """A kind or a state, for people and JSON."""
    return value.name.lower()


@dataclass(frozen=True, slots=True)
class Settings:
    """What governance asks for now; durations in seconds, the threshold in power."""

    voting_delay: int
    voting_period: int
    vote_extension: int
    threshold: int
    timelock_delay: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as its `ProposalCreated` event has it; times in UTC seconds."""

    id: int
    proposer: Address
    actions: tuple[Action, ...]
    description: str
    snapshot: int
    block: int
    steps: dict[str, int] = field(default_factory=dict)
    """Block in which it was (last) extended, queued, executed or canceled."""

    @property
    def key(self) -> str:
        """The id as people write it."""
        return f"0x{self.id:064x}"

    @property
    def title(self) -> str:
        """The description's first line."""
        lines = self.description.strip().splitlines()
        return lines[0].lstrip("# ").strip()[:200] if lines else ""

    @property
    def arguments(self) -> tuple[list[Address], list[int], list[bytes], bytes]:
        """What queue, execute and cancel take."""
        return (*lists_of(self.actions), keccak256(self.description.encode()))


@dataclass(frozen=True, slots=True)
class Standing:
    """How a proposal stands. Votes are weights; participation and quorum are undampened power."""

    state: ProposalState
    kind: Kind
    against: int
    for_: int
    abstain: int
    participation: int
    circulating: int
    """At the snapshot; before it, now."""
    quorum_bps: int
    quorum: int
    settled: bool
    """Whether the snapshot is over, and with it what the quorum is."""
    deadline: int
    eta: int
    """When it can be executed; 0 before it is queued."""

    @property
    def why_defeated(self) -> str:
        """What was missing."""
        missing = []
        if self.participation < self.quorum:
            missing.append("the quorum was not reached")
        if self.for_ <= self.against:
            missing.append("no more were for it than against")
        return " and ".join(missing)


def refusal_of(doing: str, standing: Standing, proposal: Proposal, now: int) -> str:
    """Why `doing` (vote, queue, execute or cancel) does not go now, and when it does; empty if the
    state is none of the reasons.
    """
    state = standing.state
    if doing == "cancel" and state is not ProposalState.Pending:
        return f"it could be canceled only before voting began at {when(proposal.snapshot, now)}"
    if doing != "cancel" and state is ProposalState.Pending:
        return f"voting begins only at {when(proposal.snapshot, now)}"
    if state is ProposalState.Defeated:
        return f"it was defeated at {when(standing.deadline, now)}: {standing.why_defeated}"
    if state in (ProposalState.Canceled, ProposalState.Executed):
        return f"it was {word(state)} before"
    if doing == "vote" and state is not ProposalState.Active:
        return f"voting ended at {when(standing.deadline, now)}"
    if doing in ("queue", "execute") and state is ProposalState.Active:
        return f"voting goes on until {when(standing.deadline, now)}"
    if doing == "queue" and state is ProposalState.Queued:
        return f"it is queued already, and can be executed from {when(standing.eta, now)}"
    if doing == "execute" and state is ProposalState.Succeeded:
        return "it has to be queued first: `infera gov queue`"
    if doing == "execute" and state is ProposalState.Queued and now < standing.eta:
        return f"it can be executed only from {when(standing.eta, now)}"
    return ""


def lists_of(actions: Sequence[Action]) -> tuple[list[Address], list[int], list[bytes]]:
    """Targets, values and call data, as the governor takes them."""
    return [a.target for a in actions], [a.value for a in actions], [a.data for a in actions]


class Governance:
    """Reads a chain's governance through a desk that knows where its contracts stand."""

    def __init__(self, desk: Desk) -> None:
        names = (InferaGovernor.contract, InferaTimelock.contract, VeINFR.contract, "INFR")
        missing = [name for name in names if name not in desk.contracts]
        if missing:
            raise NeedsOperatorError(
                f"the manifest has no {', '.join(missing)}: this deployment has no governance",
                code="contracts_unknown",
                hint="name the manifest of a deployment that has with --contracts FILE",
            )
        self.desk = desk
        self.governor = InferaGovernor(desk)
        self.timelock = InferaTimelock(desk)
        self.votes = VeINFR(desk)

    async def settings(self) -> Settings:
        """What the governor and the timelock ask for now."""
        governor = self.governor
        return Settings(
            voting_delay=await governor.voting_delay(),
            voting_period=await governor.voting_period(),
            vote_extension=await governor.late_quorum_vote_extension(),
            threshold=await governor.proposal_threshold(),
            timelock_delay=await self.timelock.get_min_delay(),
        )

    async def weights(self, power: int) -> dict[str, int]:
        """What a vote with this power weighs, by kind of proposal."""
        return {word(kind): await self.governor.weight_of(kind, power) for kind in Kind}

    async def quorum_bps(self, kind: Kind) -> int:
        """Basis points of the circulating INFR that have to take part."""
        if kind is Kind.Parameter:
            return await self.governor.parameter_quorum_bps()
        return await self.governor.upgrade_quorum_bps()

    async def circulating_now(self) -> int:
        """INFR that circulates, as of the newest second that is over."""
        return await self.governor.circulating_supply(await self.desk.now() - 1)

    async def standing(self, proposal: Proposal) -> Standing:
        """How it stands now."""
        governor = self.governor
        state, kind = await governor.state(proposal.id), await governor.kind_of(proposal.id)
        bps = await self.quorum_bps(kind)
        settled = await self.desk.now() > proposal.snapshot
        if settled:
            circulating = await governor.circulating_supply(proposal.snapshot)
            quorum = await governor.quorum_of(proposal.id)
        else:
            circulating = await self.circulating_now()
            quorum = circulating * bps // BPS
        votes = await governor.proposal_votes(proposal.id)
        return Standing(
            state=state,
            kind=kind,
            against=votes.against_votes,
            for_=votes.for_votes,
            abstain=votes.abstain_votes,
            participation=await governor.participation_of(proposal.id),
            circulating=circulating,
            quorum_bps=bps,
            quorum=quorum,
            settled=settled,
            deadline=await governor.proposal_deadline(proposal.id),
            eta=await governor.proposal_eta(proposal.id),
        )

    # -- from events

    async def proposals(self, first: int | None = None) -> list[Proposal]:
        """Every proposal made since a block (by default, ever), the oldest first."""
        found: dict[int, Proposal] = {}
        for entry in await self._logs(self.desk.since if first is None else first):
            block = position(entry).block
            if (made := ProposalCreated.decode(entry)) is not None:
                found[made.proposalId] = _proposal(made, block)
                continue
            for name, kind in _STEPS.items():
                step = kind.decode(entry)
                if step is not None and step.proposalId in found:
                    found[step.proposalId].steps[name] = block
        return list(found.values())

    async def find(self, text: str, known_block: int | None = None) -> Proposal:
        """The one proposal whose id, in hex (0x…) or decimal, begins so.

        `known_block`: where a record says that it was made; the chain is asked all the same.
        """
        wanted = text.strip().lower()
        hits: list[Proposal] = []
        for first in (known_block, None) if known_block is not None else (None,):
            hits = [p for p in await self.proposals(first) if wanted and _begins(p, wanted)]
            if hits:
                break
        if not hits:
            raise InferaError(
                f"no proposal begins with {text!r}", code="proposal_unknown", hint=_LIST
            )
        if len(hits) > 1:
            said = ", ".join(f"{p.key[:14]}… ({p.title})" for p in hits[:5])
            raise InferaError(
                f"{len(hits)} proposals begin with {text!r}: {said}",
                code="proposal_unknown",
                hint="give more of the id",
            )
        return hits[0]

    async def _logs(self, first: int) -> list[dict[str, Any]]:
        """The governor's log entries about proposals, in order.

        The whole range in one question where the node answers that, else in parts.
        """
        rpc = self.desk.rpc
        topics = [ProposalCreated.abi().topic, *(e.abi().topic for e in _STEPS.values())]
        query = {"address": self.governor.address, "topics": [["0x" + t.hex() for t in topics]]}
        newest = await rpc.block_number()
        span, found = newest - first + 1, []
        while first <= newest:
            last = min(newest, first + span - 1)
            bounds = {"fromBlock": hex(first), "toBlock": hex(last)}
            try:
                found += await rpc.read("eth_getLogs", query | bounds)
            except RpcFailureError:
                if span == 1:
                    raise
                span = max(1, span // 4)
                continue
            first = last + 1
        return sorted(found, key=lambda e: (int(e["blockNumber"], 16), int(e["logIndex"], 16)))

    async def time_of(self, block: int) -> int | None:
        """A block's time."""
        head = await self.desk.rpc.head(block)
        return head.timestamp if head else None


def _begins(proposal: Proposal, text: str) -> bool:
    return proposal.key.startswith(text) or str(proposal.id).startswith(text)


def _proposal(made: ProposalCreated, block: int) -> Proposal:
    calls = zip(made.targets, made.values, made.calldatas, strict=True)
    return Proposal(
        id=made.proposalId,
        proposer=made.proposer,
        actions=tuple(Action(*call) for call in calls),
        description=made.description,
        snapshot=made.voteStart,
        block=block,
    )
