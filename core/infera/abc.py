"""What a plugin implements. One base class per extension kind; each has an exported conformance
suite in `infera.testing`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infera.errors import ErrorType, RequestError
from infera.types import (
    Address,
    BatchHeader,
    Caller,
    ChainEvent,
    ChainPosition,
    Completion,
    Delta,
    Finding,
    JobRequest,
    Lockup,
    ModelInfo,
    ModelListing,
    Operator,
    OperatorRole,
    Sampling,
    Tier,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import TaskStatus

    from infera.keys import Signer
    from infera.protocol.eip712 import Domain
    from infera.protocol.messages import JobReceipt, JobTicket, KeyGrant
    from infera.services import Court, ModelBook, ReputationBook, SeatMarket, Upkeep


class Component(ABC):
    """Something a node runs.

    `serve` calls `task_status.started()` once ready, then runs until cancelled; cancellation means
    stop. Clean-up that must
    happen runs in a shielded scope with a deadline. A component owns every task it starts.
    """

    name: str

    @abstractmethod
    async def serve(self, *, task_status: TaskStatus[None]) -> None: ...


class Role(Component):
    """A part a node plays in the network: router, provider, validator, account."""


class Front(Component):
    """A door through which people's programs come in. Gets the node's `Gateway` from its
    context.
    """


class Engine(Component):
    """Runs models. Loads them before `started()`; `generate` may be called concurrently."""

    @abstractmethod
    def models(self) -> Sequence[ModelInfo]:
        """The loaded models."""

    @abstractmethod
    async def encode(self, request: JobRequest) -> tuple[int, ...]:
        """Prompt token ids of a request, template included. Raises `RequestError` if it cannot
        be rendered.
        """

    @abstractmethod
    def generate(self, request: JobRequest) -> AsyncIterator[Delta | Completion]:
        """Any number of `Delta`s, then exactly one `Completion`.

        `request.seed` and `request.max_tokens` are set. The same request gives the same output bits
        on an engine that claims a
        deterministic profile in its manifest. Closing the iterator stops the work. Raises
        `RequestError`
        (`context_length_exceeded`) or `EngineError`.
        """


@dataclass(frozen=True, slots=True)
class Case:
    """A finished job as a validator sees it."""

    request: JobRequest
    text: str
    ticket: JobTicket
    receipt: JobReceipt


class Verifier(Component):
    """One verification tier: makes the provider's evidence and checks somebody else's."""

    tier: Tier

    @abstractmethod
    async def attest(self, request: JobRequest, completion: Completion) -> bytes:
        """The 32-byte `evidence` a provider puts in its receipt."""

    @abstractmethod
    async def check(self, case: Case, engine: Engine) -> Finding:
        """Decide whether the job was done as claimed, with an engine that has the job's model."""


@dataclass(frozen=True, slots=True)
class Debit:
    """One grant's row in a debits tree with what `applyDebits` needs to believe it."""

    grant: KeyGrant
    signature: bytes
    debited: int
    router_fees: int
    protocol_fees: int
    index: int
    proof: tuple[bytes, ...]


