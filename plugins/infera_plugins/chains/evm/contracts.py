"""The contracts' ABIs at work: encode calls, decode results, events and typed reverts."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from infera.protocol.abi import checksum_address
from infera.types import Address, ChainEvent, ChainPosition
from infera_ext import keccak256

from .config import OTHERS
from .rpc import unhex

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.resources.abc import Traversable

SETTLEMENT = ("StakeRegistry", "JobRegistry", "PaymentVault")
"""What every network settles on; an event named without a contract is one of theirs or a token's.
"""

TOKENS = ("INFR", "USDC")
PROTOCOL = (*SETTLEMENT, *OTHERS)
KNOWN = (*TOKENS, *PROTOCOL)

_FILES = {
    "USDC": "DevUSDC", "Proxy": "ERC1967Proxy", "PriceFeed": "DevPriceFeed",
    "TeamVesting": "Vesting", "InvestorVesting": "Vesting", "TreasuryVesting": "Vesting",
}  # fmt: skip
"""Artifacts of contracts that go by another name here."""

_PAIR = [{"name": name, "type": kind} for name, kind in (
    ("tokenA", "address"), ("tokenB", "address"), ("fee", "uint24")
)]  # fmt: skip
_FOREIGN: dict[str, Any] = {
    "UniswapV3Factory": {
        "bytecode": "0x", "sourceHash": "",
        "abi": [
            {"type": "function", "name": name, "inputs": _PAIR,
             "outputs": [{"name": "pool", "type": "address"}]}
            for name in ("getPool", "createPool")
        ],
    },
}  # fmt: skip
"""Contracts of others, as far as they are called."""

_PANICS = {
    0x01: "assertion", 0x11: "arithmetic overflow", 0x12: "division by zero",
    0x21: "unknown enum value", 0x31: "pop of an empty array", 0x32: "index out of bounds",
    0x41: "out of memory",
}  # fmt: skip


def abi_type(item: Mapping[str, Any]) -> str:
    """Canonical type of an ABI parameter, tuples spelled out."""
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(abi_type(c) for c in item["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def _plain(value: Any) -> Any:
    """Dataclasses as tuples, all the way down."""
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(_plain(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, list | tuple):
        return tuple(_plain(v) for v in value)
    return value


def _shown(item: Mapping[str, Any], value: Any) -> Any:
    """A decoded value the way `ChainEvent` promises: addresses checksummed, tuples as dicts by
    name.
    """
    kind: str = item["type"]
    if kind.endswith("]"):
        inner = {**item, "type": kind[: kind.rindex("[")]}
        return tuple(_shown(inner, v) for v in value)
    if kind == "tuple":
        return {c["name"]: _shown(c, v) for c, v in zip(item["components"], value, strict=True)}
    if kind == "address":
        return checksum_address(bytes.fromhex(value[2:]))
    return value


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a contract."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[Mapping[str, Any], ...]
    names: tuple[str, ...] = ()

    def call(self, *args: Any) -> bytes:
        """Calldata."""
        return self.selector + encode(self.inputs, _plain(args))

    def result(self, data: bytes) -> Any:
        """What a call returned: one value, or a tuple of them."""
        values = decode([abi_type(o) for o in self.outputs], data)
        shown = tuple(_shown(o, v) for o, v in zip(self.outputs, values, strict=True))
        return shown[0] if len(shown) == 1 else shown


@dataclass(frozen=True, slots=True)
class EventAbi:
    """One event of a contract."""

    name: str
    topic: bytes
    indexed: tuple[Mapping[str, Any], ...]
    plain: tuple[Mapping[str, Any], ...]
    order: tuple[str, ...]

    def args(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """The arguments by name, in the order of the declaration."""
        found: dict[str, Any] = {}
        for item, topic in zip(self.indexed, topics[1:], strict=True):
            simple = not (
                item["type"].endswith("]") or item["type"] in ("string", "bytes", "tuple")
            )
            found[item["name"]] = (
                _shown(item, decode([item["type"]], topic)[0]) if simple else topic
            )
        values = decode([abi_type(p) for p in self.plain], data)
        found.update({p["name"]: _shown(p, v) for p, v in zip(self.plain, values, strict=True)})
        return {name: found[name] for name in self.order}


class Interface:
    """A compiled contract: its ABI and creation code."""

    def __init__(self, name: str, artifact: Mapping[str, Any]) -> None:
        self.name = name
        self.bytecode = unhex(artifact["bytecode"])
        self.source_hash: str = artifact["sourceHash"]
        self.functions: dict[str, Function] = {}
        self.events: dict[bytes, EventAbi] = {}
        self.errors: dict[bytes, tuple[str, tuple[Mapping[str, Any], ...]]] = {}
        self._constructor: tuple[str, ...] = ()
        for item in artifact["abi"]:
            kind, inputs = item["type"], tuple(item.get("inputs", ()))
            types = tuple(abi_type(i) for i in inputs)
            if kind == "constructor":
                self._constructor = types
                continue
            if "name" not in item:
                continue
            signature = keccak256(f"{item['name']}({','.join(types)})".encode())
            if kind == "function":
                known = Function(
                    item["name"],
                    signature[:4],
                    types,
                    tuple(item["outputs"]),
                    tuple(i["name"] for i in inputs),
                )
                # By name, and by signature too: a name may be overloaded.
                self.functions[item["name"]] = known
                self.functions[f"{item['name']}({','.join(types)})"] = known
            elif kind == "error":
                self.errors[signature[:4]] = (item["name"], inputs)
            elif kind == "event" and not item.get("anonymous"):
                self.events[signature] = EventAbi(
                    item["name"],
                    signature,
                    tuple(i for i in inputs if i["indexed"]),
                    tuple(i for i in inputs if not i["indexed"]),
                    tuple(i["name"] for i in inputs),
                )

    def creation(self, *args: Any) -> bytes:
        """Creation code with constructor arguments."""
        return self.bytecode + encode(self._constructor, _plain(args))

    def event(self, name: str) -> EventAbi:
        """An event by name."""
        return next(e for e in self.events.values() if e.name == name)


def shipped(folder: str) -> Traversable:
    """A folder of files that comes with this plugin."""
    return files(__package__).joinpath(folder)


@cache
def interface(name: str) -> Interface:
    """The named contract's interface, from the artifacts shipped with the plugin."""
    if name in _FOREIGN:
        return Interface(name, _FOREIGN[name])
    path = shipped("artifacts").joinpath(f"{_FILES.get(name, name)}.json")
    return Interface(name, json.loads(path.read_text("utf-8")))


