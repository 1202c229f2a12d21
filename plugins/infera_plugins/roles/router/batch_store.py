"""The journal's batches: built, committed, applied, and taken back when the chain voids them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import bindparam, delete, func, select, update

from infera.errors import StateError
from infera.protocol.audit import header_from_json, header_to_json
from infera.protocol.batches import Batch, Totals
from infera.protocol.leaves import CreditLeaf, DebitLeaf
from infera.state.tables import BatchState, JobState, batches, jobs, meta

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infera.state import State
    from infera.types import Address, BatchHeader


_PLACE = (
    update(jobs)
    .where(jobs.c.job_id == bindparam("job"))
    .values(state=JobState.BATCHED, batch_index=bindparam("batch"), leaf_index=bindparam("leaf"))
)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch with its cumulative leaves, from which every later proof is made."""

    header: BatchHeader
    debits: tuple[DebitLeaf, ...]
    credits: tuple[CreditLeaf, ...]
    state: BatchState
    tx: bytes | None
    block: int | None
    final_at: int | None

    def whole(self) -> Batch:
        """With trees for debit and credit proofs; the job leaves are not part of it."""
        return Batch(
            self.header, (), self.debits, self.credits, (), Totals.of(self.debits, self.credits)
        )


class BatchStore:
    """The batches of one router, and which jobs are in them."""

    def __init__(self, state: State, router: Address) -> None:
        self._state = state
        self._router = router

    async def save_batch(self, batch: Batch, job_ids: Sequence[bytes]) -> StoredBatch:
        """Write a built batch and its jobs' places, in one transaction."""
        header = batch.header
        row = {
            "router": self._router,
            "batch_index": header.index,
            "header": orjson.dumps(header_to_json(header)).decode(),
            "debits": orjson.dumps([leaf.to_json() for leaf in batch.debits]),
            "credits": orjson.dumps([leaf.to_json() for leaf in batch.credits]),
            "state": BatchState.BUILT,
        }
        places = [
            {"job": job_id, "batch": header.index, "leaf": place}
            for place, job_id in enumerate(job_ids)
        ]
        await self._state.write((batches.insert(), row), (_PLACE, places))
        return StoredBatch(header, batch.debits, batch.credits, BatchState.BUILT, None, None, None)

    async def batch_committed(self, index: int, tx: bytes, block: int, final_at: int) -> None:
        await self._mark(index, state=BatchState.COMMITTED, tx=tx, block=block, final_at=final_at)

    async def batch_applied(self, index: int) -> None:
        await self._mark(index, state=BatchState.APPLIED)

    async def _mark(self, index: int, **values: Any) -> None:
        await self._state.write(
            update(batches)
            .where(batches.c.router == self._router, batches.c.batch_index == index)
            .values(**values)
        )

    async def batch(self, index: int) -> StoredBatch | None:
        return await self._batch(batches.c.batch_index == index)

    async def last_batch(self) -> StoredBatch | None:
        return await self._batch()

    async def uncommitted_batch(self) -> StoredBatch | None:
        """The batch a crash or an absent chain left built but uncommitted: there is at most one."""
        return await self._batch(batches.c.state == BatchState.BUILT)

    async def newest_final(self, now: int) -> StoredBatch | None:
        """The newest committed batch whose challenge window has passed."""
        return await self._batch(batches.c.state != BatchState.BUILT, batches.c.final_at <= now)

    async def newest_applied(self) -> StoredBatch | None:
        return await self._batch(batches.c.state == BatchState.APPLIED)

    async def _batch(self, *where: Any) -> StoredBatch | None:
        async with self._state.read() as conn:
            row = (
                await conn.execute(
                    select(batches)
                    .where(batches.c.router == self._router, *where)
                    .order_by(batches.c.batch_index.desc())
                    .limit(1)
                )
            ).first()
        if row is None:
            return None
        return StoredBatch(
            header_from_json(orjson.loads(row.header)),
            tuple(DebitLeaf.from_json(leaf) for leaf in orjson.loads(row.debits)),
            tuple(CreditLeaf.from_json(leaf) for leaf in orjson.loads(row.credits)),
            BatchState(row.state),
            row.tx,
            row.block,
            row.final_at,
        )

    # -- rollbacks

    async def rollbacks(self) -> set[str]:
        """The rollbacks these books have followed, by their `Rollback.place`."""
        async with self._state.read() as conn:
            known = await conn.scalar(select(meta.c.value).where(meta.c.name == self._followed))
        return set(orjson.loads(known)) if known is not None else set()

    async def unwind(self, index: int, followed: Iterable[str]) -> int:
        """Take the books back to before batch `index`, in one transaction: its jobs, and those of
        all later batches, wait for a batch again. Returns how many batches that were.

        Raises `StateError` if one of them was applied: what is final is never void.
        """
        void = (batches.c.router == self._router, batches.c.batch_index >= index)
        mine = (jobs.c.router == self._router, jobs.c.batch_index >= index)
        async with self._state.begin() as conn:
            applied = await conn.scalar(
                select(func.max(batches.c.batch_index)).where(
                    *void, batches.c.state == BatchState.APPLIED
                )
            )
            if applied is not None:
                raise StateError(
                    f"the chain has voided batch {applied}, whose debits were applied already",
                    hint="is this the chain that the batch was committed on?",
                )
            gone = await conn.execute(delete(batches).where(*void))
            await conn.execute(
                update(jobs)
                .where(*mine)
                .values(state=JobState.DELIVERED, batch_index=None, leaf_index=None)
            )
            await conn.execute(delete(meta).where(meta.c.name == self._followed))
            value = orjson.dumps(sorted(followed)).decode()
            await conn.execute(meta.insert().values(name=self._followed, value=value))
        return gone.rowcount

    @property
    def _followed(self) -> str:
        return f"rollbacks:{self._router}"
