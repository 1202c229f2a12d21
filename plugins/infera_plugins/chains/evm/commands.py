"""`infera contracts`: deploy the contracts to a chain, read a deployment back, take over what was
handed over.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infera.cli.common import default_home, home_option, load_config, run_async, table
from infera.errors import InferaError, NeedsOperatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .commands_desk import Desk, Manner
    from .config import EvmConfig
    from .deployment import Launch, Prospect


def rpc_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--rpc`."""
    return click.option("--rpc", metavar="URL", required=True, help="A node of the chain.")(
        function
    )


def sending_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every command that sends takes."""
    for option in (
        click.option(
            "--json", "as_json", is_flag=True, help="Print JSON; needs --yes or --dry-run."
        ),
        click.option("--yes", is_flag=True, help="Send without asking."),
        click.option("--dry-run", is_flag=True, help="Show and try the call, send nothing."),
        click.option("--key", required=True, metavar="NAME", help="Key of this home that signs."),
        home_option,
    ):
        function = option(function)
    return function


@click.group("contracts")
def contracts() -> None:
    """Deploy the network's contracts, and check a deployment."""


@contracts.command("deploy")
@click.option("--rpc", metavar="URL", help="A node of the chain; by default the configuration's.")
@click.option("--config", metavar="CONFIG", help="Take settings from its `kind: evm` block.")
@click.option("--usdc", metavar="ADDRESS", help="The chain's USDC; a public chain needs it.")
@click.option("--governor", metavar="ADDRESS", help="Who is to own the contracts; has to accept.")
@click.option(
    "--treasury", metavar="ADDRESS", help="Gets all INFR and the protocol's fees; by default --key."
)
@click.option("--salt", default="infera", show_default=True, help="Another set of addresses.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The manifest, which a later run resumes; by default where `contracts:` says.",
)
@click.option(
    "--confirmations",
    type=click.IntRange(0, 1000),
    help="Blocks to wait for after each transaction.",
)
@sending_options
def deploy_command(
    rpc: str | None,
    config: str | None,
    usdc: str | None,
    governor: str | None,
    treasury: str | None,
    salt: str,
    out: Path | None,
    confirmations: int | None,
    key: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    home: Path | None,
) -> None:
    """Put the contracts on a chain, or finish what an earlier run began.

    Shows every transaction with its gas and cost before it asks. What stands already costs nothing.
    """
    from infera.protocol.abi import parse_address

    from .commands_desk import Manner

    manner = Manner(dry_run, yes, as_json)
    settings, folder = _settings(config, home, rpc)
    if usdc is not None:
        settings = settings.model_copy(update={"usdc": parse_address(usdc)})
    path = out or settings.record(folder)

    async def main() -> None:
        from .commands_desk import opened, signer_of
        from .deployment import Launch, Terms
        from .session import recorded

        signer = signer_of(key, folder)
        async with opened(settings.rpc, confirmations) as desk:
            if settings.chain_id not in (None, desk.chain_id):
                raise NeedsOperatorError(
                    f"{settings.rpc} is chain {desk.chain_id}, not {settings.chain_id}",
                    code="wrong_chain",
                    hint="correct --rpc or `chain_id:`",
                )
            terms = Terms(
                signer.address,
                parse_address(treasury) if treasury else signer.address,
                settings,
                parse_address(settings.usdc) if settings.usdc else None,
                salt,
            )
            launch = Launch(
                desk.rpc, desk.transactor, desk.meter, signer, terms,
                await recorded(desk.rpc, desk.chain_id, path, False), path,
                governor=parse_address(governor) if governor else None,
                report=(lambda _: None) if as_json else click.echo,
            )  # fmt: skip
            await _deploy(desk, launch, path, manner)

    run_async(main)


async def _deploy(desk: Desk, launch: Launch, path: Path, manner: Manner) -> None:
    prospects = await launch.prepare()
    balance = await desk.rpc.balance(launch.signer)
    if not manner.as_json:
        _show_plan(desk.chain_id, launch, prospects, balance)
    if prospects and not manner.dry_run:
        if balance < sum(p.cost.expected + p.value for p in prospects):
            raise InferaError(
                f"{launch.signer} cannot pay for this",
                code="chain_no_gas_money",
                hint="send native money to the account that signs",
            )
        if not manner.yes:
            click.confirm(f"send {len(prospects)} transactions?", abort=True)
        path.parent.mkdir(parents=True, exist_ok=True)
    if not manner.dry_run:
        await launch.run()
    if manner.as_json:
        click.echo(json.dumps(_plan_json(desk.chain_id, launch, prospects, path, manner), indent=2))
    elif manner.dry_run:
        click.echo("nothing was sent")
    else:
        click.echo(f"{'deployed' if prospects else 'nothing to do'}; the manifest is {path}")


