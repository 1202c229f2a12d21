"""The WebSocket library, behind two functions and one small interface."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from infera.errors import NeedsOperatorError, TransientError
from infera.transport.frames import MAX_FRAME

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

_PING_S = 15.0
_OPEN_S = 10.0


class LinkLostError(TransientError):
    """The connection to the peer is gone."""

    code = "link_lost"


class Socket(Protocol):
    """A message pipe: whole binary messages, in order. Both calls raise `LinkLostError` once it
    is closed.
    """

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes | str: ...

    async def close(self, reason: str = "") -> None: ...


class _WebSocket:
    def __init__(self, connection: object) -> None:
        self._connection = connection

    async def send(self, data: bytes) -> None:
        try:
            await self._connection.send(data)  # type: ignore[attr-defined]
        except ConnectionClosed as closed:
            raise LinkLostError(_reason(closed)) from None

    async def receive(self) -> bytes | str:
        try:
            message: bytes | str = await self._connection.recv()  # type: ignore[attr-defined]
        except ConnectionClosed as closed:
            raise LinkLostError(_reason(closed)) from None
        return message

    async def close(self, reason: str = "") -> None:
        # RFC 6455 limits the reason to 123 bytes.
        await self._connection.close(1000, reason.encode()[:120].decode(errors="ignore"))  # type: ignore[attr-defined]


def _reason(closed: ConnectionClosed) -> str:
    frame = closed.rcvd or closed.sent
    return f"connection closed: {frame.reason or frame.code}" if frame else "connection lost"


@asynccontextmanager
async def dial(url: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Socket]:
    """Connect to a router's network endpoint. Raises `TransientError` when it cannot be reached."""
    try:
        connection = await connect(
            url,
            ssl=tls,
            compression=None,
            max_size=MAX_FRAME,
            ping_interval=_PING_S,
            open_timeout=_OPEN_S,
        )
    except (InvalidURI, ValueError):  # ValueError: a port or a host name that cannot be
        raise NeedsOperatorError(
            f"{url!r} is not a router endpoint",
            hint="write it as ws://HOST:PORT or wss://HOST:PORT",
        ) from None
    except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
        raise TransientError(f"cannot reach the router at {url}: {error}") from None
    try:
        yield _WebSocket(connection)
    finally:
        await connection.close()


@asynccontextmanager
async def listen(
    host: str,
    port: int,
    handler: Callable[[Socket], Awaitable[None]],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Serve peers until the context ends; yields the bound port. Raises `NeedsOperatorError` if
    it is taken.
    """

    async def accept(connection: ServerConnection) -> None:
        await handler(_WebSocket(connection))

    try:
        server = await serve(
            accept,
            host,
            port,
            ssl=tls,
            compression=None,
            max_size=MAX_FRAME,
            ping_interval=_PING_S,
            open_timeout=_OPEN_S,
        )
    except OSError as error:
        raise NeedsOperatorError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            hint="another program uses the port; set `listen:` to a free one, or to port 0 for any",
        ) from None
    try:
        yield next(iter(server.sockets)).getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
