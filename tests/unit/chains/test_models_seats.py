"""The model registry and the hot pool as nodes use them, on the embedded EVM."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from infera.errors import ChainError
from infera.protocol.messages import DemandSignal, Heartbeat
from infera.services.models import OfficialModel
from infera.services.seats import Loadout, SeatRules
from infera.types import OperatorRole, Tier
from infera_plugins.chains.evm.contracts import interface
from infera_plugins.chains.evm.services import attach

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from infera.keys import Signer
    from infera_plugins.chains.evm.chain import EvmChain

pytestmark = pytest.mark.anyio

MODEL, OTHER = b"\7" * 32, b"\10" * 32
INFR = 10**18
TERMS = (500_000, 1_500_000, 1_000, True, 100, 1, 4)
LOADOUT = Loadout(100, 8, (Tier.OPTIMISTIC,))
RULES = SeatRules(freshness=60, notice=30, epoch_length=60, margin_bps=100, reward_bps=500)


class Market:
    """A chain with both contracts, its governor, and operators with stake."""

    def __init__(self, chain: EvmChain, signers: Callable[[str], Signer]) -> None:
        self.chain = chain
        self.key = signers
        assert chain.models is not None
        assert chain.seats is not None
        self.models, self.seats = chain.models, chain.seats

    async def govern(self, function: str, *args: Any) -> None:
        await self.chain.transact(self.key("deployer"), "ModelRegistry", function, *args)

    async def pass_time(self, seconds: int) -> int:
        """Let the chain's clock move; returns its time then."""
        await self.chain.rpc.read("evm_increaseTime", seconds)
        await self.chain.rpc.read("evm_mine")
        return await self.chain.timestamp()


async def _deploy(chain: EvmChain, governor: Signer) -> None:
    async def proxied(name: str, *args: Any) -> None:
        send, code = chain.session.transactor.send, interface(name)
        made = (await send(governor, None, code.creation())).created
        call = code.functions["initialize"].call(*args)
        proxy = (await send(governor, None, interface("Proxy").creation(made, call))).created
        assert proxy is not None
        chain.contracts = {**chain.contracts, name: proxy}
        chain.session.contracts = chain.contracts

    usdc, stakes = chain.contracts["USDC"], chain.contracts["StakeRegistry"]
    await proxied("ModelRegistry", governor.address, stakes)
    rules = (RULES.freshness, RULES.notice, RULES.epoch_length, RULES.margin_bps, RULES.reward_bps)
    registry = chain.contracts["ModelRegistry"]
    await proxied("HotPool", governor.address, usdc, registry, rules)
    await chain.transact(governor, "ModelRegistry", "setHotPool", chain.contracts["HotPool"])
    await chain.transact(governor, "StakeRegistry", "setClaimPricer", registry)
    attach(chain)


@pytest.fixture
async def market(run_chain: Any, tmp_path: Path) -> AsyncIterator[Market]:
    names = ("deployer", "one", "two", "router")
    async with run_chain(tmp_path, fund={name: {} for name in names}) as net:
        keys = net.context.keys
        await _deploy(net.chain, keys.get("deployer"))
        market = Market(net.chain, keys.get)
        for name in ("one", "two"):
            key = keys.get(name)
            await net.chain.register_operator(
                key, OperatorRole.PROVIDER, key.address, 2_000 * INFR, ""
            )
        router = keys.get("router")
        await net.chain.register_operator(
            router, OperatorRole.ROUTER, router.address, 10_000 * INFR, ""
        )
        await market.govern("addModel", MODEL, "parrot", "ipfs://parrot", TERMS)
        await market.seats.fund(keys.get("deployer"), MODEL, 1_000_000)
        yield market


@asynccontextmanager
async def refused(revert: str) -> AsyncIterator[None]:
    with pytest.raises(ChainError) as caught:
        yield
    assert str(caught.value.revert).startswith(revert)


# -- models


