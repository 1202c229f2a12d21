"""`SeatMarket` on `HotPool`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.protocol.eip712 import Domain
from infera.services.seats import Loadout, Pool, Seat, SeatMarket, SeatRules
from infera.types import Tier

from ..bindings import hot_pool as abi
from ..bindings.hot_pool import HotPool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.keys import Signer
    from infera.protocol.messages import DemandSignal, Heartbeat
    from infera.types import Address

    from ..binding import Call
    from ..chain import EvmChain
    from ..transactions import Receipt


class EvmSeatMarket(SeatMarket):
    """Reads and plays the hot pool."""

    def __init__(self, chain: EvmChain) -> None:
        self._chain = chain
        self.domain = Domain(chain.domain.chain_id, chain.contracts["HotPool"])

    @property
    def _pool(self) -> HotPool:
        return HotPool(self._chain)

    async def _tell(self, signer: Signer, call: Call) -> Receipt:
        return await self._chain.send(signer, call)

    async def rules(self) -> SeatRules:
        """What holds for all pools."""
        got = await self._pool.parameters()
        return SeatRules(got.freshness, got.notice, got.epochLength, got.marginBps, got.rewardBps)

    async def pool(self, model_id: bytes) -> Pool:
        """A model's seats and terms."""
        rate, fewest, most, seats, taken = await self._pool.pool_of(model_id)
        budget = (await self._pool.account_of(model_id)).budget
        epoch, more, fewer, total = await self._pool.demand_of(model_id)
        due = seats
        if total and epoch < await self.epoch():  # as `Pools.step` will decide
            if 2 * more > total:
                due = min(seats + 1, most)
            elif 2 * fewer > total:
                due = max(seats - 1, fewest)
        return Pool(rate, fewest, most, seats, taken, budget, due)

    async def seats(self, model_id: bytes) -> Sequence[Seat]:
        """The seats that are taken, warm or not."""
        return [_seat(row) for row in await self._pool.seats_of(model_id)]

    async def held(self, provider: Address) -> Sequence[bytes]:
        """The models the provider has seats for."""
        return list(await self._pool.models_of(provider))

    async def epoch(self) -> int:
        """Number of the present epoch."""
        return await self._pool.current_epoch()

    async def bid(self, signer: Signer, model_id: bytes, ask: int, loadout: Loadout) -> None:
        """Take a seat."""
        tiers = sum(1 << tier for tier in set(loadout.tiers))
        row = abi.Loadout(loadout.tokens_per_second, loadout.capacity, tiers)
        await self._tell(signer, self._pool.bid(model_id, ask, row))

    async def lower_ask(self, signer: Signer, model_id: bytes, ask: int) -> None:
        """Ask for less from now on."""
        await self._tell(signer, self._pool.lower_ask(model_id, ask))

    async def give_notice(self, signer: Signer, model_id: bytes) -> int:
        """Start to leave; returns when the notice ends."""
        receipt = await self._tell(signer, self._pool.give_notice(model_id))
        return abi.NoticeGiven.among(receipt.logs, self._pool.address)[0].leavesAt

    async def heartbeat(self, signer: Signer, model_ids: Sequence[bytes]) -> None:
        """Be present in these seats."""
        await self._tell(signer, self._pool.heartbeat(model_ids))

    async def submit_heartbeats(
        self, sender: Signer, beats: Sequence[tuple[Heartbeat, bytes]]
    ) -> int:
        """Hand in signed heartbeats; returns how many counted."""
        rows = [abi.Heartbeat.of(beat) for beat, _ in beats]
        call = self._pool.submit_heartbeats(rows, [signature for _, signature in beats])
        receipt = await self._tell(sender, call)
        return len(abi.HeartbeatSeen.among(receipt.logs, self._pool.address))

    async def signal_demand(
        self, sender: Signer, signals: Sequence[tuple[DemandSignal, bytes]]
    ) -> int:
        """Hand in routers' signed wishes; returns how many counted."""
        rows = [abi.DemandSignal.of(signal) for signal, _ in signals]
        call = self._pool.signal_demand(rows, [signature for _, signature in signals])
        receipt = await self._tell(sender, call)
        return len(abi.DemandSignalled.among(receipt.logs, self._pool.address))

    async def close_epoch(self, sender: Signer, model_id: bytes) -> None:
        """End the last epoch with signals."""
        await self._tell(sender, self._pool.close_epoch(model_id))

    async def evict(self, sender: Signer, model_id: bytes, provider: Address) -> int:
        """Free a seat; returns the reward in micro-USDC."""
        receipt = await self._tell(sender, self._pool.evict(model_id, provider))
        told = abi.SeatEvicted.among(receipt.logs, self._pool.address)
        return told[0].reward if told else 0

    async def claimable(self, provider: Address, model_ids: Sequence[bytes]) -> int:
        """Micro-USDC that `claim` would pay."""
        return await self._pool.claimable(provider, model_ids)

    async def claim(self, sender: Signer, provider: Address, model_ids: Sequence[bytes]) -> int:
        """Pay the provider what it has earned."""
        receipt = await self._tell(sender, self._pool.claim(provider, model_ids))
        return abi.Claimed.among(receipt.logs, self._pool.address)[0].amount

    async def fund(self, sender: Signer, model_id: bytes, amount: int) -> None:
        """Add micro-USDC of the sender's to a model's budget."""
        await self._chain._approve(sender, "USDC", "HotPool", amount)
        await self._tell(sender, self._pool.fund(model_id, amount))


def _seat(row: abi.Seat) -> Seat:
    loadout = row.loadout
    tiers = tuple(tier for tier in Tier if loadout.tiers >> tier & 1)
    return Seat(
        provider=row.provider,
        ask=row.ask,
        loadout=Loadout(loadout.tokensPerSecond, loadout.capacity, tiers),
        taken_at=row.takenAt,
        leaves_at=row.leavesAt,
        heartbeat_at=row.heartbeatAt,
        backed_until=row.backedUntil,
        rate=row.rate,
        stake=row.stake,
    )
