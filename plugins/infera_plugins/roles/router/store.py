"""The router's journal: every SQL statement about jobs, grants and names is here, those about
batches are in `batch_store`.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import time, time_ns
from typing import TYPE_CHECKING, Any, cast

import anyio.to_thread
import orjson
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from infera.errors import ProtocolError, RequestError
from infera.protocol.batches import SettledJob
from infera.protocol.jobs import request_from_json
from infera.protocol.messages import JobReceipt, JobTicket, KeyGrant
from infera.state.tables import JobState, grants, jobs, meta
from infera_plugins.roles.router.batch_store import BatchStore

if TYPE_CHECKING:
    from sqlalchemy import Executable, Row

    from infera.protocol.eip712 import Domain
    from infera.state import State
    from infera.types import Address, JobRequest


_SEQUENCE_BITS = 10
"""Tickets a millisecond that the clock leaves room for: a thousand."""

_INLINE = 32
"""Rows that are turned into values on the spot; more go to a worker thread."""

# The statements of the request path, built once: SQLAlchemy then only fills in values.
_DONE = (
    "text",
    "finish",
    "receipt",
    "receipt_signature",
    "cost",
    "completed_at",
)
_WAITING = (jobs.c.job_id == bindparam("job"), jobs.c.state == JobState.DISPATCHED)
_DELIVER = (
    update(jobs)
    .where(*_WAITING)
    .values(
        state=JobState.DELIVERED,
        **{name: bindparam(name) for name in _DONE},
    )
)
_FAIL = (
    update(jobs)
    .where(*_WAITING)
    .values(state=JobState.FAILED, idempotency_key=None, completed_at=bindparam("completed_at"))
)


def _open_job(dialect: Any) -> Executable:
    """A job's first ticket is inserted; a later one replaces it."""
    statement = dialect.insert(jobs)
    return cast(
        "Executable",
        statement.on_conflict_do_update(
            index_elements=[jobs.c.job_id],
            set_={
                column.name: statement.excluded[column.name]
                for column in jobs.columns
                if column.name not in (*_DONE, "job_id", "batch_index", "leaf_index")
            },
        ),
    )


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A row of the journal. `receipt` is None until the job is delivered."""

    job_id: bytes
    state: JobState
    ticket: JobTicket
    ticket_signature: bytes
    request_json: Any
    text: str
    receipt: JobReceipt | None
    receipt_signature: bytes
    decision: bytes
    batch_index: int | None
    leaf_index: int | None

    @property
    def request(self) -> JobRequest:
        """What was asked. Raises `ProtocolError` once the content is past its retention."""
        if self.request_json is None:
            raise ProtocolError("this job's content is past its retention and has been dropped")
        return request_from_json(self.request_json)

    @property
    def decision_json(self) -> Any:
        return orjson.loads(self.decision)

    @property
    def open(self) -> bool:
        """Ticketed, and no receipt yet."""
        return self.state is JobState.DISPATCHED

    @property
    def delivered(self) -> bool:
        return self.receipt is not None

    def settled(self, domain: Domain) -> SettledJob:
        """The job as a batch's row."""
        assert self.receipt is not None
        ticket = self.ticket
        return SettledJob(
            ticket=self.receipt.ticket,
            receipt=self.receipt.digest(domain),
            account=ticket.account,
            grant=ticket.grant,
            provider=ticket.provider,
            cost=self.receipt.cost,
            tier=ticket.tier,
            decision=self.decision,
        )


