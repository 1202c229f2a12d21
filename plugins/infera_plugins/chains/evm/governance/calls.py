"""What a proposal does: calls read from a command line or a file, told by name, and tried as the
timelock would make them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import ABITypeError, DecodingError, EncodingError, ParseError
from eth_abi.grammar import BasicType, TupleType, normalize, parse

from infera.errors import InferaError, ProtocolError, did_you_mean
from infera.protocol.abi import checksum_address, from_hex, parse_address
from infera_ext import keccak256

from ..contracts import Function, interface, shipped
from ..rpc import RpcFailureError, unhex
from ..transactions import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infera.types import Address

    from ..rpc import Rpc

MOST_CALLS = 32
UPGRADE = "upgradeToAndCall"
_CALL = re.compile(r"\s*([^.()\s]+)\.(\w+)\s*(\(.*\))?\s*")


@dataclass(frozen=True, slots=True)
class Action:
    """One call of a proposal; `value` in wei."""

    target: Address
    value: int
    data: bytes

    @property
    def selector(self) -> bytes:
        """The function's, or less than four bytes."""
        return self.data[:4]


def selector(signature: str) -> bytes:
    """The four bytes a function is called by."""
    return keccak256(signature.encode())[:4]


# -- reading


def _invalid(problem: str, hint: str = "") -> InferaError:
    return InferaError(problem, code="call_invalid", hint=hint)


def parse_calls(
    calls: Sequence[str], arguments: Sequence[Any], contracts: Mapping[str, Address]
) -> list[Action]:
    """Actions of `Contract.function(types)` texts; each takes its arguments from the front of the
    list.
    """
    if not 1 <= len(calls) <= MOST_CALLS:
        raise _invalid(f"a proposal makes 1 to {MOST_CALLS} calls, not {len(calls)}")
    rest, actions = list(arguments), []
    for text in calls:
        target, function = _function(text, contracts)
        count = len(function.inputs)
        if len(rest) < count:
            raise _invalid(
                f"{_signature(function)} takes {count} arguments, and {len(rest)} are left",
                "one --arg for each parameter of each --call, in their order",
            )
        mine, rest = rest[:count], rest[count:]
        actions.append(_action(text, target, function, mine, contracts, 0))
    if rest:
        raise _invalid(f"no call takes the argument {rest[0]!r}", "one --arg for each parameter")
    return actions


def parse_written(items: Any, contracts: Mapping[str, Address]) -> list[Action]:
    """Actions of a file's list of `{call, args, value}`; `value` in wei."""
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_CALLS:
        raise _invalid(f"`calls` must be a list of 1 to {MOST_CALLS} calls")
    actions = []
    for place, item in enumerate(items, 1):
        if not isinstance(item, dict) or not {"call"} <= set(item) <= {"call", "args", "value"}:
            raise _invalid(f"call {place} must have `call` and may have `args` and `value`")
        args, value = item.get("args", []), item.get("value", 0)
        if not isinstance(item["call"], str) or not isinstance(args, list):
            raise _invalid(f"call {place}: `call` must be a text and `args` a list")
        wei = _number(value, f"value of call {place}")
        if not 0 <= wei < 1 << 256:
            raise _invalid(f"value of call {place} is no amount of wei")
        target, function = _function(item["call"], contracts)
        if len(args) != len(function.inputs):
            raise _invalid(f"call {place}: {_signature(function)} was given {len(args)} arguments")
        actions.append(_action(item["call"], target, function, args, contracts, wei))
    return actions


