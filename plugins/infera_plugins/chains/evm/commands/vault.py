"""`infera vault`: deposits, lockups, earnings and bonds, from the command line."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infera.cli.common import default_home, run_async, table
from infera.errors import InferaError

from .sending import sends, showing_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.keys import Signer
    from infera.types import Address

    from ..binding import Call
    from ..bindings.payment_vault import PaymentVault
    from .desk import Desk

_LARGEST_PROOF = 1 << 20


@click.group("vault")
def vault() -> None:
    """Money in the vault: deposit, lock for a router, withdraw, claim, bond.

    Amounts are USDC (`25`, `0.5`). An account or a router is an address or a key of this home.
    """


@vault.group("claim")
def claim() -> None:
    """Take out what was earned. Providers' nodes claim by themselves."""


@vault.group("bond")
def bond() -> None:
    """A router's bond, which stands behind what its providers earn."""


_amount = click.argument("amount")
_router = click.argument("router")


def _micro(amount: str) -> tuple[int, dict[str, str]]:
    from .desk import parse_units, usdc

    wanted = parse_units(amount, 6, "USDC")
    return wanted, {"amount": usdc(wanted)}


def _at(desk: Desk) -> PaymentVault:
    from ..bindings.payment_vault import PaymentVault

    return PaymentVault(desk)


def _address(text: str, folder: Path) -> Address:
    from .desk import address_of

    return address_of(text, folder)


@vault.command("show")
@click.argument("account")
@click.option("--router", "routers", multiple=True, help="Show the lockup for this router.")
@showing_options
def show_command(
    account: str, routers: tuple[str, ...], rpc: str, where: str, home: Path | None, as_json: bool
) -> None:
    """Show what ACCOUNT has in the vault and besides it."""

    async def main() -> None:
        from .desk import address_of, at_contracts, moment, units

        folder = default_home(home)
        async with at_contracts(rpc, where, folder) as desk:
            address, now = address_of(account, folder), await desk.now()
            vault = _at(desk)
            amounts = {
                "wallet": await desk.usdc().balance_of(address),
                "free": await vault.free_of(address),
                "router_fees": await vault.router_fees_of(address),
                "pool": await vault.pool_of(address),
            }
            bond = await vault.bond_of(address)
            used, held = bond.used, [("bond", bond.active, bond.thawing, bond.thawed_at)]
            for name in routers:
                router = address_of(name, folder)
                held.append((f"lockup for {router}", *await vault.lockup_of(address, router)))
            holds: list[dict[str, Any]] = [
                dict(zip(("what", "active", "thawing", "thawed_at"), row, strict=True))
                for row in held
            ]
        if as_json:
            rows = [h | {k: str(h[k]) for k in ("active", "thawing")} for h in holds]
            facts = {k: str(v) for k, v in amounts.items()} | {"bond_used": str(used)}
            click.echo(json.dumps({"account": address, **facts, "holds": rows}, indent=2))
            return
        click.echo(f"account {address}")
        names = {
            "wallet": "own USDC, outside the vault", "free": "free balance",
            "router_fees": "fees earned as a router", "pool": "pool its providers claim from",
        }  # fmt: skip
        click.echo(table([(names[k], units(v, 6)) for k, v in amounts.items()], ("WHAT", "USDC")))
        click.echo("")
        rows_ = [
            (
                h["what"],
                units(h["active"], 6),
                units(h["thawing"], 6),
                moment(h["thawed_at"], now) if h["thawing"] else "-",
            )
            for h in holds
        ]
        click.echo(table(rows_, ("HELD", "ACTIVE USDC", "THAWING", "THAWED")))

    run_async(main)


@sends(
    vault, "deposit", _amount,
    click.option("--for", "beneficiary", metavar="ACCOUNT", help="Whose balance; the key's own."),
)  # fmt: skip
async def _deposit(
    desk: Desk, signer: Signer, folder: Path, amount: str, beneficiary: str | None
) -> Sequence[Call]:
    """Move AMOUNT of the key's own USDC into the vault."""
    wanted, shown = _micro(amount)
    vault, usdc = _at(desk), desk.usdc()
    if beneficiary:
        plain = vault.deposit_for(_address(beneficiary, folder), wanted).remarked(shown)
        return await desk.paying(signer, usdc, wanted, plain)
    permitted = partial(vault.deposit_with_permit, wanted)
    plain = vault.deposit(wanted).remarked(shown)
    return await desk.paying(signer, usdc, wanted, plain, permitted)


@sends(vault, "lock", _router, _amount)
async def _lock(
    desk: Desk, signer: Signer, folder: Path, router: str, amount: str
) -> Sequence[Call]:
    """Lock AMOUNT of the free balance for ROUTER's debits."""
    wanted, shown = _micro(amount)
    return [_at(desk).lock(_address(router, folder), wanted).remarked(shown)]


