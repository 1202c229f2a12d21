"""One batch under a validator's eyes: fetched, audited, and its drawn leaves checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infera.abc import Case
from infera.draws import draw
from infera.errors import InferaError, ProtocolError
from infera.events import LeafChecked
from infera.keys import recover
from infera.operators import Identity, active_hot_key
from infera.protocol.audit import audit, batch_from_json
from infera.protocol.batches import Batch, Totals
from infera.protocol.jobs import request_from_json
from infera.protocol.messages import JobReceipt, JobTicket, Verdict
from infera.protocol.rules import receipt_faults, request_faults
from infera.protocol.sampling import is_sampled
from infera.services.reputation import Report, counts
from infera.types import BatchHeader, Finding, OperatorRole, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import anyio

    from infera.abc import Chain, Engine, Verifier
    from infera.bus import EventBus
    from infera.draws import Draw
    from infera.protocol.leaves import JobLeaf
    from infera.transport.link import Link
    from infera.types import Tier
    from infera_plugins.roles.validator.journal import Journal
    from infera_plugins.roles.validator.patience import Patience
    from infera_plugins.roles.validator.prosecution import Prosecution


@dataclass(frozen=True, slots=True)
class Bench:
    """What a validator checks with. `turns` bounds the jobs executed again at once."""

    who: Identity
    chain: Chain
    engine: Engine
    verifiers: Mapping[Tier, Verifier]
    journal: Journal
    bus: EventBus
    turns: anyio.CapacityLimiter
    extra_ppm: int
    found: Callable[[], None]
    say: Callable[[str], None]
    prosecution: Prosecution | None = None


@dataclass(frozen=True, slots=True)
class BatchCheck:
    """A committed batch, and a link to the router that published it."""

    bench: Bench
    link: Link
    header: BatchHeader
    block: int
    rand: bytes
    patience: Patience

    async def run(self) -> None:
        """Audit, then check. Leaves that were judged before are left alone."""
        header, bench = self.header, self.bench
        published = await self._fetch(header)
        previous, before, earlier = Totals(), None, None
        if header.index > 0:
            before, _, _ = await bench.chain.batch(header.router, header.index - 1)
            earlier = await self._fetch(before)
            previous = Totals.of(earlier.debits, earlier.credits)
        for fault in audit(published, header, previous):
            bench.say(f"batch {header.index} does not hold ({fault.kind}): {fault.detail}")
        if bench.prosecution is not None:
            with self.patience.resting():
                if await bench.prosecution.look(published, header, earlier, before):
                    return
        with self.patience.resting():
            providers = {leaf.provider for leaf in published.jobs}
            drawn = await draw(bench.chain, self.rand, self.block, providers)
        for position in self._ours(published, drawn):
            leaf = published.jobs[position]
            if await bench.journal.has(header.router, header.index, position, leaf.hash()):
                continue
            finding = await self._check(published, position)
            if finding is None:
                return
            with self.patience.resting():
                await self._record(published, position, finding)
            self.patience.renew()

    def _ours(self, published: Batch, drawn: Draw) -> list[int]:
        me = self.bench.who.address
        drawn_for_us = {
            position
            for position in drawn.sampled(published.jobs)
            if drawn.checkers(position)[:1] == [me]
        }
        extra = self.bench.extra_ppm
        return [
            position
            for position in range(len(published.jobs))
            if position in drawn_for_us or is_sampled(self.rand, position, extra)
        ]

    async def _fetch(self, header: BatchHeader) -> Batch:
        """All pages of a batch as its router publishes it."""
        whole: dict[str, Any] = {}
        start = 0
        while True:
            query = {"type": "leaves", "batch": header.index, "start": start}
            page = (await self.link.query(query)).json()
            lists = [page.get(name) for name in ("jobs", "decisions")]
            if not all(isinstance(part, list) for part in lists):
                raise ProtocolError(f"leaves from {start} on are malformed")
            if not whole:
                whole = page
            else:
                whole["jobs"] += page["jobs"]
                whole["decisions"] += page["decisions"]
            start = len(whole["jobs"])
            if start >= header.count or not page["jobs"]:
                return batch_from_json(whole)

    async def _check(self, published: Batch, position: int) -> Finding | None:
        """Fetch the job behind a leaf and decide; None if its messages got the router convicted.
        Evidence that does not fit the leaf is the router's fault: undecided.
        """
        query = {"type": "evidence", "batch": self.header.index, "leaf": position}
        leaf = published.jobs[position]
        try:
            body = (await self.link.query(query)).json()
            ticket, receipt = self._messages(body, leaf)
            if await self._convicts(published, position, ticket, receipt):
                return None
            case = await self._case(body, leaf, ticket, receipt)
        except ProtocolError as error:
            return _undecided(f"evidence missing or malformed: {error.message}")
        verifier = self.bench.verifiers.get(leaf.tier)
        if verifier is None:
            return _undecided(f"no verifier for tier {leaf.tier.name.lower()}")
        with self.patience.resting():
            async with self.bench.turns:
                try:
                    return await verifier.check(case, self.bench.engine)
                except InferaError as error:
                    return _undecided(error.message)

    def _messages(self, body: dict[str, Any], leaf: JobLeaf) -> tuple[JobTicket, JobReceipt]:
        """The ticket and the receipt that the leaf names. Raises `ProtocolError`."""
        try:
            ticket = JobTicket.from_json(body["ticket"])
            receipt = JobReceipt.from_json(body["receipt"])
        except (KeyError, TypeError, ValueError):
            raise ProtocolError("a field is missing or malformed") from None
        domain = self.bench.chain.domain
        if ticket.digest(domain) != leaf.ticket or receipt.digest(domain) != leaf.receipt:
            raise ProtocolError("ticket and receipt are not the ones in the leaf")
        return ticket, receipt

    async def _convicts(
        self, published: Batch, position: int, ticket: JobTicket, receipt: JobReceipt
    ) -> bool:
        prosecution = self.bench.prosecution
        if prosecution is None:
            return False
        with self.patience.resting():
            return await prosecution.weigh(published, self.header, position, ticket, receipt)

    async def _case(
        self, body: dict[str, Any], leaf: JobLeaf, ticket: JobTicket, receipt: JobReceipt
    ) -> Case:
        """The evidence, bound to the leaf by hashes and signatures. Raises `ProtocolError`."""
        try:
            request = request_from_json(body["request"])
            text = str(body["text"])
            ticket_signature = bytes.fromhex(body["ticketSignature"])
            receipt_signature = bytes.fromhex(body["receiptSignature"])
        except (KeyError, TypeError, ValueError):
            raise ProtocolError("a field is missing or malformed") from None
        chain = self.bench.chain
        if ticket.provider != leaf.provider:
            raise ProtocolError("the ticket is for another provider than the leaf")
        faults = request_faults(ticket, request) + receipt_faults(
            ticket, leaf.ticket, receipt, text
        )
        if faults:
            raise ProtocolError("; ".join(faults))
        for digest, signature, address, role in (
            (leaf.ticket, ticket_signature, ticket.router, OperatorRole.ROUTER),
            (leaf.receipt, receipt_signature, ticket.provider, OperatorRole.PROVIDER),
        ):
            if recover(digest, signature) != await active_hot_key(chain, address, role):
                raise ProtocolError(f"the {role.name.lower()}'s signature does not fit its hot key")
        return Case(request, text, ticket, receipt)

    async def _record(self, published: Batch, position: int, finding: Finding) -> None:
        bench, header, leaf = self.bench, self.header, published.jobs[position]
        verdict = Verdict(leaf.hash(), bench.who.address, finding.outcome, finding.evidence)
        signature = bench.who.hot.sign(verdict.digest(bench.chain.domain))
        report = self._report(published, position, finding)
        await bench.journal.keep(
            header.router, header.index, position, verdict, signature, finding.detail, report
        )
        bench.bus.publish(
            LeafChecked(bench.who.address, header.index, position, finding.outcome, finding.detail)
        )
        if report is not None:
            bench.found()

    def _report(self, published: Batch, position: int, finding: Finding) -> Report | None:
        """What the chain is to be told: of findings that count, about work of others, in a batch
        whose leaves are those that were committed.
        """
        book, leaf = self.bench.chain.reputation, published.jobs[position]
        if book is None or not book.takes_reports or not counts(finding.outcome):
            return None
        if leaf.provider == self.bench.who.address:
            return None
        _, proof = published.prove_job(position)
        if published.jobs_tree.root != self.header.jobs_root:
            return None
        return Report(
            router=self.header.router,
            batch=self.header.index,
            position=position,
            count=proof.count,
            siblings=tuple(proof.siblings),
            leaf=leaf,
            outcome=finding.outcome,
        )


def _undecided(why: str) -> Finding:
    return Finding(Outcome.UNDECIDED, bytes(32), why)
