"""The engine component: loads models, queues jobs, and steps generations in worker threads."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from infera.abc import Engine
from infera.errors import EngineError, ErrorType, NeedsOperatorError, RequestError, did_you_mean
from infera.events import ProgressMade
from infera.types import Completion, Delta, JobRequest, ModelInfo
from infera_plugins.engines.exact.model import Generation, Loaded, load_model
from infera_plugins.models import shipped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from anyio.abc import TaskStatus

    from infera.context import Context
    from infera_plugins.engines.exact.config import ExactConfig, ModelEntry

_BUILTIN = "builtin:"
_BUDGET_S = 0.01  # how long a worker keeps computing before it reports: an event loop's breath
_INLINE = 4096  # characters up to which encoding is not worth a thread


class ExactEngine(Engine):
    """Runs decoders in canonical arithmetic: the same request gives the same bits everywhere."""

    name = "exact"

    def __init__(self, config: ExactConfig, context: Context | None = None) -> None:
        self._config = config
        self._bus = context.bus if context is not None else None
        self._models: dict[str, Loaded] = {}
        self._slots = anyio.Semaphore(config.max_concurrent)
        self._workers = anyio.CapacityLimiter(config.max_concurrent)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        for entry in self._config.models:
            folder, name = await anyio.to_thread.run_sync(locate, entry)
            if name in self._models:
                raise NeedsOperatorError(
                    f"two models are called {name!r}", hint="give one of them another `name`"
                )
            self._tell(f"loading {name}")
            try:
                self._models[name] = await anyio.to_thread.run_sync(load_model, folder, name)
            except EngineError as error:
                raise NeedsOperatorError(error.message, code=error.code, hint=error.hint) from error
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            self._models = {}

    def _tell(self, text: str) -> None:
        if self._bus is not None:
            self._bus.publish(ProgressMade(self.name, text))

    def models(self) -> Sequence[ModelInfo]:
        return [loaded.info for loaded in self._models.values()]

    async def encode(self, request: JobRequest) -> tuple[int, ...]:
        return await self._encode(self._find(request.model), request)

    async def generate(self, request: JobRequest) -> AsyncIterator[Delta | Completion]:
        loaded = self._find(request.model)
        prompt = await self._encode(loaded, request)
        _check(loaded, request, prompt)
        async with self._slots:
            generation = Generation(loaded, request, prompt, self._config.threads)
            step = partial(generation.step, _BUDGET_S)
            try:
                while True:
                    # Not abandoned on cancellation: a step is short, and its memory is freed below.
                    for item in await anyio.to_thread.run_sync(step, limiter=self._workers):
                        yield item
                        if isinstance(item, Completion):
                            return
            finally:
                generation.close()

    def _find(self, name: str) -> Loaded:
        if name in self._models:
            return self._models[name]
        for loaded in self._models.values():
            if name.removeprefix("0x") == loaded.info.model_id.hex():
                return loaded
        raise RequestError(
            f"The model {name!r} does not exist here; {did_you_mean(name, self._models)}",
            code="model_not_found",
            status=404,
            type=ErrorType.NOT_FOUND,
            param="model",
        )

    @staticmethod
    async def _encode(loaded: Loaded, request: JobRequest) -> tuple[int, ...]:
        size = len(request.prompt) + sum(len(m.content) for m in request.messages)
        if size <= _INLINE:
            return loaded.tokenizer.encode(request)
        return await anyio.to_thread.run_sync(loaded.tokenizer.encode, request)


def locate(entry: ModelEntry) -> tuple[Path, str]:
    """Where a configured model lies and what it is called."""
    if not entry.path.startswith(_BUILTIN):
        folder = Path(entry.path).expanduser()
        return folder, entry.name or folder.resolve().name
    name = entry.path.removeprefix(_BUILTIN)
    try:
        return shipped(name), entry.name or name.replace("_", "-")
    except FileNotFoundError as error:
        raise NeedsOperatorError(str(error), hint="shipped is `builtin:first_light`") from error


def _check(loaded: Loaded, request: JobRequest, prompt: tuple[int, ...]) -> None:
    param = "messages" if request.kind == "chat" else "prompt"
    context = loaded.info.context_length
    if not prompt:
        raise RequestError("The prompt has no tokens.", code="empty_prompt", param=param)
    if len(prompt) >= context:
        raise RequestError(
            f"This model's context holds {context} tokens; the prompt has {len(prompt)} "
            "and needs room for at least one more.",
            code="context_length_exceeded",
            param=param,
        )
    if request.max_tokens is not None and request.max_tokens < 1:
        raise RequestError(
            "max_tokens must be at least 1.", code="invalid_value", param="max_tokens"
        )
