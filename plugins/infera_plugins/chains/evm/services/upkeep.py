"""The tasks of a network's contracts: what is due, and the call that does it.

A task is a row of `TASKS`: its name, the contract it is about, a sentence, and a function that
looks and yields what is due. Adding one is a function and a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from infera.errors import ChainError
from infera.services.upkeep import Bounds, Duty, Upkeep
from infera.types import OperatorRole

from ..bindings.buyback import Buyback
from ..bindings.ecosystem_vesting import EcosystemVesting
from ..bindings.hot_pool import HotPool
from ..bindings.infr import INFR
from ..bindings.job_registry import JobRegistry
from ..bindings.model_registry import ModelRegistry
from ..bindings.payment_vault import PaymentVault
from ..bindings.reputation import Reputation
from ..bindings.stake_registry import StakeRegistry
from ..bindings.types import Role
from ..gas import Meter
from ..rpc import RpcFailureError
from ..transactions import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from infera.keys import Signer

    from ..binding import Call
    from ..chain import EvmChain

WEEK_S = 7 * 86_400
MODELS_PER_CALL = 200
USDC = 1_000_000
WEI = 10**18

Due: TypeAlias = "AsyncIterator[tuple[str, str, Call]]"
"""(occasion, detail, call) of each thing that is due."""


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of upkeep; it exists where its contract stands."""

    name: str
    contract: str
    summary: str
    look: Callable[[EvmChain, int, Bounds], Due]
    """Asked with the newest block's time, UTC seconds."""
    lenient: bool = False
    """Whether the contract takes a call that has nothing to do: it is then told by its logs."""


async def _prices(chain: EvmChain, now: int, bounds: Bounds) -> Due:
    registry = StakeRegistry(chain)
    if int((await registry.price_feed()).feed, 16) == 0:
        return
    last = (await registry.rate()).repriced_at
    if now >= last + WEEK_S:
        yield f"after {last}", "minimum stakes follow the price feed", registry.reprice()


async def _fees(chain: EvmChain, now: int, bounds: Bounds) -> Due:
    vault = PaymentVault(chain)
    total = sum(await vault.protocol_fees())
    if total and total >= bounds.least_payout:
        yield "", f"{total / USDC:.6f} USDC to the recipients", vault.withdraw_protocol_fees()


async def _buyback(chain: EvmChain, now: int, bounds: Bounds) -> Due:
    buyback = Buyback(chain)
    current = await buyback.round()
    if now < current.nextAt:
        return
    if now < current.startedAt + WEEK_S:
        spent = min(current.tranche, current.left)
        if spent:
            detail = f"{spent / USDC:.6f} USDC for INFR, burned"
            yield f"after {current.nextAt}", detail, buyback.buy()
        return
    held = await chain.usdc_balance(buyback.address)
    if held >= (await buyback.tuning()).leastRound:
        detail = f"a week's first of {held / USDC:.6f} USDC for INFR, burned"
        yield f"after {current.nextAt}", detail, buyback.buy()


async def _epochs(chain: EvmChain, now: int, bounds: Bounds) -> Due:
    pool = HotPool(chain)
    epoch = await pool.current_epoch()
    for model in await _official(chain):
        demand = await pool.demand_of(model)
        seats = (await pool.pool_of(model)).seats
        staying = sum(seat.leavesAt == 0 for seat in await pool.seats_of(model))
        if (demand.total and demand.epoch < epoch) or staying > seats:
            occasion = f"{model.hex()} {demand.epoch} {staying}"
            yield occasion, f"seats of model {model.hex()[:8]}", pool.close_epoch(model)


async def _evictions(chain: EvmChain, now: int, bounds: Bounds) -> Due:
    pool, registry = HotPool(chain), StakeRegistry(chain)
    freshness = (await pool.parameters()).freshness
    for model in await _official(chain):
        for seat in await pool.seats_of(model):
            over = seat.leavesAt != 0 and now >= seat.leavesAt
            stale = now > seat.heartbeatAt + freshness
            if over or stale or not await registry.is_active(seat.provider, Role.Provider):
                why = "its notice is over" if over else "it is stale" if stale else "its stake"
                detail = f"{seat.provider[:10]} from model {model.hex()[:8]}: {why}"
                occasion = f"{model.hex()} {seat.provider} {seat.takenAt}"
                yield occasion, detail, pool.evict(model, seat.provider)


