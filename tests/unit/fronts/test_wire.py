"""What happens on the socket: bounds, hang-ups, time limits, back-pressure."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import orjson
import pytest
from anyio.lowlevel import checkpoint
from scripted_gateway import (
    JOB_ID,
    KEY,
    OTHER_KEY,
    ScriptedGateway,
    chat_body,
    chunk,
    connect,
    port_of,
    raw,
    raw_chat,
    read_reply,
    running,
    talk,
)

from infera.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import Shared
    from infera_plugins.fronts.openai.server import OpenAIFront


async def says_nothing(gateway: ScriptedGateway, *_: object) -> AsyncIterator[bytes]:
    gateway.reached.set()
    await anyio.sleep_forever()
    yield b""


async def says_one_thing(gateway: ScriptedGateway, *_: object) -> AsyncIterator[bytes]:
    yield chunk("Hel")
    gateway.reached.set()
    await anyio.sleep_forever()


async def test_bytes_are_relayed_untouched(front: OpenAIFront, gateway: ScriptedGateway) -> None:
    pieces = [b"data: {not even json\n\n", b": comment\n\n", bytes(range(256)), b"data: [DONE]\n\n"]

    async def script(*_: object) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    gateway.script = script
    reply = await talk(front, raw_chat(stream=True))
    assert reply.body == b"".join(pieces)
    assert "content-length" not in reply.headers
    assert reply.headers["x-infera-job"] == JOB_ID
    whole = await talk(front, raw_chat())
    assert whole.body == b"".join(pieces)
    assert int(whole.headers["content-length"]) == len(whole.body)


@pytest.mark.parametrize("script", [says_nothing, says_one_thing])
@pytest.mark.parametrize("stream", [False, True])
async def test_hanging_up_stops_generation(
    front: OpenAIFront, gateway: ScriptedGateway, script: Any, stream: bool
) -> None:
    gateway.script = script
    connection = await connect(front)
    await connection.send(raw_chat(stream=stream))
    with anyio.fail_after(5):
        await gateway.reached.wait()
        assert gateway.open_jobs == 1
        await connection.aclose()
        await gateway.stopped.wait()
    assert gateway.open_jobs == 0
    metrics = await talk(front, raw(line="GET /metrics"))
    route = "/v1/chat/completions"
    assert f'route="{route}",status="499"'.encode() in metrics.body
    assert b"infera_front_requests_in_flight 0.0" in metrics.body


async def test_hanging_up_while_sending_the_body(
    front: OpenAIFront, gateway: ScriptedGateway
) -> None:
    connection = await connect(front)
    await connection.send(raw(b'{"model":', length="content-length: 50"))
    await connection.aclose()
    assert (await talk(front, raw_chat())).status == 200
    assert len(gateway.submitted) == 1


async def test_a_client_that_does_not_read_holds_generation_back(
    front: OpenAIFront, gateway: ScriptedGateway
) -> None:
    produced = 0

    async def script(*_: object) -> AsyncIterator[bytes]:
        nonlocal produced
        while True:
            await checkpoint()
            yield b"x" * 65_536
            produced += 1

    gateway.script = script
    raw_socket = socket.socket()
    raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    raw_socket.connect(("127.0.0.1", port_of(front)))
    raw_socket.sendall(raw_chat(stream=True))
    with anyio.fail_after(10):
        still = 0
        while still < 500:
            before = produced
            await checkpoint()
            still = still + 1 if produced == before and produced else 0
        assert produced < 400
        raw_socket.close()
        await gateway.stopped.wait()


async def test_a_body_that_is_too_large_is_refused_unread(
    front: OpenAIFront, gateway: ScriptedGateway
) -> None:
    async with await connect(front) as connection:
        await connection.send(raw(length="content-length: 1048577"))
        await connection.send_eof()
        reply = await read_reply(connection)
    assert (reply.status, reply.code) == (413, "request_too_large")
    assert reply.headers["connection"] == "close"
    assert gateway.submitted == []


async def test_an_endless_body_is_cut_off(gateway: ScriptedGateway) -> None:
    async with running(gateway, max_body_bytes=10_000) as front, await connect(front) as connection:
        await connection.send(raw(length="transfer-encoding: chunked"))
        block = b"10000\r\n" + b"x" * 65_536 + b"\r\n"

        async def send_for_ever() -> None:
            with suppress(anyio.BrokenResourceError):
                while True:
                    await connection.send(block)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(send_for_ever)
                received = await connection.receive()
                assert received.startswith(b"HTTP/1.1 413 ")
                # and the sender's connection breaks by itself


async def test_a_large_body_within_the_limit(front: OpenAIFront, gateway: ScriptedGateway) -> None:
    text = "é" * 300_000
    body = orjson.dumps(chat_body(messages=[{"role": "user", "content": text}]))
    assert (await talk(front, raw(body))).status == 200
    assert gateway.submitted[0][1].messages[0].content == text


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (raw(b"{"), 400, "invalid_json"),
        (raw(b""), 400, "invalid_json"),
        (raw(b"\xff"), 400, "invalid_json"),
        (raw(b"NaN"), 400, "invalid_json"),
        (raw(b'"\\ud800"'), 400, "invalid_json"),
        (raw(b"[" * 5000), 400, "invalid_json"),
        (raw(b"[]"), 400, "invalid_type"),
        (raw(b"{}", media="text/plain"), 415, "unsupported_media_type"),
        (raw(b"{}", extra="content-encoding: gzip\r\n"), 415, "unsupported_content_encoding"),
        (raw(b"{}", extra="idempotency-key: \r\n"), 400, "invalid_idempotency_key"),
        (raw(b"{}", extra=f"idempotency-key: {'k' * 256}\r\n"), 400, "invalid_idempotency_key"),
        (raw(b"{}", extra="idempotency-key: caf\xe9\r\n"), 400, "invalid_idempotency_key"),
        (raw(line="GET /v1/chat/completions"), 405, "method_not_allowed"),
        (raw(line="DELETE /v1/models"), 405, "method_not_allowed"),
        (raw(line="POST /chat/completions"), 404, "unknown_route"),
        (raw(line="GET /v1/models/"), 404, "model_not_found"),
        (raw(line="GET /v1/nothing%00%0a"), 404, "unknown_route"),
        (raw(line="GET /v1/network/batches/x"), 404, "unknown_route"),
        (raw(line=f"GET /v1/network/batches/{2**70}"), 404, "batch_not_found"),
        (raw(line="GET /v1/receipts/0xff"), 404, "receipt_not_found"),
        (raw(line="GET /v1/receipts/a%20b"), 404, "receipt_not_found"),
        (raw(b"{}", key=""), 401, "missing_api_key"),
        (raw(b"{}", key="caf\xe9"), 401, "invalid_api_key"),
        (raw(line="GET /v1/account", key="x"), 401, "invalid_api_key"),
        (b"nonsense\r\n\r\n", 400, "invalid_http"),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000, 400, "invalid_http"),
    ],
)
async def test_errors(shared: Shared, request_bytes: bytes, status: int, code: str) -> None:
    reply = await talk(shared.front, request_bytes)
    assert (reply.status, reply.code) == (status, code)
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    if code != "invalid_http":
        assert reply.headers["x-request-id"].startswith("req_")
    assert KEY not in reply.body.decode()


@pytest.mark.parametrize("status", [-1, 0, 101, 200, 304, 600, 10**9])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_with_a_status_that_is_none(
    front: OpenAIFront, gateway: ScriptedGateway, status: int, stream: bool
) -> None:
    gateway.failure = RequestError("x" * 10**6, code="refused", status=status)
    reply = await talk(front, raw_chat(stream=stream))
    assert (reply.status, reply.code) == (502, "refused")
    assert len(reply.body) < 5000


async def test_routes_that_are_not_there_say_what_is(front: OpenAIFront) -> None:
    reply = await talk(front, raw(line="POST /chat/completions"))
    assert "did you mean '/v1/chat/completions'?" in reply.json()["error"]["message"]
    assert (await talk(front, raw(line="PUT /v1/completions"))).headers["allow"] == "POST"
    assert (await talk(front, raw(line="PUT /v1/models"))).headers["allow"] == "GET, HEAD"


async def test_a_connection_survives_an_error(front: OpenAIFront) -> None:
    keep = raw(b"{}").replace(b"connection: close\r\n", b"")
    async with await connect(front) as connection:
        await connection.send(keep + raw_chat())
        reply = await read_reply(connection)
    assert reply.status == 400
    assert b"HTTP/1.1 200 OK" in reply.body


async def test_expect_continue(front: OpenAIFront) -> None:
    body = orjson.dumps(chat_body())
    length = f"content-length: {len(body)}"
    async with await connect(front) as connection:
        await connection.send(raw(length=length, extra="expect: 100-continue\r\n"))
        with anyio.fail_after(5):
            assert (await connection.receive()).startswith(b"HTTP/1.1 100 ")
        await connection.send(body)
        assert (await read_reply(connection)).status == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (raw(b'{"model":', length="content-length: 50"), 408),
        (b"POST / HTTP/1.1\r\nho", 0),
        (b"", 0),
    ],
)
async def test_slow_senders_are_cut_off(gateway: ScriptedGateway, sent: bytes, status: int) -> None:
    async with running(gateway, body_timeout_s=0.05) as front, await connect(front) as connection:
        if sent:
            await connection.send(sent)
        if status:
            reply = await read_reply(connection)
            assert (reply.status, reply.code) == (408, "request_body_timeout")
        else:
            with anyio.fail_after(5), pytest.raises(anyio.EndOfStream):
                await connection.receive()


async def test_an_idle_connection_is_not_a_slow_one(gateway: ScriptedGateway) -> None:
    """The time limit is on a request's head, not on the pause between two requests."""
    async with running(gateway, body_timeout_s=0.05) as front, await connect(front) as connection:
        await connection.send(raw_chat().replace(b"connection: close\r\n", b""))
        assert (await connection.receive()).startswith(b"HTTP/1.1 200 ")
        with anyio.move_on_after(0.15) as waited:
            await connection.receive()
        assert waited.cancelled_caught
        await connection.send(raw_chat())
        assert (await read_reply(connection)).status == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_that_takes_too_long_before_the_first_byte(
    gateway: ScriptedGateway, stream: bool
) -> None:
    gateway.script = says_nothing
    async with running(gateway, request_timeout_s=0.05) as front:
        reply = await talk(front, raw_chat(stream=stream))
    assert (reply.status, reply.code) == (504, "request_timeout")
    assert reply.headers["x-should-retry"] == "false"
    assert gateway.open_jobs == 0


