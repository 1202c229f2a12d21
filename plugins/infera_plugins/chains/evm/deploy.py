"""The names that tests and tools know the manifest and the faucet by."""

from __future__ import annotations

from .faucet import ETH, FAUCET, INFR, USDC
from .manifest import DEVELOPMENT_CHAINS, Deployment

__all__ = ["DEVELOPMENT_CHAINS", "ETH", "FAUCET", "INFR", "USDC", "Deployer", "Deployment"]


class Deployer:
    """Deploys nothing any more: a development chain has every contract."""

    async def run(self) -> None:
        """Do nothing."""
