"""What the front itself costs, with a gateway that does nothing.

`python -m infera_plugins.fronts.openai.bench` prints two figures each for a whole answer and for a
streamed token: the application alone, called in process, and the server process driven over a
socket. CPU time counts, not the clock, so that other load on the machine matters less.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from time import process_time
from typing import TYPE_CHECKING, Any

import anyio
import orjson
import uvloop
from anyio.lowlevel import checkpoint

from infera.abc import Gateway, JobStream, StreamOptions
from infera.bus import EventBus
from infera.types import Caller, JobRequest, ModelListing, Tier
from infera_plugins.fronts.openai.app import App
from infera_plugins.fronts.openai.config import OpenAIFrontConfig
from infera_plugins.fronts.openai.server import OpenAIFront

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from infera.protocol.messages import KeyGrant
    from infera_plugins.fronts.openai.http import Message

REQUESTS = 4000
STREAMS = 60
TOKENS = 500
CONNECTIONS = 8
_LISTING = ModelListing("null", bytes(32), 4096, 1, 1, (Tier.OPTIMISTIC,), 1, 0)
_CALLER = Caller("0x" + "00" * 20, bytes(32), bytes(32))
_ANSWER = orjson.dumps(
    {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "model": "null",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there. " * 20},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 60, "total_tokens": 80},
    }
)
_EVENT = (
    b'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":0,"model":"null",'
    b'"choices":[{"index":0,"delta":{"content":" hello"},"finish_reason":null}]}\n\n'
)


class _NullStream(JobStream):
    job_id = "0x" + "00" * 32

    def __init__(self, stream: bool) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if not self._stream:
            yield _ANSWER
            return
        for _ in range(TOKENS):
            await checkpoint()  # a token arrives in its own turn of the loop
            yield _EVENT
        yield b"data: [DONE]\n\n"


class NullGateway(Gateway):
    """Accepts everything and answers at once."""

    def authenticate(self, api_key: str) -> Caller:
        return _CALLER

    def models(self) -> Sequence[ModelListing]:
        return (_LISTING,)

    @asynccontextmanager
    async def submit(
        self,
        caller: Caller,
        request: JobRequest,
        options: StreamOptions,
        idempotency_key: str | None = None,
    ) -> AsyncIterator[JobStream]:
        yield _NullStream(options.stream)

    async def receipt(self, caller: Caller, job_id: str) -> dict[str, Any]:
        return {}

    async def account(self, caller: Caller) -> dict[str, Any]:
        return {}

    async def register_grant(self, grant: KeyGrant, signature: bytes) -> bytes:
        return bytes(32)

    async def batch_leaves(self, index: int) -> dict[str, Any]:
        return {}

    def network(self) -> dict[str, Any]:
        return {}


def _body(stream: bool) -> bytes:
    return orjson.dumps(
        {
            "model": "null",
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": "Say hello in as many words as you like. " * 4},
            ],
            "max_tokens": 256,
            "temperature": 0.7,
            "stream": stream,
        }
    )


async def _one(app: Any, body: bytes) -> None:
    """A request straight into the application."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.Event()

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "query_string": b"",
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"authorization", b"Bearer sk-infera-null"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ],
    }
    await app(scope, receive, send)


async def in_process(app: Any, stream: bool, times: int) -> float:
    """CPU seconds a request."""
    body = _body(stream)
    await _one(app, body)
    start = process_time()
    for _ in range(times):
        await _one(app, body)
    return (process_time() - start) / times


async def _drive(port: int, stream: bool, times: int) -> None:
    """Requests one after the other on one connection; reads answers without parsing them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    body = _body(stream)
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer sk-infera-null"
        f"\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    end = b"0\r\n\r\n" if stream else _ANSWER
    for _ in range(times):
        writer.write(request)
        await reader.readuntil(end)
    writer.close()


async def _over_socket(server: subprocess.Popen[str], stream: bool, times: int) -> float:
    """The server's CPU seconds a request."""
    assert server.stdin is not None
    assert server.stdout is not None

    def cpu() -> float:
        server.stdin.write("\n")  # type: ignore[union-attr]
        server.stdin.flush()  # type: ignore[union-attr]
        return float(server.stdout.readline())  # type: ignore[union-attr]

    port = int(server.stdout.readline())
    await _drive(port, stream, max(1, times // 20))
    start = cpu()
    async with anyio.create_task_group() as tasks:
        for _ in range(CONNECTIONS):
            tasks.start_soon(_drive, port, stream, times // CONNECTIONS)
    return (cpu() - start) / (times // CONNECTIONS * CONNECTIONS)


async def _serve() -> None:
    """The child: prints its port, then its CPU time for every line it reads."""
    front = OpenAIFront(OpenAIFrontConfig(listen="127.0.0.1:0"), NullGateway(), EventBus())
    async with anyio.create_task_group() as tasks:
        await tasks.start(lambda *, task_status: front.serve(task_status=task_status))
        print(front.base_url.rsplit(":", 1)[1].split("/")[0], flush=True)
        async for _ in anyio.wrap_file(sys.stdin):
            print(process_time(), flush=True)
        tasks.cancel_scope.cancel()


def _socket_figure(stream: bool, times: int) -> float:
    command = [sys.executable, "-m", "infera_plugins.fronts.openai.bench", "--serve"]
    with subprocess.Popen(  # noqa: S603  itself
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            return uvloop.run(_over_socket(server, stream, times))
        finally:
            assert server.stdin is not None
            server.stdin.close()


def main() -> None:
    """Print the four figures."""
    if "--serve" in sys.argv:
        uvloop.run(_serve())
        return
    app = App(NullGateway(), OpenAIFrontConfig())
    whole = uvloop.run(in_process(app, False, REQUESTS))
    streamed = uvloop.run(in_process(app, True, STREAMS))
    print(f"application  {whole * 1e6:7.1f} µs CPU a request")
    print(f"application  {(streamed - whole) / TOKENS * 1e6:7.2f} µs CPU a streamed token")
    whole = _socket_figure(False, REQUESTS)
    streamed = _socket_figure(True, STREAMS)
    print(f"with server  {whole * 1e6:7.1f} µs CPU a request")
    print(f"with server  {(streamed - whole) / TOKENS * 1e6:7.2f} µs CPU a streamed token")


if __name__ == "__main__":
    main()