def _function(text: str, contracts: Mapping[str, Address]) -> tuple[Address, Function]:
    match = _CALL.fullmatch(text)
    if match is None:
        raise _invalid(f"{text!r} is no call", 'such as "PaymentVault.setFees(uint16,uint16)"')
    where, name, types = match.groups()
    types = str(normalize(types.replace(" ", ""))) if types else None  # type: ignore[no-untyped-call]
    if where.startswith("0x"):
        if types is None:
            raise _invalid(f"{text}: a call by address needs its types", f'"{where}.{name}(…)"')
        return parse_address(where), _typed(name, types)
    if where not in contracts:
        raise _invalid(f"the manifest has no contract {where!r}", did_you_mean(where, contracts))
    known = _interface(where)
    if known is None:
        raise _invalid(f"the functions of {where} are not known here", "name it by its address")
    named = [f for f in known.values() if f.name == name]
    if not named:
        names = {f.name for f in known.values()}
        raise _invalid(f"{where} has no function {name!r}", did_you_mean(name, names))
    fitting = {_signature(f): f for f in named if types in (None, f"({','.join(f.inputs)})")}
    if len(fitting) != 1:
        takes = " or ".join(sorted({_signature(f) for f in named}))
        raise _invalid(f"{where} has {takes}, not {name}{types or ', one of them'}")
    return contracts[where], next(iter(fitting.values()))


def _typed(name: str, types: str) -> Function:
    try:
        kind = parse(types)
        kind.validate()
    except (ParseError, ABITypeError) as e:
        raise _invalid(f"{types} are no types: {e}") from None
    if not isinstance(kind, TupleType) or kind.is_array:
        raise _invalid(f"{types} are no types")
    inputs = tuple(c.to_type_str() for c in kind.components)
    names = tuple(f"argument{i}" for i in range(1, len(inputs) + 1))
    return Function(name, selector(f"{name}{types}"), inputs, (), names)


def _action(
    text: str,
    target: Address,
    function: Function,
    given: Sequence[Any],
    contracts: Mapping[str, Address],
    value: int,
) -> Action:
    args = []
    for name, kind, item in zip(function.names, function.inputs, given, strict=True):
        try:
            args.append(_argument(item, parse(kind), contracts))
        except InferaError as e:
            raise _invalid(f"{text}: {name} ({kind}): {e.message}", e.hint) from None
    try:
        data = function.selector + encode(function.inputs, args)
    except EncodingError as e:
        raise _invalid(f"{text}: {e}") from None
    return Action(target, value, data)


def _argument(item: Any, kind: Any, contracts: Mapping[str, Address]) -> Any:
    """A value of this ABI type from a text, or from what JSON or YAML made of it."""
    if kind.is_array or isinstance(kind, TupleType):
        if isinstance(item, str):
            try:
                item = json.loads(item)
            except ValueError:
                raise _invalid(f"{item!r} is no JSON list") from None
        if not isinstance(item, list):
            raise _invalid(f"{item!r} is no list")
        if kind.is_array:
            return [_argument(i, kind.item_type, contracts) for i in item]
        if len(item) != len(kind.components):
            raise _invalid(f"has {len(item)} parts, not {len(kind.components)}")
        parts = zip(item, kind.components, strict=True)
        return tuple(_argument(i, c, contracts) for i, c in parts)
    text = str(item).strip()
    if kind.base in ("uint", "int"):
        return _number(item, "it")
    if kind.base == "bool":
        if text.lower() not in ("true", "false"):
            raise _invalid(f"{text!r} is neither true nor false")
        return text.lower() == "true"
    if kind.base == "address":
        if text.startswith("0x"):
            return parse_address(text)
        if text not in contracts:
            problem = f"{text!r} is no address, and no contract of the manifest"
            raise _invalid(problem, did_you_mean(text, contracts))
        return contracts[text]
    if kind.base == "bytes":
        try:
            return from_hex(text, kind.sub)
        except ProtocolError as e:
            raise _invalid(e.message) from None
    return text


def _number(item: Any, what: str) -> int:
    try:
        return int(item) if type(item) is int else int(str(item).replace("_", ""), 0)
    except ValueError:
        raise _invalid(f"{what} is {item!r}, no whole number") from None


# -- telling


@cache
def _interface(name: str) -> dict[str, Function] | None:
    try:
        return interface(name).functions
    except FileNotFoundError:
        return None


