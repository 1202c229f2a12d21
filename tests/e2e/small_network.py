"""A whole network in the test's own process, on engines that do what a test tells them to."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.lowlevel
import orjson
import yaml

from infera.abc import Engine, StreamOptions
from infera.events import Event
from infera.hookspecs import Manifest, Register, hookimpl
from infera.protocol.jobs import canonical_json, token_commitment
from infera.state.tables import served_jobs
from infera.testing.fakes import FakeConfig, FakeVerifier
from infera.types import (
    Completion,
    Delta,
    FinishReason,
    JobRequest,
    Message,
    ModelInfo,
)
from infera_ext import keccak256
from infera_plugins.roles.router.gateway import RouterGateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from anyio.abc import TaskStatus

    from infera.abc import Chain
    from infera.bus import EventBus
    from infera.context import Context
    from infera.kernel.node import Node
    from infera.types import Caller
    from infera_plugins.roles.router.index import Peer

E = TypeVar("E", bound=Event)

MODEL = "parrot"
CONTEXT = 1 << 20
DEADLINE_S = 90.0
MANIFEST = {"architecture": "parrot", "name": MODEL}


class ParrotEngine(Engine):
    """Says words that follow from prompt and seed. A token is a word; a test may interfere."""

    def __init__(self, config: FakeConfig, context: Context) -> None:
        self.name = "parrot"
        self.started = 0
        self.cancelled = 0
        self.made = 0
        """Pieces made, by all jobs."""
        self.pad = ""
        """Makes every word longer."""
        self.before: Callable[[JobRequest, int], Awaitable[None]] = _at_once
        """Awaited before each piece (its number counts from 0) and before the completion."""
        self.lie: Callable[[str], str] = str
        """What becomes of each word: a cheating engine says something else."""

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep_forever()

    def models(self) -> Sequence[ModelInfo]:
        return (ModelInfo(MODEL, keccak256(canonical_json(MANIFEST)), CONTEXT, MANIFEST),)

    async def encode(self, request: JobRequest) -> tuple[int, ...]:
        text = request.prompt or " ".join(message.content for message in request.messages)
        return tuple(len(word) for word in text.split())

    async def generate(self, request: JobRequest) -> AsyncIterator[Delta | Completion]:
        self.started += 1
        prompt = await self.encode(request)
        said, output = "", []
        try:
            for step in range(request.max_tokens or 0):
                await self.before(request, step)
                draw = hashlib.sha256(f"{prompt}|{request.seed}|{step}".encode()).digest()
                word = self.lie(f"w{draw[0]}") + self.pad + " "
                said += word
                output.append(len(word))
                self.made += 1
                yield Delta(word, tokens=(len(word),))
            await self.before(request, request.max_tokens or 0)
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        tokens = tuple(output)
        yield Completion(
            FinishReason.LENGTH, said, prompt, tokens, token_commitment(prompt, tokens)
        )


async def _at_once(request: JobRequest, step: int) -> None:
    await anyio.lowlevel.checkpoint()


class SmallNetworkPlugin:
    """Kinds `parrot` (engines) and `replay` (verifiers)."""

    @hookimpl
    def infera_manifest(self) -> Manifest:
        return Manifest("small-network", "Engines that do what a test tells them to")

    @hookimpl
    def infera_register_engines(self, register: Register) -> None:
        register("parrot", ParrotEngine, FakeConfig)

    @hookimpl
    def infera_register_verifiers(self, register: Register) -> None:
        register("replay", FakeVerifier, FakeConfig)


PLUGINS = [("small-network", SmallNetworkPlugin())]


def config(
    providers: int = 2,
    *,
    validator: bool = False,
    front: bool = False,
    router: dict[str, Any] | None = None,
    provider: dict[str, Any] | None = None,
    account: dict[str, Any] | None = None,
) -> str:
    """A network's YAML: provider n has engine `engine-n`, the validator `honest`."""
    names = [f"provider-{n + 1}" for n in range(providers)]
    staked: list[dict[str, Any]] = [
        {"kind": "router", "key": "router", "listen": "127.0.0.1:0", "stake_infr": 100_000}
        | {"batch_interval_s": 0.1, "job_timeout_s": 60}
        | (router or {}),
        *(
            {"kind": "provider", "name": name, "key": name, "engine": f"engine-{n + 1}"}
            | {"stake_infr": 10_000, "price_in": 500_000, "price_out": 1_500_000}
            | (provider or {})
            for n, name in enumerate(names)
        ),
    ]
    if validator:
        staked.append(
            {"kind": "validator", "key": "validator", "engine": "honest", "stake_infr": 10_000}
            | {"check_rate_ppm": 1_000_000}
        )
    developer = {"kind": "account", "key": "developer", "deposit_usdc": 500, "lock_usdc": 400}
    developer |= {"api_keys": ["default"], "per_job_cap_usdc": 100, "daily_cap_usdc": 10_000}
    keys = [str(role["key"]) for role in staked]
    return yaml.safe_dump(
        {
            "node": {"name": "small"},
            "chains": [
                {
                    "kind": "evm",
                    "rpc": "embedded",
                    "deploy": True,
                    "fund": {**{key: {} for key in keys}, "developer": {"infr": 0, "usdc": 1_000}},
                    "challenge_window_s": 1,
                    "thaw_period_s": 60,
                    "block_interval_s": 0.2,
                    "poll_interval_s": 0.05,
                }
            ],
            "verifiers": [{"kind": "replay"}],
            "engines": [
                *({"kind": "parrot", "name": f"engine-{n + 1}"} for n in range(providers)),
                *([{"kind": "parrot", "name": "honest"}] if validator else []),
            ],
            "roles": [*staked, developer | (account or {})],
            "fronts": [{"kind": "openai", "listen": "127.0.0.1:0"}] if front else [],
        }
    )


