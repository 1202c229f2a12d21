"""Health checks: what `infera doctor` runs.

A plugin registers its own with `infera_register_checks`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")


class Severity(StrEnum):
    """`ERROR`: a node would not start or not work. `WARNING`: it would, but badly."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a check may look at: the node's home and the validated configuration blocks of each
    layer.
    """

    home: Path
    blocks: Mapping[str, Sequence[BaseModel]] = field(default_factory=dict)

    def configs(self, model: type[M]) -> list[M]:
        """The configured blocks of one config model; empty without a configuration."""
        return [
            block for blocks in self.blocks.values() for block in blocks if isinstance(block, model)
        ]


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing that can be wrong with the machine or the set-up.

    `run` returns None when all is well, else a sentence that says what is wrong and which command
    mends it. A check is skipped while one it `depends_on` fails: the cause is shown, its symptoms
    are not. `code` is snake_case and documented in docs/checks.md. With `kinds`, the check runs
    only when the configuration uses one of these kinds.
    """

    code: str
    title: str
    run: Callable[[CheckContext], Awaitable[str | None]]
    severity: Severity = Severity.ERROR
    depends_on: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
