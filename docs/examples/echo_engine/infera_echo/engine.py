"""The engine. A token is a character, its id the code point; the answer is the last message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint
from infera.abc import Engine
from infera.errors import RequestError
from infera.protocol.jobs import canonical_json, token_commitment
from infera.types import Completion, Delta, FinishReason, JobRequest, ModelInfo, TokenLogprob
from infera_ext import keccak256
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from anyio.abc import TaskStatus
    from infera.context import Context


class EchoConfig(BaseModel):
    """`- kind: echo`"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: str = Field("", max_length=1024, description="said before the echo")
    context_length: int = Field(4096, ge=16, description="characters of prompt and answer together")


class EchoEngine(Engine):
    """Same request, same bits: a validator that runs the job again gets the same tokens."""

    name = "echo"

    def __init__(self, config: EchoConfig, context: Context | None = None) -> None:
        self._config = config
        # The manifest holds all that decides about the output; its hash is the model's id.
        manifest = {"name": "echo", "architecture": "echo", "prefix": config.prefix}
        model_id = keccak256(canonical_json(manifest))
        self._model = ModelInfo("echo", model_id, config.context_length, manifest)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()  # a real engine loads its models before this line
        await anyio.sleep_forever()

    def models(self) -> Sequence[ModelInfo]:
        return [self._model]

    async def encode(self, request: JobRequest) -> tuple[int, ...]:
        return tuple(map(ord, request.prompt or "\n".join(m.content for m in request.messages)))

    async def generate(self, request: JobRequest) -> AsyncIterator[Delta | Completion]:
        prompt, limit = await self.encode(request), request.max_tokens or 0
        if len(prompt) + limit > self._config.context_length:
            raise RequestError(
                f"{len(prompt)} characters and {limit} of answer are more than echo's context of "
                f"{self._config.context_length}.",
                code="context_length_exceeded",
                param="max_tokens",
            )
        text = self._config.prefix + (request.prompt or request.messages[-1].content)
        for stop in request.stop:
            text = text.partition(stop)[0]
        finish = FinishReason.STOP if len(text) <= limit else FinishReason.LENGTH
        text = text[:limit]
        for character in text:
            certain = () if request.logprobs is None else (TokenLogprob(character, 0.0),)
            yield Delta(character, (ord(character),), certain)
            await checkpoint()  # lets others run; leaving the iterator ends the work here
        output = tuple(map(ord, text))
        yield Completion(finish, text, prompt, output, token_commitment(prompt, output))
