"""`SeatMarket` on `HotPool`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infera.protocol.eip712 import Domain
from infera.services.seats import Loadout, Pool, Seat, SeatMarket, SeatRules
from infera.types import Tier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infera.keys import Signer
    from infera.protocol.messages import DemandSignal, Heartbeat
    from infera.types import Address

    from ..chain import EvmChain
    from ..transactions import Receipt

_POOL = "HotPool"


class EvmSeatMarket(SeatMarket):
    """Reads and plays the hot pool."""

    def __init__(self, chain: EvmChain) -> None:
        self._chain = chain
        self.domain = Domain(chain.domain.chain_id, chain.contracts[_POOL])

    async def _ask(self, function: str, *args: Any) -> Any:
        return await self._chain.call(_POOL, function, *args)

    async def _tell(self, signer: Signer, function: str, *args: Any) -> Receipt:
        return await self._chain.transact(signer, _POOL, function, *args)

    async def rules(self) -> SeatRules:
        """What holds for all pools."""
        got = await self._ask("parameters")
        return SeatRules(
            got["freshness"], got["notice"], got["epochLength"], got["marginBps"], got["rewardBps"]
        )

    async def pool(self, model_id: bytes) -> Pool:
        """A model's seats and terms."""
        rate, fewest, most, seats, taken = await self._ask("poolOf", model_id)
        _, _, budget, _, _ = await self._ask("accountOf", model_id)
        epoch, more, fewer, total = await self._ask("demandOf", model_id)
        due = seats
        if total and epoch < await self.epoch():  # as `Pools.step` will decide
            if 2 * more > total:
                due = min(seats + 1, most)
            elif 2 * fewer > total:
                due = max(seats - 1, fewest)
        return Pool(rate, fewest, most, seats, taken, budget, due)

    async def seats(self, model_id: bytes) -> Sequence[Seat]:
        """The seats that are taken, warm or not."""
        return [_seat(row) for row in await self._ask("seatsOf", model_id)]

    async def held(self, provider: Address) -> Sequence[bytes]:
        """The models the provider has seats for."""
        return list(await self._ask("modelsOf", provider))

    async def epoch(self) -> int:
        """Number of the present epoch."""
        return int(await self._ask("currentEpoch"))

    async def bid(self, signer: Signer, model_id: bytes, ask: int, loadout: Loadout) -> None:
        """Take a seat."""
        tiers = sum(1 << tier for tier in set(loadout.tiers))
        row = (loadout.tokens_per_second, loadout.capacity, tiers)
        await self._tell(signer, "bid", model_id, ask, row)

    async def lower_ask(self, signer: Signer, model_id: bytes, ask: int) -> None:
        """Ask for less from now on."""
        await self._tell(signer, "lowerAsk", model_id, ask)

    async def give_notice(self, signer: Signer, model_id: bytes) -> int:
        """Start to leave; returns when the notice ends."""
        receipt = await self._tell(signer, "giveNotice", model_id)
        return int(self._one(receipt, "NoticeGiven")["leavesAt"])

    async def heartbeat(self, signer: Signer, model_ids: Sequence[bytes]) -> None:
        """Be present in these seats."""
        await self._tell(signer, "heartbeat", list(model_ids))

    async def submit_heartbeats(
        self, sender: Signer, beats: Sequence[tuple[Heartbeat, bytes]]
    ) -> int:
        """Hand in signed heartbeats; returns how many counted."""
        rows = [beat for beat, _ in beats]
        receipt = await self._tell(sender, "submitHeartbeats", rows, [s for _, s in beats])
        return len(self._chain._events_of(receipt, "HeartbeatSeen"))

    async def signal_demand(
        self, sender: Signer, signals: Sequence[tuple[DemandSignal, bytes]]
    ) -> int:
        """Hand in routers' signed wishes; returns how many counted."""
        rows = [signal for signal, _ in signals]
        receipt = await self._tell(sender, "signalDemand", rows, [s for _, s in signals])
        return len(self._chain._events_of(receipt, "DemandSignalled"))

    async def close_epoch(self, sender: Signer, model_id: bytes) -> None:
        """End the last epoch with signals."""
        await self._tell(sender, "closeEpoch", model_id)

    async def evict(self, sender: Signer, model_id: bytes, provider: Address) -> int:
        """Free a seat; returns the reward in micro-USDC."""
        receipt = await self._tell(sender, "evict", model_id, provider)
        told = self._chain._events_of(receipt, "SeatEvicted")
        return int(told[0].args["reward"]) if told else 0

    async def claimable(self, provider: Address, model_ids: Sequence[bytes]) -> int:
        """Micro-USDC that `claim` would pay."""
        return int(await self._ask("claimable", provider, list(model_ids)))

    async def claim(self, sender: Signer, provider: Address, model_ids: Sequence[bytes]) -> int:
        """Pay the provider what it has earned."""
        receipt = await self._tell(sender, "claim", provider, list(model_ids))
        return int(self._one(receipt, "Claimed")["amount"])

    async def fund(self, sender: Signer, model_id: bytes, amount: int) -> None:
        """Add micro-USDC of the sender's to a model's budget."""
        await self._chain._approve(sender, "USDC", _POOL, amount)
        await self._tell(sender, "fund", model_id, amount)

    def _one(self, receipt: Receipt, event: str) -> Mapping[str, Any]:
        return self._chain._events_of(receipt, event)[0].args


def _seat(row: Mapping[str, Any]) -> Seat:
    loadout = row["loadout"]
    tiers = tuple(tier for tier in Tier if loadout["tiers"] >> tier & 1)
    return Seat(
        provider=row["provider"],
        ask=row["ask"],
        loadout=Loadout(loadout["tokensPerSecond"], loadout["capacity"], tiers),
        taken_at=row["takenAt"],
        leaves_at=row["leavesAt"],
        heartbeat_at=row["heartbeatAt"],
        backed_until=row["backedUntil"],
        rate=row["rate"],
        stake=row["stake"],
    )
