"""What the router shows others of its books: receipts to their owners, leaves to anybody,
evidence to validators.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from infera.errors import ProtocolError
from infera.operators import active_hot_key
from infera.protocol.audit import batch_to_json, header_to_json
from infera.protocol.batches import Batch, Totals, build_batch
from infera.protocol.receipts import Bundle, LeafProof
from infera.state.tables import BatchState
from infera.types import Address, OperatorRole

if TYPE_CHECKING:
    from infera.abc import Chain
    from infera.keys import Signer
    from infera_plugins.roles.router.batch_store import StoredBatch
    from infera_plugins.roles.router.store import Store, StoredJob

_CACHED_BATCHES = 8
PAGE = 500
"""Leaves in one answer to a validator: decisions included, they fit one frame."""


@dataclass(slots=True)
class Publication:
    """Reads the journal; changes nothing. Keeps the last few batches at hand, since their
    receipts are asked for first.
    """

    address: Address
    hot: Signer
    chain: Chain
    store: Store
    _batches: OrderedDict[int, Batch] = field(default_factory=OrderedDict)

    async def receipt(self, job: StoredJob) -> dict[str, Any]:
        """A delivered job's bundle, with its leaf once the batch is on the chain."""
        assert job.receipt is not None
        provider_key = await active_hot_key(self.chain, job.ticket.provider, OperatorRole.PROVIDER)
        return Bundle(
            self.chain.domain,
            job.ticket,
            job.ticket_signature,
            job.receipt,
            job.receipt_signature,
            router_key=self.hot.address,
            provider_key=provider_key or job.ticket.provider,
            model=job.decision_json["model"],  # outlives the content's retention
            leaf=await self._leaf(job),
            decision=job.decision_json,
        ).to_json()

    async def batch(self, index: int) -> dict[str, Any] | None:
        """A committed batch with every leaf; None while there is none."""
        stored = await self.store.batch(index)
        if stored is None or stored.state is BatchState.BUILT:
            return None
        return batch_to_json(await self.rebuilt(stored))

    async def page(self, index: int, start: int) -> dict[str, Any]:
        """`PAGE` leaves of a batch from `start` on; totals come with the first page. Raises
        `ProtocolError`.
        """
        stored = await self.store.batch(index)
        if stored is None or start < 0:
            raise ProtocolError(f"this router has no batch {index} or no leaf {start} in it")
        batch = await self.rebuilt(stored)
        part = slice(start, start + PAGE)
        return {
            "header": header_to_json(batch.header),
            "jobs": [leaf.to_json() for leaf in batch.jobs[part]],
            "debits": [leaf.to_json() for leaf in batch.debits] if start == 0 else [],
            "credits": [leaf.to_json() for leaf in batch.credits] if start == 0 else [],
            "decisions": [decision.decode() for decision in batch.decisions[part]],
        }

    async def evidence(self, index: int, leaf: int) -> dict[str, Any]:
        """The job behind a leaf, content included: for staked validators. Raises
        `ProtocolError`.
        """
        found = await self.store.batch_jobs(index, leaf, 1)
        if not found or found[0].receipt is None:
            raise ProtocolError(f"batch {index} has no leaf {leaf}")
        job = found[0]
        assert job.receipt is not None
        return {
            "request": job.request_json,
            "text": job.text,
            "ticket": job.ticket.to_json(),
            "ticketSignature": job.ticket_signature.hex(),
            "receipt": job.receipt.to_json(),
            "receiptSignature": job.receipt_signature.hex(),
        }

    async def _leaf(self, job: StoredJob) -> LeafProof | None:
        if job.batch_index is None or job.leaf_index is None:
            return None
        stored = await self.store.batch(job.batch_index)
        if stored is None or stored.state is BatchState.BUILT:
            return None
        batch = await self.rebuilt(stored)
        leaf, proof = batch.prove_job(job.leaf_index)
        return LeafProof(
            batch=job.batch_index,
            index=proof.index,
            count=proof.count,
            proof=proof.siblings,
            jobs_root=batch.header.jobs_root,
            fields=leaf,
            tx=stored.tx or None,
            block=stored.block,
        )

    async def rebuilt(self, stored: StoredBatch) -> Batch:
        """The batch with all its leaves, again from the journal: deterministic, and checked against
        what was committed. Raises `ProtocolError` if it is no longer what comes out.
        """
        index = stored.header.index
        known = self._batches.get(index)
        if known is not None and known.header == stored.header:
            self._batches.move_to_end(index)
            return known
        before = await self.store.batch(index - 1) if index else None
        jobs = await self.store.batch_jobs(index, 0, stored.header.count)
        domain = self.chain.domain
        totals = Totals.of(before.debits, before.credits) if before else Totals()
        batch = await anyio.to_thread.run_sync(
            lambda: build_batch(self.address, index, [job.settled(domain) for job in jobs], totals)
        )
        if batch.header != stored.header:
            raise ProtocolError(
                f"the journal no longer yields batch {index}: restore it from a backup"
            )
        self._batches[index] = batch
        while len(self._batches) > _CACHED_BATCHES:
            self._batches.popitem(last=False)
        return batch
