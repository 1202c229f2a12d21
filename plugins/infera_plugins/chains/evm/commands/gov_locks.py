"""`infera gov`: locks of INFR, the power they give, and who votes with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from infera.cli.common import default_home, run_async, table
from infera.errors import InferaError

from .gov_common import gov
from .sending import sends, showing_options

if TYPE_CHECKING:
    from pathlib import Path

    from infera.keys import Signer

    from ..binding import Call
    from ..governance.proposals import Governance
    from .deed import Deed
    from .desk import Desk

until_option = click.option("--until", metavar="DATE", help="The lock's end, UTC; rounds down to a"
                            " start of a week (Thursday).")  # fmt: skip
for_option = click.option("--for", "lasting", metavar="DURATION", help="From now: 2y, 26w, 180d.")


# -- locks


def _end(until: str | None, lasting: str | None, now: int) -> int:
    """The end that was asked for, rounded as VeINFR rounds it."""
    from ..governance.times import LONGEST_LOCK, date, parse_duration, parse_time, week_start

    if (until is None) == (lasting is None):
        raise click.UsageError("give --until DATE or --for DURATION")
    asked = parse_time(until, now) if until else now + parse_duration(lasting or "")
    end = week_start(asked)
    if not now < end <= now + LONGEST_LOCK:
        raise InferaError(
            f"a lock until {date(asked)} would end at {date(end)}: not in the future, or more than"
            " 1461 days away",
            code="time_invalid",
            hint=f"between {date(now)} and {date(now + LONGEST_LOCK)}; ends are Thursdays, 0:00",
        )
    return end


async def _powers(
    governance: Governance, amount: int, end: int, now: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """The lock's power now, halfway and at its end, and what a vote with it weighs then."""
    from ..governance.times import LONGEST_LOCK, date
    from .desk import units

    found, rows = [], []
    for at in (now, (now + end) // 2, end):
        power = amount // LONGEST_LOCK * (end - at)
        weights = await governance.weights(power)
        found.append({"at": at, "power": str(power)} | {k: str(w) for k, w in weights.items()})
        shown = (units(n, 18) for n in (power, weights["parameter"], weights["upgrade"]))
        rows.append((date(at), *shown))
    header = ("AT", "POWER", "IN A PARAMETER VOTE", "IN AN UPGRADE VOTE")
    return found, table(rows, header).splitlines()


async def _locking(
    governance: Governance, signer: Signer, call: Call, adds: int, amount: int, end: int
) -> Deed:
    """A deed that leaves a lock of `amount` until `end`; `adds` of it come from the wallet."""
    from ..bindings.infr import INFR
    from ..governance.times import when
    from .deed import Deed
    from .desk import infr

    desk = governance.desk
    now = await desk.now()
    powers, lines = await _powers(governance, amount, end, now)
    calls = [call]
    if adds:
        calls = await desk.paying(signer, INFR(desk), adds, call)
    delegate = await governance.votes.delegates(signer.address)
    facts = {"amount": str(amount), "end": end, "delegate": delegate, "powers": powers}
    lines = [f"lock      {infr(amount)} until {when(end, now)}", *lines]
    if delegate != signer.address:
        lines.append(f"votes with it: {delegate}")
    return Deed(calls, facts, lines)


async def _lock_of(governance: Governance, signer: Signer, now: int) -> tuple[int, int]:
    """(amount, end) of a lock that must run."""
    from ..governance.times import date

    amount, end = await governance.votes.lock_of(signer.address)
    if amount and now < end:
        return amount, end
    problem = f"ended at {date(end)}" if amount else "does not exist"
    raise InferaError(
        f"the lock of {signer.address} {problem}",
        code="lock_unfit",
        hint="`infera gov withdraw` pays it out" if amount else "`infera gov lock` makes one",
    )


@sends(gov, "lock", click.argument("amount"), until_option, for_option)
async def lock_command(
    desk: Desk, signer: Signer, folder: Path, amount: str, until: str | None, lasting: str | None
) -> Deed:
    """Lock AMOUNT of INFR for votes, four years at most. Nobody can take it out before the end."""
    from ..governance.proposals import Governance
    from ..governance.times import when
    from .desk import infr, parse_units

    governance, now = Governance(desk), await desk.now()
    wanted, end = parse_units(amount, 18, "INFR"), _end(until, lasting, now)
    held, held_until = await governance.votes.lock_of(signer.address)
    if held:
        raise InferaError(
            f"{signer.address} has a lock of {infr(held)} until {when(held_until, now)}",
            code="lock_unfit",
            hint="`infera gov increase` and `extend` change it; `withdraw` pays an ended one out",
        )
    call = governance.votes.lock(wanted, end)
    shown = {"amount": infr(wanted), "until": when(end, now)}
    return await _locking(governance, signer, call.remarked(shown), wanted, wanted, end)


@sends(gov, "increase", click.argument("amount"))
async def increase_command(desk: Desk, signer: Signer, folder: Path, amount: str) -> Deed:
    """Add AMOUNT of INFR to the key's own lock; its end stays."""
    from ..governance.proposals import Governance
    from .desk import infr, parse_units

    governance, now = Governance(desk), await desk.now()
    wanted = parse_units(amount, 18, "INFR")
    held, end = await _lock_of(governance, signer, now)
    call = governance.votes.increase_amount(wanted).remarked({"amount": infr(wanted)})
    return await _locking(governance, signer, call, wanted, held + wanted, end)


@sends(gov, "extend", until_option, for_option)
async def extend_command(
    desk: Desk, signer: Signer, folder: Path, until: str | None, lasting: str | None
) -> Deed:
    """Move the end of the key's own lock to a later week."""
    from ..governance.proposals import Governance
    from ..governance.times import date, when

    governance, now = Governance(desk), await desk.now()
    held, before = await _lock_of(governance, signer, now)
    end = _end(until, lasting, now)
    if end <= before:
        raise InferaError(
            f"the lock ends at {date(before)}, and {date(end)} is no later",
            code="lock_unfit",
            hint="a lock is never shortened",
        )
    call = governance.votes.extend(end).remarked({"until": when(end, now)})
    return await _locking(governance, signer, call, 0, held, end)


@sends(gov, "withdraw")
async def withdraw_command(desk: Desk, signer: Signer, folder: Path) -> Deed:
    """Pay the key's own lock out, after its end."""
    from ..governance.proposals import Governance
    from ..governance.times import when
    from .deed import Deed
    from .desk import infr

    governance, now = Governance(desk), await desk.now()
    amount, end = await governance.votes.lock_of(signer.address)
    if now < end:
        raise InferaError(
            f"the lock of {infr(amount)} can be paid out from {when(end, now)}", code="lock_unfit"
        )
    lines = [f"lock      {infr(amount)}, ended {when(end, now)}"] if amount else []
    return Deed([governance.votes.withdraw()], {"amount": str(amount), "end": end}, lines)


@sends(gov, "delegate", click.argument("account"))
async def delegate_command(desk: Desk, signer: Signer, folder: Path, account: str) -> Deed:
    """Have ACCOUNT vote with the whole of the key's own lock; the key itself takes it back."""
    from ..governance.proposals import Governance
    from .deed import Deed
    from .desk import address_of, units

    governance, to = Governance(desk), address_of(account, folder)
    votes, before = governance.votes, await governance.votes.delegates(signer.address)
    moves = await votes.balance_of(signer.address)
    lines = [
        f"power     {units(moves, 18)} of {signer.address}, so far {before} votes with it",
        f"          {to} has {units(await votes.get_votes(to), 18)} now",
    ]
    shown = {"delegatee": "itself" if to == signer.address else "votes from now on"}
    facts = {"from": before, "to": to, "power": str(moves)}
    return Deed([votes.delegate(to).remarked(shown)], facts, lines)


@gov.command("power")
@click.argument("account", required=False)
@click.option("--at", "time", metavar="TIME", help="A date, UTC, past or future; or +26w.")
@showing_options
def power_command(
    account: str | None, time: str | None, rpc: str, where: str, home: Path | None, as_json: bool
) -> None:
    """Show ACCOUNT's lock and power, or without ACCOUNT everybody's together."""

    async def main() -> None:
        from ..governance.proposals import Governance
        from ..governance.times import parse_time
        from .desk import at_contracts

        folder = default_home(home)
        async with at_contracts(rpc, where, folder) as desk:
            governance, now = Governance(desk), await desk.now()
            at = parse_time(time, now) if time else now
            if account:
                facts, lines = await _power_of(governance, account, folder, at, now)
            else:
                facts, lines = await _power_of_all(governance, at, now)
        click.echo(json.dumps(facts, indent=2) if as_json else "\n".join(lines))

    run_async(main)


async def _power_of(
    governance: Governance, account: str, folder: Path, at: int, now: int
) -> tuple[dict[str, Any], list[str]]:
    from ..governance.times import LONGEST_LOCK, when
    from .desk import address_of, infr, units

    address, votes = address_of(account, folder), governance.votes
    amount, end = await votes.lock_of(address)
    delegate = await votes.delegates(address)
    slope, power_now = amount // LONGEST_LOCK, await votes.get_votes(address)
    own: int | None = slope * max(0, end - at)
    power: int | None = power_now
    if at < now:
        own, power = None, await votes.get_past_votes(address, at)
    elif at > now:
        alone = delegate == address and _is_line(power_now, slope, end, now)
        power = own if alone else 0 if power_now == 0 else None
    weights = {} if power is None else await governance.weights(power)
    settings = await governance.settings()
    facts = {
        "account": address, "locked": str(amount), "end": end, "delegate": delegate, "at": at,
        "own_power": None if own is None else str(own),
        "power": None if power is None else str(power),
        "weights": {k: str(w) for k, w in weights.items()},
        "threshold": str(settings.threshold),
    }  # fmt: skip
    lines = [f"account   {address}"]
    lines.append(f"lock      {infr(amount)} until {when(end, now)}" if amount else "lock      none")
    if delegate != address:
        lines.append(f"delegate  {delegate} votes with this lock")
    lines.append(f"at        {when(at, now)}")
    if own is not None:
        lines.append(f"own lock  {units(own, 18)} of power")
    if power is None:
        lines.append("votes     not known ahead: others' locks may be delegated to this account")
        return facts, lines
    lines.append(f"votes     {units(power, 18)} of power")
    weighed = (units(weights[kind], 18) for kind in ("parameter", "upgrade"))
    lines.append("          weighs {} in a parameter vote, {} in an upgrade vote".format(*weighed))
    enough = "enough" if power >= settings.threshold else "not enough"
    lines.append(f"propose   {enough}: a proposal takes {units(settings.threshold, 18)}")
    return facts, lines


def _is_line(power: int, slope: int, end: int, now: int) -> bool:
    """Whether this power is that of one lock alone, at the time of some block about now."""
    if power == 0 or slope == 0:
        return False
    left, rest = divmod(power, slope)
    return rest == 0 and 0 <= end - left - now <= 3_600


async def _power_of_all(
    governance: Governance, at: int, now: int
) -> tuple[dict[str, Any], list[str]]:
    from ..bindings.infera_governor import Kind
    from ..governance.proposals import BPS, word
    from ..governance.times import when
    from .desk import infr, units

    if at > now:
        raise InferaError(
            "nobody knows what will be locked then", code="time_invalid", hint="give an ACCOUNT"
        )
    votes, past = governance.votes, min(at, now - 1)
    total = await votes.total_supply() if at == now else await votes.get_past_total_supply(at)
    locked = await votes.total_locked()
    circulating = await governance.governor.circulating_supply(past)
    quorums = {word(kind): circulating * await governance.quorum_bps(kind) // BPS for kind in Kind}
    threshold = (await governance.settings()).threshold
    facts = {
        "at": at, "power": str(total), "locked_now": str(locked), "circulating": str(circulating),
        "quorums": {k: str(q) for k, q in quorums.items()}, "threshold": str(threshold),
    }  # fmt: skip
    lines = [
        f"at        {when(at, now)}",
        f"power     {units(total, 18)}, of all locks together; {infr(locked)} are locked now",
        f"supply    {infr(circulating)} circulate",
        (
            f"quorum    {units(quorums['parameter'], 18)} of power for a parameter proposal,"
            f" {units(quorums['upgrade'], 18)} for an upgrade"
        ),
        f"threshold {units(threshold, 18)} of power to propose",
    ]
    return facts, lines
