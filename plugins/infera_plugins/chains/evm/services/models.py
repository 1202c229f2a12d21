"""`ModelBook` on `ModelRegistry` and the claims that `StakeRegistry` keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from infera.protocol.abi import ZERO_ADDRESS
from infera.services.models import ModelBook, OfficialModel

from ..bindings.model_registry import ModelRegistry
from ..bindings.stake_registry import StakeRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infera.keys import Signer
    from infera.types import Address

    from ..chain import EvmChain

_PAGE = 100
_NONE = bytes(32)


class EvmModelBook(ModelBook):
    """Reads and lists models."""

    changes: ClassVar[tuple[str, ...]] = (
        "ModelRegistry.ModelAdded",
        "ModelRegistry.TermsChanged",
        "ModelRegistry.ModelRetired",
        "ModelRegistry.NameAssigned",
    )

    def __init__(self, chain: EvmChain) -> None:
        self._chain = chain

    @property
    def _registry(self) -> ModelRegistry:
        return ModelRegistry(self._chain)

    @property
    def _stakes(self) -> StakeRegistry:
        return StakeRegistry(self._chain)

    async def resolve(self, name: str) -> tuple[bytes, int] | None:
        """(model id, version) of what an official name means."""
        model_id = await self._registry.model_of(name)
        return None if model_id == _NONE else (model_id, await self._registry.version_of(name))

    async def official(self) -> Sequence[OfficialModel]:
        """All official models, by name."""
        ids: list[bytes] = []
        for offset in range(0, await self._registry.official_count(), _PAGE):
            ids += await self._registry.official_models(offset, _PAGE)
        found = [await self.official_model(model_id) for model_id in ids]
        return sorted((m for m in found if m is not None), key=lambda m: m.name)

    async def official_model(self, model_id: bytes) -> OfficialModel | None:
        """An official model; None if it is not official."""
        registry = self._registry
        if not await registry.is_official(model_id):
            return None
        terms = await registry.terms_of(model_id)
        name = await registry.name_of(model_id)
        return OfficialModel(
            model_id=model_id,
            name=name,
            version=await registry.version_of(name),
            max_price_in=terms.maxPriceIn,
            max_price_out=terms.maxPriceOut,
            stake_ppm=terms.stakePpm,
            incentive=terms.incentive,
            subsidy_rate=terms.subsidyRate,
            min_seats=terms.minSeats,
            max_seats=terms.maxSeats,
        )

    async def listed(self, model_id: bytes) -> bool:
        """Whether anybody ever listed the model."""
        return await self._registry.is_listed(model_id)

    async def manifests(self, model_id: bytes) -> Sequence[tuple[Address, str]]:
        """(who says so, URI) of the first announcements."""
        registry = self._registry
        listers = await registry.listers(model_id, 0, _PAGE)
        return [(lister, await registry.uri_of(model_id, lister)) for lister in listers]

    async def list_model(self, signer: Signer, model_id: bytes, uri: str) -> None:
        """List the model, or move where the signer keeps its manifest."""
        await self._chain.send(signer, self._registry.list_model(model_id, uri))

    async def stake_for(self, model_id: bytes, tokens_per_second: int) -> int:
        """INFR wei that claiming this throughput asks for."""
        return await self._registry.stake_for(model_id, tokens_per_second)

    async def claims_count(self) -> bool:
        """Whether what providers declare raises the stake they need."""
        return await self._stakes.claim_pricer() != ZERO_ADDRESS

    async def claims(self, provider: Address) -> Mapping[bytes, int]:
        """Tokens per second the provider declared, by model."""
        models, speeds, _ = await self._stakes.claims_of(provider)
        return dict(zip(models, speeds, strict=True))

    async def declare(self, signer: Signer, model_id: bytes, tokens_per_second: int) -> None:
        """Declare a throughput of the signer's own."""
        await self._chain.send(signer, self._stakes.declare(model_id, tokens_per_second))
