"""Which served jobs are in a batch, as a provider's journal has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import bindparam, func, select, update

from infera.protocol.messages import JobReceipt, JobTicket
from infera.state.tables import served_jobs
from infera.types import FinishReason
from infera_plugins.roles.provider.journal import ServedJob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

    from infera.state import State
    from infera.types import Address

_FROM_BOND = -1
"""`batch_index` of a job that was paid from its router's bond."""

_THIS = (served_jobs.c.provider == bindparam("mine"), served_jobs.c.job_id == bindparam("job"))
_PLACE = update(served_jobs).where(*_THIS).values(batch_index=bindparam("batch"))
_PAID = update(served_jobs).where(*_THIS).values(batch_index=_FROM_BOND, net=0)
_CUT_SHORT = (FinishReason.CANCELLED, FinishReason.ERROR)


class Billing:
    """The served jobs of one provider, and where they were billed."""

    def __init__(self, state: State, provider: Address) -> None:
        self._state = state
        self._provider = provider

    async def routers(self) -> list[Address]:
        """Everyone this provider ever served."""
        async with self._state.read() as conn:
            rows = await conn.execute(
                select(served_jobs.c.router)
                .where(served_jobs.c.provider == self._provider)
                .distinct()
            )
            return [row.router for row in rows]

    async def unbatched(self, router: Address) -> list[tuple[ServedJob, int]]:
        """Jobs of the router that cost something and were seen in no batch, each with what it
        earns.

        A job that the router refused to pay is one of them only if it was delivered to its end:
        one that was cut short may have been given to somebody else.
        """
        query = (
            select(served_jobs)
            .where(
                served_jobs.c.provider == self._provider,
                served_jobs.c.router == router,
                served_jobs.c.batch_index.is_(None),
                served_jobs.c.cost > 0,
            )
            .order_by(served_jobs.c.completed_at)
        )
        async with self._state.read() as conn:
            rows = (await conn.execute(query)).all()
        found = [(_served(row), int(row.net)) for row in rows]
        return [
            (served, net)
            for served, net in found
            if net > 0 or served.receipt.finish_reason not in _CUT_SHORT
        ]

    async def next_batch(self, router: Address) -> int:
        """The first batch of the router that has none of our jobs yet, nor any after it."""
        async with self._state.read() as conn:
            newest = await conn.scalar(
                select(func.max(served_jobs.c.batch_index)).where(
                    served_jobs.c.provider == self._provider, served_jobs.c.router == router
                )
            )
        return 0 if newest is None else int(newest) + 1

    async def place(self, batch: int, jobs: Sequence[bytes]) -> None:
        """These jobs are in that batch."""
        if jobs:
            rows = [{"mine": self._provider, "job": job, "batch": batch} for job in jobs]
            await self._state.write((_PLACE, rows))

    async def paid(self, job: bytes) -> None:
        """The job was paid from its router's bond: no batch owes anything for it."""
        await self._state.write((_PAID, {"mine": self._provider, "job": job}))

    async def unplace(self, router: Address, index: int) -> None:
        """Jobs of the router's batches from `index` on are in no batch any more."""
        await self._state.write(
            update(served_jobs)
            .where(
                served_jobs.c.provider == self._provider,
                served_jobs.c.router == router,
                served_jobs.c.batch_index >= index,
            )
            .values(batch_index=None)
        )

    async def of_ticket(self, ticket: bytes) -> ServedJob | None:
        """The job with this ticket digest. Reads every receipt: for rare questions."""
        text = f'"ticket":"0x{ticket.hex()}"'
        async with self._state.read() as conn:
            row = (
                await conn.execute(
                    select(served_jobs).where(
                        served_jobs.c.provider == self._provider,
                        served_jobs.c.receipt.contains(text, autoescape=True),
                    )
                )
            ).first()
        return None if row is None else _served(row)


def _served(row: Row[Any]) -> ServedJob:
    return ServedJob(
        JobTicket.from_json(orjson.loads(row.ticket)),
        row.ticket_signature,
        JobReceipt.from_json(orjson.loads(row.receipt)),
        row.receipt_signature,
        row.text,
    )
