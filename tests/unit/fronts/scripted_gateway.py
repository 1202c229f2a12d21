"""A scripted gateway and a running front, for tests of what the front itself does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import orjson

from infera.abc import Gateway, JobStream, StreamOptions
from infera.bus import EventBus
from infera.errors import ErrorType, RequestError
from infera.types import Caller, JobRequest, ModelListing, Tier
from infera_plugins.fronts.openai.config import OpenAIFrontConfig
from infera_plugins.fronts.openai.server import OpenAIFront

if TYPE_CHECKING:
    from infera.protocol.messages import KeyGrant

KEY = "sk-infera-" + "A" * 43
OTHER_KEY = "sk-infera-" + "B" * 43
JOB_ID = "0x" + "ab" * 32
MODEL = "infera/tiny"
LISTING = ModelListing(
    name=MODEL,
    model_id=b"\x07" * 32,
    context_length=2048,
    price_in=100_000,
    price_out=400_000,
    tiers=(Tier.OPTIMISTIC, Tier.ZKML),
    providers=2,
    created=1_700_000_000,
)

Script = Callable[["ScriptedGateway", JobRequest, StreamOptions], AsyncIterator[bytes]]


def sse(payload: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(payload) + b"\n\n"


def chunk(text: str, finish: str | None = None) -> bytes:
    delta = {"content": text} if finish is None else {}
    return sse(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": MODEL,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
    )


async def hello(
    gateway: ScriptedGateway, request: JobRequest, options: StreamOptions
) -> AsyncIterator[bytes]:
    """Says `Hello` the way the request asked for."""
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    if options.stream:
        for text in ("Hel", "lo"):
            yield chunk(text)
        yield chunk("", "stop")
        if options.include_usage:
            yield sse(
                {
                    "id": "chatcmpl-1",
                    "object": "chat.completion.chunk",
                    "created": 1,
                    "model": MODEL,
                    "choices": [],
                    "usage": usage,
                }
            )
        yield b"data: [DONE]\n\n"
    elif request.kind == "chat":
        message = {"role": "assistant", "content": "Hello"}
        yield orjson.dumps(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": MODEL,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": usage,
            }
        )
    else:
        yield orjson.dumps(
            {
                "id": "cmpl-1",
                "object": "text_completion",
                "created": 1,
                "model": MODEL,
                "choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}],
                "usage": usage,
            }
        )


class ScriptedStream(JobStream):
    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self.job_id = JOB_ID
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


@dataclass
class ScriptedGateway(Gateway):
    """Does what `script` says and remembers what it was asked."""

    script: Script = hello
    listings: Sequence[ModelListing] = (LISTING,)
    submitted: list[tuple[Caller, JobRequest, StreamOptions, str | None]] = field(
        default_factory=list
    )
    open_jobs: int = 0
    failure: Exception | None = None
    """Raised by whatever is called next."""
    reached: anyio.Event = field(default_factory=anyio.Event)
    """Set by scripts that wait, when they do."""
    stopped: anyio.Event = field(default_factory=anyio.Event)
    """Set when a job's context is left."""
    bookkeeping: anyio.Event | None = None
    """What a job waits for after its answer is out."""
    booked: anyio.Event = field(default_factory=anyio.Event)
    grants: list[tuple[KeyGrant, bytes]] = field(default_factory=list)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    def authenticate(self, api_key: str) -> Caller:
        if api_key not in (KEY, OTHER_KEY):
            raise RequestError(
                "Incorrect API key provided",
                code="invalid_api_key",
                status=401,
                type=ErrorType.AUTHENTICATION,
            )
        return Caller("0x" + "11" * 20, api_key.encode(), b"\x02" * 32)

    def models(self) -> Sequence[ModelListing]:
        return self.listings

    @asynccontextmanager
    async def submit(
        self,
        caller: Caller,
        request: JobRequest,
        options: StreamOptions,
        idempotency_key: str | None = None,
    ) -> AsyncIterator[JobStream]:
        self.submitted.append((caller, request, options, idempotency_key))
        self._fail()
        self.open_jobs += 1
        try:
            yield ScriptedStream(self.script(self, request, options))
            if self.bookkeeping is not None:
                await self.bookkeeping.wait()
            self.booked.set()
        finally:
            self.open_jobs -= 1
            self.stopped.set()

    async def receipt(self, caller: Caller, job_id: str) -> dict[str, Any]:
        self._fail()
        if job_id != JOB_ID:
            raise RequestError(
                "No such receipt", code="receipt_not_found", status=404, type=ErrorType.NOT_FOUND
            )
        return {"job_id": job_id, "account": caller.account, "leaf": b"\x01\x02"}

    async def account(self, caller: Caller) -> dict[str, Any]:
        self._fail()
        return {"account": caller.account, "free": 5, "locked": 10}

    async def account_of(self, address: str) -> dict[str, Any]:
        self._fail()
        return {"address": address, "generation": 3, "free": 1, "locked": 2}

    async def register_grant(self, grant: KeyGrant, signature: bytes) -> bytes:
        self._fail()
        self.grants.append((grant, signature))
        return b"\x33" * 32

    async def batch_leaves(self, index: int) -> dict[str, Any]:
        self._fail()
        return {"index": index, "stake": 10**30, "leaves": []}

    def network(self) -> dict[str, Any]:
        self._fail()
        return {"router": "0x" + "22" * 20, "providers": []}


