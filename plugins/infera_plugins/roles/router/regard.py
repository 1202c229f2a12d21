"""How far connected providers are trusted: their scores on the chain, looked up now and then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from infera.errors import ChainError
from infera.services.reputation import distrust

if TYPE_CHECKING:
    from infera.services.reputation import ReputationBook
    from infera_plugins.roles.router.index import ProviderIndex

_LOOK_S = 30.0
"""A score moves with findings, which come in batches; nobody is in a hurry."""


@dataclass(frozen=True, slots=True)
class Regard:
    """Keeps `Peer.distrust` up. Until it has looked, and while the chain is away, nobody is
    distrusted more than before.
    """

    index: ProviderIndex
    book: ReputationBook

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await anyio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Look up everybody who is connected."""
        for peer in list(self.index.peers.values()):
            try:
                standing = await self.book.standing(peer.address)
            except ChainError:
                return
            peer.distrust = distrust(standing.score_ppm)
