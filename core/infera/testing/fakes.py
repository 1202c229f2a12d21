"""Small deterministic components: something to compose a node of, or to test a plugin against."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
from pydantic import BaseModel, ConfigDict

from infera.abc import Engine, Front, Role, Verifier
from infera.errors import RequestError
from infera.hookspecs import Manifest, Register, hookimpl
from infera.protocol.jobs import canonical_json, token_commitment
from infera.types import Completion, Delta, Finding, FinishReason, ModelInfo, Outcome, Tier
from infera_ext import keccak256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from anyio.abc import TaskStatus

    from infera.abc import Case
    from infera.context import Context
    from infera.types import JobRequest


class FakeConfig(BaseModel):
    """Fakes have nothing to set but a note."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: str = ""
    """Kept, not used."""


class FakeEngine(Engine):
    """Answers with words that follow from the prompt and the seed alone. A token is a word."""

    def __init__(self, config: FakeConfig | None = None, context: Context | None = None) -> None:
        self.name = "fake"
        manifest = {"architecture": "fake", "profile": "exact"}
        self._model = ModelInfo(
            "fake-1", keccak256(canonical_json(manifest)), context_length=256, manifest=manifest
        )

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep_forever()

    def models(self) -> Sequence[ModelInfo]:
        return (self._model,)

    async def encode(self, request: JobRequest) -> tuple[int, ...]:
        return _prompt(request)

    async def generate(self, request: JobRequest) -> AsyncIterator[Delta | Completion]:
        prompt, limit = _prompt(request), request.max_tokens or 0
        if len(prompt) + limit > self._model.context_length:
            raise RequestError(
                f"{len(prompt)} prompt and {limit} output tokens exceed this model's context",
                code="context_length_exceeded",
            )
        finish, said, made = FinishReason.LENGTH, "", []
        for step in range(limit):
            draw = hashlib.sha256(f"{prompt}|{request.seed}|{step}".encode()).digest()
            if step and draw[0] < 16:
                finish = FinishReason.STOP
                break
            text = ("" if step == 0 else " ") + f"w{draw[1]}"
            made.append(draw[1])
            cut = min((c for s in request.stop if (c := (said + text).find(s)) >= 0), default=None)
            said += text
            if cut is not None:
                said, finish = said[:cut], FinishReason.STOP
                break
            if not request.stop:
                yield Delta(text, tokens=(draw[1],))
            await anyio.lowlevel.checkpoint()
        if request.stop:
            # A stop sequence may cross words, so nothing is told before it is known to stay.
            yield Delta(said, tokens=tuple(made))
        output = tuple(made)
        yield Completion(finish, said, prompt, output, token_commitment(prompt, output))


class FakeVerifier(Verifier):
    """Tier 2 by running the job again and comparing the commitment."""

    tier = Tier.OPTIMISTIC

    def __init__(self, config: FakeConfig | None = None, context: Context | None = None) -> None:
        self.name = "fake"

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep_forever()

    async def attest(self, request: JobRequest, completion: Completion) -> bytes:
        return completion.commitment

    async def check(self, case: Case, engine: Engine) -> Finding:
        async for item in engine.generate(case.request):
            if isinstance(item, Completion):
                same = item.commitment == case.receipt.evidence and item.text == case.text
                outcome = Outcome.UPHELD if same else Outcome.MISMATCH
                return Finding(outcome, item.commitment, f"executed again: {outcome.name.lower()}")
        return Finding(Outcome.UNDECIDED, bytes(32), "the engine gave no completion")


class FakeRole(Role):
    """Is there, and does nothing."""

    def __init__(self, config: FakeConfig | None = None, context: Context | None = None) -> None:
        self.name = "fake"
        self.context = context

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep_forever()


class FakeFront(Front):
    """A door nobody comes through."""

    def __init__(self, config: FakeConfig | None = None, context: Context | None = None) -> None:
        self.name = "fake"

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep_forever()


class FakePlugin:
    """Registers the fakes, each as kind `fake` of its layer."""

    @hookimpl
    def infera_manifest(self) -> Manifest:
        return Manifest("fake", "Deterministic fakes for tests")

    @hookimpl
    def infera_register_engines(self, register: Register) -> None:
        register("fake", FakeEngine, FakeConfig)

    @hookimpl
    def infera_register_verifiers(self, register: Register) -> None:
        register("fake", FakeVerifier, FakeConfig)

    @hookimpl
    def infera_register_roles(self, register: Register) -> None:
        register("fake", FakeRole, FakeConfig)

    @hookimpl
    def infera_register_fronts(self, register: Register) -> None:
        register("fake", FakeFront, FakeConfig)


def _prompt(request: JobRequest) -> tuple[int, ...]:
    text = request.prompt or " ".join(message.content for message in request.messages)
    return tuple(hashlib.sha256(word.encode()).digest()[0] for word in text.split())
