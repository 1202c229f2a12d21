"""Official models and paid seats, in a whole network on the embedded EVM."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import yaml
from small_network import (
    CONTEXT,
    DEADLINE_S,
    MANIFEST,
    MODEL,
    PLUGINS,
    ParrotEngine,
    Recorder,
    Small,
    body,
    config,
    question,
)

from infera.abc import StreamOptions
from infera.errors import NeedsOperatorError, RequestError
from infera.events import PresencePaid, ProgressMade, SeatLost, SeatTaken
from infera.hookspecs import Manifest, Register, hookimpl
from infera.protocol.jobs import canonical_json
from infera.services.seats import Loadout
from infera.testing.fakes import FakeConfig
from infera.types import JobRequest, ModelInfo, OperatorRole, Tier
from infera_ext import keccak256
from infera_plugins.chains.evm.chain import EvmChain
from infera_plugins.roles.provider import role as provider_role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from infera.keys import Signer

PARROT = keccak256(canonical_json(MANIFEST))
NEW_MANIFEST = MANIFEST | {"weights": "new"}
NEW_PARROT = keccak256(canonical_json(NEW_MANIFEST))
TERMS = (500_000, 1_500_000, 0, True, 20, 1, 1)
"""Ceilings that the small network's prices just meet; one seat for at most 20 micro-USDC/s."""


class NewParrotEngine(ParrotEngine):
    """Other weights under the same name."""

    def models(self) -> Sequence[ModelInfo]:
        return (ModelInfo(MODEL, NEW_PARROT, CONTEXT, NEW_MANIFEST),)


class NewParrotPlugin:
    @hookimpl
    def infera_manifest(self) -> Manifest:
        return Manifest("new-parrot", "An engine with other weights")

    @hookimpl
    def infera_register_engines(self, register: Register) -> None:
        register("new_parrot", NewParrotEngine, FakeConfig)


def network(
    providers: int = 1,
    *,
    provider: dict[str, Any] | None = None,
    keys: Sequence[str] = (),
    engines: dict[int, str] | None = None,
) -> str:
    """The small network, on a chain where notice takes no time; `keys` get money too."""
    known = yaml.safe_load(config(providers, provider=provider))
    (chain,) = known["chains"]
    chain["launch"] = {"hot_pool": {"notice_s": 0, "margin_bps": 100}}
    chain["fund"] |= {name: {} for name in ("deployer", *keys)}
    for number, kind in (engines or {}).items():
        known["engines"][number]["kind"] = kind
    return yaml.safe_dump(known)


@asynccontextmanager
async def small_network(make_node: Any, text: str, providers: int = 1) -> AsyncIterator[Small]:
    async with make_node(text, plugins=[*PLUGINS, ("new-parrot", NewParrotPlugin())]) as node:
        small = Small(node, Recorder(node.bus))
        await small.seen.until(
            lambda: len(small.dispatcher.index.peers) == providers, "all providers joined"
        )
        yield small


def evm(small: Small) -> EvmChain:
    assert isinstance(small.chain, EvmChain)
    return small.chain


def key(small: Small, name: str) -> Signer:
    return small.node.context.keys.get(name)


async def govern(small: Small, function: str, *args: Any) -> None:
    await evm(small).transact(key(small, "deployer"), "ModelRegistry", function, *args)


async def fund(small: Small, amount: int = 1_000_000) -> None:
    assert small.chain.seats is not None
    await small.chain.seats.fund(key(small, "deployer"), PARROT, amount)


async def pass_time(small: Small, seconds: int) -> None:
    """Let the chain's clock move."""
    await evm(small).rpc.read("evm_increaseTime", seconds)
    await evm(small).rpc.read("evm_mine")


async def means(small: Small, name: str, model_id: bytes | None) -> None:
    """Wait until the router has heard what a name means."""
    names = small.dispatcher.index.names
    await small.seen.until(lambda: names.get(name) == model_id, f"{name} means {model_id!r}")


async def say(small: Small, text: str) -> ProgressMade:
    """Wait for a node to say something."""
    return await small.seen.wait(ProgressMade, lambda event: text in event.text)


