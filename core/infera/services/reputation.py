"""A score per provider, from what validators found; it sets how often its jobs are sampled
(docs/protocol/reputation.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infera.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera.keys import Signer
    from infera.protocol.leaves import JobLeaf
    from infera.types import Address

PPM = 1_000_000
NEUTRAL_PPM = 500_000
"""The score everybody starts with and slowly returns to."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the chain knows of a provider at one block.

    `score_ppm` and `sampling_rate_ppm` in parts per million, `tenure_s` in seconds since it was
    registered (zero if it was not), `upheld` and `mismatches` in findings.
    """

    score_ppm: int
    tenure_s: int
    sampling_rate_ppm: int
    upheld: int
    mismatches: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a validator found about one committed job.

    `position` and `siblings` place the leaf in the tree of the batch's `count` jobs.
    """

    router: Address
    batch: int
    position: int
    count: int
    siblings: tuple[bytes, ...]
    leaf: JobLeaf
    outcome: Outcome


def counts(outcome: Outcome) -> bool:
    """Whether a finding moves a score. What decides nothing does not: an undecided check, a router
    or provider that could not be reached, a request that a provider declined.
    """
    return outcome in (Outcome.UPHELD, Outcome.MISMATCH)


def distrust(score_ppm: int) -> float:
    """What a router adds for a provider's score: 0.0 for the best and for a neutral one, up to 1.0.

    A newcomer is at neutral, so it costs nothing to be new; only what was lost below that does.
    """
    return min(max(NEUTRAL_PPM - score_ppm, 0), NEUTRAL_PPM) / NEUTRAL_PPM


class ReputationBook(ABC):
    """Providers' scores. Calls raise `ChainError` or `ChainUnavailableError` as the chain does."""

    takes_reports: bool = False
    """Whether validators can report here what they found."""

    @abstractmethod
    async def standing(self, provider: Address, block: int | None = None) -> Standing:
        """A provider's standing after that block (None: the newest)."""

    @abstractmethod
    async def sampling_rate(self, provider: Address, block: int) -> int:
        """How many of a million of the provider's jobs are checked, as of that very block: everyone
        who asks gets the same answer, whatever came later. A node that has thrown the block's state
        away refuses.
        """

    @abstractmethod
    async def register(self, signer: Signer, provider: Address) -> None:
        """Start a provider's tenure. Anybody may, once."""

    @abstractmethod
    async def report(self, validator: Signer, reports: Sequence[Report]) -> int:
        """Hand in findings that count, in one transaction; returns how many were new. A job that
        was reported before counts no second time; if all were, the chain refuses.
        """
