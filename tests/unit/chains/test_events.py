"""Cursors survive restarts, outages and reorganisations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infera.state import State
from infera_plugins.chains.evm.contracts import Book, interface
from infera_plugins.chains.evm.events import EventCursor, Mark, StateCursors
from infera_plugins.chains.evm.rpc import Rpc
from infera_plugins.chains.evm.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from infera.types import ChainEvent

USDC = interface("USDC")


class Memory:
    """A cursor store one can look into."""

    def __init__(self) -> None:
        self.marks: dict[str, Mark] = {}

    async def load(self, name: str) -> Mark | None:
        return self.marks.get(name)

    async def save(self, name: str, mark: Mark) -> None:
        self.marks[name] = mark


class Tap:
    """A transport that can be shut, and that can find log ranges too wide."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.shut = False
        self.widest = 10**9
        self.ranges: list[int] = []

    async def connect(self) -> None: ...

    async def disconnect(self) -> None: ...

    async def make_request(self, method: str, params: Any) -> Any:
        if self.shut:
            raise TransportError("connection refused")
        if method == "eth_getLogs":
            width = int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1
            self.ranges.append(width)
            if width > self.widest:
                return {"error": {"code": -32602, "message": "query exceeds max block range"}}
        return await self.inner.make_request(method, params)


class Stage:
    """A token whose transfers are followed."""

    def __init__(self, local: Any, token: str) -> None:
        self.local = local
        self.tap = Tap(local.node)
        self.said: list[str] = []
        self.sleeps = 0
        self.on_sleep: Any = None
        self.store = Memory()
        self.book = Book({"USDC": token})

        async def sleep(_: float) -> None:
            self.sleeps += 1
            assert self.sleeps < 10_000, "nothing more will come"
            if self.on_sleep is not None:
                await self.on_sleep()

        self.rpc = Rpc(
            self.tap,
            interrupted=lambda _: self.said.append("away"),
            recovered=lambda: self.said.append("back"),
            sleep=sleep,
        )

    def follow(self, **options: Any) -> AsyncIterator[ChainEvent]:
        return EventCursor(
            "test",
            self.rpc,
            self.book,
            options.pop("store", self.store),
            names=("Transfer",),
            **options,
        ).follow()

    async def mint(self, amount: int) -> None:
        data = USDC.functions["mint"].call("0x" + "33" * 20, amount)
        await self.local.sender.send(self.local.faucet, self.book.addresses["USDC"], data)

    async def take(self, events: AsyncIterator[ChainEvent], count: int) -> list[Any]:
        taken = []
        for _ in range(count):
            event = await anext(events)
            taken.append(event.args["value"] if event.name == "Transfer" else event.args)
        return taken


@pytest.fixture
async def stage(local: Any) -> Stage:
    receipt = await local.sender.send(local.faucet, None, USDC.creation(local.faucet.address))
    return Stage(local, receipt.created)


async def test_events_come_as_they_happen(stage: Stage) -> None:
    await stage.mint(1)
    await stage.mint(2)
    events = stage.follow()
    assert await stage.take(events, 2) == [1, 2]

    async def later() -> None:
        stage.on_sleep = None
        await stage.mint(3)

    stage.on_sleep = later
    assert await stage.take(events, 1) == [3]


async def test_a_restart_goes_on_after_the_last_event_passed(stage: Stage) -> None:
    for amount in (1, 2, 3):
        await stage.mint(amount)
    assert await stage.take(stage.follow(), 2) == [1, 2]
    # 2 was told but never passed: the consumer may have died over it.
    assert await stage.take(stage.follow(), 2) == [2, 3]


async def test_several_events_of_one_block_are_passed_one_by_one(stage: Stage, local: Any) -> None:
    for amount in (1, 2, 3):
        data = USDC.functions["mint"].call("0x" + "33" * 20, amount)
        await _submit(local, stage, data)
    assert await stage.take(stage.follow(), 2) == [1, 2]
    assert stage.store.marks["test"].log_index == 0
    assert await stage.take(stage.follow(), 2) == [2, 3]


async def _submit(local: Any, stage: Stage, data: bytes) -> None:
    from infera_plugins.chains.evm.transactions import Draft, Fees, sign

    number = local.node.ledger.pending_nonce(bytes.fromhex(local.faucet.address[2:]))
    draft = Draft(number, 200_000, stage.book.addresses["USDC"], 0, data)
    raw = sign(draft, Fees(10**6, 3 * 10**9), 31337, local.faucet)[0]
    await local.node.make_request("eth_sendRawTransaction", ["0x" + raw.hex()])


