"""Following the chain's logs: from a persisted cursor on, through restarts, outages and
reorganisations.

One way for every transport: ranged `eth_getLogs`. A range that a node finds too wide is halved,
and grows again when answers are quick. Hashes of passed blocks are kept; when one is no longer
the chain's, everything after the last block both agree on is told again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import delete, insert, select

from infera.errors import ChainUnavailableError
from infera.state import cursors
from infera.types import ChainEvent

from .rpc import Head, Rpc, RpcFailureError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from infera.state import State

    from .contracts import Book

log = logging.getLogger(__name__)

WHOLE_BLOCK = 2**31 - 1
"""A log index past every log of a block."""

FIRST_SPAN = 2_000
LONGEST_SPAN = 20_000
MARKS = 128
BLIND_REWIND = 128
"""How far back to start when a restart finds its only remembered block gone."""

SAVE_EVERY = 64
"""Blocks without events after which the cursor is saved all the same."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the chain: everything up to this log of this block has been told."""

    block: int
    log_index: int
    block_hash: bytes


class CursorStore(Protocol):
    """Where cursors survive a restart."""

    async def load(self, name: str) -> Mark | None:
        """The saved place, if there is one."""

    async def save(self, name: str, mark: Mark) -> None:
        """Keep a place."""


class StateCursors:
    """Cursors in the node's database."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def load(self, name: str) -> Mark | None:
        """The saved place, if there is one."""
        async with self._state.read() as connection:
            row = (await connection.execute(select(cursors).where(cursors.c.name == name))).first()
        return Mark(row.block, row.log_index, bytes(row.block_hash)) if row else None

    async def save(self, name: str, mark: Mark) -> None:
        """Keep a place."""
        async with self._state.begin() as connection:
            await connection.execute(delete(cursors).where(cursors.c.name == name))
            await connection.execute(
                insert(cursors).values(
                    name=name,
                    block=mark.block,
                    block_hash=mark.block_hash,
                    log_index=mark.log_index,
                )
            )


class EventCursor:
    """One consumer's way through the logs. `follow` is its whole life."""

    def __init__(
        self,
        name: str,
        rpc: Rpc,
        book: Book,
        store: CursorStore,
        *,
        names: Sequence[str] = (),
        first_block: int = 0,
        confirmations: int = 0,
        poll_s: float = 1.0,
    ) -> None:
        self._name = name
        self._rpc = rpc
        self._book = book
        self._store = store
        self._first = first_block
        self._confirmations = confirmations
        self._poll_s = poll_s
        addresses, topics = book.filter(names)
        self._query: dict[str, Any] = {"address": addresses}
        if topics:
            self._query["topics"] = [topics]
        self._span = FIRST_SPAN
        self._marks: list[Mark] = []
        self._saved = first_block

    async def follow(self) -> AsyncIterator[ChainEvent]:
        """Events for ever; a `Reorged` one when some are about to be told again."""
        place = await self._store.load(self._name) or Mark(self._first - 1, WHOLE_BLOCK, b"")
        if place.block_hash:
            self._marks = [place]
        self._saved = place.block
        seen = -1
        while True:
            try:
                newest = await self._rpc.block_number() - self._confirmations
                if newest == seen or newest < self._first:
                    await self._rpc.sleep(self._poll_s)
                    continue
                if not await self._still_there(place):
                    place = await self._agreed(place)
                    await self._save(place)
                    seen = -1
                    yield ChainEvent("", "Reorged", {"block": place.block + 1})
                    continue
                start = place.block + (place.log_index == WHOLE_BLOCK)
                last = min(newest, start + self._span - 1)
                if last < start:
                    seen = newest
                    await self._rpc.sleep(self._poll_s)
                    continue
                end = await self._rpc.head(last)
                found = await self._logs(start, last) if end else None
            except ChainUnavailableError:
                await self._rpc.sleep(self._poll_s)
                continue
            if end is None or found is None:
                continue
            for event in found:
                at = event.position
                if (at.block, at.log_index) <= (place.block, place.log_index):
                    continue
                yield event
                place = Mark(at.block, at.log_index, at.block_hash)
                await self._save(place)
            place = await self._passed(end, bool(found))
            seen = newest if last == newest else -1

    async def _logs(self, start: int, last: int) -> list[ChainEvent] | None:
        """The range's events in order, or None after making the range smaller."""
        query = self._query | {"fromBlock": hex(start), "toBlock": hex(last)}
        try:
            found = await self._rpc.read("eth_getLogs", query)
        except RpcFailureError as e:
            if last == start:
                log.warning("the node refuses the logs of block %d: %s", start, e.rpc_message)
                await self._rpc.sleep(self._poll_s)
            self._span = max(1, (last - start + 1) // 2)
            return None
        if len(found) < 1_000:
            self._span = min(self._span * 2, LONGEST_SPAN)
        events = [event for entry in found if (event := self._book.event(entry)) is not None]
        return sorted(events, key=lambda e: (e.position.block, e.position.log_index))

    async def _still_there(self, place: Mark) -> bool:
        if not place.block_hash:
            return True
        head = await self._rpc.head(place.block)
        return head is not None and head.hash == place.block_hash

    async def _agreed(self, lost: Mark) -> Mark:
        """The newest remembered place the chain still has."""
        log.warning("block %d was reorganised away", lost.block)
        while self._marks:
            mark = self._marks.pop()
            if mark.block < lost.block and await self._still_there(mark):
                return Mark(mark.block, WHOLE_BLOCK, mark.block_hash)
        return Mark(max(self._first - 1, lost.block - BLIND_REWIND - 1), WHOLE_BLOCK, b"")

    async def _passed(self, end: Head, told: bool) -> Mark:
        place = Mark(end.number, WHOLE_BLOCK, end.hash)
        self._marks.append(place)
        del self._marks[:-MARKS]
        if told or end.number >= self._saved + SAVE_EVERY:
            await self._save(place)
        return place

    async def _save(self, place: Mark) -> None:
        await self._store.save(self._name, place)
        self._saved = place.block
