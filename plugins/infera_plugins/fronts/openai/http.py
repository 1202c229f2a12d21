"""The little HTTP this front needs below Starlette: bodies in, JSON and OpenAI's errors out."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import orjson

from infera.errors import ChainUnavailableError, ErrorType, RequestError, StateError

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
_CLOSE = (b"connection", b"close")
_MAX_ERROR = 4000
_FORBIDS_REUSE = frozenset((408, 413))
"""After these, the rest of the body is still on its way; the connection cannot be used again."""

_log = logging.getLogger(__name__)


class ClientGoneError(Exception):
    """The client hung up before its request was complete; nobody is left to answer."""


def new_request_id() -> str:
    """`req_` and 24 random hex digits."""
    return f"req_{os.urandom(12).hex()}"


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that (lower-case) name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def encode(value: Any) -> bytes:
    """A gateway's answer as JSON; bytes become 0x hex, integers of any size stay integers."""
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:  # beyond 64 bits, such as stake in wei
        return json.dumps(value, default=_plain, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return f"0x{value.hex()}"
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


async def read_json(scope: Scope, receive: Receive, most: int) -> Any:
    """The parsed request body. Raises `RequestError` (400, 413, 415) or `ClientGoneError`."""
    _check_media_type(scope)
    body = await _read_body(scope, receive, most)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(
            f"The request body is not valid JSON: {error}", code="invalid_json"
        ) from None


def _check_media_type(scope: Scope) -> None:
    if header(scope, b"content-encoding") not in (None, b"identity"):
        raise RequestError(
            "Compressed request bodies are not supported; send plain JSON",
            code="unsupported_content_encoding",
            status=415,
        )
    media = (header(scope, b"content-type") or b"").partition(b";")[0].strip().lower()
    if media != b"application/json":
        raise RequestError(
            "Send the body as JSON with the header 'Content-Type: application/json'",
            code="unsupported_media_type",
            status=415,
        )


async def _read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    declared = header(scope, b"content-length")
    if declared is not None and (not declared.isdigit() or int(declared[:20]) > most):
        raise _too_large(most)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body = message.get("body", b"")
        if len(body) > most:
            raise _too_large(most)
        return bytes(body)
    parts = bytearray()
    while message["type"] == "http.request":
        parts += message.get("body", b"")
        if len(parts) > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            return bytes(parts)
        message = await receive()
    raise ClientGoneError


def _too_large(most: int) -> RequestError:
    return RequestError(
        f"The request body is larger than this server's limit of {most} bytes",
        code="request_too_large",
        status=413,
    )


def error_body(error: RequestError) -> bytes:
    """OpenAI's error object."""
    return orjson.dumps(
        {
            "error": {
                "message": error.message,
                "type": str(error.type),
                "param": error.param,
                "code": error.code,
            }
        }
    )


def as_request_error(error: Exception, request_id: str) -> RequestError:
    """What the client may know of a failure: of a bug the request id, the log has the rest."""
    if isinstance(error, RequestError):
        if not 400 <= error.status <= 599:  # it may come from a provider, who is nobody to trust
            error.status = 502
        error.message = error.message[:_MAX_ERROR]
        return error
    if isinstance(error, (StateError, ChainUnavailableError)):
        _log.error("request %s: %s: %s", request_id, error.code, error.message)
        return RequestError(
            f"The router cannot reach what it needs just now; try again (request {request_id})",
            code=error.code,
            status=503,
            type=ErrorType.SERVER,
            retry_after_s=2,
        )
    _log.error("request %s failed", request_id, exc_info=error)
    return RequestError(
        f"The server failed on this request; quote {request_id} when reporting it",
        code="internal_error",
        status=500,
        type=ErrorType.SERVER,
    )


def error_headers(error: RequestError) -> Headers:
    """What goes with an error besides its body."""
    headers: Headers = [JSON]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_s))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.status == 504:
        # It may have run and been billed: a client library must not repeat it by itself.
        headers.append((b"x-should-retry", b"false"))
    if error.status in _FORBIDS_REUSE:
        headers.append(_CLOSE)
    return headers


async def send_whole(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """A complete response."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
