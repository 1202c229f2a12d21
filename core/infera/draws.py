"""The draw of a committed batch: which leaves are checked, and by whom (docs/protocol.md §6).

Everything that decides is read as of the block the batch was committed in, and the randomness is
that of the next one. So every validator, and anybody who looks on, computes the same at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from infera.groups import unwrapped
from infera.protocol.sampling import batch_rand, rank_checkers, sampled, sampling_rate
from infera.types import OperatorRole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infera.abc import Chain
    from infera.protocol.leaves import JobLeaf
    from infera.types import Address

ASKED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Draw:
    """`rand` (32 bytes), validators' active stakes (INFR wei) and providers' rates (ppm)."""

    rand: bytes
    stakes: Mapping[Address, int]
    rates: Mapping[Address, int]

    def sampled(self, leaves: Sequence[JobLeaf]) -> list[int]:
        """Positions of the leaves that are checked."""
        return sampled(self.rand, [self.rates[leaf.provider] for leaf in leaves])

    def checkers(self, position: int) -> list[Address]:
        """Who checks this leaf: the elected validator, then who stands in for it, in order."""
        return rank_checkers(self.rand, position, self.stakes)


async def randomness(chain: Chain, jobs_root: bytes, block: int) -> bytes | None:
    """The batch's 32 random bytes; None while the block after its commit is not mined."""
    prevrandao = await chain.prevrandao(block + 1)
    return None if prevrandao is None else batch_rand(prevrandao, jobs_root)


async def draw(chain: Chain, rand: bytes, block: int, providers: Iterable[Address]) -> Draw:
    """The draw of a batch committed in `block` with jobs of these providers."""
    stakes = await chain.active_stakes(OperatorRole.VALIDATOR, block)
    rates: dict[Address, int] = {}
    limit = anyio.CapacityLimiter(ASKED_AT_ONCE)

    async def look(provider: Address) -> None:
        async with limit:
            rates[provider] = await provider_rate(chain, provider, block)

    with unwrapped():
        async with anyio.create_task_group() as tasks:
            for provider in set(providers):
                tasks.start_soon(look, provider)
    return Draw(rand, stakes, rates)


async def provider_rate(chain: Chain, provider: Address, block: int) -> int:
    """A provider's sampling rate in ppm at a block; from its tenure alone on a chain that keeps no
    reputation.
    """
    if chain.reputation is not None:
        return await chain.reputation.sampling_rate(provider, block)
    operator = await chain.operator(provider, OperatorRole.PROVIDER)
    at = await chain.timestamp(block)
    return sampling_rate(max(at - operator.since, 0) if operator is not None else 0)
