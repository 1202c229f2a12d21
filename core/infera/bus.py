"""The node's event bus: publishers never wait and never fail, slow subscribers lose the oldest events and are told how many."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar, cast

import anyio

from infera.events import Event

E = TypeVar("E", bound=Event)

_log = logging.getLogger(__name__)


class Subscription(Generic[E]):
    """An endless async iterator over the events of the subscribed types, oldest first."""

    def __init__(self, types: tuple[type[E], ...], buffer: int) -> None:
        self.dropped = 0
        self._types = types
        self._pending: deque[E] = deque(maxlen=buffer)
        self._arrived = anyio.Event()

    def __aiter__(self) -> Subscription[E]:
        return self

    async def __anext__(self) -> E:
        while not self._pending:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return self._pending.popleft()

    def _offer(self, event: Event) -> None:
        if self._types and not isinstance(event, self._types):
            return
        if len(self._pending) == self._pending.maxlen:
            self.dropped += 1
        self._pending.append(cast("E", event))
        self._arrived.set()


class EventBus:
    """Carries `infera.events` from whoever knows to whoever cares. For use on the event loop's thread."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription[Event]] = []

    def publish(self, event: Event) -> None:
        """Hand the event to every subscriber that wants its type. Never blocks, never raises."""
        for subscription in self._subscriptions:
            subscription._offer(event)

    @asynccontextmanager
    async def subscribe(
        self, *types: type[E], buffer: int = 1024
    ) -> AsyncIterator[Subscription[E]]:
        """Receive events of these types (all, if none is given) published from now on.

        async with bus.subscribe(JobDelivered) as jobs:
            async for job in jobs: ...
        """
        subscription = Subscription(types, buffer)
        entry = cast("Subscription[Event]", subscription)
        self._subscriptions.append(entry)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(entry)
            if subscription.dropped:
                _log.warning("a slow subscriber lost %d event(s)", subscription.dropped)
