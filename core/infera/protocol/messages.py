"""The five signed messages of docs/protocol.md §2, field for field and in its order, and the two
of docs/protocol/hot-pool.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from infera.protocol.eip712 import U8, U32, U64, Abi, AddressField, Bytes32, TypedStruct
from infera.types import Address, FinishReason, Outcome, Tier

TierField: TypeAlias = Annotated[Tier, Abi("uint8")]
U40: TypeAlias = Annotated[int, Abi("uint40")]
MAX_ROUTERS = 64
MAX_MODELS = 256
MAX_REGION = 64


@dataclass(frozen=True, slots=True)
class KeyGrant(TypedStruct):
    """An account lets an API key spend, within limits. Signed by the account.

    Prices in micro-USDC per million tokens, caps in micro-USDC, times in UTC seconds. Empty
    `models` means any model.
    """

    account: AddressField
    key_hash: Bytes32
    routers: Annotated[tuple[Address, ...], Abi("address[]", MAX_ROUTERS)]
    models: Annotated[tuple[bytes, ...], Abi("bytes32[]", MAX_MODELS)]
    max_price_in: U64
    max_price_out: U64
    per_job_cap: U64
    daily_cap: U64
    total_cap: U64
    not_before: U64
    not_after: U64
    generation: U64


@dataclass(frozen=True, slots=True)
class JobTicket(TypedStruct):
    """A router orders a job from a provider. Signed by the router's hot key before dispatch.

    `grant` is the grant's digest. Prices in micro-USDC per million tokens, `max_cost` in
    micro-USDC.
    """

    job_id: Bytes32
    sequence: U64
    router: AddressField
    account: AddressField
    grant: Bytes32
    provider: AddressField
    model_id: Bytes32
    tier: TierField
    request_hash: Bytes32
    sampling_hash: Bytes32
    seed: U64
    price_in: U64
    price_out: U64
    premium_bps: U32
    max_tokens_in: U32
    max_tokens_out: U32
    max_cost: U64
    issued_at: U64
    deadline: U64


@dataclass(frozen=True, slots=True)
class JobReceipt(TypedStruct):
    """A provider states what it delivered. Signed by the provider's hot key.

    `ticket` is the ticket's digest.
    """

    ticket: Bytes32
    response_hash: Bytes32
    tokens_in: U32
    tokens_out: U32
    cost: U64
    finish_reason: Annotated[FinishReason, Abi("uint8")]
    evidence: Bytes32
    completed_at: U64


@dataclass(frozen=True, slots=True)
class Verdict(TypedStruct):
    """A validator's finding about a job leaf (`leaf` is its leaf hash).

    Signed by the validator's hot key.
    """

    leaf: Bytes32
    validator: AddressField
    outcome: Annotated[Outcome, Abi("uint8")]
    evidence: Bytes32


@dataclass(frozen=True, slots=True)
class ProviderOffer(TypedStruct):
    """What a provider serves and asks for.

    Signed by its hot key; `capacity` counts concurrent jobs.
    """

    provider: AddressField
    models: Annotated[tuple[bytes, ...], Abi("bytes32[]", MAX_MODELS)]
    tiers: Annotated[tuple[Tier, ...], Abi("uint8[]", len(Tier))]
    price_in: U64
    price_out: U64
    premium_bps: U32
    tokens_per_second: U32
    capacity: U32
    region: Annotated[str, Abi("string", MAX_REGION)]
    not_after: U64


@dataclass(frozen=True, slots=True)
class DemandSignal(TypedStruct):
    """A router's wish how many seats a model should have (docs/protocol/hot-pool.md).

    Signed by the router's hot key for the hot pool's domain; `sequence` only ever rises.
    """

    router: AddressField
    model_id: Bytes32
    sequence: U64
    epoch: U64
    seats: U8


@dataclass(frozen=True, slots=True)
class Heartbeat(TypedStruct):
    """A provider's sign of life in its seat. Signed by its hot key for the hot pool's domain.

    `beat_at` is a time of the chain's, UTC seconds, and only ever rises.
    """

    provider: AddressField
    model_id: Bytes32
    beat_at: U40
