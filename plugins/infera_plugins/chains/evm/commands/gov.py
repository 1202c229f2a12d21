"""`infera gov`: proposals as they stand, and carrying out what was decided."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from infera.cli.common import default_home, run_async, table

from . import gov_locks, gov_propose, gov_votes
from .gov_common import (
    find,
    gov,
    proposal_argument,
    proposal_json,
    refuse_early,
    standing_json,
)
from .sending import sends, showing_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infera.keys import Signer

    from ..binding import Call
    from ..governance.proposals import Governance, Proposal, Standing
    from .deed import Deed
    from .desk import Desk

STATES = ("pending", "active", "canceled", "defeated", "succeeded", "queued", "executed")
__all__ = ["gov"]
PARTS = (gov_locks, gov_propose, gov_votes)
"""Modules that bring the group's other commands."""


@gov.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only those.")
@showing_options
def list_command(state: str | None, rpc: str, where: str, home: Path | None, as_json: bool) -> None:
    """List every proposal there ever was, the newest first."""

    async def main() -> None:
        from ..governance.proposals import Governance, word
        from .desk import at_contracts

        async with at_contracts(rpc, where, default_home(home)) as desk:
            governance = Governance(desk)
            every = [(p, await governance.standing(p)) for p in await governance.proposals()]
            now = await desk.now()
        found = [(p, s) for p, s in reversed(every) if state in (None, word(s.state))]
        if as_json:
            said = [proposal_json(p) | standing_json(s) for p, s in found]
            click.echo(json.dumps({"proposals": said}, indent=2))
            return
        rows = [
            (p.key[:14], word(s.kind), word(s.state), _next(p, s, now), p.title) for p, s in found
        ]
        click.echo(table(rows, ("ID", "KIND", "STATE", "NEXT", "TITLE")))

    run_async(main)


@gov.command("show")
@proposal_argument
@showing_options
def show_command(proposal: str, rpc: str, where: str, home: Path | None, as_json: bool) -> None:
    """Show what a proposal does and how it stands, from the chain alone."""

    async def main() -> None:
        from ..governance.calls import describe, lines_of
        from ..governance.proposals import Governance, word
        from ..governance.times import date
        from .desk import at_contracts

        folder = default_home(home)
        async with at_contracts(rpc, where, folder) as desk:
            governance = Governance(desk)
            found = await find(governance, proposal, folder)
            standing = await governance.standing(found)
            now = await desk.now()
            timeline = await _timeline(governance, found, standing)
            contracts = desk.contracts
        told = [describe(action, contracts) for action in found.actions]
        if as_json:
            facts = proposal_json(found) | standing_json(standing)
            facts |= {"description": found.description, "timeline": timeline, "actions": told}
            click.echo(json.dumps(facts, indent=2))
            return
        click.echo(f"proposal  {found.key}")
        click.echo(f"title     {found.title}")
        click.echo(f"by        {found.proposer}")
        click.echo(f"kind      {word(standing.kind)}")
        click.echo(f"state     {word(standing.state)}: {_next(found, standing, now)}")
        for place, call in enumerate(told, 1):
            click.echo(f"call {place}")
            for line in lines_of(call, contracts, "  "):
                click.echo(line)
        for line in _count(standing):
            click.echo(line)
        rows = [(name, date(at)) for name, at in timeline.items() if at]
        click.echo(table(rows, ("STEP", "TIME")))
        click.echo("")
        click.echo(found.description)

    run_async(main)


def _next(proposal: Proposal, standing: Standing, now: int) -> str:
    from ..bindings.types import ProposalState
    from ..governance.times import when

    return {
        ProposalState.Pending: f"voting from {when(proposal.snapshot, now)}",
        ProposalState.Active: f"voting until {when(standing.deadline, now)}",
        ProposalState.Defeated: standing.why_defeated,
        ProposalState.Succeeded: "to be queued",
        ProposalState.Queued: f"can be executed from {when(standing.eta, now)}",
    }.get(standing.state, "over")


def _count(standing: Standing) -> list[str]:
    from ..governance.proposals import word
    from .desk import units

    for_, against, abstain = (
        units(v, 18) for v in (standing.for_, standing.against, standing.abstain)
    )
    weighed = "roots of power" if word(standing.kind) == "parameter" else "power"
    when = "at the snapshot" if standing.settled else "now; the snapshot decides"
    supply, quorum = units(standing.circulating, 18), units(standing.quorum, 18)
    enough = "reached" if standing.participation >= standing.quorum else "not reached"
    return [
        f"votes     for {for_}, against {against}, abstain {abstain} ({weighed})",
        (
            f"quorum    {quorum} of power: {standing.quorum_bps / 100:g} % of {supply} circulating"
            f" INFR {when}"
        ),
        f"          {units(standing.participation, 18)} took part, for or abstaining: {enough}",
    ]


async def _timeline(
    governance: Governance, proposal: Proposal, standing: Standing
) -> dict[str, int | None]:
    """UTC seconds of each step; None: it has not come."""
    done = {name: await governance.time_of(block) for name, block in proposal.steps.items()}
    return {
        "proposed": await governance.time_of(proposal.block),
        "voting_from": proposal.snapshot,
        "extended": done.get("extended"),
        "voting_until": standing.deadline,
        "queued": done.get("queued"),
        "executable_from": standing.eta or None,
        "executed": done.get("executed"),
        "canceled": done.get("canceled"),
    }


def _carries_out(doing: str, text: str, call_of: Callable[[Governance, Proposal], Call]) -> None:
    async def command(desk: Desk, signer: Signer, folder: Path, proposal: str) -> Deed:
        from ..governance.calls import describe, lines_of
        from ..governance.proposals import Governance, word
        from .deed import Deed

        governance = Governance(desk)
        found = await find(governance, proposal, folder)
        standing = await governance.standing(found)
        call = call_of(governance, found)
        await refuse_early(governance, signer.address, doing, found, standing, call)
        lines = [f"proposal  {found.key}", f"title     {found.title}"]
        for action in found.actions:
            lines += lines_of(describe(action, desk.contracts), desk.contracts, "  ")
        return Deed([call], proposal_json(found) | {"kind": word(standing.kind)}, lines)

    command.__doc__, command.__name__ = text, f"{doing}_command"
    sends(gov, doing, proposal_argument)(command)


_carries_out(
    "queue", "Queue a proposal that has succeeded: its calls wait in the timelock.",
    lambda g, p: g.governor.queue(*p.arguments),
)  # fmt: skip
_carries_out(
    "execute", "Execute a queued proposal after its wait in the timelock.",
    lambda g, p: g.governor.execute(*p.arguments),
)  # fmt: skip
_carries_out(
    "cancel", "Cancel a proposal before voting begins; only its proposer can.",
    lambda g, p: g.governor.cancel(*p.arguments),
)  # fmt: skip
