"""Build a settlement batch, prove its rows, and audit somebody else's (docs/protocol.md §3 and §4).

A batch is three trees over the router's jobs and its cumulative totals. Building and auditing share
nothing but the leaf format, so that one checks the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from struct import Struct
from struct import error as struct_error
from types import MappingProxyType
from typing import TYPE_CHECKING

from infera.errors import ProtocolError
from infera.protocol.abi import address_bytes
from infera.protocol.leaves import (
    CREDIT_LEAF_SIZE,
    DEBIT_LEAF_SIZE,
    JOB_LEAF_SIZE,
    CreditLeaf,
    DebitLeaf,
    JobLeaf,
)
from infera.protocol.pricing import BPS, PROTOCOL_FEE_BPS, ROUTER_FEE_BPS
from infera.types import Address, BatchHeader, Tier
from infera_ext import MerkleTree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_JOBS = 10_000
NO_DECISION = b"null"
_LOW = (1 << 64) - 1
# ticket, receipt, account, grant, provider, cost, tier, grantTotal, providerTotal as 32-byte words
_JOB = Struct(">32s32s12x20s32s12x20s24xQ31xB16xQQ16xQQ")
_DEBIT = Struct(">32s16xQQ16xQQ16xQQ")
_CREDIT = Struct(">12x20s16xQQ")
assert (_JOB.size, _DEBIT.size, _CREDIT.size) == (JOB_LEAF_SIZE, DEBIT_LEAF_SIZE, CREDIT_LEAF_SIZE)


@dataclass(frozen=True, slots=True)
class SettledJob:
    """A delivered job on its way into a batch. `ticket`, `receipt` and `grant` are digests.

    `cost` in micro-USDC. `decision` is the canonical JSON of the routing decision (`null`: none).
    """

    ticket: bytes
    receipt: bytes
    account: Address
    grant: bytes
    provider: Address
    cost: int
    tier: Tier
    decision: bytes = NO_DECISION


@dataclass(frozen=True)
class Totals:
    """Everything a router ever debited and credited (micro-USDC), by grant digest and provider."""

    debits: Mapping[bytes, DebitLeaf] = field(default_factory=lambda: MappingProxyType({}))
    credits: Mapping[Address, int] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, debits: Sequence[DebitLeaf], credits: Sequence[CreditLeaf]) -> Totals:
        """From the leaves of a batch's cumulative trees."""
        return cls({d.grant: d for d in debits}, {c.provider: c.credited for c in credits})

    @cached_property
    def debited(self) -> int:
        """Sum over grants."""
        return sum(d.debited for d in self.debits.values())

    @cached_property
    def credited(self) -> int:
        """Sum over providers."""
        return sum(self.credits.values())

    @cached_property
    def fees(self) -> int:
        """Router and protocol fees together."""
        return sum(d.router_fees + d.protocol_fees for d in self.debits.values())


@dataclass(frozen=True, slots=True)
class Proof:
    """A row of a tree with its place: what the vault's and the registry's proof arguments are."""

    index: int
    count: int
    siblings: tuple[bytes, ...]


@dataclass(frozen=True)
class Batch:
    """A built batch. `totals` are the cumulatives after it: what the next one starts from."""

    header: BatchHeader
    jobs: tuple[JobLeaf, ...]
    debits: tuple[DebitLeaf, ...]
    credits: tuple[CreditLeaf, ...]
    decisions: tuple[bytes, ...]
    totals: Totals

    @cached_property
    def jobs_tree(self) -> MerkleTree:
        """The tree under `header.jobs_root`."""
        return MerkleTree.from_leaves(pack_jobs(self.jobs), JOB_LEAF_SIZE)

    @cached_property
    def debits_tree(self) -> MerkleTree:
        """The tree under `header.debits_root`."""
        return MerkleTree.from_leaves(pack_debits(self.debits), DEBIT_LEAF_SIZE)

    @cached_property
    def credits_tree(self) -> MerkleTree:
        """The tree under `header.credits_root`."""
        return MerkleTree.from_leaves(pack_credits(self.credits), CREDIT_LEAF_SIZE)

    @cached_property
    def _debit_index(self) -> dict[bytes, int]:
        return {leaf.grant: i for i, leaf in enumerate(self.debits)}

    @cached_property
    def _credit_index(self) -> dict[Address, int]:
        return {leaf.provider: i for i, leaf in enumerate(self.credits)}

    def prove_job(self, index: int) -> tuple[JobLeaf, Proof]:
        """Job `index` and its inclusion proof. `IndexError` if there is none."""
        tree = self.jobs_tree
        return self.jobs[index], Proof(index, len(tree), tree.proof(index))

    def prove_debit(self, grant: bytes) -> tuple[DebitLeaf, Proof]:
        """A grant's cumulative row and its proof. `KeyError` if the router never debited it."""
        index = self._debit_index[grant]
        return self.debits[index], Proof(index, len(self.debits), self.debits_tree.proof(index))

    def prove_credit(self, provider: Address) -> tuple[CreditLeaf, Proof]:
        """A provider's cumulative row and its proof. `KeyError` if it was never credited."""
        index = self._credit_index[provider]
        return self.credits[index], Proof(index, len(self.credits), self.credits_tree.proof(index))


