"""Providers' scores in `Reputation`, and validators' findings by way of `CheckDesk`."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from infera.errors import ProtocolError
from infera.services.reputation import Report, ReputationBook, Standing, counts

from ..bindings import check_desk as abi
from ..bindings.check_desk import CheckDesk, Checked
from ..bindings.reputation import Reputation
from ..bindings.types import JobLeaf, ReputationFinding
from ..multiproof import merge_proofs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infera.keys import Signer
    from infera.types import Address

    from ..chain import EvmChain

_DESK = "CheckDesk"


class EvmReputationBook(ReputationBook):
    """Reads at any block the node still has; reports where a desk stands."""

    def __init__(self, chain: EvmChain) -> None:
        self._chain = chain
        self.takes_reports = _DESK in chain.contracts

    async def standing(self, provider: Address, block: int | None = None) -> Standing:
        """A provider's standing after that block (None: the newest)."""
        book = Reputation(self._chain, block=block)
        upheld, mismatches = await book.findings(provider)
        return Standing(
            score_ppm=await book.reputation_ppm(provider),
            tenure_s=await book.tenure(provider),
            sampling_rate_ppm=await book.sampling_rate_ppm(provider),
            upheld=upheld,
            mismatches=mismatches,
        )

    async def sampling_rate(self, provider: Address, block: int) -> int:
        """How many of a million of the provider's jobs are checked, as of that very block."""
        return await Reputation(self._chain, block=block).sampling_rate_ppm(provider)

    async def register(self, signer: Signer, provider: Address) -> None:
        """Start a provider's tenure."""
        await self._chain.send(signer, Reputation(self._chain).register(provider))

    async def report(self, validator: Signer, reports: Sequence[Report]) -> int:
        """Hand in findings, in one transaction; returns how many were new."""
        if not all(counts(report.outcome) for report in reports):
            raise ProtocolError("only upheld checks and mismatches are reported")
        desk = CheckDesk(self._chain)
        receipt = await self._chain.send(validator, desk.report(list(_rows(reports))))
        return len(Checked.among(receipt.logs, desk.address))


def _rows(reports: Sequence[Report]) -> Iterator[abi.Report]:
    """One `ICheckDesk.Report` a batch, positions rising, with one multi-proof each."""

    def batch(report: Report) -> tuple[Address, int]:
        return report.router, report.batch

    ordered = sorted(reports, key=lambda r: (r.router, r.batch, r.position))
    for (router, index), found in groupby(ordered, batch):
        part = list(found)
        yield abi.Report(
            router,
            index,
            tuple(r.position for r in part),
            tuple(JobLeaf.of(r.leaf) for r in part),
            tuple(ReputationFinding(r.outcome) for r in part),
            merge_proofs({r.position: r.siblings for r in part}, part[0].count),
        )
