"""What the blueprint wires is read back, and what it creates can be initialised by nobody."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from infera_plugins.chains.evm.contracts import interface
from infera_plugins.chains.evm.deployment.faucet import FAUCET
from infera_plugins.chains.evm.deployment.verify import verify
from infera_plugins.chains.evm.rpc import RpcFailureError
from infera_plugins.chains.evm.transactions import Transactor

sys.path.insert(0, str(Path(__file__).parent))

from test_commands_deployment import CHAIN, GAS, deployer, differing

ELSEWHERE = "0x" + "99" * 20


def other(function: str, values: tuple[Any, ...], at: Any) -> tuple[Any, ...]:
    """Arguments that undo what these did."""
    if function == "setJobRegistry":  # only one that answers for the same stake is taken
        return (at("SlaRegistry"),)
    if function == "setFeed":
        return "0x" + "0" * 40, 0
    *keys, value = values
    if isinstance(value, bool):
        return *keys, not value
    if isinstance(value, str):
        return *keys, ELSEWHERE
    first, ceiling, period = value
    return *keys, (first, ceiling, period - 1)


async def test_every_wired_value_that_is_changed_is_named(local: Any, tmp_path: Path) -> None:
    made = deployer(local, tmp_path / "manifest.json")
    await made.run()
    at, transactor = made.placement.at, Transactor(local.rpc, CHAIN, poll_s=0.01, flat_gas=GAS)
    wires = [w for w in made.blueprint.wires if w.contract != "InferaTimelock"]
    assert len(wires) > 25
    calls = [
        (at(w.contract), interface(w.contract).functions[w.function].call(
            *other(w.function, w.arguments(at), at)))
        for w in wires
    ]  # fmt: skip
    await transactor.send_all(FAUCET, calls)
    found = differing(await verify(local.rpc, made.record))
    assert {read.what for w in wires for read in w.reads(at)} <= set(found)
    assert {"StakeRegistry slashers", "JobRegistry courts", "BatchCourt examiners"} <= set(found)
    # And the same blueprint puts it right again.
    again = deployer(local, tmp_path / "manifest.json")
    assert [step.label for step in await again.survey()] == [w.label for w in wires]
    await again.run()
    assert differing(await verify(local.rpc, made.record)) == []


async def test_nobody_can_initialise_anything(local: Any, tmp_path: Path) -> None:
    made = deployer(local, tmp_path / "manifest.json")
    await made.run()
    at = made.placement.at
    proxied = [creation for creation in made.blueprint.creations if creation.proxied]
    assert len(proxied) > 10
    for creation in proxied:
        contract = interface(creation.name)
        call = contract.functions["initialize"].call(*creation.arguments(at).values())
        assert call in made.placement.code(creation), "its proxy is born initialised"
        for address in (at(creation.name), made.placement.implementation(creation.name)):
            request = {"from": ELSEWHERE, "to": address, "data": "0x" + call.hex()}
            with pytest.raises(RpcFailureError) as caught:
                await local.ask("eth_call", request, "latest")
            selector = (caught.value.revert_data or b"")[:4]
            assert contract.errors[selector][0] == "InvalidInitialization", creation.name
