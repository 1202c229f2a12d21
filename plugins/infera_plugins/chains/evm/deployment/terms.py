"""Everything that is decided about a deployment before its first transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from infera.errors import NeedsOperatorError
from infera.protocol.abi import parse_address

from .launch import Launch, Stake
from .manifest import DEVELOPMENT_CHAINS

if TYPE_CHECKING:
    from infera.types import Address

    from ..config import EvmConfig
    from .parts import At

TIMELOCK = "timelock"


class Terms(BaseModel):
    """Settings with every default filled in, as the manifest keeps them."""

    model_config = ConfigDict(frozen=True)

    chain_id: int
    deployer: str
    governor: str
    """`timelock` or an address."""
    usdc: str | None
    """None: a toy token."""
    salt: str
    start: int
    """When vesting starts, UTC seconds."""
    challenge_window_s: int
    thaw_period_s: int
    unbonding_period_s: int
    minimum_stake: Stake
    launch: Launch

    @property
    def development(self) -> bool:
        """Whether toy tokens may be made."""
        return self.chain_id in DEVELOPMENT_CHAINS

    def differences(self, other: Terms) -> list[str]:
        """`name this not that` for all that differs."""
        return _differences("", self.model_dump(mode="json"), other.model_dump(mode="json"))


def governor_of(terms: Terms, at: At) -> Address:
    """Who owns the contracts in the end."""
    return at("InferaTimelock") if terms.governor == TIMELOCK else terms.governor


def _differences(name: str, one: Any, other: Any) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = dict.fromkeys([*one, *other])
        prefix = f"{name}." if name else ""
        return [
            d for key in keys for d in _differences(f"{prefix}{key}", one.get(key), other.get(key))
        ]
    return [] if one == other else [f"{name} {one} not {other}"]


def terms_of(
    config: EvmConfig,
    chain_id: int,
    deployer: Address,
    now: int,
    *,
    salt: str = "infera",
) -> Terms:
    """Settings made whole for a chain; `now` in UTC seconds.

    Raises `NeedsOperatorError` naming everything a public chain needs and does not have.
    """
    development = chain_id in DEVELOPMENT_CHAINS
    launch = config.launch or Launch()
    launch = launch.short() if development else launch
    governor = launch.governor or ("deployer" if development else TIMELOCK)
    governor = deployer if governor == "deployer" else governor
    distribution, market = launch.distribution, launch.market
    holders = {
        name: getattr(distribution, name) or (deployer if development else None)
        for name in ("team", "investors", "public_launch", "foundation")
    }
    missing = [f"launch.distribution.{name}" for name, held in holders.items() if held is None]
    if not development:
        if config.usdc is None:
            missing.insert(0, "usdc")
        if market.pair_factory is None:
            missing.append("launch.market.pair_factory")
    if missing:
        raise NeedsOperatorError(
            f"chain {chain_id} is no development chain: {', '.join(missing)} must be set",
            code="deployment_settings_missing",
            hint="in the configuration that `--config` names (docs/deployment.md)",
        )
    if any(launch.price.minimum_usdc.model_dump().values()) and not (
        development or launch.price.feed
    ):
        raise NeedsOperatorError(
            "launch.price.minimum_usdc follows a price, and launch.price.feed names none",
            code="deployment_settings_missing",
            hint="name a Chainlink feed of USD per INFR, or set minimum stakes in INFR alone",
        )
    return Terms(
        chain_id=chain_id,
        deployer=deployer,
        governor=governor,
        usdc=parse_address(config.usdc) if config.usdc else None,
        salt=salt,
        start=distribution.start if distribution.start is not None else now,
        challenge_window_s=config.challenge_window_s,
        thaw_period_s=config.thaw_period_s,
        unbonding_period_s=config.unbonding_period_s,
        minimum_stake=config.minimum_stake,
        launch=launch.model_copy(
            update={"distribution": distribution.model_copy(update=holders), "governor": None}
        ),
    )
