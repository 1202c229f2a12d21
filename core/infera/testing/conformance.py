"""What every plugin of a kind must do, as test classes: subclass one and override its fixture.

    class TestMyEngine(EngineConformance):
        @pytest.fixture
        def engine(self, infera_context): return MyEngine(MyConfig(), infera_context)

The component is handed over as its factory makes it; the suite starts and stops it. Each assertion
follows from a sentence in `infera.abc`.
"""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.abc import Case
from infera.errors import ChainError, RequestError
from infera.events import FrontListening
from infera.protocol.jobs import canonical_json
from infera.protocol.messages import JobReceipt, JobTicket
from infera.testing.fakes import FakeEngine
from infera.types import (
    Completion,
    Delta,
    FinishReason,
    JobRequest,
    Message,
    ModelInfo,
    OperatorRole,
    Outcome,
    Sampling,
    Tier,
)
from infera_ext import keccak256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infera.abc import Chain, Component, Engine, Front, Verifier
    from infera.bus import EventBus
    from infera.keys import Signer

STOP_WITHIN_S = 10.0
NOBODY = "0x000000000000000000000000000000000000dEaD"


@asynccontextmanager
async def serving(component: Component) -> AsyncIterator[None]:
    """Run a component: started on entry, stopped on exit within `STOP_WITHIN_S`."""
    async with anyio.create_task_group() as tasks:
        await tasks.start(lambda *, task_status: component.serve(task_status=task_status))
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
            tasks.cancel_scope.deadline = anyio.current_time() + STOP_WITHIN_S


