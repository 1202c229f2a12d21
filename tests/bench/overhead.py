"""What the network costs on top of the model: CPU per request and per token, beside a bare server.

    python tests/bench/overhead.py [requests] [tokens]

Two servers answer the same requests, one after the other, each in a process of its own, to one
client: a node with every role (front, router, provider, validator, chain) around an engine that
computes nothing, and, as the floor a Python service can reach, uvicorn with a Starlette app that
streams the same number of chunks. CPU is the server process's user plus system time. The node does
more per request: key, reservation, choice, two signatures, two journal writes, relay, settlement.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

NODE = """
node: {name: bench}
chains: [{kind: evm, rpc: embedded, deploy: true, fund: {router: {}, provider: {}, developer: {}}, challenge_window_s: 1, thaw_period_s: 60}]
verifiers: [{kind: optimistic}]
engines: [{kind: bench}]
roles:
  - {kind: router, key: router, listen: "127.0.0.1:0", stake_infr: 100000, batch_interval_s: 2}
  - {kind: provider, key: provider, stake_infr: 10000, capacity: 256, price_in: 0, price_out: 0}
  - {kind: account, key: developer, deposit_usdc: 50, lock_usdc: 50, api_keys: [default]}
fronts: [{kind: openai, listen: "127.0.0.1:0"}]
"""  # noqa: E501 (YAML flow style)


# -- the two servers, each run in a process of its own --------------------------------------------


def _bench_plugin() -> Any:
    from types import SimpleNamespace

    import anyio
    from pydantic import BaseModel, ConfigDict

    from infera.abc import Engine
    from infera.hookspecs import Register, hookimpl
    from infera.protocol.jobs import canonical_json, token_commitment
    from infera.types import Completion, Delta, FinishReason, JobRequest, ModelInfo
    from infera_ext import keccak256

    class Config(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

    class NullEngine(Engine):
        """One token a step, as fast as it is taken."""

        def __init__(self, config: Config, context: Any) -> None:
            manifest = {"name": "bench", "architecture": "none"}
            model_id = keccak256(canonical_json(manifest))
            self._model = ModelInfo("bench", model_id, 1 << 20, manifest)

        async def serve(self, *, task_status: Any) -> None:
            task_status.started()
            await anyio.sleep_forever()

        def models(self) -> list[ModelInfo]:
            return [self._model]

        async def encode(self, request: JobRequest) -> tuple[int, ...]:
            return (1,) * 8

        async def generate(self, request: JobRequest) -> AsyncIterator[Delta | Completion]:
            count = request.max_tokens or 1
            for _ in range(count):
                yield Delta(" token", (7,))
            out = (7,) * count
            yield Completion(
                FinishReason.LENGTH,
                " token" * count,
                (1,) * 8,
                out,
                token_commitment((1,) * 8, out),
            )

    def infera_register_engines(register: Register) -> None:
        register("bench", NullEngine, Config)

    return SimpleNamespace(infera_register_engines=hookimpl(infera_register_engines))


def serve_node(home: str) -> None:
    """A whole node; prints its base URL and API key once it takes jobs."""
    import anyio

    from infera.bus import EventBus
    from infera.config import load
    from infera.events import FrontListening, ProviderJoined
    from infera.kernel.node import Node
    from infera.kernel.plugins import load_plugins

    async def main() -> None:
        plugins = load_plugins([("bench", _bench_plugin())], entry_points=True)
        config = load(NODE, plugins.registry, home=Path(home))
        bus = EventBus()
        async with (
            bus.subscribe(FrontListening, ProviderJoined) as events,
            Node(config, plugins, bus=bus).running(),
        ):
            url, joined = "", False
            async for event in events:
                if isinstance(event, FrontListening):
                    url = event.base_url
                joined = joined or isinstance(event, ProviderJoined)
                if url and joined:
                    break
            key = (Path(home) / "api_keys" / "default").read_text().strip()
            print(json.dumps({"url": url, "key": key}), flush=True)
            await anyio.sleep_forever()

    anyio.run(main, backend_options={"use_uvloop": True})


def serve_floor() -> None:
    """Starlette and uvicorn, streaming as many chunks as asked; no accounts, no router."""
    import socket

    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    piece = (
        b"data: "
        + json.dumps(
            {
                "id": "chatcmpl-" + "0" * 64,
                "created": 0,
                "model": "bench",
                "object": "chat.completion.chunk",
                "choices": [{"index": 0, "delta": {"content": " token"}, "finish_reason": None}],
            }
        ).encode()
    )

    async def chat(request: Request) -> StreamingResponse:
        count = (await request.json())["max_tokens"]

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(count):
                yield piece + b"\n\n"
            yield b"data: [DONE]\n\n"

        return StreamingResponse(chunks(), media_type="text/event-stream")

    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    server = uvicorn.Server(
        uvicorn.Config(app, loop="uvloop", http="httptools", log_level="error", access_log=False)
    )
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    print(json.dumps({"url": url, "key": "none"}), flush=True)
    server.run(sockets=[listener])


# -- the client ------------------------------------------------------------------------------------


async def _one(host: str, port: int, request: bytes) -> tuple[float, float]:
    """Seconds to the first event and to the end of a streamed request on a new connection."""
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0] + b" ":
        raise SystemExit(f"the server refused: {head!r} {await reader.read(2000)!r}")
    await reader.readuntil(b"data: ")
    first = time.perf_counter() - started
    while await reader.read(65536):
        pass
    writer.close()
    return first, time.perf_counter() - started


async def _load(url: str, key: str, requests: int, tokens: int, at_once: int) -> list[float]:
    host, port = url.removeprefix("http://").split("/")[0].split(":")
    body = json.dumps(
        {
            "model": "bench",
            "stream": True,
            "max_tokens": tokens,
            "messages": [{"role": "user", "content": "hello"}],
        }
    ).encode()
    raw = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body
    firsts: list[float] = []
    left = iter(range(requests))

    async def worker() -> None:
        for _ in left:
            first, _ = await _one(host, int(port), raw)
            firsts.append(first)

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return firsts


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(mode: str, requests: int, tokens: int) -> dict[str, float]:
    """CPU microseconds per request (one token) and per further token; first-event latency."""
    with tempfile.TemporaryDirectory(prefix="infera-bench-") as home:
        server = subprocess.Popen(
            [sys.executable, __file__, mode, home], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            at = json.loads(server.stdout.readline())
            asyncio.run(_load(at["url"], at["key"], 50, 1, 4))  # warm up
            start, cpu = time.perf_counter(), _cpu_s(server.pid)
            asyncio.run(_load(at["url"], at["key"], requests, 1, 8))
            wall, short = time.perf_counter() - start, _cpu_s(server.pid) - cpu
            firsts = asyncio.run(_load(at["url"], at["key"], 100, 1, 1))
            cpu = _cpu_s(server.pid)
            asyncio.run(_load(at["url"], at["key"], requests // 10, tokens, 8))
            long = _cpu_s(server.pid) - cpu
        finally:
            server.terminate()
            server.wait()
    per_request = short / requests
    per_token = max(long - per_request * (requests // 10), 0) / (requests // 10) / (tokens - 1)
    return {
        "req/s": requests / wall,
        "CPU us/request": per_request * 1e6,
        "CPU us/token": per_token * 1e6,
        "first event ms": median(firsts) * 1e3,
    }


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    tokens = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    floor, node = measure("floor", requests, tokens), measure("node", requests, tokens)
    print(f"{requests} requests, 8 at once; {tokens} tokens a stream for the token figures")
    print(f"{'':16}{'floor':>12}{'node':>12}{'ratio':>9}")
    for name in floor:
        print(f"{name:16}{floor[name]:12.2f}{node[name]:12.2f}{node[name] / floor[name]:9.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["node"]:
        serve_node(sys.argv[2])
    elif sys.argv[1:2] == ["floor"]:
        serve_floor()
    else:
        main()
