"""The front as a component: configuration, start, stop, what it says when it cannot start."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from pydantic import ValidationError
from scripted_gateway import (
    ScriptedGateway,
    chunk,
    connect,
    port_of,
    raw,
    raw_chat,
    read_reply,
    running,
    talk,
)

import infera_plugins.fronts.openai as plugin
from infera.bus import EventBus
from infera.context import Context
from infera.errors import NeedsOperatorError, PermanentError
from infera.events import FrontListening
from infera_plugins.fronts.openai.config import OpenAIFrontConfig, split_listen
from infera_plugins.fronts.openai.server import OpenAIFront

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def says_one_thing(gateway: ScriptedGateway, *_: object) -> AsyncIterator[bytes]:
    yield chunk("Hel")
    gateway.reached.set()
    await anyio.sleep_forever()


def test_registers_under_its_kind() -> None:
    seen: list[tuple[Any, ...]] = []
    plugin.infera_register_fronts(lambda *args: seen.append(args))
    assert seen == [("openai", OpenAIFront.build, OpenAIFrontConfig)]
    assert plugin.infera_manifest().name == "openai"


def test_a_front_needs_a_router(tmp_path: Path) -> None:
    context = Context("n", tmp_path, EventBus(), cast("Any", None), cast("Any", None))
    with pytest.raises(PermanentError, match="no router"):
        OpenAIFront.build(OpenAIFrontConfig(), context)
    context.gateway = ScriptedGateway()
    assert OpenAIFront.build(OpenAIFrontConfig(), context).name == "openai"


@pytest.mark.parametrize(
    "settings",
    [
        {"listen": "8080"},
        {"listen": ":8080"},
        {"listen": "localhost:http"},
        {"listen": "localhost:65536"},
        {"listen": "::1:8080"},
        {"max_body_bytes": 0},
        {"request_timeout_s": 0},
        {"tls_cert": "cert.pem"},
        {"unknown": 1},
    ],
)
def test_bad_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OpenAIFrontConfig(**settings)


def test_every_setting_is_documented() -> None:
    for name, field in OpenAIFrontConfig.model_fields.items():
        assert field.description, name


def test_listen_addresses() -> None:
    assert split_listen("[::1]:0") == ("::1", 0)
    assert split_listen("0.0.0.0:80") == ("0.0.0.0", 80)


async def test_says_where_it_listens(gateway: ScriptedGateway) -> None:
    bus = EventBus()
    async with bus.subscribe(FrontListening) as events, running(gateway, bus=bus) as front:
        with anyio.fail_after(5):
            event = await anext(events)
        assert event == FrontListening("openai", front.base_url)
        assert front.base_url == f"http://127.0.0.1:{port_of(front)}/v1"


async def test_listens_on_every_address(gateway: ScriptedGateway) -> None:
    async with running(gateway, listen="0.0.0.0:0") as front:
        assert front.base_url.startswith("http://127.0.0.1:")
        assert (await talk(front, raw(line="GET /healthz"))).status == 200


async def start(**settings: Any) -> None:
    front = OpenAIFront(OpenAIFrontConfig(**settings), ScriptedGateway(), EventBus())
    await front.serve(task_status=anyio.TASK_STATUS_IGNORED)


async def test_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(NeedsOperatorError, match=f"port {port} is in use") as caught:
            await start(listen=f"127.0.0.1:{port}")
    assert caught.value.code == "front_port_in_use"
    assert "--port 0" in caught.value.hint


async def test_an_address_of_another_machine() -> None:
    with pytest.raises(NeedsOperatorError) as caught:
        await start(listen="192.0.2.1:0")
    assert caught.value.code == "front_cannot_listen"


async def test_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NeedsOperatorError) as caught:
        await start(listen="127.0.0.1:0", tls_cert=tmp_path / "c", tls_key=tmp_path / "k")
    assert caught.value.code == "front_tls_unusable"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
async def test_tls(gateway: ScriptedGateway, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        f"-keyout {key} -out {cert} -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    await anyio.run_process(command.split(), stderr=subprocess.DEVNULL)
    context = ssl.create_default_context(cafile=str(cert))
    async with running(gateway, tls_cert=cert, tls_key=key) as front:
        assert front.base_url.startswith("https://127.0.0.1:")
        async with await anyio.connect_tcp(
            "127.0.0.1", port_of(front), ssl_context=context, tls_standard_compatible=False
        ) as stream:
            await stream.send(raw_chat())
            assert (await read_reply(stream)).status == 200


@pytest.mark.parametrize("grace", [0, 0.05])
async def test_stopping_ends_streams_with_an_event(gateway: ScriptedGateway, grace: float) -> None:
    gateway.script = says_one_thing
    async with running(gateway, shutdown_grace_s=grace) as front:
        connection = await connect(front)
        await connection.send(raw_chat(stream=True))
        await gateway.reached.wait()
    async with connection:
        reply = await read_reply(connection)
    assert reply.status == 200
    assert b'"code":"shutting_down"' in reply.body
    assert reply.body.endswith(b"}\n\n")
    assert b"[DONE]" not in reply.body
    assert gateway.open_jobs == 0


async def test_stopping_answers_requests_without_a_first_byte(gateway: ScriptedGateway) -> None:
    gateway.script = says_one_thing
    async with running(gateway) as front:
        connection = await connect(front)
        await connection.send(raw_chat())
        await gateway.reached.wait()
    async with connection:
        reply = await read_reply(connection)
    assert (reply.status, reply.code) == (503, "shutting_down")
    assert reply.headers["retry-after"] == "5"


async def test_a_stream_may_finish_within_the_grace_period(gateway: ScriptedGateway) -> None:
    go_on = anyio.Event()

    async def script(gateway: ScriptedGateway, *_: object) -> AsyncIterator[bytes]:
        yield chunk("Hel")
        gateway.reached.set()
        await go_on.wait()
        yield chunk("lo", "stop")
        yield b"data: [DONE]\n\n"

    gateway.script = script
    async with (
        anyio.create_task_group() as tasks,
        running(gateway, shutdown_grace_s=10) as front,
    ):
        connection = await connect(front)
        await connection.send(raw_chat(stream=True))
        await gateway.reached.wait()
        idle = await connect(front)

        async def finish_once_stopping() -> None:
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await idle.receive()  # idle connections are closed as soon as a stop begins
            go_on.set()

        tasks.start_soon(finish_once_stopping)
    async with connection, idle:
        reply = await read_reply(connection)
    assert reply.body.endswith(b"data: [DONE]\n\n")


async def test_a_client_that_does_not_read_cannot_hold_up_a_stop(gateway: ScriptedGateway) -> None:
    async def script(gateway: ScriptedGateway, *_: object) -> AsyncIterator[bytes]:
        while True:
            yield b"x" * (1 << 20)
            gateway.reached.set()

    gateway.script = script
    with anyio.fail_after(8):
        async with running(gateway) as front:
            connection = await connect(front)
            await connection.send(raw_chat(stream=True))
            await gateway.reached.wait()
    await connection.aclose()
    assert gateway.open_jobs == 0


async def test_stops_and_starts_on_the_same_port(gateway: ScriptedGateway) -> None:
    async with running(gateway) as front:
        port = port_of(front)
        await talk(front, raw_chat())
    async with running(gateway, listen=f"127.0.0.1:{port}") as front:
        assert (await talk(front, raw_chat())).status == 200
