"""What `infera doctor` looks at for the exact engine: what can be told without reading weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread

from infera.checks import HealthCheck, Severity
from infera.errors import EngineError
from infera_ext import backend
from infera_plugins.engines.exact.config import ExactConfig

if TYPE_CHECKING:
    from infera.checks import CheckContext


async def _models(context: CheckContext) -> str | None:
    for config in context.configs(ExactConfig):
        if problem := await anyio.to_thread.run_sync(_problem, config):
            return problem
    return None


def _problem(config: ExactConfig) -> str | None:
    from infera_plugins.engines.exact.architecture import read_architecture
    from infera_plugins.engines.exact.engine import locate
    from infera_plugins.engines.exact.weights import check_shapes, map_weights

    seen: set[str] = set()
    for entry in config.models:
        folder, name = locate(entry)
        if not folder.is_dir():
            return f"{folder} is no folder; `path:` names a Hugging Face model folder"
        if name in seen:
            return f"two models are called {name!r}; give one of them another `name:`"
        seen.add(name)
        if not (folder / "tokenizer.json").is_file():
            return f"{folder} has no tokenizer.json; download it with the model"
        try:
            check_shapes(read_architecture(folder), map_weights(folder))
        except EngineError as error:
            advice = error.hint or "download the model again, or remove it from `models:`"
            return f"{folder}: {error.message}; {advice}"
    return None


async def _native(context: CheckContext) -> str | None:
    used = backend()
    if used.name == "native":
        return None
    return f"the engine runs in pure Python, hundreds of times slower: {used.reason}"


CHECKS = (
    HealthCheck("exact_models", "the models' folders can be loaded", _models, kinds=("exact",)),
    HealthCheck(
        "exact_native",
        "the engine computes in C",
        _native,
        severity=Severity.WARNING,
        depends_on=("native_extension",),
        kinds=("exact",),
    ),
)