@asynccontextmanager
async def running(
    gateway: Gateway, *, bus: EventBus | None = None, **settings: Any
) -> AsyncIterator[OpenAIFront]:
    """A front on a free port, stopped in order afterwards."""
    config = OpenAIFrontConfig(**{"listen": "127.0.0.1:0", "shutdown_grace_s": 0, **settings})
    front = OpenAIFront(config, gateway, bus or EventBus())
    async with anyio.create_task_group() as tasks:
        await tasks.start(_serve, front)
        try:
            yield front
        finally:
            tasks.cancel_scope.cancel()


async def _serve(front: OpenAIFront, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    await front.serve(task_status=task_status)


def port_of(front: OpenAIFront) -> int:
    return int(front.base_url.rsplit(":", 1)[1].split("/")[0])


def chat_body(**extra: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], **extra}


def raw(
    body: bytes = b"",
    *,
    line: str = "POST /v1/chat/completions",
    key: str = KEY,
    media: str = "application/json",
    length: str | None = None,
    extra: str = "",
) -> bytes:
    """A request as it travels, on a connection that ends with it."""
    framing = f"content-length: {len(body)}" if length is None else length
    return (
        f"{line} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {key}\r\nconnection: close\r\n"
        f"content-type: {media}\r\n{framing}\r\n{extra}\r\n"
    ).encode("latin-1") + body


def raw_chat(**extra: Any) -> bytes:
    """A whole chat request as it travels."""
    return raw(json.dumps(chat_body(**extra)).encode())


@dataclass
class Reply:
    """A response, its chunks joined."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> Any:
        return self.json()["error"]["code"]


async def connect(front: OpenAIFront, local_host: str | None = None) -> anyio.abc.SocketStream:
    """A plain connection to the front, from an address of choice."""
    return await anyio.connect_tcp("127.0.0.1", port_of(front), local_host=local_host)


async def read_reply(stream: anyio.abc.ByteStream) -> Reply:
    """Read until the server closes."""
    data = b""
    with anyio.fail_after(10):
        try:
            while True:
                data += await stream.receive()
        except anyio.EndOfStream:
            pass
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    if headers.get("transfer-encoding") == "chunked":
        body, rest = b"", body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return Reply(int(status.split()[1]), headers, body)


async def talk(front: OpenAIFront, request: bytes, local_host: str | None = None) -> Reply:
    """Send a request on a connection of its own, return the response."""
    async with await connect(front, local_host) as stream:
        await stream.send(request)
        return await read_reply(stream)
