"""`infera stake`: what operators do with their stake, from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from infera.cli.common import default_home, home_option, run_async, table
from infera.errors import InferaError

from .commands import rpc_option, sending_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROLES = {"provider": 1, "router": 2, "validator": 3}
_NAMES = {number: name for name, number in ROLES.items()}


def contracts_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--contracts`."""
    return click.option(
        "--contracts",
        "where",
        metavar="FILE",
        default="home",
        show_default=True,
        help="The deployment's manifest; `home`: contracts.json of the home.",
    )(function)


def showing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every command that only reads takes."""
    function = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)
    return rpc_option(contracts_option(home_option(function)))


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


def _send(
    function: str, rpc: str, where: str, key: str, home: Path | None,
    args: tuple[Any, ...], shown: dict[str, str], flags: tuple[bool, bool, bool],
) -> None:  # fmt: skip
    """One call to the StakeRegistry that moves no token in."""

    async def main() -> None:
        from .commands_desk import Call, Manner, at_contracts, signer_of

        manner, folder = Manner(*flags), default_home(home)
        signer = signer_of(key, folder)
        async with at_contracts(rpc, where, folder) as desk:
            await desk.act(signer, [Call("StakeRegistry", function, args, shown)], manner)

    run_async(main)


@stake.command("deposit")
@role_argument
@click.argument("amount")
@click.option("--hot-key", metavar="ACCOUNT", help="Key that signs for the operator; needed once.")
@rpc_option
@contracts_option
@sending_options
def deposit_command(
    role: str,
    amount: str,
    hot_key: str | None,
    rpc: str,
    where: str,
    key: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    home: Path | None,
) -> None:
    """Stake AMOUNT of INFR for ROLE; the first stake registers the operator and its hot key."""

    async def main() -> None:
        from .commands_desk import (
            ZERO_ADDRESS,
            Call,
            Manner,
            address_of,
            at_contracts,
            infr,
            parse_units,
            signer_of,
        )

        manner, folder = Manner(dry_run, yes, as_json), default_home(home)
        wanted = parse_units(amount, 18, "INFR")
        signer = signer_of(key, folder)
        hot = address_of(hot_key, folder) if hot_key else ZERO_ADDRESS
        async with at_contracts(rpc, where, folder) as desk:
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
            plain = Call("StakeRegistry", "stake", (ROLES[role], wanted, hot), shown)
            calls = await desk.paying(
                signer, "INFR", "StakeRegistry", wanted, plain, "stakeWithPermit"
            )
            await desk.act(signer, calls, manner)

    run_async(main)


@stake.command("unbond")
@role_argument
@click.argument("amount")
@rpc_option
@contracts_option
@sending_options
def unbond_command(
    role: str,
    amount: str,
    rpc: str,
    where: str,
    key: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    home: Path | None,
) -> None:
    """Start to unbond AMOUNT of INFR; unbonding more restarts the clock of what already is."""
    from .commands_desk import infr, parse_units

    wanted = parse_units(amount, 18, "INFR")
    shown = {"amount": infr(wanted), "role": role}
    args, flags = (ROLES[role], wanted), (dry_run, yes, as_json)
    _send("unbond", rpc, where, key, home, args, shown, flags)


@stake.command("withdraw")
@role_argument
@rpc_option
@contracts_option
@sending_options
def withdraw_command(
    role: str,
    rpc: str,
    where: str,
    key: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    home: Path | None,
) -> None:
    """Take out what has finished unbonding."""
    flags = (dry_run, yes, as_json)
    _send("withdraw", rpc, where, key, home, (ROLES[role],), {"role": role}, flags)


@stake.command("rotate-key")
@click.argument("account")
@rpc_option
@contracts_option
@sending_options
def rotate_command(
    account: str,
    rpc: str,
    where: str,
    key: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    home: Path | None,
) -> None:
    """Make ACCOUNT the operator's hot key. What the old one signed before stays valid."""
    from .commands_desk import address_of

    hot = address_of(account, default_home(home))
    flags = (dry_run, yes, as_json)
    _send("rotateHotKey", rpc, where, key, home, (hot,), {}, flags)