async def test_a_stream_that_takes_too_long(gateway: ScriptedGateway) -> None:
    gateway.script = says_one_thing
    async with running(gateway, request_timeout_s=0.05) as front:
        reply = await talk(front, raw_chat(stream=True))
    assert reply.status == 200
    first, last, end = reply.body.split(b"\n\n")
    assert first + b"\n\n" == chunk("Hel")
    assert orjson.loads(last.removeprefix(b"data: "))["error"]["code"] == "request_timeout"
    assert end == b""
    assert gateway.open_jobs == 0


async def test_requests_at_a_time_per_key(gateway: ScriptedGateway) -> None:
    gateway.script = says_nothing
    async with running(gateway, max_concurrent_per_key=1) as front:
        async with await connect(front) as first:
            await first.send(raw_chat())
            await gateway.reached.wait()
            reply = await talk(front, raw_chat())
            assert (reply.status, reply.code) == (429, "concurrency_limit_exceeded")
            assert reply.headers["retry-after"] == "1"
            assert (await talk(front, raw(b"{}", key=OTHER_KEY))).status == 400
        await gateway.stopped.wait()
        assert (await talk(front, raw(b"{}"))).status == 400


async def test_leaving_after_the_answer_does_not_cut_the_job_short(
    front: OpenAIFront, gateway: ScriptedGateway
) -> None:
    """The client hangs up while the router still books the job: that goes on to its end."""
    gateway.bookkeeping = anyio.Event()
    async with await connect(front) as connection:
        await connection.send(raw_chat(stream=True))
        assert (await read_reply(connection)).status == 200
    assert (await talk(front, raw(line="GET /healthz"))).status == 200
    assert not gateway.booked.is_set()
    gateway.bookkeeping.set()
    with anyio.fail_after(5):
        await gateway.booked.wait()
