"""What a `launch:` block may say: how the contracts are set up when they are deployed.

Defaults are for a network that carries value. A development chain takes those of `SHORT` where a
block does not say otherwise, so that days pass in seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from infera.errors import InferaError
from infera.protocol.abi import parse_address

if TYPE_CHECKING:
    from infera.types import Address


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except InferaError as e:
        raise ValueError(e.message) from e


def _governor(text: str) -> str:
    return text if text in ("deployer", "timelock") else _address(text)


AddressText = Annotated[str, AfterValidator(_address)]
DAY = 86_400


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stake(_Block):
    """Whole INFR an operator needs at least, by role. Used when the contracts are deployed."""

    provider: Annotated[int, Field(ge=1, le=10_000_000)] = 1_000
    router: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000
    validator: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000


class UsdcStake(_Block):
    """Whole USDC an operator needs at least, by role; 0: counted in INFR alone."""

    provider: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    router: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    validator: Annotated[int, Field(ge=0, le=10_000_000)] = 0


class Distribution(_Block):
    """Who gets the billion INFR (docs/protocol/distribution.md)."""

    team: AddressText | None = None
    """Beneficiary of the team's vesting wallet. A public chain needs it; so do the next three."""

    investors: AddressText | None = None
    """Beneficiary of the investors' vesting wallet."""

    public_launch: AddressText | None = None
    """Gets the public launch's 80 million at once."""

    foundation: AddressText | None = None
    """Gets the foundation's 40 million at once."""

    reporter: AddressText | None = None
    """Reports settled volume to the ecosystem's wallet; by default the timelock, which can name
    another.
    """

    start: Annotated[int, Field(ge=0, le=2**40)] | None = None
    """When vesting starts, UTC seconds; by default when the deployment is begun."""

    ecosystem_years: Annotated[int, Field(ge=5, le=9)] = 5
    """How long the ecosystem's incentives last at least."""

    ecosystem_target_usdc: Annotated[int, Field(ge=1, le=10**12)] = 1_000_000_000
    """Settled volume that sets all of them free."""


class Governance(_Block):
    """Times and threshold of the governor and its timelock (docs/protocol/governance.md)."""

    timelock_delay_s: Annotated[int, Field(ge=1, le=30 * DAY)] = 7 * DAY
    """Between a decision and its execution; seven days or more, except on test networks."""

    voting_delay_s: Annotated[int, Field(ge=1, le=30 * DAY)] = DAY
    voting_period_s: Annotated[int, Field(ge=1, le=30 * DAY)] = 5 * DAY
    vote_extension_s: Annotated[int, Field(ge=1, le=30 * DAY)] = 2 * DAY
    """Added once when a quorum is reached late."""

    proposal_threshold: Annotated[int, Field(ge=1, le=5_000_000)] = 100_000
    """Voting power a proposer needs, in whole veINFR."""


class Price(_Block):
    """What INFR is worth, for minimum stakes in USDC (docs/protocol/stake.md)."""

    feed: AddressText | None = None
    """A Chainlink feed of USD per INFR; a development chain gets one that its deployer sets."""

    oldest_s: Annotated[int, Field(ge=3_600, le=8 * DAY)] = DAY
    """Older answers are not believed."""

    development_usd: Annotated[int, Field(ge=1, le=10**6)] = 1
    """What the development chain's own feed says at first."""

    minimum_usdc: UsdcStake = UsdcStake()
    """Minimum stakes that follow the price; they need a feed."""


class Court(_Block):
    """Demands for leaves (docs/protocol/court.md)."""

    response_window_s: Annotated[int, Field(ge=60, le=3 * DAY)] = 6 * 3_600
    demand_period_s: Annotated[int, Field(ge=60, le=30 * DAY)] = 7 * DAY
    demand_bond: Annotated[int, Field(ge=1, le=100_000)] = 10
    """Whole INFR."""


class Desk(_Block):
    """Claims about jobs left out or not delivered (docs/protocol/claims.md)."""

    inclusion_period_s: Annotated[int, Field(ge=60, le=DAY)] = 6 * 3_600
    response_window_s: Annotated[int, Field(ge=300, le=3 * DAY)] = DAY
    claim_period_s: Annotated[int, Field(ge=61, le=30 * DAY)] = 7 * DAY
    claim_bond: Annotated[int, Field(ge=1, le=100_000)] = 10
    """Whole INFR."""


class Sla(_Block):
    """Claims about promised uptime (docs/protocol/sla.md)."""

    quorum_stake: Annotated[int, Field(ge=1, le=100_000_000)] = 30_000
    """Whole INFR."""

    validators: Annotated[int, Field(ge=3, le=100)] = 3
    fewest_probes: Annotated[int, Field(ge=10, le=10_000)] = 20
    slash_bps: Annotated[int, Field(ge=100, le=1_000)] = 100
    cool_down_s: Annotated[int, Field(ge=DAY, le=30 * DAY)] = DAY
    claim_period_s: Annotated[int, Field(ge=3_600, le=7 * DAY)] = 3 * DAY


