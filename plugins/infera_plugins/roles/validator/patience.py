"""How long a router may keep a validator waiting."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator


class Patience:
    """A deadline that moves on with what gets done and stands still while this node itself works.

    Answers alone do not move it: a router that keeps answering without a job getting checked runs
    out of it as one that is silent.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.scope = anyio.CancelScope(deadline=anyio.current_time() + seconds)

    def renew(self) -> None:
        """Something got done: the clock starts anew."""
        self.scope.deadline = anyio.current_time() + self._seconds

    @contextmanager
    def resting(self) -> Iterator[None]:
        """While inside, no time passes."""
        left = self.scope.deadline - anyio.current_time()
        self.scope.deadline = math.inf
        try:
            yield
        finally:
            self.scope.deadline = anyio.current_time() + left