class Store(BatchStore):
    """The journal of one router."""

    def __init__(self, state: State, router: Address) -> None:
        super().__init__(state, router)
        self._sequence = 0
        self._open_job = _open_job(sqlite if state.is_sqlite else postgresql)

    async def load(self) -> None:
        """Continue the ticket sequence where it stopped; it must never go back.

        Two tickets of one number cost a router half its stake, whichever of its keys signed them.
        A database restored from a backup does not know the newest, so no start goes on from less
        than the time, in units that no router uses up.
        """
        async with self._state.read() as conn:
            newest = await conn.scalar(
                select(func.max(jobs.c.sequence)).where(jobs.c.router == self._router)
            )
        self._sequence = max(newest or 0, time_ns() // 1_000_000 << _SEQUENCE_BITS)

    def next_sequence(self) -> int:
        """A number no ticket of this router has had."""
        self._sequence += 1
        return self._sequence

    # -- grants

    async def keep_grant(self, digest: bytes, grant: KeyGrant, signature: bytes) -> None:
        """Remember a grant. Older grants of the key stay: what they owe is debited under them."""
        now = int(time())
        async with self._state.begin() as conn:
            await conn.execute(
                update(grants)
                .where(grants.c.key_hash == grant.key_hash, grants.c.digest != digest)
                .values(ended_at=now)
            )
            known = await conn.scalar(select(grants.c.digest).where(grants.c.digest == digest))
            if known is None:
                await conn.execute(
                    grants.insert().values(
                        digest=digest,
                        key_hash=grant.key_hash,
                        account=grant.account,
                        payload=orjson.dumps(grant.to_json()).decode(),
                        signature=signature,
                        generation=grant.generation,
                        registered_at=now,
                    )
                )

    async def all_grants(self) -> list[tuple[bytes, KeyGrant, bytes]]:
        """Every grant, replaced ones first, so that adding them in order leaves the current one
        in force.
        """
        async with self._state.read() as conn:
            rows = await conn.execute(
                select(grants.c.digest, grants.c.payload, grants.c.signature).order_by(
                    grants.c.ended_at.is_(None), grants.c.registered_at
                )
            )
            return [
                (r.digest, KeyGrant.from_json(orjson.loads(r.payload)), r.signature)
                for r in rows
                if self._router in orjson.loads(r.payload)["routers"]
            ]

    async def spending(self, day_start: int) -> list[tuple[bytes, int, int]]:
        """(grant, charged ever, charged since `day_start`) in micro-USDC, for every grant that
        was charged.
        """
        charged = func.sum(jobs.c.cost)
        today = func.sum(jobs.c.cost).filter(jobs.c.completed_at >= day_start)
        async with self._state.read() as conn:
            rows = await conn.execute(
                select(jobs.c.grant_digest, charged, func.coalesce(today, 0))
                .where(jobs.c.router == self._router, jobs.c.cost.is_not(None))
                .group_by(jobs.c.grant_digest)
            )
            return [(r[0], int(r[1]), int(r[2])) for r in rows]

    # -- jobs

    async def open_job(
        self,
        ticket: JobTicket,
        signature: bytes,
        request: bytes,
        idempotency_key: str | None,
        decision: dict[str, Any],
    ) -> None:
        """Write a ticket down before it is sent; a later ticket for the same job replaces it."""
        values = {
            "router": self._router,
            "sequence": ticket.sequence,
            "account": ticket.account,
            "grant_digest": ticket.grant,
            "provider": ticket.provider,
            "model_id": ticket.model_id,
            "tier": int(ticket.tier),
            "state": JobState.DISPATCHED,
            "request": request,
            "ticket": orjson.dumps(ticket.to_json()).decode(),
            "ticket_signature": signature,
            "reserved": ticket.max_cost,
            "idempotency_key": idempotency_key,
            "decision": orjson.dumps(decision, option=orjson.OPT_SORT_KEYS).decode(),
            "created_at": ticket.issued_at,
        }
        try:
            await self._state.write((self._open_job, {"job_id": ticket.job_id, **values}))
        except IntegrityError:
            raise RequestError(
                "A request with this Idempotency-Key is being processed or is done.",
                code="idempotency_in_progress",
                status=409,
            ) from None

    async def deliver_job(
        self, job_id: bytes, receipt: JobReceipt, signature: bytes, text: str
    ) -> bool:
        """Keep a job's receipt; False if the job is not open, and so must not be charged."""
        row = {
            "job": job_id,
            "text": text,
            "finish": int(receipt.finish_reason),
            "receipt": orjson.dumps(receipt.to_json()).decode(),
            "receipt_signature": signature,
            "cost": receipt.cost,
            "completed_at": receipt.completed_at,
        }
        return await self._state.write((_DELIVER, row)) == 1

    async def fail_job(self, job_id: bytes) -> None:
        """Close a job that costs nothing; its idempotency key may be used again."""
        await self._state.write((_FAIL, {"job": job_id, "completed_at": int(time())}))

    async def find_job(self, job_id: bytes) -> StoredJob | None:
        return await self._one(jobs.c.job_id == job_id)

    async def idempotent(self, account: Address, key: str) -> StoredJob | None:
        return await self._one(jobs.c.account == account, jobs.c.idempotency_key == key)

    async def open_jobs(self) -> list[StoredJob]:
        """Jobs without a receipt, left by an earlier run."""
        return await self._many(select(jobs).where(jobs.c.state == JobState.DISPATCHED))

    async def delivered_jobs(self, limit: int) -> list[StoredJob]:
        """Delivered and in no batch yet, in ticket order."""
        return await self._many(
            select(jobs)
            .where(jobs.c.state == JobState.DELIVERED)
            .order_by(jobs.c.sequence)
            .limit(limit)
        )

    async def batch_jobs(self, index: int, start: int, limit: int) -> list[StoredJob]:
        return await self._many(
            select(jobs)
            .where(jobs.c.batch_index == index)
            .order_by(jobs.c.leaf_index)
            .offset(start)
            .limit(limit)
        )

    async def forget_content(self, before: int) -> None:
        """Drop prompts' and answers' idempotency hold past their retention; receipts and hashes
        stay for ever.
        """
        await self._state.write(
            update(jobs)
            .where(
                jobs.c.router == self._router,
                jobs.c.batch_index.is_not(None),
                jobs.c.completed_at < before,
                jobs.c.text.is_not(None),
            )
            .values(text=None, request=b"", idempotency_key=None)
        )

    async def job_of_receipt(self, ticket: bytes) -> StoredJob | None:
        """The delivered job with this ticket digest. Reads every receipt: for rare questions."""
        text = f'"ticket":"0x{ticket.hex()}"'
        return await self._one(jobs.c.receipt.contains(text, autoescape=True))

    async def _one(self, *where: Any) -> StoredJob | None:
        found = await self._many(select(jobs).where(*where))
        return found[0] if found else None

    async def _many(self, statement: Any) -> list[StoredJob]:
        async with self._state.read() as conn:
            rows = (await conn.execute(statement.where(jobs.c.router == self._router))).all()
        if len(rows) <= _INLINE:
            return [_job(row) for row in rows]
        # A full batch takes most of a second to read: the request path must not wait for it.
        return await anyio.to_thread.run_sync(lambda: [_job(row) for row in rows])

    # -- model names

    async def pin_model(self, name: str, model_id: bytes) -> bytes:
        """The id this name stands for with this router: the first one offered, for good."""
        key = f"model:{self._router}:{name}"
        async with self._state.begin() as conn:
            known = await conn.scalar(select(meta.c.value).where(meta.c.name == key))
            if known is None:
                await conn.execute(meta.insert().values(name=key, value=model_id.hex()))
                return model_id
        return bytes.fromhex(known)


def _job(row: Row[Any]) -> StoredJob:
    return StoredJob(
        job_id=row.job_id,
        state=JobState(row.state),
        ticket=JobTicket.from_json(orjson.loads(row.ticket)),
        ticket_signature=row.ticket_signature,
        request_json=orjson.loads(row.request) if row.request else None,
        text=row.text or "",
        receipt=JobReceipt.from_json(orjson.loads(row.receipt)) if row.receipt else None,
        receipt_signature=row.receipt_signature or b"",
        decision=(row.decision or "null").encode(),
        batch_index=row.batch_index,
        leaf_index=row.leaf_index,
    )
