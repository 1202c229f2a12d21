"""What a validator does about a batch that is wrong: it goes to court (docs/protocol/court.md).

A fault is looked for in the leaves it has fetched anyway, first here and then with a free call;
only what both find is paid for. A batch whose leaves its router keeps to itself is asked for on the
chain, against a bond, and the router convicted if it does not answer.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from infera.errors import ChainError, ChainUnavailableError, InferaError
from infera.events import CourtActed
from infera.protocol.charges import charges, charges_of_messages
from infera.protocol.evidence import BatchFault
from infera.protocol.examiner import Examiner, NoEvidenceError
from infera.types import OperatorRole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infera.abc import Chain
    from infera.bus import EventBus
    from infera.operators import Identity
    from infera.protocol.batches import Batch
    from infera.protocol.evidence import Evidence
    from infera.protocol.messages import JobReceipt, JobTicket
    from infera.services.court import Court, Demand
    from infera.types import BatchHeader

_POLL_S = 5.0
_MOST_PIECES = 16
"""Pieces of evidence tried against one batch; one is enough, and it is judged once."""


@dataclass(slots=True)
class Prosecution:
    """One validator's cases. The hot key pays, and has the bounty."""

    who: Identity
    chain: Chain
    court: Court
    bus: EventBus
    _open: list[Demand] = field(default_factory=list)

    # -- proofs

    async def look(
        self,
        published: Batch,
        header: BatchHeader,
        earlier: Batch | None,
        before: BatchHeader | None,
    ) -> bool:
        """Prove a fault of the batch if its leaves show one; whether the router was convicted.

        `header` and `before` are what the chain has of it and of the batch before it. Leaves that
        are not under the header's roots show nothing: that is withholding them.
        """
        if not _is_whole(published, header):
            await self.withheld(header)
            return False
        batch = replace(published, header=header)
        previous = None
        if earlier is not None and before is not None and _is_whole(earlier, before):
            previous = replace(earlier, header=before)
        found = await anyio.to_thread.run_sync(
            lambda: list(islice(charges(batch, previous), _MOST_PIECES))
        )
        return await self._prove(header, before, found)

    async def weigh(
        self,
        published: Batch,
        header: BatchHeader,
        position: int,
        ticket: JobTicket,
        receipt: JobReceipt,
    ) -> bool:
        """Prove that a job and the messages its leaf names contradict each other, if they do."""
        if not _is_whole(published, header):
            return False
        batch = replace(published, header=header)
        found = list(charges_of_messages(batch, position, ticket, receipt))
        return await self._prove(header, None, found)

    async def _prove(
        self, header: BatchHeader, before: BatchHeader | None, found: Iterable[Evidence]
    ) -> bool:
        known = {part.index: part for part in (header, before) if part is not None}
        examiner = Examiner(header.router, self.chain.domain, known)
        for evidence in found:
            try:
                fault = examiner.examine(evidence).fault
                if fault is BatchFault.NONE:
                    continue
                if await self.court.is_convicted(header.router, header.index):
                    return True
                if (await self.court.examine(evidence)).fault is BatchFault.NONE:
                    continue
                await self.court.prove(self.who.hot, evidence)
            except ChainUnavailableError:
                raise
            except (ChainError, NoEvidenceError) as error:
                # Somebody was faster, and the batch is void; or a smaller piece may do.
                self._say(f"no conviction over batch {header.index}: {error.message}")
                continue
            self._say(
                f"router {header.router[:10]} is convicted over batch {header.index}: {fault.label}"
            )
            return True
        return False

    # -- demands

    async def withheld(self, header: BatchHeader) -> None:
        """Demand a leaf of a batch whose leaves cannot be had, once for each batch."""
        router, batch = header.router, header.index
        if any((d.router, d.batch) == (router, batch) for d in self._open):
            return
        position = secrets.randbelow(header.count)
        try:
            standing, _, _ = await self.chain.batch(router, batch)
            if standing != header:
                return  # void, or replaced
            terms = await self.court.terms()
            if await self.chain.infr_balance(self.who.hot.address) < terms.demand_bond:
                self._say(
                    f"batch {batch} of {router[:10]} is withheld; no INFR for a demand's bond"
                )
                return
            await self.court.demand(self.who.hot, router, batch, position)
            epoch = await self.court.epoch_of(router, batch)
            made = await self.court.demand_of(router, batch, position, epoch)
        except ChainUnavailableError:
            raise
        except ChainError as error:
            self._say(f"batch {batch} of {router[:10]} cannot be demanded: {error.message}")
            return
        if made is not None:
            self._open.append(made)
            self._say(f"demanded batch {batch} leaf {position} of router {router[:10]}")

    async def run(self) -> None:
        """Close our demands when their time is up; those of an earlier run are found again."""
        while True:
            try:
                self._open += await self._earlier()
                break
            except InferaError as error:
                self._say(f"cannot look for earlier demands: {error.message}")
                await anyio.sleep(_POLL_S)
        while True:
            for demand in list(self._open):
                try:
                    if await self._closed(demand):
                        self._open.remove(demand)
                except InferaError as error:
                    self._say(f"a demand stays open for now: {error.message}")
            await anyio.sleep(_POLL_S)

    async def _earlier(self) -> list[Demand]:
        return [
            demand
            for router in await self.chain.operators(OperatorRole.ROUTER)
            for demand in await self.court.demands(router.address)
            if demand.challenger == self.who.hot.address and demand not in self._open
        ]

    async def _closed(self, demand: Demand) -> bool:
        """Whether the demand needs nothing more from us."""
        router, batch, position, epoch = (
            demand.router, demand.batch, demand.position, demand.epoch
        )  # fmt: skip
        now = await self.court.demand_of(router, batch, position, epoch)
        if now is None or not now.open:
            return True
        void = await self.chain.batch_count(router) <= batch
        if void or await self.court.epoch_of(router, batch) != epoch:
            await self.court.dismiss(self.who.hot, demand)
            return True
        if await self.chain.timestamp() <= demand.due_at:
            return False
        await self.court.expire(self.who.hot, demand)
        self._say(f"router {router[:10]} did not reveal batch {batch} leaf {position}: convicted")
        return True

    def _say(self, text: str) -> None:
        self.bus.publish(CourtActed(self.who.address, text))


def _is_whole(batch: Batch, header: BatchHeader) -> bool:
    """Whether these are the leaves that were committed."""
    return (
        (len(batch.jobs), len(batch.debits), len(batch.credits))
        == (header.count, header.grants, header.providers)
        and batch.jobs_tree.root == header.jobs_root
        and batch.debits_tree.root == header.debits_root
        and batch.credits_tree.root == header.credits_root
    )
