"""Frozen values that cross module and plugin borders. No behaviour beyond what follows from the
fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal, TypeAlias

Address: TypeAlias = str
"""EIP-55 checksummed 0x address."""

MicroUSDC: TypeAlias = int
"""1 USDC = 1,000,000."""


class Tier(IntEnum):
    """How an answer is verified (whitepaper §5); the developer picks one per call."""

    TEE = 1
    OPTIMISTIC = 2
    ZKML = 3


class FinishReason(IntEnum):
    """Why generation ended; the wire value of `JobReceipt.finishReason`."""

    STOP = 1
    LENGTH = 2
    CANCELLED = 3
    ERROR = 4
    CONTENT_FILTER = 5

    @property
    def openai(self) -> str:
        """The name the OpenAI API uses; a cut-off answer reads as `stop`, since the API knows no
        better word.
        """
        return {2: "length", 5: "content_filter"}.get(self.value, "stop")


class Outcome(IntEnum):
    """What a validator found."""

    UPHELD = 1
    MISMATCH = 2
    UNDECIDED = 3


class OperatorRole(IntEnum):
    """Roles with stake (`StakeRegistry`)."""

    PROVIDER = 1
    ROUTER = 2
    VALIDATOR = 3


@dataclass(frozen=True, slots=True)
class Message:
    """One chat turn."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """Everything besides the seed that decides which token is drawn. `top_k` 0 means no limit."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a provider executes; its canonical JSON is what `requestHash` commits to.

    Exactly one of `messages` (kind `chat`) and `prompt` (kind `completion`) is set. `seed` is
    chosen by the caller or drawn by the
    router, and is never None once a ticket exists. `logprobs` counts alternatives per token (None:
    no logprobs).
    """

    kind: Literal["chat", "completion"]
    model: str
    messages: tuple[Message, ...] = ()
    prompt: str = ""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None
    logprobs: int | None = None
    tier: Tier = Tier.OPTIMISTIC


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model an engine has loaded. `manifest` is the JSON object whose hash is `model_id`
    (docs/protocol.md §1).
    """

    name: str
    model_id: bytes
    context_length: int
    manifest: dict[str, Any] = field(hash=False, compare=False)
    sampling: Sampling = field(default_factory=Sampling)
    """What its makers sample it with; used where a caller names nothing."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token with its log-probability (natural log) and its best alternatives, best first."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of output text (whole UTF-8 characters only), the tokens drawn since the last piece,
    and their log-probabilities.

    All `tokens` of a generation, joined, are `Completion.output_tokens`; so a job cut short can
    still be billed and checked.
    """

    text: str
    tokens: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """The end of a generation. `commitment` is the engine's 32-byte evidence root over the
    execution (docs/protocol.md §2).
    """

    finish: FinishReason
    text: str
    prompt_tokens: tuple[int, ...]
    output_tokens: tuple[int, ...]
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """A verifier's answer about one job: outcome, 32 bytes of own evidence, and a sentence for
    people.
    """

    outcome: Outcome
    evidence: bytes
    detail: str


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated API key: its account and the grant it spends under."""

    account: Address
    key_hash: bytes
    grant: bytes


@dataclass(frozen=True, slots=True)
class ModelListing:
    """One row of `/v1/models`: the cheapest price on offer, in micro-USDC per million tokens."""

    name: str
    model_id: bytes
    context_length: int
    price_in: int
    price_out: int
    tiers: tuple[Tier, ...]
    providers: int
    created: int
    official: bool = False
    """Whether the governance of the network vouches for the name."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A staked operator as `StakeRegistry` knows it. Stake in INFR wei."""

    address: Address
    role: OperatorRole
    hot_key: Address
    stake: int
    active: bool
    uri: str
    since: int


@dataclass(frozen=True, slots=True)
class Lockup:
    """What an account has put aside for one router, and what of it is thawing (micro-USDC)."""

    locked: MicroUSDC
    thawing: MicroUSDC
    thaw_ends: int


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """`BatchHeader` of docs/protocol.md §4."""

    router: Address
    index: int
    jobs_root: bytes
    debits_root: bytes
    credits_root: bytes
    decisions_root: bytes
    count: int
    grants: int
    providers: int
    tiers: int
    debited: int
    credited: int
    fees: int


@dataclass(frozen=True, slots=True)
class ChainPosition:
    """Where a log sits: block number and hash, transaction hash, log index."""

    block: int
    block_hash: bytes
    tx: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """A decoded contract event. `args` are keyed by the Solidity parameter names; bytes as
    bytes, addresses checksummed.
    """

    contract: str
    name: str
    args: dict[str, Any] = field(hash=False)
    position: ChainPosition = field(default_factory=lambda: ChainPosition(0, b"", b"", 0))
