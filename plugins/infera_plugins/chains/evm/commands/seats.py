"""`infera seats`: paid seats, looked at and taken by hand; and `infera models official`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from infera.cli.common import default_home, run_async, table
from infera.errors import InferaError
from infera.types import Tier

from .sending import sends, showing_options

if TYPE_CHECKING:
    from pathlib import Path

    from infera.keys import Signer

    from ..binding import Call
    from ..bindings.hot_pool import HotPool
    from ..bindings.model_registry import ModelRegistry
    from .desk import Desk

PAGE = 200
MICRO = 1_000_000
TIERS = {tier.name.lower(): tier for tier in Tier}


@click.group("seats")
def seats() -> None:
    """Paid seats of official models: look, bid, leave, claim.

    Providers' nodes do this by themselves (`seats:`). A MODEL is an official name or 0x and 64
    digits. Asks are micro-USDC a second. An account is an address or a key of this home.
    """


@click.group("models")
def models() -> None:
    """The chain's models."""


model_argument = click.argument("model")


async def model_of(desk: Desk, text: str) -> bytes:
    """The model that a name means on the chain, or the one with this id."""
    digits = text.removeprefix("0x")
    if text.startswith("0x") and len(digits) == 64:
        try:
            return bytes.fromhex(digits)
        except ValueError:
            pass
    found = await _registry(desk).model_of(text)
    if not int.from_bytes(found, "big"):
        raise InferaError(
            f"no official model is called {text!r}",
            code="model_unknown",
            hint="`infera models official` lists them; any other is named by its id",
        )
    return found


def _registry(desk: Desk) -> ModelRegistry:
    from ..bindings.model_registry import ModelRegistry

    return ModelRegistry(desk)


def _pool(desk: Desk) -> HotPool:
    from ..bindings.hot_pool import HotPool

    return HotPool(desk)


@models.command("official")
@showing_options
def official_command(rpc: str, where: str, home: Path | None, as_json: bool) -> None:
    """List the official models with what the governor set: price ceilings, stake, seats."""

    async def main() -> None:
        from .desk import at_contracts

        async with at_contracts(rpc, where, default_home(home)) as desk:
            registry = _registry(desk)
            found: list[dict[str, Any]] = []
            for start in range(0, await registry.official_count(), PAGE):
                for model_id in await registry.official_models(start, PAGE):
                    name, terms = (
                        await registry.name_of(model_id),
                        await registry.terms_of(model_id),
                    )
                    facts = {
                        "model_id": "0x" + model_id.hex(), "name": name,
                        "version": await registry.version_of(name),
                        "max_price_in": terms.maxPriceIn, "max_price_out": terms.maxPriceOut,
                        "stake_ppm": terms.stakePpm, "incentive": terms.incentive,
                        "subsidy_rate": terms.subsidyRate, "min_seats": terms.minSeats,
                        "max_seats": terms.maxSeats,
                    }  # fmt: skip
                    found.append(facts)
        found.sort(key=lambda model: str(model["name"]))
        if as_json:
            click.echo(json.dumps(found, indent=2))
            return
        rows = [
            (
                m["name"], str(m["version"]), f"{m['max_price_in'] / MICRO:g}",
                f"{m['max_price_out'] / MICRO:g}", str(m["stake_ppm"]),
                f"{m['min_seats']} - {m['max_seats']}",
                str(m["subsidy_rate"]) if m["incentive"] else "-", m["model_id"],
            )
            for m in found
        ]  # fmt: skip
        header = (
            "NAME", "VERSION", "MOST USDC IN", "MOST USDC OUT", "STAKE PPM", "SEATS",
            "MICRO-USDC/S", "MODEL",
        )  # fmt: skip
        click.echo(table(rows, header) if rows else "no model is official")

    run_async(main)


