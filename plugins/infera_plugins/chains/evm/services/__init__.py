"""The chain's services on contracts: which a deployment has is read off its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..chain import EvmChain


def attach(chain: EvmChain) -> None:
    """Give the chain every service whose contracts stand."""
    if "ModelRegistry" in chain.contracts:
        from .models import EvmModelBook

        chain.models = EvmModelBook(chain)
    if "HotPool" in chain.contracts:
        from .seats import EvmSeatMarket

        chain.seats = EvmSeatMarket(chain)
    if "Reputation" in chain.contracts:
        from .reputation import EvmReputationBook

        chain.reputation = EvmReputationBook(chain)
    if all(name in chain.contracts for name in ("BatchCourt", "BatchExaminer", "ClaimDesk")):
        from .court import EvmCourt

        chain.court = EvmCourt(chain)
    from .upkeep import EvmUpkeep

    chain.upkeep = EvmUpkeep(chain)