@cache
def _errors() -> dict[bytes, tuple[str, tuple[Mapping[str, Any], ...]]]:
    known: dict[bytes, tuple[str, tuple[Mapping[str, Any], ...]]] = {}
    for path in shipped("artifacts").iterdir():
        if path.name.endswith(".json"):
            known.update(interface(path.name.removesuffix(".json")).errors)
    return known


def load_all() -> None:
    """Read every artifact; that takes a moment which an event loop should not."""
    for name in (*KNOWN, "Proxy"):
        interface(name)
    _errors()


def describe_revert(data: bytes) -> str | None:
    """A revert's name and arguments, `PaymentVault_InsufficientFree(0x…, 5, 3)`, or None if it is
    unknown or empty.
    """
    selector, body = data[:4], data[4:]
    try:
        if selector == bytes.fromhex("08c379a0"):
            return f"Error({decode(['string'], body)[0]!r})"
        if selector == bytes.fromhex("4e487b71"):
            code = decode(["uint256"], body)[0]
            return f"Panic({_PANICS.get(code, hex(code))})"
        if selector in _errors():
            name, inputs = _errors()[selector]
            values = decode([abi_type(i) for i in inputs], body)
            shown = (_shown(i, v) for i, v in zip(inputs, values, strict=True))
            return f"{name}({', '.join(_word(v) for v in shown)})"
    except (DecodingError, UnicodeDecodeError):
        return None
    return f"0x{data.hex()}" if data else None


def _word(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


class Book:
    """Which contract stands at which address, and what its logs mean."""

    def __init__(self, addresses: Mapping[str, Address]) -> None:
        self.addresses = dict(addresses)
        self._names = {address.lower(): name for name, address in addresses.items()}

    def filter(self, names: Sequence[str]) -> tuple[list[Address], list[str]]:
        """(addresses, first topics) of an `eth_getLogs` for events with these names; no names:
        all of the settlement contracts'.

        `BatchCommitted` is an event of a settlement contract or a token, `HotPool.Claimed` one of
        any contract. A log passes if address and topic are each of some named event's: `event` and
        the reader tell `Claimed` of one contract from that of another.
        """
        if not names:
            return [self.addresses[c] for c in SETTLEMENT if c in self.addresses], []
        addresses: dict[Address, None] = {}
        topics: set[str] = set()
        missing = set(names)
        for contract, address in self.addresses.items():
            plain = contract in SETTLEMENT or contract in TOKENS
            for event in interface(contract).events.values():
                hits = {f"{contract}.{event.name}", *([event.name] if plain else [])} & set(names)
                if hits:
                    addresses[address] = None
                    topics.add("0x" + event.topic.hex())
                    missing -= hits
        if missing:
            raise ValueError(f"no contract has an event named {', '.join(sorted(missing))}")
        return list(addresses), sorted(topics)

    def event(self, log: Mapping[str, Any]) -> ChainEvent | None:
        """A log as an event; None if no contract here declares it."""
        contract = self._names.get(log["address"].lower())
        topics = [unhex(t) for t in log["topics"]]
        known = interface(contract).events.get(topics[0]) if contract and topics else None
        if contract is None or known is None:
            return None
        return ChainEvent(
            contract, known.name, known.args(topics, unhex(log["data"])), position(log)
        )


def position(log: Mapping[str, Any]) -> ChainPosition:
    """Where a log sits."""
    return ChainPosition(
        block=int(log["blockNumber"], 16),
        block_hash=unhex(log["blockHash"]),
        tx=unhex(log["transactionHash"]),
        log_index=int(log["logIndex"], 16),
    )
