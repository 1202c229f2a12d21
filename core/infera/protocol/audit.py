"""Audit a published batch: re-derive every root and total, and list what does not hold.

What a validator runs on each batch before it samples (docs/protocol.md §4 and §6). A published
batch comes from somebody else: `batch_from_json` is strict, and nothing here trusts the header.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from infera.protocol.abi import (
    address_bytes,
    json_list,
    json_object,
    json_reader,
    json_text,
    json_writer,
)
from infera.protocol.batches import (
    MAX_JOBS,
    Batch,
    Totals,
    decisions_root,
    pack_credits,
    pack_debits,
    pack_jobs,
)
from infera.protocol.eip712 import camel
from infera.protocol.leaves import (
    CREDIT_LEAF_SIZE,
    DEBIT_LEAF_SIZE,
    JOB_LEAF_SIZE,
    CreditLeaf,
    DebitLeaf,
    JobLeaf,
)
from infera.protocol.pricing import PROTOCOL_FEE_BPS, ROUTER_FEE_BPS, fees
from infera.types import BatchHeader
from infera_ext import merkle_root

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_TOTALS = 1_000_000
MAX_DECISION = 16 << 10


class FaultKind(StrEnum):
    """What can be wrong with a batch."""

    COUNT = "count"
    ROOT = "root"
    TIERS = "tiers"
    TOTALS = "totals"
    ORDER = "order"
    DUPLICATE = "duplicate"
    GRANT_TOTAL = "grant_total"
    PROVIDER_TOTAL = "provider_total"
    DEBIT = "debit"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not hold; `index` is the row it shows at (None: the header)."""

    kind: FaultKind
    index: int | None
    detail: str


def verify_batch(
    header: BatchHeader,
    jobs: Sequence[JobLeaf],
    debits: Sequence[DebitLeaf],
    credits: Sequence[CreditLeaf],
    previous: Totals,
    *,
    decisions: Sequence[bytes] | None = None,
    router_fee_bps: int = ROUTER_FEE_BPS,
    protocol_fee_bps: int = PROTOCOL_FEE_BPS,
) -> list[Fault]:
    """All faults of a batch against the totals before it; empty means it adds up.

    A running total is judged against the leaf before it with the same grant (or provider), so one
    lie is one fault. `ProtocolError` only for rows that cannot be encoded at all.
    """
    found: list[Fault] = []
    _check_header(found, header, jobs, debits, credits, decisions)
    honest = _check_jobs(found, jobs, previous, router_fee_bps, protocol_fee_bps)
    tiers = 0
    for leaf in jobs:
        tiers |= 1 << leaf.tier
    if header.tiers != tiers:
        found.append(Fault(FaultKind.TIERS, None, f"tiers is {header.tiers}, leaves say {tiers}"))
    _check_debits(found, debits, honest)
    _check_credits(found, credits, honest)
    for name in ("debited", "credited", "fees"):
        said, right = getattr(header, name), getattr(honest, name)
        if said != right:
            found.append(Fault(FaultKind.TOTALS, None, f"{name} is {said}, should be {right}"))
    return found


def _check_header(
    found: list[Fault],
    header: BatchHeader,
    jobs: Sequence[JobLeaf],
    debits: Sequence[DebitLeaf],
    credits: Sequence[CreditLeaf],
    decisions: Sequence[bytes] | None,
) -> None:
    counts = [("count", jobs), ("grants", debits), ("providers", credits)]
    for name, rows in counts:
        if getattr(header, name) != len(rows):
            said = getattr(header, name)
            found.append(Fault(FaultKind.COUNT, None, f"{name} is {said}, there are {len(rows)}"))
    if not 1 <= len(jobs) <= MAX_JOBS:
        found.append(Fault(FaultKind.COUNT, None, f"a batch has 1 to {MAX_JOBS} jobs"))
    roots = {
        "jobs_root": merkle_root(pack_jobs(jobs), JOB_LEAF_SIZE),
        "debits_root": merkle_root(pack_debits(debits), DEBIT_LEAF_SIZE),
        "credits_root": merkle_root(pack_credits(credits), CREDIT_LEAF_SIZE),
    }
    if decisions is not None:
        roots["decisions_root"] = decisions_root(decisions)
        if len(decisions) != len(jobs):
            detail = f"{len(decisions)} decisions for {len(jobs)} jobs"
            found.append(Fault(FaultKind.COUNT, None, detail))
    for name, right in roots.items():
        if getattr(header, name) != right:
            detail = f"{name} is {getattr(header, name).hex()}, leaves give {right.hex()}"
            found.append(Fault(FaultKind.ROOT, None, detail))


