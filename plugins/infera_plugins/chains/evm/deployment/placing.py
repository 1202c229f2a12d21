"""Where a contract comes to stand before it does: by its creator's nonce (CREATE), or by its code
through the deterministic deployment proxy (CREATE2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import rlp  # type: ignore[import-untyped]

from infera.protocol.abi import checksum_address
from infera_ext import keccak256

if TYPE_CHECKING:
    from infera.types import Address

FACTORY: Address = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
"""The deterministic deployment proxy (https://github.com/Arachnid/deterministic-deployment-proxy):
the same address on every chain, because one transaction that nobody has the key of creates it.
"""

FACTORY_SENDER: Address = "0x3fAB184622Dc19b6109349B94811493BF2a45362"
FACTORY_PRICE = 100_000 * 100 * 10**9
"""Gas limit times gas price of that transaction, in wei; both are fixed by its signature."""

FACTORY_TRANSACTION = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050"
    "506014600cf31ba02222222222222222222222222222222222222222222222222222222222222222a0222222222222"
    "2222222222222222222222222222222222222222222222222222"
)


def create2_address(salt: bytes, code: bytes) -> Address:
    """Where the factory puts this code (EIP-1014)."""
    parts = b"\xff" + bytes.fromhex(FACTORY[2:]) + salt + keccak256(code)
    return checksum_address(keccak256(parts)[12:])


def create_address(sender: Address, nonce: int) -> Address:
    """Where the sender's creation with this nonce puts its contract. A contract's first nonce is 1
    (EIP-161).
    """
    return checksum_address(keccak256(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[12:])


def salt_of(salt: str, label: str) -> bytes:
    """The factory's salt for a step."""
    return keccak256(f"{salt}/{label}".encode())
