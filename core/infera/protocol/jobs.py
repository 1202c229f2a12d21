"""Canonical JSON of a job and the hashes a ticket and a receipt commit to (docs/protocol.md §1 and
§2).
"""

from __future__ import annotations

import sys
from array import array
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

import orjson

from infera.errors import ProtocolError
from infera.protocol.abi import json_list, json_object, json_text, json_uint, refuse
from infera.types import FinishReason, JobRequest, Message, Sampling, Tier
from infera_ext import keccak256

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_MESSAGES = 4096
MAX_CONTENT = 4 << 20
MAX_NAME = 256
MAX_STOP = 16
MAX_STOP_BYTES = 1024
MAX_LOGPROBS = 20
MAX_TOP_K = 1 << 20
_ROLES = frozenset(("system", "user", "assistant", "tool"))
_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_REQUEST = frozenset(
    ("kind", "model", "max_tokens", "stop", "sampling", "seed", "logprobs", "tier")
)
_INPUT = {"chat": "messages", "completion": "prompt"}
_SAMPLING = frozenset(("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"))
_MESSAGE = frozenset(("role", "content"))
_SEPARATOR = 0xFFFFFFFF


def canonical_json(value: Any) -> bytes:
    """UTF-8, keys sorted, no spaces.

    Refuses NaN, infinities, integers beyond 64 bits, and anything that is not JSON.
    """
    _only_json(value, 0)
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except (TypeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"not representable as canonical JSON: {error}") from None


