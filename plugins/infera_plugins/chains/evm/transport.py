"""Ways to reach a node: the embedded chain, HTTP, WebSocket, IPC. Each answers `make_request`.

HTTP goes through web3.py, which is imported only then: it takes longer to load than a devnet takes
to start. Sockets do not: web3's persistent providers raise one caller's error in another caller.
"""

from __future__ import annotations

import codecs
import contextlib
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MAX_MESSAGE = 128 << 20


class Transport(Protocol):
    """Carries JSON-RPC.

    `make_request` returns the whole answer object and raises `TransportError` if there is none.
    """

    async def connect(self) -> None:
        """Open the way."""

    async def disconnect(self) -> None:
        """Close it."""

    async def make_request(self, method: str, params: Any) -> Any:
        """One request, one answer."""


class TransportError(Exception):
    """The node did not answer."""


def make_transport(url: str, *, timeout_s: float = 20.0) -> Transport:
    """The transport a URL asks for."""
    scheme = url.partition("://")[0]
    if scheme in ("http", "https"):
        return HttpTransport(url, timeout_s=timeout_s)
    kind = WebSocket if scheme in ("ws", "wss") else Ipc
    return SocketTransport(lambda: kind(url.removeprefix("ipc://")), timeout_s=timeout_s)


class HttpTransport:
    """web3.py's HTTP provider, without its own retries."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._provider: Any = None

    def _make(self) -> Any:
        from aiohttp import ClientTimeout
        from web3 import AsyncHTTPProvider

        return AsyncHTTPProvider(
            self._url,
            request_kwargs={"timeout": ClientTimeout(total=self._timeout_s)},
            exception_retry_configuration=None,
        )

    async def connect(self) -> None:
        """Make the provider; HTTP connects by request."""
        if self._provider is None:
            self._provider = await anyio.to_thread.run_sync(self._make)

    async def disconnect(self) -> None:
        """Close the connections that are kept."""
        provider, self._provider = self._provider, None
        if provider is not None:
            await provider.disconnect()

    async def make_request(self, method: str, params: Any) -> Any:
        """POST a request."""
        await self.connect()
        return await _guard(self._provider.make_request(method, params), "aiohttp", "web3")


class Socket(Protocol):
    """A connection that carries whole messages. Cancelling `receive` loses nothing."""

    async def open(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Hang up."""

    async def send(self, message: str) -> None:
        """Send one message."""

    async def receive(self) -> Any:
        """The next message, decoded."""


class WebSocket:
    """A JSON-RPC connection over WebSocket."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None

    async def open(self) -> None:
        """Connect."""
        from websockets.asyncio.client import connect

        self._connection = await connect(self._url, max_size=MAX_MESSAGE)

    async def close(self) -> None:
        """Hang up."""
        await self._connection.close()

    async def send(self, message: str) -> None:
        """Send one message."""
        await self._connection.send(message)

    async def receive(self) -> Any:
        """The next message, decoded."""
        return json.loads(await self._connection.recv())


class Ipc:
    """A JSON-RPC connection over a Unix socket: JSON objects one after another."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stream: Any = None
        self._text = ""
        self._decoder = json.JSONDecoder()
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    async def open(self) -> None:
        """Connect."""
        self._stream = await anyio.connect_unix(self._path)
        self._text = ""
        self._utf8.reset()

    async def close(self) -> None:
        """Hang up."""
        await self._stream.aclose()

    async def send(self, message: str) -> None:
        """Send one message."""
        await self._stream.send(message.encode())

    async def receive(self) -> Any:
        """The next message, decoded."""
        while True:
            self._text = self._text.lstrip()
            if self._text.endswith(("}", "]")) or "\n" in self._text:
                try:
                    message, end = self._decoder.raw_decode(self._text)
                except json.JSONDecodeError:
                    pass
                else:
                    self._text = self._text[end:]
                    return message
            if len(self._text) > MAX_MESSAGE:
                raise OSError("the node's message is too long")
            self._text += self._utf8.decode(await self._stream.receive(1 << 20))


@dataclass(slots=True)
class Pending:
    """A request whose answer has not come."""

    answer: Any = None
    arrived: anyio.Event = field(default_factory=anyio.Event)


class Connection:
    """Many requests at a time over one open socket.

    Nobody reads in the background: those who wait take turns reading for all.
    """

    def __init__(self, socket: Socket) -> None:
        self.broken = ""
        self._socket = socket
        self._ids = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._reading = anyio.Lock()

    async def open(self) -> None:
        """Connect."""
        await _guard(self._socket.open(), "websockets")

    async def close(self, reason: str) -> None:
        """Hang up; whoever still waits is told."""
        if not self.broken:
            self.broken = reason
            for pending in self._pending.values():
                pending.arrived.set()
            with anyio.move_on_after(2, shield=True), contextlib.suppress(TransportError):
                await _guard(self._socket.close(), "websockets")

    async def request(self, method: str, params: Any) -> Any:
        """Ask and wait for the answer."""
        number, pending = next(self._ids), Pending()
        self._pending[number] = pending
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
        try:
            await _guard(self._socket.send(json.dumps(request)), "websockets")
            while not pending.arrived.is_set():
                async with self._reading:
                    if not pending.arrived.is_set():
                        await self._read()
        finally:
            del self._pending[number]
        if pending.answer is None:
            raise TransportError(self.broken)
        return pending.answer

    async def _read(self) -> None:
        message = await _guard(self._socket.receive(), "websockets")
        number = message.get("id") if isinstance(message, dict) else None
        waiting = self._pending.get(number) if isinstance(number, int) else None
        if waiting is not None:
            waiting.answer = message
            waiting.arrived.set()


class SocketTransport:
    """A connection that is opened again after it broke."""

    def __init__(self, make: Callable[[], Socket], *, timeout_s: float) -> None:
        self._make = make
        self._timeout_s = timeout_s
        self._opening = anyio.Lock()
        self._connection: Connection | None = None

    async def connect(self) -> None:
        """Open the socket."""
        await self._opened()

    async def _opened(self) -> Connection:
        async with self._opening:
            if self._connection is None or self._connection.broken:
                connection = Connection(self._make())
                try:
                    with anyio.fail_after(self._timeout_s):
                        await connection.open()
                except TimeoutError as e:
                    raise TransportError("no connection in time") from e
                self._connection = connection
            return self._connection

    async def disconnect(self) -> None:
        """Close the socket."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close("closed")

    async def make_request(self, method: str, params: Any) -> Any:
        """Ask; after a failure the next request opens a new connection."""
        connection = await self._opened()
        try:
            with anyio.fail_after(self._timeout_s):
                return await connection.request(method, params)
        except (TransportError, TimeoutError) as e:
            reason = str(e) or f"no answer to {method} in time"
            await connection.close(reason)
            raise TransportError(reason) from e


async def _guard(work: Awaitable[Any], *libraries: str) -> Any:
    """Await, and turn what means "the node is away" into `TransportError`."""
    try:
        return await work
    except (OSError, EOFError, ValueError, anyio.EndOfStream, anyio.ClosedResourceError) as e:
        raise TransportError(_words(e)) from e
    except Exception as e:
        # The libraries' own errors, named without importing what may not be in use.
        if type(e).__module__.partition(".")[0] in (*libraries, "anyio"):
            raise TransportError(_words(e)) from e
        raise


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
