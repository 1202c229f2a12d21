"""Who signed a digest: secp256k1 recovery, strict about the form of the signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coincurve import PublicKey

from infera.errors import ProtocolError
from infera.protocol.abi import checksum_address
from infera_ext import keccak256

if TYPE_CHECKING:
    from infera.types import Address

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_ORDER = _ORDER // 2


def key_address(public: PublicKey) -> Address:
    """EIP-55 address of a public key."""
    return checksum_address(keccak256(public.format(compressed=False)[1:])[12:])


def recover(digest: bytes, signature: bytes) -> Address:
    """Who signed a 32-byte digest.

    `ProtocolError` (code `bad_signature`) unless the signature is 65 bytes r‖s‖v with v of 27 or
    28, a low s, and a point behind it.
    """
    if len(digest) != 32:
        raise ProtocolError("only 32-byte digests are signed")
    if len(signature) != 65:
        raise _bad(f"a signature has 65 bytes, not {len(signature)}")
    if signature[64] not in (27, 28):
        raise _bad("a signature's v is 27 or 28")
    if int.from_bytes(signature[32:64], "big") > HALF_ORDER:
        raise _bad("the signature's s is high (malleable)")
    try:
        public = PublicKey.from_signature_and_message(
            signature[:64] + bytes((signature[64] - 27,)), digest, hasher=None
        )
    except Exception:  # libsecp256k1 refuses r or s out of range with a bare Exception
        raise _bad("the signature recovers to no key") from None
    return key_address(public)


def require_signer(digest: bytes, signature: bytes, expected: Address, what: str) -> None:
    """`ProtocolError` unless `expected` signed `digest`; `what` names the message."""
    signer = recover(digest, signature)
    if signer != expected:
        raise _bad(f"{what} is signed by {signer}, not {expected}")


def _bad(problem: str) -> ProtocolError:
    return ProtocolError(problem, code="bad_signature")
