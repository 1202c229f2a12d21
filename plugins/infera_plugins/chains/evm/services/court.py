"""`Court` on `JobRegistry`, `BatchCourt` with its `BatchExaminer`, and `ClaimDesk`."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from infera.protocol.abi import checksum_address
from infera.protocol.evidence import BatchFault, Conviction
from infera.protocol.messages import JobReceipt, JobTicket
from infera.services.court import Claim, Court, Demand, Rollback, SignedJob, Terms
from infera.types import FinishReason, Tier

from ..bindings.batch_court import BatchCourt
from ..bindings.batch_court import Status as DemandStatus
from ..bindings.claim_desk import Claim as ClaimEntry
from ..bindings.claim_desk import ClaimDesk, Conceded, OmissionExpired
from ..bindings.claim_desk import Status as ClaimStatus
from ..bindings.job_registry import JobRegistry
from ..bindings.types import JobReceipt as ReceiptStruct
from ..bindings.types import JobTicket as TicketStruct
from ..bindings.types import LeafProof
from ..contracts import interface
from ..history import history
from ..rpc import unhex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.keys import Signer
    from infera.protocol.evidence import Evidence, JobProof
    from infera.types import Address, ChainEvent

    from ..binding import Call
    from ..chain import EvmChain

M = TypeVar("M", JobTicket, JobReceipt)

_JOBS, _COURT, _EXAMINER, _DESK = "JobRegistry", "BatchCourt", "BatchExaminer", "ClaimDesk"


class EvmCourt(Court):
    """The three contracts as one service."""

    contracts: ClassVar[tuple[str, ...]] = (_COURT, _EXAMINER, _DESK)
    router_events: ClassVar[tuple[str, ...]] = (
        "BatchesVoided",
        "BatchReleased",
        f"{_COURT}.Demanded",
        f"{_DESK}.OmissionClaimed",
    )

    def __init__(self, chain: EvmChain) -> None:
        self._chain = chain

    @property
    def _court(self) -> BatchCourt:
        return BatchCourt(self._chain)

    @property
    def _desk(self) -> ClaimDesk:
        return ClaimDesk(self._chain)

    @property
    def _jobs(self) -> JobRegistry:
        return JobRegistry(self._chain)

    async def terms(self) -> Terms:
        return Terms(*await self._court.parameters(), *await self._desk.parameters())

    # -- batches

    async def newest_final(self, router: Address) -> int | None:
        exists, index = await self._jobs.newest_final(router)
        return index if exists else None

    async def epoch_of(self, router: Address, batch: int) -> int:
        return await self._jobs.epoch_of(router, batch)

    async def rollbacks(self, router: Address) -> Sequence[Rollback]:
        told = await history(self._chain, _JOBS, "BatchesVoided", router)
        return [
            Rollback(
                event.args["index"],
                event.args["epoch"],
                f"{event.position.block_hash.hex()}:{event.position.log_index}",
            )
            for event in told
        ]

    # -- proofs

    async def examine(self, evidence: Evidence) -> Conviction:
        # Which function of the examiner it is, the evidence says: there is no method to name here.
        examine = interface(_EXAMINER).functions[evidence.function]
        data = examine.call(evidence.router, *evidence.arguments)
        found = examine.result(await self._chain.ask(self._chain.contracts[_EXAMINER], data))
        return Conviction(
            found["router"], found["batch"], BatchFault(found["fault"]), found["harmed"]
        )

    async def is_convicted(self, router: Address, batch: int) -> bool:
        epoch = await self.epoch_of(router, batch)
        return await self._court.is_convicted(router, batch, epoch)

    async def prove(self, prover: Signer, evidence: Evidence) -> None:
        examine = interface(_EXAMINER).functions[evidence.function]
        data = examine.call(evidence.router, *evidence.arguments)
        examiner = self._chain.contracts[_EXAMINER]
        await self._chain.send(prover, self._court.prove(examiner, data))

    async def prove_equivocation(
        self,
        prover: Signer,
        first: tuple[JobTicket, bytes],
        second: tuple[JobTicket, bytes],
    ) -> None:
        (one, by_one), (other, by_other) = first, second
        call = self._court.prove_equivocation(
            TicketStruct.of(one), by_one, TicketStruct.of(other), by_other
        )
        await self._chain.send(prover, call)

    # -- demands

    async def demand(self, challenger: Signer, router: Address, batch: int, position: int) -> None:
        bond = (await self._court.parameters()).demand_bond
        await self._chain._approve(challenger, "INFR", _COURT, bond)
        await self._chain.send(challenger, self._court.demand(router, batch, position))

    async def demand_of(
        self, router: Address, batch: int, position: int, epoch: int
    ) -> Demand | None:
        entry = await self._court.demand_of(router, batch, position, epoch)
        if entry.status == DemandStatus.None_:
            return None
        still = entry.status == DemandStatus.Open
        return Demand(router, batch, position, epoch, entry.challenger, entry.dueAt, still)

    async def demands(self, router: Address) -> Sequence[Demand]:
        def job(event: ChainEvent) -> tuple[int, int, int]:
            return event.args["batch"], event.args["position"], event.args["epoch"]

        closed = {job(e) for e in await history(self._chain, _COURT, "DemandClosed", router)}
        made = {job(e) for e in await history(self._chain, _COURT, "Demanded", router)}
        known = [await self.demand_of(router, *which) for which in made - closed]
        return sorted((d for d in known if d is not None and d.open), key=lambda d: d.due_at)

    async def answer(self, sender: Signer, router: Address, leaf: JobProof, job: SignedJob) -> None:
        await self._chain.send(
            sender, self._court.answer(router, LeafProof.of(leaf), *_values(job))
        )

    async def expire(self, sender: Signer, demand: Demand) -> None:
        call = self._court.expire(demand.router, demand.batch, demand.position)
        await self._chain.send(sender, call)

    async def dismiss(self, sender: Signer, demand: Demand) -> None:
        call = self._court.dismiss(demand.router, demand.batch, demand.position, demand.epoch)
        await self._chain.send(sender, call)

    # -- jobs left out

    async def claim_job(self, claimant: Signer, job: SignedJob) -> None:
        await self._claim(claimant, self._desk.claim_job(*_values(job)))

    async def left_out(self, ticket: bytes) -> Claim | None:
        return _claim_of(ticket, await self._desk.omission_of(ticket))

    async def claims(self, router: Address) -> Sequence[Claim]:
        made = await history(self._chain, _DESK, "OmissionClaimed", None, router)
        found = []
        # A claim can be made again after its answer: the last one counts.
        for ticket, event in {e.args["ticket"]: e for e in made}.items():
            claim = await self.left_out(ticket)
            if claim is not None and claim.open:
                found.append(replace(claim, shown=await self._shown(event)))
        return sorted(found, key=lambda c: c.due_at)

    async def show_included(self, sender: Signer, ticket: bytes, leaf: JobProof) -> None:
        await self._chain.send(sender, self._desk.show_included(ticket, LeafProof.of(leaf)))

    async def concede(self, router: Signer, ticket: bytes) -> int:
        desk = self._desk
        receipt = await self._chain.send(router, desk.concede(ticket))
        return sum(event.paid for event in Conceded.among(receipt.logs, desk.address))

    async def settle_left_out(self, sender: Signer, ticket: bytes) -> int:
        desk = self._desk
        receipt = await self._chain.send(sender, desk.expire_omission(ticket))
        return sum(event.paid for event in OmissionExpired.among(receipt.logs, desk.address))

    # -- jobs not delivered

    async def claim_silence(self, claimant: Signer, ticket: JobTicket, signature: bytes) -> None:
        await self._claim(claimant, self._desk.claim_silence(TicketStruct.of(ticket), signature))

    async def silence(self, ticket: bytes) -> Claim | None:
        return _claim_of(ticket, await self._desk.silence_of(ticket))

    async def silences(self, provider: Address) -> Sequence[Claim]:
        made = await history(self._chain, _DESK, "SilenceClaimed", None, None, provider)
        found = []
        for event in made:
            claim = await self.silence(event.args["ticket"])
            if claim is not None and claim.open:
                found.append(replace(claim, asked=await self._asked(event)))
        return sorted(found, key=lambda c: c.due_at)

    async def show_receipt(self, sender: Signer, job: SignedJob) -> None:
        ticket, _, receipt, signature = _values(job)
        await self._chain.send(sender, self._desk.show_receipt(ticket, receipt, signature))

    async def settle_silence(self, sender: Signer, ticket: bytes) -> None:
        await self._chain.send(sender, self._desk.expire_silence(ticket))

    async def _claim(self, claimant: Signer, call: Call) -> None:
        bond = (await self._desk.parameters()).claim_bond
        await self._chain._approve(claimant, "INFR", _DESK, bond)
        await self._chain.send(claimant, call)

    async def _shown(self, event: ChainEvent) -> SignedJob | None:
        """The messages in the call that made the claim; None if another contract made it."""
        sent = await self._sent(event, "claimJob")
        if sent is None:
            return None
        ticket, by_router, receipt, by_provider = sent
        try:
            shown = _message(JobTicket, ticket), _message(JobReceipt, receipt)
        except ValueError:  # a tier or a reason nobody knows
            return None
        return SignedJob(shown[0], by_router, shown[1], by_provider)

    async def _asked(self, event: ChainEvent) -> JobTicket | None:
        sent = await self._sent(event, "claimSilence")
        try:
            return None if sent is None else _message(JobTicket, sent[0])
        except ValueError:
            return None

    async def _sent(self, event: ChainEvent, function: str) -> tuple[Any, ...] | None:
        """The arguments of the call behind an event, if it was this function's."""
        sent = await self._chain.rpc.read(
            "eth_getTransactionByHash", "0x" + event.position.tx.hex()
        )
        data = unhex(sent["input"]) if sent else b""
        known = interface(_DESK).functions[function]
        if data[:4] != known.selector:
            return None
        try:
            return decode(list(known.inputs), data[4:])
        except DecodingError:
            return None


def _values(job: SignedJob) -> tuple[TicketStruct, bytes, ReceiptStruct, bytes]:
    ticket, receipt = TicketStruct.of(job.ticket), ReceiptStruct.of(job.receipt)
    return ticket, job.ticket_signature, receipt, job.receipt_signature


def _claim_of(ticket: bytes, entry: ClaimEntry) -> Claim | None:
    if entry.status == ClaimStatus.None_:
        return None
    return Claim(
        ticket,
        entry.router,
        entry.provider,
        entry.claimant,
        entry.dueAt,
        entry.status == ClaimStatus.Open,
        entry.status == ClaimStatus.Answered,
        entry.net,
    )


def _message(kind: type[M], values: Sequence[Any]) -> M:
    """A message out of its decoded fields."""
    kinds: dict[str, Any] = {"tier": Tier, "finish_reason": FinishReason}
    named: dict[str, Any] = {}
    for field, value in zip(fields(kind), values, strict=True):
        if isinstance(value, str):
            value = checksum_address(bytes.fromhex(value[2:]))
        named[field.name] = kinds[field.name](value) if field.name in kinds else value
    return kind(**named)
