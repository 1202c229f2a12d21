"""Sockets: many requests at once, answers in any order, and what a broken connection means."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.abc import SocketStream  # noqa: TC002 (used by an annotation read at run time)
from websockets.asyncio.server import serve

from infera_plugins.chains.evm.transport import (
    HttpTransport,
    SocketTransport,
    TransportError,
    make_transport,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def answer(request: dict[str, Any]) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": request["id"],
        "result": [request["method"], *request["params"]],
    }


@asynccontextmanager
async def websocket(handler: Any) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}"


async def test_answers_find_their_requests_in_any_order() -> None:
    async def backwards(connection: Any) -> None:
        while True:
            requests = [json.loads(await connection.recv()) for _ in range(5)]
            await connection.send(json.dumps({"method": "eth_subscription", "params": {}}))
            for request in reversed(requests):
                await connection.send(json.dumps(answer(request)))

    async with websocket(backwards) as url:
        transport = make_transport(url, timeout_s=10)
        got: dict[int, Any] = {}

        async def ask(number: int) -> None:
            got[number] = (await transport.make_request("m", [number]))["result"]

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(ask, number)
        assert got == {number: ["m", number] for number in range(20)}
        await transport.disconnect()


async def test_a_broken_connection_is_told_to_all_and_opened_again() -> None:
    connections = 0

    async def once(connection: Any) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            for _ in range(3):
                await connection.recv()
            return  # hangs up on three open requests
        async for message in connection:
            await connection.send(json.dumps(answer(json.loads(message))))

    async with websocket(once) as url:
        transport = make_transport(url, timeout_s=10)
        failures = []

        async def ask() -> None:
            try:
                await transport.make_request("m", [])
            except TransportError as e:
                failures.append(str(e))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
        assert len(failures) == 3
        assert (await transport.make_request("m", [1]))["result"] == ["m", 1]
        assert connections == 2
        await transport.disconnect()


async def test_a_silent_node_times_out() -> None:
    async def silent(connection: Any) -> None:
        async for _ in connection:
            pass

    async with websocket(silent) as url:
        transport = make_transport(url, timeout_s=0.05)
        with pytest.raises(TransportError, match="no answer to eth_chainId in time"):
            await transport.make_request("eth_chainId", [])
        await transport.disconnect()


async def test_ipc_reads_objects_however_they_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "node.ipc"

    async def cutting(stream: SocketStream) -> None:
        async with stream:
            text = b""
            while text.count(b'"jsonrpc"') < 3:
                text += await stream.receive()
            decoder, rest, found = json.JSONDecoder(), text.decode(), []
            while rest:
                request, end = decoder.raw_decode(rest)
                found.append(answer(request))
                rest = rest[end:]
            out = "\n".join(json.dumps(a, ensure_ascii=False) for a in found).encode()
            for start in range(0, len(out), 7):  # cuts through objects and characters
                await stream.send(out[start : start + 7])
                await anyio.lowlevel.checkpoint()

    listener = await anyio.create_unix_listener(path)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, cutting)
        transport = make_transport(f"ipc://{path}", timeout_s=10)
        got = []

        async def ask(word: str) -> None:
            got.append((await transport.make_request("m", [word]))["result"][1])

        async with anyio.create_task_group() as asking:
            for word in ("grün}", "weiß]", "schön"):
                asking.start_soon(ask, word)
        assert sorted(got) == ["grün}", "schön", "weiß]"]
        await transport.disconnect()
        tasks.cancel_scope.cancel()


async def test_http_failures_are_transport_errors() -> None:
    async def talk(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            body = b"<html>bad gateway</html>"
            head = f"HTTP/1.1 502 Bad Gateway\r\nContent-Length: {len(body)}\r\n\r\n"
            await stream.send(head.encode() + body)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, talk)
        transport = make_transport(f"http://127.0.0.1:{port}", timeout_s=10)
        with pytest.raises(TransportError, match="502"):
            await transport.make_request("eth_chainId", [])
        await transport.disconnect()
        tasks.cancel_scope.cancel()
    with pytest.raises(TransportError):
        await transport.make_request("eth_chainId", [])
    await transport.disconnect()


def test_urls_choose_their_transport() -> None:
    assert isinstance(make_transport("https://node"), HttpTransport)
    assert isinstance(make_transport("wss://node"), SocketTransport)
    assert isinstance(make_transport("/run/geth.ipc"), SocketTransport)
