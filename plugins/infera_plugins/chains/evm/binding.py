"""What the generated bindings stand on: a contract at an address, a call that is not sent yet, and
Solidity's structs and events as typed values.

`bindings/` has a module a contract, written by contracts/script/bindings.py from the ABIs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar, get_args

from eth_abi.abi import decode

from infera.errors import NeedsOperatorError
from infera.protocol.abi import checksum_address

from .contracts import EventAbi, Function, abi_type, interface
from .rpc import unhex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infera.types import Address

T = TypeVar("T")

_BORDERS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake(name: str) -> str:
    """Solidity's `finalAt` as Python's `final_at`."""
    return _BORDERS.sub("_", name).lower().strip("_")


class Reader(Protocol):
    """A chain that can be asked, and where its contracts stand."""

    @property
    def contracts(self) -> Mapping[str, Address]:
        """Addresses by name."""
        ...

    async def ask(self, to: Address, data: bytes, block: int | None = None) -> bytes:
        """What a call of `to` returns as of a block (None: the newest); `ChainError` with a typed
        revert.
        """
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A call that changes state and is not sent: to be shown, proposed or sent."""

    contract: str
    """The contract's name in the deployment."""
    to: Address
    function: Function
    args: tuple[Any, ...]
    data: bytes
    """Calldata."""
    value: int = 0
    """Wei that go with it."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """Arguments in words, by their Solidity names."""
    needs: str = ""
    """What has to be mined before this can be tried."""

    @classmethod
    def of(cls, contract: str, to: Address, function: Function, *args: Any, value: int = 0) -> Call:
        """Encode the arguments."""
        return cls(contract, to, function, args, function.call(*args), value)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by their Solidity names."""
        names = (name or f"arg{i}" for i, name in enumerate(self.function.names))
        return dict(zip(names, self.args, strict=True))

    def remarked(self, shown: Mapping[str, str] | None = None, needs: str = "") -> Call:
        """The same call with more to tell people."""
        return replace(self, shown=shown or self.shown, needs=needs or self.needs)


def find(reader: Reader, name: str) -> Address:
    """Where the named contract stands."""
    try:
        return reader.contracts[name]
    except KeyError:
        raise NeedsOperatorError(
            f"this deployment has no {name}",
            code="contracts_unknown",
            hint="name the manifest of a deployment that has it",
        ) from None


class Contract:
    """A deployed contract, by its name in the deployment or at an address of its own; with `block`,
    its state as of that block.
    """

    __slots__ = ("_block", "_name", "_reader", "address")
    contract: ClassVar[str]
    """Solidity's name, and that of the artifact."""

    def __init__(
        self,
        reader: Reader,
        name: str | None = None,
        *,
        at: Address | None = None,
        block: int | None = None,
    ) -> None:
        self._reader = reader
        self._name = name or self.contract
        self._block = block
        self.address = at or find(reader, self._name)

    async def _view(self, kind: type[T], function: str, *args: Any) -> T:
        known = interface(self.contract).functions[function]
        answer = await self._reader.ask(self.address, known.call(*args), self._block)
        values = decode([abi_type(o) for o in known.outputs], answer)
        if len(values) == 1:
            result: T = shaped(known.outputs[0], values[0], kind)
            return result
        return kind(*_all_shaped(known.outputs, values, kind))

    def _call(self, function: str, *args: Any, wei: int = 0) -> Call:
        known = interface(self.contract).functions[function]
        return Call.of(self._name, self.address, known, *args, value=wei)

    @classmethod
    def _encode(cls, function: str, *args: Any) -> bytes:
        return interface(cls.contract).functions[function].call(*args)

    @classmethod
    def _creation(cls, *args: Any) -> bytes:
        return interface(cls.contract).creation(*args)


class Struct:
    """A struct of the contracts; fields carry their Solidity names."""

    __slots__ = ()

    @classmethod
    def of(cls, same: object) -> Self:
        """From an object whose attributes have these names in Python's spelling, such as the
        protocol's own messages.
        """
        given = {
            f.name: _alike(getattr(same, snake(f.name)), f.type)
            for f in fields(cls)  # type: ignore[arg-type]
        }
        return cls(**given)


def _alike(value: Any, kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Struct):
        return value if isinstance(value, kind) else kind.of(value)
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return kind(value)
    inner = get_args(kind)
    return tuple(_alike(v, inner[0]) for v in value) if inner else value


class Event:
    """An event of the contracts; fields carry their Solidity names."""

    __slots__ = ()
    EVENT: ClassVar[tuple[str, str]]
    """(a contract that declares it, Solidity's name)."""

    @classmethod
    def abi(cls) -> EventAbi:
        """Topic and parameters."""
        contract, name = cls.EVENT
        return interface(contract).event(name)

    @classmethod
    def decode(cls, entry: Mapping[str, Any]) -> Self | None:
        """A log entry of `eth_getLogs` or of a receipt; None if it is another event."""
        known = cls.abi()
        topics = [unhex(t) for t in entry["topics"]]
        if not topics or topics[0] != known.topic:
            return None
        kinds = {f.name.rstrip("_"): f.type for f in fields(cls)}  # type: ignore[arg-type]
        found: dict[str, Any] = {}
        for item, topic in zip(known.indexed, topics[1:], strict=True):
            if item["type"].endswith("]") or item["type"] in ("string", "bytes", "tuple"):
                found[item["name"]] = topic
            else:
                (value,) = decode([item["type"]], topic)
                found[item["name"]] = shaped(item, value, kinds[item["name"]])
        values = decode([abi_type(p) for p in known.plain], unhex(entry["data"]))
        for item, value in zip(known.plain, values, strict=True):
            found[item["name"]] = shaped(item, value, kinds[item["name"]])
        return cls(*(found[name] for name in known.order))

    @classmethod
    def among(cls, entries: Iterable[Mapping[str, Any]], at: Address | None = None) -> list[Self]:
        """Those of these log entries, `Receipt.logs` for one, that are this event (of the
        contract at `at`).
        """
        near = (e for e in entries if at is None or e["address"].lower() == at.lower())
        return [event for entry in near if (event := cls.decode(entry)) is not None]


def shaped(item: Mapping[str, Any], value: Any, kind: Any) -> Any:
    """A decoded value as its binding has it: addresses checksummed, structs and enums as their
    classes, arrays as tuples.
    """
    solidity: str = item["type"]
    if solidity.endswith("]"):
        inner = {**item, "type": solidity[: solidity.rindex("[")]}
        return tuple(shaped(inner, v, get_args(kind)[0]) for v in value)
    if solidity == "tuple":
        return kind(*_all_shaped(item["components"], value, kind))
    if solidity == "address":
        return checksum_address(bytes.fromhex(value[2:]))
    return kind(value) if isinstance(kind, type) and issubclass(kind, IntEnum) else value


def _all_shaped(
    items: Sequence[Mapping[str, Any]], values: Sequence[Any], kind: Any
) -> tuple[Any, ...]:
    kinds: Iterable[Any] = kind.__annotations__.values()
    if issubclass(kind, Struct):
        kinds = (f.type for f in fields(kind))
    return tuple(shaped(i, v, k) for i, v, k in zip(items, values, kinds, strict=True))
