"""Health checks: what `infera doctor` runs.

A plugin registers its own with `infera_register_checks`.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread

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
    layer. `running`: a node uses this home now, so what it needs is taken, and by it.
    """

    home: Path
    blocks: Mapping[str, Sequence[BaseModel]] = field(default_factory=dict)
    running: bool = False

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


async def port_problem(host: str, port: int) -> str | None:
    """Why a server could not listen there now; None if it could, and for port 0."""
    return await anyio.to_thread.run_sync(_port_problem, host, port) if port else None


def _port_problem(host: str, port: int) -> str | None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} is in use; stop what listens on it, or set `listen:` to another"
        if error.errno == errno.EACCES:
            return f"port {port} needs privileges; set `listen:` to one above 1023"
        return f"cannot listen on {host}: {error.strerror or error}; correct `listen:`"
    return None
