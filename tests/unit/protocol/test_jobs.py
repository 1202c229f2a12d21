"""Canonical JSON, request coding and the hashes over them."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infera.errors import ProtocolError
from infera.protocol import jobs
from infera.types import FinishReason, JobRequest, Message, Sampling, Tier
from infera_ext import keccak256

if TYPE_CHECKING:
    from types import SimpleNamespace

CHAT = JobRequest("chat", "m", (Message("user", "hi"),), seed=5, stop=("a", "b"), logprobs=2)
COMPLETION = JobRequest("completion", "m", prompt="hi", max_tokens=3, tier=Tier.TEE)


def test_canonical_json_has_one_form() -> None:
    assert jobs.canonical_json({"b": 1, "a": [True, None, 1.5, "é"]}) == (
        '{"a":[true,null,1.5,"é"],"b":1}'.encode()
    )


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 1 << 64, {1: 2}, b"x", {"a": {1}}, "\ud800", Tier.TEE, CHAT],
)
def test_canonical_json_refuses_what_has_no_one_form(value: object) -> None:
    with pytest.raises(ProtocolError):
        jobs.canonical_json({"x": [value]})


def test_canonical_json_refuses_deep_nesting() -> None:
    value: list[Any] = []
    for _ in range(100):
        value = [value]
    with pytest.raises(ProtocolError, match="deep"):
        jobs.canonical_json(value)


@pytest.mark.parametrize("request_", [CHAT, COMPLETION], ids=["chat", "completion"])
def test_requests_round_trip(request_: JobRequest) -> None:
    body = jobs.request_to_json(request_)
    assert jobs.request_from_json(body) == request_
    assert jobs.request_hash(request_) == keccak256(jobs.canonical_json(body))


def test_equal_numbers_hash_alike() -> None:
    one = replace(CHAT, sampling=Sampling(temperature=1, frequency_penalty=-0.0))
    assert jobs.request_hash(one) == jobs.request_hash(CHAT)
    assert jobs.sampling_hash(one.sampling) == jobs.sampling_hash(Sampling())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("kind", "image"),
        ("kind", []),
        ("model", 5),
        ("model", "m" * 257),
        ("messages", []),
        ("messages", [{"role": "root", "content": ""}]),
        ("messages", [{"role": "user"}]),
        ("messages", [{"role": "user", "content": "", "name": "x"}]),
        ("messages", [{"role": "user", "content": "\ud800"}]),
        ("max_tokens", 0),
        ("max_tokens", 1.0),
        ("stop", "text"),
        ("stop", ["x"] * 17),
        ("stop", [1]),
        ("seed", -1),
        ("seed", 1 << 64),
        ("logprobs", 21),
        ("tier", 4),
        ("tier", True),
        ("sampling", {}),
        ("sampling.temperature", 2.1),
        ("sampling.temperature", float("nan")),
        ("sampling.temperature", "1"),
        ("sampling.temperature", True),
        ("sampling.top_p", -0.1),
        ("sampling.top_k", 1.0),
        ("sampling.extra", 1),
        ("prompt", "both inputs"),
    ],
)
def test_a_bad_request_is_refused_by_field(path: str, value: object) -> None:
    body = copy.deepcopy(jobs.request_to_json(CHAT))
    *parents, last = path.split(".")
    target = body
    for parent in parents:
        target = target[parent]
    target[last] = value
    with pytest.raises(ProtocolError, match=f"request.{path}"):
        jobs.request_from_json(body)


def test_content_is_bounded_over_all_messages() -> None:
    half = "x" * (jobs.MAX_CONTENT // 2)
    body = jobs.request_to_json(replace(CHAT, messages=(Message("user", half),) * 2))
    assert len(jobs.request_from_json(body).messages) == 2
    body["messages"].append({"role": "user", "content": "x"})
    with pytest.raises(ProtocolError, match=r"messages\[2\].content"):
        jobs.request_from_json(body)


def test_a_response_hash_follows_from_text_and_reason(net: SimpleNamespace) -> None:
    assert jobs.response_hash("a", FinishReason.STOP) == keccak256(
        b'{"finish_reason":"stop","text":"a"}'
    )
    assert len({jobs.response_hash("a", f) for f in FinishReason}) == len(FinishReason)


def test_a_token_commitment_separates_prompt_from_output() -> None:
    data = b"\1\0\0\0" + b"\xff" * 4 + b"\2\0\0\0"
    assert jobs.token_commitment([1], [2]) == keccak256(data)
    assert jobs.token_commitment([1, 2], []) != jobs.token_commitment([1], [2])
    for bad in ([-1], [1 << 32], [0xFFFFFFFF], ["1"]):
        with pytest.raises(ProtocolError):
            jobs.token_commitment(bad, [])  # type: ignore[arg-type]
