from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.bus import EventBus
from infera.context import Context
from infera.keys import KeyStore, Signer
from infera.state import State
from infera_plugins.chains.evm.chain import EvmChain
from infera_plugins.chains.evm.config import EvmConfig
from infera_plugins.chains.evm.deployment.faucet import FAUCET
from infera_plugins.chains.evm.embedded import EmbeddedNode
from infera_plugins.chains.evm.rpc import Rpc
from infera_plugins.chains.evm.transactions import Transactor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from infera.events import Event

CHAIN_ID = 31337


@dataclass
class Clock:
    """A world clock that moves when told."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Local:
    """An embedded chain with what is needed to send to it."""

    node: EmbeddedNode
    clock: Clock
    rpc: Rpc
    sender: Transactor
    faucet: Signer = field(default=FAUCET)

    async def ask(self, method: str, *params: Any) -> Any:
        return await self.rpc.once(method, *params)


def embedded(path: Path | None, clock: Clock) -> EmbeddedNode:
    return EmbeddedNode.at(
        path,
        chain_id=CHAIN_ID,
        alloc={bytes.fromhex(FAUCET.address[2:]): 10**30},
        clock=clock,
    )


@asynccontextmanager
async def opened(path: Path | None, clock: Clock | None = None) -> AsyncIterator[Local]:
    clock = clock or Clock()
    node = embedded(path, clock)
    await node.connect()
    rpc = Rpc(node)
    try:
        yield Local(node, clock, rpc, Transactor(rpc, CHAIN_ID))
    finally:
        await node.disconnect()


@pytest.fixture
async def local() -> AsyncIterator[Local]:
    async with opened(None) as local:
        yield local


@pytest.fixture
def open_local() -> Any:
    """`open_local(path, clock)`: an embedded chain in a file."""
    return opened


@dataclass
class Running:
    """An `EvmChain` that serves, and what it said on the bus."""

    chain: EvmChain
    context: Context
    said: list[Event]


@asynccontextmanager
async def running(home: Path, **settings: Any) -> AsyncIterator[Running]:
    bus = EventBus()
    said: list[Event] = []
    bus.publish = said.append  # type: ignore[method-assign]
    async with State(f"sqlite:///{home / 'state.db'}") as state:
        context = Context("test", home, bus, state, KeyStore(home / "keys"))
        settings = {"poll_interval_s": 0.01, **settings}
        chain = EvmChain(EvmConfig.model_validate(settings), context)
        try:
            async with anyio.create_task_group() as tasks:
                await tasks.start(lambda task_status: chain.serve(task_status=task_status))
                yield Running(chain, context, said)
                tasks.cancel_scope.cancel()
        except* Exception as group:
            error: BaseException = group
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise error from None


@pytest.fixture
def run_chain() -> Any:
    """`run_chain(home, **settings)`: a serving `EvmChain`."""
    return running
