"""OpenAI request bodies to `JobRequest`.

Nothing is silently reinterpreted: a parameter is honoured, refused with what to do instead, or
stands on the short list of keys that cannot change an answer (`IGNORED`). docs/http-api.md has the
same table for people.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, cast

from infera.abc import StreamOptions
from infera.errors import RequestError
from infera.types import JobRequest, Message, Sampling, Tier
from infera_plugins.fronts.openai.fields import (
    as_bool,
    as_int,
    as_list,
    as_number,
    as_object,
    as_string,
    invalid,
    is_object,
    shorten,
    unknown_key,
    unsupported,
    unsupported_value,
)

MAX_MESSAGES = 4096
MAX_PARTS = 256
MAX_TEXT = 4 << 20
MAX_NAME = 256
MAX_STOP = 4
MAX_STOP_BYTES = 1024
MAX_OUTPUT = 0xFFFFFFFF
MAX_TOP_K = 1 << 20
MAX_LOGPROBS_CHAT = 20
MAX_LOGPROBS_COMPLETION = 5

TIERS = {tier.name.lower(): tier for tier in Tier}
INFERA = frozenset(("tier", "top_k"))

SHARED = frozenset(
    (
        "model",
        "max_tokens",
        "stop",
        "temperature",
        "top_p",
        "frequency_penalty",
        "presence_penalty",
        "seed",
        "logprobs",
        "stream",
        "stream_options",
        "infera",
    )
)
CHAT = SHARED | {"messages", "max_completion_tokens", "top_logprobs"}
COMPLETION = SHARED | {"prompt"}

IGNORED = frozenset(
    (
        "user",
        "metadata",
        "store",
        "service_tier",
        "parallel_tool_calls",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
    )
)
"""Accepted whatever they hold, since they cannot change what is generated."""

UNSUPPORTED: dict[str, tuple[tuple[Any, ...], str]] = {
    "n": ((1,), "send the request n times; each answer gets its own receipt"),
    "best_of": ((1,), "send several requests and choose among the answers"),
    "echo": ((False,), "put your prompt before the answer yourself"),
    "suffix": (("",), "models here only continue a prompt; leave it out"),
    "tools": (([],), "describe the functions in a system message and parse the answer"),
    "tool_choice": (("none", "auto"), "leave it out, together with 'tools'"),
    "functions": (([],), "describe the functions in a system message and parse the answer"),
    "function_call": (("none", "auto"), "leave it out, together with 'functions'"),
    "response_format": (({"type": "text"},), "ask for JSON in a message and check the answer"),
    "logit_bias": (({},), "leave it out or send {}; token ids would tie you to one tokenizer"),
    "modalities": ((["text"],), "answers are text; leave it out or send ['text']"),
    "audio": ((), "answers are text; leave it out"),
    "prediction": ((), "leave it out"),
    "web_search_options": ((), "leave it out and put what you found into a message"),
    "reasoning_effort": (("none",), "leave it out"),
    "verbosity": (("medium",), "leave it out and say in a message how long the answer should be"),
    "moderation": ((), "leave it out"),
}
"""Parameters of OpenAI's API: values that mean its default, and what to do instead of any other."""

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_MESSAGE_KEYS = frozenset(("role", "content", "name"))
_MESSAGE_EXTRAS = {
    "tool_calls": "tool calling is not supported; put what the tool said into a user message",
    "function_call": "function calling is not supported; put its result into a user message",
    "tool_call_id": "tool calling is not supported; put what the tool said into a user message",
    "refusal": "put it into 'content'",
    "audio": "only text is supported",
    "annotations": "leave it out",
}


Defaults: TypeAlias = Callable[[str], Sampling]
"""What a model is sampled with where the caller names nothing."""


def _plain(model: str) -> Sampling:
    return Sampling()


def chat_request(body: object, defaults: Defaults = _plain) -> tuple[JobRequest, StreamOptions]:
    """The body of `POST /v1/chat/completions`. Raises `RequestError` (400) naming the parameter."""
    fields = _top_level(body, CHAT)
    limit = fields.get("max_completion_tokens")
    older = fields.get("max_tokens")
    if limit is not None and older is not None and limit != older:
        invalid("max_tokens", "'max_completion_tokens' says something else; send one of the two")
    name = "max_tokens" if limit is None else "max_completion_tokens"
    model = _model(fields)
    request = JobRequest(
        kind="chat",
        model=model,
        messages=_messages(fields.get("messages")),
        max_tokens=_max_tokens(older if limit is None else limit, name),
        logprobs=_chat_logprobs(fields),
        **_common(fields, defaults(model)),
    )
    return request, _stream(fields)


