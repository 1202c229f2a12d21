"""Contracts in the hands of their governance, on any chain that a test has: embedded or anvil."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infera.keys import KeyStore, Signer
from infera_plugins.chains.evm.bindings.dev_usdc import DevUSDC
from infera_plugins.chains.evm.bindings.erc1967_proxy import ERC1967Proxy
from infera_plugins.chains.evm.bindings.infera_governor import (
    InferaGovernor,
    ParameterCall,
    Setup,
)
from infera_plugins.chains.evm.bindings.infera_timelock import InferaTimelock
from infera_plugins.chains.evm.bindings.infr import INFR, Allocation
from infera_plugins.chains.evm.bindings.job_registry import JobRegistry
from infera_plugins.chains.evm.bindings.payment_vault import PaymentVault
from infera_plugins.chains.evm.bindings.stake_registry import StakeRegistry
from infera_plugins.chains.evm.bindings.ve_infr import VeINFR
from infera_plugins.chains.evm.bindings.vesting import Vesting
from infera_plugins.chains.evm.contracts import interface
from infera_plugins.chains.evm.deployment.faucet import FAUCET

if TYPE_CHECKING:
    from pathlib import Path

    from infera.types import Address
    from infera_plugins.chains.evm.binding import Call
    from infera_plugins.chains.evm.commands.desk import Desk

DAY = 86_400
INFR_WEI = 10**18
SUPPLY = 1_000_000_000 * INFR_WEI
VESTING = 830_000_000 * INFR_WEI
"""What does not circulate for a year: docs/protocol/distribution.md."""

HOLDERS = {"whale": 13_500_000, "shark": 7_000_000, "minnow": 400_000}
"""Keys and what each holds in INFR; the deployer has the rest. Quorums are 6.8 and 13.6 million."""

VOTING_DELAY, VOTING_PERIOD, EXTENSION, DELAY = DAY, 5 * DAY, 2 * DAY, 7 * DAY
THRESHOLD = 100_000 * INFR_WEI
PARAMETERS = {
    "StakeRegistry": ("setMinimumStake", "setUnbondingPeriod"),
    "JobRegistry": ("setChallengeWindow",),
    "PaymentVault": ("setThawPeriod", "setExpirySlack", "setFees"),
}


def holders(home: Path) -> dict[str, Signer]:
    """The keys of the deployer and of everybody who holds INFR, the same in every home."""
    store = KeyStore(home / "keys")
    names = {name: Signer(bytes([place]) * 32) for place, name in enumerate(HOLDERS, 0x31)}
    for name, signer in {"deployer": FAUCET, **names}.items():
        store.add(name, signer)
    return names


async def govern(desk: Desk, home: Path) -> None:
    """Deploy all as docs/protocol/governance.md has it, endow the holders, write the manifest."""

    async def create(code: bytes) -> Address:
        receipt = await desk.transactor.send(FAUCET, None, code)
        assert receipt.created is not None
        return receipt.created

    async def do(call: Call) -> None:
        await desk.transactor.send(FAUCET, call.to, call.data)

    async def proxied(creation: bytes, initialization: bytes) -> Address:
        return await create(ERC1967Proxy.creation(await create(creation), initialization))

    first = await desk.rpc.block_number()
    nobody = "0x" + "0" * 40
    stand = desk.contracts
    timelock = await create(InferaTimelock.creation(DELAY, [], [nobody], FAUCET.address))
    stand["InferaTimelock"] = timelock
    stand["INFR"] = await create(INFR.creation([Allocation(FAUCET.address, SUPPLY)]))
    stand["USDC"] = await create(DevUSDC.creation(FAUCET.address))
    minimum = 1_000 * INFR_WEI
    stand["StakeRegistry"] = await proxied(
        StakeRegistry.creation(),
        StakeRegistry.initialization(
            timelock, stand["INFR"], 7 * DAY, minimum, 10 * minimum, 10 * minimum
        ),
    )
    stand["JobRegistry"] = await proxied(
        JobRegistry.creation(), JobRegistry.initialization(timelock, stand["StakeRegistry"], 90)
    )
    stand["PaymentVault"] = await proxied(
        PaymentVault.creation(),
        PaymentVault.initialization(
            timelock, stand["USDC"], stand["JobRegistry"], 3_600, timelock, timelock, timelock
        ),
    )
    stand["VeINFR"] = await create(VeINFR.creation(stand["INFR"]))
    later = await desk.now() + 365 * DAY
    vesting = await create(Vesting.creation(timelock, VESTING, later, 3 * 365 * DAY))
    await do(INFR(desk).transfer(vesting, VESTING))
    listed = tuple(
        ParameterCall(stand[name], interface(name).functions[function].selector)
        for name, functions in PARAMETERS.items()
        for function in functions
    )
    setup = Setup(
        timelock, stand["VeINFR"], stand["INFR"], (vesting,), VOTING_DELAY, VOTING_PERIOD,
        EXTENSION, THRESHOLD, listed,
    )  # fmt: skip
    governor = await proxied(InferaGovernor.creation(), InferaGovernor.initialization(setup))
    stand["InferaGovernor"] = governor
    lock = InferaTimelock(desk)
    await do(lock.grant_role(await lock.proposer_role(), governor))
    await do(lock.grant_role(await lock.canceller_role(), governor))
    await do(lock.renounce_role(await lock.default_admin_role(), FAUCET.address))
    for name, signer in holders(home).items():
        await desk.transactor.send(FAUCET, signer.address, b"", value=10**18)
        await do(INFR(desk).transfer(signer.address, HOLDERS[name] * INFR_WEI))
    genesis = await desk.rpc.head(0)
    assert genesis is not None
    record = {
        "chain_id": desk.chain_id, "genesis": "0x" + genesis.hash.hex(), "block": first,
        "contracts": stand,
    }  # fmt: skip
    (home / "contracts.json").write_text(json.dumps(record))