async def _tenure(chain: EvmChain, now: int, bounds: Bounds) -> Due:
    book = Reputation(chain)
    block = await chain.block_number()
    for provider in await chain.active_stakes(OperatorRole.PROVIDER, block):
        if await book.tenure(provider) == 0:
            call = book.register(provider)
            try:
                await chain.ask(call.to, call.data)
            except ChainError as error:
                # In its first second a tenure that has begun is zero too.
                if (error.revert or "").startswith("Reputation_AlreadyRegistered"):
                    continue
            yield provider, f"of provider {provider[:10]} begins", call


async def _volume(chain: EvmChain, now: int, bounds: Bounds) -> Due:
    vesting, jobs = EcosystemVesting(chain), JobRegistry(chain)
    if not bounds.routers or await vesting.reporter() != bounds.keeper:
        return
    settled = 0
    for router in bounds.routers:
        exists, index = await jobs.newest_final(router)
        if exists:
            settled += (await jobs.batch(router, index)).debited
    volume = min(settled, await vesting.highest_volume())
    if volume >= await vesting.volume() + max(bounds.least_payout, 1):
        routers = sorted(bounds.routers, key=lambda router: int(router, 16))
        detail = f"{volume / USDC:.6f} USDC settled so far"
        yield str(volume), detail, vesting.report(volume, routers)


async def _release(chain: EvmChain, now: int, bounds: Bounds) -> Due:
    vesting = EcosystemVesting(chain)
    token = INFR(chain).address
    free = await vesting.releasable_token(token)
    if free and free >= bounds.least_release:
        detail = f"{free // WEI} INFR to the timelock"
        yield "", detail, vesting.release_token(token)


async def _official(chain: EvmChain) -> list[bytes]:
    registry = ModelRegistry(chain)
    count = await registry.official_count()
    found: list[bytes] = []
    for start in range(0, count, MODELS_PER_CALL):
        found += await registry.official_models(start, MODELS_PER_CALL)
    return found


TASKS = (
    Task("prices", "StakeRegistry", "minimum stakes in USDC, once a week", _prices),
    Task("fees", "PaymentVault", "protocol fees to their recipients", _fees, True),
    Task("buyback", "Buyback", "tranches of the buyback, burned", _buyback),
    Task("epochs", "HotPool", "the hot pool's epochs", _epochs, True),
    Task("evictions", "HotPool", "seats that are stale, over or without stake", _evictions),
    Task("tenure", "Reputation", "providers' tenure, from their first day on", _tenure),
    Task("volume", "EcosystemVesting", "settled volume, by the reporter alone", _volume),
    Task("release", "EcosystemVesting", "vested incentives to the timelock", _release, True),
)


class EvmUpkeep(Upkeep):
    """Looks, prices and sends, one duty at a time."""

    def __init__(self, chain: EvmChain) -> None:
        self._chain = chain
        self._tasks = {task.name: task for task in TASKS if task.contract in chain.contracts}
        self.tasks = {name: task.summary for name, task in self._tasks.items()}
        session = chain.session
        self._meter = Meter(session.rpc, session.transactor, session.chain_id)

    async def due(self, task: str, bounds: Bounds) -> Sequence[Duty]:
        """What is due of a task."""
        now = await self._chain.timestamp()
        look = self._tasks[task].look
        return [
            Duty(task, occasion, detail, (call,))
            async for occasion, detail, call in look(self._chain, now, bounds)
        ]

    async def cost(self, signer: Signer, duty: Duty) -> int:
        """Wei its transaction would cost now; what would fail is refused here, for nothing."""
        call = _call(duty)
        request = {"from": signer.address, "to": call.to, "data": "0x" + call.data.hex()}
        try:
            gas = int(await self._chain.rpc.read("eth_estimateGas", request), 16)
        except RpcFailureError as e:
            raise refusal(e) from e
        return (await self._meter.cost(gas, call.to, call.data)).expected

    async def do(self, signer: Signer, duty: Duty) -> str | None:
        """Do it; returns the transaction's hash, None if it turned out to do nothing."""
        receipt = await self._chain.send(signer, _call(duty))
        if self._tasks[duty.task].lenient and not any(e["data"].strip("0x") for e in receipt.logs):
            return None
        return "0x" + receipt.tx.hex()


def _call(duty: Duty) -> Call:
    (call,) = duty.call
    made: Call = call
    return made
