"""ABI words, hex and EIP-55 addresses: the small coding layer under messages and leaves
(docs/protocol.md §1-3).

Every function refuses what it does not fully understand with `ProtocolError`; none of them does
I/O.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, cast

from infera.errors import ProtocolError
from infera_ext import keccak256

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import IntEnum

    from infera.types import Address

ZERO_ADDRESS: Address = "0x" + "0" * 40
ZERO32 = bytes(32)


def refuse(path: str, problem: str) -> NoReturn:
    """Raise `ProtocolError` about the field at `path`."""
    raise ProtocolError(f"{path}: {problem}" if path else problem)


def to_hex(data: bytes) -> str:
    """0x-prefixed lower-case hex."""
    return "0x" + data.hex()


def from_hex(value: object, size: int | None, path: str = "") -> bytes:
    """Bytes of a 0x string; `size` fixes the length in bytes (None: any up to 1 MiB)."""
    if not isinstance(value, str) or not value.startswith("0x"):
        refuse(path, "must be a 0x hex string")
    digits = len(value) - 2
    if digits % 2 or (size is not None and digits != 2 * size) or digits > 2 << 20:
        refuse(path, f"must be {size if size is not None else 'a whole number of'} bytes of hex")
    try:
        data = bytes.fromhex(value[2:])
    except ValueError:
        refuse(path, "is not hex")
    if 2 * len(data) != digits:  # bytes.fromhex skips blanks
        refuse(path, "is not hex")
    return data


@lru_cache(maxsize=8192)
def checksum_address(address: bytes) -> Address:
    """EIP-55 form of a 20-byte address (https://eips.ethereum.org/EIPS/eip-55)."""
    if len(address) != 20:
        refuse("", "an address has 20 bytes")
    digits = address.hex()
    mask = keccak256(digits.encode()).hex()
    return "0x" + "".join(c.upper() if m > "7" else c for c, m in zip(digits, mask, strict=False))


@lru_cache(maxsize=8192)
def address_bytes(address: Address) -> bytes:
    """The 20 bytes of an EIP-55 address; any other spelling is refused, so equal addresses are
    equal strings.
    """
    if not isinstance(address, str):
        refuse("", "an address must be a string")
    data = from_hex(address, 20)
    if checksum_address(data) != address:
        refuse("", f"{address} is not in EIP-55 form (expected {checksum_address(data)})")
    return data


def parse_address(text: str) -> Address:
    """EIP-55 form of what a person typed: all lower or all upper case, or a correct checksum."""
    data = from_hex(text, 20, "address")
    right = checksum_address(data)
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and text != right:
        refuse("address", f"{text} has a wrong EIP-55 checksum; is a character mistyped?")
    return right


@lru_cache(maxsize=8192)
def address_word(address: Address) -> bytes:
    """An EIP-55 address as a 32-byte ABI word."""
    return bytes(12) + address_bytes(address)


@cache
def uint_encoder(bits: int) -> Callable[[int], bytes]:
    """int -> 32-byte big-endian word; refuses negatives and what does not fit in `bits`."""
    size, limit = bits // 8, 1 << bits
    pad = bytes(32 - size)

    def encode(value: int) -> bytes:
        try:
            return pad + value.to_bytes(size, "big")
        except OverflowError:
            raise ProtocolError(f"{value} is not in 0..{limit - 1}") from None
        except AttributeError:
            raise ProtocolError(f"must be an integer, not {type(value).__name__}") from None

    return encode


uint256_word = uint_encoder(256)


def bytes32_word(value: bytes) -> bytes:
    """The value itself, when it is 32 bytes."""
    if type(value) is not bytes or len(value) != 32:
        raise ProtocolError("must be 32 bytes")
    return value


def string_word(value: str) -> bytes:
    """keccak256 of the UTF-8 text (EIP-712's rule for dynamic types)."""
    try:
        return keccak256(value.encode())
    except (AttributeError, UnicodeEncodeError):
        raise ProtocolError("must be valid Unicode text") from None


def array_word(item: Callable[[Any], bytes]) -> Callable[[tuple[Any, ...]], bytes]:
    """keccak256 of the joined item words (EIP-712's rule for arrays)."""

    def encode(values: tuple[Any, ...]) -> bytes:
        if type(values) is not tuple:
            raise ProtocolError("must be a tuple")
        return keccak256(b"".join([item(v) for v in values]))

    return encode


def word_encoder(abi: str) -> Callable[[Any], bytes]:
    """The encoder of an ABI type: uintN, bytes32, address, string, and arrays of those."""
    if abi.endswith("[]"):
        return array_word(word_encoder(abi[:-2]))
    if abi.startswith("uint"):
        return uint_encoder(int(abi[4:]))
    simple: dict[str, Callable[[Any], bytes]] = {
        "bytes32": bytes32_word,
        "address": address_word,
        "string": string_word,
    }
    return simple[abi]


# -- JSON
# ---------------------------------------------------------------------------------------------


def json_object(
    value: object, keys: Mapping[str, Any] | frozenset[str], path: str
) -> dict[str, Any]:
    """A JSON object with exactly these keys."""
    if not isinstance(value, dict):
        refuse(path, "must be an object")
    for key in value:
        if key not in keys:
            refuse(f"{path}.{str(key)[:64]}" if path else str(key)[:64], "is not a known field")
    for key in keys:
        if key not in value:
            refuse(f"{path}.{key}" if path else key, "is missing")
    return cast("dict[str, Any]", value)


def json_uint(value: object, bits: int, path: str) -> int:
    """A JSON integer in 0..2^bits-1 (no booleans, no floats)."""
    if type(value) is not int:
        refuse(path, "must be an integer")
    if value < 0 or value >> bits:
        refuse(path, f"{value} is not in 0..{(1 << bits) - 1}")
    return value


def json_text(value: object, limit: int, path: str) -> str:
    """A JSON string of at most `limit` UTF-8 bytes, without lone surrogates."""
    if not isinstance(value, str):
        refuse(path, "must be a string")
    if len(value) > limit:
        refuse(path, f"is longer than {limit} bytes")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        refuse(path, "is not valid Unicode text")
    if size > limit:
        refuse(path, f"is longer than {limit} bytes")
    return value


def json_list(value: object, limit: int, path: str) -> list[Any]:
    """A JSON array of at most `limit` items."""
    if not isinstance(value, list):
        refuse(path, "must be an array")
    if len(value) > limit:
        refuse(path, f"has more than {limit} items")
    return value


def json_address(value: object, path: str) -> Address:
    """An EIP-55 address string."""
    if not isinstance(value, str):
        refuse(path, "must be an address")
    try:
        address_word(value)
    except ProtocolError as error:
        refuse(path, error.message)
    return value


def json_reader(abi: str, limit: int, enum: type[IntEnum] | None) -> Callable[[object, str], Any]:
    """Strict JSON decoder of an ABI type.

    `limit`: items of an array, or UTF-8 bytes of a string.
    """
    if abi.endswith("[]"):
        item = json_reader(abi[:-2], limit, enum)

        def read(value: object, path: str) -> tuple[Any, ...]:
            items = json_list(value, limit, path)
            return tuple(item(v, f"{path}[{i}]") for i, v in enumerate(items))

        return read
    if enum is not None:
        known = {member.value: member for member in enum}

        def read_enum(value: object, path: str) -> IntEnum:
            if type(value) is not int or value not in known:
                refuse(path, f"must be one of {', '.join(map(str, known))}")
            return known[value]

        return read_enum
    if abi.startswith("uint"):
        bits = int(abi[4:])
        return lambda value, path: json_uint(value, bits, path)
    if abi == "bytes32":
        return lambda value, path: from_hex(value, 32, path)
    if abi == "string":
        return lambda value, path: json_text(value, limit, path)
    return json_address


def json_writer(abi: str) -> Callable[[Any], Any]:
    """Encoder to JSON values: 0x hex for bytes, plain ints, lists for arrays."""
    if abi.endswith("[]"):
        item = json_writer(abi[:-2])
        return lambda values: [item(v) for v in values]
    if abi.startswith("uint"):
        return int
    return to_hex if abi == "bytes32" else str
