"""What a provider must never lose: the receipts it signed, until routers have acknowledged and
paid them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import bindparam, func, select, update

from infera.protocol.messages import JobReceipt, JobTicket
from infera.protocol.pricing import fees
from infera.state.tables import served_jobs

if TYPE_CHECKING:
    from infera.state import State
    from infera.types import Address


_KEEP = served_jobs.insert()
_THIS = (served_jobs.c.provider == bindparam("mine"), served_jobs.c.job_id == bindparam("job"))
_ACKNOWLEDGE = update(served_jobs).where(*_THIS).values(acked=True, text="")
_WRITE_OFF = update(served_jobs).where(*_THIS).values(acked=True, text="", net=0)


@dataclass(frozen=True, slots=True)
class ServedJob:
    """A finished job with both signatures: all it takes to be paid for it."""

    ticket: JobTicket
    ticket_signature: bytes
    receipt: JobReceipt
    receipt_signature: bytes
    text: str

    def to_json(self) -> dict[str, Any]:
        """The body of a `receipt` query."""
        return {
            "job": self.ticket.job_id.hex(),
            "receipt": self.receipt.to_json(),
            "signature": self.receipt_signature.hex(),
            "text": self.text,
        }


class Journal:
    """The served jobs of one provider."""

    def __init__(self, state: State, provider: Address) -> None:
        self._state = state
        self._mine = served_jobs.c.provider == provider
        self._provider = provider

    async def keep(self, served: ServedJob) -> None:
        """Write a receipt down before it leaves this machine."""
        ticket, receipt = served.ticket, served.receipt
        row = {
            "provider": self._provider,
            "job_id": ticket.job_id,
            "router": ticket.router,
            "ticket": orjson.dumps(ticket.to_json()).decode(),
            "ticket_signature": served.ticket_signature,
            "receipt": orjson.dumps(receipt.to_json()).decode(),
            "receipt_signature": served.receipt_signature,
            "text": served.text,
            "cost": receipt.cost,
            "net": fees(receipt.cost).provider,
            "completed_at": receipt.completed_at,
            "acked": False,
        }
        await self._state.write((_KEEP, row))

    async def acknowledge(self, job_id: bytes) -> None:
        """The router has the receipt; the answer's text is no longer needed here."""
        await self._state.write((_ACKNOWLEDGE, {"mine": self._provider, "job": job_id}))

    async def write_off(self, job_id: bytes) -> None:
        """The router will not pay for this one: it no longer counts as owed. The receipt stays."""
        await self._state.write((_WRITE_OFF, {"mine": self._provider, "job": job_id}))

    async def unacknowledged(self, router: Address, before: int | None) -> list[ServedJob]:
        """Receipts the router has not confirmed, completed before that second (None: all)."""
        query = select(served_jobs).where(
            self._mine, served_jobs.c.router == router, served_jobs.c.acked.is_(False)
        )
        if before is not None:
            query = query.where(served_jobs.c.completed_at < before)
        async with self._state.read() as conn:
            rows = await conn.execute(query)
            return [
                ServedJob(
                    JobTicket.from_json(orjson.loads(r.ticket)),
                    r.ticket_signature,
                    JobReceipt.from_json(orjson.loads(r.receipt)),
                    r.receipt_signature,
                    r.text,
                )
                for r in rows
            ]

    async def earned(self, router: Address) -> int:
        """Net micro-USDC of every job ever served for this router."""
        async with self._state.read() as conn:
            total = await conn.scalar(
                select(func.sum(served_jobs.c.net)).where(
                    self._mine, served_jobs.c.router == router
                )
            )
        return int(total or 0)
