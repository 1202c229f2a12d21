"""`infera stake`: what operators do with their stake, from the command line."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from infera.cli.common import default_home, run_async, table
from infera.errors import InferaError

from .sending import sends, showing_options

if TYPE_CHECKING:
    from pathlib import Path

    from infera.keys import Signer

    from ..binding import Call
    from ..bindings.stake_registry import StakeRegistry
    from ..bindings.types import Role
    from .desk import Desk

ROLES = {"provider": 1, "router": 2, "validator": 3}


role_argument = click.argument("role", type=click.Choice(list(ROLES)))


@click.group("stake")
def stake() -> None:
    """An operator's stake: look, add, unbond, withdraw, declare throughput, rotate the hot key.

    Amounts are whole INFR (`1000`, `2.5`). An account is an address or a key of this home.
    """


@stake.command("show")
@click.argument("account")
@showing_options
def show_command(account: str, rpc: str, where: str, home: Path | None, as_json: bool) -> None:
    """Show ACCOUNT's stake in every role."""

    async def main() -> None:
        from ..bindings.infr import INFR
        from .desk import ZERO_ADDRESS, address_of, at_contracts, infr, moment, units

        folder = default_home(home)
        async with at_contracts(rpc, where, folder) as desk:
            address, registry = address_of(account, folder), _at(desk)
            hot = await registry.hot_key_of(address)
            endpoint, metadata = await registry.profile_of(address)
            jailed = await registry.jailed_until(address)
            held = await INFR(desk).balance_of(address)
            now = await desk.now()
            roles: list[dict[str, Any]] = []
            for name, role in _roles().items():
                active, unbonding, thawed = await registry.stake_of(address, role)
                roles.append(
                    {
                        "role": name,
                        "active": str(active),
                        "unbonding": str(unbonding),
                        "thawed_at": thawed,
                        "minimum": str(await registry.minimum_stake(role)),
                        "required": str(await registry.required_stake(address, role)),
                        "is_active": await registry.is_active(address, role),
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
                units(int(r["required"]), 18),
                "yes" if r["is_active"] else "no",
                units(int(r["unbonding"]), 18),
                moment(r["thawed_at"], now) if int(r["unbonding"]) else "-",
            )
            for r in roles
        ]
        header = ("ROLE", "ACTIVE INFR", "NEEDED", "SERVES", "UNBONDING", "WITHDRAW FROM")
        click.echo(table(rows, header))

    run_async(main)


def _at(desk: Desk) -> StakeRegistry:
    from ..bindings.stake_registry import StakeRegistry

    return StakeRegistry(desk)


def _roles() -> dict[str, Role]:
    from ..bindings.types import Role

    return {name: Role(number) for name, number in ROLES.items()}


_hot_key = click.option(
    "--hot-key", metavar="ACCOUNT", help="Key that signs for the operator; needed once."
)


@sends(stake, "deposit", role_argument, click.argument("amount"), _hot_key)
async def deposit_command(
    desk: Desk, signer: Signer, folder: Path, role: str, amount: str, hot_key: str | None
) -> list[Call]:
    """Stake AMOUNT of INFR for ROLE; the first stake registers the operator and its hot key."""
    from ..bindings.infr import INFR
    from .desk import ZERO_ADDRESS, address_of, infr, parse_units

    wanted = parse_units(amount, 18, "INFR")
    hot = address_of(hot_key, folder) if hot_key else ZERO_ADDRESS
    registry, kind = _at(desk), _roles()[role]
    known = await registry.hot_key_of(signer.address)
    if known == ZERO_ADDRESS == hot:
        raise InferaError(
            f"{signer.address} is no operator yet and needs a hot key",
            code="hot_key_needed",
            hint="--hot-key ACCOUNT: the key a node signs with, not the owner of the stake",
        )
    shown = {"amount": infr(wanted), "role": role}
    if hot == ZERO_ADDRESS:
        shown["hotKey"] = f"stays {known}"
    plain = registry.stake(kind, wanted, hot).remarked(shown)
    permitted = partial(registry.stake_with_permit, kind, wanted, hot)
    return await desk.paying(signer, INFR(desk), wanted, plain, permitted)


@sends(stake, "unbond", role_argument, click.argument("amount"))
async def unbond_command(
    desk: Desk, signer: Signer, folder: Path, role: str, amount: str
) -> list[Call]:
    """Start to unbond AMOUNT of INFR; unbonding more restarts the clock of what already is."""
    from .desk import infr, parse_units

    wanted = parse_units(amount, 18, "INFR")
    call = _at(desk).unbond(_roles()[role], wanted)
    return [call.remarked({"amount": infr(wanted), "role": role})]


@sends(stake, "withdraw", role_argument)
async def withdraw_command(desk: Desk, signer: Signer, folder: Path, role: str) -> list[Call]:
    """Take out what has finished unbonding."""
    return [_at(desk).withdraw(_roles()[role]).remarked({"role": role})]


@sends(stake, "rotate-key", click.argument("account"))
async def rotate_command(desk: Desk, signer: Signer, folder: Path, account: str) -> list[Call]:
    """Make ACCOUNT the operator's hot key. What the old one signed before stays valid."""
    from .desk import address_of

    return [_at(desk).rotate_hot_key(address_of(account, folder))]


@sends(
    stake,
    "declare",
    click.argument("model"),
    click.argument("tokens_per_second", type=click.IntRange(0, 2**32 - 1)),
)
async def declare_command(
    desk: Desk, signer: Signer, folder: Path, model: str, tokens_per_second: int
) -> list[Call]:
    """Claim TOKENS_PER_SECOND for MODEL, a provider's; 0 takes the claim back.

    MODEL is an official name or 0x and 64 digits. What is claimed adds to the minimum stake; a
    higher claim than before must be covered at once.
    """
    from ..bindings.model_registry import ModelRegistry
    from .desk import infr
    from .seats import model_of

    model_id, registry, role = await model_of(desk, model), _at(desk), _roles()["provider"]
    adds = await ModelRegistry(desk).stake_for(model_id, tokens_per_second)
    stake, _, _ = await registry.stake_of(signer.address, role)
    needed = await registry.required_stake(signer.address, role)
    shown = {
        "modelId": model,
        "tokensPerSecond": f"asks for {infr(adds)} above the minimum; so far {infr(needed)} are "
        f"needed, and {infr(stake)} staked",
    }
    return [registry.declare(model_id, tokens_per_second).remarked(shown)]
