"""How many seats an official model should have, from this router's own load
(docs/protocol/hot-pool.md).

What was measured in one epoch is signalled in the next, for every model whose seats are paid:

- one seat more, if one in a hundred requests or more found no provider with a free slot;
- one seat fewer, if none was refused and the busiest moment seen took half of the slots or less;
- as many as there are otherwise, which keeps others from deciding alone.

A router that neither saw a request nor has a provider for a model says nothing about it. A signal
never leaves the model's bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from infera.errors import ChainError
from infera.events import ProgressMade
from infera.protocol.messages import DemandSignal

if TYPE_CHECKING:
    from infera.bus import EventBus
    from infera.keys import Signer
    from infera.services.seats import Pool, SeatMarket
    from infera.types import Address
    from infera_plugins.roles.router.index import ProviderIndex

REFUSED_ONE_IN = 100
IDLE_SHARE = 0.5
_LOOKS_PER_EPOCH = 20
_LOOK_S = (1.0, 60.0)


@dataclass(slots=True)
class Load:
    """What one model had to carry in an epoch; `peak` is the share of slots taken at the busiest
    moment.
    """

    placed: int = 0
    refused: int = 0
    peak: float = 0.0

    def seats(self, pool: Pool, providers: int) -> int | None:
        """How many seats this load asks for; None if there is nothing to go by."""
        if self.placed + self.refused == 0 and providers == 0:
            return None
        if self.refused * REFUSED_ONE_IN >= max(self.placed + self.refused, 1):
            step = 1
        elif self.refused == 0 and self.peak <= IDLE_SHARE:
            step = -1
        else:
            step = 0
        return min(max(pool.seats_due + step, pool.min_seats), pool.max_seats)


@dataclass(slots=True)
class Demand:
    """Measures the load of official models, request by request."""

    index: ProviderIndex
    loads: dict[bytes, Load] = field(default_factory=dict)

    def placed(self, name: str) -> None:
        """A job has begun at a provider."""
        load = self._load(name)
        if load is None:
            return
        load.placed += 1
        self._busy(load, name)

    def refused(self, name: str, *, busy: bool = False) -> None:
        """Nobody took a job. It counts if nobody had a slot, as far as is known here or because
        the providers say that they are `busy`: prices and tiers are no demand.
        """
        load = self._load(name)
        if load is None:
            return
        if busy or not any(
            peer.in_flight < peer.offer.capacity and not peer.draining
            for peer in self.index.offering(name)
        ):
            load.refused += 1

    def sample(self) -> None:
        """Look how busy everybody is: jobs that began before this epoch count too."""
        for model in self.index.names.official.values():
            self._busy(self.loads.setdefault(model.model_id, Load()), model.name)

    def _busy(self, load: Load, name: str) -> None:
        peers = self.index.offering(name)
        slots = sum(peer.offer.capacity for peer in peers)
        if slots:
            load.peak = max(load.peak, sum(peer.in_flight for peer in peers) / slots)

    def take(self) -> dict[bytes, Load]:
        """What was measured since the last call."""
        taken, self.loads = self.loads, {}
        return taken

    def _load(self, name: str) -> Load | None:
        model_id = self.index.names.get(name)
        if model_id is None or model_id not in self.index.names.official:
            return None
        return self.loads.setdefault(model_id, Load())


@dataclass(slots=True)
class Signaller:
    """Signals once an epoch, in one transaction for all models."""

    market: SeatMarket
    demand: Demand
    address: Address
    hot: Signer
    bus: EventBus

    async def run(self) -> None:
        """Wait for epochs to end, for ever."""
        last: int | None = None
        wait = _LOOK_S[1]
        while True:
            try:
                wait = await self._pause()
                epoch = await self.market.epoch()
                self.demand.sample()
                before, last = last, epoch
                if before is None:
                    self.demand.take()
                elif epoch > before:
                    await self._signal(epoch)
            except ChainError as error:
                self.bus.publish(
                    ProgressMade("router", f"cannot signal demand for seats: {error.message}")
                )
            await anyio.sleep(wait)

    async def _pause(self) -> float:
        epoch = (await self.market.rules()).epoch_length
        return min(max(epoch / _LOOKS_PER_EPOCH, _LOOK_S[0]), _LOOK_S[1])

    async def _signal(self, epoch: int) -> None:
        index, loads = self.demand.index, self.demand.take()
        signals = []
        for model in list(index.names.official.values()):
            pool = await self.market.pool(model.model_id)
            if not pool.open:
                continue
            load = loads.get(model.model_id, Load())
            seats = load.seats(pool, len(index.offering(model.name)))
            if seats is None:
                continue
            # An epoch comes once, so its number is a sequence that only rises, over restarts too.
            signal = DemandSignal(self.address, model.model_id, epoch, epoch, seats)
            signals.append((signal, self.hot.sign(signal.digest(self.market.domain))))
        if signals:
            await self.market.signal_demand(self.hot, signals)
