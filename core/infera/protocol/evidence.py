"""What can be shown against a router's batch, as the court takes it (docs/protocol/court.md).

The values mirror `contracts/src/court/Faults.sol`, the rules `contracts/src/court/Evidence.sol`,
one for one. Who looks at whole batches with them is `infera.protocol.examiner`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from infera.protocol.abi import address_bytes, address_word
from infera.protocol.pricing import BPS
from infera.protocol.rules import job_cost

if TYPE_CHECKING:
    from infera.protocol.batches import Batch
    from infera.protocol.leaves import CreditLeaf, DebitLeaf, JobLeaf
    from infera.protocol.messages import JobReceipt, JobTicket, KeyGrant
    from infera.types import Address
    from infera_ext import MerkleTree

HIGHEST_FEE_BPS = 500
"""The highest fee there can be. Fees change over time, and a leaf does not say which applied."""


class BatchFault(IntEnum):
    """What was proved against a router."""

    NONE = 0
    DUPLICATE = 1
    GRANT_TOTAL = 2
    PROVIDER_TOTAL = 3
    DEBIT = 4
    CREDIT = 5
    ORDER = 6
    MISSING = 7
    SUM = 8
    TIER = 9
    TICKET = 10
    COST = 11
    GRANT = 12
    UNREVEALED = 13
    EQUIVOCATION = 14

    @property
    def label(self) -> str:
        """As people read it."""
        return self.name.lower().replace("_", " ")


class Tree(IntEnum):
    """The two cumulative trees of a batch."""

    DEBITS = 0
    CREDITS = 1


@dataclass(frozen=True, slots=True)
class Conviction:
    """What an examiner finds: the fault, the batch it is in, the account the evidence names."""

    router: Address
    batch: int
    fault: BatchFault
    harmed: Address


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A grant's debit or a provider's credit; `key` is the grant's digest, or the provider's
    address as a number (32 bytes). A credit has no fees. Micro-USDC.
    """

    key: bytes
    total: int
    router_fees: int = 0
    protocol_fees: int = 0

    def encode(self, tree: Tree) -> bytes:
        """The leaf data: what the tree hashes."""
        words = (self.total, self.router_fees, self.protocol_fees)
        shown = words if tree is Tree.DEBITS else words[:1]
        return self.key + b"".join(word.to_bytes(32, "big") for word in shown)


@dataclass(frozen=True, slots=True)
class JobProof:
    """A job of a batch, with its proof."""

    batch: int
    position: int
    leaf: JobLeaf
    siblings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RunProof:
    """Jobs that stand next to each other, the first at `position`, with their multi-proof."""

    batch: int
    position: int
    leaves: tuple[JobLeaf, ...]
    siblings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RowProof:
    """A row of a cumulative tree, with its proof."""

    batch: int
    position: int
    row: TreeRow
    siblings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RowsProof:
    """Rows that stand next to each other, the first at `position`, with their multi-proof."""

    batch: int
    position: int
    rows: tuple[TreeRow, ...]
    siblings: tuple[bytes, ...]


Argument: TypeAlias = Any
"""A proof, a tuple of them, a `Tree`, an index, or a message."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One call of an examiner: Solidity's name of the function, and what follows the router."""

    router: Address
    function: str
    arguments: tuple[Argument, ...]


# -- out of a batch -----------------------------------------------------------------------------


def job_proof(batch: Batch, position: int) -> JobProof:
    """A job of a batch as it is shown to the court. `IndexError` if there is none."""
    leaf, proof = batch.prove_job(position)
    return JobProof(batch.header.index, position, leaf, proof.siblings)


def run_proof(batch: Batch, first: int, last: int) -> RunProof:
    """The jobs `first` … `last`, both included."""
    siblings = batch.jobs_tree.multiproof(range(first, last + 1))
    return RunProof(batch.header.index, first, batch.jobs[first : last + 1], siblings)


def tree_row(leaf: DebitLeaf | CreditLeaf) -> TreeRow:
    """A leaf of either tree as a row."""
    debit: Any = leaf
    if hasattr(leaf, "grant"):
        return TreeRow(debit.grant, debit.debited, debit.router_fees, debit.protocol_fees)
    return TreeRow(address_word(debit.provider), debit.credited)


def rows_of(batch: Batch, tree: Tree) -> tuple[tuple[DebitLeaf | CreditLeaf, ...], MerkleTree]:
    """The rows of one of a batch's trees, and the tree."""
    if tree is Tree.DEBITS:
        return batch.debits, batch.debits_tree
    return batch.credits, batch.credits_tree


