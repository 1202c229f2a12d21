"""What goes wrong in a network, and what it costs whom."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import orjson
import pytest
from small_network import (
    MODEL,
    ParrotEngine,
    Small,
    body,
    config,
    prefer,
    question,
    running,
)

from infera.abc import StreamOptions
from infera.errors import EngineError, ErrorType, RequestError, StateError
from infera.events import (
    BatchCommitted,
    ChainInterrupted,
    ChainRecovered,
    CreditClaimed,
    DebitsApplied,
    JobDelivered,
    JobFailed,
    LeafChecked,
    ProgressMade,
    ProviderJoined,
    ProviderLeft,
)
from infera.keys import Signer
from infera.protocol.pricing import cost, fees
from infera.state.tables import JobState, jobs, served_jobs
from infera.transport.frames import FrameType
from infera.transport.link import WINDOW
from infera.types import FinishReason, JobRequest, OperatorRole, Outcome
from infera_plugins.chains.evm.chain import EvmChain
from infera_plugins.chains.evm.transport import TransportError
from infera_plugins.roles.provider import role as provider_role
from infera_plugins.roles.provider.jobs import JobRunner
from infera_plugins.roles.router.publication import Publication
from infera_plugins.roles.router.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infera.protocol.messages import JobReceipt

PRICES = (500_000, 1_500_000, 0)


def pause_at(engine: ParrotEngine, step: int) -> tuple[anyio.Event, anyio.Event]:
    """(reached, go on): the engine waits before its piece number `step`."""
    reached, go_on = anyio.Event(), anyio.Event()

    async def before(request: JobRequest, at: int) -> None:
        if at == step:
            reached.set()
            await go_on.wait()

    engine.before = before
    return reached, go_on


def failing(error: Exception, step: int = 0) -> Callable[[JobRequest, int], Awaitable[None]]:
    """An engine's `before` that raises."""

    async def before(request: JobRequest, at: int) -> None:
        if at == step:
            raise error

    return before


async def the_job(small: Small) -> Any:
    [row] = await small.rows(jobs)
    return row


