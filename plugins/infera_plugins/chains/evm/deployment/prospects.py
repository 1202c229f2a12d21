"""What a deployment is going to cost, transaction by transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infera.errors import ChainError

from ..contracts import interface
from ..gas import intrinsic_gas
from .placing import FACTORY, FACTORY_PRICE, FACTORY_SENDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.types import Address

    from ..gas import Cost, Meter
    from ..rpc import Rpc
    from ..transactions import Transactor
    from .executor import Deployer, Step

GAS_CAP = 16_777_216
"""The most gas Base lets one transaction have (EIP-7825)."""

INITIALISE_GAS = 1_000_000
"""More than any `initialize` takes; for steps that cannot be estimated before others stand."""

CALL_GAS = 500_000
"""More than any wiring call takes; likewise."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """A transaction that is still to be sent."""

    label: str
    address: Address
    cost: Cost
    arguments: dict[str, object]
    value: int = 0
    """Wei that go along."""


async def prospects(
    deployer: Deployer, missing: Sequence[Step], rpc: Rpc, transactor: Transactor, meter: Meter
) -> list[Prospect]:
    """The missing steps, priced, with the deterministic deployment proxy if it is missing too."""
    found: list[Prospect] = []
    if deployer.factory_missing and any(step.creates for step in missing):
        cost = await meter.cost(21_000, FACTORY_SENDER, b"", value=FACTORY_PRICE)
        value = max(0, FACTORY_PRICE - await rpc.balance(FACTORY_SENDER))
        found.append(Prospect("deterministic deployment proxy", FACTORY, cost, {}, value))
    coming: set[Address] = set()
    for step in missing:
        cost = await _cost(deployer, step, transactor, meter, certain=step.address not in coming)
        found.append(Prospect(step.label, step.address, cost, dict(step.arguments)))
        if step.creates:
            coming.add(step.address)
            coming.update(deployer.children(step))
    return found


async def _cost(
    deployer: Deployer, step: Step, transactor: Transactor, meter: Meter, *, certain: bool
) -> Cost:
    to, data = deployer.message(step)
    if step.creates or certain:  # a call to what does not stand yet would seem to do nothing
        try:
            gas = await transactor.estimate(deployer.signer, to, data)
        except ChainError as e:
            if e.code == "chain_no_gas_money":
                raise
        else:
            return await meter.cost(gas, to, data)
    if step.creates:
        size = len(interface("Proxy" if step.arguments else step.name).bytecode)
        gas = intrinsic_gas(data, creates=True) + 200 * size + INITIALISE_GAS
    else:
        gas = CALL_GAS
    return await meter.cost(gas, to, data, exact=False)
