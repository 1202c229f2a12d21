"""The node's event bus: a publisher never waits and never fails; a slow subscriber loses the oldest
events and is told how many.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import anyio

from infera.events import Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

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
    """Carries `infera.events` from whoever knows to whoever cares.

    For use on the event loop's thread.
    """

    def __init__(self) -> None:
        self._subscriptions: list[Subscription[Event]] = []

    def publish(self, event: Event) -> None:
        """Hand the event to every subscriber that wants its type. Never blocks, never raises."""
        for subscription in self._subscriptions:
            subscription._offer(event)

    @overload
    def subscribe(
        self, *, buffer: int = 1024
    ) -> AbstractAsyncContextManager[Subscription[Event]]: ...

    @overload
    def subscribe(
        self, *types: type[E], buffer: int = 1024
    ) -> AbstractAsyncContextManager[Subscription[E]]: ...

    @asynccontextmanager
    async def subscribe(
        self, *types: type[Event], buffer: int = 1024
    ) -> AsyncIterator[Subscription[Any]]:
        """Receive events of these types (all, if none is given) published from now on.

        async with bus.subscribe(JobDelivered) as jobs:
            async for job in jobs: ...
        """
        subscription = Subscription(types, buffer)
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)
            if subscription.dropped:
                _log.warning("a slow subscriber lost %d event(s)", subscription.dropped)
