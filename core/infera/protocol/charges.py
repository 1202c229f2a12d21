"""What a batch can be charged with: every piece of evidence its published leaves give away.

The heavier faults come first, and of one fault the cheaper evidence. Whatever is yielded shows a
fault (`infera.protocol.examiner` agrees); that nothing is yielded says only that nothing within
reach of one transaction is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from infera.protocol.evidence import (
    BatchFault,
    Evidence,
    Tree,
    around,
    follows,
    job_proof,
    key_of,
    of_cost,
    of_grant,
    of_ticket,
    row_proof,
    rows_of,
    rows_proof,
    run_proof,
    shrank,
    total_of,
    tree_row,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infera.protocol.batches import Batch
    from infera.protocol.evidence import TreeRow
    from infera.protocol.messages import JobReceipt, JobTicket, KeyGrant

LONGEST = 1_000
"""Leaves or rows in one piece of evidence: about 9,000 gas each, so 9 of a block's 30 million."""


@dataclass
class _Side:
    """One cumulative tree of the batch and of the one before."""

    tree: Tree
    batch: Batch
    previous: Batch | None
    rows: dict[bytes, int] = field(init=False)
    before: dict[bytes, int] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = self._places(self.batch)
        self.before = self._places(self.previous)

    def _places(self, batch: Batch | None) -> dict[bytes, int]:
        rows = rows_of(batch, self.tree)[0] if batch is not None else ()
        return {tree_row(row).key: place for place, row in enumerate(rows)}

    def row(self, key: bytes) -> TreeRow:
        return tree_row(rows_of(self.batch, self.tree)[0][self.rows[key]])

    def row_before(self, key: bytes) -> TreeRow:
        assert self.previous is not None
        return tree_row(rows_of(self.previous, self.tree)[0][self.before[key]])


def charges(batch: Batch, previous: Batch | None) -> Iterator[Evidence]:
    """Evidence against a batch whose leaves are those under its header's roots.

    `previous` is the batch before, None where there is none. Both must be what was committed.
    """
    yield from _jobs(batch)
    for tree in Tree:
        side = _Side(tree, batch, previous)
        yield from _totals(side)
        yield from _rows(side)
        yield from _absent(side)
    yield from _sums(batch, previous)


def charges_of_messages(
    batch: Batch,
    position: int,
    ticket: JobTicket,
    receipt: JobReceipt | None = None,
    grant: KeyGrant | None = None,
) -> Iterator[Evidence]:
    """Evidence that a job and the messages its leaf names contradict each other."""
    router, job = batch.header.router, job_proof(batch, position)
    if of_ticket(router, job.leaf, ticket) is not BatchFault.NONE:
        yield Evidence(router, "examineTicket", (job, ticket))
    if receipt is not None and of_cost(job.leaf, ticket, receipt) is not BatchFault.NONE:
        yield Evidence(router, "examineCost", (job, ticket, receipt))
    if grant is not None and of_grant(ticket, grant) is not BatchFault.NONE:
        yield Evidence(router, "examineGrant", (job, ticket, grant))


def _jobs(batch: Batch) -> Iterator[Evidence]:
    """Tickets that are there twice, and tiers that the header does not name."""
    router, seen = batch.header.router, dict[bytes, int]()
    for place, leaf in enumerate(batch.jobs):
        first = seen.setdefault(leaf.ticket, place)
        if first != place:
            pair = job_proof(batch, first), job_proof(batch, place)
            yield Evidence(router, "examinePair", pair)
        if not batch.header.tiers & 1 << leaf.tier:
            yield Evidence(router, "examineTier", (job_proof(batch, place),))


def _totals(side: _Side) -> Iterator[Evidence]:
    """Running totals, each against the job before it, else the batch before; and the last of each
    against its row.
    """
    batch, tree, router = side.batch, side.tree, side.batch.header.router
    newest: dict[bytes, int] = {}
    for place, leaf in enumerate(batch.jobs):
        key = key_of(tree, leaf)
        earlier = newest.get(key)
        newest[key] = place
        if earlier is None:
            yield from _head(side, key, place)
            continue
        before = total_of(tree, batch.jobs[earlier])
        if shrank(tree, before, leaf):
            pair = job_proof(batch, earlier), job_proof(batch, place)
            yield Evidence(router, "examinePair", pair)
        elif not follows(tree, before, leaf) and place - earlier < LONGEST:
            yield Evidence(router, "examineRun", (tree, run_proof(batch, earlier, place)))
    for key, place in newest.items():
        yield from _tail(side, key, place)


