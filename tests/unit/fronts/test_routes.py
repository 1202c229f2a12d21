"""The routes that cost nothing, metrics, CORS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from scripted_gateway import (
    JOB_ID,
    LISTING,
    ScriptedGateway,
    chat_body,
    raw,
    raw_chat,
    running,
    talk,
)

from infera.abc import Gateway
from infera.bus import EventBus
from infera.errors import ChainUnavailableError, ErrorType, RequestError
from infera.events import JobDelivered
from infera.protocol.messages import KeyGrant
from infera_plugins.fronts.openai.limits import Concurrency, RateLimiter, client_network
from infera_plugins.fronts.openai.routes import price_string

if TYPE_CHECKING:
    from conftest import Shared
    from infera_plugins.fronts.openai.server import OpenAIFront

GRANT = KeyGrant(
    account="0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
    key_hash=b"\x01" * 32,
    routers=("0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF",),
    models=(),
    max_price_in=1,
    max_price_out=1,
    per_job_cap=1,
    daily_cap=1,
    total_cap=1,
    not_before=0,
    not_after=2,
    generation=0,
)


def grant_request(**changes: Any) -> bytes:
    body: dict[str, Any] = {"grant": GRANT.to_json(), "signature": "0x" + "1b" * 65, **changes}
    return raw(json.dumps(body).encode(), line="POST /v1/network/grants", key="")


async def test_receipts_and_account(front: OpenAIFront) -> None:
    receipt = await talk(front, raw(line=f"GET /v1/receipts/{JOB_ID}"))
    assert receipt.json()["leaf"] == "0x0102"
    account = await talk(front, raw(line="GET /v1/account"))
    assert account.json()["locked"] == 10
    assert account.headers["content-type"] == "application/json"
    assert account.headers["x-request-id"].startswith("req_")


async def test_grants(front: OpenAIFront, gateway: ScriptedGateway) -> None:
    reply = await talk(front, grant_request())
    assert reply.json() == {"object": "key_grant", "digest": "0x" + "33" * 32}
    assert gateway.grants == [(GRANT, b"\x1b" * 65)]
    gateway.failure = RequestError("Revoked.", code="grant_revoked", type=ErrorType.AUTHENTICATION)
    assert (await talk(front, grant_request())).code == "grant_revoked"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": "0x12"}, "invalid_signature"),
        ({"signature": 5}, "invalid_signature"),
        ({"grant": {}}, "invalid_grant"),
        ({"grant": {**GRANT.to_json(), "dailyCap": -1}}, "invalid_grant"),
        ({"grant": {**GRANT.to_json(), "dailyCap": 2**64}}, "invalid_grant"),
        ({"grant": [[[]]]}, "invalid_grant"),
        ({"more": 1}, "invalid_grant"),
    ],
)
async def test_bad_grants(shared: Shared, changes: dict[str, Any], code: str) -> None:
    reply = await talk(shared.front, grant_request(**changes))
    assert (reply.status, reply.code) == (400, code)
    assert shared.gateway.grants == []


async def test_network_is_public(front: OpenAIFront) -> None:
    network = await talk(front, raw(line="GET /v1/network", key=""))
    assert network.json()["providers"] == []
    batch = await talk(front, raw(line="GET /v1/network/batches/7", key=""))
    assert batch.json() == {"index": 7, "stake": 10**30, "leaves": []}


async def test_accounts_are_public(front: OpenAIFront, gateway: ScriptedGateway) -> None:
    for text in (GRANT.account, GRANT.account.lower()):
        reply = await talk(front, raw(line=f"GET /v1/network/accounts/{text}", key=""))
        assert reply.json() == {
            "address": GRANT.account, "generation": 3, "free": 1, "locked": 2
        }  # fmt: skip
    for wrong in ("0x12", "x" * 5000, GRANT.account.swapcase(), "0x" + "11" * 19 + "1g"):
        reply = await talk(front, raw(line=f"GET /v1/network/accounts/{wrong}", key=""))
        assert (reply.status, reply.code) == (400, "invalid_address")
        assert len(reply.body) < 1000
    gateway.failure = ChainUnavailableError("gone")
    reply = await talk(front, raw(line=f"GET /v1/network/accounts/{GRANT.account}", key=""))
    assert (reply.status, reply.code) == (503, "chain_unavailable")


async def test_a_gateway_may_keep_accounts_to_itself() -> None:
    with pytest.raises(RequestError) as caught:
        await Gateway.account_of(ScriptedGateway(), GRANT.account)
    assert (caught.value.status, caught.value.code) == (404, "account_unavailable")


@pytest.mark.parametrize(
    "request_bytes",
    [
        raw(line="GET /v1/network", key=""),
        raw(line="GET /v1/network/batches/7", key=""),
        raw(line=f"GET /v1/network/accounts/{GRANT.account}", key=""),
        grant_request(),
    ],
    ids=["network", "batch", "account", "grant"],
)
async def test_network_routes_are_limited_per_address(
    gateway: ScriptedGateway, request_bytes: bytes
) -> None:
    # One a minute: no clock of a test moves far enough to make a second one fit.
    async with running(gateway, network_rate_per_minute=1) as front:
        first = await talk(front, request_bytes)
        assert first.status == 200
        assert first.headers["x-ratelimit-remaining-requests"] == "0"
        second = await talk(front, request_bytes)
        assert (second.status, second.code) == (429, "rate_limit_exceeded")
        assert "for your address" in second.json()["error"]["message"]
        assert 1 <= int(second.headers["retry-after"]) <= 60
        assert (await talk(front, request_bytes, "127.0.0.2")).status == 200
        assert (await talk(front, raw(line="GET /healthz"))).status == 200
        assert (await talk(front, raw(line="GET /v1/account"))).status == 200


async def test_network_routes_without_a_limit(gateway: ScriptedGateway) -> None:
    async with running(gateway, network_rate_per_minute=0) as front:
        for _ in range(3):
            reply = await talk(front, raw(line="GET /v1/network", key=""))
            assert reply.status == 200
            assert "x-ratelimit-limit-requests" not in reply.headers


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("10.0.0.1", 5), ("10.0.0.1", 6), True),
        (("10.0.0.1", 5), ("10.0.0.2", 5), False),
        (("2001:db8::1", 5), ("2001:db8::ffff:1", 5), True),
        (("2001:db8::1", 5), ("2001:db8:0:1::1", 5), False),
        (("::ffff:10.0.0.1", 5), ("10.0.0.1", 5), True),
        (("::ffff:10.0.0.1", 5), ("::ffff:10.0.0.2", 5), False),
        (("fe80::1%eth0", 5), ("fe80::2", 5), True),
        (None, ("", 0), True),
    ],
)
def test_who_counts_as_one_client(one: Any, other: Any, same: bool) -> None:
    assert (client_network({"client": one}) == client_network({"client": other})) is same


async def test_health(front: OpenAIFront, gateway: ScriptedGateway) -> None:
    up = await talk(front, raw(line="GET /healthz"))
    assert up.json() == {"status": "ok", "ready": True, "models": 1}
    gateway.listings = ()
    waiting = await talk(front, raw(line="GET /healthz"))
    assert (waiting.status, waiting.json()["ready"]) == (200, False)


async def test_metrics(gateway: ScriptedGateway) -> None:
    bus = EventBus()
    async with running(gateway, bus=bus) as front:
        await talk(front, raw_chat(stream=True))
        await talk(front, raw_chat())
        gateway.failure = RequestError("No.", code="model_not_found", status=404)
        for i in range(20):
            body = orjson.dumps(chat_body(model=f"guess-{i}"))
            await talk(front, raw(body))
            await talk(front, raw(line=f"GET /guess/{i}"))
            await talk(front, raw(line=f"GET /v1/receipts/{i}"))
        bus.publish(JobDelivered(JOB_ID, "0x00", 3, 4, 5))
        await talk(front, raw(line="GET /healthz"))
        text = (await talk(front, raw(line="GET /metrics"))).body.decode()
    chat = 'route="/v1/chat/completions"'
    assert f'infera_front_requests_total{{model="{LISTING.name}",{chat},status="200"}} 2.0' in text
    assert f'infera_front_requests_total{{model="other",{chat},status="404"}} 20.0' in text
    assert 'infera_front_requests_total{model="",route="other",status="404"} 20.0' in text
    assert 'route="/v1/receipts/{job_id}",status="404"} 20.0' in text
    assert f"infera_front_time_to_first_byte_seconds_count{{{chat}}} 1.0" in text
    assert f"infera_front_request_duration_seconds_count{{{chat}}} 22.0" in text
    assert "infera_front_stream_chunks_total 4.0" in text
    assert 'infera_front_tokens_total{direction="in"} 3.0' in text
    assert 'infera_front_tokens_total{direction="out"} 4.0' in text
    assert "infera_front_requests_in_flight 0.0" in text
    assert "guess" not in text


async def test_no_cors_unless_asked_for(front: OpenAIFront) -> None:
    reply = await talk(front, raw(line="GET /v1/models", extra="origin: https://app.example\r\n"))
    assert "access-control-allow-origin" not in reply.headers


async def test_cors(gateway: ScriptedGateway) -> None:
    origin = "origin: https://app.example\r\n"
    preflight = raw(
        line="OPTIONS /v1/chat/completions",
        extra=f"{origin}access-control-request-method: POST\r\n"
        "access-control-request-headers: authorization\r\n",
    )
    async with running(gateway, cors_origins=["https://app.example"]) as front:
        assert (await talk(front, preflight)).status == 200
        body = orjson.dumps(chat_body())
        for request in (raw(body, extra=origin), raw(b"{", extra=origin)):
            reply = await talk(front, request)
            assert reply.headers["access-control-allow-origin"] == "https://app.example"
            assert "x-infera-job" in reply.headers["access-control-expose-headers"]
        refused = await talk(front, preflight.replace(b"app.example", b"evil.example"))
        assert refused.status == 400


@pytest.mark.parametrize(
    ("micro", "usd"),
    [
        (0, "0"),
        (1, "0.000000000001"),
        (100_000, "0.0000001"),
        (10**12, "1"),
        (10**13 + 10, "10.00000000001"),
    ],
)
def test_prices_are_exact(micro: int, usd: str) -> None:
    assert price_string(micro) == usd


def test_token_bucket() -> None:
    now = 0.0
    limiter = RateLimiter(60, lambda: now)
    for left in range(59, -1, -1):
        headers = dict(limiter.take(b"k"))
        assert headers[b"x-ratelimit-remaining-requests"] == str(left).encode()
    with pytest.raises(RequestError) as caught:
        limiter.take(b"k")
    assert (caught.value.status, caught.value.retry_after_s) == (429, 1)
    limiter.take(b"other")
    now = 1.0
    limiter.take(b"k")
    with pytest.raises(RequestError):
        limiter.take(b"k")
    now = 1000.0
    assert dict(limiter.take(b"k"))[b"x-ratelimit-remaining-requests"] == b"59"


def test_refilled_buckets_are_forgotten() -> None:
    now = 0.0
    limiter = RateLimiter(60, lambda: now)
    for i in range(20_000):
        now += 0.01
        limiter.take(b"%d" % i)
    assert len(limiter._buckets) <= 4096


def test_slots_are_given_back() -> None:
    slots = Concurrency(1)
    for _ in range(3):
        with slots.slot(b"k"), pytest.raises(RequestError), slots.slot(b"k"):
            pass
    assert slots._running == {}