@cache
def _everything() -> dict[bytes, Function]:
    """Every function of every contract that comes with the plugin, by selector."""
    found: dict[bytes, Function] = {}
    for path in sorted(shipped("artifacts").iterdir(), key=lambda p: p.name):
        if path.name.endswith(".json"):
            for function in (_interface(path.name.removesuffix(".json")) or {}).values():
                found.setdefault(function.selector, function)
    return found


def _signature(function: Function) -> str:
    return f"{function.name}({','.join(function.inputs)})"


def describe(action: Action, contracts: Mapping[str, Address]) -> dict[str, Any]:
    """A call in names, as JSON has it.

    `certain` is false where the target is no contract of the manifest: its function is then only
    guessed from the selector.
    """
    names = {address: name for name, address in contracts.items()}
    contract = names.get(action.target, "")
    told: dict[str, Any] = {
        "target": action.target, "contract": contract, "value_wei": str(action.value),
        "data": "0x" + action.data.hex(), "function": "", "arguments": {}, "certain": False,
        "inner": None,
    }  # fmt: skip
    own = {f.selector: f for f in (_interface(contract) or {}).values()} if contract else {}
    function = own.get(action.selector) or _everything().get(action.selector)
    if function is None:
        return told
    try:
        values = decode(function.inputs, action.data[4:])
    except (DecodingError, OverflowError):
        return told
    shown = [_shown(v, parse(k), names) for v, k in zip(values, function.inputs, strict=True)]
    told |= {
        "function": _signature(function),
        "arguments": dict(zip(_named(function), shown, strict=True)),
        "certain": action.selector in own,
    }
    if function.name == UPGRADE and len(values[1]) >= 4:
        told["inner"] = describe(Action(action.target, 0, values[1]), contracts)
    return told


def _named(function: Function) -> Iterable[str]:
    return (name or f"argument{i}" for i, name in enumerate(function.names, 1))


def _shown(value: Any, kind: Any, names: Mapping[Address, str]) -> Any:
    if kind.is_array:
        return [_shown(v, kind.item_type, names) for v in value]
    if isinstance(kind, TupleType):
        return [_shown(v, c, names) for v, c in zip(value, kind.components, strict=True)]
    assert isinstance(kind, BasicType)
    if kind.base == "address":
        return checksum_address(unhex(value))
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def lines_of(
    told: Mapping[str, Any], contracts: Mapping[str, Address], indent: str = ""
) -> list[str]:
    """What `describe` found, for people."""
    names = {address: name for name, address in contracts.items()}
    where = told["contract"] or told["target"]
    if not told["function"]:
        lines = [f"{indent}{where}, call data {told['data']}: not a function known here"]
    else:
        guess = "" if told["certain"] else "  (guessed: this contract is not in the manifest)"
        lines = [f"{indent}{where}.{told['function']}{guess}"]
    for name, value in told["arguments"].items():
        said = names.get(value) if isinstance(value, str) else None
        text = value if isinstance(value, str) else json.dumps(value)
        lines.append(f"{indent}  {name:<18} {text}" + (f"  ({said})" if said else ""))
    if told["value_wei"] != "0":
        lines.append(f"{indent}  {'ETH, in wei':<18} {told['value_wei']}")
    if told["inner"]:
        lines.append(f"{indent}  and then, on the new code:")
        lines += lines_of(told["inner"], contracts, indent + "    ")
    return lines


# -- trying


async def attempt(rpc: Rpc, sender: Address, action: Action) -> bytes:
    """Make a call on top of the newest block, for nothing. `ChainError` has the typed revert."""
    request = {"from": sender, "to": action.target, "data": "0x" + action.data.hex()}
    if action.value:
        request["value"] = hex(action.value)
    try:
        return unhex(await rpc.read("eth_call", request, "latest"))
    except RpcFailureError as e:
        raise refusal(e) from e
