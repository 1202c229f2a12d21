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

    from ..binding import Call
    from ..config import EvmConfig
    from ..deployment.executor import Deployer
    from ..deployment.manifest import Deployment
    from ..deployment.prospects import Prospect
    from .desk import Desk, Manner


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
@click.option(
    "--governor", metavar="WHO",
    help="Who is to own the contracts: `timelock`, `deployer`, or an address, which has to accept.",
)  # fmt: skip
@click.option("--treasury", metavar="ADDRESS", help="Gets the treasury's part of the fees.")
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
    from .desk import Manner

    manner = Manner(dry_run, yes, as_json)
    settings, folder = _settings(config, home, rpc)
    settings = _with(settings, usdc, governor, treasury)
    path = out or settings.record(folder)

    async def main() -> None:
        from ..deployment.blueprint import draw
        from ..deployment.executor import Deployer
        from ..deployment.terms import terms_of
        from ..session import recorded
        from .desk import opened, signer_of

        signer = signer_of(key, folder)
        async with opened(settings.rpc, confirmations) as desk:
            if settings.chain_id not in (None, desk.chain_id):
                raise NeedsOperatorError(
                    f"{settings.rpc} is chain {desk.chain_id}, not {settings.chain_id}",
                    code="wrong_chain",
                    hint="correct --rpc or `chain_id:`",
                )
            record = await recorded(desk.rpc, desk.chain_id, path, False)
            begun = record.terms.get("start") if record.terms else None
            terms = terms_of(
                settings, desk.chain_id, signer.address, begun or await desk.now(), salt=salt
            )
            if terms.usdc is not None:
                await require_usdc(desk, terms.usdc)
            deployer = Deployer(
                desk.rpc, desk.transactor, signer, draw(terms), record, path,
                report=(lambda _: None) if as_json else click.echo,
            )  # fmt: skip
            await _deploy(desk, deployer, path, manner)

    run_async(main)


async def _deploy(desk: Desk, deployer: Deployer, path: Path, manner: Manner) -> None:
    from ..deployment.prospects import prospects

    missing = await deployer.survey()
    costs = await prospects(deployer, missing, desk.rpc, desk.transactor, desk.meter)
    balance = await desk.rpc.balance(deployer.signer)
    if not manner.as_json:
        _show_plan(desk.chain_id, deployer, costs, balance)
    if costs and not manner.dry_run:
        if balance < sum(p.cost.expected + p.value for p in costs):
            raise InferaError(
                f"{deployer.signer} cannot pay for this",
                code="chain_no_gas_money",
                hint="send native money to the account that signs",
            )
        if not manner.yes:
            click.confirm(f"send {len(costs)} transactions?", abort=True)
        path.parent.mkdir(parents=True, exist_ok=True)
    if not manner.dry_run:
        await deployer.run()
    if manner.as_json:
        click.echo(json.dumps(_plan_json(desk.chain_id, deployer, costs, path, manner), indent=2))
    elif manner.dry_run:
        click.echo("nothing was sent")
    else:
        click.echo(f"{'deployed' if costs else 'nothing to do'}; the manifest is {path}")


async def require_usdc(desk: Desk, usdc: str) -> None:
    """Refuse a token that the vault's sums would be wrong for."""
    from eth_abi.exceptions import DecodingError

    from ..contracts import interface
    from ..rpc import RpcFailureError, unhex

    if not await desk.rpc.code(usdc):
        raise NeedsOperatorError(
            f"there is no contract at {usdc}", code="usdc_unusable", hint="is this the right chain?"
        )
    known = interface("USDC").functions["decimals"]
    request = {"to": usdc, "data": "0x" + known.call().hex()}
    try:
        decimals = known.result(unhex(await desk.rpc.read("eth_call", request, "latest")))
    except (RpcFailureError, DecodingError) as e:
        raise NeedsOperatorError(f"{usdc} is no token", code="usdc_unusable") from e
    if decimals != 6:
        raise NeedsOperatorError(
            f"the token at {usdc} has {decimals} decimals, and USDC has 6", code="usdc_unusable"
        )


def _show_plan(chain_id: int, deployer: Deployer, costs: list[Prospect], balance: int) -> None:
    from .desk import ether

    how = "CREATE2 (addresses follow from code and arguments)"
    if deployer.method == "create":
        how = "CREATE (addresses follow from the deployer's nonces)"
    click.echo(f"chain {chain_id}, from {deployer.signer} with {ether(balance)}, by {how}")
    if deployer.factory_missing and costs:
        click.echo("the deterministic deployment proxy is not there yet: it is put there first")
    for prospect in costs:
        for name, value in prospect.arguments.items():
            click.echo(f"  {prospect.label}: {name} = {value}")
    rows = []
    for prospect in costs:
        cost = prospect.cost
        l1 = "-" if cost.l1_fee is None else ether(cost.l1_fee)
        gas = f"{cost.gas:,}" if cost.exact else f"under {cost.gas:,}"
        rows.append(
            (prospect.label, prospect.address, gas, l1, ether(cost.expected + prospect.value))
        )
    if rows:
        click.echo(table(rows, ("TRANSACTION", "ADDRESS", "GAS", "L1 FEE", "COST")))
        total = sum(p.cost.expected + p.value for p in costs)
        most = sum(p.cost.most + p.value for p in costs)
        click.echo(f"in all {ether(total)} at today's price, at most {ether(most)}")


