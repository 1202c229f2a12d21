"""What anybody may call and somebody must: prices that age, fees that wait to be used
(docs/keeper.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infera.keys import Signer
    from infera.types import Address


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is worth a transaction to the keeper at `keeper`. Amounts of USDC in micro-USDC, of INFR
    in wei. `routers` are those whose volume the keeper's owner vouches for (ecosystem vesting).
    """

    keeper: Address
    least_payout: int = 0
    least_release: int = 0
    routers: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing that is due now. `occasion` tells it from earlier and later ones of its task and is
    the same for every keeper; `detail` is for people; `call` is for the chain that made it.
    """

    task: str
    occasion: str
    detail: str
    call: tuple[Any, ...]


class Upkeep(ABC):
    """The tasks of a chain. Calls raise `ChainError` or `ChainUnavailableError` as it does."""

    tasks: Mapping[str, str]
    """Name to what it does. A task whose contract does not stand is not here."""

    @abstractmethod
    async def due(self, task: str, bounds: Bounds) -> Sequence[Duty]:
        """What is due of a task. Nothing is sent."""

    @abstractmethod
    async def cost(self, signer: Signer, duty: Duty) -> int:
        """Wei its transaction would cost now. Raises the typed revert if it would fail."""

    @abstractmethod
    async def do(self, signer: Signer, duty: Duty) -> str | None:
        """Do it; returns the transaction's hash as 0x hex, or None if somebody else was first and
        nothing was left to do.
        """