class Chain(Component):
    """The settlement layer, in protocol terms. Amounts of USDC in micro-USDC, of INFR in wei.

    Calls that send take the `Signer` whose account pays gas; they return once the transaction is
    mined and raise
    `ChainError` with the typed revert, or `ChainUnavailableError` when the RPC does not answer.
    """

    domain: Domain
    contracts: Mapping[str, Address]
    rpc_url: str | None

    court: Court | None = None
    reputation: ReputationBook | None = None
    models: ModelBook | None = None
    seats: SeatMarket | None = None
    upkeep: Upkeep | None = None
    """Services that this chain offers (`infera.services`); None where it does not."""

    @abstractmethod
    async def block_number(self) -> int: ...

    @abstractmethod
    async def timestamp(self, block: int | None = None) -> int:
        """Time of a block (None: the newest), UTC seconds."""

    @abstractmethod
    async def prevrandao(self, block: int) -> bytes | None:
        """The block's randomness (32 bytes), or None while it is not mined."""

    # -- StakeRegistry

    @abstractmethod
    async def operator(self, address: Address, role: OperatorRole) -> Operator | None: ...

    @abstractmethod
    async def operators(self, role: OperatorRole) -> Sequence[Operator]: ...

    async def active_stakes(self, role: OperatorRole, block: int) -> Mapping[Address, int]:
        """INFR wei of everyone active in the role as of that block. A chain that cannot look back
        answers for the newest.
        """
        return {known.address: known.stake for known in await self.operators(role) if known.active}

    @abstractmethod
    async def minimum_stake(self, role: OperatorRole) -> int: ...

    async def required_stake(self, operator: Address, role: OperatorRole) -> int:
        """What this operator needs now to come in or to claim more: the role's minimum, or what it
        has declared asks for, if that is more. Who is in already may have time left to add it.
        """
        return await self.minimum_stake(role)

    @abstractmethod
    async def register_operator(
        self, cold: Signer, role: OperatorRole, hot_key: Address, stake: int, uri: str
    ) -> None:
        """Approve INFR, stake it and register (or update) hot key and URI."""

    # -- balances

    @abstractmethod
    async def usdc_balance(self, address: Address) -> int: ...

    @abstractmethod
    async def infr_balance(self, address: Address) -> int: ...

    # -- PaymentVault

    @abstractmethod
    async def free_balance(self, account: Address) -> int: ...

    @abstractmethod
    async def lockup(self, account: Address, router: Address) -> Lockup: ...

    @abstractmethod
    async def generation(self, account: Address) -> int: ...

    async def grant_revoked(self, account: Address, grant: bytes) -> bool:
        """Whether the account has ended this one grant. False where only `revoke_keys` ends any."""
        return False

    @abstractmethod
    async def debited(self, router: Address, grant: bytes) -> int:
        """Cumulative micro-USDC the vault has debited under this grant by this router."""

    @abstractmethod
    async def claimed(self, router: Address, provider: Address) -> int:
        """Cumulative micro-USDC the provider has been paid under this router."""

    @abstractmethod
    async def deposit(self, account: Signer, amount: int) -> None: ...

    @abstractmethod
    async def withdraw(self, account: Signer, amount: int) -> None:
        """Free balance back to the account's own address."""

    @abstractmethod
    async def lock(self, account: Signer, router: Address, amount: int) -> None: ...

    @abstractmethod
    async def unlock(self, account: Signer, router: Address, amount: int) -> None:
        """Start the thaw."""

    async def withdraw_thawed(self, account: Signer, router: Address) -> int:
        """Move what has thawed back to the free balance; returns micro-USDC moved."""
        raise NotImplementedError

    @abstractmethod
    async def revoke_keys(self, account: Signer) -> int:
        """Raise the account's generation, which ends every grant; returns the new one."""

    @abstractmethod
    async def apply_debits(
        self, sender: Signer, router: Address, batch: int, debits: Sequence[Debit]
    ) -> None: ...

    @abstractmethod
    async def claim(
        self,
        sender: Signer,
        router: Address,
        batch: int,
        provider: Address,
        credited: int,
        index: int,
        proof: Sequence[bytes],
    ) -> int:
        """Pay a provider's increase; returns micro-USDC paid."""

    # -- JobRegistry

    @abstractmethod
    async def commit_batch(self, router: Signer, header: BatchHeader) -> ChainPosition: ...

    @abstractmethod
    async def batch_count(self, router: Address) -> int: ...

    @abstractmethod
    async def batch(self, router: Address, index: int) -> tuple[BatchHeader, int, int]:
        """(header, block committed in, final-at UTC seconds)."""

    # -- events

    @abstractmethod
    def events(self, cursor: str, *, names: Sequence[str] = ()) -> AsyncIterator[ChainEvent]:
        """Contract events from the persisted cursor on, for ever; survives restarts and
        reorganisations.

        The cursor moves past an event when the next one is asked for. An event named `Reorged`
        (contract `""`,
        args `{"block": n}`) tells that everything from block n on is told again.
        """


class JobStream(ABC):
    """A running job as a front sees it: an async iterator of bytes ready for the client.

    Streaming: whole SSE events, `[DONE]` included. Not streaming: one JSON body. A job that fails
    before its first byte raises
    `RequestError`; leaving the context stops generation, and what was delivered is billed.
    """

    job_id: str

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How the answer travels; no part of what is executed."""

    stream: bool = False
    include_usage: bool = False
    tier_open: bool = False
    """The caller named no tier: `request.tier` is a placeholder, and the router asks plugins."""


class Gateway(ABC):
    """The router as fronts see it (`context.gateway`). All methods may raise `RequestError`."""

    @abstractmethod
    def authenticate(self, api_key: str) -> Caller:
        """Who this bearer key is. 401 `invalid_api_key` if nobody."""

    @abstractmethod
    def models(self) -> Sequence[ModelListing]: ...

    def default_sampling(self, model: str) -> Sampling:
        """What a model is sampled with where the caller names nothing."""
        return Sampling()

    @abstractmethod
    def submit(
        self,
        caller: Caller,
        request: JobRequest,
        options: StreamOptions,
        idempotency_key: str | None = None,
    ) -> AbstractAsyncContextManager[JobStream]:
        """Reserve, choose, ticket and dispatch. 402 `insufficient_funds`, 404 `model_not_found`,
        429, 503.
        """

    @abstractmethod
    async def receipt(self, caller: Caller, job_id: str) -> dict[str, Any]:
        """The job's receipt bundle, with its on-chain leaf once it has one. 404 if it is not
        this account's.
        """

    @abstractmethod
    async def account(self, caller: Caller) -> dict[str, Any]:
        """Balance view of the caller: free, locked, reserved, unsettled, spent (micro-USDC)."""

    async def account_of(self, address: Address) -> dict[str, Any]:
        """What anybody may know of an account, as the chain has it: generation, and free and
        locked micro-USDC.
        """
        raise RequestError(
            "This router tells nothing about accounts.",
            code="account_unavailable",
            status=404,
            type=ErrorType.NOT_FOUND,
        )

    @abstractmethod
    async def register_grant(self, grant: KeyGrant, signature: bytes) -> bytes:
        """Accept a signed key grant; returns its digest."""

    @abstractmethod
    async def batch_leaves(self, index: int) -> dict[str, Any]:
        """A committed batch with all its leaves (public: leaves carry no content)."""

    @abstractmethod
    def network(self) -> dict[str, Any]:
        """Public live state: router identity and endpoint, providers, batch numbers."""