def _show_plan(chain_id: int, launch: Launch, prospects: list[Prospect], balance: int) -> None:
    from .commands_desk import ether

    how = "CREATE2 (addresses follow from code and arguments)"
    if launch.method == "create":
        how = "CREATE (addresses follow from the deployer's nonces)"
    click.echo(f"chain {chain_id}, from {launch.signer} with {ether(balance)}, by {how}")
    if launch.factory_missing and prospects and launch.method == "create2":
        click.echo("the deterministic deployment proxy is not there yet: it is put there first")
    for prospect in prospects:
        for name, value in prospect.arguments.items():
            click.echo(f"  {prospect.label}: {name} = {value}")
    rows = []
    for prospect in prospects:
        cost = prospect.cost
        l1 = "-" if cost.l1_fee is None else ether(cost.l1_fee)
        gas = f"{cost.gas:,}" if cost.exact else f"under {cost.gas:,}"
        rows.append(
            (prospect.label, prospect.address, gas, l1, ether(cost.expected + prospect.value))
        )
    if rows:
        click.echo(table(rows, ("TRANSACTION", "ADDRESS", "GAS", "L1 FEE", "COST")))
        total = sum(p.cost.expected + p.value for p in prospects)
        most = sum(p.cost.most + p.value for p in prospects)
        click.echo(f"in all {ether(total)} at today's price, at most {ether(most)}")


def _plan_json(
    chain_id: int, launch: Launch, prospects: list[Prospect], path: Path, manner: Manner
) -> dict[str, Any]:
    return {
        "dry_run": manner.dry_run,
        "chain_id": chain_id,
        "method": launch.method,
        "manifest": str(path),
        "contracts": launch.contracts,
        "transactions": [
            {
                "label": p.label,
                "address": p.address,
                "arguments": p.arguments,
                "gas": p.cost.gas,
                "gas_exact": p.cost.exact,
                "value_wei": str(p.value),
                "cost_wei": str(p.cost.expected),
                "l1_fee_wei": None if p.cost.l1_fee is None else str(p.cost.l1_fee),
                "tx": launch.deployment.transactions.get(p.label),
            }
            for p in prospects
        ],
    }


def _settings(config: str | None, home: Path | None, rpc: str | None) -> tuple[EvmConfig, Path]:
    """(what to deploy with, where keys are)."""
    from .config import EvmConfig

    settings, folder = EvmConfig(), default_home(home)
    if config is not None:
        loaded = load_config(config, home)
        found = [b.config for b in loaded.blocks() if isinstance(b.config, EvmConfig)]
        if len(found) != 1:
            raise InferaError(
                f"{config} has {len(found)} blocks of kind evm, and one is needed",
                code="config_unfit",
            )
        settings, folder = found[0], loaded.home
    if rpc is not None:
        settings = settings.model_copy(update={"rpc": rpc})
    elif config is None:
        raise click.UsageError("give --rpc URL or --config CONFIG")
    return settings, folder


@contracts.command("verify")
@rpc_option
@click.option(
    "--manifest", metavar="FILE", default="home", show_default=True,
    help="What `deploy` wrote; `home`: contracts.json of the home.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@home_option
def verify_command(rpc: str, manifest: str, as_json: bool, home: Path | None) -> None:
    """Read everything the manifest names back from the chain and say what differs.

    Code is compared byte for byte with what these sources compile to, immutables included. Exit
    status 1 if anything differs.
    """

    async def main() -> None:
        from .commands_desk import load_manifest, manifest_path, opened
        from .verify import verify

        path = manifest_path(manifest, default_home(home))
        async with opened(rpc) as desk:
            deployment = load_manifest(path, desk.chain_id)
            findings = await verify(desk.rpc, deployment)
        wrong = [f for f in findings if not f.good]
        if as_json:
            said = [{"what": f.what, "ok": f.good, "detail": f.detail} for f in findings]
            click.echo(json.dumps({"chain_id": deployment.chain_id, "findings": said}, indent=2))
        else:
            rows = [("ok" if f.good else "!!", f.what, f.detail) for f in findings]
            click.echo(table(rows, ("", "WHAT", "FOUND")))
        if wrong:
            raise InferaError(
                f"{len(wrong)} of {len(findings)} differ: {', '.join(f.what for f in wrong)}",
                code="deployment_differs",
            )

    run_async(main)


@contracts.command("accept")
@rpc_option
@click.option(
    "--contracts", "where", metavar="FILE", default="home", show_default=True,
    help="The manifest; `home`: contracts.json of the home.",
)  # fmt: skip
@sending_options
def accept_command(
    rpc: str, where: str, key: str, dry_run: bool, yes: bool, as_json: bool, home: Path | None
) -> None:
    """Accept the ownership that `deploy --governor` handed to this key."""

    async def main() -> None:
        from .commands_desk import Manner, at_contracts, signer_of
        from .contracts import PROTOCOL

        manner, folder = Manner(dry_run, yes, as_json), default_home(home)
        signer = signer_of(key, folder)
        async with at_contracts(rpc, where, folder) as desk:
            calls, others = [], []
            for name in PROTOCOL:
                if await desk.read(name, "owner") == signer.address:
                    continue
                if await desk.read(name, "pendingOwner") == signer.address:
                    calls.append(desk.call(name, "acceptOwnership"))
                else:
                    others.append(name)
            if others:
                raise InferaError(
                    f"{', '.join(others)}: nobody has handed this to {signer.address}",
                    code="not_owner",
                    hint="the owner does with `infera contracts deploy --governor ADDRESS`",
                )
            if not calls and not as_json:
                click.echo(f"{signer.address} owns everything already")
                return
            await desk.act(signer, calls, manner)

    run_async(main)
