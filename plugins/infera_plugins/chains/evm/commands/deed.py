"""What a command is about to do: calls, and what goes with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infera.errors import InferaError

    from ..binding import Call


def _nothing(sent: list[dict[str, Any]]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Deed:
    """Calls, what a person should read before they are sent, and what is to be done after."""

    calls: Sequence[Call] = ()
    """None: there is only something to read."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """For the JSON, next to the calls."""
    lines: Sequence[str] = ()
    refusal: InferaError | None = None
    """Why the calls cannot be sent; raised once everything has been shown."""
    done: Callable[[list[dict[str, Any]]], None] = _nothing
    """Takes what was sent."""