def _check_jobs(
    found: list[Fault],
    jobs: Sequence[JobLeaf],
    previous: Totals,
    router_fee_bps: int,
    protocol_fee_bps: int,
) -> Totals:
    """Judge the running totals; return the honest cumulatives after these jobs."""
    debits = {g: [d.debited, d.router_fees, d.protocol_fees] for g, d in previous.debits.items()}
    credits = dict(previous.credits)
    grant_claims = {g: d.debited for g, d in previous.debits.items()}
    provider_claims = dict(previous.credits)
    seen: dict[bytes, int] = {}
    for i, leaf in enumerate(jobs):
        first = seen.setdefault(leaf.ticket, i)
        if first != i:
            found.append(Fault(FaultKind.DUPLICATE, i, f"the ticket is job {first}'s as well"))
        part = fees(leaf.cost, router_fee_bps, protocol_fee_bps)
        right = grant_claims.get(leaf.grant, 0) + leaf.cost
        if leaf.grant_total != right:
            detail = f"grantTotal is {leaf.grant_total}, should be {right}"
            found.append(Fault(FaultKind.GRANT_TOTAL, i, detail))
        grant_claims[leaf.grant] = leaf.grant_total
        right = provider_claims.get(leaf.provider, 0) + part.provider
        if leaf.provider_total != right:
            detail = f"providerTotal is {leaf.provider_total}, should be {right}"
            found.append(Fault(FaultKind.PROVIDER_TOTAL, i, detail))
        provider_claims[leaf.provider] = leaf.provider_total
        row = debits.setdefault(leaf.grant, [0, 0, 0])
        row[0] += leaf.cost
        row[1] += part.router
        row[2] += part.protocol
        credits[leaf.provider] = credits.get(leaf.provider, 0) + part.provider
    return Totals({g: DebitLeaf(g, *row) for g, row in debits.items()}, credits)


def _check_debits(found: list[Fault], debits: Sequence[DebitLeaf], honest: Totals) -> None:
    for i, (left, right) in enumerate(pairwise(debits), 1):
        if left.grant >= right.grant:
            found.append(Fault(FaultKind.ORDER, i, "debits are not sorted by grant"))
    for i, leaf in enumerate(debits):
        expected = honest.debits.get(leaf.grant)
        if expected is None:
            found.append(Fault(FaultKind.DEBIT, i, f"no job has the grant {leaf.grant.hex()}"))
        elif leaf != expected:
            found.append(Fault(FaultKind.DEBIT, i, f"{leaf.to_json()} != {expected.to_json()}"))
    missing = honest.debits.keys() - {leaf.grant for leaf in debits}
    found.extend(Fault(FaultKind.DEBIT, None, f"{grant.hex()} is missing") for grant in missing)


def _check_credits(found: list[Fault], credits: Sequence[CreditLeaf], honest: Totals) -> None:
    keys = [address_bytes(leaf.provider) for leaf in credits]
    for i, (left, right) in enumerate(pairwise(keys), 1):
        if left >= right:
            found.append(Fault(FaultKind.ORDER, i, "credits are not sorted by provider"))
    for i, leaf in enumerate(credits):
        expected = honest.credits.get(leaf.provider)
        if expected is None:
            found.append(Fault(FaultKind.CREDIT, i, f"no job has the provider {leaf.provider}"))
        elif leaf.credited != expected:
            detail = f"{leaf.provider} has {leaf.credited}, should have {expected}"
            found.append(Fault(FaultKind.CREDIT, i, detail))
    absent = honest.credits.keys() - {leaf.provider for leaf in credits}
    found.extend(Fault(FaultKind.CREDIT, None, f"{provider} is missing") for provider in absent)


