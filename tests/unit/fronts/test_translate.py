"""OpenAI bodies to job requests: what is honoured, what is refused and how."""

from __future__ import annotations

from typing import Any

import openai.types.chat.completion_create_params as chat_params
import openai.types.completion_create_params as completion_params
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_gateway import MODEL, chat_body

from infera.abc import StreamOptions
from infera.errors import RequestError
from infera.protocol.jobs import canonical_json, request_from_json, request_to_json
from infera.types import JobRequest, Message, Sampling, Tier
from infera_plugins.fronts.openai import translate
from infera_plugins.fronts.openai.translate import chat_request, completion_request


def completion_body(**extra: Any) -> dict[str, Any]:
    return {"model": MODEL, "prompt": "Once", **extra}


def refusal(body: object, kind: str = "chat") -> RequestError:
    with pytest.raises(RequestError) as caught:
        (chat_request if kind == "chat" else completion_request)(body)
    assert caught.value.status == 400
    return caught.value


def test_defaults() -> None:
    request, options = chat_request(chat_body())
    assert request == JobRequest(kind="chat", model=MODEL, messages=(Message("user", "Hi"),))
    assert options == StreamOptions(tier_open=True)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("extension", "left_open"),
    [({}, True), ({"tier": None}, True), ({"top_k": 3}, True), ({"tier": "optimistic"}, False)],
)
def test_tier_is_left_open_unless_named(
    extension: dict[str, Any], left_open: bool, stream: bool
) -> None:
    extra = {"stream_options": {"include_usage": True}} if stream else {}
    _, options = chat_request(chat_body(infera=extension, stream=stream, **extra))
    assert options.tier_open is left_open


@pytest.mark.parametrize("name", sorted(translate.CHAT - {"model", "messages"}))
def test_null_means_absent(name: str) -> None:
    assert chat_request(chat_body(**{name: None})) == chat_request(chat_body())


@pytest.mark.parametrize(
    ("extra", "changed"),
    [
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 5, "max_tokens": 5}, {"max_tokens": 5}),
        ({"stop": "x"}, {"stop": ("x",)}),
        ({"stop": []}, {"stop": ()}),
        ({"temperature": -0.0}, {"sampling": Sampling(temperature=0.0)}),
        ({"top_p": 0}, {"sampling": Sampling(top_p=0.0)}),
        ({"seed": 0}, {"seed": 0}),
        ({"seed": -1}, {"seed": 2**64 - 1}),
        ({"seed": -(2**63)}, {"seed": 2**63}),
        ({"seed": 2**64 - 1}, {"seed": 2**64 - 1}),
        ({"logprobs": True}, {"logprobs": 0}),
        ({"logprobs": True, "top_logprobs": 20}, {"logprobs": 20}),
        ({"logprobs": False}, {"logprobs": None}),
        ({"infera": {"tier": "tee"}}, {"tier": Tier.TEE}),
        ({"infera": {"top_k": 1}}, {"sampling": Sampling(top_k=1)}),
        ({"infera": {}}, {}),
        ({"tools": [], "n": 1, "logit_bias": {}, "response_format": {"type": "text"}}, {}),
        ({"user": 5, "metadata": {"a": [1]}, "store": True, "service_tier": "auto"}, {}),
        ({"parallel_tool_calls": True, "tool_choice": "none"}, {}),
    ],
)
def test_honoured(extra: dict[str, Any], changed: dict[str, Any]) -> None:
    plain = {"kind": "chat", "model": MODEL, "messages": (Message("user", "Hi"),)}
    assert chat_request(chat_body(**extra))[0] == JobRequest(**{**plain, **changed})


