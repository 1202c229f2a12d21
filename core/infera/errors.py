"""The error taxonomy. An `InferaError` is something a person can act on; anything else is a bug and
keeps its traceback.

A verification mismatch is never an exception: it is a `Finding` value (`infera.types`). An
exception there means
"could not decide".
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class InferaError(Exception):
    """Base of all expected failures.

    `code` is a stable snake_case identifier (documented in docs/errors.md), `hint` says what to do
    next.
    """

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, code: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


def did_you_mean(got: str, options: Iterable[str]) -> str:
    """The closing half-sentence of a not-found error: the nearest option, or all of them."""
    known = sorted(options)
    near = get_close_matches(got, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(known)}" if known else "none are registered"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault in a configuration file; line and column count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str
    got: str = ""
    hint: str = ""

    def __str__(self) -> str:
        tail = f" (got {self.got})" if self.got else ""
        tail += f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column} {self.path}: {self.message}{tail}"


class ConfigError(InferaError):
    """The configuration is wrong; carries every problem at once. Exit status 78 (EX_CONFIG)."""

    code = "config_invalid"
    exit_code = 78

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class PluginError(InferaError):
    """A plugin cannot be loaded, or breaks the hook contract."""

    code = "plugin_invalid"


class ComponentError(InferaError):
    """A component cannot start or go on. Its subclasses say what the kernel should do about it."""

    code = "component_failed"


class TransientError(ComponentError):
    """May go away by itself: the kernel retries with capped backoff."""

    code = "component_transient"


class NeedsOperatorError(ComponentError):
    """Will not go away until a person acts: no retry; the hint says what to do."""

    code = "component_needs_operator"


class PermanentError(ComponentError):
    """Stops the node, unless the component is optional."""

    code = "component_permanent"


class EngineError(InferaError):
    """An inference engine failed on a job or could not load a model."""

    code = "engine_failed"


class ChainError(InferaError):
    """The chain refused or could not be reached. `revert` is the typed contract error's name and
    arguments, if any.
    """

    code = "chain_failed"

    def __init__(
        self, message: str, *, revert: str | None = None, code: str | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.revert = revert


class ChainUnavailableError(ChainError):
    """The chain's RPC does not answer; the caller keeps its work and tries again."""

    code = "chain_unavailable"


class StateError(InferaError):
    """The local database failed (disk full, locked, wrong migration)."""

    code = "state_failed"


class ProtocolError(InferaError):
    """A message, signature, proof or frame from somebody else is malformed or forged."""

    code = "protocol_violation"


class ErrorType(StrEnum):
    """`error.type` values of the OpenAI API's error object."""

    INVALID_REQUEST = "invalid_request_error"
    AUTHENTICATION = "authentication_error"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    RATE_LIMIT = "rate_limit_error"
    NOT_FOUND = "not_found_error"
    SERVER = "server_error"


class RequestError(InferaError):
    """A developer's request cannot be served. Fronts render it as OpenAI's error object with
    HTTP `status`.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int = 400,
        type: ErrorType = ErrorType.INVALID_REQUEST,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.type = type
        self.param = param
        self.retry_after_s = retry_after_s
