"""The engine component: streaming, limits, stops, queueing, cancellation."""

from __future__ import annotations

import threading
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.errors import EngineError, NeedsOperatorError, RequestError
from infera.protocol.jobs import canonical_json, token_commitment
from infera.types import Completion, Delta, FinishReason, JobRequest, Message, Sampling
from infera_ext import cpu_limit, keccak256
from infera_ext.ca1 import Session
from infera_plugins.engines.exact.config import ExactConfig, ModelEntry
from infera_plugins.engines.exact.engine import ExactEngine, locate
from infera_plugins.engines.exact.model import Generation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(*folders: Path | str, **settings: Any) -> AsyncIterator[ExactEngine]:
    entries = tuple(ModelEntry(path=str(f), name=f"m{i}") for i, f in enumerate(folders))
    engine = ExactEngine(ExactConfig(models=entries, **settings))
    async with anyio.create_task_group() as tasks:
        await tasks.start(lambda task_status: engine.serve(task_status=task_status))
        yield engine
        tasks.cancel_scope.cancel()


@pytest.fixture
async def engine(make_folder: Callable[..., Path]) -> AsyncIterator[ExactEngine]:
    async with serving(make_folder("F32")) as served:
        yield served


def completion(prompt: str = "hello world", **changes: Any) -> JobRequest:
    request = JobRequest("completion", "m0", prompt=prompt, max_tokens=24, seed=5)
    return replace(request, **changes)


async def collect(engine: ExactEngine, request: JobRequest) -> tuple[list[Delta], Completion]:
    deltas: list[Delta] = []
    async for item in engine.generate(request):
        if isinstance(item, Completion):
            return deltas, item
        deltas.append(item)
    raise AssertionError("no completion")


async def test_deltas_add_up_to_the_completion(engine: ExactEngine) -> None:
    request = completion(sampling=Sampling(temperature=1.2))
    deltas, done = await collect(engine, request)
    assert "".join(d.text for d in deltas) == done.text
    assert tuple(t for d in deltas for t in d.tokens) == done.output_tokens
    assert done.prompt_tokens == await engine.encode(request)
    assert done.commitment == token_commitment(done.prompt_tokens, done.output_tokens)
    assert done.finish in (FinishReason.LENGTH, FinishReason.STOP)
    assert len(done.output_tokens) <= 24


async def test_the_same_request_gives_the_same_bits(make_folder: Callable[..., Path]) -> None:
    folder = make_folder("BF16")
    request = completion(
        prompt="the rain in spain " * 4, sampling=Sampling(temperature=1.0, top_p=0.95), logprobs=3
    )
    results = []
    for settings in ({}, {"threads": 2}, {"max_concurrent": 1}):
        for sets in ((), None):
            cpu_limit(sets)
            async with serving(folder, **settings) as engine:
                results.append(await collect(engine, request))
    assert all(result == results[0] for result in results)


async def test_seed_changes_the_draw(engine: ExactEngine) -> None:
    texts = {(await collect(engine, completion(seed=seed)))[1].text for seed in range(6)}
    assert len(texts) > 1


async def test_greedy_follows_the_logits(engine: ExactEngine) -> None:
    _, done = await collect(engine, completion(sampling=Sampling(temperature=0.0), max_tokens=12))
    loaded = engine._find("m0")
    session = Session(loaded.model, 60)
    logits = session.forward(done.prompt_tokens)
    for token in done.output_tokens:
        assert token == max(range(len(logits)), key=lambda i: (logits[i], -i))
        logits = session.forward([token])


async def test_stop_strings_end_the_text_before_them(engine: ExactEngine) -> None:
    _, whole = await collect(engine, completion())
    for size in (1, 2, 5):
        for at in range(0, len(whole.text) - size, 3):
            stop = whole.text[at : at + size]
            deltas, done = await collect(engine, completion(stop=(stop, "\x00never")))
            assert done.text == whole.text[: whole.text.find(stop)]
            assert done.finish == FinishReason.STOP
            assert "".join(d.text for d in deltas) == done.text
            n = len(done.output_tokens)
            assert done.output_tokens == whole.output_tokens[:n]
            assert tuple(t for d in deltas for t in d.tokens) == done.output_tokens


async def test_end_of_sequence_stops(make_folder: Callable[..., Path]) -> None:
    folder = make_folder("F32", eos_token_id=list(range(4, 160)))
    async with serving(folder) as engine:
        deltas, done = await collect(engine, completion())
    assert done.finish == FinishReason.STOP
    assert 4 <= done.output_tokens[-1] < 160
    assert not any(4 <= t < 160 for t in done.output_tokens[:-1])
    assert tuple(t for d in deltas for t in d.tokens) == done.output_tokens


async def test_context_is_the_limit(engine: ExactEngine) -> None:
    _, done = await collect(engine, completion(max_tokens=1000, sampling=Sampling(0.0)))
    assert len(done.prompt_tokens) + len(done.output_tokens) <= 96
    for kind, param in (("chat", "messages"), ("completion", "prompt")):
        request = JobRequest(
            kind,  # type: ignore[arg-type]
            "m0",
            messages=(Message("user", "x" * 200),) if kind == "chat" else (),
            prompt="x" * 200 if kind == "completion" else "",
            max_tokens=5,
            seed=1,
        )
        with pytest.raises(RequestError) as caught:
            await collect(engine, request)
        assert (caught.value.code, caught.value.status) == ("context_length_exceeded", 400)
        assert caught.value.param == param