def build_batch(
    router: Address,
    index: int,
    jobs: Sequence[SettledJob],
    previous: Totals,
    *,
    router_fee_bps: int = ROUTER_FEE_BPS,
    protocol_fee_bps: int = PROTOCOL_FEE_BPS,
) -> Batch:
    """Batch `index` of `router` over 1 to 10,000 jobs, in order. `ProtocolError` for a bad row."""
    if not 1 <= len(jobs) <= MAX_JOBS:
        raise ProtocolError(f"a batch has 1 to {MAX_JOBS} jobs, not {len(jobs)}")
    address_bytes(router)
    debits = {g: [d.debited, d.router_fees, d.protocol_fees] for g, d in previous.debits.items()}
    credits = dict(previous.credits)
    leaves, tiers, seen = [], 0, set()
    for job in jobs:
        cost, grant, provider = job.cost, job.grant, job.provider
        router_fee = cost * router_fee_bps // BPS
        protocol_fee = cost * protocol_fee_bps // BPS
        row = debits.get(grant)
        if row is None:
            row = debits[grant] = [0, 0, 0]
        row[0] += cost
        row[1] += router_fee
        row[2] += protocol_fee
        credited = credits.get(provider, 0) + cost - router_fee - protocol_fee
        credits[provider] = credited
        tiers |= 1 << job.tier
        seen.add(job.ticket)
        totals_after = (row[0], credited)
        leaves.append(
            JobLeaf(
                job.ticket, job.receipt, job.account, grant, provider, cost, job.tier, *totals_after
            )
        )
    if len(seen) != len(jobs):
        raise ProtocolError("a ticket appears twice in the batch")
    debit_leaves = tuple(DebitLeaf(g, *row) for g, row in sorted(debits.items()))
    credit_leaves = tuple(
        CreditLeaf(p, c) for p, c in sorted(credits.items(), key=lambda i: address_bytes(i[0]))
    )
    decisions = tuple(job.decision for job in jobs)
    totals = Totals({d.grant: d for d in debit_leaves}, credits)
    jobs_tree = MerkleTree.from_leaves(pack_jobs(leaves), JOB_LEAF_SIZE)
    debits_tree = MerkleTree.from_leaves(pack_debits(debit_leaves), DEBIT_LEAF_SIZE)
    credits_tree = MerkleTree.from_leaves(pack_credits(credit_leaves), CREDIT_LEAF_SIZE)
    header = BatchHeader(
        router=router,
        index=index,
        jobs_root=jobs_tree.root,
        debits_root=debits_tree.root,
        credits_root=credits_tree.root,
        decisions_root=decisions_root(decisions),
        count=len(leaves),
        grants=len(debit_leaves),
        providers=len(credit_leaves),
        tiers=tiers,
        debited=totals.debited,
        credited=totals.credited,
        fees=totals.fees,
    )
    batch = Batch(header, tuple(leaves), debit_leaves, credit_leaves, decisions, totals)
    batch.__dict__.update(
        jobs_tree=jobs_tree, debits_tree=debits_tree, credits_tree=credits_tree
    )  # fills the cached properties
    return batch


def decisions_root(decisions: Sequence[bytes]) -> bytes:
    """Root over routing decisions, one per job in job order; leaf data is their canonical JSON."""
    return MerkleTree.from_items(decisions).root


def pack_jobs(leaves: Sequence[JobLeaf]) -> bytes:
    """The leaves' 288-byte encodings, joined; as `JobLeaf.encode` gives them, but faster."""
    pack, low, address = _JOB.pack, _LOW, address_bytes
    rows = []
    for i, leaf in enumerate(leaves):
        ticket, receipt, grant = leaf.ticket, leaf.receipt, leaf.grant
        debited, credited = leaf.grant_total, leaf.provider_total
        if len(ticket) != 32 or len(receipt) != 32 or len(grant) != 32:
            raise ProtocolError(f"job {i}: a digest has 32 bytes")
        try:
            rows.append(
                pack(
                    ticket, receipt, address(leaf.account), grant, address(leaf.provider),
                    leaf.cost, leaf.tier, debited >> 64, debited & low, credited >> 64,
                    credited & low,
                )
            )  # fmt: skip
        except (struct_error, TypeError) as error:
            raise ProtocolError(f"job {i}: {error}") from None
    return b"".join(rows)


def pack_debits(leaves: Sequence[DebitLeaf]) -> bytes:
    """The leaves' 128-byte encodings, joined."""
    rows, pack, low = [], _DEBIT.pack, _LOW
    for leaf in leaves:
        if len(leaf.grant) != 32:
            raise ProtocolError("a grant digest has 32 bytes")
        a, b, c = leaf.debited, leaf.router_fees, leaf.protocol_fees
        try:
            rows.append(pack(leaf.grant, a >> 64, a & low, b >> 64, b & low, c >> 64, c & low))
        except struct_error as error:
            raise ProtocolError(f"debit of {leaf.grant.hex()}: {error}") from None
    return b"".join(rows)


def pack_credits(leaves: Sequence[CreditLeaf]) -> bytes:
    """The leaves' 64-byte encodings, joined."""
    rows, pack, low = [], _CREDIT.pack, _LOW
    for leaf in leaves:
        value = leaf.credited
        try:
            rows.append(pack(address_bytes(leaf.provider), value >> 64, value & low))
        except struct_error as error:
            raise ProtocolError(f"credit of {leaf.provider}: {error}") from None
    return b"".join(rows)
