"""Upgrading a proxy that holds state, on the embedded chain."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infera.errors import InferaError
from infera.keys import Signer
from infera_plugins.chains.evm.bindings.erc1967_proxy import ERC1967Proxy
from infera_plugins.chains.evm.bindings.stake_registry import StakeRegistry
from infera_plugins.chains.evm.bindings.types import Role
from infera_plugins.chains.evm.commands.desk import Desk, Manner
from infera_plugins.chains.evm.commands.upgrade import _deed, _upgrade
from infera_plugins.chains.evm.contracts import interface
from infera_plugins.chains.evm.deployment import upgrade
from infera_plugins.chains.evm.deployment.faucet import FAUCET
from infera_plugins.chains.evm.deployment.manifest import Deployment
from infera_plugins.chains.evm.deployment.placing import create_address
from infera_plugins.chains.evm.deployment.upgrade import (
    Candidate,
    candidate_of,
    examine,
    inspect,
    put,
    upgrade_call,
)
from infera_plugins.chains.evm.gas import Meter

if TYPE_CHECKING:
    from pathlib import Path

    from infera.types import Address

NAME = "StakeRegistry"


async def create(local: Any, code: bytes) -> Address:
    made = (await local.sender.send(FAUCET, None, code)).created
    assert made is not None
    return str(made)


@pytest.fixture
async def stand(local: Any) -> tuple[Desk, Deployment]:
    """A stake registry behind its proxy."""
    implementation = await create(local, StakeRegistry.creation())
    setup = StakeRegistry.initialization(FAUCET.address, FAUCET.address, 60, 10**20, 10**20, 10**20)
    proxy = await create(local, ERC1967Proxy.creation(implementation, setup))
    record = Deployment(31337, "", 0)
    record.contracts[NAME], record.implementations[NAME] = proxy, implementation
    record.sources[NAME] = interface(NAME).source_hash
    meter = Meter(local.rpc, local.sender, record.chain_id)
    return Desk(local.rpc, record.chain_id, local.sender, meter, dict(record.contracts)), record


def second() -> Candidate:
    """Other code with one more variable: it says another version of itself."""
    first = candidate_of(NAME)
    # "5.0.0" and "6.0.0" the way the compiler pushes them: without their last four bits.
    literal, other = bytes.fromhex("0352e302e3"), bytes.fromhex("0362e302e3")
    assert first.creation.count(literal) == 1
    layout = copy.deepcopy(first.layout)
    members = layout["namespaces"]["infera.storage.StakeRegistry"]["members"]
    free = members[-1]["slot"] + 1
    members.append({"name": "more", "slot": free, "offset": 0, "type": "uint64"})
    return replace(
        first, source_hash="22" * 32, creation=first.creation.replace(literal, other), layout=layout
    )


async def test_a_proxy_gets_new_code_and_keeps_its_state(stand: Any) -> None:
    desk, record = stand
    registry = StakeRegistry(desk)
    lowered = registry.set_minimum_stake(Role.Router, 7 * 10**18)
    await desk.transactor.send(FAUCET, lowered.to, lowered.data)
    standing = await examine(desk, record, second())
    assert (standing.owner, standing.remarks) == (FAUCET.address, ())
    made = await put(desk, FAUCET, second())
    assert await registry.upgrade_interface_version() == "5.0.0"
    call = upgrade_call(standing, NAME, made, b"")
    await desk.transactor.send(FAUCET, call.to, call.data)
    assert await registry.upgrade_interface_version() == "6.0.0"
    assert await registry.minimum_stake(Role.Router) == 7 * 10**18
    assert await registry.owner() == FAUCET.address
    # The manifest tells of the old code, so another upgrade has to be told of the new.
    with pytest.raises(InferaError, match=f"nothing here says what StakeRegistry at {made}"):
        await examine(desk, record, second())
    record.sources[made] = interface(NAME).source_hash
    assert (await examine(desk, record, second())).implementation == made


async def test_a_clashing_layout_is_refused_before_anything_is_sent(stand: Any) -> None:
    desk, record = stand
    wrong = second()
    members = wrong.layout["namespaces"]["infera.storage.StakeRegistry"]["members"]
    members[2]["slot"], members[3]["slot"] = 2, 1
    before = await desk.rpc.block_number()
    with pytest.raises(
        InferaError, match=r"misread its state: infera\.storage\.StakeRegistry"
    ) as e:
        await examine(desk, record, wrong)
    assert e.value.code == "upgrade_refused"
    assert await desk.rpc.block_number() == before


async def test_code_that_is_too_long_is_refused(stand: Any) -> None:
    desk, record = stand
    # Returns 24,577 zero bytes as its code.
    huge = bytes.fromhex("6160015ff3")
    with pytest.raises(InferaError, match="the chain does not take the new StakeRegistry"):
        await examine(desk, record, replace(second(), creation=huge))


async def test_what_is_no_implementation_is_refused(stand: Any, local: Any) -> None:
    desk, record = stand
    for code in (interface("DevUSDC").creation(FAUCET.address), bytes.fromhex("5f5ff3")):
        made = (await local.sender.send(FAUCET, None, code)).created
        with pytest.raises(InferaError, match="is no UUPS implementation"):
            await inspect(desk, made)
    # A proxy asked for its UUID refuses, as ERC-1822 wants.
    with pytest.raises(InferaError, match="is no UUPS implementation"):
        await inspect(desk, record.contracts[NAME])


async def test_an_implementation_that_anybody_can_initialise_is_refused(
    stand: Any, local: Any
) -> None:
    desk, record = stand
    # Its own runtime code, put there without running the constructor.
    code = await desk.rpc.code(record.implementations[NAME])
    old, size = bytes.fromhex(record.implementations[NAME][2:]), len(code).to_bytes(2, "big")
    nonce = int(await desk.rpc.read("eth_getTransactionCount", FAUCET.address, "latest"), 16)
    there = create_address(FAUCET.address, nonce)
    head = bytes.fromhex("61") + size + bytes.fromhex("600d5f3961") + size + bytes.fromhex("5ff3")
    copied = head.ljust(13, b"\x00") + code.replace(old, bytes.fromhex(there[2:]))
    assert await create(local, copied) == there
    with pytest.raises(InferaError, match="anybody can initialise"):
        await inspect(desk, there)


def test_what_has_no_layout_is_not_upgradeable() -> None:
    with pytest.raises(InferaError, match="INFR is not upgradeable"):
        candidate_of("INFR")


async def test_the_command_finds_what_stands_and_says_who_may(
    stand: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, record = stand
    monkeypatch.setattr(upgrade, "candidate_of", lambda _: second())
    path = tmp_path / "contracts.json"
    upgrading = (desk, record, path)
    await _upgrade(*upgrading, FAUCET, NAME, False, Manner(dry_run=True))
    assert "nothing was sent" in capsys.readouterr().out
    stranger = Signer.from_hex("11" * 32)
    await desk.transactor.send(FAUCET, stranger.address, b"", value=10**18)
    await _upgrade(*upgrading, stranger, NAME, False, Manner(yes=True))
    said = capsys.readouterr().out
    assert f"for {FAUCET.address} to call on {record.contracts[NAME]}" in said
    assert await StakeRegistry(desk).upgrade_interface_version() == "5.0.0"
    await _upgrade(*upgrading, FAUCET, NAME, False, Manner(yes=True))
    assert await StakeRegistry(desk).upgrade_interface_version() == "6.0.0"
    kept = Deployment.load(path)
    assert kept is not None
    assert kept.implementations[NAME] in capsys.readouterr().out
    assert kept.sources[NAME] == second().source_hash
    # The first code is what this version has, so nothing is known of the second.
    with pytest.raises(InferaError, match="nothing here says what StakeRegistry"):
        await _upgrade(*upgrading, FAUCET, NAME, False, Manner(yes=True))


async def test_sources_that_run_already_are_not_sent_again(
    stand: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk, record = stand
    block = await desk.rpc.block_number()
    await _upgrade(desk, record, tmp_path / "c.json", FAUCET, NAME, False, Manner(yes=True))
    assert "it runs these sources already" in capsys.readouterr().out
    assert await desk.rpc.block_number() == block


async def test_what_the_timelock_owns_is_proposed_and_anothers_is_not(stand: Any) -> None:
    desk, record = stand
    timelock, made = record.contracts[NAME], record.implementations[NAME]
    desk.contracts |= {"InferaTimelock": timelock, "InferaGovernor": made}
    standing = replace(await examine(desk, record, second()), owner=timelock)
    facts = {"new_sources": second().source_hash}
    deed = await _deed(desk, FAUCET, NAME, standing, made, facts, True)
    [call] = deed.calls
    upgrading = upgrade_call(standing, NAME, made, b"")
    assert (call.to, call.function.name) == (made, "propose")
    assert call.args[:3] == ([standing.proxy], [0], [upgrading.data])
    with pytest.raises(InferaError, match="not to the timelock"):
        await _deed(desk, FAUCET, NAME, replace(standing, owner=made), made, facts, True)
