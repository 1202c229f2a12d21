"""`infera contracts upgrade`: new code behind a contract's proxy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from infera.cli.common import default_home, run_async
from infera.errors import InferaError

from .contracts import contracts, rpc_option, sending_options
from .sending import contracts_option

if TYPE_CHECKING:
    from pathlib import Path

    from infera.keys import Signer

    from ..deployment.manifest import Deployment
    from .deed import Deed
    from .desk import Desk, Manner


@contracts.command("upgrade")
@click.argument("contract")
@click.option(
    "--propose", is_flag=True, help="Put it to the vote, if a timelock owns the contract."
)
@rpc_option
@contracts_option
@sending_options
def upgrade_command(
    contract: str,
    propose: bool,
    rpc: str,
    where: str,
    key: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    home: Path | None,
) -> None:
    """Put this version's code of CONTRACT behind its proxy.

    Refuses code that would misread the state, that a chain does not take, or that a stranger could
    initialise. The owner's key upgrades at once; another key creates the implementation and prints
    the call for the owner.
    """

    async def main() -> None:
        from .desk import Manner, at_contracts, load_manifest, manifest_path, signer_of

        folder = default_home(home)
        signer, path = signer_of(key, folder), manifest_path(where, folder)
        async with at_contracts(rpc, where, folder) as desk:
            record = load_manifest(path, desk.chain_id)
            manner = Manner(dry_run, yes, as_json)
            await _upgrade(desk, record, path, signer, contract, propose, manner)

    run_async(main)


async def _upgrade(
    desk: Desk,
    record: Deployment,
    path: Path,
    signer: Signer,
    contract: str,
    propose: bool,
    manner: Manner,
) -> None:
    from ..deployment.upgrade import candidate_of, examine, put

    candidate = candidate_of(contract)
    standing = await examine(desk, record, candidate)
    facts: dict[str, Any] = {
        "contract": contract, "proxy": standing.proxy, "implementation": standing.implementation,
        "sources": standing.source_hash, "new_sources": candidate.source_hash,
        "owner": standing.owner, "remarks": [str(r) for r in standing.remarks],
    }  # fmt: skip
    if not manner.as_json:
        click.echo(f"{contract} at {standing.proxy} runs {standing.implementation}")
        click.echo(f"  sources  {standing.source_hash[:16]} -> {candidate.source_hash[:16]}")
        click.echo("  storage  nothing that is there moves or changes")
        for remark in standing.remarks:
            click.echo(f"  look at  {remark}")
    same = standing.source_hash == candidate.source_hash
    if manner.dry_run or same:
        said = "it runs these sources already" if same else "nothing was sent"
        click.echo(
            json.dumps({"dry_run": manner.dry_run, **facts}, indent=2) if manner.as_json else said
        )
        return
    if not manner.yes:
        click.confirm("create the new implementation?", abort=True)
    made = await put(desk, signer, candidate)
    record.sources[made] = candidate.source_hash
    record.save(path)
    deed = await _deed(desk, signer, contract, standing, made, facts, propose)
    await desk.act(signer, deed, manner)
    if standing.owner == signer.address:
        record.implementations[contract] = made
        record.sources[contract] = candidate.source_hash
        record.save(path)


async def _deed(
    desk: Desk,
    signer: Signer,
    contract: str,
    standing: Any,
    made: str,
    facts: dict[str, Any],
    propose: bool,
) -> Deed:
    """The upgrade itself, a proposal of it, or only its words."""
    from ..deployment.upgrade import upgrade_call
    from .deed import Deed

    call = upgrade_call(standing, contract, made, b"")
    facts = facts | {"new_implementation": made, "target": call.to, "data": "0x" + call.data.hex()}
    lines = [f"the new implementation is {made}"]
    if standing.owner == signer.address:
        return Deed([call], facts, lines)
    if not propose:
        lines += [f"for {standing.owner or 'the governor'} to call on {call.to}:"]
        return Deed([], facts, [*lines, "0x" + call.data.hex()])
    from ..bindings.infera_governor import InferaGovernor

    if standing.owner not in (None, desk.contracts.get("InferaTimelock")):
        raise InferaError(
            f"{contract} belongs to {standing.owner}, not to the timelock",
            code="not_owner",
            hint="leave out --propose, and give the call that is printed to its owner",
        )
    text = f"# Upgrade {contract}\n\nNew implementation {made}, sources {facts['new_sources']}."
    proposal = InferaGovernor(desk).propose([call.to], [0], [call.data], text)
    return Deed([proposal], facts, lines)
