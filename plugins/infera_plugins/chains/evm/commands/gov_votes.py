"""`infera gov`: votes, the key's own and those that others signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infera.errors import InferaError

from .gov_common import find, gov, proposal_argument, proposal_json, refuse_early
from .sending import sends

if TYPE_CHECKING:
    from infera.keys import Signer
    from infera.types import Address

    from ..binding import Call
    from ..governance.proposals import Governance, Proposal, Standing
    from .deed import Deed
    from .desk import Desk

SUPPORT = ("for", "against", "abstain")


@sends(
    gov, "vote", proposal_argument, click.argument("support", type=click.Choice(SUPPORT)),
    click.option("--reason", default="", help="For everybody to read."),
    click.option("--by-signature", is_flag=True, help="Send nothing: print a signed ballot that"
                 " anybody can send with `infera gov ballot`."),
)  # fmt: skip
async def vote_command(
    desk: Desk,
    signer: Signer,
    folder: Path,
    proposal: str,
    support: str,
    reason: str,
    by_signature: bool,
) -> Deed:
    """Vote with the power the key had when voting began. A vote is final."""
    from ..governance.ballots import MOST_REASON, Ballot
    from ..governance.proposals import SUPPORT as NUMBERS
    from ..governance.proposals import Governance
    from .deed import Deed

    if len(reason.encode()) > MOST_REASON:
        raise click.UsageError(f"--reason takes {MOST_REASON} bytes at most")
    governance, chosen = Governance(desk), NUMBERS[support]
    found = await find(governance, proposal, folder)
    if by_signature:
        ballot = Ballot(
            desk.chain_id, governance.governor.address, found.id, chosen, signer.address,
            await governance.governor.nonces(signer.address), reason,
        ).signed(signer)  # fmt: skip
        content = ballot.to_json()
        return Deed((), {"ballot": content}, [json.dumps(content, indent=2)])
    standing = await governance.standing(found)
    call = governance.governor.cast_vote(found.id, chosen)
    if reason:
        call = governance.governor.cast_vote_with_reason(found.id, chosen, reason)
    await refuse_early(governance, signer.address, "vote", found, standing, call)
    return await _casting(governance, found, standing, call, signer.address, support)


async def _casting(
    governance: Governance,
    proposal: Proposal,
    standing: Standing,
    call: Call,
    voter: Address,
    support: str,
) -> Deed:
    from .deed import Deed
    from .desk import units

    power = await governance.votes.get_past_votes(voter, proposal.snapshot)
    weight = await governance.governor.weight_of(standing.kind, power)
    said = f"{units(power, 18)} of power when voting began: a weight of {units(weight, 18)}"
    lines = [
        f"proposal  {proposal.key}",
        f"title     {proposal.title}",
        f"voter     {voter} had {said}, {support}",
    ]
    if power == 0:
        lines.append("          without power the vote changes nothing")
    facts = proposal_json(proposal)
    facts |= {"voter": voter, "support": support, "power": str(power), "weight": str(weight)}
    return Deed([call.remarked({"support": support})], facts, lines)


@sends(gov, "ballot", click.argument("file", type=click.Path(dir_okay=False, path_type=Path)))
async def ballot_command(desk: Desk, signer: Signer, folder: Path, file: Path) -> Deed:
    """Send the vote that somebody else signed: FILE is what `vote --by-signature` printed."""
    from ..governance.ballots import read_ballot
    from ..governance.proposals import SUPPORT as NUMBERS
    from ..governance.proposals import Governance

    governance, ballot = Governance(desk), read_ballot(file)
    here = (desk.chain_id, governance.governor.address)
    if (ballot.chain_id, ballot.governor) != here:
        raise InferaError(
            f"this ballot is for governor {ballot.governor} of chain {ballot.chain_id}",
            code="ballot_malformed",
            hint=f"--rpc and --contracts are of {here[1]} on chain {here[0]}",
        )
    found = await find(governance, f"0x{ballot.proposal:064x}", folder)
    standing = await governance.standing(found)
    call = ballot.call(governance.governor)
    await refuse_early(governance, signer.address, "vote", found, standing, call)
    support = list(NUMBERS)[ballot.support]
    return await _casting(governance, found, standing, call, ballot.voter, support)
