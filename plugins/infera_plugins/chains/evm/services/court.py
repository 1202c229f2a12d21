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

from ..contracts import interface
from ..history import history
from ..rpc import unhex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.keys import Signer
    from infera.protocol.evidence import Evidence, JobProof
    from infera.types import Address, ChainEvent

    from ..chain import EvmChain

M = TypeVar("M", JobTicket, JobReceipt)

_JOBS, _COURT, _EXAMINER, _DESK = "JobRegistry", "BatchCourt", "BatchExaminer", "ClaimDesk"
_NONE, _OPEN, _ANSWERED = 0, 1, 2


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

    async def terms(self) -> Terms:
        demands = await self._chain.call(_COURT, "parameters")
        return Terms(*demands, *await self._chain.call(_DESK, "parameters"))

    # -- batches

    async def newest_final(self, router: Address) -> int | None:
        exists, index = await self._chain.call(_JOBS, "newestFinal", router)
        return index if exists else None

    async def epoch_of(self, router: Address, batch: int) -> int:
        return int(await self._chain.call(_JOBS, "epochOf", router, batch))

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
        found = await self._chain.call(
            _EXAMINER, evidence.function, evidence.router, *evidence.arguments
        )
        return Conviction(
            found["router"], found["batch"], BatchFault(found["fault"]), found["harmed"]
        )

    async def is_convicted(self, router: Address, batch: int) -> bool:
        epoch = await self.epoch_of(router, batch)
        return bool(await self._chain.call(_COURT, "isConvicted", router, batch, epoch))

    async def prove(self, prover: Signer, evidence: Evidence) -> None:
        examine = interface(_EXAMINER).functions[evidence.function]
        data = examine.call(evidence.router, *evidence.arguments)
        examiner = self._chain.contracts[_EXAMINER]
        await self._chain.transact(prover, _COURT, "prove", examiner, data)

    async def prove_equivocation(
        self,
        prover: Signer,
        first: tuple[JobTicket, bytes],
        second: tuple[JobTicket, bytes],
    ) -> None:
        await self._chain.transact(prover, _COURT, "proveEquivocation", *first, *second)

    # -- demands

    async def demand(self, challenger: Signer, router: Address, batch: int, position: int) -> None:
        _, _, bond = await self._chain.call(_COURT, "parameters")
        await self._chain._approve(challenger, "INFR", _COURT, bond)
        await self._chain.transact(challenger, _COURT, "demand", router, batch, position)

    async def demand_of(
        self, router: Address, batch: int, position: int, epoch: int
    ) -> Demand | None:
        entry = await self._chain.call(_COURT, "demandOf", router, batch, position, epoch)
        if entry["status"] == _NONE:
            return None
        still = entry["status"] == _OPEN
        return Demand(router, batch, position, epoch, entry["challenger"], entry["dueAt"], still)

    async def demands(self, router: Address) -> Sequence[Demand]:
        def job(event: ChainEvent) -> tuple[int, int, int]:
            return event.args["batch"], event.args["position"], event.args["epoch"]

        closed = {job(e) for e in await history(self._chain, _COURT, "DemandClosed", router)}
        made = {job(e) for e in await history(self._chain, _COURT, "Demanded", router)}
        known = [await self.demand_of(router, *which) for which in made - closed]
        return sorted((d for d in known if d is not None and d.open), key=lambda d: d.due_at)

    async def answer(self, sender: Signer, router: Address, leaf: JobProof, job: SignedJob) -> None:
        await self._chain.transact(sender, _COURT, "answer", router, leaf, *_values(job))

    async def expire(self, sender: Signer, demand: Demand) -> None:
        which = demand.router, demand.batch, demand.position
        await self._chain.transact(sender, _COURT, "expire", *which)

    async def dismiss(self, sender: Signer, demand: Demand) -> None:
        which = demand.router, demand.batch, demand.position, demand.epoch
        await self._chain.transact(sender, _COURT, "dismiss", *which)

    # -- jobs left out

    async def claim_job(self, claimant: Signer, job: SignedJob) -> None:
        await self._claim(claimant, "claimJob", *_values(job))

    async def left_out(self, ticket: bytes) -> Claim | None:
        return _claim_of(ticket, await self._chain.call(_DESK, "omissionOf", ticket))

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
        await self._chain.transact(sender, _DESK, "showIncluded", ticket, leaf)

    async def concede(self, router: Signer, ticket: bytes) -> int:
        receipt = await self._chain.transact(router, _DESK, "concede", ticket)
        return sum(int(e.args["paid"]) for e in self._chain._events_of(receipt, "Conceded"))

    async def settle_left_out(self, sender: Signer, ticket: bytes) -> int:
        receipt = await self._chain.transact(sender, _DESK, "expireOmission", ticket)
        return sum(int(e.args["paid"]) for e in self._chain._events_of(receipt, "OmissionExpired"))

    # -- jobs not delivered

    async def claim_silence(self, claimant: Signer, ticket: JobTicket, signature: bytes) -> None:
        await self._claim(claimant, "claimSilence", ticket, signature)

    async def silence(self, ticket: bytes) -> Claim | None:
        return _claim_of(ticket, await self._chain.call(_DESK, "silenceOf", ticket))

    async def silences(self, provider: Address) -> Sequence[Claim]:
        made = await history(self._chain, _DESK, "SilenceClaimed", None, None, provider)
        found = []
        for event in made:
            claim = await self.silence(event.args["ticket"])
            if claim is not None and claim.open:
                found.append(replace(claim, asked=await self._asked(event)))
        return sorted(found, key=lambda c: c.due_at)

    async def show_receipt(self, sender: Signer, job: SignedJob) -> None:
        shown = job.ticket, job.receipt, job.receipt_signature
        await self._chain.transact(sender, _DESK, "showReceipt", *shown)

    async def settle_silence(self, sender: Signer, ticket: bytes) -> None:
        await self._chain.transact(sender, _DESK, "expireSilence", ticket)

    async def _claim(self, claimant: Signer, function: str, *args: Any) -> None:
        bond = (await self._chain.call(_DESK, "parameters"))[3]
        await self._chain._approve(claimant, "INFR", _DESK, bond)
        await self._chain.transact(claimant, _DESK, function, *args)

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


def _values(job: SignedJob) -> tuple[JobTicket, bytes, JobReceipt, bytes]:
    return job.ticket, job.ticket_signature, job.receipt, job.receipt_signature


def _claim_of(ticket: bytes, entry: Any) -> Claim | None:
    if entry["status"] == _NONE:
        return None
    return Claim(
        ticket,
        entry["router"],
        entry["provider"],
        entry["claimant"],
        entry["dueAt"],
        entry["status"] == _OPEN,
        entry["status"] == _ANSWERED,
        entry["net"],
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
