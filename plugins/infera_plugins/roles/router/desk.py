"""Where receipts end up: checked against their tickets, written down, charged exactly once.

Jobs whose provider was lost wait here with their reservation until the ticket's deadline, because
the provider keeps its receipt and hands it over when it is back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import time
from typing import TYPE_CHECKING, Any

from infera.errors import StateError
from infera.events import JobDelivered, JobFailed
from infera.keys import recover
from infera.protocol.messages import JobReceipt, JobTicket
from infera.protocol.rules import receipt_faults

if TYPE_CHECKING:
    from infera.bus import EventBus
    from infera.protocol.eip712 import Domain
    from infera.services.court import SignedJob
    from infera.types import Address
    from infera_plugins.roles.router.ledger import Ledger, Reservation
    from infera_plugins.roles.router.store import Store

_CLOCK_SKEW_S = 30
_CLOSED = "the job was closed after its deadline, or given to another provider"


@dataclass(slots=True)
class ReceiptDesk:
    """Takes the receipts of all jobs of one router."""

    domain: Domain
    ledger: Ledger
    store: Store
    bus: EventBus
    suspended: dict[bytes, tuple[Reservation, int]] = field(default_factory=dict)
    """Jobs whose provider was lost: the reservation stands until the ticket's deadline, for the
    late receipt.
    """

    def complaint(
        self, ticket: JobTicket, receipt: JobReceipt, signature: bytes, text: str, hot_key: Address
    ) -> str | None:
        """What is wrong with a receipt for this ticket, if anything."""
        if recover(receipt.digest(self.domain), signature) != hot_key:
            return "it is not signed by the provider"
        if receipt.completed_at > time() + _CLOCK_SKEW_S:
            # It would count towards a later day's limit, and keep its content from being dropped.
            return "it comes from the future; check both clocks"
        faults = receipt_faults(ticket, ticket.digest(self.domain), receipt, text)
        return "; ".join(faults) or None

    async def deliver(
        self,
        ticket: JobTicket,
        receipt: JobReceipt,
        signature: bytes,
        text: str,
        reservation: Reservation | None,
    ) -> bool:
        """Write a good receipt down and charge it, once; False if the job is closed."""
        fresh = await self.store.deliver_job(ticket.job_id, receipt, signature, text)
        now = int(time())
        if reservation is not None and not (fresh and reservation.open):
            self.ledger.release(reservation)
        if not fresh:
            return False
        if reservation is not None and reservation.open:
            self.ledger.settle(reservation, receipt.cost, now)
        else:
            self.ledger.charge(self.ledger.grants[ticket.grant], receipt.cost, now)
        self.bus.publish(
            JobDelivered(
                ticket.job_id.hex(),
                ticket.provider,
                receipt.tokens_in,
                receipt.tokens_out,
                receipt.cost,
            )
        )
        return True

    async def late_receipt(
        self, body: dict[str, Any], provider: Address, hot_key: Address
    ) -> str | None:
        """Take the receipt of an interrupted job from a provider that is back; returns the
        complaint, if any.

        Taking one twice is harmless: a provider offers again what was not acknowledged.
        """
        receipt = JobReceipt.from_json(body["receipt"])
        signature = bytes.fromhex(str(body["signature"]).removeprefix("0x"))
        text = str(body["text"])
        job = await self.store.find_job(bytes.fromhex(str(body["job"])))
        if (
            job is None
            or job.ticket.provider != provider
            or job.ticket.digest(self.domain) != receipt.ticket
        ):
            return "this router has no such ticket open with you"
        if job.delivered:
            return None
        if not job.open:
            return _CLOSED
        complaint = self.complaint(job.ticket, receipt, signature, text, hot_key)
        if complaint is not None:
            return complaint
        reservation, deadline = self.suspended.pop(job.ticket.job_id, (None, 0))
        try:
            if await self.deliver(job.ticket, receipt, signature, text, reservation):
                return None
        except StateError:
            if reservation is not None:
                self.suspended[job.ticket.job_id] = (reservation, deadline)
            raise
        again = await self.store.find_job(job.ticket.job_id)
        return None if again is not None and again.delivered else _CLOSED

    async def claimed_receipt(self, ticket: JobTicket, shown: SignedJob) -> bool:
        """Take the receipt of an open job from its claim at the claim desk, where both signatures
        were checked; the text was not part of it. False if the job is closed.
        """
        digest = ticket.digest(self.domain)
        if receipt_faults(ticket, digest, shown.receipt):
            return False
        reservation, deadline = self.suspended.pop(ticket.job_id, (None, 0))
        signature = shown.receipt_signature
        try:
            return await self.deliver(ticket, shown.receipt, signature, "", reservation)
        except StateError:
            if reservation is not None:
                self.suspended[ticket.job_id] = (reservation, deadline)
            raise

    def suspend(self, ticket: JobTicket, reservation: Reservation) -> None:
        """Keep the reservation for a receipt that may come late."""
        self.suspended[ticket.job_id] = (reservation, ticket.deadline)

    async def abandon(self, job_id: bytes, reservation: Reservation) -> None:
        """Close a job that costs nothing; if that cannot be written down now, `expire` will."""
        self.ledger.release(reservation)
        try:
            await self.store.fail_job(job_id)
        except StateError:
            self.suspended[job_id] = (reservation, 0)

    async def expire(self) -> None:
        """Close interrupted jobs whose deadline has passed and give their reservations back."""
        now = int(time())
        for job_id, (reservation, deadline) in list(self.suspended.items()):
            if deadline < now and self.suspended.pop(job_id, None) is not None:
                await self.abandon(job_id, reservation)
                if deadline:
                    reason = "the provider never delivered a receipt"
                    self.bus.publish(JobFailed(job_id.hex(), reason))
