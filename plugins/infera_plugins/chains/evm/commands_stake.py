"""`infera stake`: what operators do with their stake, from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from infera.cli.common import default_home, run_async, table
from infera.errors import InferaError

from .commands_sending import sends, showing_options

if TYPE_CHECKING:
    from pathlib import Path

    from infera.keys import Signer

    from .commands_desk import Call, Desk

ROLES = {"provider": 1, "router": 2, "validator": 3}
_NAMES = {number: name for name, number in ROLES.items()}


role_argument = click.argument("role", type=click.Choice(list(ROLES)))


@click.group("stake")
def stake() -> None:
    """An operator's stake: look, add, unbond, withdraw, rotate the hot key.

    Amounts are whole INFR (`1000`, `2.5`). An account is an address or a key of this home.
    """


@stake.command("show")
@click.argument("account")
@showing_options
def show_command(account: str, rpc: str, where: str, home: Path | None, as_json: bool) -> None:
    """Show ACCOUNT's stake in every role."""

    async def main() -> None:
        from .commands_desk import ZERO_ADDRESS, address_of, at_contracts, infr, moment, units

        folder = default_home(home)
        async with at_contracts(rpc, where, folder) as desk:
            address, registry = address_of(account, folder), "StakeRegistry"
            hot = await desk.read(registry, "hotKeyOf", address)
            endpoint, metadata = await desk.read(registry, "profileOf", address)
            jailed = await desk.read(registry, "jailedUntil", address)
            held = await desk.read("INFR", "balanceOf", address)
            now = await desk.now()
            roles: list[dict[str, Any]] = []
            for number, name in _NAMES.items():
                active, unbonding, thawed = await desk.read(registry, "stakeOf", address, number)
                roles.append(
                    {
                        "role": name,
                        "active": str(active),
                        "unbonding": str(unbonding),
                        "thawed_at": thawed,
                        "minimum": str(await desk.read(registry, "minimumStake", number)),
                        "is_active": await desk.read(registry, "isActive", address, number),
                    }
                )
        if as_json:
            facts = {
                "operator": address, "hot_key": hot, "endpoint": endpoint, "metadata": metadata,
                "jailed_until": jailed, "infr_balance": str(held), "roles": roles,
            }  # fmt: skip
            click.echo(json.dumps(facts, indent=2))
            return
        click.echo(f"operator {address}, holds {infr(held)}")
        click.echo(f"hot key  {'none: not registered' if hot == ZERO_ADDRESS else hot}")
        if endpoint:
            click.echo(f"endpoint {endpoint}")
        if jailed > now:
            click.echo(f"jailed   until {moment(jailed, now)}")
        rows = [
            (
                r["role"],
                units(int(r["active"]), 18),
                units(int(r["minimum"]), 18),
                "yes" if r["is_active"] else "no",
                units(int(r["unbonding"]), 18),
                moment(r["thawed_at"], now) if int(r["unbonding"]) else "-",
            )
            for r in roles
        ]
        header = ("ROLE", "ACTIVE INFR", "MINIMUM", "SERVES", "UNBONDING", "WITHDRAW FROM")
        click.echo(table(rows, header))

    run_async(main)


def _call(function: str, *args: Any, shown: dict[str, str] | None = None) -> list[Call]:
    from .commands_desk import Call

    return [Call("StakeRegistry", function, args, shown or {})]


_hot_key = click.option(
    "--hot-key", metavar="ACCOUNT", help="Key that signs for the operator; needed once."
)


@sends(stake, "deposit", role_argument, click.argument("amount"), _hot_key)
async def deposit_command(
    desk: Desk, signer: Signer, folder: Path, role: str, amount: str, hot_key: str | None
) -> list[Call]:
    """Stake AMOUNT of INFR for ROLE; the first stake registers the operator and its hot key."""
    from .commands_desk import ZERO_ADDRESS, address_of, infr, parse_units

    wanted = parse_units(amount, 18, "INFR")
    hot = address_of(hot_key, folder) if hot_key else ZERO_ADDRESS
    known = await desk.read("StakeRegistry", "hotKeyOf", signer.address)
    if known == ZERO_ADDRESS == hot:
        raise InferaError(
            f"{signer.address} is no operator yet and needs a hot key",
            code="hot_key_needed",
            hint="--hot-key ACCOUNT: the key a node signs with, not the owner of the stake",
        )
    shown = {"amount": infr(wanted), "role": role}
    if hot == ZERO_ADDRESS:
        shown["hotKey"] = f"stays {known}"
    (plain,) = _call("stake", ROLES[role], wanted, hot, shown=shown)
    return await desk.paying(signer, "INFR", "StakeRegistry", wanted, plain, "stakeWithPermit")


@sends(stake, "unbond", role_argument, click.argument("amount"))
async def unbond_command(
    desk: Desk, signer: Signer, folder: Path, role: str, amount: str
) -> list[Call]:
    """Start to unbond AMOUNT of INFR; unbonding more restarts the clock of what already is."""
    from .commands_desk import infr, parse_units

    wanted = parse_units(amount, 18, "INFR")
    return _call("unbond", ROLES[role], wanted, shown={"amount": infr(wanted), "role": role})


@sends(stake, "withdraw", role_argument)
async def withdraw_command(desk: Desk, signer: Signer, folder: Path, role: str) -> list[Call]:
    """Take out what has finished unbonding."""
    return _call("withdraw", ROLES[role], shown={"role": role})


@sends(stake, "rotate-key", click.argument("account"))
async def rotate_command(desk: Desk, signer: Signer, folder: Path, account: str) -> list[Call]:
    """Make ACCOUNT the operator's hot key. What the old one signed before stays valid."""
    from .commands_desk import address_of

    return _call("rotateHotKey", address_of(account, folder))