async def test_a_reorganisation_is_told_and_told_again(stage: Stage) -> None:
    await stage.mint(1)
    events = stage.follow()
    assert await stage.take(events, 1) == [1]
    snapshot = await stage.local.ask("evm_snapshot")
    fork = stage.local.node.ledger.head.block_number + 1
    polls = 0

    async def poll() -> None:  # let the cursor pass the block before the fork
        nonlocal polls
        polls += 1
        if polls == 2:
            await stage.mint(2)
            await stage.mint(3)

    stage.on_sleep = poll
    assert await stage.take(events, 2) == [2, 3]
    stage.on_sleep = None
    stage.local.sender._nonces.clear()
    assert await stage.local.ask("evm_revert", snapshot)
    await stage.mint(4)
    await stage.mint(5)
    await stage.mint(6)
    assert await stage.take(events, 4) == [{"block": fork}, 4, 5, 6]


async def test_a_reorganisation_while_away_rewinds_blindly(stage: Stage) -> None:
    snapshot = await stage.local.ask("evm_snapshot")
    await stage.mint(1)
    await stage.mint(2)
    events = stage.follow()
    assert await stage.take(events, 2) == [1, 2]
    stage.local.sender._nonces.clear()
    assert await stage.local.ask("evm_revert", snapshot)
    await stage.mint(7)
    await stage.mint(8)
    assert await stage.take(stage.follow(), 3) == [{"block": 0}, 7, 8]


async def test_a_shorter_chain_is_a_reorganisation_too(stage: Stage) -> None:
    snapshot = await stage.local.ask("evm_snapshot")
    await stage.mint(1)
    await stage.mint(2)
    assert await stage.take(stage.follow(), 2) == [1, 2]
    stage.local.sender._nonces.clear()
    assert await stage.local.ask("evm_revert", snapshot)
    assert await stage.take(stage.follow(), 1) == [{"block": 0}]


async def test_an_outage_delays_and_loses_nothing(stage: Stage) -> None:
    await stage.mint(1)
    events = stage.follow()
    assert await stage.take(events, 1) == [1]
    stage.tap.shut = True
    sleeps = 0

    async def open_again() -> None:
        nonlocal sleeps
        sleeps += 1
        if sleeps == 12:
            stage.tap.shut = False
            await stage.mint(2)

    stage.on_sleep = open_again
    assert await stage.take(events, 1) == [2]
    assert stage.said == ["away", "back"]


async def test_ranges_shrink_to_what_the_node_takes(stage: Stage) -> None:
    await stage.mint(1)
    for _ in range(40):
        await stage.local.ask("evm_mine")
    await stage.mint(2)
    stage.tap.widest = 5
    assert await stage.take(stage.follow(), 2) == [1, 2]
    assert stage.tap.ranges[0] > 5
    assert 0 < min(stage.tap.ranges) <= 5


async def test_confirmations_hold_events_back(stage: Stage) -> None:
    await stage.mint(1)
    polls = 0

    async def mine() -> None:
        nonlocal polls
        polls += 1
        await stage.local.ask("evm_mine")

    stage.on_sleep = mine
    assert await stage.take(stage.follow(confirmations=3), 1) == [1]
    assert polls == 3


async def test_cursors_live_in_the_database(stage: Stage, tmp_path: Path) -> None:
    await stage.mint(1)
    await stage.mint(2)
    async with State(f"sqlite:///{tmp_path / 'state.db'}") as state:
        store = StateCursors(state)
        assert await store.load("test") is None
        assert await stage.take(stage.follow(store=store), 2) == [1, 2]
        mark = await store.load("test")
        assert mark is not None
        assert len(mark.block_hash) == 32
        await store.save("test", replace(mark, log_index=9))
    async with State(f"sqlite:///{tmp_path / 'state.db'}") as state:
        again = await StateCursors(state).load("test")
        assert again == replace(mark, log_index=9)


def test_unknown_event_names_are_refused() -> None:
    with pytest.raises(ValueError, match="Transferr"):
        Book({"USDC": "0x" + "11" * 20}).filter(["Transferr"])


def test_structs_come_by_name() -> None:
    registry = interface("JobRegistry")
    event = registry.event("BatchCommitted")
    header = ("0x" + "11" * 20, 3, *[bytes([n]) * 32 for n in range(4)], 5, 6, 7, 2, 10, 9, 1)
    from eth_abi.abi import encode

    from infera_plugins.chains.evm.contracts import abi_type

    data = encode([abi_type(p) for p in event.plain], [header, 99])
    topics = [event.topic, bytes(12) + b"\x11" * 20, (3).to_bytes(32, "big")]
    args = event.args(topics, data)
    assert list(args) == ["router", "index", "header", "finalAt"]
    assert (args["index"], args["finalAt"], args["header"]["count"]) == (3, 99, 5)
    assert args["header"]["jobsRoot"] == bytes(32)
    assert args["header"]["router"] == args["router"] == "0x" + "11" * 20
