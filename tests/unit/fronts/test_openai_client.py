"""The real `openai` client against a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
from scripted_gateway import JOB_ID, KEY, LISTING, MODEL, OTHER_KEY, chat_body, running, sse

from infera.abc import StreamOptions
from infera.errors import ChainUnavailableError, ErrorType, RequestError, StateError
from infera.types import JobRequest, Message, Sampling, Tier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scripted_gateway import ScriptedGateway

    from infera_plugins.fronts.openai.server import OpenAIFront

MESSAGES: Any = [{"role": "user", "content": "Hi"}]


async def test_chat(client: openai.AsyncOpenAI, gateway: ScriptedGateway) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}],
            },
        ],
        temperature=0,
        top_p=0.5,
        frequency_penalty=1,
        presence_penalty=-1,
        max_completion_tokens=7,
        stop=["\n", "END"],
        seed=-1,
        logprobs=True,
        top_logprobs=3,
        user="u-1",
        extra_body={"infera": {"tier": "zkml", "top_k": 40}},
        extra_headers={"Idempotency-Key": "order 66"},
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == "Hello"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 5
    assert raw.headers["x-infera-job"] == JOB_ID
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["content-type"] == "application/json"
    assert int(raw.headers["openai-processing-ms"]) >= 0
    [(caller, request, options, idempotency_key)] = gateway.submitted
    assert caller.key_hash == KEY.encode()
    assert request == JobRequest(
        kind="chat",
        model=MODEL,
        messages=(Message("system", "Be brief."), Message("user", "Hi")),
        max_tokens=7,
        stop=("\n", "END"),
        sampling=Sampling(0.0, 0.5, 40, 1.0, -1.0),
        seed=(1 << 64) - 1,
        logprobs=3,
        tier=Tier.ZKML,
    )
    assert options == StreamOptions()
    assert idempotency_key == "order 66"
    assert gateway.open_jobs == 0


async def test_stream(client: openai.AsyncOpenAI, gateway: ScriptedGateway) -> None:
    stream = await client.chat.completions.create(
        model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.response.headers["cache-control"] == "no-cache"
    assert stream.response.headers["x-accel-buffering"] == "no"
    assert stream.response.headers["x-infera-job"] == JOB_ID
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert gateway.submitted[0][2] == StreamOptions(stream=True, include_usage=True, tier_open=True)


async def test_completions(client: openai.AsyncOpenAI, gateway: ScriptedGateway) -> None:
    answer = await client.completions.create(
        model=MODEL, prompt=["Once upon"], max_tokens=2, logprobs=1, stop="x"
    )
    assert answer.choices[0].text == "Hello"
    request = gateway.submitted[0][1]
    assert (request.kind, request.prompt, request.messages) == ("completion", "Once upon", ())
    assert (request.max_tokens, request.logprobs, request.stop) == (2, 1, ("x",))


async def test_an_answer_can_be_sent_back(client: openai.AsyncOpenAI) -> None:
    """What `model_dump` makes of an assistant message (nulls and all) is a valid message."""
    answer = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
    message: Any = answer.choices[0].message.model_dump()
    again = await client.chat.completions.create(
        model=MODEL, messages=[*MESSAGES, message, *MESSAGES]
    )
    assert again.choices[0].message.content == "Hello"


async def test_models(client: openai.AsyncOpenAI) -> None:
    [model] = (await client.models.list()).data
    assert (model.id, model.object, model.owned_by) == (MODEL, "model", "infera")
    assert model.created == LISTING.created
    assert await client.models.retrieve(MODEL) == model
    extra = model.model_extra
    assert extra is not None
    assert extra["context_length"] == 2048
    assert extra["tiers"] == ["optimistic", "zkml"]
    assert extra["model_id"] == "0x" + "07" * 32
    assert extra["pricing"] == {
        "prompt": "0.0000001",
        "completion": "0.0000004",
        "prompt_micro_usdc_per_million": 100_000,
        "completion_micro_usdc_per_million": 400_000,
    }
    with pytest.raises(openai.NotFoundError, match="did you mean 'infera/tiny'") as caught:
        await client.models.retrieve("infera/tinny")
    assert (caught.value.code, caught.value.type) == ("model_not_found", "not_found_error")


def refused(code: str, status: int, kind: ErrorType, **more: Any) -> RequestError:
    return RequestError("No.", code=code, status=status, type=kind, **more)


@pytest.mark.parametrize(
    ("failure", "raised", "status"),
    [
        (refused("model_not_found", 404, ErrorType.NOT_FOUND), openai.NotFoundError, 404),
        (refused("insufficient_funds", 402, ErrorType.INSUFFICIENT_FUNDS), openai.APIError, 402),
        (refused("rate_limit_exceeded", 429, ErrorType.RATE_LIMIT), openai.RateLimitError, 429),
        (refused("no_provider", 503, ErrorType.SERVER), openai.InternalServerError, 503),
        (
            refused("context_length_exceeded", 400, ErrorType.INVALID_REQUEST, param="messages"),
            openai.BadRequestError,
            400,
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_gateways_errors_keep_their_status(
    client: openai.AsyncOpenAI,
    gateway: ScriptedGateway,
    failure: RequestError,
    raised: type[openai.APIStatusError],
    status: int,
    stream: bool,
) -> None:
    gateway.failure = failure
    failure.retry_after_s = 7
    with pytest.raises(raised) as caught:
        await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=stream)
    error = caught.value
    assert isinstance(error, openai.APIStatusError)
    assert error.status_code == status
    assert error.response.json() == {
        "error": {
            "message": "No.",
            "type": failure.type.value,
            "param": failure.param,
            "code": failure.code,
        }
    }
    assert error.response.headers["retry-after"] == "7"
    assert error.request_id is not None


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_before_the_first_byte_is_a_status(
    client: openai.AsyncOpenAI, gateway: ScriptedGateway, stream: bool
) -> None:
    async def script(*_: object) -> AsyncIterator[bytes]:
        if gateway.open_jobs:
            raise refused("provider_failed", 502, ErrorType.SERVER)
        yield b""

    gateway.script = script
    with pytest.raises(openai.InternalServerError) as caught:
        await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=stream)
    assert (caught.value.status_code, caught.value.code) == (502, "provider_failed")
    assert caught.value.response.headers["x-infera-job"] == JOB_ID


@pytest.mark.parametrize("stream", [False, True])
async def test_no_bytes_at_all_are_an_error(
    client: openai.AsyncOpenAI, gateway: ScriptedGateway, stream: bool
) -> None:
    async def script(*_: object) -> AsyncIterator[bytes]:
        for piece in list[bytes]():
            yield piece

    gateway.script = script
    with pytest.raises(openai.InternalServerError) as caught:
        await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=stream)
    assert (caught.value.status_code, caught.value.code) == (502, "empty_answer")


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (refused("provider_failed", 502, ErrorType.SERVER), "provider_failed"),
        (ZeroDivisionError("secret"), "internal_error"),
        (StateError("disk full at /secret"), "state_failed"),
    ],
)
async def test_a_failure_after_the_first_byte_is_an_event(
    client: openai.AsyncOpenAI, gateway: ScriptedGateway, failure: Exception, code: str
) -> None:
    async def script(*_: object) -> AsyncIterator[bytes]:
        yield sse({"choices": []})
        raise failure

    gateway.script = script
    stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    pieces = aiter(stream)
    await anext(pieces)
    with pytest.raises(openai.APIError) as caught:
        await anext(pieces)
    assert caught.value.code == code
    assert "secret" not in str(caught.value.body)


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (ZeroDivisionError("secret"), 500, "internal_error"),
        (StateError("disk full at /secret"), 503, "state_failed"),
        (ChainUnavailableError("https://secret.example is away"), 503, "chain_unavailable"),
    ],
)
async def test_inner_failures_show_the_request_id_only(
    client: openai.AsyncOpenAI,
    gateway: ScriptedGateway,
    failure: Exception,
    status: int,
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gateway.failure = failure
    for attempt in (
        client.chat.completions.create(model=MODEL, messages=MESSAGES),
        client.get("/account", cast_to=object),
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            await attempt
        error = caught.value
        assert (error.status_code, error.code) == (status, code)
        assert error.request_id is not None
        assert error.request_id in error.message
        assert "secret" not in error.response.text
        assert error.request_id in caplog.text
    assert KEY not in caplog.text


async def test_wrong_and_missing_keys(front: OpenAIFront, gateway: ScriptedGateway) -> None:
    async with openai.AsyncOpenAI(
        base_url=front.base_url, api_key="sk-wrong", max_retries=0
    ) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.chat.completions.create(model=MODEL, messages=MESSAGES)
        assert caught.value.response.json() == {
            "error": {
                "message": "Incorrect API key provided",
                "type": "authentication_error",
                "param": None,
                "code": "invalid_api_key",
            }
        }
        assert caught.value.response.headers["www-authenticate"] == "Bearer"
        with pytest.raises(openai.AuthenticationError):
            await client.get("/account", cast_to=object)
    assert gateway.submitted == []


async def test_rate_limit(gateway: ScriptedGateway) -> None:
    async with (
        running(gateway, rate_limit_per_minute=2) as front,
        openai.AsyncOpenAI(base_url=front.base_url, api_key=KEY, max_retries=0) as client,
    ):
        for left in ("1", "0"):
            raw = await client.chat.completions.with_raw_response.create(
                model=MODEL, messages=MESSAGES
            )
            assert raw.headers["x-ratelimit-limit-requests"] == "2"
            assert raw.headers["x-ratelimit-remaining-requests"] == left
            assert raw.headers["x-ratelimit-reset-requests"].endswith("s")
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model=MODEL, messages=MESSAGES)
        assert caught.value.code == "rate_limit_exceeded"
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 30
        other = client.with_options(api_key=OTHER_KEY)
        await other.chat.completions.create(model=MODEL, messages=MESSAGES)


@pytest.mark.parametrize(
    ("extra", "param", "code"),
    [
        ({"n": 2}, "n", "unsupported_value"),
        ({"temprature": 1}, "temprature", "unknown_parameter"),
        ({"top_k": 5}, "top_k", "unknown_parameter"),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"infera": {"tier": "hope"}}, "infera.tier", "invalid_value"),
    ],
)
async def test_bad_requests_name_the_parameter(
    client: openai.AsyncOpenAI,
    gateway: ScriptedGateway,
    extra: dict[str, Any],
    param: str,
    code: str,
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.post("/chat/completions", cast_to=object, body=chat_body(**extra))
    assert (caught.value.param, caught.value.code) == (param, code)
    assert gateway.submitted == []


async def test_the_sync_client_works_too(front: OpenAIFront) -> None:
    from anyio import to_thread

    def ask() -> str | None:
        with openai.OpenAI(base_url=front.base_url, api_key=KEY, max_retries=0) as client:
            answer = client.chat.completions.create(model=MODEL, messages=MESSAGES)
            return answer.choices[0].message.content

    assert await to_thread.run_sync(ask) == "Hello"
