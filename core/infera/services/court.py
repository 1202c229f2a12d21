"""Proofs against batches, demands for leaves, jobs left out or not delivered
(docs/protocol/court.md).

What router, provider and validator need of the courts, in the protocol's terms. Bonds are INFR wei,
money is micro-USDC, times are UTC seconds by the chain's clock. Calls that send take the `Signer`
whose account pays gas and, where one is due, the bond; they raise `ChainError` with the typed
revert, `ChainUnavailableError` while the chain is away.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.keys import Signer
    from infera.protocol.evidence import Conviction, Evidence, JobProof
    from infera.protocol.messages import JobReceipt, JobTicket
    from infera.types import Address


@dataclass(frozen=True, slots=True)
class SignedJob:
    """A ticket and a receipt for it, with both signatures."""

    ticket: JobTicket
    ticket_signature: bytes
    receipt: JobReceipt
    receipt_signature: bytes


@dataclass(frozen=True, slots=True)
class Rollback:
    """The router's batches from `index` on ceased to exist; it goes on in `epoch`. `place` names
    the event for ever: another one, as after a reorganisation, has another.
    """

    index: int
    epoch: int
    place: str


@dataclass(frozen=True, slots=True)
class Demand:
    """Somebody wants a leaf published by `due_at`. `epoch` and `batch` together name the batch."""

    router: Address
    batch: int
    position: int
    epoch: int
    challenger: Address
    due_at: int
    open: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that a router left out, or that a provider gave no receipt for. `net` is what the
    provider is owed; `shown` are the messages of a left-out job, `asked` the ticket of one not
    delivered, where they can be read.
    """

    ticket: bytes
    router: Address
    provider: Address
    claimant: Address
    due_at: int
    open: bool
    answered: bool
    """With a batch or a receipt: neither conceded nor run out."""
    net: int = 0
    shown: SignedJob | None = None
    asked: JobTicket | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """How long the courts wait, in seconds, and what they ask for, in wei."""

    response_window_s: int
    demand_period_s: int
    demand_bond: int
    inclusion_period_s: int
    claim_window_s: int
    claim_period_s: int
    claim_bond: int


class Court(ABC):
    """The courts of one chain."""

    router_events: ClassVar[tuple[str, ...]]
    """Events after which a router looks at its batches, demands and claims again; argument
    `router` says whose, where there is one.
    """

    @abstractmethod
    async def terms(self) -> Terms: ...

    # -- batches

    @abstractmethod
    async def newest_final(self, router: Address) -> int | None:
        """Index of the router's newest final batch; a held batch is not final."""

    @abstractmethod
    async def epoch_of(self, router: Address, batch: int) -> int:
        """How often the router had been rolled back when the batch was committed."""

    @abstractmethod
    async def rollbacks(self, router: Address) -> Sequence[Rollback]:
        """Every rollback of the router, oldest first."""

    # -- proofs

    @abstractmethod
    async def examine(self, evidence: Evidence) -> Conviction:
        """What the court would find; costs nothing. `ChainError` if it is no evidence."""

    @abstractmethod
    async def is_convicted(self, router: Address, batch: int) -> bool:
        """Whether the batch that stands there was judged already."""

    @abstractmethod
    async def prove(self, prover: Signer, evidence: Evidence) -> None:
        """Have the router convicted; the bounty goes to the prover."""

    @abstractmethod
    async def prove_equivocation(
        self,
        prover: Signer,
        first: tuple[JobTicket, bytes],
        second: tuple[JobTicket, bytes],
    ) -> None:
        """Two tickets of one sequence number, each with its signature."""

    # -- demands

    @abstractmethod
    async def demand(self, challenger: Signer, router: Address, batch: int, position: int) -> None:
        """Demand a leaf with its messages, against the bond."""

    @abstractmethod
    async def demand_of(
        self, router: Address, batch: int, position: int, epoch: int
    ) -> Demand | None:
        """The demand for a leaf, if there ever was one."""

    @abstractmethod
    async def demands(self, router: Address) -> Sequence[Demand]:
        """The open demands to a router, the most pressing first."""

    @abstractmethod
    async def answer(self, sender: Signer, router: Address, leaf: JobProof, job: SignedJob) -> None:
        """Publish a demanded leaf; the bond goes to the router."""

    @abstractmethod
    async def expire(self, sender: Signer, demand: Demand) -> None:
        """Close a demand that was not answered in time: the router is convicted."""

    @abstractmethod
    async def dismiss(self, sender: Signer, demand: Demand) -> None:
        """Close a demand for a batch that is void by now."""

    # -- jobs left out

    @abstractmethod
    async def claim_job(self, claimant: Signer, job: SignedJob) -> None:
        """Claim a job that its router left out, against the bond."""

    @abstractmethod
    async def left_out(self, ticket: bytes) -> Claim | None:
        """The claim of a left-out job, if there ever was one."""

    @abstractmethod
    async def claims(self, router: Address) -> Sequence[Claim]:
        """The open claims of jobs a router left out, the most pressing first."""

    @abstractmethod
    async def show_included(self, sender: Signer, ticket: bytes, leaf: JobProof) -> None:
        """Answer with the job in a batch; the bond goes to the router."""

    @abstractmethod
    async def concede(self, router: Signer, ticket: bytes) -> int:
        """Pay the provider from the router's bond instead; returns micro-USDC paid."""

    @abstractmethod
    async def settle_left_out(self, sender: Signer, ticket: bytes) -> int:
        """Close a claim nobody answered in time: the provider is paid from the router's bond, the
        router slashed; returns micro-USDC paid.
        """

    # -- jobs not delivered

    @abstractmethod
    async def claim_silence(self, claimant: Signer, ticket: JobTicket, signature: bytes) -> None:
        """Claim that the provider never signed anything for this ticket, against the bond."""

    @abstractmethod
    async def silence(self, ticket: bytes) -> Claim | None:
        """The claim that a ticket was never answered, if there ever was one."""

    @abstractmethod
    async def silences(self, provider: Address) -> Sequence[Claim]:
        """The open claims that a provider was silent, the most pressing first."""

    @abstractmethod
    async def show_receipt(self, sender: Signer, job: SignedJob) -> None:
        """Answer with a receipt of the ticket; the bond goes to the provider."""

    @abstractmethod
    async def settle_silence(self, sender: Signer, ticket: bytes) -> None:
        """Close a claim nobody answered in time: the provider is slashed."""
