"""Getting paid for jobs that routers leave out, and answering for those nobody sees a receipt of.

A provider compares what it has served with what its routers commit. What is in no batch once the
claim desk takes claims is claimed there, against a bond: the router then commits the job, pays for
it from its own bond, or is made to and slashed (docs/protocol/claims.md).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from time import time
from typing import TYPE_CHECKING, Any

import anyio

from infera.errors import ChainUnavailableError, InferaError, ProtocolError
from infera.events import CourtActed, usdc
from infera.protocol.abi import json_list
from infera.protocol.batches import MAX_JOBS, pack_jobs
from infera.protocol.jobs import response_hash
from infera.protocol.leaves import JOB_LEAF_SIZE, JobLeaf
from infera.protocol.messages import JobReceipt
from infera.services.court import SignedJob
from infera.types import FinishReason
from infera_ext import merkle_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infera.abc import Chain
    from infera.bus import EventBus
    from infera.operators import Identity
    from infera.protocol.messages import JobTicket
    from infera.services.court import Claim, Court, Terms
    from infera.transport.link import Link
    from infera.types import Address
    from infera_plugins.roles.provider.billing import Billing
    from infera_plugins.roles.provider.journal import ServedJob

_ROUND_S = 30.0


@dataclass(slots=True)
class Claims:
    """One provider's. `smallest` (micro-USDC, net) is what a claim has to be worth."""

    who: Identity
    chain: Chain
    court: Court
    billing: Billing
    bus: EventBus
    smallest: int = 0
    _next: dict[Address, int] = field(default_factory=dict)
    """The first batch of each router that was not read yet."""
    _links: dict[Address, Link] = field(default_factory=dict)
    _rollbacks: dict[Address, set[str]] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    @contextmanager
    def linked(self, router: Address, link: Link) -> Iterator[None]:
        """While the router is connected: its leaves can be asked for."""
        self._links[router] = link
        try:
            yield
        finally:
            if self._links.get(router) is link:
                del self._links[router]

    async def run(self) -> None:
        """Look around now and then, for ever."""
        while True:
            try:
                await self.round()
            except InferaError as error:
                self._say(f"cannot look for missing jobs: {error.message}", once=True)
            await anyio.sleep(_ROUND_S)

    async def round(self) -> None:
        """Find what is in no batch and claim it; close what is due; answer what is asked."""
        terms = await self.court.terms()
        now = await self.chain.timestamp()
        for router in await self.billing.routers():
            await self._follow_rollbacks(router)
            due = await self._due(router, terms, now)
            read = bool(due) and await self._read_batches(router)
            for served, net in await self._due(router, terms, now) if due else ():
                try:
                    await self._look_after(served, net, terms, now, read)
                except ChainUnavailableError:
                    raise
                except InferaError as error:
                    self._say(f"{_name(served)} cannot be claimed: {error.message}", once=True)
        for claim in await self.court.silences(self.who.address):
            await self._speak(claim)

    # -- which jobs are in batches

    async def _due(self, router: Address, terms: Terms, now: int) -> list[tuple[ServedJob, int]]:
        """Jobs that should be in a batch by now, and are in none we have read."""
        return [
            (served, net)
            for served, net in await self.billing.unbatched(router)
            if served.ticket.deadline + terms.inclusion_period_s < now
        ]

    async def _follow_rollbacks(self, router: Address) -> None:
        """Jobs of void batches are in no batch any more."""
        known = self._rollbacks.setdefault(router, set())
        told = await self.court.rollbacks(router)
        fresh = [rollback for rollback in told if rollback.place not in known]
        if fresh:
            index = min(rollback.index for rollback in fresh)
            await self.billing.unplace(router, index)
            self._next[router] = min(self._next.get(router, index), index)
            known.update(rollback.place for rollback in fresh)

    async def _read_batches(self, router: Address) -> bool:
        """Note which of our jobs are in the router's batches; False if it does not show them."""
        link = self._links.get(router)
        count = await self.chain.batch_count(router)
        start = self._next.get(router)
        for index in range(
            await self.billing.next_batch(router) if start is None else start, count
        ):
            if link is None:
                return False
            try:
                leaves = await self._leaves(link, router, index)
            except InferaError as error:
                who = f"batch {index} of {router[:10]}"
                self._say(f"{who} cannot be read: {error.message}", once=True)
                return False
            tickets = {leaf.ticket for leaf in leaves if leaf.provider == self.who.address}
            known = await self.billing.unbatched(router) if tickets else ()
            mine = [s.ticket.job_id for s, _ in known if s.receipt.ticket in tickets]
            await self.billing.place(index, mine)
            self._next[router] = index + 1
        return True

    async def _leaves(self, link: Link, router: Address, index: int) -> list[JobLeaf]:
        """The jobs of a batch, checked against what was committed."""
        header, _, _ = await self.chain.batch(router, index)
        found: list[JobLeaf] = []
        while len(found) < header.count:
            query = {"type": "leaves", "batch": index, "start": len(found)}
            body: dict[str, Any] = (await link.query(query)).json()
            page = json_list(body.get("jobs"), MAX_JOBS, "jobs")
            if not page:
                break
            found += [JobLeaf.from_json(leaf, "leaf") for leaf in page]
        if merkle_root(pack_jobs(found), JOB_LEAF_SIZE) != header.jobs_root:
            raise ProtocolError("the leaves it shows are not those it committed")
        return found

    # -- claims

    async def _look_after(
        self, served: ServedJob, net: int, terms: Terms, now: int, read: bool
    ) -> None:
        """One job that is in no batch we have seen: claim it, or close the claim."""
        digest, ticket = served.receipt.ticket, served.ticket
        claim = await self.court.left_out(digest)
        if claim is not None and claim.open:
            if claim.claimant == self.who.hot.address and now > claim.due_at:
                paid = await self.court.settle_left_out(self.who.hot, digest)
                await self.billing.paid(ticket.job_id)
                self._say(f"{_name(served)}: paid {usdc(paid)} from the router's bond")
            return
        if claim is not None and not claim.answered:
            await self.billing.paid(ticket.job_id)
            self._say(f"{_name(served)} was paid from the router's bond")
            return
        opens = ticket.deadline + terms.inclusion_period_s
        closes = ticket.deadline + terms.claim_period_s
        if not read:
            # It may be in a batch we cannot see: wait for the router while there is time.
            opens = (opens + closes) // 2
        late = served.receipt.completed_at > ticket.deadline
        if late or not opens < now <= closes or net < self.smallest:
            return
        if await self.chain.infr_balance(self.who.hot.address) < terms.claim_bond:
            self._say("a job was left out, and there is no INFR for the bond of a claim", once=True)
            return
        await self.court.claim_job(self.who.hot, _signed(served))
        self._say(f"{_name(served)} is in no batch: claimed")

    # -- silence

    async def _speak(self, claim: Claim) -> None:
        """Show the receipt of a ticket, one over nothing if none was ever made."""
        served = await self.billing.of_ticket(claim.ticket)
        name = f"ticket {claim.ticket.hex()[:10]}"
        if served is not None:
            job = _signed(served)
        elif claim.asked is not None:
            job = self._nothing(claim.asked)
        else:
            self._say(f"a claim lapses: {name} is unknown here", once=True)
            return
        try:
            await self.court.show_receipt(self.who.hot, job)
            self._say(f"showed the receipt of {name}")
        except ChainUnavailableError:
            raise
        except InferaError as error:
            self._say(f"the receipt of {name} is not taken: {error.message}", once=True)

    def _nothing(self, ticket: JobTicket) -> SignedJob:
        """A receipt over nothing delivered, for a ticket that never came or was refused."""
        domain, reason = self.chain.domain, FinishReason.ERROR
        receipt = JobReceipt(
            ticket=ticket.digest(domain),
            response_hash=response_hash("", reason),
            tokens_in=0,
            tokens_out=0,
            cost=0,
            finish_reason=reason,
            evidence=bytes(32),
            completed_at=max(int(time()), ticket.issued_at),
        )
        return SignedJob(ticket, b"", receipt, self.who.hot.sign(receipt.digest(domain)))

    def _say(self, text: str, *, once: bool = False) -> None:
        if once and text in self._said:
            return
        if once:
            self._said.add(text)
        self.bus.publish(CourtActed(self.who.address, text))


def _name(served: ServedJob) -> str:
    return f"job {served.ticket.job_id.hex()[:10]} for {served.ticket.router[:10]}"


def _signed(served: ServedJob) -> SignedJob:
    return SignedJob(
        served.ticket, served.ticket_signature, served.receipt, served.receipt_signature
    )
