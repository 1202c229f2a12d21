"""`infera gov propose`: what a proposal would be and do, before it is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infera.cli.common import write_private
from infera.errors import InferaError

from .gov_common import gov, record
from .sending import sends

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infera.keys import Signer
    from infera.types import Address

    from ..governance.calls import Action
    from ..governance.proposals import Governance, Settings
    from .deed import Deed
    from .desk import Desk

LARGEST_FILE = 1 << 20


def read_file(file: Path, contracts: Mapping[str, Address]) -> tuple[str, str, list[Action]]:
    """(title, description, calls) of a proposal in YAML or JSON."""
    import yaml

    from ..governance.calls import parse_written

    def bad(problem: object) -> InferaError:
        return InferaError(f"{file} holds no proposal: {problem}", code="proposal_malformed")

    try:
        with file.open("rb") as stream:
            text = stream.read(LARGEST_FILE + 1)
    except OSError as e:
        raise InferaError(f"{file} cannot be read: {e.strerror}", code="file_unreadable") from None
    if len(text) > LARGEST_FILE:
        raise bad("it is too large")
    try:
        content = yaml.safe_load(text.decode("utf-8"))
    except (ValueError, yaml.YAMLError) as e:
        raise bad(e) from None
    if not isinstance(content, dict) or not set(content) <= {"title", "description", "calls"}:
        raise bad("it must have title, description and calls, and nothing else")
    title, body = content.get("title", ""), content.get("description", "")
    if not isinstance(title, str) or not isinstance(body, str):
        raise bad("title and description must be texts")
    return title, body, parse_written(content.get("calls"), contracts)


@sends(
    gov, "propose",
    click.option("--title", default="", help="One line that says what it does."),
    click.option("--description", default="", help="Why; Markdown."),
    click.option("--call", "calls", multiple=True, metavar="CALL",
                 help="Contract.function(types), or an address for the contract; repeatable."),
    click.option("--arg", "args", multiple=True, metavar="VALUE",
                 help="One for each parameter of each call, in order; a contract's name stands for"
                 " its address."),
    click.option("--file", type=click.Path(dir_okay=False, path_type=Path),
                 help="YAML or JSON with title, description and calls of call, args and value."),
)  # fmt: skip
async def propose_command(
    desk: Desk,
    signer: Signer,
    folder: Path,
    title: str,
    description: str,
    calls: Sequence[str],
    args: Sequence[str],
    file: Path | None,
) -> Deed:
    """Propose calls that the timelock is to make.

    First says what kind of proposal it is and why, which rules it breaks, what each call does if
    the timelock makes it now, and when each phase begins and ends.
    """
    from ..governance.calls import parse_calls
    from ..governance.proposals import Governance, lists_of
    from .deed import Deed

    governance = Governance(desk)
    if file is not None:
        if calls or args or title or description:
            raise click.UsageError("--file holds title, description and calls: give it alone")
        title, description, actions = read_file(file, desk.contracts)
    else:
        actions = parse_calls(calls, args, desk.contracts)
    if not title.strip():
        raise click.UsageError("give the proposal a --title")
    text = f"# {title.strip()}\n\n{description.strip()}".strip()
    facts, lines, refusal = await prospect(governance, signer.address, actions, text)
    call = governance.governor.propose(*lists_of(actions), text)
    return Deed([call], facts, lines, refusal, _remember(folder, desk.chain_id, facts))


async def prospect(
    governance: Governance, proposer: Address, actions: Sequence[Action], text: str
) -> tuple[dict[str, Any], list[str], InferaError | None]:
    """What there is to know before it is proposed: for JSON, for people, and why it cannot be."""
    from infera_ext import keccak256

    from ..governance.calls import describe, lines_of
    from ..governance.proposals import BPS, lists_of, word
    from ..governance.rules import examine
    from .desk import units

    desk, governor = governance.desk, governance.governor
    settings, now = await governance.settings(), await desk.now()
    power = await governance.votes.get_votes(proposer)
    kind = await governor.classify(*lists_of(actions))
    number = await governor.get_proposal_id(*lists_of(actions), keccak256(text.encode()))
    found = await examine(governance, settings, actions)
    told = [describe(action, desk.contracts) for action in actions]
    bps, circulating = await governance.quorum_bps(kind), await governance.circulating_now()
    quorum, phases = circulating * bps // BPS, phases_of(settings, now)
    facts = {
        "id": f"0x{number:064x}", "description": text, "kind": word(kind),
        "actions": [t | f for t, f in zip(told, found, strict=True)],
        "threshold": str(settings.threshold), "power": str(power),
        "quorum_bps": bps, "circulating": str(circulating), "quorum": str(quorum), **phases,
    }  # fmt: skip
    lines = [f"proposal  {facts['id']}", f"kind      {_kind(word(kind), found)}"]
    for place, (call, fact) in enumerate(zip(told, found, strict=True), 1):
        lines += [f"call {place}", *lines_of(call, desk.contracts, "  "), *_found(fact)]
    lines += [
        f"threshold {units(settings.threshold, 18)} of power; {proposer} has {units(power, 18)}",
        (
            f"quorum    {units(quorum, 18)} of power: {bps / 100:g} % of the"
            f" {units(circulating, 18)} INFR that circulate now"
        ),
        *_phase_lines(phases, now),
    ]
    broken = [f"call {i}: {fact['rule']}" for i, fact in enumerate(found, 1) if fact["rule"]]
    refusal = None
    if broken:
        said = "; ".join(broken)
        refusal = InferaError(f"this cannot be proposed: {said}", code="proposal_refused")
    elif power < settings.threshold:
        refusal = InferaError(
            f"{proposer} has a power of {units(power, 18)}, and a proposal takes"
            f" {units(settings.threshold, 18)}",
            code="proposal_refused",
            hint="lock more INFR, lock it longer, or have others delegate to this account",
        )
    return facts, lines, refusal


def _kind(kind: str, found: Sequence[dict[str, Any]]) -> str:
    for place, fact in enumerate(found, 1):
        if not fact["parameter"]:
            return f"{kind}, because of call {place}: {fact['why']}"
    return f"{kind}: every call is on the list of parameter calls"


def _found(fact: dict[str, Any]) -> list[str]:
    trial = fact["trial"]
    detail = f": {trial['detail']}" if trial["detail"] else ""
    lines = [
        f"  kind               {'parameter' if fact['parameter'] else 'upgrade'}: {fact['why']}"
    ]
    if fact["rule"]:
        lines.append(f"  forbidden          {fact['rule']}")
    lines.append(f"  made now, alone    {trial['verdict']}{detail}")
    return lines


def phases_of(settings: Settings, now: int) -> dict[str, int]:
    """When what begins if it is proposed now, UTC seconds."""
    start = now + settings.voting_delay
    end = start + settings.voting_period
    return {
        "voting_from": start,
        "voting_until": end,
        "voting_until_at_latest": end + settings.vote_extension,
        "executable_from": end + settings.timelock_delay,
    }


def _phase_lines(phases: dict[str, int], now: int) -> list[str]:
    from ..governance.times import date, when

    latest = date(phases["voting_until_at_latest"])
    return [
        f"voting    from {when(phases['voting_from'], now)}",
        f"          until {when(phases['voting_until'], now)}; {latest} after a late quorum",
        f"execution from {when(phases['executable_from'], now)}, if it is queued at once",
    ]


def _remember(
    folder: Path, chain_id: int, facts: dict[str, Any]
) -> Callable[[list[dict[str, Any]]], None]:
    def done(sent: list[dict[str, Any]]) -> None:
        kept = {name: facts[name] for name in ("id", "kind", "description", "actions")}
        kept |= {"chain_id": chain_id, "tx": sent[0]["tx"], "block": sent[0]["block"]}
        write_private(record(folder, facts["id"]), json.dumps(kept, indent=2) + "\n")

    return done
