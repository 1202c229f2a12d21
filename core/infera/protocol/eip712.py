"""EIP-712 typed-struct hashing driven by dataclass annotations
(https://eips.ethereum.org/EIPS/eip-712).

A field's Solidity type rides on its annotation: `cost: U64` is `Annotated[int, Abi("uint64")]`. A
subclass of `Words` is a flat row of ABI words (a tree leaf); a subclass of `TypedStruct` is a
message with a digest. Field names are snake_case in Python and camelCase on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from operator import attrgetter
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Self,
    TypeAlias,
    get_args,
    get_origin,
    get_type_hints,
)

from infera.errors import ProtocolError
from infera.protocol.abi import (
    address_word,
    json_object,
    json_reader,
    json_writer,
    string_word,
    uint256_word,
    word_encoder,
)
from infera.types import Address
from infera_ext import keccak256

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Abi:
    """The Solidity type of a field; `limit` bounds an array's items or a string's UTF-8 bytes when
    read from JSON.
    """

    type: str
    limit: int = 256


U8: TypeAlias = Annotated[int, Abi("uint8")]
U32: TypeAlias = Annotated[int, Abi("uint32")]
U64: TypeAlias = Annotated[int, Abi("uint64")]
U128: TypeAlias = Annotated[int, Abi("uint128")]
Bytes32: TypeAlias = Annotated[bytes, Abi("bytes32")]
AddressField: TypeAlias = Annotated[Address, Abi("address")]

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_DOMAIN_TYPE_HASH = keccak256(DOMAIN_TYPE.encode())


@dataclass(frozen=True, slots=True)
class Domain:
    """What a signature is bound to: the chain and the JobRegistry (docs/protocol.md §2).

    `separator` is computed once.
    """

    chain_id: int
    verifying_contract: Address
    name: str = "INFERA"
    version: str = "1"
    separator: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = (
            _DOMAIN_TYPE_HASH,
            string_word(self.name),
            string_word(self.version),
            uint256_word(self.chain_id),
            address_word(self.verifying_contract),
        )
        object.__setattr__(self, "separator", keccak256(b"".join(words)))

    def to_json(self) -> dict[str, Any]:
        """`{"chainId": int, "verifyingContract": address}`; name and version are the protocol's."""
        return {"chainId": self.chain_id, "verifyingContract": self.verifying_contract}

    @classmethod
    def from_json(cls, value: object, path: str = "domain") -> Domain:
        """Inverse of `to_json`; strict."""
        got = json_object(value, frozenset(("chainId", "verifyingContract")), path)
        chain_id = json_reader("uint64", 0, None)(got["chainId"], f"{path}.chainId")
        address = json_reader("address", 0, None)(
            got["verifyingContract"], f"{path}.verifyingContract"
        )
        return cls(chain_id, address)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    wire: str
    abi: str
    encode: Callable[[Any], bytes]
    read: Callable[[object, str], Any]
    write: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Spec:
    fields: tuple[_Field, ...]
    by_wire: dict[str, _Field]
    values: Callable[[Any], tuple[Any, ...]]
    encoders: tuple[Callable[[Any], bytes], ...]
    type_string: str
    type_hash: bytes


def camel(name: str) -> str:
    """`max_tokens_in` -> `maxTokensIn`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _enum_of(annotation: Any) -> type[IntEnum] | None:
    if get_origin(annotation) is tuple:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, IntEnum):
        return annotation
    return None


_SPECS: dict[type, _Spec] = {}


def _spec(cls: type[Words]) -> _Spec:
    known = _SPECS.get(cls)
    if known is not None:
        return known
    fields = []
    hints = get_type_hints(cls, include_extras=True)
    for name in cls.__dataclass_fields__:
        base, abi, *_ = get_args(hints[name])
        fields.append(
            _Field(
                name,
                camel(name),
                abi.type,
                word_encoder(abi.type),
                json_reader(abi.type, abi.limit, _enum_of(base)),
                json_writer(abi.type),
            )
        )
    members = ",".join(f"{f.abi} {f.wire}" for f in fields)
    type_string = f"{cls.__name__}({members})"
    spec = _Spec(
        tuple(fields),
        {f.wire: f for f in fields},
        attrgetter(*(f.name for f in fields)),
        tuple(f.encode for f in fields),
        type_string,
        keccak256(type_string.encode()),
    )
    _SPECS[cls] = spec
    return spec


class Words:
    """Base of frozen dataclasses whose fields are ABI words."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def encode(self) -> bytes:
        """The fields as 32-byte words in order (arrays and strings as their hash).

        `ProtocolError` names a bad field.
        """
        spec = _spec(type(self))
        values = spec.values(self)
        try:
            return b"".join([e(v) for e, v in zip(spec.encoders, values, strict=True)])
        except (ProtocolError, TypeError) as error:
            raise _culprit(spec, values) from error

    def to_json(self) -> dict[str, Any]:
        """camelCase keys in field order; bytes as 0x hex, integers as integers."""
        spec = _spec(type(self))
        return {f.wire: f.write(v) for f, v in zip(spec.fields, spec.values(self), strict=True)}

    @classmethod
    def from_json(cls, value: object, path: str = "") -> Self:
        """Inverse of `to_json`.

        Unknown, missing, ill-typed or out-of-bounds fields raise `ProtocolError` with the path.
        """
        spec = _spec(cls)
        where = path or cls.__name__
        got = json_object(value, spec.by_wire, where)
        return cls(*[f.read(got[f.wire], f"{where}.{f.wire}") for f in spec.fields])


def _culprit(spec: _Spec, values: tuple[Any, ...]) -> ProtocolError:
    for f, value in zip(spec.fields, values, strict=True):
        try:
            f.encode(value)
        except (ProtocolError, TypeError) as error:
            return ProtocolError(f"{f.name}: {error}")
    raise AssertionError("no field is at fault")


class TypedStruct(Words):
    """A signed message: `digest` is what the hot key signs and what other messages refer to."""

    __slots__ = ()

    @classmethod
    def type_string(cls) -> str:
        """EIP-712 `encodeType`."""
        return _spec(cls).type_string

    def struct_hash(self) -> bytes:
        """EIP-712 `hashStruct`, 32 bytes."""
        return keccak256(_spec(type(self)).type_hash + self.encode())

    def digest(self, domain: Domain) -> bytes:
        """keccak256(0x1901 ‖ domain separator ‖ struct hash), 32 bytes."""
        return keccak256(b"\x19\x01" + domain.separator + self.struct_hash())

    def typed_data(self, domain: Domain) -> dict[str, Any]:
        """The `eth_signTypedData_v4` object, for wallets."""
        spec = _spec(type(self))
        name = type(self).__name__
        parts = DOMAIN_TYPE[DOMAIN_TYPE.index("(") + 1 : -1].split(",")
        return {
            "types": {
                "EIP712Domain": [
                    dict(zip(("type", "name"), p.split(), strict=True)) for p in parts
                ],
                name: [{"name": f.wire, "type": f.abi} for f in spec.fields],
            },
            "primaryType": name,
            "domain": {"name": domain.name, "version": domain.version, **domain.to_json()},
            "message": self.to_json(),
        }