def _plan_json(
    chain_id: int, deployer: Deployer, costs: list[Prospect], path: Path, manner: Manner
) -> dict[str, Any]:
    return {
        "dry_run": manner.dry_run,
        "chain_id": chain_id,
        "method": deployer.method,
        "manifest": str(path),
        "contracts": {name: deployer.placement.at(name) for name in deployer.blueprint.names},
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
                "tx": deployer.record.transactions.get(p.label),
            }
            for p in costs
        ],
    }


def _with(
    settings: EvmConfig, usdc: str | None, governor: str | None, treasury: str | None
) -> EvmConfig:
    """Settings with what the command line says instead, checked like the file."""
    from pydantic import ValidationError

    from ..config import EvmConfig

    said = settings.model_dump(exclude_unset=True)
    launch = said.setdefault("launch", {})
    launch |= {k: v for k, v in (("governor", governor), ("treasury", treasury)) if v is not None}
    if usdc is not None:
        said["usdc"] = usdc
    try:
        return EvmConfig.model_validate(said)
    except ValidationError as e:
        wrong = "; ".join(str(error["msg"]) for error in e.errors())
        raise InferaError(wrong, code="config_unfit") from e


def _settings(config: str | None, home: Path | None, rpc: str | None) -> tuple[EvmConfig, Path]:
    """(what to deploy with, where keys are)."""
    from ..config import EvmConfig

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
        from ..deployment.verify import verify
        from .desk import load_manifest, manifest_path, opened

        path = manifest_path(manifest, default_home(home))
        async with opened(rpc) as desk:
            deployment = load_manifest(path, desk.chain_id)
            findings = await verify(desk.rpc, deployment)
        wrong = [f for f in findings if not f.good]
        if as_json:
            said = [
                {"what": f.what, "ok": f.good, "note": f.note, "detail": f.detail} for f in findings
            ]
            click.echo(json.dumps({"chain_id": deployment.chain_id, "findings": said}, indent=2))
        else:
            rows = [
                ("--" if f.note else "ok" if f.good else "!!", f.what, f.detail) for f in findings
            ]
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
    """Take over what `deploy` handed over: with the key of the governor that was named, or, where
    that is the timelock, with any key once its delay is over.
    """

    async def main() -> None:
        from .desk import Manner, at_contracts, load_manifest, manifest_path, signer_of

        manner, folder = Manner(dry_run, yes, as_json), default_home(home)
        signer = signer_of(key, folder)
        async with at_contracts(rpc, where, folder) as desk:
            deployment = load_manifest(manifest_path(where, folder), desk.chain_id)
            calls = await _acceptance(desk, deployment, signer.address)
            if not calls and not as_json:
                click.echo(f"{deployment.governor} owns everything already")
                return
            await desk.act(signer, calls, manner)

    run_async(main)


async def _acceptance(desk: Desk, deployment: Deployment, sender: str) -> list[Call]:
    """The calls that bring ownership to the governor; none if it has it."""
    from ..contracts import SETTLEMENT
    from ..deployment.blueprint import draw
    from ..deployment.terms import TIMELOCK, Terms
    from ..deployment.wiring import acceptance, operation
    from .desk import moment

    terms = Terms.model_validate(deployment.terms) if deployment.terms else None
    handed = draw(terms).handed if terms else SETTLEMENT
    if terms is not None and terms.governor == TIMELOCK:
        batch = acceptance(terms, handed, desk.contracts.__getitem__)
        if await desk.read("InferaTimelock", "isOperationDone", operation(batch)):
            return []
        ready = await desk.read("InferaTimelock", "getTimestamp", operation(batch))
        if (now := await desk.now()) < ready:
            raise InferaError(
                f"the timelock takes over no earlier than {moment(ready, now)}",
                code="too_early",
                hint="run the same command then",
            )
        return [desk.call("InferaTimelock", "executeBatch", *batch)]
    calls, others = [], []
    for name in handed:
        if await desk.read(name, "owner") == sender:
            continue
        if await desk.read(name, "pendingOwner") == sender:
            calls.append(desk.call(name, "acceptOwnership"))
        else:
            others.append(name)
    if others:
        raise InferaError(
            f"{', '.join(others)}: nobody has handed this to {sender}",
            code="not_owner",
            hint="the owner does with `infera contracts deploy --governor ADDRESS`",
        )
    return calls