async def test_official_models_and_what_their_names_mean(market: Market) -> None:
    models = market.models
    parrot = OfficialModel(MODEL, "parrot", 1, 500_000, 1_500_000, 1_000, True, 100, 1, 4)
    assert await models.official() == [parrot]
    assert await models.official_model(MODEL) == parrot
    assert await models.official_model(OTHER) is None
    assert await models.resolve("parrot") == (MODEL, 1)
    assert await models.resolve("cockatoo") is None
    # New weights take the name over: one version frees it, the next gives it.
    await market.govern("retireModel", MODEL)
    assert await models.resolve("parrot") is None
    await market.govern("addModel", OTHER, "parrot", "ipfs://other", TERMS)
    assert await models.resolve("parrot") == (OTHER, 3)
    assert [model.model_id for model in await models.official()] == [OTHER]


async def test_anybody_lists_a_model(market: Market) -> None:
    models, one = market.models, market.key("one")
    assert not await models.listed(OTHER)
    assert list(await models.manifests(OTHER)) == []
    await models.list_model(one, OTHER, "https://one.example/manifest.json")
    await models.list_model(market.key("two"), OTHER, "https://two.example/manifest.json")
    await models.list_model(one, OTHER, "https://one.example/moved.json")
    assert await models.listed(OTHER)
    assert list(await models.manifests(OTHER)) == [
        (one.address, "https://one.example/moved.json"),
        (market.key("two").address, "https://two.example/manifest.json"),
    ]


def test_a_price_above_its_ceiling_is_told_in_a_sentence() -> None:
    model = OfficialModel(MODEL, "parrot", 1, 500_000, 1_500_000, 0, False, 0, 0, 0)
    assert model.excess(500_000, 1_500_000) is None
    assert model.excess(500_001, 1_500_000) == (
        "the official model parrot has a price ceiling, and 500001 for prompt tokens is above "
        "500000 (micro-USDC per million)"
    )
    assert "500001 for prompt" in str(model.excess(500_001, 1_500_001))
    assert "1500001 for output" in str(model.excess(500_001, 1_500_001))


async def test_ceilings_are_the_contracts(market: Market) -> None:
    model = await market.models.official_model(MODEL)
    assert model is not None
    for prices in ((500_000, 1_500_000), (500_001, 1), (1, 1_500_001), (0, 0)):
        within = await market.chain.call("ModelRegistry", "withinCeilings", MODEL, *prices)
        assert within == (model.excess(*prices) is None)


async def test_claims_raise_the_stake_that_is_required(market: Market) -> None:
    models, one, chain = market.models, market.key("one"), market.chain
    role = OperatorRole.PROVIDER
    assert await models.claims_count()
    assert await models.stake_for(MODEL, 1_500) == 1_500 * INFR
    assert await chain.required_stake(one.address, role) == 1_000 * INFR
    await models.declare(one, MODEL, 900)
    assert await models.claims(one.address) == {MODEL: 900}
    assert await chain.required_stake(one.address, role) == 1_900 * INFR
    async with refused("StakePricer_ClaimNotCovered"):
        await models.declare(one, MODEL, 1_001)
    await chain.transact(market.key("deployer"), "StakeRegistry", "setClaimPricer", "0x" + "0" * 40)
    assert not await models.claims_count()


# -- seats


async def test_a_seat_from_bid_to_claim(market: Market) -> None:
    seats, one = market.seats, market.key("one")
    assert await seats.rules() == RULES
    pool = await seats.pool(MODEL)
    assert (pool.seats, pool.taken, pool.highest_ask, pool.open) == (1, 0, 25, True)
    await seats.bid(one, MODEL, 25, LOADOUT)
    (seat,) = await seats.seats(MODEL)
    assert (seat.provider, seat.ask, seat.loadout) == (one.address, 25, LOADOUT)
    assert (seat.rate, seat.backed_until - seat.taken_at) == (25, RULES.freshness)
    assert seat.stake == 100 * INFR
    assert await seats.held(one.address) == [MODEL]
    await seats.lower_ask(one, MODEL, 20)
    lowered = (await seats.seats(MODEL))[0]
    ends = await seats.give_notice(one, MODEL)
    left = (await seats.seats(MODEL))[0]
    assert (lowered.ask, left.leaves_at) == (20, ends)
    await market.pass_time(RULES.notice)
    before = await market.chain.usdc_balance(one.address)
    assert await seats.evict(market.key("two"), MODEL, one.address) == 0  # over: no reward
    assert await seats.seats(MODEL) == []
    at_20 = min(ends, lowered.backed_until) - lowered.taken_at
    due = await seats.claimable(one.address, [])
    # Lowering and giving notice each took a block of its own, at 25 and at 20 a second.
    assert 20 * at_20 <= due <= 25 * at_20
    assert await seats.claim(market.key("two"), one.address, []) == due
    assert await market.chain.usdc_balance(one.address) == before + due