def row_proof(batch: Batch, tree: Tree, position: int) -> RowProof:
    """A row of a batch as it is shown to the court."""
    rows, made = rows_of(batch, tree)
    return RowProof(batch.header.index, position, tree_row(rows[position]), made.proof(position))


def rows_proof(batch: Batch, tree: Tree) -> RowsProof:
    """All rows of one of a batch's trees."""
    rows, made = rows_of(batch, tree)
    siblings = made.multiproof(range(len(rows)))
    return RowsProof(batch.header.index, 0, tuple(tree_row(row) for row in rows), siblings)


def around(batch: Batch, tree: Tree, key: bytes) -> tuple[RowProof, ...]:
    """The row of the key, or the rows beside the gap where it would be in a sorted tree."""
    keys = [tree_row(row).key for row in rows_of(batch, tree)[0]]
    place = sum(known < key for known in keys)
    if place < len(keys) and keys[place] == key:
        return (row_proof(batch, tree, place),)
    return tuple(row_proof(batch, tree, i) for i in (place - 1, place) if 0 <= i < len(keys))


# -- the rules ----------------------------------------------------------------------------------


def key_of(tree: Tree, leaf: JobLeaf) -> bytes:
    """What a job's total is kept under."""
    return leaf.grant if tree is Tree.DEBITS else bytes(12) + address_bytes(leaf.provider)


def total_of(tree: Tree, leaf: JobLeaf) -> int:
    """A job's running total."""
    return leaf.grant_total if tree is Tree.DEBITS else leaf.provider_total


def least(tree: Tree, leaf: JobLeaf) -> int:
    """The least that a job adds to its total."""
    fee = leaf.cost * HIGHEST_FEE_BPS // BPS
    return leaf.cost if tree is Tree.DEBITS else leaf.cost - 2 * fee


def follows(tree: Tree, before: int, leaf: JobLeaf) -> bool:
    """Whether a total that was `before` can be what the leaf says right after the job."""
    return before + least(tree, leaf) <= total_of(tree, leaf) <= before + leaf.cost


def shrank(tree: Tree, before: int, leaf: JobLeaf) -> bool:
    """Whether a total that was `before` some time before the job has grown too little at it."""
    return total_of(tree, leaf) < before + least(tree, leaf)


def of_pair(earlier: JobLeaf, later: JobLeaf) -> BatchFault:
    """Two jobs, the one committed before the other."""
    if earlier.ticket == later.ticket:
        return BatchFault.DUPLICATE
    if earlier.grant == later.grant and shrank(Tree.DEBITS, earlier.grant_total, later):
        return BatchFault.GRANT_TOTAL
    if earlier.provider == later.provider and shrank(Tree.CREDITS, earlier.provider_total, later):
        return BatchFault.PROVIDER_TOTAL
    return BatchFault.NONE


def of_total(tree: Tree) -> BatchFault:
    """A running total that is wrong."""
    return BatchFault.GRANT_TOTAL if tree is Tree.DEBITS else BatchFault.PROVIDER_TOTAL


def of_row(tree: Tree) -> BatchFault:
    """A row that is wrong."""
    return BatchFault.DEBIT if tree is Tree.DEBITS else BatchFault.CREDIT


def of_ticket(router: Address, leaf: JobLeaf, ticket: JobTicket) -> BatchFault:
    """A job and its ticket."""
    agree = (
        (ticket.router, ticket.account, ticket.grant, ticket.provider, ticket.tier)
        == (router, leaf.account, leaf.grant, leaf.provider, leaf.tier)
    ) and leaf.cost <= ticket.max_cost  # fmt: skip
    return BatchFault.NONE if agree else BatchFault.TICKET


def of_cost(leaf: JobLeaf, ticket: JobTicket, receipt: JobReceipt) -> BatchFault:
    """A job, its ticket and its receipt."""
    due = job_cost(ticket, receipt.tokens_in, receipt.tokens_out)
    right = (
        receipt.ticket == leaf.ticket
        and receipt.cost == leaf.cost == due
        and receipt.tokens_in <= ticket.max_tokens_in
        and receipt.tokens_out <= ticket.max_tokens_out
        and receipt.completed_at >= ticket.issued_at
    )
    return BatchFault.NONE if right else BatchFault.COST


def of_grant(ticket: JobTicket, grant: KeyGrant) -> BatchFault:
    """A ticket and its grant."""
    within = (
        ticket.account == grant.account
        and ticket.price_in <= grant.max_price_in
        and ticket.price_out <= grant.max_price_out
        and ticket.max_cost <= grant.per_job_cap
        and grant.not_before <= ticket.issued_at <= grant.not_after
        and ticket.router in grant.routers
        and (not grant.models or ticket.model_id in grant.models)
    )
    return BatchFault.NONE if within else BatchFault.GRANT