@seats.command("show")
@model_argument
@showing_options
def show_command(model: str, rpc: str, where: str, home: Path | None, as_json: bool) -> None:
    """Show MODEL's pool, and who has its seats."""

    async def main() -> None:
        from .desk import at_contracts, moment, usdc

        async with at_contracts(rpc, where, default_home(home)) as desk:
            model_id, pool = await model_of(desk, model), _pool(desk)
            terms, account = await pool.pool_of(model_id), await pool.account_of(model_id)
            highest, now = await pool.highest_ask(model_id), await desk.now()
            rows: list[dict[str, Any]] = [
                {
                    "provider": seat.provider, "ask": seat.ask,
                    "tokens_per_second": seat.loadout.tokensPerSecond,
                    "capacity": seat.loadout.capacity,
                    "tiers": [n for n, tier in TIERS.items() if seat.loadout.tiers >> tier & 1],
                    "taken_at": seat.takenAt, "leaves_at": seat.leavesAt,
                    "heartbeat_at": seat.heartbeatAt,
                    "present": await pool.is_present(model_id, seat.provider),
                    "claimable": str(await pool.claimable(seat.provider, [model_id])),
                }
                for seat in await pool.seats_of(model_id)
            ]  # fmt: skip
        if as_json:
            facts = {
                "model_id": "0x" + model_id.hex(), "rate": terms.rate, "seats": terms.seats,
                "min_seats": terms.min_seats, "max_seats": terms.max_seats,
                "highest_ask": highest, "budget": str(account.budget),
                "set_aside": str(account.reserved), "taken": rows,
            }  # fmt: skip
            click.echo(json.dumps(facts, indent=2))
            return
        click.echo(f"model   0x{model_id.hex()}")
        click.echo(
            f"seats   {terms.taken} of {terms.seats} taken; "
            f"there may be {terms.min_seats} to {terms.max_seats}"
        )
        paid = f"{highest} micro-USDC a second at most" if terms.rate else "nothing"
        click.echo(f"a seat  is paid {paid}")
        click.echo(f"budget  {usdc(account.budget)}, and {usdc(account.reserved)} set aside")
        shown = [
            (
                r["provider"], str(r["ask"]), str(r["tokens_per_second"]), str(r["capacity"]),
                " ".join(r["tiers"]), "yes" if r["present"] else "no",
                moment(r["leaves_at"], now) if r["leaves_at"] else "-",
                usdc(int(r["claimable"])),
            )
            for r in rows
        ]  # fmt: skip
        header = (
            "PROVIDER", "ASK", "TOKENS/S", "JOBS", "TIERS", "PRESENT", "LEAVES", "TO CLAIM"
        )  # fmt: skip
        if shown:
            click.echo(table(shown, header))

    run_async(main)


@sends(
    seats,
    "bid",
    model_argument,
    click.argument("ask", type=click.IntRange(0, 2**64 - 1)),
    click.option(
        "--tokens-per-second",
        "speed",
        type=click.IntRange(1, 2**32 - 1),
        default=100,
        show_default=True,
        help="Throughput promised there.",
    ),
    click.option(
        "--capacity",
        type=click.IntRange(1, 2**32 - 1),
        default=8,
        show_default=True,
        help="Jobs served at once.",
    ),
    click.option(
        "--tier",
        "tiers",
        type=click.Choice(list(TIERS)),
        multiple=True,
        default=["optimistic"],
        show_default=True,
        help="Tier that can be served; may be given more than once.",
    ),
)
async def bid_command(
    desk: Desk,
    signer: Signer,
    folder: Path,
    model: str,
    ask: int,
    speed: int,
    capacity: int,
    tiers: tuple[str, ...],
) -> list[Call]:
    """Take a seat of MODEL for ASK: a free one, or the dearest if ASK is cheaper by the margin.

    The key is the one that owns the stake. The seat lasts as long as a node sends its heartbeats.
    """
    from ..bindings.hot_pool import Loadout
    from .desk import infr, usdc

    model_id, bits = await model_of(desk, model), sum(1 << TIERS[name] for name in set(tiers))
    needed = await _registry(desk).stake_for(model_id, speed)
    shown = {
        "modelId": model,
        "ask": f"{usdc(ask)} a second",
        "loadout": f"{speed} tokens a second, {capacity} jobs at once, {', '.join(tiers)}; "
        f"asks for {infr(needed)} of stake above the minimum",
    }
    return [_pool(desk).bid(model_id, ask, Loadout(speed, capacity, bits)).remarked(shown)]


@sends(seats, "leave", model_argument)
async def leave_command(desk: Desk, signer: Signer, folder: Path, model: str) -> list[Call]:
    """Give notice for the seat of MODEL, with the key that owns the stake.

    A node that names the model in `seats:` bids again: take it out there first.
    """
    model_id, pool = await model_of(desk, model), _pool(desk)
    notice = (await pool.parameters()).notice
    shown = {"modelId": f"{model}; paid for {notice} s more while its heartbeat is fresh"}
    return [pool.give_notice(model_id).remarked(shown)]


@sends(seats, "claim", click.argument("provider", required=False))
async def claim_command(
    desk: Desk, signer: Signer, folder: Path, provider: str | None
) -> list[Call]:
    """Pay PROVIDER what its seats have earned; by default the signer. Anybody may send it."""
    from .desk import address_of, usdc

    who = address_of(provider, folder) if provider else signer.address
    pool = _pool(desk)
    models_held = await pool.models_of(who)
    due = await pool.claimable(who, models_held)
    if due == 0:
        raise InferaError(
            f"{who} has earned nothing that was not paid",
            code="nothing_due",
            hint="`infera seats show MODEL` says what is to claim",
        )
    shown = {"provider": f"{usdc(due)} so far", "modelIds": f"all of its {len(models_held)} seats"}
    return [pool.claim(who, models_held).remarked(shown)]