def completion_request(
    body: object, defaults: Defaults = _plain
) -> tuple[JobRequest, StreamOptions]:
    """The body of `POST /v1/completions`. Raises `RequestError` (400) naming the parameter."""
    fields = _top_level(body, COMPLETION)
    logprobs = fields.get("logprobs")
    model = _model(fields)
    request = JobRequest(
        kind="completion",
        model=model,
        prompt=_prompt(fields.get("prompt")),
        max_tokens=_max_tokens(fields.get("max_tokens"), "max_tokens"),
        logprobs=None
        if logprobs is None
        else as_int(logprobs, "logprobs", 0, MAX_LOGPROBS_COMPLETION),
        **_common(fields, defaults(model)),
    )
    return request, _stream(fields)


def _top_level(body: object, known: frozenset[str]) -> dict[str, Any]:
    """The body without nulls and ignorable keys; unknown and unsupported ones are refused."""
    if not is_object(body):
        raise RequestError("The request body must be a JSON object", code="invalid_type")
    fields: dict[str, Any] = {}
    for key, value in body.items():
        if key in known:
            if value is not None:
                fields[key] = value
        elif key in UNSUPPORTED:
            allowed, advice = UNSUPPORTED[key]
            if value is not None and not any(_same(value, item) for item in allowed):
                (unsupported_value if allowed else unsupported)(key, advice)
        elif key not in IGNORED:
            hint = f'send it as {{"infera": {{"{key}": …}}}}' if key in INFERA else ""
            unknown_key("", key, known, hint)
    return fields


def _same(value: object, item: object) -> bool:
    """Equality that does not take 1 for true."""
    return type(value) is type(item) and value == item


def _required(fields: dict[str, Any], name: str) -> Any:
    value = fields.get(name)
    if value is None:
        raise RequestError(
            f"Missing required parameter: {name!r}", code="missing_required_parameter", param=name
        )
    return value


def _model(fields: dict[str, Any]) -> str:
    name = as_string(_required(fields, "model"), "model", MAX_NAME)
    if not name:
        invalid("model", "must not be empty; GET /v1/models lists what there is")
    return name


def _common(fields: dict[str, Any], default: Sampling) -> dict[str, Any]:
    extension = fields.get("infera", {})
    if "infera" in fields:
        extension = as_object(extension, "infera", INFERA)
    seed = fields.get("seed")
    if seed is not None:
        # Negative seeds are legal in OpenAI's API: the same 64 bits, read as unsigned.
        seed = as_int(seed, "seed", -(1 << 63), (1 << 64) - 1) & ((1 << 64) - 1)
    return {
        "stop": _stop(fields.get("stop")),
        "sampling": Sampling(
            temperature=_number(fields, "temperature", default.temperature, 0, 2),
            top_p=_number(fields, "top_p", default.top_p, 0, 1),
            top_k=_top_k(extension.get("top_k"), default.top_k),
            frequency_penalty=_number(fields, "frequency_penalty", 0.0, -2, 2),
            presence_penalty=_number(fields, "presence_penalty", 0.0, -2, 2),
        ),
        "seed": seed,
        "tier": _tier(extension.get("tier")),
    }