async def eventually(what: str, check: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that only the chain knows."""
    with anyio.move_on_after(DEADLINE_S):
        while not await check():  # noqa: ASYNC110 (state that has no event of its own)
            await anyio.sleep(0.02)
        return
    raise AssertionError(f"not within {DEADLINE_S:g} s: {what}")


async def answer(small: Small, model: str, idempotency: str | None = None) -> Any:
    request = replace(question(), model=model)
    async with small.gateway.submit(small.caller, request, StreamOptions(), idempotency) as job:
        return body([piece async for piece in job])


# -- names and prices


async def test_a_name_follows_the_governors_without_a_restart(make_node: Any) -> None:
    text = network(2, engines={1: "new_parrot"})
    async with small_network(make_node, text, 2) as small:
        listing = {row.name: row for row in small.gateway.models()}
        assert not listing[MODEL].official
        with pytest.raises(RequestError) as caught:
            await answer(small, "bird")
        assert caught.value.code == "model_not_found"

        # A name of its own: what the provider's engine calls the model does not matter.
        await govern(small, "addModel", PARROT, "bird", "ipfs://parrot", TERMS)
        await means(small, "bird", PARROT)
        told = await answer(small, "bird", "once")
        ticket = told["infera"]["ticket"]
        assert ticket["modelId"] == "0x" + PARROT.hex()
        assert ticket["provider"] == small.address("provider-1")
        assert told["model"] == MODEL
        listing = {row.name: row for row in small.gateway.models()}
        assert listing["bird"].official
        assert listing["bird"].model_id == PARROT
        again = await answer(small, "bird", "once")
        assert again["infera"]["ticket"] == ticket  # told again, not done again

        # New weights take the name over.
        await govern(small, "retireModel", PARROT)
        await means(small, "bird", None)
        await govern(small, "addModel", NEW_PARROT, "bird", "ipfs://new", TERMS)
        await means(small, "bird", NEW_PARROT)
        ticket = (await answer(small, "bird"))["infera"]["ticket"]
        assert ticket["modelId"] == "0x" + NEW_PARROT.hex()
        assert ticket["provider"] == small.address("provider-2")

        # An official name also wins over who was first to offer something under it.
        await govern(small, "setName", NEW_PARROT, MODEL)
        await means(small, MODEL, NEW_PARROT)
        ticket = (await answer(small, MODEL))["infera"]["ticket"]
        assert ticket["provider"] == small.address("provider-2")


async def test_an_operators_word_comes_before_the_registrys(make_node: Any) -> None:
    known = yaml.safe_load(network(2, engines={1: "new_parrot"}))
    known["roles"][0]["models"] = {MODEL: "0x" + PARROT.hex()}
    async with small_network(make_node, yaml.safe_dump(known), 2) as small:
        await govern(small, "addModel", NEW_PARROT, MODEL, "ipfs://new", TERMS)
        names = small.dispatcher.index.names
        await small.seen.until(lambda: NEW_PARROT in names.official, "the model is official")
        ticket = (await answer(small, MODEL))["infera"]["ticket"]
        assert ticket["modelId"] == "0x" + PARROT.hex()


async def test_an_offer_above_the_ceiling_is_refused(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_role, "_RETRY_S", (0.05,) * 7)
    async with small_network(make_node, network(1)) as small:
        await answer(small, MODEL)
        cheap = (400_000, 1_500_000, *TERMS[2:])
        await govern(small, "addModel", PARROT, MODEL, "ipfs://parrot", cheap)
        # Whoever is connected is told, and whoever comes (back) is told.
        for _ in range(2):
            seen = len(small.seen.events)
            told = await small.seen.wait(
                ProgressMade, lambda event: "price ceiling" in event.text, after=seen
            )
            assert "500000 for prompt tokens is above 400000" in told.text
            assert "lower `price_in:`" in told.text
        with pytest.raises(RequestError) as caught:
            await answer(small, MODEL)
        assert caught.value.code == "no_provider_available"
        await govern(small, "setTerms", PARROT, TERMS)
        await small.seen.until(
            lambda: len(small.gateway.models()) == 1 and small.gateway.models()[0].official,
            "the provider is back",
        )
        ticket = (await answer(small, MODEL))["infera"]["ticket"]
        assert ticket["priceIn"] == TERMS[0]


# -- seats

SEATS = {
    "seats": {MODEL: {"ask": 20, "lowest_ask": 10}},
    "seat_interval_s": 0.05,
    "leave_seats_at_stop": True,
}


async def test_a_seat_is_bid_for_kept_won_back_and_paid_to_the_second(make_node: Any) -> None:
    text = network(1, provider=SEATS, keys=["rival"])
    async with small_network(make_node, text) as small:
        chain, market, me = evm(small), small.chain.seats, small.address("provider-1")
        assert market is not None
        # Money first: a seat taken while the budget is empty is not paid until some comes.
        await fund(small)
        await govern(small, "addModel", PARROT, MODEL, "ipfs://parrot", TERMS)
        await small.seen.wait(SeatTaken, lambda event: event.ask == 20)

        rival = key(small, "rival")
        await chain.register_operator(
            rival, OperatorRole.PROVIDER, rival.address, 10_000 * 10**18, ""
        )
        await market.bid(rival, PARROT, 15, Loadout(10, 1, (Tier.OPTIMISTIC,)))
        lost = await small.seen.wait(SeatLost)
        assert "asks 15 instead of 20" in lost.reason
        await small.seen.wait(SeatTaken, lambda event: event.ask == 14)
        (seat,) = await market.seats(PARROT)
        assert (seat.provider, seat.ask) == (me, 14)

        # Half a freshness later its heartbeat comes, and the seat stays fresh for longer than one.
        for _ in range(3):
            (before,) = await market.seats(PARROT)
            await pass_time(small, 31)

            async def beaten(since: int = before.heartbeat_at) -> bool:
                return (await market.seats(PARROT))[0].heartbeat_at > since

            await eventually("a heartbeat", beaten)
        assert len(small.seen.all(SeatLost)) == 1
        bus = small.seen
    left = bus.all(SeatLost)[-1]
    assert left.reason == "it left"
    paid = sum(event.amount for event in bus.all(PresencePaid))

    # What the chain says of it, read by another node.
    chain_only = yaml.safe_dump({k: v for k, v in yaml.safe_load(text).items() if k == "chains"})
    async with make_node(chain_only) as node:
        chain = node.context.chain()
        assert isinstance(chain, EvmChain)
        names = ("HotPool.SeatTaken", "HotPool.SeatDisplaced", "HotPool.SeatLeft")
        spans: list[int] = []
        asks: list[int] = []
        with anyio.fail_after(DEADLINE_S):
            async for event in chain.events("test", names=names):
                if event.args["provider"] != me:
                    continue
                at = await chain.timestamp(event.position.block)
                if event.name == "SeatTaken":
                    asks.append(event.args["ask"])
                    spans.append(-at)
                else:
                    spans[-1] += at
                if event.name == "SeatLeft":
                    break
        assert asks == [20, 14]
        earned = sum(ask * span for ask, span in zip(asks, spans, strict=True))
        assert spans[1] >= 3 * 31
        assert paid == earned
        assert await chain.usdc_balance(me) == 10_000 * 1_000_000 + earned


async def test_a_seat_whose_throughput_the_stake_does_not_cover(make_node: Any) -> None:
    seats = SEATS | {"seats": {MODEL: {"ask": 20, "tokens_per_second": 9_001}}}
    async with small_network(make_node, network(1, provider=seats)) as small:
        # A thousandth of the minimum per token and second: 1 INFR.
        terms = (*TERMS[:2], 1_000, *TERMS[3:])
        await govern(small, "addModel", PARROT, MODEL, "ipfs://parrot", terms)
        told = await say(small, "no bid for a seat")
        told = await say(small, "INFR are missing")
        assert "asks for a stake of 10001 INFR" in told.text
        assert "has 10000: 1 INFR are missing" in told.text
        assert "`infera stake deposit provider 1`" in told.text
        assert not small.seen.all(SeatTaken)


async def test_a_claim_the_stake_does_not_cover_is_refused_at_start(make_node: Any) -> None:
    text = network(1, provider={"tokens_per_second": 9_001})
    async with small_network(make_node, text) as small:
        terms = (*TERMS[:2], 1_000, *TERMS[3:])
        await govern(small, "addModel", PARROT, MODEL, "ipfs://parrot", terms)
    with pytest.raises(NeedsOperatorError, match="1 INFR are missing") as caught:
        async with small_network(make_node, text):
            pass
    assert "the throughput it claims asks for a stake of 10001 INFR" in caught.value.message
    assert caught.value.code == "stake_too_low"
    # One token per second less is covered, and declared.
    covered = network(1, provider={"tokens_per_second": 9_000})
    async with small_network(make_node, covered) as small:
        assert small.chain.models is not None
        me = small.address("provider-1")
        assert await small.chain.models.claims(me) == {PARROT: 9_000}
        # The minimum rises: it has time, and is told what is missing.
        await evm(small).transact(
            key(small, "deployer"), "StakeRegistry", "setMinimumStake", 1, 1_001 * 10**18
        )
        told = await say(small, "INFR are missing")
        assert "asks for a stake of 10010 INFR" in told.text
        assert "10 INFR are missing" in told.text


# -- demand


async def test_refused_requests_ask_for_a_seat_and_idleness_gives_it_back(make_node: Any) -> None:
    async with small_network(make_node, network(1, provider={"capacity": 1})) as small:
        market = small.chain.seats
        assert market is not None
        terms = (*TERMS[:4], 60, 1, 3)
        await govern(small, "addModel", PARROT, MODEL, "ipfs://parrot", terms)
        await means(small, MODEL, PARROT)
        await small.seen.until(
            lambda: PARROT in small.dispatcher.index.names.official, "it is official"
        )
        reached, go_on = anyio.Event(), anyio.Event()

        async def before(request: JobRequest, at: int) -> None:
            reached.set()
            await go_on.wait()

        small.engine("engine-1").before = before

        async def seats(count: int) -> None:
            """Let epochs pass until the router's signals have made it so many seats."""

            async def signalled(after: int) -> bool:
                epoch, _, _, total = await evm(small).call("HotPool", "demandOf", PARROT)
                return bool(total and epoch > after)

            for _ in range(5):
                now = await market.epoch()
                await pass_time(small, 60)
                await eventually("a signal", lambda now=now: signalled(now))
                if (await market.pool(PARROT)).seats == count:
                    return
            raise AssertionError(f"not {count} seats after five epochs")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer, small, MODEL)
            await reached.wait()
            with pytest.raises(RequestError) as caught:
                await answer(small, MODEL)
            assert caught.value.code == "no_provider_available"
            await seats(2)
            go_on.set()
        await seats(1)