class Attestation(_Block):
    """Enclave keys and the quorum that speaks for evidence (docs/protocol/attestation.md)."""

    development: bool = False
    """Whether roots of development vendors may be added; decided once, refused on main networks."""

    lifetime_s: Annotated[int, Field(ge=3_600, le=30 * DAY)] = 7 * DAY
    quorum_stake: Annotated[int, Field(ge=1, le=100_000_000)] = 30_000
    """Whole INFR."""

    quorum_validators: Annotated[int, Field(ge=1, le=100)] = 3
    quorum_period_s: Annotated[int, Field(ge=60, le=DAY)] = 3_600
    quorum_slash_bps: Annotated[int, Field(ge=1, le=10_000)] = 5_000


class Reputation(_Block):
    """How findings weigh (docs/protocol/reputation.md)."""

    upheld_ppm: Annotated[int, Field(ge=1_000, le=500_000)] = 10_000
    mismatch_ppm: Annotated[int, Field(ge=1_000, le=500_000)] = 200_000
    base_rate_ppm: Annotated[int, Field(ge=10_000, le=50_000)] = 30_000
    half_life_s: Annotated[int, Field(ge=7 * DAY, le=730 * DAY)] = 90 * DAY


class HotPool(_Block):
    """Seats for keeping models warm (docs/protocol/hot-pool.md)."""

    freshness_s: Annotated[int, Field(ge=60, le=DAY)] = 900
    notice_s: Annotated[int, Field(ge=0, le=7 * DAY)] = 3_600
    epoch_s: Annotated[int, Field(ge=60, le=7 * DAY)] = DAY
    margin_bps: Annotated[int, Field(ge=1, le=5_000)] = 500
    reward_bps: Annotated[int, Field(ge=0, le=2_000)] = 500


class Disputes(_Block):
    """The game over one step of a computation (docs/protocol/dispute.md)."""

    depth: Annotated[int, Field(ge=1, le=5)] = 5
    clock_s: Annotated[int, Field(ge=60, le=3 * DAY)] = 6 * 3_600
    provider_bps: Annotated[int, Field(ge=100, le=10_000)] = 2_500
    challenger_bps: Annotated[int, Field(ge=100, le=10_000)] = 1_000
    bond: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Whole INFR."""

    verifiers: Annotated[dict[str, AddressText], Field(min_length=1)]
    """The step verifier of each model, by the model's id (0x and 64 digits)."""


class Market(_Block):
    """Where INFR is traded (docs/protocol/buyback.md)."""

    pair_factory: AddressText | None = None
    """Uniswap V2 factory of the pair that the 50 million for liquidity can go to, and nowhere else.
    A public chain needs it.
    """

    pool_factory: AddressText | None = None
    """Uniswap V3 factory of the pool that the buyback buys on; without it there is no buyback."""

    pool_fee: Annotated[int, Field(ge=1, le=100_000)] = 3_000
    """Fee tier of that pool, in millionths; the pool is made if there is none."""

    tranches: Annotated[int, Field(ge=7, le=168)] = 56
    window_s: Annotated[int, Field(ge=900, le=DAY)] = 1_800
    cardinality: Annotated[int, Field(ge=100, le=7_200)] = 1_800
    deviation: Annotated[int, Field(ge=10, le=500)] = 100
    slippage_bps: Annotated[int, Field(ge=10, le=500)] = 100
    least_round_usdc: Annotated[int, Field(ge=1, le=10_000)] = 100
    most_per_tranche_usdc: Annotated[int, Field(ge=100, le=1_000_000)] = 1_000


class Launch(_Block):
    """How the contracts are set up when they are deployed; nothing of it is read later."""

    governor: Annotated[str, AfterValidator(_governor)] | None = None
    """Who is to own the contracts: `timelock` (the rule on public chains), `deployer` (on
    development chains), or an address, which has to accept.
    """

    treasury: AddressText | None = None
    """Gets a third of the protocol's fees; by default the governor."""

    validators: AddressText | None = None
    """Gets the validators' third of the protocol's fees; by default the treasury."""

    distribution: Distribution = Distribution()
    governance: Governance = Governance()
    price: Price = Price()
    court: Court = Court()
    desk: Desk = Desk()
    sla: Sla = Sla()
    attestation: Attestation = Attestation()
    reputation: Reputation = Reputation()
    hot_pool: HotPool = HotPool()
    adapter_minimum: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000
    """Micro-USDC that a contract's request must offer at least."""

    market: Market = Market()
    disputes: Disputes | None = None
    """Needs a step verifier; without it there is no DisputeManager."""

    def short(self) -> Launch:
        """The same for a development chain."""
        blocks: dict[str, Any] = {}
        for name, values in SHORT.items():
            block = getattr(self, name)
            unsaid = {k: v for k, v in values.items() if k not in block.model_fields_set}
            blocks[name] = block.model_copy(update=unsaid)
        return self.model_copy(update=blocks)


SHORT: dict[str, dict[str, Any]] = {
    "governance": {
        "timelock_delay_s": 1,
        "voting_delay_s": 1,
        "voting_period_s": 60,
        "vote_extension_s": 10,
        "proposal_threshold": 100,
    },
    "court": {"response_window_s": 60, "demand_period_s": 3_600},
    "desk": {"inclusion_period_s": 60, "response_window_s": 300, "claim_period_s": 86_400},
    "attestation": {"development": True, "quorum_validators": 1, "quorum_stake": 1_000},
    "hot_pool": {"freshness_s": 60, "notice_s": 10, "epoch_s": 60},
}
"""What a development chain takes instead."""