def _number(fields: dict[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = fields.get(name)
    return default if value is None else as_number(value, name, low, high)


def _max_tokens(value: object, name: str) -> int | None:
    return None if value is None else as_int(value, name, 1, MAX_OUTPUT)


def _top_k(value: object, default: int) -> int:
    return default if value is None else as_int(value, "infera.top_k", 0, MAX_TOP_K)


def _tier(value: object) -> Tier:
    if value is None:
        return Tier.OPTIMISTIC
    name = as_string(value, "infera.tier", MAX_NAME)
    if name not in TIERS:
        invalid("infera.tier", f"must be one of {', '.join(TIERS)}; got {shorten(name)!r}")
    return TIERS[name]


def _stop(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    items = [value] if isinstance(value, str) else as_list(value, "stop", MAX_STOP)
    stops = tuple(as_string(item, "stop", MAX_STOP_BYTES) for item in items)
    if "" in stops:
        invalid("stop", "a stop sequence must not be empty")
    return stops


def _chat_logprobs(fields: dict[str, Any]) -> int | None:
    wanted = as_bool(fields.get("logprobs", False), "logprobs")
    top = fields.get("top_logprobs")
    if top is not None:
        top = as_int(top, "top_logprobs", 0, MAX_LOGPROBS_CHAT)
        if not wanted:
            invalid("top_logprobs", "needs 'logprobs': true")
    return (top or 0) if wanted else None


def _stream(fields: dict[str, Any]) -> StreamOptions:
    tier_open = fields.get("infera", {}).get("tier") is None
    stream = as_bool(fields.get("stream", False), "stream")
    options = fields.get("stream_options")
    if options is None:
        return StreamOptions(stream=stream, tier_open=tier_open)
    if not stream:
        invalid("stream_options", "needs 'stream': true")
    got = as_object(options, "stream_options", frozenset(("include_usage", "include_obfuscation")))
    usage = got.get("include_usage")
    return StreamOptions(
        stream=True,
        tier_open=tier_open,
        include_usage=usage is not None and as_bool(usage, "stream_options.include_usage"),
    )


def _prompt(value: object) -> str:
    if isinstance(value, list):
        if len(value) != 1:
            unsupported_value("prompt", "send one request per prompt")
        value = value[0]
        if isinstance(value, (int, list)) and not isinstance(value, bool):
            unsupported_value("prompt", "send text instead of token ids")
    if value is None:
        _required({}, "prompt")
    text = as_string(value, "prompt", MAX_TEXT)
    if not text:
        invalid("prompt", "must not be empty")
    return text


def _messages(value: object) -> tuple[Message, ...]:
    if value is None:
        _required({}, "messages")
    items = as_list(value, "messages", MAX_MESSAGES)
    if not items:
        invalid("messages", "must have at least one message", "empty_array")
    return tuple(_message(item, f"messages[{i}]") for i, item in enumerate(items))


def _message(item: object, param: str) -> Message:
    if not is_object(item):
        invalid(param, "must be an object with 'role' and 'content'", "invalid_type")
    for key, value in item.items():
        if key in _MESSAGE_KEYS:
            continue
        if key not in _MESSAGE_EXTRAS:
            unknown_key(param, key, _MESSAGE_KEYS)
        # What a client's `model_dump()` of an earlier answer holds: nulls and empty lists.
        if value is not None and value != []:
            unsupported(f"{param}.{key}", _MESSAGE_EXTRAS[key])
    role = as_string(item.get("role"), f"{param}.role", MAX_NAME)
    if role in ("tool", "function"):
        unsupported_value(f"{param}.role", _MESSAGE_EXTRAS["tool_calls"])
    if role not in ROLES:
        invalid(f"{param}.role", f"must be one of {', '.join(ROLES)}; got {shorten(role)!r}")
    name = item.get("name")
    if name is not None:
        as_string(name, f"{param}.name", MAX_NAME)
    known = cast("Literal['system', 'user', 'assistant']", ROLES[role])
    return Message(known, _content(item.get("content"), f"{param}.content"))


def _content(value: object, param: str) -> str:
    if isinstance(value, str):
        return as_string(value, param, MAX_TEXT)
    if not isinstance(value, list):
        invalid(param, "must be a string or an array of text parts", "invalid_type")
    parts = as_list(value, param, MAX_PARTS)
    if not parts:
        invalid(param, "must have at least one part", "empty_array")
    text = "".join(_part(part, f"{param}[{i}]") for i, part in enumerate(parts))
    return as_string(text, param, MAX_TEXT)


def _part(part: object, param: str) -> str:
    if not is_object(part):
        invalid(param, "must be an object with 'type' and 'text'", "invalid_type")
    kind = as_string(part.get("type"), f"{param}.type", MAX_NAME)
    if kind != "text":
        unsupported_value(
            f"{param}.type", f"only 'text' parts are supported, not {shorten(kind)!r}"
        )
    as_object(part, param, frozenset(("type", "text", "prompt_cache_breakpoint")))
    return as_string(part.get("text"), f"{param}.text", MAX_TEXT)
