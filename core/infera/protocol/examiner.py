"""The examiner of batches in Python: what `contracts/src/court/BatchExaminer.sol` would find.

A node looks here first, for nothing; only what shows a fault is worth a transaction. Each function
is the twin of the contract's of the same name: same finding, and `NoEvidenceError` where the
contract refuses to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infera.errors import ProtocolError
from infera.protocol import evidence as law
from infera.protocol.abi import ZERO_ADDRESS
from infera.protocol.evidence import (
    BatchFault,
    Conviction,
    Evidence,
    JobProof,
    RowProof,
    RowsProof,
    RunProof,
    Tree,
)
from infera_ext import verify_multiproof, verify_proof

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infera.protocol.eip712 import Domain
    from infera.protocol.messages import JobReceipt, JobTicket, KeyGrant
    from infera.types import Address, BatchHeader


class NoEvidenceError(ProtocolError):
    """What is shown does not fit the batches that stand: it says nothing either way."""

    code = "no_evidence"


@dataclass(frozen=True, slots=True)
class Examiner:
    """Looks at evidence against one router's batches, given their headers by index."""

    router: Address
    domain: Domain
    batches: Mapping[int, BatchHeader]

    def examine(self, evidence: Evidence) -> Conviction:
        """What the evidence shows; fault `NONE` if nothing is wrong. Raises `NoEvidenceError`."""
        if evidence.router != self.router:
            raise NoEvidenceError("the evidence is about another router")
        try:
            return _FUNCTIONS[evidence.function](self, *evidence.arguments)
        except ValueError as error:
            raise NoEvidenceError(str(error)) from None

    # -- leaves

    def pair(self, earlier: JobProof, later: JobProof) -> Conviction:
        self._leaf(earlier)
        self._leaf(later)
        if (later.batch, later.position) <= (earlier.batch, earlier.position):
            raise NoEvidenceError("the jobs are not in this order")
        fault = law.of_pair(earlier.leaf, later.leaf)
        return self._found(later.batch, fault, later.leaf.account)

    def run(self, tree: Tree, run: RunProof) -> Conviction:
        self._run(run)
        first, last = run.leaves[0], run.leaves[-1]
        key = law.key_of(tree, first)
        alone = all(law.key_of(tree, leaf) != key for leaf in run.leaves[1:-1])
        if len(run.leaves) == 1 or law.key_of(tree, last) != key or not alone:
            raise NoEvidenceError("the run does not go from one job of a key to its next")
        sound = law.follows(tree, law.total_of(tree, first), last)
        return self._found(run.batch, _unless(sound, law.of_total(tree)), last.account)

    def head(self, tree: Tree, run: RunProof, before: Sequence[RowProof]) -> Conviction:
        self._run(run)
        last = run.leaves[-1]
        key = law.key_of(tree, last)
        if run.position != 0 or any(law.key_of(tree, leaf) == key for leaf in run.leaves[:-1]):
            raise NoEvidenceError("the run does not go from the start to the first job of a key")
        start = self._total_before(tree, key, run.batch, before)
        sound = law.follows(tree, start, last)
        return self._found(run.batch, _unless(sound, law.of_total(tree)), last.account)

    def tail(self, tree: Tree, run: RunProof, row: RowProof) -> Conviction:
        header = self._run(run)
        self._row(tree, row)
        first = run.leaves[0]
        key = law.key_of(tree, first)
        if (
            run.position + len(run.leaves) != header.count
            or any(law.key_of(tree, leaf) == key for leaf in run.leaves[1:])
            or (row.batch, row.row.key) != (run.batch, key)
        ):
            raise NoEvidenceError("the run does not go from the last job of the row's key")
        sound = law.total_of(tree, first) == row.row.total
        return self._found(run.batch, _unless(sound, law.of_row(tree)), first.account)

    # -- rows

    def row(self, tree: Tree, job: JobProof, row: RowProof) -> Conviction:
        self._leaf(job)
        self._row(tree, row)
        if law.key_of(tree, job.leaf) != row.row.key:
            raise NoEvidenceError("the row is not the job's")
        if row.batch < job.batch:
            sound = not law.shrank(tree, row.row.total, job.leaf)
            fault = _unless(sound, law.of_total(tree))
            return self._found(job.batch, fault, job.leaf.account)
        sound = row.row.total >= law.total_of(tree, job.leaf)
        return self._found(row.batch, _unless(sound, law.of_row(tree)), job.leaf.account)

    def rows(self, tree: Tree, earlier: RowProof, later: RowProof) -> Conviction:
        self._row(tree, earlier)
        self._row(tree, later)
        fault, old, new = BatchFault.NONE, earlier.row, later.row
        if earlier.batch == later.batch:
            if earlier.position < later.position and old.key >= new.key:
                fault = BatchFault.ORDER
        elif earlier.batch < later.batch and old.key == new.key:
            less = new.total < old.total
            if tree is Tree.DEBITS:
                less |= new.router_fees < old.router_fees
                less |= new.protocol_fees < old.protocol_fees
            fault = _unless(not less, law.of_row(tree))
        return self._found(later.batch, fault, ZERO_ADDRESS)

    def missing(
        self, tree: Tree, job: JobProof, batch: int, around: Sequence[RowProof]
    ) -> Conviction:
        self._leaf(job)
        if batch < job.batch:
            raise NoEvidenceError("a row is missed only from the job's own batch on")
        self._require_absent(tree, law.key_of(tree, job.leaf), batch, around)
        return self._found(batch, BatchFault.MISSING, job.leaf.account)

    # -- sums

    def sum(self, tree: Tree, rows: RowsProof) -> Conviction:
        header = self._header(rows.batch)
        root, count = _root(header, tree)
        data = [row.encode(tree) for row in rows.rows]
        self._require_all(root, data, rows.position, count, rows.siblings)
        whole = len(rows.rows) == count
        total = sum(row.total for row in rows.rows)
        fees = sum(row.router_fees + row.protocol_fees for row in rows.rows)
        if tree is Tree.DEBITS:
            wrong = _misses(total, header.debited, whole)
            wrong |= _misses(fees, header.debited - header.credited, whole)
        else:
            wrong = _misses(total, header.credited, whole)
        return self._found(rows.batch, _unless(not wrong, BatchFault.SUM), ZERO_ADDRESS)

    def costs(self, run: RunProof) -> Conviction:
        header = self._run(run)
        total = sum(leaf.cost for leaf in run.leaves)
        grown = header.debited
        if run.batch:
            grown -= self._header(run.batch - 1).debited
        wrong = _misses(total, grown, len(run.leaves) == header.count)
        return self._found(run.batch, _unless(not wrong, BatchFault.SUM), run.leaves[0].account)

    def tier(self, job: JobProof) -> Conviction:
        header = self._leaf(job)
        named = job.leaf.tier < 8 and bool(header.tiers & 1 << job.leaf.tier)
        return self._found(job.batch, _unless(named, BatchFault.TIER), job.leaf.account)

    # -- messages

    def ticket(self, job: JobProof, ticket: JobTicket) -> Conviction:
        self._leaf(job)
        _require_digest(ticket.digest(self.domain), job.leaf.ticket)
        fault = law.of_ticket(self.router, job.leaf, ticket)
        return self._found(job.batch, fault, job.leaf.account)

    def cost(self, job: JobProof, ticket: JobTicket, receipt: JobReceipt) -> Conviction:
        self._leaf(job)
        _require_digest(ticket.digest(self.domain), job.leaf.ticket)
        _require_digest(receipt.digest(self.domain), job.leaf.receipt)
        fault = law.of_cost(job.leaf, ticket, receipt)
        return self._found(job.batch, fault, job.leaf.account)

    def grant(self, job: JobProof, ticket: JobTicket, grant: KeyGrant) -> Conviction:
        self._leaf(job)
        _require_digest(ticket.digest(self.domain), job.leaf.ticket)
        _require_digest(grant.digest(self.domain), ticket.grant)
        return self._found(job.batch, law.of_grant(ticket, grant), job.leaf.account)

    # -- proofs

    def _found(self, batch: int, fault: BatchFault, harmed: Address) -> Conviction:
        return Conviction(self.router, batch, fault, harmed)

    def _header(self, batch: int) -> BatchHeader:
        header = self.batches.get(batch)
        if header is None:
            raise NoEvidenceError(f"the router has no batch {batch}")
        return header

    def _leaf(self, job: JobProof) -> BatchHeader:
        header = self._header(job.batch)
        shown = (job.leaf.encode(), job.position, header.count, job.siblings)
        if not verify_proof(header.jobs_root, *shown):
            raise NoEvidenceError(f"job {job.position} is not in batch {job.batch}")
        return header

    def _run(self, run: RunProof) -> BatchHeader:
        header = self._header(run.batch)
        data = [leaf.encode() for leaf in run.leaves]
        self._require_all(header.jobs_root, data, run.position, header.count, run.siblings)
        return header

    def _row(self, tree: Tree, row: RowProof) -> None:
        root, count = _root(self._header(row.batch), tree)
        if not verify_proof(root, row.row.encode(tree), row.position, count, row.siblings):
            raise NoEvidenceError(f"row {row.position} is not in batch {row.batch}")

    def _require_all(
        self, root: bytes, data: Sequence[bytes], first: int, count: int, siblings: Sequence[bytes]
    ) -> None:
        places = range(first, first + len(data))
        if not verify_multiproof(root, data, places, count, siblings):
            raise NoEvidenceError("the leaves are not next to each other in the batch")

    def _total_before(self, tree: Tree, key: bytes, batch: int, before: Sequence[RowProof]) -> int:
        if batch == 0:
            return 0
        if len(before) == 1 and before[0].row.key == key:
            self._row(tree, before[0])
            if before[0].batch != batch - 1:
                raise NoEvidenceError("the row is not the batch before's")
            return before[0].row.total
        self._require_absent(tree, key, batch - 1, before)
        return 0

    def _require_absent(
        self, tree: Tree, key: bytes, batch: int, around: Sequence[RowProof]
    ) -> None:
        _, count = _root(self._header(batch), tree)
        for row in around:
            self._row(tree, row)
        gap = count == 0 and not around
        if all(row.batch == batch for row in around):
            match around:
                case [row]:
                    after = key < row.row.key and row.position == 0
                    gap = after or (row.row.key < key and row.position == count - 1)
                case [left, right]:
                    gap = left.row.key < key < right.row.key
                    gap = gap and left.position + 1 == right.position
        if not gap:
            raise NoEvidenceError("the row's place is not shown to be empty")


_FUNCTIONS: dict[str, Callable[..., Conviction]] = {
    "examinePair": Examiner.pair,
    "examineRun": Examiner.run,
    "examineHead": Examiner.head,
    "examineTail": Examiner.tail,
    "examineRow": Examiner.row,
    "examineRows": Examiner.rows,
    "examineMissing": Examiner.missing,
    "examineSum": Examiner.sum,
    "examineCosts": Examiner.costs,
    "examineTier": Examiner.tier,
    "examineTicket": Examiner.ticket,
    "examineCost": Examiner.cost,
    "examineGrant": Examiner.grant,
}


def _root(header: BatchHeader, tree: Tree) -> tuple[bytes, int]:
    if tree is Tree.DEBITS:
        return header.debits_root, header.grants
    return header.credits_root, header.providers


def _unless(sound: bool, fault: BatchFault) -> BatchFault:
    return BatchFault.NONE if sound else fault


def _misses(total: int, right: int, whole: bool) -> bool:
    """Whether a sum is not what it should be; of some of the terms, whether it is more."""
    return total > right or (whole and total != right)


def _require_digest(digest: bytes, expected: bytes) -> None:
    if digest != expected:
        raise NoEvidenceError("a message is not the one the leaf names")