async def test_a_provider_lost_before_the_first_byte_costs_nobody_anything(make_node: Any) -> None:
    async with running(make_node, config()) as small:
        prefer(small, "provider-1")
        reached, _ = pause_at(small.engine("engine-1"), 0)
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(body(await small.ask(tokens=3)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await reached.wait()
            first = orjson.loads((await the_job(small)).ticket)
            small.cut("provider-1")
        row = await the_job(small)
        ticket = answers[0]["infera"]["ticket"]
        assert ticket["provider"] == small.address("provider-2")
        assert (ticket["jobId"], orjson.loads(row.ticket)) == (first["jobId"], ticket)
        assert ticket["sequence"] > first["sequence"], "a new ticket, not the old one again"
        assert row.state in (JobState.DELIVERED, JobState.BATCHED)
        [delivered] = small.seen.all(JobDelivered)
        assert delivered.cost == cost(2, 3, *PRICES)
        book = small.book()
        assert (book.charged, book.reserved) == (delivered.cost, 0)
        assert small.engine("engine-1").cancelled == 1, "nobody waits for it any more"

        # Back again, the first provider offers what it did; the job is somebody else's.
        await small.seen.wait(ProviderJoined, lambda e: e.provider == small.address("provider-1"))
        await small.seen.wait(ProgressMade, lambda e: "refused a late receipt" in e.text)
        assert small.book().charged == delivered.cost


async def test_a_provider_lost_in_the_middle_is_paid_for_what_it_delivered(make_node: Any) -> None:
    async with running(make_node, config(1), providers=1) as small:
        reached, _ = pause_at(small.engine("engine-1"), 2)
        async with small.gateway.submit(
            small.caller, question(tokens=9), StreamOptions(stream=True)
        ) as job:
            pieces = aiter(job)
            text = [await anext(pieces) for _ in range(2)]
            await reached.wait()
            reserved = small.book().reserved
            small.cut("provider-1")
            with pytest.raises(RequestError, match="lost in the middle") as failed:
                await anext(pieces)
        assert (failed.value.status, failed.value.type) == (502, ErrorType.SERVER)
        assert b"[DONE]" not in b"".join(text)
        assert reserved > 0
        delivered = await small.seen.wait(JobDelivered)
        assert (delivered.tokens_in, delivered.tokens_out) == (2, 2)
        row = await the_job(small)
        assert row.finish == FinishReason.CANCELLED
        book = small.book()
        assert (book.charged, book.reserved) == (cost(2, 2, *PRICES), 0)
        claimed = await small.seen.wait(CreditClaimed)
        assert claimed.amount == fees(delivered.cost).provider


async def test_a_provider_that_never_comes_back_frees_the_reservation(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = config(1, router={"job_timeout_s": 1}, provider={"routers": ["auto"]})
    monkeypatch.setattr("infera_plugins.roles.router.role._HOUSEKEEPING_S", 0.05)
    monkeypatch.setattr(provider_role, "_RETRY_S", (3600.0,))
    async with running(make_node, text, providers=1) as small:
        reached, _ = pause_at(small.engine("engine-1"), 1)
        async with small.gateway.submit(
            small.caller, question(), StreamOptions(stream=True)
        ) as job:
            pieces = aiter(job)
            await anext(pieces)
            await reached.wait()
            small.cut("provider-1")
            with pytest.raises(RequestError):
                await anext(pieces)
        assert small.book().reserved > 0, "its receipt may still come"
        await small.seen.wait(JobFailed, lambda e: "never delivered" in e.reason)
        assert (small.book().charged, small.book().reserved) == (0, 0)
        assert (await the_job(small)).state == JobState.FAILED


@pytest.mark.parametrize("stream", [False, True])
async def test_an_engine_failure_moves_the_job_on(make_node: Any, stream: bool) -> None:
    async with running(make_node, config()) as small:
        prefer(small, "provider-1")
        small.engine("engine-1").before = failing(EngineError("out of memory"))
        await small.ask(stream=stream)
        [delivered] = small.seen.all(JobDelivered)
        assert delivered.provider == small.address("provider-2")
        small.engine("engine-2").before = failing(EngineError("out of memory"))
        with pytest.raises(RequestError, match="out of memory") as failed:
            await small.ask(stream=stream)
        assert failed.value.status == 502
        assert (small.book().charged, small.book().reserved) == (delivered.cost, 0)


async def test_an_engine_failure_in_the_middle_costs_nothing(make_node: Any) -> None:
    async with running(make_node, config(1), providers=1) as small:
        small.engine("engine-1").before = failing(EngineError("out of memory"), step=2)
        with pytest.raises(RequestError, match="out of memory"):
            await small.ask(stream=True)
        assert (small.book().charged, small.book().reserved) == (0, 0)
        assert (await the_job(small)).state == JobState.FAILED
        # The same Idempotency-Key may be used again after a failure.
        with pytest.raises(RequestError):
            await small.ask(stream=True, key="again")
        small.engine("engine-1").before = failing(EngineError("never"), step=99)
        assert await small.ask(stream=True, key="again")


async def test_a_refusal_on_principle_is_final(make_node: Any) -> None:
    policy = RequestError(
        "This provider serves no such content.", code="content_policy", param="messages"
    )
    async with running(make_node, config()) as small:
        prefer(small, "provider-1")
        small.engine("engine-1").before = failing(policy)
        with pytest.raises(RequestError, match="no such content") as refused:
            await small.ask()
        assert (refused.value.status, refused.value.code) == (400, "content_policy")
        assert small.engine("engine-2").started == 0, "it is the request that is refused"
        assert (small.book().charged, small.book().reserved) == (0, 0)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_that_hangs_up_stops_the_work_and_pays_for_what_was_done(
    make_node: Any, stream: bool
) -> None:
    async with running(make_node, config(1), providers=1) as small:
        engine = small.engine("engine-1")
        reached, _ = pause_at(engine, 3)

        async def ask() -> None:
            await small.ask(tokens=50, stream=stream)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await reached.wait()
            tasks.cancel_scope.cancel()
        delivered = await small.seen.wait(JobDelivered)
        assert (delivered.tokens_in, delivered.tokens_out) == (2, 3)
        assert (engine.made, engine.cancelled) == (3, 1)
        assert (await the_job(small)).finish == FinishReason.CANCELLED
        assert (small.book().charged, small.book().reserved) == (delivered.cost, 0)
        await small.seen.until(lambda: small.peer("provider-1").in_flight == 0, "its slot is free")
        claimed = await small.seen.wait(CreditClaimed)
        assert claimed.amount == fees(delivered.cost).provider


async def test_a_caller_that_hangs_up_over_http(make_node: Any) -> None:
    async with running(make_node, config(1, front=True), providers=1) as small:
        reached, _ = pause_at(small.engine("engine-1"), 3)
        front: Any = small.node.components[-1]
        host, port = front.base_url.removeprefix("http://").removesuffix("/v1").split(":")
        said = orjson.dumps(
            {
                "model": MODEL,
                "messages": [{"role": "user", "content": "hello there"}],
                "max_tokens": 50,
                "stream": True,
            }
        )
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {small.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
        )
        async with await anyio.connect_tcp(host, int(port)) as socket:
            await socket.send(head.encode() + said)
            await reached.wait()
            assert b"200 OK" in await socket.receive()
        delivered = await small.seen.wait(JobDelivered)
        assert delivered.tokens_out == 3
        assert (small.book().charged, small.book().reserved) == (delivered.cost, 0)


FORGERIES: dict[str, Callable[[JobReceipt], JobReceipt]] = {
    "more tokens than allowed": lambda r: replace(r, tokens_out=r.tokens_out + 100),
    "more tokens, cost to match": lambda r: replace(
        r, tokens_out=r.tokens_out + 100, cost=r.cost + 150
    ),
    "a higher cost": lambda r: replace(r, cost=r.cost + 1),
    "another text": lambda r: replace(r, response_hash=bytes(32)),
    "another ticket": lambda r: replace(r, ticket=bytes(32)),
}


async def test_a_forged_receipt_is_never_paid(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = JobRunner._receipt
    forgery = ""

    async def forged(self: JobRunner, job: Any, completion: Any) -> JobReceipt:
        receipt = await honest(self, job, completion)
        if forgery in FORGERIES:
            return FORGERIES[forgery](receipt)
        self.hot = Signer.generate()
        return receipt

    monkeypatch.setattr(JobRunner, "_receipt", forged)
    async with running(make_node, config(1), providers=1) as small:
        for forgery in (*FORGERIES, "another's signature"):  # noqa: B007 (read by `forged`)
            for stream in (False, True):
                with pytest.raises(RequestError, match="receipt is no good") as refused:
                    await small.ask(stream=stream)
                assert refused.value.status == 502
        assert small.peer("provider-1").error_rate > 0
        # Offered again on reconnection, they are as worthless.
        before = len(small.seen.events)
        small.cut("provider-1")
        await small.seen.wait(ProviderJoined, after=before)
        await small.seen.until(
            lambda: (
                sum("refused a late" in e.text for e in small.seen.all(ProgressMade))
                == 2 * (len(FORGERIES) + 1)
            ),
            "all are refused again",
        )
        assert (small.book().charged, small.book().reserved) == (0, 0)
        assert {row.state for row in await small.rows(jobs)} == {JobState.FAILED}
        assert not small.seen.all(JobDelivered)
        owed = [row.net for row in await small.rows(served_jobs) if row.acked]
        assert not any(owed), "what is refused does not count as owed"
        await small.seen.until(lambda: small.peer("provider-1").in_flight == 0, "slots are free")


async def test_a_provider_cannot_speak_for_the_router(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it sends instead of a receipt, the router says 502 and lives on."""
    answers: list[tuple[FrameType, bytes]] = [
        (FrameType.FAIL, b"{}"),
        (FrameType.FAIL, b"not json"),
        (FrameType.FAIL, b'{"status": 200, "code": 7, "message": "fine"}'),
        (FrameType.FAIL, b'{"status": 401, "code": "invalid_api_key", "message": "go away"}'),
        (FrameType.FAIL, b'{"status": "x", "retry": "yes", "param": {}}'),
        (FrameType.END, b"{}"),
        (FrameType.END, b"[]"),
        (FrameType.END, b'{"final": 1}'),
        (FrameType.END, b'{"final": {}, "usage": 3, "receipt": {}}'),
        (FrameType.END, b'{"final": {}, "receipt": {}, "signature": "zz", "text": 1}'),
        (FrameType.REPLY, b"{}"),
        (FrameType.CHUNK, b"data"),
    ]
    say = answers[0]

    async def serve(self: JobRunner, stream: Any, frame: Any) -> None:
        await stream.send(*say)
        if say[0] is FrameType.CHUNK:
            await stream.send(FrameType.END, b"{")

    monkeypatch.setattr(JobRunner, "serve", serve)
    async with running(make_node, config(1), providers=1) as small:
        for say in answers:
            for stream in (False, True):
                with pytest.raises(RequestError) as refused:
                    await small.ask(stream=stream)
                assert refused.value.status == 502, say
                assert len(refused.value.message) < 600
        # The same after the caller has left: nobody is there to hear it.
        for say in answers:
            async with (
                small.gateway.submit(small.caller, question(), StreamOptions(stream=True))
                if say[0] is FrameType.CHUNK
                else anyio.create_task_group()
            ):
                pass
        await small.seen.until(lambda: small.book().reserved == 0, "reservations are given back")
        assert small.book().charged == 0
        assert not small.seen.all(JobDelivered)


async def test_a_cheating_engine_is_found(make_node: Any) -> None:
    async with running(make_node, config(validator=True)) as small:
        small.engine("engine-1").lie = lambda word: word.replace("w", "v")
        prefer(small, "provider-1")
        await small.ask(seed=1)
        prefer(small, "provider-2")
        await small.ask(seed=2)
        by_provider = {event.provider: event.job_id[:10] for event in small.seen.all(JobDelivered)}
        assert len(by_provider) == 2
        for _ in range(2):
            await small.seen.until(
                lambda: len(small.seen.all(LeafChecked)) == 2, "both jobs are checked"
            )
        wrong = {
            (event.batch, event.leaf)
            for event in small.seen.all(LeafChecked)
            if event.outcome is Outcome.MISMATCH
        }
        assert len(wrong) == 1
        assert {
            (row.batch_index, row.leaf_index)
            for row in await small.rows(jobs)
            if row.provider == small.address("provider-1")
        } == wrong


async def test_a_router_that_publishes_something_else_is_found(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Publication.page
    lie = ""

    async def page(self: Publication, index: int, start: int) -> Any:
        told = await honest(self, index, start)
        if lie == "a job's cost":
            told["jobs"][0]["cost"] += 1
        elif lie == "a total":
            told["credits"][0]["credited"] += 1
        elif lie == "a leaf left out":
            told["jobs"] = []
        elif lie == "no list":
            told["jobs"] = None
        return told

    monkeypatch.setattr(Publication, "page", page)
    async with running(make_node, config(1, validator=True), providers=1) as small:
        lies = ("a job's cost", "a total", "a leaf left out", "no list")
        for seed, lie in enumerate((*lies, "")):
            before = len(small.seen.events)
            await small.ask(seed=seed)
            batch = (await small.seen.wait(BatchCommitted, after=before)).index
            if lie:
                said = _starts(f"batch {batch} ")
                await small.seen.wait(ProgressMade, said, after=before)
        # It has outlived all that, and still knows what is right.
        checked = await small.seen.wait(LeafChecked, after=before)
        assert (checked.batch, checked.outcome) == (batch, Outcome.UPHELD)
        text = "\n".join(event.text for event in small.seen.all(ProgressMade))
        assert text.count("does not hold") >= 3


def _starts(text: str) -> Callable[[ProgressMade], bool]:
    return lambda event: event.source == "validator" and event.text.startswith(text)


async def test_evidence_that_does_not_fit_its_leaf_decides_nothing(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Publication.evidence

    async def evidence(self: Publication, index: int, leaf: int) -> Any:
        return {**await honest(self, index, leaf), "text": "something else"}

    monkeypatch.setattr(Publication, "evidence", evidence)
    async with running(make_node, config(1, validator=True), providers=1) as small:
        await small.ask()
        checked = await small.seen.wait(LeafChecked)
        assert checked.outcome is Outcome.UNDECIDED, "an honest provider must not be blamed"


async def test_jobs_are_served_while_the_chain_is_away(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(make_node, config(validator=True)) as small:
        await small.ask(seed=1)
        await small.seen.wait(CreditClaimed)
        chain = small.chain
        assert isinstance(chain, EvmChain)
        away = True
        ask_node = chain.rpc.transport.make_request

        async def make_request(method: str, params: Any) -> Any:
            if away:
                raise TransportError("connection refused")
            return await ask_node(method, params)

        async def sleep(seconds: float) -> None:
            await anyio.sleep(min(seconds, 0.02))

        monkeypatch.setattr(chain.rpc.transport, "make_request", make_request)
        monkeypatch.setattr(chain.rpc, "sleep", sleep)
        await small.seen.wait(ChainInterrupted)
        for seed in range(2, 8):
            assert await small.ask(seed=seed, stream=bool(seed % 2))
        assert len(small.seen.all(JobDelivered)) == 7
        spent = small.book().charged
        assert small.book().unsettled > 0
        before = len(small.seen.events)
        away = False
        await small.seen.wait(ChainRecovered, after=before)
        await small.seen.wait(DebitsApplied, after=before)
        await small.seen.until(lambda: small.book().unsettled == 0, "all of it is settled")
        assert small.book().charged == spent
        owed = sum(fees(event.cost).provider for event in small.seen.all(JobDelivered))
        await small.seen.until(
            lambda: sum(event.amount for event in small.seen.all(CreditClaimed)) == owed,
            "every provider is paid",
        )
        await small.seen.until(
            lambda: len(small.seen.all(LeafChecked)) == 7, "every job is checked"
        )


async def test_a_full_disk_is_said_and_survived(make_node: Any) -> None:
    async with running(make_node, config(front=True)) as small:
        writer = small.node.state._writer
        assert writer is not None

        def limit(pages: int | None) -> None:
            with writer.connect() as conn:
                used = conn.exec_driver_sql("PRAGMA page_count").scalar()
                conn.exec_driver_sql(f"PRAGMA max_page_count = {pages or used}")

        await anyio.to_thread.run_sync(limit, None)
        large = "x" * 300_000
        with pytest.raises(StateError, match="disk is full"):
            await small.ask(large)
        front: Any = small.node.components[-1]
        status, answer = await anyio.to_thread.run_sync(_post, front.base_url, small.key, large)
        assert (status, answer["error"]["code"]) == (503, "state_failed")
        assert large not in orjson.dumps(answer).decode()
        assert (small.book().charged, small.book().reserved) == (0, 0)
        await anyio.to_thread.run_sync(limit, 1 << 20)
        assert await small.ask(large)
        await small.seen.wait(CreditClaimed)
        assert not small.node.lifecycle._stopping.is_set()


def _post(base_url: str, key: str, text: str) -> tuple[int, Any]:
    from live_network import post

    return post(
        base_url,
        "/chat/completions",
        key,
        {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 2},
    )


async def test_a_receipt_that_could_not_be_written_down_is_offered_again(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = Store.deliver_job
    full = True

    async def deliver_job(self: Store, *args: Any) -> bool:
        if full:
            raise StateError("the database failed while writing: disk is full")
        return await keep(self, *args)

    monkeypatch.setattr(Store, "deliver_job", deliver_job)
    monkeypatch.setattr(provider_role, "_SETTLING_S", 0.1)
    async with running(make_node, config(1), providers=1) as small:
        with pytest.raises(StateError):
            await small.ask(stream=True)
        assert small.book().reserved > 0, "what was streamed was delivered"
        await small.seen.wait(ProgressMade, lambda e: "cannot hand a receipt over" in e.text)
        full = False
        delivered = await small.seen.wait(JobDelivered)
        assert (small.book().charged, small.book().reserved) == (delivered.cost, 0)
        await small.seen.wait(CreditClaimed)


async def test_a_slow_reader_holds_up_its_own_job_only(make_node: Any) -> None:
    async with running(make_node, config(1), providers=1) as small:
        engine = small.engine("engine-1")
        engine.pad = "x" * 4000
        count = 400  # 1.6 MB and more
        most = 0
        read = 0
        other: list[Any] = []

        async def before(request: JobRequest, at: int) -> None:
            nonlocal most
            if request.max_tokens == count:
                most = max(most, at - read)
            await anyio.lowlevel.checkpoint()

        engine.before = before
        async with small.gateway.submit(
            small.caller, question(tokens=count), StreamOptions(stream=True)
        ) as job:
            async for piece in job:
                read += piece.count(b'"content":"w')
                if read == 1:
                    # The window fills and the engine waits; another job on the link goes through.
                    other.append(await small.ask(tokens=60, stream=True, seed=5))
                    await small.seen.until(
                        lambda: engine.made >= WINDOW // 4_500, "the window is full"
                    )
        assert read == count
        assert len(other) == 1
        assert most <= WINDOW // 4000 + 2, "no more than a window is ever held"
        assert len(small.seen.all(JobDelivered)) == 2


async def test_a_peer_may_ask_nonsense(make_node: Any) -> None:
    """Queries of a provider that means harm are answered with a refusal, and the router goes on."""
    from infera.operators import active_hot_key
    from infera.transport.handshake import introduce
    from infera.transport.link import Link
    from infera.transport.sockets import dial

    async def nothing(*_: Any) -> None:
        return None

    async with running(make_node, config(validator=True)) as small:
        chain = small.chain
        url = small.gateway.network()["endpoint"]
        hot = small.node.context.keys.get("validator")
        async with dial(url) as socket:
            await introduce(
                socket,
                chain.domain,
                hot.address,
                OperatorRole.VALIDATOR,
                hot,
                {},
                lambda address, role: active_hot_key(chain, address, role),
            )
            link = Link(socket, dialled=True)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(link.run, nothing, nothing)
                nonsense: list[Any] = [
                    {},
                    {"type": "leaves"},
                    {"type": "leaves", "batch": 10**30},
                    {"type": "leaves", "batch": 0, "start": -1},
                    {"type": "leaves", "batch": None},
                    {"type": "evidence", "batch": 0, "leaf": 2**70},
                    {"type": "credit"},
                    {"type": "receipt", "job": "00"},
                    [],
                ]
                for query in nonsense:
                    async with link.open(FrameType.QUERY, orjson.dumps(str(query))) as stream:
                        assert (await stream.receive()).type is FrameType.FAIL
                    raw = repr(query).replace("'", '"').replace("None", "null").encode()
                    async with link.open(FrameType.QUERY, raw) as stream:
                        assert (await stream.receive()).type is FrameType.FAIL, query
                tasks.cancel_scope.cancel()
        assert await small.ask()


async def test_two_receipts_of_one_job_are_charged_once(make_node: Any) -> None:
    """The receipt on the stream and the same one offered again may cross."""
    async with running(make_node, config(1), providers=1) as small:
        await small.ask()
        [served] = await small.rows(served_jobs)
        again = {
            "job": served.job_id.hex(),
            "receipt": orjson.loads(served.receipt),
            "signature": served.receipt_signature.hex(),
            "text": (await the_job(small)).text,
        }
        provider = small.address("provider-1")
        for _ in range(2):
            assert await small.dispatcher.desk.late_receipt(again, provider, provider) is None
        stranger = small.address("router")
        assert await small.dispatcher.desk.late_receipt(again, stranger, stranger) is not None
        assert len(small.seen.all(JobDelivered)) == 1
        assert small.book().charged == served.cost


async def test_a_provider_that_comes_back_replaces_its_old_connection(make_node: Any) -> None:
    async with running(make_node, config(1), providers=1) as small:
        before = len(small.seen.events)
        small.cut("provider-1")
        left = await small.seen.wait(ProviderLeft, after=before)
        assert left.provider == small.address("provider-1")
        with pytest.raises(RequestError) as refused:
            await small.ask()
        assert refused.value.status == 503
        await small.seen.wait(ProviderJoined, after=before)
        assert await small.ask()


async def test_an_orderly_stop_keeps_what_was_delivered(make_node: Any) -> None:
    """A provider stopped in the middle of an answer signs for what it had sent."""
    async with running(make_node, config(1), providers=1) as small:
        reached, _ = pause_at(small.engine("engine-1"), 2)
        job = await small.dispatcher.start(
            small.caller, question(tokens=9), StreamOptions(stream=True), None
        )
        pieces = aiter(job)
        delivered = [await anext(pieces) for _ in range(2)]
        await reached.wait()
    assert not small.seen.all(JobDelivered)
    async with running(make_node, config(1), providers=1) as again:
        await again.seen.until(
            lambda: again.book().charged == cost(2, len(delivered), *PRICES), "it is charged"
        )
        assert again.book().reserved == 0
        await again.seen.wait(CreditClaimed)
        [row] = await again.acknowledged()
        assert row.cost == cost(2, 2, *PRICES)


async def test_a_key_that_its_account_has_ended_is_refused_at_once(make_node: Any) -> None:
    """Served on, its jobs could never be debited."""
    async with running(make_node, config(1), providers=1) as small:
        await small.ask()
        await small.seen.wait(CreditClaimed)
        caller, chain = small.caller, small.chain
        assert isinstance(chain, EvmChain)
        developer = small.node.context.keys.get("developer")
        await chain.transact(developer, "PaymentVault", "revokeGrant", caller.grant)

        def refused() -> bool:
            try:
                small.gateway.authenticate(small.key)
            except RequestError as error:
                return (error.status, error.code) == (401, "api_key_revoked")
            return False

        await small.seen.until(refused, "the router has heard of it")
        grant = small.dispatcher.ledger.grants[caller.grant]
        with pytest.raises(RequestError, match="its account has revoked it"):
            await small.gateway.register_grant(grant.grant, grant.signature)
        key = small.key
    # It stays so after a restart, and the node runs all the same.
    async with running(make_node, config(1), providers=1) as small:
        with pytest.raises(RequestError) as failed:
            small.gateway.authenticate(key)
        assert failed.value.code == "api_key_revoked"


async def test_what_a_reorganisation_takes_away_is_settled_again(make_node: Any) -> None:
    async with running(make_node, config(1), providers=1) as small:
        chain = small.chain
        assert isinstance(chain, EvmChain)
        await small.ask(seed=1)
        await small.seen.wait(CreditClaimed)
        snapshot = await chain.rpc.once("evm_snapshot")
        before = len(small.seen.events)
        await small.ask(seed=2)
        await small.seen.wait(CreditClaimed, after=before)
        total = small.book().charged
        assert await chain.debited(small.address("router"), small.caller.grant) == total

        before = len(small.seen.events)
        assert await chain.rpc.once("evm_revert", snapshot)
        chain.session.transactor._nonces.clear()  # what it does itself once it gives up waiting
        again = await small.seen.wait(BatchCommitted, after=before)
        assert again.index == 1
        await small.seen.wait(DebitsApplied, after=before)
        assert await chain.debited(small.address("router"), small.caller.grant) == total
        await small.ask(seed=3)
        await small.seen.until(lambda: small.book().unsettled == 0, "the next job is settled")
        assert await chain.batch_count(small.address("router")) == 3


async def test_a_receipt_outlives_the_content_it_is_for(
    make_node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infera_plugins.roles.router.role._HOUSEKEEPING_S", 0.05)
    text = config(1, router={"retain_content_s": 0})
    async with running(make_node, text, providers=1) as small:
        answer = body(await small.ask(key="once"))
        await small.seen.wait(CreditClaimed)
        gone: list[bool] = []

        async def forgotten() -> None:
            while (await the_job(small)).text is not None:  # noqa: ASYNC110 (it has no event)
                await anyio.sleep(0.02)
            gone.append(True)

        with anyio.move_on_after(10):
            await forgotten()
        assert gone, "prompt and answer are dropped"
        job = answer["infera"]["ticket"]["jobId"]
        receipt = await small.gateway.receipt(small.caller, job)
        assert receipt["receipt"] == answer["infera"]["receipt"]
        assert (receipt["model"], receipt["leaf"]["batch"]) == (MODEL, 0)
        # The key is free again: what it stood for is not known any more.
        again = body(await small.ask(key="once"))
        assert again["id"] != answer["id"]
