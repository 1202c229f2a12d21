"""What a validator must not forget: the batches it has yet to look at, the verdicts it has given
(so that no leaf is judged twice), and the findings that the chain has yet to be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import and_, delete, func, insert, or_, select

from infera.protocol.leaves import JobLeaf
from infera.services.reputation import Report
from infera.state.tables import audits, findings, verdicts
from infera.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Delete, Insert

    from infera.protocol.messages import Verdict
    from infera.state import State
    from infera.types import Address


@dataclass(frozen=True, slots=True)
class Pending:
    """A committed batch that has not been looked at, and the block it was committed in."""

    router: Address
    batch: int
    block: int


class Journal:
    """The books of one validator."""

    def __init__(self, state: State, validator: Address) -> None:
        self._state = state
        self._validator = validator

    # -- batches to look at

    async def expect(self, pending: Pending) -> None:
        """Write a batch down before its event counts as seen. A batch that is committed again, in
        another block, takes the place of the one before.
        """
        await self._state.write(
            delete(audits).where(self._is(pending)),
            insert(audits).values(
                validator=self._validator,
                router=pending.router,
                batch_index=pending.batch,
                block=pending.block,
            ),
        )

    async def pending(self) -> list[Pending]:
        """Batches left over, in the order they were committed in."""
        query = (
            select(audits)
            .where(audits.c.validator == self._validator)
            .order_by(audits.c.block, audits.c.router, audits.c.batch_index)
        )
        async with self._state.read() as conn:
            return [
                Pending(row.router, row.batch_index, row.block) for row in await conn.execute(query)
            ]

    async def done(self, pending: Pending) -> None:
        """The batch has been looked at; not one that was committed again meanwhile."""
        await self._state.write(
            delete(audits).where(self._is(pending), audits.c.block == pending.block)
        )

    def _is(self, pending: Pending) -> ColumnElement[bool]:
        return and_(
            audits.c.validator == self._validator,
            audits.c.router == pending.router,
            audits.c.batch_index == pending.batch,
        )

    # -- verdicts

    async def has(self, router: Address, batch: int, position: int, leaf: bytes) -> bool:
        """Whether this very leaf (its hash) was judged at this place."""
        async with self._state.read() as conn:
            found = await conn.scalar(
                select(verdicts.c.at).where(
                    *self._place(router, batch, position), verdicts.c.leaf == leaf
                )
            )
        return found is not None

    async def keep(
        self,
        router: Address,
        batch: int,
        position: int,
        verdict: Verdict,
        signature: bytes,
        detail: str,
        report: Report | None = None,
    ) -> None:
        """Write a verdict down and, in the same transaction, what is to be reported. A verdict on a
        leaf that stood there before its batch was voided makes room.
        """
        place = (*self._place(router, batch, position), verdicts.c.leaf != verdict.leaf)
        row = insert(verdicts).values(
            validator=self._validator,
            router=router,
            batch_index=batch,
            leaf_index=position,
            leaf=verdict.leaf,
            outcome=int(verdict.outcome),
            evidence=verdict.evidence,
            detail=detail,
            signature=signature,
            at=int(time()),
        )
        told = () if report is None else self._to_tell(report)
        await self._state.write(delete(verdicts).where(*place), row, *told)

    def _place(self, router: Address, batch: int, position: int) -> tuple[ColumnElement[bool], ...]:
        return (
            verdicts.c.validator == self._validator,
            verdicts.c.router == router,
            verdicts.c.batch_index == batch,
            verdicts.c.leaf_index == position,
        )

    # -- findings to report

    def _to_tell(self, report: Report) -> tuple[Delete, Insert]:
        row = insert(findings).values(
            validator=self._validator,
            router=report.router,
            batch_index=report.batch,
            leaf_index=report.position,
            leaf=orjson.dumps(report.leaf.to_json()).decode(),
            outcome=int(report.outcome),
            leaves=report.count,
            siblings=b"".join(report.siblings),
            at=int(time()),
        )
        return delete(findings).where(self._these([report])), row

    async def untold(self, limit: int) -> list[Report]:
        """The oldest findings that the chain has yet to be told."""
        query = (
            select(findings)
            .where(findings.c.validator == self._validator)
            .order_by(
                findings.c.at, findings.c.router, findings.c.batch_index, findings.c.leaf_index
            )
            .limit(limit)
        )
        async with self._state.read() as conn:
            return [
                Report(
                    router=row.router,
                    batch=row.batch_index,
                    position=row.leaf_index,
                    count=row.leaves,
                    siblings=tuple(
                        row.siblings[i : i + 32] for i in range(0, len(row.siblings), 32)
                    ),
                    leaf=JobLeaf.from_json(orjson.loads(row.leaf), "leaf"),
                    outcome=Outcome(row.outcome),
                )
                for row in await conn.execute(query)
            ]

    async def waiting(self) -> tuple[int, int]:
        """(how many findings wait to be told, UTC seconds of the oldest; zeros if none)."""
        query = select(func.count(), func.min(findings.c.at)).where(
            findings.c.validator == self._validator
        )
        async with self._state.read() as conn:
            count, oldest = (await conn.execute(query)).one()
        return int(count), int(oldest or 0)

    async def told(self, reports: Sequence[Report]) -> None:
        """These need not be told any more."""
        if reports:
            await self._state.write(delete(findings).where(self._these(reports)))

    def _these(self, reports: Sequence[Report]) -> ColumnElement[bool]:
        return and_(
            findings.c.validator == self._validator,
            or_(
                *(
                    and_(
                        findings.c.router == r.router,
                        findings.c.batch_index == r.batch,
                        findings.c.leaf_index == r.position,
                    )
                    for r in reports
                )
            ),
        )
