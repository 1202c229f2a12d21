"""Pay for keeping a model warm: seats, bids, presence, demand (docs/protocol/hot-pool.md)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.keys import Signer
    from infera.protocol.eip712 import Domain
    from infera.protocol.messages import DemandSignal, Heartbeat
    from infera.types import Address, Tier

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Loadout:
    """What a provider can serve from its seat."""

    tokens_per_second: int
    capacity: int
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat that is taken. Money in micro-USDC per second, times in UTC seconds of the chain.

    `rate` is what is set aside until `backed_until`; `leaves_at` is when its notice ends, zero if
    none was given; `stake` is the INFR wei its throughput asks for beyond the minimum.
    """

    provider: Address
    ask: int
    loadout: Loadout
    taken_at: int
    leaves_at: int
    heartbeat_at: int
    backed_until: int
    rate: int
    stake: int


@dataclass(frozen=True, slots=True)
class Pool:
    """A model's seats: how many there are (`seats`, between the bounds), how many are taken.

    `rate` is what all seats cost at most, `highest_ask` what one may ask (micro-USDC per second);
    a rate of zero means that nobody is paid. `budget` is micro-USDC not yet set aside. `seats_due`
    is how many seats there will be once the last epoch's signals are counted, which waits for
    somebody's next signal or `close_epoch`.
    """

    rate: int
    min_seats: int
    max_seats: int
    seats: int
    taken: int
    budget: int
    seats_due: int

    @property
    def highest_ask(self) -> int:
        return self.rate // self.max_seats if self.max_seats else 0

    @property
    def open(self) -> bool:
        """Whether seats are paid at all."""
        return self.rate > 0


@dataclass(frozen=True, slots=True)
class SeatRules:
    """What holds for all pools; durations in seconds."""

    freshness: int
    notice: int
    epoch_length: int
    margin_bps: int
    reward_bps: int

    def winning_ask(self, dearest: int) -> int:
        """The highest ask that takes a seat asking `dearest`; -1 if none does."""
        return min(dearest * (BPS - self.margin_bps) // BPS, dearest - 1)


class SeatMarket(ABC):
    """The hot pool. Calls raise `ChainError` or `ChainUnavailableError` as the chain does."""

    domain: Domain
    """What demand signals and heartbeats are signed for."""

    @abstractmethod
    async def rules(self) -> SeatRules:
        """What holds for all pools."""

    @abstractmethod
    async def pool(self, model_id: bytes) -> Pool:
        """A model's seats and terms."""

    @abstractmethod
    async def seats(self, model_id: bytes) -> Sequence[Seat]:
        """The seats that are taken, warm or not."""

    @abstractmethod
    async def held(self, provider: Address) -> Sequence[bytes]:
        """The models the provider has seats for."""

    @abstractmethod
    async def epoch(self) -> int:
        """Number of the present epoch."""

    # -- a provider's own; the signer is its cold key

    @abstractmethod
    async def bid(self, signer: Signer, model_id: bytes, ask: int, loadout: Loadout) -> None:
        """Take a seat: a free one, or the dearest if the ask is cheaper by the margin."""

    @abstractmethod
    async def lower_ask(self, signer: Signer, model_id: bytes, ask: int) -> None:
        """Ask for less from now on."""

    @abstractmethod
    async def give_notice(self, signer: Signer, model_id: bytes) -> int:
        """Start to leave; returns when the notice ends."""

    @abstractmethod
    async def heartbeat(self, signer: Signer, model_ids: Sequence[bytes]) -> None:
        """Be present in these seats; signed by the cold or the hot key."""

    # -- anybody's

    @abstractmethod
    async def submit_heartbeats(
        self, sender: Signer, beats: Sequence[tuple[Heartbeat, bytes]]
    ) -> int:
        """Hand in signed heartbeats; returns how many counted."""

    @abstractmethod
    async def signal_demand(
        self, sender: Signer, signals: Sequence[tuple[DemandSignal, bytes]]
    ) -> int:
        """Hand in routers' signed wishes; returns how many counted."""

    @abstractmethod
    async def close_epoch(self, sender: Signer, model_id: bytes) -> None:
        """End the last epoch with signals, and give notice where there are too many seats."""

    @abstractmethod
    async def evict(self, sender: Signer, model_id: bytes, provider: Address) -> int:
        """Free a seat that is stale, uncovered or over; returns the reward in micro-USDC."""

    @abstractmethod
    async def claimable(self, provider: Address, model_ids: Sequence[bytes]) -> int:
        """Micro-USDC that `claim` would pay."""

    @abstractmethod
    async def claim(self, sender: Signer, provider: Address, model_ids: Sequence[bytes]) -> int:
        """Pay the provider what it has earned, in these seats and before; returns micro-USDC."""

    @abstractmethod
    async def fund(self, sender: Signer, model_id: bytes, amount: int) -> None:
        """Add micro-USDC of the sender's to a model's budget."""
