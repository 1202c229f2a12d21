"""What models there are, what official ones are called and may cost (docs/protocol/models.md)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infera.keys import Signer
    from infera.types import Address


@dataclass(frozen=True, slots=True)
class OfficialModel:
    """An official model with what the governor set for it.

    Ceilings in micro-USDC per million tokens, `subsidy_rate` in micro-USDC per second for all
    seats together, `stake_ppm` in millionths of a provider's minimum stake per token per second.
    """

    model_id: bytes
    name: str
    version: int
    max_price_in: int
    max_price_out: int
    stake_ppm: int
    incentive: bool
    subsidy_rate: int
    min_seats: int
    max_seats: int

    def excess(self, price_in: int, price_out: int) -> str | None:
        """Which price is above its ceiling, as a sentence; None if both are within."""
        above = [
            f"{price} for {what} tokens is above {limit}"
            for what, price, limit in (
                ("prompt", price_in, self.max_price_in),
                ("output", price_out, self.max_price_out),
            )
            if price > limit
        ]
        if not above:
            return None
        return (
            f"the official model {self.name} has a price ceiling, and {' and '.join(above)} "
            "(micro-USDC per million)"
        )


class ModelBook(ABC):
    """The list of models. Calls raise `ChainError` or `ChainUnavailableError` as the chain does."""

    changes: ClassVar[tuple[str, ...]]
    """Names of the chain's events that change what an official model is or what a name means;
    their argument `modelId` is the model, all zeros where a name lost its meaning.
    """

    @abstractmethod
    async def resolve(self, name: str) -> tuple[bytes, int] | None:
        """(model id, version) of what an official name means; None if it means nothing."""

    @abstractmethod
    async def official(self) -> Sequence[OfficialModel]:
        """All official models, by name."""

    @abstractmethod
    async def official_model(self, model_id: bytes) -> OfficialModel | None:
        """An official model; None if it is not official."""

    @abstractmethod
    async def listed(self, model_id: bytes) -> bool:
        """Whether anybody ever listed the model."""

    @abstractmethod
    async def manifests(self, model_id: bytes) -> Sequence[tuple[Address, str]]:
        """Where its manifest is said to be found: (who says so, URI), the first 100 of them. What
        is found there has to be checked against the id.
        """

    @abstractmethod
    async def list_model(self, signer: Signer, model_id: bytes, uri: str) -> None:
        """List the model and announce where the signer keeps its manifest."""

    @abstractmethod
    async def stake_for(self, model_id: bytes, tokens_per_second: int) -> int:
        """INFR wei that claiming this throughput asks for at the present minimum."""

    @abstractmethod
    async def claims_count(self) -> bool:
        """Whether what providers declare raises the stake they need."""

    @abstractmethod
    async def claims(self, provider: Address) -> Mapping[bytes, int]:
        """Tokens per second the provider declared, by model."""

    @abstractmethod
    async def declare(self, signer: Signer, model_id: bytes, tokens_per_second: int) -> None:
        """Declare a throughput of the signer's own; zero withdraws it. A higher one than before
        must be covered by its stake.
        """