# -- published form -----------------------------------------------------------------------------

_HEADER_ABI = {
    "router": "address",
    "index": "uint64",
    "jobs_root": "bytes32",
    "debits_root": "bytes32",
    "credits_root": "bytes32",
    "decisions_root": "bytes32",
    "count": "uint32",
    "grants": "uint32",
    "providers": "uint32",
    "tiers": "uint8",
    "debited": "uint128",
    "credited": "uint128",
    "fees": "uint128",
}
_HEADER_FIELDS = [(f.name, camel(f.name), _HEADER_ABI[f.name]) for f in fields(BatchHeader)]
_HEADER_KEYS = frozenset(wire for _, wire, _ in _HEADER_FIELDS)
_BATCH_KEYS = frozenset(("header", "jobs", "debits", "credits", "decisions"))


def header_to_json(header: BatchHeader) -> dict[str, Any]:
    """camelCase keys as in Solidity; bytes as 0x hex."""
    return {wire: json_writer(abi)(getattr(header, name)) for name, wire, abi in _HEADER_FIELDS}


def header_from_json(value: object, path: str = "header") -> BatchHeader:
    """Strict inverse of `header_to_json`."""
    got = json_object(value, _HEADER_KEYS, path)
    return BatchHeader(
        *[json_reader(abi, 0, None)(got[wire], f"{path}.{wire}") for _, wire, abi in _HEADER_FIELDS]
    )


def batch_to_json(batch: Batch) -> dict[str, Any]:
    """What `GET /v1/network/batches/{index}` publishes: header, all leaves, decisions as text."""
    return {
        "header": header_to_json(batch.header),
        "jobs": [leaf.to_json() for leaf in batch.jobs],
        "debits": [leaf.to_json() for leaf in batch.debits],
        "credits": [leaf.to_json() for leaf in batch.credits],
        "decisions": [decision.decode() for decision in batch.decisions],
    }


def batch_from_json(value: object, path: str = "batch") -> Batch:
    """Strict, bounded inverse of `batch_to_json`. Shape only: `audit` says whether it adds up."""
    got = json_object(value, _BATCH_KEYS, path)
    jobs = json_list(got["jobs"], MAX_JOBS, f"{path}.jobs")
    debits = json_list(got["debits"], MAX_TOTALS, f"{path}.debits")
    credits = json_list(got["credits"], MAX_TOTALS, f"{path}.credits")
    texts = json_list(got["decisions"], MAX_JOBS, f"{path}.decisions")
    debit_leaves = tuple(
        DebitLeaf.from_json(d, f"{path}.debits[{i}]") for i, d in enumerate(debits)
    )
    credit_leaves = tuple(
        CreditLeaf.from_json(c, f"{path}.credits[{i}]") for i, c in enumerate(credits)
    )
    return Batch(
        header_from_json(got["header"], f"{path}.header"),
        tuple(JobLeaf.from_json(j, f"{path}.jobs[{i}]") for i, j in enumerate(jobs)),
        debit_leaves,
        credit_leaves,
        tuple(
            json_text(t, MAX_DECISION, f"{path}.decisions[{i}]").encode()
            for i, t in enumerate(texts)
        ),
        Totals.of(debit_leaves, credit_leaves),
    )


def audit(
    batch: Batch,
    committed: BatchHeader,
    previous: Totals,
    *,
    router_fee_bps: int = ROUTER_FEE_BPS,
    protocol_fee_bps: int = PROTOCOL_FEE_BPS,
) -> list[Fault]:
    """`verify_batch` of a published batch against the header the chain has."""
    return verify_batch(
        committed,
        batch.jobs,
        batch.debits,
        batch.credits,
        previous,
        decisions=batch.decisions,
        router_fee_bps=router_fee_bps,
        protocol_fee_bps=protocol_fee_bps,
    )
