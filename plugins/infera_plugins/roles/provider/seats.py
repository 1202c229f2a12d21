"""Seats: paid presence, kept from start to stop.

The policy, at every look:

- Without a seat, bid: for `ask` where a seat is free, else for the most that takes the dearest
  seat, never above what the pool allows, and not at all if that is below `lowest_ask`.
- With seats, one heartbeat for all of them, when half of the freshness of any is over.
- A seat `seats:` asks less for than before is lowered; one it does not name is given notice.
- What was earned is claimed once it exceeds the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio

from infera.errors import ChainError, ChainUnavailableError, NeedsOperatorError, TransientError
from infera.events import PresencePaid, ProgressMade, SeatLost, SeatTaken
from infera.services.seats import Loadout
from infera.types import OperatorRole
from infera_plugins.roles.provider.stake import missing_stake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infera.abc import Chain
    from infera.bus import EventBus
    from infera.keys import Signer
    from infera.operators import Identity
    from infera.services.models import ModelBook
    from infera.services.seats import Pool, Seat, SeatMarket, SeatRules
    from infera.types import Tier
    from infera_plugins.roles.provider.config import ProviderConfig

_LEAVE_S = 20.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What this provider wants for a model, in micro-USDC per second."""

    name: str
    ask: int
    lowest_ask: int
    loadout: Loadout


async def wishes_of(
    config: ProviderConfig,
    offered: Sequence[Mapping[str, Any]],
    models: ModelBook,
    tiers: tuple[Tier, ...],
) -> dict[bytes, Wish]:
    """The wishes of `seats:` by model id: a name is that of an offered model, or an official one
    of such a model. Raises `NeedsOperatorError` for any other, `TransientError` while the chain
    is away.
    """
    ids = {str(model["name"]): bytes.fromhex(model["modelId"]) for model in offered}
    wishes: dict[bytes, Wish] = {}
    for name, seat in config.seats.items():
        model_id = ids.get(name)
        if model_id is None:
            try:
                meant = await models.resolve(name)
            except ChainError as error:
                raise TransientError(f"cannot look {name} up: {error.message}") from error
            model_id = None if meant is None else meant[0]
        if model_id not in ids.values():
            raise NeedsOperatorError(
                f"`seats:` names {name}, which this provider does not offer",
                hint=f"it offers: {', '.join(ids)}",
            )
        assert model_id is not None
        loadout = Loadout(
            seat.tokens_per_second or config.tokens_per_second, config.capacity, tiers
        )
        lowest = seat.ask if seat.lowest_ask is None else seat.lowest_ask
        wishes[model_id] = Wish(name, seat.ask, lowest, loadout)
    return wishes


class Waiting(Exception):  # noqa: N818 (no error: the market has no place for this bid now)
    """Why there is no bid now."""


def price(wish: Wish, pool: Pool, seats: Sequence[Seat], rules: SeatRules, now: int) -> int:
    """What to ask for a seat. Raises `Waiting` if no ask of this wish would take one."""
    if not pool.open:
        raise Waiting("nothing is paid for its seats")
    ask = min(wish.ask, pool.highest_ask)
    if ask < wish.lowest_ask:
        raise Waiting(
            f"a seat is paid {pool.highest_ask} micro-USDC a second at most, "
            f"and `lowest_ask:` is {wish.lowest_ask}"
        )
    if len(seats) < pool.seats or any(_over(seat, now) for seat in seats):
        return ask
    staying = [seat.ask for seat in seats if not seat.leaves_at]
    if not staying:
        raise Waiting("all seats are taken, by providers that are leaving")
    ask = min(ask, rules.winning_ask(max(staying)))
    if ask < wish.lowest_ask:
        raise Waiting(
            f"the dearest of its {len(seats)} seats asks {max(staying)} micro-USDC a second, "
            f"and `lowest_ask:` is {wish.lowest_ask}"
        )
    return ask