@dataclass(eq=False)
class Recorder:
    """Everything a node's bus has told, and a way to wait for what it will."""

    bus: EventBus
    events: list[Event] = field(default_factory=list)
    _news: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        # Told at once rather than through a subscription, so that what has happened is seen.
        publish = self.bus.publish

        def record(event: Event) -> None:
            self.events.append(event)
            self._news.set()
            publish(event)

        self.bus.publish = record  # type: ignore[method-assign]

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def wait(
        self, kind: type[E], like: Callable[[E], bool] = lambda _: True, *, after: int = 0
    ) -> E:
        """The first such event since number `after`, once it has happened."""
        with anyio.move_on_after(DEADLINE_S):
            while True:
                for event in self.events[after:]:
                    if isinstance(event, kind) and like(event):
                        return event
                self._news = anyio.Event()
                await self._news.wait()
        said = "\n".join(event.line() for event in self.events)
        raise AssertionError(f"no {kind.__name__} within {DEADLINE_S:g} s; the bus said:\n{said}")

    async def until(self, check: Callable[[], bool], what: str) -> None:
        """Wait for something that changes with events or shortly after them."""
        with anyio.move_on_after(DEADLINE_S):
            while not check():  # noqa: ASYNC110 (state that has no event of its own)
                await anyio.sleep(0.01)
            return
        said = "\n".join(event.line() for event in self.events)
        raise AssertionError(f"not within {DEADLINE_S:g} s: {what}; the bus said:\n{said}")


@dataclass(eq=False)
class Small:
    """A running network and what a test does with it."""

    node: Node
    seen: Recorder

    @property
    def gateway(self) -> RouterGateway:
        found = self.node.context.gateway
        assert isinstance(found, RouterGateway)
        return found

    @property
    def dispatcher(self) -> Any:
        return self.gateway._d

    @property
    def chain(self) -> Chain:
        return self.node.context.chain()

    @property
    def key(self) -> str:
        return (self.node.config.home / "api_keys" / "default").read_text().strip()

    @property
    def caller(self) -> Caller:
        return self.gateway.authenticate(self.key)

    def engine(self, name: str) -> ParrotEngine:
        found = self.node.context.engines[name]
        assert isinstance(found, ParrotEngine)
        return found

    def address(self, name: str) -> str:
        return self.node.context.keys.get(name).address

    def peer(self, name: str) -> Peer:
        found: Peer = self.dispatcher.index.peers[self.address(name)]
        return found

    def book(self) -> Any:
        """The developer's book in the router's ledger."""
        return self.dispatcher.ledger.account(self.caller.account)

    def cut(self, name: str) -> None:
        """Lose the provider's connection, as when its machine loses power."""
        self.peer(name).link._socket._connection.transport.abort()  # type: ignore[attr-defined]

    async def ask(
        self,
        text: str = "hello there",
        *,
        tokens: int = 4,
        stream: bool = False,
        seed: int = 1,
        caller: Caller | None = None,
        key: str | None = None,
    ) -> list[bytes]:
        """One job from start to end; the bytes its caller gets."""
        async with self.gateway.submit(
            caller or self.caller, question(text, tokens, seed), StreamOptions(stream, True), key
        ) as job:
            return [piece async for piece in job]

    async def rows(self, table: Any) -> list[Any]:
        async with self.node.state.read() as conn:
            return list((await conn.execute(table.select())).all())

    async def acknowledged(self) -> list[Any]:
        """What providers served, once they have written down that routers have every receipt:
        they learn it after the router has charged for it.
        """
        with anyio.move_on_after(DEADLINE_S):
            while True:
                rows = await self.rows(served_jobs)
                if all(row.acked for row in rows):
                    return rows
                await anyio.sleep(0.01)
        raise AssertionError(f"not within {DEADLINE_S:g} s: every receipt is acknowledged")


def question(text: str = "hello there", tokens: int = 4, seed: int = 1) -> JobRequest:
    return JobRequest(
        kind="chat", model=MODEL, messages=(Message("user", text),), max_tokens=tokens, seed=seed
    )


def body(pieces: list[bytes]) -> Any:
    """The answer of a job that is not streamed."""
    return orjson.loads(b"".join(pieces))


def prefer(small: Small, name: str) -> None:
    """Make the router choose this provider first."""
    for other, peer in small.dispatcher.index.peers.items():
        peer.latency_s = 0.001 if other == small.address(name) else 0.1


@asynccontextmanager
async def running(make_node: Any, text: str, *, providers: int = 2) -> AsyncIterator[Small]:
    """The network of `config(...)`, with all its providers connected."""
    async with make_node(text, plugins=PLUGINS) as node:
        small = Small(node, Recorder(node.bus))
        await small.seen.until(
            lambda: len(small.dispatcher.index.peers) == providers, "all providers joined"
        )
        yield small