def _head(side: _Side, key: bytes, place: int) -> Iterator[Evidence]:
    batch, tree, router = side.batch, side.tree, side.batch.header.router
    leaf, known = batch.jobs[place], key in side.before
    before = side.row_before(key).total if known else 0
    if follows(tree, before, leaf):
        return
    if known and shrank(tree, before, leaf):
        assert side.previous is not None
        row = row_proof(side.previous, tree, side.before[key])
        yield Evidence(router, "examineRow", (tree, job_proof(batch, place), row))
    elif place < LONGEST:
        rows = around(side.previous, tree, key) if side.previous is not None else ()
        yield Evidence(router, "examineHead", (tree, run_proof(batch, 0, place), rows))


def _tail(side: _Side, key: bytes, place: int) -> Iterator[Evidence]:
    batch, tree, router = side.batch, side.tree, side.batch.header.router
    total = total_of(tree, batch.jobs[place])
    if key not in side.rows:
        rows = around(batch, tree, key)
        shown = (tree, job_proof(batch, place), batch.header.index, rows)
        yield Evidence(router, "examineMissing", shown)
        return
    row = row_proof(batch, tree, side.rows[key])
    if row.row.total < total:
        yield Evidence(router, "examineRow", (tree, job_proof(batch, place), row))
    elif row.row.total > total and len(batch.jobs) - place <= LONGEST:
        run = run_proof(batch, place, len(batch.jobs) - 1)
        yield Evidence(router, "examineTail", (tree, run, row))


def _rows(side: _Side) -> Iterator[Evidence]:
    """Rows out of order, and rows that were more in the batch before."""
    batch, tree, router = side.batch, side.tree, side.batch.header.router
    keys = [tree_row(row).key for row in rows_of(batch, tree)[0]]
    for place, (left, right) in enumerate(pairwise(keys)):
        if left >= right:
            pair = row_proof(batch, tree, place), row_proof(batch, tree, place + 1)
            yield Evidence(router, "examineRows", (tree, *pair))
    for key in side.rows.keys() & side.before.keys():
        old, new = side.row_before(key), side.row(key)
        if (
            new.total < old.total
            or new.router_fees < old.router_fees
            or new.protocol_fees < old.protocol_fees
        ):
            assert side.previous is not None
            earlier = row_proof(side.previous, tree, side.before[key])
            later = row_proof(batch, tree, side.rows[key])
            yield Evidence(router, "examineRows", (tree, earlier, later))


def _absent(side: _Side) -> Iterator[Evidence]:
    """Rows that are gone, shown by a job of the batch before."""
    batch, tree, previous = side.batch, side.tree, side.previous
    if previous is None:
        return
    gone = side.before.keys() - side.rows.keys()
    for place, leaf in enumerate(previous.jobs if gone else ()):
        key = key_of(tree, leaf)
        if key in gone:
            gone.discard(key)
            shown = (tree, job_proof(previous, place), batch.header.index, around(batch, tree, key))
            yield Evidence(batch.header.router, "examineMissing", shown)


def _sums(batch: Batch, previous: Batch | None) -> Iterator[Evidence]:
    """The header's sums, against all rows and all jobs."""
    header = batch.header
    wrong = {
        Tree.DEBITS: sum(row.debited for row in batch.debits) != header.debited
        or sum(row.router_fees + row.protocol_fees for row in batch.debits) != header.fees,
        Tree.CREDITS: sum(row.credited for row in batch.credits) != header.credited,
    }
    for tree, found in wrong.items():
        if found and 0 < len(rows_of(batch, tree)[0]) <= LONGEST:
            yield Evidence(header.router, "examineSum", (tree, rows_proof(batch, tree)))
    grown = header.debited - (previous.header.debited if previous is not None else 0)
    if sum(leaf.cost for leaf in batch.jobs) != grown and len(batch.jobs) <= LONGEST:
        run = run_proof(batch, 0, len(batch.jobs) - 1)
        yield Evidence(header.router, "examineCosts", (run,))
