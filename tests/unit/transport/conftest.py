"""Two sockets joined back to back, for tests of what runs over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.streams.stapled import StapledObjectStream

from infera.transport.sockets import LinkLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class PipeSocket:
    """One end. `cut()` loses the connection for both."""

    def __init__(self, stream: StapledObjectStream[bytes]) -> None:
        self._stream = stream
        self.sent: list[bytes] = []

    async def send(self, data: bytes) -> None:
        try:
            await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise LinkLostError("connection lost") from None
        self.sent.append(data)

    async def receive(self) -> bytes | str:
        try:
            return await self._stream.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise LinkLostError("connection lost") from None

    async def close(self, reason: str = "") -> None:
        await self._stream.aclose()


def join() -> tuple[PipeSocket, PipeSocket]:
    """A connected pair with room for 64 messages each way."""
    to_right, from_left = anyio.create_memory_object_stream[bytes](64)
    to_left, from_right = anyio.create_memory_object_stream[bytes](64)
    return (
        PipeSocket(StapledObjectStream(to_right, from_right)),
        PipeSocket(StapledObjectStream(to_left, from_left)),
    )


@pytest.fixture
async def make_pipe() -> AsyncIterator[Callable[[], tuple[PipeSocket, PipeSocket]]]:
    """Makes connected pairs, and closes them after the test."""
    made: list[PipeSocket] = []

    def make() -> tuple[PipeSocket, PipeSocket]:
        pair = join()
        made.extend(pair)
        return pair

    yield make
    for socket in made:
        await socket.close()


@pytest.fixture
async def pipe(
    make_pipe: Callable[[], tuple[PipeSocket, PipeSocket]],
) -> tuple[PipeSocket, PipeSocket]:
    return make_pipe()
