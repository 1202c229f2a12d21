"""One request on its way through the front, and the set of all that are running."""

from __future__ import annotations

from contextlib import contextmanager
from enum import Enum
from time import perf_counter
from typing import TYPE_CHECKING

import anyio

from infera.errors import ErrorType, RequestError
from infera_plugins.fronts.openai.http import Headers, new_request_id

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT_GONE = 499


class Ending(Enum):
    """Why a request is ended from outside; one cancelled without a reason ran out of time."""

    CLIENT_LEFT = "client_left"
    SHUTDOWN = "shutdown"


class Exchange:
    """A request, its response headers so far, and how far the response has come."""

    __slots__ = (
        "_body_timeout_s", "_deadline", "_timeout_s", "chunks", "complete", "ending", "headers",
        "id", "model", "route", "scope", "started", "started_at", "status",
    )  # fmt: skip

    def __init__(self, route: str, timeout_s: float) -> None:
        self.id = new_request_id()
        self.route = route
        self._timeout_s = timeout_s
        self._deadline = anyio.current_time() + timeout_s
        self._body_timeout_s = 0.0
        self.scope = anyio.CancelScope(deadline=self._deadline)
        """All work on the request happens inside."""
        self.started_at = perf_counter()
        self.headers: Headers = [(b"x-request-id", self.id.encode())]
        self.model = ""
        self.status = 0
        self.chunks = 0
        self.started = False
        """The response's head is sent: errors can only follow inside the stream."""
        self.complete = False
        """The whole response is sent."""
        self.ending: Ending | None = None

    def elapsed(self) -> float:
        """Seconds since the request arrived."""
        return perf_counter() - self.started_at

    def end(self, why: Ending) -> None:
        """Stop working on it; the first reason counts."""
        if not self.complete and self.ending is None:
            self.ending = why
            self.scope.cancel()

    @contextmanager
    def receiving(self, within_s: float) -> Iterator[None]:
        """While the body is read: end the exchange if it takes longer than this."""
        self._body_timeout_s = within_s
        self.scope.deadline = min(self._deadline, anyio.current_time() + within_s)
        yield
        self._body_timeout_s = 0
        self.scope.deadline = self._deadline

    def ended(self) -> RequestError:
        """What the client of an ended request is told."""
        if self.ending is Ending.SHUTDOWN:
            return RequestError(
                "The server is shutting down; try again",
                code="shutting_down",
                status=503,
                type=ErrorType.SERVER,
                retry_after_s=5,
            )
        if self._body_timeout_s:
            return RequestError(
                f"The request body did not arrive within {self._body_timeout_s:g} seconds",
                code="request_body_timeout",
                status=408,
            )
        return RequestError(
            f"The request took longer than this server's limit of {self._timeout_s:g} seconds",
            code="request_timeout",
            status=504,
            type=ErrorType.SERVER,
        )


class Running:
    """All requests being served, so that a stop can end them."""

    def __init__(self) -> None:
        self._exchanges: set[Exchange] = set()
        self._idle = anyio.Event()
        self._stopping = False

    def __len__(self) -> int:
        return len(self._exchanges)

    @contextmanager
    def track(self, exchange: Exchange) -> Iterator[None]:
        """Count the exchange as running."""
        self._exchanges.add(exchange)
        if self._stopping:
            exchange.end(Ending.SHUTDOWN)
        try:
            yield
        finally:
            self._exchanges.discard(exchange)
            if not self._exchanges:
                self._idle.set()

    async def wait_idle(self) -> None:
        """Return once nothing runs."""
        while self._exchanges:
            self._idle = anyio.Event()
            await self._idle.wait()

    def end_all(self) -> None:
        """End whatever runs, and whatever still arrives."""
        self._stopping = True
        for exchange in list(self._exchanges):
            exchange.end(Ending.SHUTDOWN)