@pytest.mark.parametrize(
    ("changes", "code", "status"),
    [
        ({"model": "m1"}, "model_not_found", 404),
        ({"prompt": ""}, "empty_prompt", 400),
        ({"max_tokens": 0}, "invalid_value", 400),
    ],
)
async def test_bad_requests(
    engine: ExactEngine, changes: dict[str, Any], code: str, status: int
) -> None:
    with pytest.raises(RequestError) as caught:
        await collect(engine, completion(**changes))
    assert (caught.value.code, caught.value.status) == (code, status)


async def test_a_model_answers_to_its_id(engine: ExactEngine) -> None:
    info = engine.models()[0]
    assert info.model_id == keccak256(canonical_json(info.manifest))
    _, by_name = await collect(engine, completion())
    _, by_id = await collect(engine, completion(model="0x" + info.model_id.hex()))
    assert by_id == by_name


async def test_logprobs_come_with_their_tokens(engine: ExactEngine) -> None:
    deltas, done = await collect(engine, completion(logprobs=2, sampling=Sampling(0.0)))
    found = [p for d in deltas for p in d.logprobs]
    ended = done.output_tokens[-1] == 1
    assert len(found) == len(done.output_tokens) - ended
    for entry in found:
        assert entry.logprob <= 0.0
        assert entry.top[0] == (entry.token, entry.logprob)
        assert len(entry.top) == 2
        assert entry.top[0][1] >= entry.top[1][1]


async def test_many_jobs_at_once_do_not_mix(engine: ExactEngine) -> None:
    requests = [completion(f"prompt number {i}", seed=i) for i in range(12)]
    alone = [await collect(engine, request) for request in requests]
    together: dict[int, Any] = {}

    async def run(i: int) -> None:
        together[i] = await collect(engine, requests[i])

    async with anyio.create_task_group() as tasks:
        for i in range(12):
            tasks.start_soon(run, i)
    assert [together[i] for i in range(12)] == alone


class Slow:
    """Holds every step of a generation until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered, self.running, self.most = 0, 0, 0
        self.closed: list[Generation] = []
        self.go = threading.Semaphore(0)
        real_step, real_close = Generation.step, Generation.close

        def step(generation: Generation, budget_s: float) -> Any:
            self.entered += 1
            self.running += 1
            self.most = max(self.most, self.running)
            assert self.go.acquire(timeout=20)
            self.running -= 1
            return real_step(generation, 0.0)

        def close(generation: Generation) -> None:
            self.closed.append(generation)
            real_close(generation)

        monkeypatch.setattr(Generation, "step", step)
        monkeypatch.setattr(Generation, "close", close)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def test_closing_stops_the_work(engine: ExactEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    slow.go.release(3)
    async with aclosing(engine.generate(completion())) as items:  # type: ignore[type-var]
        async for _ in items:
            break
    assert slow.closed
    entered = slow.entered
    slow.go.release(100)
    await anyio.lowlevel.checkpoint()
    assert slow.entered == entered


async def test_cancelling_gives_the_slot_to_the_next(
    make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(make_folder(), max_concurrent=1) as engine:
        slow = Slow(monkeypatch)
        with anyio.CancelScope() as first:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(collect, engine, completion())
                await until(lambda: slow.entered == 1)
                first.cancel()
                slow.go.release()
        slow.go.release(1000)
        _, done = await collect(engine, completion(max_tokens=3))
        assert len(done.output_tokens) == 3
        assert slow.most == 1


async def test_jobs_wait_their_turn(
    make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(make_folder(), max_concurrent=2) as engine:
        slow = Slow(monkeypatch)
        async with anyio.create_task_group() as tasks:
            for seed in range(5):
                tasks.start_soon(collect, engine, completion(seed=seed, max_tokens=4))
            await until(lambda: slow.running == 2)
            slow.go.release(1000)
        assert slow.most == 2


async def test_overflow_is_an_engine_error(
    engine: ExactEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from infera_ext.ca1 import Ca1Error

    def forward(*_: object, **__: object) -> None:
        raise Ca1Error(3)

    monkeypatch.setattr(Session, "forward", forward)
    with pytest.raises(EngineError, match="model m0 failed: a number overflowed"):
        await collect(engine, completion())


async def test_start_fails_with_what_to_do(tmp_path: Path) -> None:
    for folder in (str(tmp_path), "builtin:nothing"):
        with pytest.raises(ExceptionGroup) as caught:
            async with serving(folder):
                pass
        assert caught.group_contains(NeedsOperatorError)


async def test_two_models_cannot_share_a_name(make_folder: Callable[..., Path]) -> None:
    entry = ModelEntry(path=str(make_folder()), name="twin")
    engine = ExactEngine(ExactConfig(models=(entry, entry)))
    with pytest.raises(ExceptionGroup) as caught:
        async with anyio.create_task_group() as tasks:
            await tasks.start(lambda task_status: engine.serve(task_status=task_status))
    assert caught.group_contains(NeedsOperatorError, match="two models are called 'twin'")


def test_names_come_from_folders(tmp_path: Path) -> None:
    assert locate(ModelEntry(path=str(tmp_path / "some-model"), name=None))[1] == "some-model"
    assert locate(ModelEntry(path="builtin:first_light", name=None))[1] == "first-light"
