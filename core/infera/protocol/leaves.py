"""Leaves of the three settlement trees: flat rows of 32-byte ABI words (docs/protocol.md §3)."""

from __future__ import annotations

from dataclasses import dataclass

from infera.protocol.eip712 import U64, U128, AddressField, Bytes32, Words
from infera.protocol.messages import TierField  # noqa: TC001 (read at run time)
from infera_ext import leaf_hash

JOB_LEAF_SIZE = 288
DEBIT_LEAF_SIZE = 128
CREDIT_LEAF_SIZE = 64


@dataclass(frozen=True, slots=True)
class JobLeaf(Words):
    """One job: digests of ticket and receipt, parties, cost, running cumulatives after it.

    Money in micro-USDC.
    `grant_total` is gross debited under the grant, `provider_total` net credited to the provider,
    both under this router.
    """

    ticket: Bytes32
    receipt: Bytes32
    account: AddressField
    grant: Bytes32
    provider: AddressField
    cost: U64
    tier: TierField
    grant_total: U128
    provider_total: U128

    def hash(self) -> bytes:
        """keccak256(0x00 ‖ leaf data), 32 bytes: a leaf's name in verdicts."""
        return leaf_hash(self.encode())


@dataclass(frozen=True, slots=True)
class DebitLeaf(Words):
    """Cumulative totals (micro-USDC) of a grant under one router; the tree is sorted by `grant`."""

    grant: Bytes32
    debited: U128
    router_fees: U128
    protocol_fees: U128


@dataclass(frozen=True, slots=True)
class CreditLeaf(Words):
    """Cumulative net credit of one provider under one router (micro-USDC); the tree is sorted by
    the address's bytes.
    """

    provider: AddressField
    credited: U128