def _only_json(value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str or kind is int or value is None or kind is bool:
        return
    if kind is float:
        if not isfinite(value):  # orjson would write null
            raise ProtocolError("canonical JSON has no NaN and no infinities")
    elif depth > 64:
        raise ProtocolError("nested too deeply for canonical JSON")
    elif kind is dict:
        for item in value.values():
            _only_json(item, depth + 1)
    elif kind is list or kind is tuple:
        for item in value:
            _only_json(item, depth + 1)
    else:
        raise ProtocolError(f"{kind.__name__} has no canonical JSON form")


def sampling_to_json(sampling: Sampling) -> dict[str, Any]:
    """Floats as floats (`1` and `1.0` hash alike, `-0.0` is `0.0`), `top_k` as an integer."""
    return {
        "temperature": float(sampling.temperature) + 0.0,
        "top_p": float(sampling.top_p) + 0.0,
        "top_k": sampling.top_k,
        "frequency_penalty": float(sampling.frequency_penalty) + 0.0,
        "presence_penalty": float(sampling.presence_penalty) + 0.0,
    }


def sampling_from_json(value: object, path: str = "sampling") -> Sampling:
    """Strict inverse of `sampling_to_json`; ranges are those of the OpenAI API."""
    got = json_object(value, _SAMPLING, path)
    return Sampling(
        temperature=_number(got["temperature"], 0.0, 2.0, f"{path}.temperature"),
        top_p=_number(got["top_p"], 0.0, 1.0, f"{path}.top_p"),
        top_k=_integer(got["top_k"], 0, MAX_TOP_K, f"{path}.top_k"),
        frequency_penalty=_number(got["frequency_penalty"], -2.0, 2.0, f"{path}.frequency_penalty"),
        presence_penalty=_number(got["presence_penalty"], -2.0, 2.0, f"{path}.presence_penalty"),
    )


def request_to_json(request: JobRequest) -> dict[str, Any]:
    """The JSON object `requestHash` commits to: every field, with `messages` for chat and `prompt`
    for completion.
    """
    body: dict[str, Any] = {
        "kind": request.kind,
        "model": request.model,
        "max_tokens": request.max_tokens,
        "stop": list(request.stop),
        "sampling": sampling_to_json(request.sampling),
        "seed": request.seed,
        "logprobs": request.logprobs,
        "tier": int(request.tier),
    }
    if request.kind == "chat":
        body["messages"] = [{"role": m.role, "content": m.content} for m in request.messages]
    else:
        body["prompt"] = request.prompt
    return body


def request_from_json(value: object, path: str = "request") -> JobRequest:
    """Strict, bounded inverse of `request_to_json`; `ProtocolError` names the field."""
    if not isinstance(value, dict):
        refuse(path, "must be an object")
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in _INPUT:
        refuse(f"{path}.kind", "must be chat or completion")
    got = json_object(value, _REQUEST | {_INPUT[kind]}, path)
    tier = got["tier"]
    if type(tier) is not int or tier not in (1, 2, 3):
        refuse(f"{path}.tier", "must be 1, 2 or 3")
    stop = json_list(got["stop"], MAX_STOP, f"{path}.stop")
    return JobRequest(
        kind=cast("Any", kind),
        model=json_text(got["model"], MAX_NAME, f"{path}.model"),
        messages=_messages(got["messages"], f"{path}.messages") if kind == "chat" else (),
        prompt=json_text(got["prompt"], MAX_CONTENT, f"{path}.prompt") if kind != "chat" else "",
        max_tokens=_optional(got["max_tokens"], 1, 0xFFFFFFFF, f"{path}.max_tokens"),
        stop=tuple(json_text(s, MAX_STOP_BYTES, f"{path}.stop[{i}]") for i, s in enumerate(stop)),
        sampling=sampling_from_json(got["sampling"], f"{path}.sampling"),
        seed=None if got["seed"] is None else json_uint(got["seed"], 64, f"{path}.seed"),
        logprobs=_optional(got["logprobs"], 0, MAX_LOGPROBS, f"{path}.logprobs"),
        tier=Tier(tier),
    )


def _messages(value: object, path: str) -> tuple[Message, ...]:
    items = json_list(value, MAX_MESSAGES, path)
    if not items:
        refuse(path, "must not be empty")
    messages, room = [], MAX_CONTENT
    for i, item in enumerate(items):
        got = json_object(item, _MESSAGE, f"{path}[{i}]")
        role = got["role"]
        if not isinstance(role, str) or role not in _ROLES:
            refuse(f"{path}[{i}].role", "must be system, user, assistant or tool")
        content = json_text(got["content"], max(room, 0), f"{path}[{i}].content")
        room -= len(content.encode())
        messages.append(Message(cast("Any", role), content))
    return tuple(messages)


def _integer(value: object, low: int, high: int, path: str) -> int:
    if type(value) is not int or not low <= value <= high:
        refuse(path, f"must be an integer in {low}..{high}")
    return value


def _optional(value: object, low: int, high: int, path: str) -> int | None:
    return None if value is None else _integer(value, low, high, path)


def _number(value: object, low: float, high: float, path: str) -> float:
    if type(value) not in (int, float):
        refuse(path, "must be a number")
    number = cast("float", value)
    if not low <= number <= high:  # also refuses NaN
        refuse(path, f"must be in {low:g}..{high:g}")
    return float(number) + 0.0


def request_hash(request: JobRequest) -> bytes:
    """keccak256 of the request's canonical JSON, 32 bytes."""
    return keccak256(canonical_json(request_to_json(request)))


def sampling_hash(sampling: Sampling) -> bytes:
    """keccak256 of the sampling parameters' canonical JSON, 32 bytes."""
    return keccak256(canonical_json(sampling_to_json(sampling)))


def response_hash(text: str, finish: FinishReason) -> bytes:
    """keccak256 of canonical `{"finish_reason": lower-case name of the receipt's reason, "text":
    text}`, 32 bytes.
    """
    return keccak256(canonical_json({"finish_reason": finish.name.lower(), "text": text}))


def token_commitment(prompt_ids: Sequence[int], output_ids: Sequence[int]) -> bytes:
    """keccak256 over little-endian uint32 ids: prompt, 0xffffffff, output (today's tier 2
    evidence).
    """
    try:
        ids = array("I", prompt_ids)
        ids.append(_SEPARATOR)
        ids.extend(array("I", output_ids))
    except (OverflowError, TypeError) as error:
        raise ProtocolError(f"a token id is not a uint32: {error}") from None
    if ids.count(_SEPARATOR) != 1:
        raise ProtocolError("0xffffffff is no token id")
    if sys.byteorder == "big":
        ids.byteswap()
    return keccak256(ids.tobytes())
