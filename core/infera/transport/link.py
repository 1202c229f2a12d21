"""The multiplexer: many streams over one socket, each with its own flow-control window.

A sender may have at most `WINDOW` bytes of `CHUNK` payload unread at the other side; reading gives
the bytes back as `CREDIT`. So a slow
client slows its own job down to the engine, and no other job on the link.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from struct import Struct
from typing import TYPE_CHECKING

import anyio
import orjson

from infera.errors import ProtocolError
from infera.groups import unwrapped
from infera.transport.frames import CLOSING, Frame, FrameType, decode, encode
from infera.transport.sockets import LinkLostError, Socket

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

WINDOW = 256 * 1024
"""Bytes of unread chunks a stream may hold."""

MAX_STREAMS = 4096

_U32 = Struct(">I")

Handler = Callable[["Stream", Frame], Awaitable[None]]
"""Serves one stream the peer has opened; gets the opening frame."""


class Stream:
    """One conversation. The opener sends the first frame; a closing frame ends it for both
    sides.
    """

    def __init__(self, link: Link, number: int) -> None:
        self.number = number
        self.cancelled = False
        self.cancel_scope: anyio.CancelScope | None = None
        self._link = link
        self._credit = WINDOW
        self._credited = anyio.Event()
        self._unread = 0
        # Bounded by the window for chunks; every other frame type comes once or twice a stream.
        self._inbox: deque[Frame] = deque()
        self._arrived = anyio.Event()
        self._closed = False

    async def send(self, type: FrameType, payload: bytes) -> None:
        """Send one frame; a `CHUNK` waits for window first. Raises `LinkLostError`."""
        if type is FrameType.CHUNK:
            while self._credit <= 0:
                if self._link.lost is not None:
                    raise LinkLostError(self._link.lost)
                self._credited = anyio.Event()
                await self._credited.wait()
            self._credit -= len(payload)
        await self._link.send(type, self.number, payload)

    async def send_json(self, type: FrameType, value: object) -> None:
        await self.send(type, orjson.dumps(value))

    async def receive(self) -> Frame:
        """The next frame. Raises `LinkLostError` when the link has ended before a closing frame
        came.
        """
        while not self._inbox:
            if self._closed:
                raise LinkLostError(self._link.lost or "stream closed")
            self._arrived = anyio.Event()
            await self._arrived.wait()
        frame = self._inbox.popleft()
        if frame.type is FrameType.CHUNK:
            self._unread += len(frame.payload)
            if self._unread >= WINDOW // 4:
                unread, self._unread = self._unread, 0
                await self._link.send(FrameType.CREDIT, self.number, _U32.pack(unread))
        return frame

    def deliver(self, frame: Frame) -> None:
        """Called by the link for each arriving frame."""
        if frame.type is FrameType.CREDIT:
            if len(frame.payload) != _U32.size:
                raise ProtocolError("a CREDIT frame holds four bytes")
            self._credit = min(WINDOW, self._credit + _U32.unpack(frame.payload)[0])
            self._credited.set()
        elif frame.type is FrameType.CANCEL:
            self.cancelled = True
            self._credited.set()
            if self.cancel_scope is not None:
                self.cancel_scope.cancel()
        else:
            self._inbox.append(frame)
            self._arrived.set()

    def lose(self) -> None:
        """The peer is gone: nobody waits for the work any more."""
        self.cancelled = True
        self.close()
        if self.cancel_scope is not None:
            self.cancel_scope.cancel()

    def close(self) -> None:
        """No more frames will come; what has arrived can still be read."""
        self._closed = True
        self._arrived.set()
        self._credited.set()


class Link:
    """One connection. `run` reads it until it ends; everything else may be called from any task
    meanwhile.
    """

    def __init__(self, socket: Socket, *, dialled: bool) -> None:
        self._socket = socket
        self._streams: dict[int, Stream] = {}
        # Odd numbers belong to the side that dialled, so both may open streams without asking.
        self._next = 1 if dialled else 2
        self._mine = self._next % 2
        self.lost: str | None = None

    async def send(self, type: FrameType, stream: int, payload: bytes) -> None:
        await self._socket.send(encode(type, stream, payload))

    async def notify(self, type: FrameType, value: object) -> None:
        """A frame on stream 0: heartbeat or notice."""
        await self.send(type, 0, orjson.dumps(value))

    @asynccontextmanager
    async def open(self, type: FrameType, payload: bytes) -> AsyncIterator[Stream]:
        """Open a stream with its first frame; leaving the context frees it."""
        if self.lost is not None:
            raise LinkLostError(self.lost)
        stream = Stream(self, self._next)
        self._next += 2
        self._streams[stream.number] = stream
        try:
            await self.send(type, stream.number, payload)
            yield stream
        finally:
            self._forget(stream)

    async def query(self, value: object) -> Frame:
        """Ask and wait for the `REPLY`. Raises `ProtocolError` with the peer's words on `FAIL`,
        `LinkLostError`.
        """
        async with self.open(FrameType.QUERY, orjson.dumps(value)) as stream:
            frame = await stream.receive()
        if frame.type is FrameType.FAIL:
            raise ProtocolError(str(frame.json().get("message", "the peer refused a query")))
        return frame

    async def run(self, on_open: Handler, on_notice: Callable[[Frame], Awaitable[None]]) -> None:
        """Read frames until the link ends; then every stream's work is cancelled, and this returns
        once it has wound down.
        """
        try:
            with unwrapped():
                async with anyio.create_task_group() as tasks:
                    await self._read(tasks, on_open, on_notice)
        finally:
            self._end("link closed")

    async def _read(
        self,
        tasks: TaskGroup,
        on_open: Handler,
        on_notice: Callable[[Frame], Awaitable[None]],
    ) -> None:
        try:
            while True:
                frame = decode(await self._socket.receive())
                await self._dispatch(frame, tasks, on_open, on_notice)
        except LinkLostError as lost:
            self._end(lost.message)
        except ProtocolError as violation:
            self._end(violation.message)
            await self._socket.close(violation.message)

    async def _dispatch(
        self,
        frame: Frame,
        tasks: TaskGroup,
        on_open: Handler,
        on_notice: Callable[[Frame], Awaitable[None]],
    ) -> None:
        if frame.stream == 0:
            await on_notice(frame)
            return
        stream = self._streams.get(frame.stream)
        if stream is not None:
            stream.deliver(frame)
            if frame.type in CLOSING:
                self._forget(stream)
        elif frame.type in (FrameType.OPEN, FrameType.QUERY):
            if frame.stream % 2 == self._mine or len(self._streams) >= MAX_STREAMS:
                raise ProtocolError(f"the peer may not open stream {frame.stream}")
            stream = Stream(self, frame.stream)
            self._streams[stream.number] = stream
            tasks.start_soon(self._serve, stream, frame, on_open)
        # Anything else is a late frame of a stream that has ended here: both sides may close at the
        # same moment.

    async def _serve(self, stream: Stream, frame: Frame, handler: Handler) -> None:
        try:
            await handler(stream, frame)
        except LinkLostError:
            pass  # the reader has told everybody
        finally:
            self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        self._streams.pop(stream.number, None)
        stream.close()

    def _end(self, reason: str) -> None:
        if self.lost is None:
            self.lost = reason
        for stream in list(self._streams.values()):
            stream.lose()
        self._streams.clear()

    async def close(self, reason: str) -> None:
        await self._socket.close(reason)
