"""The two routes that cost money, as bare ASGI: authenticate, translate, submit, relay.

An answer's bytes pass through untouched, one ASGI message each. Until the first of them is there,
every failure is a real HTTP status; afterwards it is a last `data: {"error": …}` event. However a
request ends, the `submit` context is left at once, which is what stops generation.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

import anyio

from infera.abc import Gateway, JobStream, StreamOptions
from infera.errors import ErrorType, RequestError
from infera.types import Caller, JobRequest, Sampling
from infera_plugins.fronts.openai.exchange import CLIENT_GONE, Ending, Exchange, Running
from infera_plugins.fronts.openai.http import (
    JSON,
    ClientGoneError,
    Message,
    Receive,
    Scope,
    Send,
    as_request_error,
    error_body,
    error_headers,
    header,
    read_json,
    send_whole,
)
from infera_plugins.fronts.openai.limits import Concurrency, RateLimiter

if TYPE_CHECKING:
    from infera_plugins.fronts.openai.config import OpenAIFrontConfig
    from infera_plugins.fronts.openai.metrics import Metrics

Translate: TypeAlias = Callable[
    [object, Callable[[str], Sampling]], tuple[JobRequest, StreamOptions]
]

_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_IDEMPOTENCY_KEY = re.compile(rb"[\x20-\x7e]{1,255}")
_LAST_WORDS_S = 2.0
"""How long a client that reads slowly may take to receive why its request was ended."""
_LINGER_S = 1.0
_LINGER_BYTES = 8 << 20


class Doorkeeper:
    """Who is calling, and whether they may call now."""

    def __init__(self, gateway: Gateway, config: OpenAIFrontConfig) -> None:
        self._gateway = gateway
        self._rates = RateLimiter(config.rate_limit_per_minute, monotonic)
        self.concurrency = Concurrency(config.max_concurrent_per_key)

    def admit(self, scope: Scope, exchange: Exchange) -> Caller:
        """The caller behind the bearer key; takes one request from its rate limit. 401 or 429."""
        scheme, _, key = (header(scope, b"authorization") or b"").partition(b" ")
        if scheme.lower() != b"bearer" or not key.strip():
            raise RequestError(
                "You didn't provide an API key. Send it in an Authorization header with Bearer "
                "auth: 'Authorization: Bearer YOUR_KEY'",
                code="missing_api_key",
                status=401,
                type=ErrorType.AUTHENTICATION,
            )
        caller = self._gateway.authenticate(key.strip().decode("latin-1"))
        exchange.headers += self._rates.take(caller.key_hash)
        return caller


class Generation:
    """Serves `POST /v1/chat/completions` and `POST /v1/completions`."""

    def __init__(
        self,
        gateway: Gateway,
        config: OpenAIFrontConfig,
        doorkeeper: Doorkeeper,
        metrics: Metrics,
        running: Running,
    ) -> None:
        self._gateway = gateway
        self._config = config
        self._doorkeeper = doorkeeper
        self._metrics = metrics
        self._running = running

    async def serve(
        self, route: str, translate: Translate, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """One request from its head to the end of its answer; raises nothing but cancellation."""
        exchange = Exchange(route, self._config.request_timeout_s)
        failure: Exception | None = None
        self._metrics.in_flight.inc()
        try:
            with self._running.track(exchange):
                with exchange.scope:
                    try:
                        await self._answer(exchange, translate, scope, receive, send)
                    except Exception as error:
                        failure = error
                await self._conclude(exchange, failure, receive, send)
        finally:
            self._metrics.in_flight.dec()
            self._metrics.finished(exchange)

    async def _answer(
        self, exchange: Exchange, translate: Translate, scope: Scope, receive: Receive, send: Send
    ) -> None:
        caller = self._doorkeeper.admit(scope, exchange)
        with self._doorkeeper.concurrency.slot(caller.key_hash):
            key = _idempotency_key(scope)
            with exchange.receiving(self._config.body_timeout_s):
                body = await read_json(scope, receive, self._config.max_body_bytes)
            request, options = translate(body, self._gateway.default_sampling)
            exchange.model = request.model
            with _Watch(receive, exchange):
                async with self._gateway.submit(caller, request, options, key) as stream:
                    exchange.headers.append((b"x-infera-job", stream.job_id.encode()))
                    relay = self._stream if options.stream else self._whole
                    await relay(exchange, stream, send)

    async def _whole(self, exchange: Exchange, stream: JobStream, send: Send) -> None:
        body = b"".join([piece async for piece in stream])
        if not body:
            raise _no_answer()
        exchange.status = 200
        exchange.started = exchange.complete = True
        await send_whole(send, 200, [JSON, _took(exchange), *exchange.headers], body)

    async def _stream(self, exchange: Exchange, stream: JobStream, send: Send) -> None:
        pieces = aiter(stream)
        piece = await anext(pieces, None)
        if piece is None:
            raise _no_answer()
        exchange.status = 200
        exchange.started = True
        headers = [*_STREAM_HEADERS, _took(exchange), *exchange.headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        self._metrics.first_byte(exchange.route, exchange.elapsed())
        exchange.chunks = 1
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            exchange.chunks += 1
        exchange.complete = True
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _conclude(
        self, exchange: Exchange, failure: Exception | None, receive: Receive, send: Send
    ) -> None:
        """Say what went wrong, if something did and somebody is left to hear it."""
        if exchange.complete:
            if failure is not None:
                as_request_error(failure, exchange.id)  # logged; the client has its answer
            return
        if exchange.ending is Ending.CLIENT_LEFT or isinstance(failure, ClientGoneError):
            exchange.status = CLIENT_GONE
            return
        if exchange.ending is not None or failure is None:
            error = exchange.ended()
        else:
            error = as_request_error(failure, exchange.id)
        exchange.status = error.status
        with anyio.move_on_after(_LAST_WORDS_S):
            if exchange.started:
                event = b"data: " + error_body(error) + b"\n\n"
                await send({"type": "http.response.body", "body": event, "more_body": False})
            else:
                await refuse(exchange, error, receive, send)


async def refuse(exchange: Exchange, error: RequestError, receive: Receive, send: Send) -> None:
    """Send an error response."""
    headers = [*error_headers(error), _took(exchange), *exchange.headers]
    exchange.started = True
    if error.status != 413:
        await send_whole(send, error.status, headers, error_body(error))
        return
    # Closing while the client still sends would reset the connection and lose the answer:
    # read on for a moment.
    body = error_body(error)
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with anyio.move_on_after(_LINGER_S):
        room = _LINGER_BYTES
        while room > 0:
            message = await receive()
            if message["type"] != "http.request" or not message.get("more_body", False):
                break
            room -= len(message.get("body", b""))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Watch:
    """Ends the exchange when its client hangs up while the block runs.

    A bare task around `receive`, owned by the block: a task group costs 50 µs more a request.
    """

    __slots__ = ("_exchange", "_open", "_receive", "_task")

    def __init__(self, receive: Receive, exchange: Exchange) -> None:
        self._open = True
        self._receive = receive
        self._exchange = exchange

    def __enter__(self) -> None:
        self._listen()

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._task.cancel()

    def _listen(self) -> None:
        self._task = asyncio.ensure_future(self._receive())
        self._task.add_done_callback(self._received)

    def _received(self, task: asyncio.Future[Message]) -> None:
        if task.cancelled() or not self._open:
            return
        if task.exception() is None and task.result()["type"] == "http.request":
            self._listen()
        else:
            self._exchange.end(Ending.CLIENT_LEFT)


def _took(exchange: Exchange) -> tuple[bytes, bytes]:
    return (b"openai-processing-ms", b"%d" % round(exchange.elapsed() * 1000))


def _idempotency_key(scope: Scope) -> str | None:
    value = header(scope, b"idempotency-key")
    if value is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(value):
        raise RequestError(
            "The Idempotency-Key header must be 1 to 255 printable ASCII characters",
            code="invalid_idempotency_key",
        )
    return value.decode("ascii")


def _no_answer() -> RequestError:
    return RequestError(
        "The provider ended without an answer; try again",
        code="empty_answer",
        status=502,
        type=ErrorType.SERVER,
    )
