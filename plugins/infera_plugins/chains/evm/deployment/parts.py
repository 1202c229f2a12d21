"""What a deployment is made of: contracts to create, calls to make, and what to read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from .manifest import written

if TYPE_CHECKING:
    from infera.types import Address

At: TypeAlias = Callable[[str], "Address"]
"""Where a contract of this name stands, or will stand."""

WEI = 10**18
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Read:
    """A question to a contract, and the answer that is right."""

    contract: str
    function: str
    wanted: Any
    args: tuple[Any, ...] = ()
    present: bool = False
    """Whether any answer but zero will do."""

    @property
    def what(self) -> str:
        """`Contract.function(arguments)`."""
        inside = ", ".join(_shown(a) for a in self.args)
        return f"{self.contract}.{self.function}" + (f"({inside})" if inside else "")

    def right(self, found: Any) -> bool:
        """Whether `found`, as `written` has it, is that answer."""
        if self.present:
            return isinstance(found, str) and found.strip("0x") != "" and "unreadable" not in found
        return bool(found == written(self.wanted))


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        text = value.rstrip(b"\0")
        printable = text.isascii() and text.decode("ascii").isprintable()
        return text.decode("ascii") if text and printable else "0x" + value.hex()
    return str(value)


@dataclass(frozen=True, slots=True)
class Creation:
    """A contract to create."""

    name: str
    """In the manifest; its artifact's, or one that stands for it (`contracts.interface`)."""
    arguments: Callable[[At], Mapping[str, Any]]
    """Of the constructor, or of `initialize` if it is behind a proxy; by their Solidity names."""
    proxied: bool = False
    pinned: bool = False
    """Placed by the deployer's nonce even where others are placed by their code: its arguments name
    contracts whose addresses follow from its own.
    """
    makes: Mapping[str, int] = field(default_factory=dict)
    """Contracts that its constructor creates, each with the nonce it has then."""
    reads: Callable[[At], Sequence[Read]] = lambda at: ()
    """How its arguments are read back. Immutables need no reading: they are in the code."""
    owner: str = ""
    """`governor`: from its birth. `handed`: the deployer's until it is handed to the governor.
    `deployer`: a toy. Empty: nobody's.
    """


@dataclass(frozen=True, slots=True)
class Wire:
    """A call that has to be made once."""

    contract: str
    function: str
    arguments: Callable[[At], tuple[Any, ...]]
    reads: Callable[[At], Sequence[Read]]
    """Made if any of these has the right answer."""
    label: str
    transient: bool = False
    """Whether what it does is overtaken later, so that it cannot be read back for ever."""


@dataclass(frozen=True, slots=True)
class Members:
    """Who holds a power: exactly these, by the events that give and take it."""

    contract: str
    power: str
    holders: Callable[[At], Sequence[Address]]
    event: str
    who: str
    """The event's argument that names the holder."""
    allowed: str = "allowed"
    """The event's argument that says whether it holds it; empty: the event itself says so."""
    taken: str = ""
    """The event that takes the power where `event` only gives it."""
    where: Mapping[str, Any] = field(default_factory=dict)
    """What other arguments must be for the event to be about this power."""