async def test_a_cheaper_bid_displaces_and_a_stale_seat_is_evicted(market: Market) -> None:
    seats, one, two = market.seats, market.key("one"), market.key("two")
    await seats.bid(one, MODEL, 20, LOADOUT)
    winning = RULES.winning_ask(20)
    async with refused("HotPool_NotCheaper"):
        await seats.bid(two, MODEL, winning + 1, LOADOUT)
    await seats.bid(two, MODEL, winning, LOADOUT)
    assert [seat.provider for seat in await seats.seats(MODEL)] == [two.address]
    async with refused("HotPool_NotEvictable"):
        await seats.evict(one, MODEL, two.address)
    await market.pass_time(RULES.freshness + 1)
    reward = await seats.evict(one, MODEL, two.address)
    assert reward == winning * RULES.freshness * RULES.reward_bps // 10_000


def test_the_winning_ask_is_the_most_that_displaces() -> None:
    for dearest in (1, 2, 99, 100, 101, 10_000):
        ask = RULES.winning_ask(dearest)
        # What `HotPool.bid` demands.
        assert ask < dearest
        assert ask * 10_000 <= dearest * (10_000 - RULES.margin_bps)
        higher = ask + 1
        assert higher >= dearest or higher * 10_000 > dearest * (10_000 - RULES.margin_bps)
    assert RULES.winning_ask(0) == -1


async def test_signed_heartbeats_are_the_contracts(market: Market) -> None:
    seats, one, two = market.seats, market.key("one"), market.key("two")
    await seats.bid(one, MODEL, 20, LOADOUT)
    now = await market.pass_time(30)
    beat = Heartbeat(one.address, MODEL, now)
    digest = beat.digest(seats.domain)
    assert digest == await market.chain.call("HotPool", "heartbeatDigest", beat)
    # Anyone sends a batch; a beat that is out of date is passed over.
    old = Heartbeat(one.address, MODEL, now - 1)
    batch = [(b, one.sign(b.digest(seats.domain))) for b in (beat, old)]
    assert await seats.submit_heartbeats(two, batch) == 1
    assert (await seats.seats(MODEL))[0].heartbeat_at == now
    async with refused("HotPool_BadSignature"):
        await seats.submit_heartbeats(two, [(beat, two.sign(digest))])
    later = await market.pass_time(10)
    await seats.heartbeat(one, [MODEL])
    assert (await seats.seats(MODEL))[0].heartbeat_at >= later


async def test_demand_signals_are_the_contracts_and_move_the_seats(market: Market) -> None:
    seats, router = market.seats, market.key("router")

    def signed(epoch: int, wanted: int) -> tuple[DemandSignal, bytes]:
        signal = DemandSignal(router.address, MODEL, epoch, epoch, wanted)
        return signal, router.sign(signal.digest(seats.domain))

    await market.pass_time(RULES.epoch_length)
    epoch = await seats.epoch()
    signal, _ = signed(epoch, 3)
    expected = await market.chain.call("HotPool", "signalDigest", signal)
    assert signal.digest(seats.domain) == expected
    assert await seats.signal_demand(router, [signed(epoch, 3), signed(epoch, 3)]) == 1
    assert (await seats.pool(MODEL)).seats == 1
    await market.pass_time(RULES.epoch_length)
    await seats.close_epoch(router, MODEL)
    assert (await seats.pool(MODEL)).seats == 2


async def test_a_bid_needs_the_stake_that_its_throughput_asks_for(market: Market) -> None:
    async with refused("HotPool_StakeTooLow"):
        await market.seats.bid(market.key("one"), MODEL, 20, Loadout(1_001, 1, (Tier.OPTIMISTIC,)))
