"""Answering the courts: leaves that are demanded, and jobs that providers say were left out.

Stake is lost by silence alone, so this goes on by itself beside everything else: what is open is
read from the chain, tried at once and again with growing pauses until it is closed. What cannot be
answered is said once and left to lapse.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from infera.errors import ChainError, InferaError, ProtocolError, StateError
from infera.events import CourtActed, usdc
from infera.protocol.evidence import job_proof
from infera.services.court import SignedJob
from infera.state.tables import BatchState, JobState

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from infera.abc import Chain
    from infera.bus import EventBus
    from infera.keys import Signer
    from infera.services.court import Claim, Court, Demand
    from infera.types import Address
    from infera_plugins.roles.router.desk import ReceiptDesk
    from infera_plugins.roles.router.publication import Publication
    from infera_plugins.roles.router.settlement import Settlement
    from infera_plugins.roles.router.store import Store, StoredJob

_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class UnansweredError(ProtocolError):
    """There is nothing to answer with."""

    code = "court_unanswered"


@dataclass(slots=True)
class Defence:
    """One router's answers."""

    address: Address
    hot: Signer
    chain: Chain
    court: Court
    store: Store
    publication: Publication
    desk: ReceiptDesk
    settlement: Settlement
    bus: EventBus
    _news: anyio.Event = field(default_factory=anyio.Event)
    _said: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Answer whatever is open, now and whenever the chain tells of something new."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen)
            pauses = 0
            while True:
                self._news = anyio.Event()
                try:
                    left = await self._answer_all()
                except (ChainError, StateError) as error:
                    self._say(f"cannot look for demands and claims: {error.message}", once=True)
                    left = True
                pauses = pauses + 1 if left else 0
                pause = _PAUSES_S[min(pauses, len(_PAUSES_S)) - 1] if left else None
                with anyio.move_on_after(float("inf") if pause is None else pause) as waiting:
                    await self._news.wait()
                if not waiting.cancelled_caught:
                    pauses = 0

    async def _listen(self) -> None:
        cursor = f"router-court:{self.address}"
        while True:
            try:
                async for event in self.chain.events(cursor, names=self.court.router_events):
                    if event.args.get("router", self.address) != self.address:
                        continue
                    if event.name in ("BatchesVoided", "BatchReleased", "Reorged"):
                        self.settlement.rollbacks.suspected = True
                        self.settlement.hurry()
                    self._news.set()
            except StateError as error:
                self._say(f"{error.message}; listening again", once=True)
            await anyio.sleep(1.0)

    async def _answer_all(self) -> bool:
        """Try everything that is open; whether some of it may yet be answered."""
        left = False
        for demand in await self.court.demands(self.address):
            name = f"the demand for batch {demand.batch} leaf {demand.position}"
            left |= await self._try(name, self._answer_demand(demand))
        for claim in await self.court.claims(self.address):
            name = f"the claim of a job left out, ticket {claim.ticket.hex()[:10]}"
            left |= await self._try(name, self._answer_claim(claim))
        return left

    async def _try(self, name: str, answer: Awaitable[str | None]) -> bool:
        try:
            done = await answer
        except UnansweredError as error:
            self._say(f"{name} lapses: {error.message}", once=True)
            return False
        except InferaError as error:
            self._say(f"{name} is not answered yet: {error.message}", once=True)
            return True
        if done is not None:
            self._say(f"{name}: {done}")
        return done is None

    # -- demands

    async def _answer_demand(self, demand: Demand) -> str | None:
        standing = await self.chain.batch_count(self.address)
        if (
            demand.batch >= standing
            or await self.court.epoch_of(self.address, demand.batch) != demand.epoch
        ):
            raise UnansweredError("the batch is void")
        stored = await self.store.batch(demand.batch)
        found = await self.store.batch_jobs(demand.batch, demand.position, 1)
        if stored is None or not found:
            raise UnansweredError("this database does not have the job")
        header, _, _ = await self.chain.batch(self.address, demand.batch)
        if header != stored.header:
            return None  # the books are about to follow a rollback
        try:
            batch = await self.publication.rebuilt(stored)
        except ProtocolError as error:
            raise UnansweredError(error.message) from None
        leaf = job_proof(batch, demand.position)
        await self.court.answer(self.hot, self.address, leaf, _signed(found[0]))
        return "answered"

    # -- jobs left out

    async def _answer_claim(self, claim: Claim) -> str | None:
        """Show the job in a batch, bill it first if need be, or pay for it."""
        job = await self._claimed(claim)
        if job is None:
            raise UnansweredError("this database knows no such ticket")
        same = job.ticket.digest(self.chain.domain) == claim.ticket
        if same and job.open and claim.shown is not None:
            if not await self.desk.claimed_receipt(job.ticket, claim.shown):
                return await self._concede(claim)
            self.settlement.hurry()
            return None
        if not same or job.state is JobState.FAILED:
            # Given up or given to another: its developer was told that it costs nothing.
            return await self._concede(claim)
        if job.state is not JobState.BATCHED or not await self._show(claim, job):
            self.settlement.hurry()
            return None
        return "shown in a batch"

    async def _show(self, claim: Claim, job: StoredJob) -> bool:
        assert job.batch_index is not None
        assert job.leaf_index is not None
        stored = await self.store.batch(job.batch_index)
        if stored is None or stored.state is BatchState.BUILT:
            return False
        leaf = job_proof(await self.publication.rebuilt(stored), job.leaf_index)
        await self.court.show_included(self.hot, claim.ticket, leaf)
        return True

    async def _concede(self, claim: Claim) -> str:
        try:
            paid = await self.court.concede(self.hot, claim.ticket)
        except ChainError as error:
            if error.revert is None:
                raise
            raise UnansweredError(f"the bond cannot pay for it ({error.revert})") from None
        return f"conceded, {usdc(paid)} from the bond"

    async def _claimed(self, claim: Claim) -> StoredJob | None:
        if claim.shown is not None:
            return await self.store.find_job(claim.shown.ticket.job_id)
        return await self.store.job_of_receipt(claim.ticket)

    def _say(self, text: str, *, once: bool = False) -> None:
        if once and text in self._said:
            return
        if once:
            self._said.add(text)
        self.bus.publish(CourtActed(self.address, text))


def _signed(job: StoredJob) -> SignedJob:
    assert job.receipt is not None
    return SignedJob(job.ticket, job.ticket_signature, job.receipt, job.receipt_signature)
