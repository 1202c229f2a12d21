"""Telling the chain's reputation what was found: many findings in one transaction, each once."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

import anyio

from infera.errors import ChainError, ChainUnavailableError
from infera.events import FindingsReported

if TYPE_CHECKING:
    from collections.abc import Callable

    from infera.bus import EventBus
    from infera.keys import Signer
    from infera.services.reputation import Report, ReputationBook
    from infera.types import Address
    from infera_plugins.roles.validator.journal import Journal

MOST_AT_ONCE = 200
"""Findings in a transaction: 44,000 gas each (`contracts/snapshots/reputation.json`)."""

_TOLD = ("CheckDesk_NothingNew",)
_HOPELESS = ("CheckDesk_BadProof", "CheckDesk_OwnWork", "JobRegistry_UnknownBatch")
"""Refusals that no waiting mends: the batch was voided, say."""


class Reporter:
    """Reports once `count` findings wait or the oldest is `age_s` old.

    The journal keeps a finding until its transaction is mined. One that was mined just before a
    crash is sent again, and the chain passes it over.
    """

    def __init__(
        self,
        validator: Address,
        signer: Signer,
        book: ReputationBook,
        journal: Journal,
        bus: EventBus,
        say: Callable[[str], None],
        *,
        count: int,
        age_s: float,
        retry_s: float,
        clock: Callable[[], float] = time,
    ) -> None:
        self._validator = validator
        self._signer = signer
        self._book = book
        self._journal = journal
        self._bus = bus
        self._say = say
        self._count = count
        self._age_s = age_s
        self._retry_s = retry_s
        self._clock = clock
        self._news = anyio.Event()

    def notice(self) -> None:
        """A finding was written down."""
        self._news.set()

    async def run(self) -> None:
        """Report for ever."""
        while True:
            self._news = anyio.Event()
            try:
                wait_s = await self.turn()
            except ChainError as error:
                self._say(f"findings are not reported yet: {error.revert or error.message}")
                await anyio.sleep(self._retry_s)
                continue
            with anyio.move_on_after(wait_s):
                await self._news.wait()

    async def turn(self) -> float | None:
        """Report if it is time; returns in how many seconds it may be next, None without any."""
        count, oldest = await self._journal.waiting()
        if count == 0:
            return None
        left = oldest + self._age_s - self._clock()
        if count < self._count and left > 0:
            return left
        await self._tell(await self._journal.untold(MOST_AT_ONCE))
        return 0.0

    async def _tell(self, reports: list[Report]) -> None:
        try:
            new = await self._book.report(self._signer, reports)
        except ChainUnavailableError:
            raise
        except ChainError as error:
            reason = (error.revert or "").partition("(")[0]
            if reason not in _TOLD + _HOPELESS:
                raise
            batches = sorted({(r.router, r.batch) for r in reports})
            if reason in _HOPELESS and len(batches) > 1:
                # One bad batch must not keep the others' findings back.
                for batch in batches:
                    await self._tell([r for r in reports if (r.router, r.batch) == batch])
                return
            if reason in _HOPELESS:
                router, index = batches[0]
                self._say(f"batch {index} of {router[:10]}: findings dropped, {error.revert}")
            await self._journal.told(reports)
            return
        await self._journal.told(reports)
        self._bus.publish(FindingsReported(self._validator, new))
