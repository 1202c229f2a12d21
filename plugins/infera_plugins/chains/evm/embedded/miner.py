"""When the embedded chain mines, and that it does so in a worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
import anyio.to_thread

from .ledger import FIRST_IDLE_BLOCKS, Ledger
from .store import ChainStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


class Miner:
    """A ledger in a thread of its own, one thing at a time.

    A sent transaction is mined before the next question about the chain is answered (or by
    `tick`), so a burst of transactions shares a block while every reader sees them mined, as with
    a node that mines at once.
    """

    def __init__(self, open_ledger: Callable[[], Ledger], *, block_interval: float = 2.0) -> None:
        self._open = open_ledger
        self._ledger: Ledger | None = None
        self._thread = anyio.CapacityLimiter(1)
        self._mining = anyio.Lock()
        self._interval = block_interval
        self._snapshots: list[int] = []

    @classmethod
    def at(
        cls, path: Path | None, *, chain_id: int, alloc: dict[bytes, int], **options: Any
    ) -> Self:
        """A chain kept in `path` (None: in memory)."""
        interval = options.pop("block_interval", 2.0)
        return cls(
            lambda: Ledger(ChainStore(path), chain_id=chain_id, alloc=alloc, **options),
            block_interval=interval,
        )

    @property
    def ledger(self) -> Ledger:
        """The chain, once opened."""
        if self._ledger is None:
            raise RuntimeError("the embedded chain is not open")
        return self._ledger

    @property
    def is_open(self) -> bool:
        """Whether the chain is open."""
        return self._ledger is not None

    async def connect(self) -> None:
        """Open the chain file, or make it."""
        if self._ledger is None:
            async with self._mining:
                if self._ledger is None:
                    self._ledger = await self._in_thread(self._open)

    async def disconnect(self) -> None:
        """Mine what waits and close the file."""
        if self._ledger is not None:
            await self._flush()
            await self._in_thread(self._ledger.store.close)
            self._ledger = None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._thread)

    async def _flush(self) -> None:
        """Mine what waits in the pool; whoever comes second finds it done."""
        async with self._mining:
            await self._gather()
            while await self._in_thread(self.ledger.mine_waiting):
                pass

    async def _gather(self) -> None:
        """Let a burst of transactions come in as long as each moment brings more."""
        quiet = 0
        while quiet < 2:
            before = len(self.ledger.pool)
            await self._in_thread(_nothing)
            quiet = quiet + 1 if len(self.ledger.pool) == before else 0

    async def tick(self) -> None:
        """What the passing of a block interval means: mine what waits, or one of the idle blocks
        that follow.
        """
        if self.ledger.pool:
            await self._flush()
        elif self.ledger.idle < FIRST_IDLE_BLOCKS and self._stale():
            async with self._mining:
                await self._in_thread(self.ledger.mine)

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            await anyio.sleep(self._interval)
            await self.tick()

    def _stale(self) -> bool:
        return bool(self.ledger.now() >= self.ledger.head.timestamp + self._interval)


def _nothing() -> None:
    """Takes its turn in the worker thread, after what was asked before."""