class ComponentConformance:
    """What holds for every component. The other suites bring it along."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def component(self) -> Component:
        """The component under test, not yet started."""
        raise NotImplementedError("override the fixture of the suite")

    async def test_it_starts_and_stops(self, component: Component) -> None:
        with anyio.fail_after(STOP_WITHIN_S * 12):
            async with serving(component):
                assert isinstance(component.name, str)
                assert component.name
            stopped = anyio.current_time()
        assert stopped


# -- engines


class EngineConformance(ComponentConformance):
    """Override `engine`. Set `deterministic = False` for an engine that promises no equal bits."""

    deterministic = True

    @pytest.fixture
    def engine(self) -> Engine:
        """The engine under test, with at least one model."""
        raise NotImplementedError("override `engine`")

    @pytest.fixture
    def component(self, engine: Engine) -> Component:
        return engine

    @pytest.fixture
    async def running(self, engine: Engine) -> AsyncIterator[Engine]:
        async with serving(engine):
            yield engine

    @pytest.fixture
    def request_(self, running: Engine) -> JobRequest:
        """A small job for the engine's first model."""
        return JobRequest(
            kind="chat",
            model=running.models()[0].name,
            messages=(Message("user", "Tell me about bees."),),
            max_tokens=12,
            seed=7,
        )

    async def test_models_are_described(self, running: Engine) -> None:
        assert running.models()
        for model in running.models():
            assert isinstance(model, ModelInfo)
            assert model.context_length > 0
            assert model.model_id == keccak256(canonical_json(model.manifest))
        assert len({m.name for m in running.models()}) == len(running.models())

    async def test_answer_is_deltas_then_one_completion(
        self, running: Engine, request_: JobRequest
    ) -> None:
        items = [item async for item in running.generate(request_)]
        *deltas, last = items
        assert isinstance(last, Completion)
        assert all(isinstance(delta, Delta) for delta in deltas)
        assert "".join(d.text for d in deltas if isinstance(d, Delta)) == last.text
        tokens = [t for d in deltas if isinstance(d, Delta) for t in d.tokens]
        assert tuple(tokens) == last.output_tokens
        assert len(last.commitment) == 32

    async def test_prompt_tokens_are_those_of_encode(
        self, running: Engine, request_: JobRequest
    ) -> None:
        last = await complete(running, request_)
        assert last.prompt_tokens == tuple(await running.encode(request_))

    async def test_max_tokens_is_kept(self, running: Engine, request_: JobRequest) -> None:
        last = await complete(running, replace(request_, max_tokens=1))
        assert len(last.output_tokens) <= 1
        assert last.finish in (FinishReason.LENGTH, FinishReason.STOP)

    async def test_same_request_same_bits(self, running: Engine, request_: JobRequest) -> None:
        if not self.deterministic:
            pytest.skip("the engine does not promise equal bits")
        first, second = await complete(running, request_), await complete(running, request_)
        assert first == second

    async def test_concurrent_jobs_do_not_mix(self, running: Engine, request_: JobRequest) -> None:
        if not self.deterministic:
            pytest.skip("the engine does not promise equal bits")
        jobs = [replace(request_, seed=seed) for seed in range(4)]
        alone = [await complete(running, job) for job in jobs]
        together: dict[int, Completion] = {}

        async def work(number: int) -> None:
            together[number] = await complete(running, jobs[number])

        async with anyio.create_task_group() as tasks:
            for number in range(len(jobs)):
                tasks.start_soon(work, number)
        assert [together[n] for n in range(len(jobs))] == alone

    async def test_closing_early_stops_the_work(
        self, running: Engine, request_: JobRequest
    ) -> None:
        async with aclosing(running.generate(replace(request_, max_tokens=64))) as items:  # type: ignore[type-var]
            async for _ in items:
                break
        assert isinstance(await complete(running, request_), Completion)

    async def test_stop_sequence_is_not_told(self, running: Engine, request_: JobRequest) -> None:
        if not self.deterministic:
            pytest.skip("the engine does not promise equal bits")
        text = (await complete(running, request_)).text
        if len(text) < 4:
            pytest.skip("the answer is too short to be cut")
        stop = text[len(text) // 2 :][:3]
        last = await complete(running, replace(request_, stop=(stop,)))
        assert last.text == text[: text.index(stop)]
        assert last.finish is FinishReason.STOP

    async def test_too_long_a_job_is_refused(self, running: Engine, request_: JobRequest) -> None:
        length = running.models()[0].context_length
        long = replace(request_, messages=(Message("user", "bee " * (length + 1)),))
        with pytest.raises(RequestError) as caught:
            await complete(running, long)
        assert caught.value.code == "context_length_exceeded"

    async def test_greedy_needs_no_seed(self, running: Engine, request_: JobRequest) -> None:
        if not self.deterministic:
            pytest.skip("the engine does not promise equal bits")
        greedy = replace(request_, sampling=Sampling(temperature=0.0))
        assert await complete(running, greedy) == await complete(running, greedy)


async def complete(engine: Engine, request: JobRequest) -> Completion:
    """The completion of a job; the suite's way to run one."""
    async for item in engine.generate(request):
        if isinstance(item, Completion):
            return item
    raise AssertionError("generate ended without a Completion")


# -- verifiers


class VerifierConformance(ComponentConformance):
    """Override `verifier`, and `engine` if the fake one will not do."""

    @pytest.fixture
    def verifier(self) -> Verifier:
        """The verifier under test."""
        raise NotImplementedError("override `verifier`")

    @pytest.fixture
    def engine(self) -> Engine:
        """An engine for provider and validator alike."""
        return FakeEngine()

    @pytest.fixture
    def component(self, verifier: Verifier) -> Component:
        return verifier

    @pytest.fixture
    async def honest(self, verifier: Verifier, engine: Engine) -> AsyncIterator[Case]:
        """A job done as claimed; verifier and engine are running."""
        async with serving(engine), serving(verifier):
            model = engine.models()[0]
            request = JobRequest(
                kind="chat",
                model=model.name,
                messages=(Message("user", "Tell me about bees."),),
                max_tokens=12,
                seed=7,
                tier=verifier.tier,
            )
            done = await complete(engine, request)
            evidence = await verifier.attest(request, done)
            yield Case(request, done.text, *_papers(request, model, done, evidence))

    async def test_evidence_is_32_bytes(self, honest: Case) -> None:
        assert len(honest.receipt.evidence) == 32

    async def test_tier_is_named(self, verifier: Verifier) -> None:
        assert isinstance(verifier.tier, Tier)

    async def test_honest_work_is_upheld(
        self, verifier: Verifier, engine: Engine, honest: Case
    ) -> None:
        finding = await verifier.check(honest, engine)
        assert finding.outcome is Outcome.UPHELD
        assert len(finding.evidence) == 32
        assert finding.detail

    async def test_other_text_is_a_mismatch(
        self, verifier: Verifier, engine: Engine, honest: Case
    ) -> None:
        cheat = replace(honest, text=honest.text + " and wasps")
        assert (await verifier.check(cheat, engine)).outcome is Outcome.MISMATCH

    async def test_other_evidence_is_a_mismatch(
        self, verifier: Verifier, engine: Engine, honest: Case
    ) -> None:
        flipped = bytes([honest.receipt.evidence[0] ^ 1]) + honest.receipt.evidence[1:]
        cheat = replace(honest, receipt=replace(honest.receipt, evidence=flipped))
        assert (await verifier.check(cheat, engine)).outcome is Outcome.MISMATCH


def _papers(
    request: JobRequest, model: ModelInfo, done: Completion, evidence: bytes
) -> tuple[JobTicket, JobReceipt]:
    """Ticket and receipt of a job, as far as a verifier looks at them."""
    from infera.protocol.jobs import request_hash, response_hash, sampling_hash

    tokens_in, tokens_out = len(done.prompt_tokens), len(done.output_tokens)
    ticket = JobTicket(
        job_id=bytes(32),
        sequence=1,
        router=NOBODY,
        account=NOBODY,
        grant=bytes(32),
        provider=NOBODY,
        model_id=model.model_id,
        tier=request.tier,
        request_hash=request_hash(request),
        sampling_hash=sampling_hash(request.sampling),
        seed=request.seed or 0,
        price_in=0,
        price_out=0,
        premium_bps=0,
        max_tokens_in=tokens_in,
        max_tokens_out=request.max_tokens or tokens_out,
        max_cost=0,
        issued_at=0,
        deadline=60,
    )
    receipt = JobReceipt(
        ticket=bytes(32),
        response_hash=response_hash(done.text, done.finish),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost=0,
        finish_reason=done.finish,
        evidence=evidence,
        completed_at=1,
    )
    return ticket, receipt


# -- chains


class ChainConformance(ComponentConformance):
    """Override `chain` and `account`, a signer with money for gas and at least 10 USDC on it."""

    @pytest.fixture
    def chain(self) -> Chain:
        """The chain under test."""
        raise NotImplementedError("override `chain`")

    @pytest.fixture
    def account(self) -> Signer:
        """A funded account; its funds may be made when the chain starts."""
        raise NotImplementedError("override `account`")

    @pytest.fixture
    def component(self, chain: Chain) -> Component:
        return chain

    @pytest.fixture
    async def running(self, chain: Chain) -> AsyncIterator[Chain]:
        async with serving(chain):
            yield chain

    async def test_it_says_where_it_is(self, running: Chain) -> None:
        assert running.domain.chain_id > 0
        assert running.domain.verifying_contract == running.contracts["JobRegistry"]
        assert await running.block_number() >= 0
        assert await running.timestamp() > 0

    async def test_randomness_is_of_mined_blocks(self, running: Chain) -> None:
        newest = await running.block_number()
        randomness = await running.prevrandao(newest)
        assert randomness is not None
        assert len(randomness) == 32
        assert await running.prevrandao(newest + 1_000_000) is None

    async def test_a_stranger_has_nothing(self, running: Chain) -> None:
        for role in OperatorRole:
            assert await running.operator(NOBODY, role) is None
            assert await running.minimum_stake(role) > 0
        assert await running.free_balance(NOBODY) == 0
        assert (await running.lockup(NOBODY, NOBODY)).locked == 0
        assert await running.generation(NOBODY) == 0
        assert await running.batch_count(NOBODY) == 0

    async def test_money_goes_in_and_out(self, running: Chain, account: Signer) -> None:
        held = await running.usdc_balance(account.address)
        await running.deposit(account, 3_000_000)
        assert await running.usdc_balance(account.address) == held - 3_000_000
        assert await running.free_balance(account.address) == 3_000_000
        await running.lock(account, NOBODY, 2_000_000)
        assert await running.free_balance(account.address) == 1_000_000
        assert (await running.lockup(account.address, NOBODY)).locked == 2_000_000
        await running.unlock(account, NOBODY, 500_000)
        lockup = await running.lockup(account.address, NOBODY)
        assert lockup.thawing == 500_000
        assert lockup.thaw_ends > await running.timestamp()
        await running.withdraw(account, 1_000_000)
        assert await running.free_balance(account.address) == 0
        assert await running.usdc_balance(account.address) == held - 2_000_000

    async def test_refusal_names_the_revert(self, running: Chain, account: Signer) -> None:
        with pytest.raises(ChainError) as caught:
            await running.lock(account, NOBODY, 10**15)
        assert caught.value.revert

    async def test_revocation_counts_up(self, running: Chain, account: Signer) -> None:
        before = await running.generation(account.address)
        assert await running.revoke_keys(account) == before + 1
        assert await running.generation(account.address) == before + 1

    async def test_events_are_told_in_order(self, running: Chain, account: Signer) -> None:
        await running.deposit(account, 1_000_000)
        await running.lock(account, NOBODY, 1_000_000)
        names: list[str] = []
        with anyio.fail_after(60):
            async with aclosing(running.events("conformance")) as events:  # type: ignore[type-var]
                async for event in events:
                    names.append(event.name)
                    if event.name == "Locked":
                        break
        assert "Deposited" in names


# -- fronts


class FrontConformance(ComponentConformance):
    """Override `front`. It must publish `FrontListening` on `infera_bus`."""

    @pytest.fixture
    def front(self) -> Front:
        """The front under test, on a free port, its context's bus being `infera_bus`."""
        raise NotImplementedError("override `front`")

    @pytest.fixture
    def component(self, front: Front) -> Component:
        return front

    async def test_it_says_where_it_listens(self, front: Front, infera_bus: EventBus) -> None:
        async with infera_bus.subscribe(FrontListening) as events:
            async with serving(front):
                with anyio.fail_after(STOP_WITHIN_S):
                    event = await anext(events)
                host, port = _address(event.base_url)
                stream = await anyio.connect_tcp(host, port)
                await stream.aclose()
            with pytest.raises(OSError):  # noqa: PT011 - any refusal will do
                await anyio.connect_tcp(host, port)


def _address(base_url: str) -> tuple[str, int]:
    from urllib.parse import urlsplit

    parts: Any = urlsplit(base_url)
    return parts.hostname, parts.port
