"""The optimistic tier upholds honest work and finds every kind of cheating."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.abc import Case
from infera.errors import EngineError
from infera.protocol.jobs import request_hash, response_hash, sampling_hash, token_commitment
from infera.protocol.messages import JobReceipt, JobTicket
from infera.protocol.pricing import cost
from infera.types import (
    Completion,
    Delta,
    FinishReason,
    JobRequest,
    Message,
    Outcome,
    Sampling,
    Tier,
)
from infera_ext import ca1
from infera_plugins.engines.exact.config import ExactConfig
from infera_plugins.engines.exact.engine import ExactEngine
from infera_plugins.verification.optimistic.config import OptimisticConfig
from infera_plugins.verification.optimistic.verifier import OptimisticVerifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(ca1.lib is None, reason="the twin needs minutes for the shipped model"),
]

NOBODY = "0x" + "00" * 20
REQUEST = JobRequest(
    "chat",
    "first-light",
    messages=(Message("user", "Tell me about the network."),),
    max_tokens=30,
    sampling=Sampling(temperature=1.0),
    seed=11,
)


@asynccontextmanager
async def serving() -> AsyncIterator[ExactEngine]:
    engine = ExactEngine(ExactConfig())
    async with anyio.create_task_group() as tasks:
        await tasks.start(lambda task_status: engine.serve(task_status=task_status))
        yield engine
        tasks.cancel_scope.cancel()


@pytest.fixture
async def engine() -> AsyncIterator[ExactEngine]:
    async with serving() as served:
        yield served


@pytest.fixture
def verifier() -> OptimisticVerifier:
    return OptimisticVerifier(OptimisticConfig())


async def run(engine: ExactEngine, request: JobRequest) -> tuple[list[Delta], Completion]:
    deltas: list[Delta] = []
    async for item in engine.generate(request):
        if isinstance(item, Completion):
            return deltas, item
        deltas.append(item)
    raise AssertionError("no completion")


async def run_long(engine: ExactEngine) -> tuple[JobRequest, list[Delta], Completion]:
    """A request whose answer fills its limit, so that there is something to cheat on."""
    for seed in range(50):
        request = replace(REQUEST, sampling=Sampling(temperature=1.8), seed=seed)
        deltas, done = await run(engine, request)
        if len(done.output_tokens) == 30 and len(deltas) > 8 and len(done.text) > 20:
            return request, deltas, done
    raise AssertionError("the model never says much")


def cut_off(done: Completion, deltas: list[Delta], reason: FinishReason) -> Completion:
    """What a provider puts together when the client leaves after these deltas."""
    tokens = tuple(t for d in deltas for t in d.tokens)
    text = "".join(d.text for d in deltas)
    prompt = done.prompt_tokens
    return Completion(reason, text, prompt, tokens, token_commitment(prompt, tokens))


def case_of(engine: ExactEngine, request: JobRequest, done: Completion, **changes: Any) -> Case:
    """Papers as an honest router and provider sign them, with `changes` to the receipt."""
    ticket = JobTicket(
        job_id=bytes(32),
        sequence=0,
        router=NOBODY,
        account=NOBODY,
        grant=bytes(32),
        provider=NOBODY,
        model_id=engine.models()[0].model_id,
        tier=Tier.OPTIMISTIC,
        request_hash=request_hash(request),
        sampling_hash=sampling_hash(request.sampling),
        seed=request.seed or 0,
        price_in=1_000_000,
        price_out=2_000_000,
        premium_bps=100,
        max_tokens_in=1000,
        max_tokens_out=request.max_tokens or 0,
        max_cost=10_000,
        issued_at=0,
        deadline=0,
    )
    tokens_in = changes.pop("tokens_in", len(done.prompt_tokens))
    tokens_out = changes.pop("tokens_out", len(done.output_tokens))
    receipt = JobReceipt(
        ticket=bytes(32),
        response_hash=response_hash(done.text, done.finish),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost=cost(tokens_in, tokens_out, 1_000_000, 2_000_000, 100),
        finish_reason=done.finish,
        evidence=done.commitment,
        completed_at=0,
    )
    return Case(request, done.text, ticket, replace(receipt, **changes))


async def test_honest_work_is_upheld(engine: ExactEngine, verifier: OptimisticVerifier) -> None:
    for request in (
        REQUEST,
        replace(REQUEST, max_tokens=1),
        replace(REQUEST, sampling=Sampling(temperature=0.0), stop=("e",)),
        JobRequest("completion", "first-light", prompt="INFERA is", max_tokens=9, seed=1),
    ):
        _, done = await run(engine, request)
        finding = await verifier.check(case_of(engine, request, done), engine)
        assert finding.outcome == Outcome.UPHELD, finding.detail
        assert finding.evidence == await verifier.attest(request, done) == done.commitment


async def test_models_are_found_by_id(engine: ExactEngine, verifier: OptimisticVerifier) -> None:
    request = replace(REQUEST, model="what-the-router-calls-it")
    _, done = await run(engine, REQUEST)
    finding = await verifier.check(case_of(engine, request, done), engine)
    assert finding.outcome == Outcome.UPHELD, finding.detail


def other_token(done: Completion) -> Completion:
    """The same text, claimed to come from other tokens."""
    tokens = (*done.output_tokens[:-1], done.output_tokens[-1] ^ 1)
    return replace(done, commitment=token_commitment(done.prompt_tokens, tokens))


def other_text(done: Completion) -> Completion:
    return replace(done, text=done.text[:-1] + "~")


def shorter(done: Completion) -> Completion:
    tokens = done.output_tokens[:5]
    return replace(
        done,
        text=done.text[:12],
        output_tokens=tokens,
        commitment=token_commitment(done.prompt_tokens, tokens),
    )


def other_end(done: Completion) -> Completion:
    other = FinishReason.STOP if done.finish == FinishReason.LENGTH else FinishReason.LENGTH
    return replace(done, finish=other)


@pytest.mark.parametrize(
    ("cheat", "changes", "detail"),
    [
        (other_token, {}, "commitment is to other tokens"),
        (other_text, {}, "text differs from character"),
        (shorter, {}, "text differs from character 12"),
        (other_end, {}, "the receipt says"),
        (None, {"tokens_in": 500}, "500 were charged"),
        (None, {"tokens_out": 29}, "29 were charged"),
        (None, {"tokens_out": 31}, "31 output tokens were charged"),
        (None, {"cost": 9999}, "9999 micro-USDC were charged"),
        (None, {"evidence": bytes(32)}, "commitment is to other tokens"),
        (None, {"response_hash": bytes(32)}, "not the one the receipt commits to"),
    ],
)
async def test_cheats_are_found(
    engine: ExactEngine,
    verifier: OptimisticVerifier,
    cheat: Callable[[Completion], Completion] | None,
    changes: dict[str, Any],
    detail: str,
) -> None:
    request, _, done = await run_long(engine)
    claimed = cheat(done) if cheat else done
    finding = await verifier.check(case_of(engine, request, claimed, **changes), engine)
    assert finding.outcome == Outcome.MISMATCH
    assert detail in finding.detail


class CheatingEngine(ExactEngine):
    """Serves with a twist, everything else in order: its own papers add up."""

    def __init__(self, twist: str) -> None:
        super().__init__(ExactConfig())
        self.twist = twist

    async def generate(self, request: JobRequest) -> AsyncIterator[Delta | Completion]:
        if self.twist == "fewer tokens":
            request = replace(request, max_tokens=(request.max_tokens or 2) // 2)
        elif self.twist == "greedy":
            request = replace(request, sampling=Sampling(temperature=0.0))
        elif self.twist == "other seed":
            request = replace(request, seed=(request.seed or 0) + 1)
        async for item in super().generate(request):
            if isinstance(item, Completion) and self.twist == "flipped token":
                tokens = list(item.output_tokens)
                tokens[len(tokens) // 2] ^= 1
                text = self._find(request.model).tokenizer.decode(tokens)
                commitment = token_commitment(item.prompt_tokens, tokens)
                item = replace(item, text=text, output_tokens=tuple(tokens), commitment=commitment)
            yield item


@pytest.mark.parametrize("twist", ["flipped token", "fewer tokens", "greedy", "other seed"])
async def test_a_cheating_engine_is_found(
    engine: ExactEngine, verifier: OptimisticVerifier, twist: str
) -> None:
    request, _, _ = await run_long(engine)
    cheat = CheatingEngine(twist)
    async with anyio.create_task_group() as tasks:
        await tasks.start(lambda task_status: cheat.serve(task_status=task_status))
        _, done = await run(cheat, request)
        tasks.cancel_scope.cancel()
    finding = await verifier.check(case_of(engine, request, done), engine)
    assert finding.outcome == Outcome.MISMATCH, finding.detail


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("seed", 12, "request is not the ticket's"),
        ("messages", (Message("user", "else"),), "request is not the ticket's"),
    ],
)
async def test_swapped_requests_are_found(
    engine: ExactEngine, verifier: OptimisticVerifier, field: str, value: Any, detail: str
) -> None:
    _, done = await run(engine, REQUEST)
    case = case_of(engine, REQUEST, done)
    swapped = replace(case, request=replace(REQUEST, **{field: value}))
    finding = await verifier.check(swapped, engine)
    assert finding.outcome == Outcome.MISMATCH
    assert detail in finding.detail


@pytest.mark.parametrize("reason", [FinishReason.CANCELLED, FinishReason.ERROR])
async def test_cut_off_jobs_are_upheld_at_every_point(
    engine: ExactEngine, verifier: OptimisticVerifier, reason: FinishReason
) -> None:
    request, deltas, done = await run_long(engine)
    for count in range(len(deltas) + 1):
        part = cut_off(done, deltas[:count], reason)
        finding = await verifier.check(case_of(engine, request, part), engine)
        assert finding.outcome == Outcome.UPHELD, (count, finding.detail)
        assert finding.evidence == part.commitment


async def test_cut_off_jobs_cannot_be_inflated(
    engine: ExactEngine, verifier: OptimisticVerifier
) -> None:
    request, deltas, done = await run_long(engine)
    part = cut_off(done, deltas[:4], FinishReason.CANCELLED)
    more = cut_off(done, deltas[:6], FinishReason.CANCELLED)
    padded = (*part.output_tokens, *[0] * 40)[:30]
    cheats = {
        "text of fewer": replace(more, text=part.text),
        "commitment is to other": replace(part, commitment=more.commitment),
        "text differs": replace(part, text=part.text[:-1] + "~"),
        "text differs from": replace(part, text=part.text + "and much more" * 9),
    }
    for detail, claim in cheats.items():
        finding = await verifier.check(case_of(engine, request, claim), engine)
        assert (finding.outcome, detail in finding.detail) == (Outcome.MISMATCH, True)
    short = replace(REQUEST, sampling=Sampling(temperature=0.0), stop=("e",))
    deltas, done = await run(engine, short)
    claim = replace(cut_off(done, deltas, FinishReason.CANCELLED), output_tokens=padded)
    finding = await verifier.check(case_of(engine, short, claim), engine)
    assert finding.outcome == Outcome.MISMATCH
    assert "the whole answer has" in finding.detail


async def test_what_cannot_be_run_is_undecided(
    engine: ExactEngine, verifier: OptimisticVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, done = await run(engine, REQUEST)
    case = case_of(engine, REQUEST, done)
    other = replace(case, ticket=replace(case.ticket, model_id=b"\x01" * 32))
    finding = await verifier.check(other, engine)
    assert finding.outcome == Outcome.UNDECIDED
    assert "has not loaded the model" in finding.detail

    async def encode(*_: object) -> None:
        raise EngineError("out of memory")

    monkeypatch.setattr(ExactEngine, "encode", encode)
    finding = await verifier.check(case, engine)
    assert finding.outcome == Outcome.UNDECIDED
    assert "out of memory" in finding.detail


async def test_impossible_requests_are_mismatches(
    engine: ExactEngine, verifier: OptimisticVerifier
) -> None:
    _, done = await run(engine, REQUEST)
    request = replace(REQUEST, messages=(Message("user", "word " * 3000),))
    finding = await verifier.check(case_of(engine, request, done), engine)
    assert finding.outcome == Outcome.MISMATCH
    assert "cannot have been done" in finding.detail
