"""What every staked role does first: find its keys, and be registered on the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field

from infera.checks import CheckContext, HealthCheck
from infera.errors import ChainError, ChainUnavailableError, NeedsOperatorError, TransientError
from infera.types import OperatorRole

if TYPE_CHECKING:
    from infera.abc import Chain
    from infera.context import Context
    from infera.keys import Signer
    from infera.types import Address

INFR = 10**18
"""Wei of one INFR."""


class OperatorConfig(BaseModel):
    """The settings all staked roles share; a role's own model extends it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    staked_as: ClassVar[OperatorRole | None] = None
    """What the stake is for; a role's own model says it, and `infera doctor` then looks for it."""

    key: str = Field(description="name of the hot key in this node's key store; made if missing")
    cold_key: str | None = Field(
        None, description="key that owns the stake; only needed to register; default: `key`"
    )
    operator: str | None = Field(
        None, description="address that owns the stake, when its key is not kept on this machine"
    )
    chain: str | None = Field(
        None, description="name of the chain that settles, if there are several"
    )
    stake_infr: int = Field(
        0, ge=0, description="whole INFR to stake at start if not registered yet; 0: never"
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """An operator this node acts for: the staking address and the hot key that signs for it."""

    address: Address
    hot: Signer


def identity(config: OperatorConfig, context: Context) -> Identity:
    """The operator's keys, from the node's key store; missing ones are made."""
    hot = context.keys.get_or_create(config.key)
    if config.operator is not None:
        return Identity(config.operator, hot)
    return Identity(context.keys.get_or_create(config.cold_key or config.key).address, hot)


async def ensure_registered(
    config: OperatorConfig,
    context: Context,
    chain: Chain,
    who: Identity,
    role: OperatorRole,
    uri: str,
) -> None:
    """Leave the operator active with this hot key and URI, staking if the configuration says so.

    Raises `NeedsOperatorError` saying what a person has to do, `TransientError` while the chain is
    away.
    """
    label = role.name.lower()
    try:
        known = await chain.operator(who.address, role)
        if known and known.active and known.hot_key == who.hot.address and known.uri == uri:
            return
        if config.operator is not None:
            if known and known.active and known.hot_key == who.hot.address:
                return  # only the URI differs, and the key that may change it is elsewhere
            raise NeedsOperatorError(
                f"{who.address} is not an active {label} with hot key {who.hot.address}",
                hint=f"register that hot key as {label} on the machine that keeps the cold key",
            )
        missing = max(config.stake_infr * INFR - (known.stake if known else 0), 0)
        if config.stake_infr == 0 and (known is None or not known.active):
            minimum = await chain.minimum_stake(role) // INFR
            raise NeedsOperatorError(
                f"{who.address} has no active {label} stake",
                hint=f"set `stake_infr:` (at least {minimum}) to stake at start",
            )
        held = await chain.infr_balance(who.address)
        if held < missing:
            raise NeedsOperatorError(
                f"{label} {who.address} is to stake {missing // INFR} INFR but has {held // INFR}",
                hint="send INFR to that address, or lower `stake_infr:`",
            )
        cold = context.keys.get_or_create(config.cold_key or config.key)
        await chain.register_operator(cold, role, who.hot.address, missing, uri)
    except ChainUnavailableError as error:
        raise TransientError(f"cannot register {label} {who.address}: {error.message}") from error
    except ChainError as error:
        raise NeedsOperatorError(
            f"the chain refused to register {label} {who.address}: {error.revert or error.message}",
            hint=error.hint or "check the address's INFR and ETH balances and the minimum stake",
        ) from error


def keys_check(code: str, kind: str, model: type[OperatorConfig]) -> HealthCheck:
    """The check that a role's keys can be used: those that exist. Others are made at start."""

    async def run(context: CheckContext) -> str | None:
        from infera.keys import KeyStore

        def read() -> None:
            store = KeyStore(context.home / "keys")
            for config in context.configs(model):
                for name in (config.key, config.cold_key):
                    if name is not None and (store.folder / f"{name}.key").exists():
                        store.get(name)

        await anyio.to_thread.run_sync(read)
        return None

    title = f"the {kind}'s keys can be read, by this node alone"
    return HealthCheck(code, title, run, depends_on=("home_writable",), kinds=(kind,))


async def active_hot_key(chain: Chain, address: Address, role: OperatorRole) -> Address | None:
    """The operator's hot key if it is active in that role."""
    known = await chain.operator(address, role)
    return known.hot_key if known is not None and known.active else None
