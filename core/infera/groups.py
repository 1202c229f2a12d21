"""What a task group wrapped: the one error that decides."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from infera.errors import ChainUnavailableError, InferaError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator


def cause(error: Exception) -> Exception:
    """The error behind an exception group, or the group itself if a bug is in it."""
    if not isinstance(error, ExceptionGroup):
        return error
    leaves = list(_leaves(error))
    if len(leaves) == 1:
        return leaves[0]
    if not all(isinstance(leaf, InferaError) for leaf in leaves):
        return error
    final = [e for e in leaves if not isinstance(e, (TransientError, ChainUnavailableError))]
    return (final or leaves)[0]


@contextmanager
def unwrapped() -> Iterator[None]:
    """Around a task group: its one deciding error comes out bare, so that `except` finds it."""
    try:
        yield
    except ExceptionGroup as group:
        error = cause(group)
        if error is group:
            raise
        raise error from group


def _leaves(group: ExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