@pytest.mark.parametrize(
    ("extra", "param", "code"),
    [
        ({"n": 2}, "n", "unsupported_value"),
        ({"n": True}, "n", "unsupported_value"),
        ({"tools": [{}]}, "tools", "unsupported_value"),
        ({"response_format": {"type": "json_schema"}}, "response_format", "unsupported_value"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_value"),
        ({"logit_bias": {"5": 1}}, "logit_bias", "unsupported_value"),
        ({"audio": {}}, "audio", "unsupported_parameter"),
        ({"best_of": 2}, "best_of", "unsupported_value"),
        ({"reasoning_effort": "high"}, "reasoning_effort", "unsupported_value"),
        ({"max_token": 1}, "max_token", "unknown_parameter"),
        ({"prompt": "x"}, "prompt", "unknown_parameter"),
        ({"tier": "tee"}, "tier", "unknown_parameter"),
        ({"x" * 10_000: 1}, "x" * 64 + "…", "unknown_parameter"),
        ({"a\nb": 1}, "a\ufffdb", "unknown_parameter"),
        ({"infera": {"teir": 1}}, "infera.teir", "unknown_parameter"),
        ({"infera": "tee"}, "infera", "invalid_type"),
        ({"infera": {"tier": 2}}, "infera.tier", "invalid_type"),
        ({"infera": {"top_k": -1}}, "infera.top_k", "integer_below_min_value"),
        ({"model": ""}, "model", "invalid_value"),
        ({"model": "x" * 257}, "model", "string_above_max_length"),
        ({"model": None}, "model", "missing_required_parameter"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": "Hi"}, "messages", "invalid_type"),
        ({"messages": [{}] * 4097}, "messages", "array_above_max_length"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": 1.0}, "max_tokens", "invalid_type"),
        ({"max_tokens": True}, "max_tokens", "invalid_type"),
        ({"max_completion_tokens": 2**32}, "max_completion_tokens", "integer_above_max_value"),
        ({"max_completion_tokens": 5, "max_tokens": 6}, "max_tokens", "invalid_value"),
        ({"temperature": "1"}, "temperature", "invalid_type"),
        ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
        ({"temperature": -0.1}, "temperature", "decimal_below_min_value"),
        ({"top_p": 1.1}, "top_p", "decimal_above_max_value"),
        ({"presence_penalty": -2.5}, "presence_penalty", "decimal_below_min_value"),
        ({"frequency_penalty": [1]}, "frequency_penalty", "invalid_type"),
        ({"seed": 2**64}, "seed", "integer_above_max_value"),
        ({"seed": -(2**63) - 1}, "seed", "integer_below_min_value"),
        ({"seed": 1.5}, "seed", "invalid_type"),
        ({"stop": ["a"] * 5}, "stop", "array_above_max_length"),
        ({"stop": [""]}, "stop", "invalid_value"),
        ({"stop": [1]}, "stop", "invalid_type"),
        ({"stop": "x" * 1025}, "stop", "string_above_max_length"),
        ({"logprobs": 1}, "logprobs", "invalid_type"),
        ({"top_logprobs": 1}, "top_logprobs", "invalid_value"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": {}}, "stream_options", "invalid_value"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x", "unknown_parameter"),
    ],
)
def test_refused(extra: dict[str, Any], param: str, code: str) -> None:
    error = refusal(chat_body(**extra))
    assert (error.param, error.code) == (param, code)


@pytest.mark.parametrize(
    ("message", "param", "code"),
    [
        ("Hi", "", "invalid_type"),
        ({"content": "Hi"}, ".role", "invalid_type"),
        ({"role": "user"}, ".content", "invalid_type"),
        ({"role": "user", "content": None}, ".content", "invalid_type"),
        ({"role": "robot", "content": ""}, ".role", "invalid_value"),
        ({"role": "tool", "content": ""}, ".role", "unsupported_value"),
        ({"role": "user", "content": "", "nmae": "x"}, ".nmae", "unknown_parameter"),
        ({"role": "user", "content": "", "name": 1}, ".name", "invalid_type"),
        (
            {"role": "assistant", "content": "", "tool_calls": [{}]},
            ".tool_calls",
            "unsupported_parameter",
        ),
        ({"role": "user", "content": []}, ".content", "empty_array"),
        ({"role": "user", "content": ["x"]}, ".content[0]", "invalid_type"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
            ".content[0].type",
            "unsupported_value",
        ),
        ({"role": "user", "content": [{"type": "text"}]}, ".content[0].text", "invalid_type"),
        ({"role": "user", "content": [{}] * 257}, ".content", "array_above_max_length"),
    ],
)
def test_refused_messages(message: Any, param: str, code: str) -> None:
    error = refusal(chat_body(messages=[{"role": "user", "content": "Hi"}, message]))
    assert (error.param, error.code) == (f"messages[1]{param}", code)


@pytest.mark.parametrize(
    ("extra", "param", "code"),
    [
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": ""}, "prompt", "invalid_value"),
        ({"prompt": ["a", "b"]}, "prompt", "unsupported_value"),
        ({"prompt": []}, "prompt", "unsupported_value"),
        ({"prompt": [1]}, "prompt", "unsupported_value"),
        ({"prompt": [[1, 2]]}, "prompt", "unsupported_value"),
        ({"prompt": 1}, "prompt", "invalid_type"),
        ({"prompt": [True]}, "prompt", "invalid_type"),
        ({"logprobs": 6}, "logprobs", "integer_above_max_value"),
        ({"logprobs": True}, "logprobs", "invalid_type"),
        ({"echo": True}, "echo", "unsupported_value"),
        ({"suffix": "end"}, "suffix", "unsupported_value"),
        ({"messages": []}, "messages", "unknown_parameter"),
    ],
)
def test_refused_completions(extra: dict[str, Any], param: str, code: str) -> None:
    error = refusal(completion_body(**extra), "completion")
    assert (error.param, error.code) == (param, code)


def test_advice() -> None:
    assert "did you mean 'temperature'?" in refusal(chat_body(temprature=1)).message
    assert '{"infera": {"top_k": …}}' in refusal(chat_body(top_k=5)).message
    assert "send the request n times" in refusal(chat_body(n=3)).message


def test_every_parameter_of_the_client_has_an_answer() -> None:
    """What OpenAI's client offers is honoured, ignored or refused by name; none is unknown."""
    known = translate.IGNORED | set(translate.UNSUPPORTED)
    chat = set(chat_params.CompletionCreateParamsBase.__annotations__) | {"stream"}
    assert chat <= translate.CHAT | known
    completion = set(completion_params.CompletionCreateParamsBase.__annotations__) | {"stream"}
    assert completion <= translate.COMPLETION | known


KEYS = sorted(
    translate.CHAT | translate.COMPLETION | set(translate.UNSUPPORTED) | {"role", "content", "type"}
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["user", "assistant", "text", "tee", "system", MODEL])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def survives(translated: Any, body: object) -> None:
    """Either a 400 or a request the protocol accepts unchanged."""
    error = None
    try:
        request, _ = translated(body)
    except RequestError as raised:
        error = raised
    if error is not None:
        assert error.status == 400
        assert len(error.message) < 2000
    else:
        text = request_to_json(request)
        assert canonical_json(text)
        assert request_from_json(text) == request


@given(JSON)
def test_fuzz_anything(body: object) -> None:
    survives(chat_request, body)
    survives(completion_request, body)


@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=3))
def test_fuzz_parameters(extra: dict[str, Any]) -> None:
    survives(chat_request, {**chat_body(), **extra})
    survives(completion_request, {**completion_body(), **extra})


MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "developer", "assistant"]) | JSON},
    optional={
        "content": st.text(max_size=20)
        | st.lists(
            st.fixed_dictionaries({"type": st.just("text") | JSON, "text": st.text() | JSON}),
            max_size=3,
        )
        | JSON,
        "name": st.text() | JSON,
        "tool_calls": JSON,
    },
)


@given(st.lists(MESSAGE, max_size=4))
def test_fuzz_messages(messages: list[Any]) -> None:
    survives(chat_request, chat_body(messages=messages))
