"""A provider's stake against the throughput it claims (docs/protocol/stake.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from infera.errors import (
    ChainError,
    ChainUnavailableError,
    NeedsOperatorError,
    StateError,
    TransientError,
)
from infera.events import ProgressMade
from infera.operators import INFR
from infera.types import OperatorRole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infera.abc import Chain
    from infera.bus import EventBus
    from infera.keys import Signer
    from infera.types import Address

_AGAIN_S = 5.0
_CHANGES = (
    "MinimumStakeChanged",
    "UsdcMinimumChanged",
    "Repriced",
    "DemandChanged",
    "Slashed",
    "Unbonding",
)
"""What moves a minimum or a stake. Those of other operators are passed over."""


def whole_infr(wei: int) -> str:
    """INFR for people and for a command line: exact, as few digits as that takes."""
    whole, rest = divmod(wei, INFR)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".") if rest else str(whole)


def missing_stake(address: Address, stake: int, needed: int, why: str) -> str | None:
    """What is missing and how to add it; None if nothing is. Amounts in INFR wei."""
    if stake >= needed:
        return None
    short = whole_infr(needed - stake)
    return (
        f"{why} asks for a stake of {whole_infr(needed)} INFR, and provider {address} has "
        f"{whole_infr(stake)}: {short} INFR are missing; "
        f"add them with `infera stake deposit provider {short}`, or claim less throughput"
    )


@dataclass(slots=True)
class StakeCover:
    """Declares what one provider claims to serve, and watches that its stake covers it.

    `cold` is None where the stake's key is elsewhere; then nothing is declared.
    """

    chain: Chain
    address: Address
    cold: Signer | None
    claims: Mapping[bytes, int]
    """Tokens per second, by model."""
    bus: EventBus
    source: str
    _said: str | None = None

    async def declare(self) -> None:
        """Claim what is not claimed yet. A claim is never lowered here: another node of the same
        operator may have made it.

        Raises `NeedsOperatorError` if the stake does not cover it, `TransientError` while the chain
        is away.
        """
        models = self.chain.models
        try:
            rising: dict[bytes, int] = {}
            if models is not None and await models.claims_count():
                known = await models.claims(self.address)
                rising = {m: v for m, v in self.claims.items() if v > known.get(m, 0)}
                rising = {m: v for m, v in rising.items() if await models.stake_for(m, v)}
            problem = await self.problem()
            if problem is None and models is not None and self.cold is not None:
                for model_id, speed in rising.items():
                    await models.declare(self.cold, model_id, speed)
            elif problem is not None and rising:
                raise NeedsOperatorError(
                    problem, hint="`infera stake show` says what there is", code="stake_too_low"
                )
            elif rising:
                claims = " and ".join(
                    f"`infera stake declare 0x{model_id.hex()} {speed}`"
                    for model_id, speed in rising.items()
                )
                self._tell(
                    f"its throughput is not declared: {claims} does that, sent with the key that "
                    "owns the stake"
                )
        except ChainUnavailableError as error:
            raise TransientError(f"cannot look at the stake: {error.message}") from error
        except ChainError as error:
            raise NeedsOperatorError(
                f"the chain refused the provider's claims: {error.message}", hint=error.hint
            ) from error
        self._say(problem)

    async def problem(self) -> str | None:
        """What is missing of the stake that the claims ask for."""
        role, models = OperatorRole.PROVIDER, self.chain.models
        needed, why = await self.chain.required_stake(self.address, role), "what it declared"
        if needed == await self.chain.minimum_stake(role):
            why = "being a provider"
        if models is not None and await models.claims_count():
            claimed = await self.chain.minimum_stake(role)
            for model_id, speed in self.claims.items():
                claimed += await models.stake_for(model_id, speed)
            if claimed > needed:
                needed, why = claimed, "the throughput it claims"
        known = await self.chain.operator(self.address, role)
        return missing_stake(self.address, 0 if known is None else known.stake, needed, why)

    async def watch(self) -> None:
        """Look again whenever a minimum or the stake changes, for ever; say what is missing."""
        while True:
            try:
                await self._follow()
            except StateError as error:
                self._tell(error.message)
            await anyio.sleep(_AGAIN_S)

    async def _follow(self) -> None:
        async for event in self.chain.events(f"stake:{self.address}", names=_CHANGES):
            if event.args.get("operator", self.address) != self.address:
                continue
            try:
                self._say(await self.problem())
            except ChainError as error:
                self._tell(f"cannot look at the stake: {error.message}")

    def _say(self, problem: str | None) -> None:
        if problem != self._said:
            self._tell(problem or "its stake covers what it claims again")
        self._said = problem

    def _tell(self, text: str) -> None:
        self.bus.publish(ProgressMade(self.source, text))