def _over(seat: Seat, now: int) -> bool:
    return seat.leaves_at != 0 and now >= seat.leaves_at


@dataclass(slots=True)
class SeatKeeper:
    """Bids for one provider's seats, keeps them, and collects what they earn.

    `cold` is None where the stake's key is elsewhere: seats are then kept but not bid for.
    """

    chain: Chain
    market: SeatMarket
    models: ModelBook
    who: Identity
    cold: Signer | None
    wishes: Mapping[bytes, Wish]
    interval_s: float
    claim_from: int
    """Micro-USDC from which on earnings are claimed."""
    leave_at_stop: bool
    bus: EventBus
    source: str
    _seated: dict[bytes, Seat] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)
    """The last thing said about each subject, so that nothing is said twice in a row."""

    async def run(self) -> None:
        """Look, for ever."""
        try:
            while True:
                try:
                    await self.look()
                    self._said.pop("chain", None)
                except ChainUnavailableError as error:
                    self._say("chain", f"cannot look after its seats: {error.message}")
                except ChainError as error:
                    # Somebody else was first, or the market has moved on: the next look sees it.
                    self._say("chain", f"a seat's transaction was refused: {error.message}")
                await anyio.sleep(self.interval_s)
        finally:
            if self.leave_at_stop:
                with anyio.CancelScope(shield=True), anyio.move_on_after(_LEAVE_S):
                    await self.leave()

    async def look(self) -> None:
        """Do once what the policy says."""
        rules, now = await self.market.rules(), await self.chain.timestamp()
        sitting = await self.market.held(self.who.address)
        for model_id in dict.fromkeys((*self.wishes, *self._seated, *sitting)):
            seat = await self._tend(model_id, rules, now)
            if seat is not None:
                self._seated[model_id] = seat
        await self._beat(rules, now)
        await self._collect(self.claim_from)

    async def leave(self) -> None:
        """Give notice for every seat, free those whose notice is over, take what was earned."""
        if self.cold is None:
            self._say(
                "stop",
                "keeps its seats: only the key that owns the stake can give notice for them, with "
                "`infera seats leave`",
            )
            return
        me = self.who.address
        try:
            for model_id in await self.market.held(me):
                seat = self._mine(await self.market.seats(model_id))
                if seat is None:
                    continue
                ends = seat.leaves_at or await self.market.give_notice(self.cold, model_id)
                now = await self.chain.timestamp()
                if now >= ends:
                    await self._free(model_id, "it left")
                    continue
                self._seated[model_id] = seat
                self._tell(
                    f"gave notice for {self._name(model_id)}; paid for {ends - now} s more, as "
                    "long as its heartbeat is fresh; anybody can have it paid out with "
                    f"`infera seats claim {me}`"
                )
            await self._collect(1)
        except ChainError as error:
            self._say("stop", f"could not leave its seats: {error.message}")

    # -- one seat

    async def _tend(self, model_id: bytes, rules: SeatRules, now: int) -> Seat | None:
        """The provider's seat after what had to be done about it; None if it has none."""
        wish, seats = self.wishes.get(model_id), await self.market.seats(model_id)
        mine, before = self._mine(seats), self._seated.get(model_id)
        if mine is None and before is not None:
            self._lost(model_id, _reason(before, seats, rules, now))
        if mine is not None and _over(mine, now):
            await self._free(model_id, "its notice is over")
            seats, mine = [seat for seat in seats if seat is not mine], None
        if self.cold is None or (mine is None and wish is None):
            return mine
        if mine is None:
            assert wish is not None
            return await self._bid(self.cold, model_id, wish, seats, rules, now)
        if wish is None:
            if not mine.leaves_at:
                ends = await self.market.give_notice(self.cold, model_id)
                self._tell(f"gave notice for {self._name(model_id)}, which `seats:` does not name")
                return replace(mine, leaves_at=ends)
        elif wish.ask < mine.ask and not mine.leaves_at:
            await self.market.lower_ask(self.cold, model_id, wish.ask)
            self._tell(f"asks {wish.ask} micro-USDC a second for {wish.name} from now on")
            return replace(mine, ask=wish.ask)
        return mine

    async def _bid(
        self,
        cold: Signer,
        model_id: bytes,
        wish: Wish,
        seats: Sequence[Seat],
        rules: SeatRules,
        now: int,
    ) -> Seat | None:
        try:
            ask = price(wish, await self.market.pool(model_id), seats, rules, now)
        except Waiting as reason:
            self._say(wish.name, f"no bid for a seat of {wish.name}: {reason}")
            return None
        short = await self._shortfall(model_id, wish)
        if short is not None:
            self._say(wish.name, f"no bid for a seat of {wish.name}: {short}")
            return None
        await self.market.bid(cold, model_id, ask, wish.loadout)
        self._said.pop(wish.name, None)
        self.bus.publish(SeatTaken(self.who.address, wish.name, ask))
        return self._mine(await self.market.seats(model_id))

    async def _shortfall(self, model_id: bytes, wish: Wish) -> str | None:
        """What is missing of the stake that this seat and those held ask for."""
        me, role = self.who.address, OperatorRole.PROVIDER
        needed = await self.chain.minimum_stake(role)
        needed += await self.models.stake_for(model_id, wish.loadout.tokens_per_second)
        for other in await self.market.held(me):
            mine = self._mine(await self.market.seats(other))
            needed += 0 if mine is None else mine.stake
        known = await self.chain.operator(me, role)
        return missing_stake(
            me, 0 if known is None else known.stake, needed, "the throughput of its seats"
        )

    async def _free(self, model_id: bytes, reason: str) -> None:
        await self.market.evict(self.who.hot, model_id, self.who.address)
        self._lost(model_id, reason)

    # -- all of them

    async def _beat(self, rules: SeatRules, now: int) -> None:
        staying = {m: seat for m, seat in self._seated.items() if not _over(seat, now)}
        if any(2 * (now - seat.heartbeat_at) >= rules.freshness for seat in staying.values()):
            await self.market.heartbeat(self.who.hot, list(staying))

    async def _collect(self, least: int) -> None:
        me, sitting = self.who.address, list(self._seated)
        if await self.market.claimable(me, sitting) < max(least, 1):
            return
        paid = await self.market.claim(self.who.hot, me, sitting)
        if paid:
            self.bus.publish(PresencePaid(me, paid))

    # -- telling

    def _mine(self, seats: Sequence[Seat]) -> Seat | None:
        return next((seat for seat in seats if seat.provider == self.who.address), None)

    def _name(self, model_id: bytes) -> str:
        wish = self.wishes.get(model_id)
        return f"0x{model_id.hex()[:10]}…" if wish is None else wish.name

    def _lost(self, model_id: bytes, reason: str) -> None:
        self._seated.pop(model_id, None)
        self.bus.publish(SeatLost(self.who.address, self._name(model_id), reason))

    def _say(self, about: str, text: str) -> None:
        if self._said.get(about) != text:
            self._said[about] = text
            self._tell(text)

    def _tell(self, text: str) -> None:
        self.bus.publish(ProgressMade(self.source, text))


def _reason(before: Seat, seats: Sequence[Seat], rules: SeatRules, now: int) -> str:
    """Why a seat is gone, from what is left of it."""
    if _over(before, now):
        return "its notice is over"
    if now > before.heartbeat_at + rules.freshness:
        return "it was evicted: its heartbeat was stale"
    cheaper = [s for s in seats if s.taken_at >= before.heartbeat_at and s.ask < before.ask]
    if cheaper:
        newest = max(cheaper, key=lambda seat: seat.taken_at)
        instead = f"asks {newest.ask} instead of {before.ask} micro-USDC a second"
        return f"{newest.provider[:10]} {instead}"
    return "it was evicted, or displaced by a seat that is gone again"
