"""`infera keys`: the operator's keys on this machine, and the API keys an account grants."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from infera.cli.common import default_home, home_option, http_json, table, write_private
from infera.errors import InferaError

if TYPE_CHECKING:
    from pathlib import Path

    from infera.keys import KeyStore

_DAY_S = 86_400
_PRICE_CEILING = 100_000_000
"""Micro-USDC per million tokens."""

_USDC = click.FloatRange(min=0, min_open=True)


@click.group("keys")
def command() -> None:
    """Operator keys on this machine, and API keys."""


@command.command("list")
@home_option
def list_command(home: Path | None) -> None:
    """List the keys in the node's home with their addresses."""
    store = _store(home)
    rows = [(name, store.get(name).address) for name in store.names()]
    if rows:
        click.echo(table(rows, ("NAME", "ADDRESS")))
    else:
        click.echo(f"no keys in {store.folder}; `infera keys new NAME` makes one")


@command.command("new")
@click.argument("name")
@home_option
def new_command(name: str, home: Path | None) -> None:
    """Make a key called NAME."""
    store = _store(home)
    click.echo(f"{store.create(name).address}  {store.folder / name}.key")


@command.command("show")
@click.argument("name")
@home_option
def show_command(name: str, home: Path | None) -> None:
    """Print the address of the key called NAME. The private key is never printed."""
    click.echo(_store(home).get(name).address)


@command.command("import")
@click.argument("name")
@home_option
def import_command(name: str, home: Path | None) -> None:
    """Store a private key read from standard input (64 hex digits) as NAME."""
    text = (
        click.prompt("private key (hex)", hide_input=True)
        if sys.stdin.isatty()
        else sys.stdin.readline()
    )
    click.echo(_store(home).import_key(name, text.strip()).address)


@command.command("issue")
@click.option(
    "--account", default="developer", show_default=True, help="Key of the account that pays."
)
@click.option("--name", default="default", show_default=True, help="File name under api_keys/.")
@click.option(
    "--url", default="http://127.0.0.1:8080/v1", show_default=True, help="The router's base URL."
)
@click.option("--per-job-usdc", type=_USDC, default=1.0, show_default=True, help="Limit per job.")
@click.option("--daily-usdc", type=_USDC, default=25.0, show_default=True, help="Limit per day.")
@click.option("--total-usdc", type=_USDC, default=1000.0, show_default=True, help="Limit in all.")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="Days until it ends.",
)
@click.option(
    "--generation",
    type=click.IntRange(0),
    help="The account's key generation; the router is asked if it is not given.",
)
@home_option
def issue_command(
    account: str,
    name: str,
    url: str,
    per_job_usdc: float,
    daily_usdc: float,
    total_usdc: float,
    days: int,
    generation: int | None,
    home: Path | None,
) -> None:
    """Make an API key, sign its spending limits with the account's key, and hand the grant to the
    router.

    The API key is printed once and kept in the home under api_keys/.
    """
    from infera.protocol.apikeys import key_hash, new_api_key
    from infera.protocol.eip712 import Domain
    from infera.protocol.messages import KeyGrant

    signer = _store(home).get(account)
    place = default_home(home) / "api_keys" / name
    if place.exists():
        raise InferaError(
            f"{place} exists and is left as it is", code="file_exists", hint="use another --name"
        )
    network = _network(url)
    if generation is None:
        generation = _generation(url, signer.address)
    key = new_api_key()
    now = int(time.time())
    grant = KeyGrant(
        account=signer.address,
        key_hash=key_hash(key),
        routers=(network["router"],),
        models=(),
        max_price_in=_PRICE_CEILING,
        max_price_out=_PRICE_CEILING,
        per_job_cap=_micro(per_job_usdc),
        daily_cap=_micro(daily_usdc),
        total_cap=_micro(total_usdc),
        not_before=now - 60,
        not_after=now + days * _DAY_S,
        generation=generation,
    )
    signature = signer.sign(grant.digest(Domain(int(network["chain_id"]), network["registry"])))
    body = {"grant": grant.to_json(), "signature": "0x" + signature.hex()}
    grant_file = place.with_name(f"{name}.grant.json")
    write_private(place, key)
    write_private(grant_file, json.dumps(grant.to_json()))
    try:
        http_json(f"{url.rstrip('/')}/network/grants", body=body)
    except InferaError:
        place.unlink(missing_ok=True)
        grant_file.unlink(missing_ok=True)
        raise
    click.echo(f"{key}\n  kept in {place}; ends in {days} days")


@command.command("revoke")
@click.option("--account", default="developer", show_default=True, help="Key of the account.")
@click.option(
    "--config",
    "config_name",
    default="devnet",
    show_default=True,
    help="Configuration with the chain.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
def revoke_command(account: str, config_name: str, yes: bool, home: Path | None) -> None:
    """End every API key of the account at once, by raising its generation on the chain."""
    from infera.cli.common import find_config, run_async
    from infera.config import load
    from infera.kernel.lock import HomeLock
    from infera.kernel.node import Node, make_home
    from infera.kernel.plugins import load_plugins

    plugins = load_plugins()
    loaded = load(find_config(config_name), plugins.registry, home=home)
    make_home(loaded)
    if not yes:
        click.confirm(f"End every API key of account {account!r}?", abort=True)

    async def main() -> None:
        async with Node(loaded, plugins).running(layers=("chains",)) as node:
            await node.context.chain().revoke_keys(node.context.keys.get(account))
        click.echo(f"every key of {account!r} has ended; `infera keys issue` makes new ones")

    with HomeLock(loaded.home):
        run_async(main)


def _store(home: Path | None) -> KeyStore:
    from infera.keys import KeyStore

    return KeyStore(default_home(home) / "keys")


def _network(url: str) -> dict[str, Any]:
    network = http_json(f"{url.rstrip('/')}/network")
    if not isinstance(network, dict) or not {"router", "chain_id", "registry"} <= network.keys():
        raise InferaError(f"{url} is not a router's base URL", code="server_refused")
    return network


def _generation(url: str, address: str) -> int:
    try:
        return int(http_json(f"{url.rstrip('/')}/network/accounts/{address}")["generation"])
    except (KeyError, TypeError, ValueError):
        raise InferaError(
            f"{url} does not tell the generation of {address}",
            code="server_refused",
            hint="say it with --generation; it is 0 for an account that never revoked its keys",
        ) from None


def _micro(usdc: float) -> int:
    return round(usdc * 1_000_000)
