"""The validator as a component: one pass over every committed batch, in order, from a cursor
that survives restarts.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any

import anyio

from infera.abc import Case, Engine, Role
from infera.errors import ChainError, InferaError, ProtocolError, StateError, TransientError
from infera.events import LeafChecked, ProgressMade
from infera.groups import unwrapped
from infera.keys import recover
from infera.operators import active_hot_key, ensure_registered, identity
from infera.protocol.audit import audit, batch_from_json
from infera.protocol.batches import Batch, Totals
from infera.protocol.jobs import request_from_json
from infera.protocol.messages import JobReceipt, JobTicket, Verdict
from infera.protocol.rules import receipt_faults, request_faults
from infera.protocol.sampling import batch_rand, elect_checker, is_sampled, sampling_rate
from infera.transport.frames import Frame, FrameType
from infera.transport.handshake import introduce
from infera.transport.link import Link, Stream
from infera.transport.sockets import dial
from infera.types import Address, BatchHeader, Finding, OperatorRole, Outcome
from infera_plugins.roles.validator.journal import Journal

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from infera.context import Context
    from infera.protocol.leaves import JobLeaf
    from infera_plugins.roles.validator.config import ValidatorConfig

_RETRY_S = 1.0
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class _Draw:
    """What decides which leaves of a batch are checked, and by whom."""

    rand: bytes
    stakes: dict[Address, int]


class ValidatorRole(Role):
    """Checks other people's work."""

    def __init__(self, config: ValidatorConfig, context: Context) -> None:
        self.name = config.key
        self._config = config
        self._context = context
        self._chain = context.chain(config.chain)
        self._engine: Engine = context.engine(config.engine)
        self._who = identity(config, context)
        self._journal = Journal(context.state, self._who.address)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        await ensure_registered(
            self._config, self._context, self._chain, self._who, OperatorRole.VALIDATOR, ""
        )
        task_status.started()
        while True:
            try:
                await self._follow()
            except StateError as error:
                self._say(f"{error.message}; trying again")
            await anyio.sleep(_RETRY_S)

    async def _follow(self) -> None:
        cursor = f"validator:{self._who.address}"
        async for event in self._chain.events(cursor, names=["BatchCommitted"]):
            if event.name != "BatchCommitted":
                continue
            router, index = str(event.args["router"]), int(event.args["index"])
            try:
                with anyio.fail_after(self._config.evidence_timeout_s):
                    await self._check_batch(router, index, event.position.block)
            except TimeoutError:
                self._say(
                    f"router {router[:10]} gave no evidence for batch {index}; left undecided"
                )
            except StateError:
                raise  # the verdict is not written down: look at this batch again
            except InferaError as error:
                self._say(f"batch {index} of {router[:10]}: {error.message}")

    async def _check_batch(self, router: Address, index: int, block: int) -> None:
        """Audit the batch, then check the leaves that the draw gives to us. Tries until the
        caller's deadline.
        """
        while True:
            try:
                header, _, _ = await self._chain.batch(router, index)
                draw = await self._draw(header, block)
                operator = await self._chain.operator(router, OperatorRole.ROUTER)
                if operator is None or not operator.uri:
                    raise TransientError(f"router {router} has published no endpoint")
                async with dial(operator.uri) as socket:
                    await introduce(
                        socket,
                        self._chain.domain,
                        self._who.address,
                        OperatorRole.VALIDATOR,
                        self._who.hot,
                        {},
                        lambda address, role: active_hot_key(self._chain, address, role),
                    )
                    link = Link(socket, dialled=True)
                    with unwrapped():
                        async with anyio.create_task_group() as tasks:
                            tasks.start_soon(link.run, _refuse, _ignore)
                            await self._check_leaves(link, header, draw)
                            tasks.cancel_scope.cancel()
                return
            except (TransientError, ChainError) as error:
                self._say(f"batch {index}: {error.message}; trying again")
                await anyio.sleep(_RETRY_S)

    async def _draw(self, header: BatchHeader, block: int) -> _Draw:
        """Randomness of the block after the commit: unknown to the router when it committed."""
        while (randao := await self._chain.prevrandao(block + 1)) is None:  # noqa: ASYNC110 (a block has no event here)
            await anyio.sleep(_POLL_S)
        operators = await self._chain.operators(OperatorRole.VALIDATOR)
        stakes = {v.address: v.stake for v in operators if v.active}
        return _Draw(batch_rand(randao, header.jobs_root), stakes)

    async def _check_leaves(self, link: Link, header: BatchHeader, draw: _Draw) -> None:
        published = await self._fetch(link, header)
        previous = Totals()
        if header.index > 0:
            before, _, _ = await self._chain.batch(header.router, header.index - 1)
            earlier = await self._fetch(link, before)
            previous = Totals.of(earlier.debits, earlier.credits)
        for fault in audit(published, header, previous):
            self._say(f"batch {header.index} does not hold ({fault.kind}): {fault.detail}")
        for position, leaf in enumerate(published.jobs):
            if await self._journal.has(header.router, header.index, position):
                continue
            if await self._is_ours(draw, position, leaf):
                finding = await self._check(link, header, position, leaf)
                await self._record(header, position, leaf, finding)

    async def _fetch(self, link: Link, header: BatchHeader) -> Batch:
        """All pages of a batch as its router publishes it."""
        whole: dict[str, Any] = {}
        start = 0
        while True:
            query = {"type": "leaves", "batch": header.index, "start": start}
            page = (await link.query(query)).json()
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

    async def _is_ours(self, draw: _Draw, position: int, leaf: JobLeaf) -> bool:
        if is_sampled(draw.rand, position, self._config.check_rate_ppm):
            return True
        operator = await self._chain.operator(leaf.provider, OperatorRole.PROVIDER)
        tenure_s = max(int(time()) - operator.since, 0) if operator is not None else 0
        if not is_sampled(draw.rand, position, sampling_rate(tenure_s)):
            return False
        return elect_checker(draw.rand, position, draw.stakes) == self._who.address

    async def _check(
        self, link: Link, header: BatchHeader, position: int, leaf: JobLeaf
    ) -> Finding:
        """Fetch the job behind a leaf and decide. Evidence that does not fit the leaf is the
        router's fault: undecided.
        """
        try:
            answer = await link.query({"type": "evidence", "batch": header.index, "leaf": position})
            case = await self._case(answer.json(), leaf)
        except ProtocolError as error:
            return Finding(
                Outcome.UNDECIDED, bytes(32), f"evidence missing or malformed: {error.message}"
            )
        verifier = self._context.verifiers.get(leaf.tier)
        if verifier is None:
            return Finding(
                Outcome.UNDECIDED, bytes(32), f"no verifier for tier {leaf.tier.name.lower()}"
            )
        try:
            return await verifier.check(case, self._engine)
        except InferaError as error:
            return Finding(Outcome.UNDECIDED, bytes(32), error.message)

    async def _case(self, body: dict[str, Any], leaf: JobLeaf) -> Case:
        """The evidence, bound to the leaf by hashes and signatures. Raises `ProtocolError`."""
        try:
            request = request_from_json(body["request"])
            ticket = JobTicket.from_json(body["ticket"])
            receipt = JobReceipt.from_json(body["receipt"])
            text = str(body["text"])
            ticket_signature = bytes.fromhex(body["ticketSignature"])
            receipt_signature = bytes.fromhex(body["receiptSignature"])
        except (KeyError, TypeError, ValueError):
            raise ProtocolError("a field is missing or malformed") from None
        domain, chain = self._chain.domain, self._chain
        if ticket.digest(domain) != leaf.ticket or receipt.digest(domain) != leaf.receipt:
            raise ProtocolError("ticket and receipt are not the ones in the leaf")
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

    async def _record(
        self, header: BatchHeader, position: int, leaf: JobLeaf, finding: Finding
    ) -> None:
        verdict = Verdict(leaf.hash(), self._who.address, finding.outcome, finding.evidence)
        signature = self._who.hot.sign(verdict.digest(self._chain.domain))
        await self._journal.keep(
            header.router, header.index, position, verdict, signature, finding.detail
        )
        self._context.bus.publish(
            LeafChecked(self._who.address, header.index, position, finding.outcome, finding.detail)
        )

    def _say(self, text: str) -> None:
        self._context.bus.publish(ProgressMade(self.name, text))


async def _refuse(stream: Stream, frame: Frame) -> None:
    await stream.send_json(FrameType.FAIL, {"message": "validators answer no queries"})


async def _ignore(frame: Frame) -> None:
    return None
