"""What a `kind: evm` block under `chains:` may say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from infera.protocol.abi import parse_address

from .deployment.launch import Launch, Stake

CORE = ("INFR", "USDC", "StakeRegistry", "JobRegistry", "PaymentVault")
"""Contracts a node cannot do without."""

OTHERS = (
    "BatchExaminer", "BatchCourt", "ClaimDesk", "SlaRegistry", "DisputeManager",
    "TdxVerifier", "AttestationVerifier", "EvidenceQuorum", "ZkVerifier", "Reputation",
    "CheckDesk",
    "ModelRegistry", "HotPool", "InferaAdapter", "Buyback",
    "InferaTimelock", "VeINFR", "InferaGovernor",
    "Distribution", "TeamVesting", "InvestorVesting", "TreasuryVesting", "EcosystemVesting",
    "LockedLiquidity", "PriceFeed",
)  # fmt: skip
"""What else a manifest may name."""


class Funds(BaseModel):
    """Play money for one key of this node, on development chains only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    eth: Annotated[float, Field(ge=0, le=1_000_000)] = 100.0
    infr: Annotated[int, Field(ge=0, le=100_000_000)] = 1_000_000
    usdc: Annotated[int, Field(ge=0, le=1_000_000_000)] = 10_000


class Official(BaseModel):
    """A model that the governor's key makes official, on development chains only
    (docs/protocol/models.md).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, Field(pattern="^0x[0-9a-fA-F]{64}$")]
    """The model's id, which `infera models inspect` prints."""

    uri: Annotated[str, Field(min_length=1, max_length=256)]
    """Where its manifest is found."""

    max_price_in: Annotated[int, Field(ge=0, lt=2**64)]
    """Ceiling, micro-USDC per million prompt tokens."""

    max_price_out: Annotated[int, Field(ge=0, lt=2**64)]
    """Ceiling, micro-USDC per million output tokens."""

    stake_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Millionths of the minimum stake that each claimed token per second adds."""

    subsidy_rate: Annotated[int, Field(ge=0, lt=2**64)] = 0
    """Micro-USDC a second that all seats cost at most; 0: seats are not paid."""

    min_seats: Annotated[int, Field(ge=0, le=64)] = 1
    max_seats: Annotated[int, Field(ge=0, le=64)] = 1
    budget_usdc: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """Play money for its seats, paid in once."""

    @property
    def id(self) -> bytes:
        """`model` as the contracts have it."""
        return bytes.fromhex(self.model[2:])

    @model_validator(mode="after")
    def _check(self) -> Official:
        if self.min_seats > self.max_seats:
            raise ValueError("min_seats must not be above max_seats")
        if self.subsidy_rate and not self.max_seats:
            raise ValueError("seats that are paid need max_seats of 1 or more")
        return self


class EvmConfig(BaseModel):
    """A settlement chain: inside this process, or behind an RPC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rpc: str = "embedded"
    """`embedded`, or the URL of a node: http(s)://, ws(s)://, ipc:///path or a path that ends in
    .ipc.
    """

    chain_id: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """Refuse to start on any other chain.

    The embedded chain takes this number (31337 by default).
    """

    deploy: bool | None = None
    """Deploy the contracts if `contracts` is `auto` and this home knows none.

    By default on the embedded chain only.
    """

    contracts: str | dict[str, str] = "auto"
    """Addresses of INFR, USDC, StakeRegistry, JobRegistry and PaymentVault, and of others if they
    stand; or the manifest that `infera contracts deploy` wrote (a path, from the home); `auto`
    reads the home's contracts.json.
    """

    usdc: str | None = None
    """The chain's own USDC. Used on deployment; without it, a development chain gets a toy token
    and any other chain is refused.
    """

    from_block: Annotated[int, Field(ge=0)] = 0
    """First block that can hold events of the contracts; known by itself for contracts this node
    deployed.
    """

    deployer: str = "deployer"
    """Key that deploys the contracts, and governs them on a development chain; made if it does not
    exist.
    """

    fund: dict[str, Funds] = {}
    """Keys of this node that get play money, by name; `*` stands for every key there is at start.
    Keys named here are made.
    """

    official: dict[str, Official] = {}
    """Models that `deployer` makes official if they never were, by name; on development chains
    only.
    """

    challenge_window_s: Annotated[int, Field(ge=1, le=86_400)] = 90
    """How long a batch can be challenged. Used when the contracts are deployed."""

    thaw_period_s: Annotated[int, Field(ge=2, le=2_592_000)] = 3_600
    """How long unlocked money still answers for debits; longer than the challenge window.

    Used on deployment.
    """

    unbonding_period_s: Annotated[int, Field(ge=1, le=7_776_000)] = 604_800
    """How long unbonded stake still answers for slashing. Used on deployment."""

    minimum_stake: Stake = Stake()
    """Stake an operator needs at least. Used on deployment."""

    launch: Launch | None = None
    """Everything else about contracts that are to be deployed (docs/deployment.md); a public chain
    needs it. Used on deployment.
    """

    block_interval_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Seconds between idle blocks of the embedded chain."""

    confirmations: Annotated[int, Field(ge=0, le=1_000)] = 0
    """Blocks that must follow before a transaction or an event counts."""

    poll_interval_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """How often the node is asked for news."""

    request_timeout_s: Annotated[float, Field(gt=0, le=300)] = 20.0
    """How long the node may take for one answer."""

    @property
    def embedded(self) -> bool:
        """Whether the chain runs inside this process."""
        return self.rpc == "embedded"

    def record(self, home: Path) -> Path:
        """The file that says where the contracts stand, if `contracts` does not."""
        name = self.contracts if isinstance(self.contracts, str) else "auto"
        return home / ("contracts.json" if name == "auto" else Path(name).expanduser())

    @property
    def may_deploy(self) -> bool:
        """Whether missing contracts are deployed."""
        return self.embedded if self.deploy is None else self.deploy

    @model_validator(mode="after")
    def _check(self) -> EvmConfig:
        if not self.embedded:
            scheme = self.rpc.partition("://")[0]
            if scheme not in ("http", "https", "ws", "wss", "ipc") and not self.rpc.endswith(
                ".ipc"
            ):
                raise ValueError(
                    "rpc: `embedded`, http(s)://, ws(s)://, ipc:// or a path ending in .ipc"
                )
        if self.thaw_period_s <= self.challenge_window_s:
            raise ValueError("thaw_period_s must be longer than challenge_window_s")
        if self.usdc is not None:
            try:
                parse_address(self.usdc)
            except Exception as e:
                raise ValueError(f"usdc: {e}") from e
        if isinstance(self.contracts, dict):
            missing = [name for name in CORE if name not in self.contracts]
            unknown = [name for name in self.contracts if name not in (*CORE, *OTHERS)]
            if missing or unknown:
                raise ValueError(
                    f"contracts: names {', '.join(CORE)}"
                    + (f"; missing {', '.join(missing)}" if missing else "")
                    + (f"; unknown {', '.join(unknown)}" if unknown else "")
                )
            for name, address in self.contracts.items():
                try:
                    parse_address(address)
                except Exception as e:
                    raise ValueError(f"contracts: {name}: {e}") from e
        return self
