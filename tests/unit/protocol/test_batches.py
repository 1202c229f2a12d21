"""Building, proving and auditing batches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from infera.errors import ProtocolError
from infera.protocol.audit import (
    FaultKind,
    audit,
    batch_from_json,
    batch_to_json,
    header_from_json,
    header_to_json,
)
from infera.protocol.batches import (
    Batch,
    SettledJob,
    Totals,
    build_batch,
    pack_credits,
    pack_debits,
    pack_jobs,
)
from infera.protocol.leaves import CreditLeaf, DebitLeaf
from infera.protocol.pricing import fees
from infera.types import Tier
from infera_ext import keccak256, verify_proof

if TYPE_CHECKING:
    from types import SimpleNamespace


def jobs_of(net: SimpleNamespace, count: int, salt: str = "") -> list[SettledJob]:
    providers = (net.provider.address, net.validator.address)
    return [
        SettledJob(
            keccak256(f"ticket{salt}{i}".encode()),
            keccak256(f"receipt{salt}{i}".encode()),
            net.account.address,
            keccak256(b"grant%d" % (i % 3)),
            providers[i % 2],
            1000 + 333 * i,
            Tier.OPTIMISTIC if i % 2 else Tier.TEE,
            b'{"i":%d}' % i,
        )
        for i in range(count)
    ]


@pytest.fixture
def two(net: SimpleNamespace) -> tuple[Batch, Batch]:
    """Two batches in a row."""
    first = build_batch(net.router.address, 0, jobs_of(net, 7), Totals())
    second = build_batch(net.router.address, 1, jobs_of(net, 5, "b"), first.totals)
    return first, second


def test_an_honest_batch_adds_up(two: tuple[Batch, Batch]) -> None:
    first, second = two
    assert audit(first, first.header, Totals()) == []
    assert audit(second, second.header, first.totals) == []
    assert (first.header.count, first.header.grants, first.header.providers) == (7, 3, 2)
    assert first.header.tiers == (1 << Tier.TEE) | (1 << Tier.OPTIMISTIC)


def test_totals_are_cumulative_and_conserved(
    net: SimpleNamespace, two: tuple[Batch, Batch]
) -> None:
    first, second = two
    costs = [job.cost for job in (*jobs_of(net, 7), *jobs_of(net, 5, "b"))]
    header = second.header
    assert header.debited == sum(costs) == header.credited + header.fees
    assert header.fees == sum(fees(c).router + fees(c).protocol for c in costs)
    assert second.totals == Totals.of(second.debits, second.credits)
    assert first.header.debited < header.debited


def test_every_row_is_proven(two: tuple[Batch, Batch]) -> None:
    _, batch = two
    for i in range(5):
        leaf, proof = batch.prove_job(i)
        assert verify_proof(batch.header.jobs_root, leaf.encode(), i, 5, proof.siblings)
    for debit in batch.debits:
        row, proof = batch.prove_debit(debit.grant)
        assert verify_proof(
            batch.header.debits_root, row.encode(), proof.index, proof.count, proof.siblings
        )
    for credit in batch.credits:
        line, proof = batch.prove_credit(credit.provider)
        assert verify_proof(
            batch.header.credits_root, line.encode(), proof.index, proof.count, proof.siblings
        )
    with pytest.raises(KeyError):
        batch.prove_debit(b"\0" * 32)


def test_packing_is_the_abi_encoding(two: tuple[Batch, Batch]) -> None:
    batch, _ = two
    assert pack_jobs(batch.jobs) == b"".join(leaf.encode() for leaf in batch.jobs)
    assert pack_debits(batch.debits) == b"".join(leaf.encode() for leaf in batch.debits)
    assert pack_credits(batch.credits) == b"".join(leaf.encode() for leaf in batch.credits)


def test_the_published_form_round_trips(two: tuple[Batch, Batch]) -> None:
    _, batch = two
    text = orjson.dumps(batch_to_json(batch))
    assert batch_from_json(orjson.loads(text)) == batch
    assert header_from_json(header_to_json(batch.header)) == batch.header


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b.pop("debits"),
        lambda b: b.update(extra=1),
        lambda b: b.update(jobs={}),
        lambda b: b["jobs"].append(5),
        lambda b: b["jobs"][0].update(cost=-1),
        lambda b: b["header"].update(count="5"),
        lambda b: b["header"].update(debited=1 << 128),
        lambda b: b["decisions"].append(5),
        lambda b: b["decisions"].append("x" * 20_000),
    ],
)
def test_a_malformed_published_batch_is_refused(two: tuple[Batch, Batch], spoil: Any) -> None:
    body = orjson.loads(orjson.dumps(batch_to_json(two[1])))
    spoil(body)
    with pytest.raises(ProtocolError):
        batch_from_json(body)


def forged_leaf(batch: Batch, index: int, **change: Any) -> Batch:
    jobs = list(batch.jobs)
    jobs[index] = replace(jobs[index], **change)
    return replace(batch, jobs=tuple(jobs))


def kinds(batch: Batch, previous: Totals, **header: Any) -> set[FaultKind]:
    return {f.kind for f in audit(batch, replace(batch.header, **header), previous)}


def test_each_lie_is_found(two: tuple[Batch, Batch]) -> None:
    first, batch = two
    before = first.totals
    zero = b"\0" * 32
    for field in ("jobs_root", "debits_root", "credits_root", "decisions_root"):
        assert kinds(batch, before, **{field: zero}) == {FaultKind.ROOT}
    for field in ("count", "grants", "providers"):
        assert kinds(batch, before, **{field: 99}) == {FaultKind.COUNT}
    for field in ("debited", "credited", "fees"):
        assert kinds(batch, before, **{field: 1}) == {FaultKind.TOTALS}
    assert kinds(batch, before, tiers=0) == {FaultKind.TIERS}
    assert FaultKind.DEBIT in kinds(batch, Totals())
    assert FaultKind.GRANT_TOTAL in kinds(batch, Totals())
    swapped = replace(batch, debits=batch.debits[::-1], credits=batch.credits[::-1])
    assert kinds(swapped, before) == {FaultKind.ROOT, FaultKind.ORDER}
    assert FaultKind.DUPLICATE in kinds(forged_leaf(batch, 1, ticket=batch.jobs[0].ticket), before)


def test_one_wrong_running_total_is_one_fault(two: tuple[Batch, Batch]) -> None:
    first, batch = two
    row = batch.jobs[3]
    forged = forged_leaf(batch, 3, grant_total=row.grant_total + 10)
    faults = [f for f in audit(forged, batch.header, first.totals) if f.kind != FaultKind.ROOT]
    assert [(f.kind, f.index) for f in faults] == [(FaultKind.GRANT_TOTAL, 3)]
    forged = forged_leaf(batch, 0, provider_total=row.provider_total + 10)
    found = [
        f.index
        for f in audit(forged, batch.header, first.totals)
        if f.kind == FaultKind.PROVIDER_TOTAL
    ]
    assert found == [0, 2]  # the lie, and the leaf that no longer follows from it


def test_invented_and_hidden_rows_are_found(two: tuple[Batch, Batch]) -> None:
    first, batch = two
    for change in (
        {"debits": batch.debits[1:]},
        {"debits": (*batch.debits, DebitLeaf(b"\xff" * 32, 1, 0, 0))},
        {"debits": (replace(batch.debits[0], router_fees=0), *batch.debits[1:])},
    ):
        assert FaultKind.DEBIT in kinds(replace(batch, **change), first.totals)
    thief = CreditLeaf("0x" + "0" * 39 + "1", 5)
    for change in (
        {"credits": batch.credits[1:]},
        {"credits": (thief, *batch.credits)},
        {"credits": (replace(batch.credits[0], credited=1), *batch.credits[1:])},
    ):
        assert FaultKind.CREDIT in kinds(replace(batch, **change), first.totals)


def test_what_is_no_batch_is_refused(net: SimpleNamespace) -> None:
    jobs = jobs_of(net, 2)
    with pytest.raises(ProtocolError, match="1 to"):
        build_batch(net.router.address, 0, [], Totals())
    with pytest.raises(ProtocolError, match="twice"):
        build_batch(net.router.address, 0, [jobs[0], jobs[0]], Totals())
    for change in ({"ticket": b"x"}, {"cost": 1 << 64}, {"cost": -5}, {"account": "0x12"}):
        with pytest.raises(ProtocolError):
            build_batch(net.router.address, 0, [replace(jobs[0], **change)], Totals())
