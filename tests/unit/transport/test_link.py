"""The multiplexer: streams, flow control, cancellation and loss."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.errors import ProtocolError, StateError
from infera.transport.frames import FrameType, encode
from infera.transport.link import WINDOW, Link
from infera.transport.sockets import LinkLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infera.transport.frames import Frame
    from infera.transport.link import Handler, Stream

pytestmark = pytest.mark.anyio


async def _nothing(frame: Frame) -> None:
    return None


async def _refuse(stream: Stream, frame: Frame) -> None:
    await stream.send_json(FrameType.FAIL, {"message": "no"})


@asynccontextmanager
async def _linked(pipe: Any, serve: Handler) -> AsyncIterator[Link]:
    """A link whose other side serves streams with `serve`."""
    near, far = Link(pipe[0], dialled=True), Link(pipe[1], dialled=False)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(near.run, _refuse, _nothing)
            tasks.start_soon(far.run, serve, _nothing)
            yield near
            tasks.cancel_scope.cancel()


async def test_a_query_gets_its_reply_and_a_failure_its_words(pipe: Any) -> None:
    async def serve(stream: Stream, frame: Frame) -> None:
        if frame.json()["n"] == 1:
            await stream.send_json(FrameType.REPLY, {"n": 2})
        else:
            await stream.send_json(FrameType.FAIL, {"message": "one only"})

    async with _linked(pipe, serve) as link:
        assert (await link.query({"n": 1})).json() == {"n": 2}
        with pytest.raises(ProtocolError, match="one only"):
            await link.query({"n": 3})


async def test_streams_do_not_mix(pipe: Any) -> None:
    async def serve(stream: Stream, frame: Frame) -> None:
        for _ in range(20):
            await stream.send(FrameType.CHUNK, frame.payload)
            await anyio.lowlevel.checkpoint()
        await stream.send(FrameType.END, b"{}")

    async def collect(link: Link, name: bytes, into: dict[bytes, list[bytes]]) -> None:
        async with link.open(FrameType.OPEN, name) as stream:
            while (frame := await stream.receive()).type is FrameType.CHUNK:
                into.setdefault(name, []).append(frame.payload)

    got: dict[bytes, list[bytes]] = {}
    async with _linked(pipe, serve) as link, anyio.create_task_group() as tasks:
        for name in (b"a", b"b", b"c"):
            tasks.start_soon(collect, link, name, got)
    assert got == {name: [name] * 20 for name in (b"a", b"b", b"c")}


async def test_a_reader_that_does_not_read_stops_its_sender_and_nobody_else(pipe: Any) -> None:
    sent = 0
    piece = bytes(WINDOW // 8)

    async def serve(stream: Stream, frame: Frame) -> None:
        nonlocal sent
        if frame.type is FrameType.QUERY:
            await stream.send_json(FrameType.REPLY, {})
            return
        for _ in range(64):
            await stream.send(FrameType.CHUNK, piece)
            sent += 1
        await stream.send(FrameType.END, b"{}")

    async with _linked(pipe, serve) as link, link.open(FrameType.OPEN, b"") as stream:
        await anyio.wait_all_tasks_blocked()
        assert sent == 8, "a full window, and not a byte more"
        # Another stream of the same link still moves.
        await link.query({})
        read = 0
        while (await stream.receive()).type is FrameType.CHUNK:
            read += 1
            await anyio.wait_all_tasks_blocked()
            assert sent - read <= 8
        assert read == sent == 64


async def test_cancelling_reaches_the_other_side(pipe: Any) -> None:
    stopped = anyio.Event()

    async def serve(stream: Stream, frame: Frame) -> None:
        with anyio.CancelScope() as stream.cancel_scope:
            await anyio.sleep_forever()
        assert stream.cancelled
        stopped.set()
        await stream.send(FrameType.END, b"{}")

    async with _linked(pipe, serve) as link:
        async with link.open(FrameType.OPEN, b"") as stream:
            await anyio.wait_all_tasks_blocked()
            await stream.send(FrameType.CANCEL, b"")
            assert (await stream.receive()).type is FrameType.END
        assert stopped.is_set()


async def test_a_lost_connection_wakes_everybody(pipe: Any) -> None:
    async def serve(stream: Stream, frame: Frame) -> None:
        await anyio.sleep_forever()

    async with _linked(pipe, serve) as link:
        async with link.open(FrameType.OPEN, b"") as stream:
            await anyio.wait_all_tasks_blocked()
            await pipe[1].close()
            with pytest.raises(LinkLostError):
                await stream.receive()
        with pytest.raises(LinkLostError):
            async with link.open(FrameType.OPEN, b""):
                pass
        assert link.lost


@pytest.mark.parametrize(
    "message",
    [b"\x63\0\0\0\1", "text", encode(FrameType.OPEN, 1, b""), b"\x01"],
    ids=["unknown type", "text", "a stream number of ours", "truncated"],
)
async def test_a_peer_that_breaks_the_rules_is_dropped(pipe: Any, message: Any) -> None:
    near = Link(pipe[0], dialled=True)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(near.run, _refuse, _nothing)
            await pipe[1].send(message)
            with pytest.raises(LinkLostError):
                await pipe[1].receive()
            tasks.cancel_scope.cancel()
    assert near.lost not in (None, "connection lost")


async def test_credit_of_a_wrong_size_is_a_violation(pipe: Any) -> None:
    async with _linked(pipe, _refuse) as link, link.open(FrameType.OPEN, b"") as stream:
        with pytest.raises(ProtocolError, match="four bytes"):
            stream.deliver(_frame(FrameType.CREDIT, b"\0"))


def _frame(type: FrameType, payload: bytes) -> Frame:
    from infera.transport.frames import Frame

    return Frame(type, 1, payload)


async def test_work_for_a_peer_that_is_lost_stops(pipe: Any) -> None:
    began, stopped = anyio.Event(), anyio.Event()

    async def serve(stream: Stream, frame: Frame) -> None:
        with anyio.CancelScope() as stream.cancel_scope:
            began.set()
            await anyio.sleep_forever()  # it sends nothing, so no send can tell it of the loss
        stopped.set()

    near, far = Link(pipe[0], dialled=True), Link(pipe[1], dialled=False)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(near.run, _refuse, _nothing)

            async def ask() -> None:
                with pytest.raises(LinkLostError):
                    await near.query({})

            async def cut() -> None:
                await began.wait()
                await pipe[1].close()

            tasks.start_soon(ask)
            tasks.start_soon(cut)
            await far.run(serve, _nothing)
            assert stopped.is_set(), "a provider can dial again only once this call returns"


async def test_a_handler_that_fails_is_named_bare(pipe: Any) -> None:
    async def fail(stream: Stream, frame: Frame) -> None:
        raise StateError("disk is full")

    async def notice(frame: Frame) -> None:
        raise StateError("disk is full")

    for type, number in ((FrameType.QUERY, 2), (FrameType.NOTICE, 0)):
        near = Link(pipe[0], dialled=True)
        with anyio.fail_after(5):
            await pipe[1].send(encode(type, number, b"{}"))
            with pytest.raises(StateError):  # not a group with it
                await near.run(fail, notice)
        assert near.lost