@sends(vault, "unlock", _router, _amount)
async def _unlock(
    desk: Desk, signer: Signer, folder: Path, router: str, amount: str
) -> Sequence[Call]:
    """Start to thaw AMOUNT of the lockup for ROUTER; more restarts the clock of what already is."""
    wanted, shown = _micro(amount)
    return [_at(desk).unlock(_address(router, folder), wanted).remarked(shown)]


@sends(
    vault, "withdraw", click.argument("amount", required=False),
    click.option("--thawed", metavar="ROUTER", help="First free its thawed lockup."),
)  # fmt: skip
async def _withdraw(
    desk: Desk, signer: Signer, folder: Path, amount: str | None, thawed: str | None
) -> Sequence[Call]:
    """Pay AMOUNT of the free balance out to the key's own address."""
    calls: list[Call] = []
    if thawed:
        calls.append(_at(desk).withdraw_thawed(_address(thawed, folder)))
    if amount:
        wanted, shown = _micro(amount)
        needs = "the thawed lockup must be moved first" if thawed else ""
        calls.append(_at(desk).withdraw(wanted).remarked(shown, needs))
    if not calls:
        raise click.UsageError("give AMOUNT, --thawed ROUTER or both")
    return calls


@sends(claim, "fees", click.argument("router", required=False))
async def _fees(desk: Desk, signer: Signer, folder: Path, router: str | None) -> Sequence[Call]:
    """Pay a router the fees it earned; the key's own by default. The money goes to the router."""
    whose = _address(router, folder) if router else signer.address
    return [_at(desk).withdraw_router_fees(whose)]


@sends(
    claim, "earnings", click.argument("file", type=click.Path(dir_okay=False, path_type=Path)),
    click.option("--with-bond", is_flag=True, help="Take what the pool lacks from the bond."),
)  # fmt: skip
async def _earnings(
    desk: Desk, signer: Signer, folder: Path, file: Path, with_bond: bool
) -> Sequence[Call]:
    """Pay a provider what a router's final batch credits it, with the proof in FILE.

    FILE is JSON: router, batch, provider, credited (micro-USDC), position, proof (a list of 0x
    hashes). The money goes to the provider, whoever sends.
    """
    from .desk import usdc

    router, batch, provider, credited, position, proof = read_proof(file)
    vault = _at(desk)
    paid = await vault.paid_of(router, provider)
    shown = {"credited": f"{usdc(credited)} in all, {usdc(paid)} of it paid before"}
    claim = vault.claim_with_bond if with_bond else vault.claim
    return [claim(router, batch, provider, credited, position, proof).remarked(shown)]


def read_proof(file: Path) -> tuple[Address, int, Address, int, int, list[bytes]]:
    """The arguments of a claim from a file somebody else may have written."""
    from infera.protocol.abi import from_hex, json_address, json_list, json_object, json_uint

    try:
        text = file.read_bytes()[: _LARGEST_PROOF + 1]
    except OSError as e:
        raise InferaError(f"{file} cannot be read: {e.strerror}", code="file_unreadable") from None
    names = frozenset(("router", "batch", "provider", "credited", "position", "proof"))
    try:
        if len(text) > _LARGEST_PROOF:
            raise ValueError("too large")
        content = json.loads(text)
    except ValueError as e:
        raise InferaError(f"{file} is no JSON: {e}", code="proof_malformed") from None
    facts = json_object(content, names, str(file))
    return (
        json_address(facts["router"], "router"),
        json_uint(facts["batch"], 64, "batch"),
        json_address(facts["provider"], "provider"),
        json_uint(facts["credited"], 128, "credited"),
        json_uint(facts["position"], 32, "position"),
        [from_hex(item, 32, "proof") for item in json_list(facts["proof"], 64, "proof")],
    )


@sends(
    bond, "deposit", _amount,
    click.option("--router", metavar="ACCOUNT", help="Whose bond; the key's own by default."),
)  # fmt: skip
async def _bond_deposit(
    desk: Desk, signer: Signer, folder: Path, amount: str, router: str | None
) -> Sequence[Call]:
    """Add AMOUNT of the key's own USDC to a router's bond."""
    wanted, shown = _micro(amount)
    whose = _address(router, folder) if router else signer.address
    plain = _at(desk).deposit_bond(whose, wanted).remarked(shown)
    return await desk.paying(signer, desk.usdc(), wanted, plain)


@sends(bond, "thaw", _amount)
async def _bond_thaw(desk: Desk, signer: Signer, folder: Path, amount: str) -> Sequence[Call]:
    """Start to thaw AMOUNT of the key's own bond."""
    wanted, shown = _micro(amount)
    return [_at(desk).thaw_bond(wanted).remarked(shown)]


@sends(bond, "withdraw")
async def _bond_withdraw(desk: Desk, signer: Signer, folder: Path) -> Sequence[Call]:
    """Pay out what has thawed of the key's own bond."""
    return [_at(desk).withdraw_bond()]
