"""What the commands of `infera gov` share: the group, finding a proposal, telling how it stands."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import click

from infera.errors import ChainError

if TYPE_CHECKING:
    from pathlib import Path

    from infera.types import Address

    from ..binding import Call
    from ..governance.proposals import Governance, Proposal, Standing

proposal_argument = click.argument("proposal", metavar="ID")


@click.group("gov")
def gov() -> None:
    """Governance: lock INFR for votes, propose, vote, and carry out what was decided.

    Amounts are INFR (`1000`, `2.5`), times are UTC. A proposal is named by its id, or by as much of
    it as no other id begins with. An account is an address or a key of this home.
    """


def record(folder: Path, key: str) -> Path:
    """Where this home keeps a proposal that it made."""
    return folder / "proposals" / f"{key}.json"


async def find(governance: Governance, text: str, folder: Path) -> Proposal:
    """A proposal by its id. A record of this home says only from which block on to look."""
    block = None
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        if text.strip().isalnum():
            path = record(folder, text.strip().lower())
            block = json.loads(path.read_text("utf-8"))["block"]
    return await governance.find(text, block if isinstance(block, int) else None)


def proposal_json(proposal: Proposal) -> dict[str, Any]:
    """What never changes of a proposal."""
    return {
        "id": proposal.key, "number": str(proposal.id), "proposer": proposal.proposer,
        "title": proposal.title, "voting_from": proposal.snapshot, "block": proposal.block,
    }  # fmt: skip


def standing_json(standing: Standing) -> dict[str, Any]:
    """How it stands; powers and weights as decimal strings in INFR wei, times in UTC seconds."""
    from ..governance.proposals import word

    return {
        "kind": word(standing.kind), "state": word(standing.state),
        "votes": {
            "for": str(standing.for_), "against": str(standing.against),
            "abstain": str(standing.abstain),
        },
        "participation": str(standing.participation), "circulating": str(standing.circulating),
        "quorum_bps": standing.quorum_bps, "quorum": str(standing.quorum),
        "quorum_is_final": standing.settled, "voting_until": standing.deadline,
        "executable_from": standing.eta or None,
    }  # fmt: skip


async def refuse_early(
    governance: Governance,
    sender: Address,
    doing: str,
    proposal: Proposal,
    standing: Standing,
    call: Call,
) -> None:
    """Try a call to the governor; say in a sentence why it does not go yet, or not any more."""
    from ..governance.calls import Action, attempt
    from ..governance.proposals import refusal_of

    desk = governance.desk
    try:
        await attempt(desk.rpc, sender, Action(call.to, call.value, call.data))
    except ChainError as e:
        now = await desk.now()
        said = refusal_of(doing, standing, proposal, now) or _words(e, doing, proposal)
        raise ChainError(
            f"proposal {proposal.key[:14]}… ({proposal.title}): {said}",
            revert=e.revert,
            code="proposal_refused",
            hint=e.message,
        ) from e


def _words(error: ChainError, doing: str, proposal: Proposal) -> str:
    name = (error.revert or "").partition("(")[0]
    if name == "GovernorAlreadyCastVote":
        return "this account has voted, and votes are final"
    if name == "GovernorUnableToCancel":
        return f"only its proposer, {proposal.proposer}, can cancel it"
    if name == "GovernorInvalidSignature":
        return "the signature is not the voter's for this vote, or it was used"
    return "one of its calls fails" if doing == "execute" else f"the governor refuses to {doing}"
