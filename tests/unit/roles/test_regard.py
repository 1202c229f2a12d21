"""Scores on the chain, as they reach the router's choice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from infera.errors import ChainUnavailableError
from infera.services.reputation import ReputationBook, Standing
from infera_plugins.roles.router.index import ProviderIndex
from infera_plugins.roles.router.regard import Regard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.keys import Signer
    from infera.services.reputation import Report


class Book(ReputationBook):
    def __init__(self, scores: dict[str, int]) -> None:
        self.scores = scores
        self.away = False

    async def standing(self, provider: str, block: int | None = None) -> Standing:
        if self.away:
            raise ChainUnavailableError("away")
        return Standing(self.scores[provider], 0, 0, 0, 0)

    async def sampling_rate(self, provider: str, block: int) -> int:
        raise AssertionError

    async def register(self, signer: Signer, provider: str) -> None:
        raise AssertionError

    async def report(self, validator: Signer, reports: Sequence[Report]) -> int:
        raise AssertionError


async def test_what_was_lost_below_neutral_is_held_against_a_provider() -> None:
    scores = {"new": 500_000, "good": 900_000, "caught": 200_000}
    peers = {name: cast("Any", SimpleNamespace(address=name, distrust=0.0)) for name in scores}
    book = Book(scores)
    regard = Regard(ProviderIndex(peers=peers), book)
    await regard.look()
    seen = {name: peer.distrust for name, peer in peers.items()}
    assert seen == {"new": 0.0, "good": 0.0, "caught": pytest.approx(0.6)}

    book.away = True
    scores["good"] = 0
    await regard.look()
    assert peers["good"].distrust == 0.0
