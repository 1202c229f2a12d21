"""Following rollbacks: what a court has voided is taken out of the books and batched again.

The chain keeps no list of what it voided, so a router compares: its own batches from the
rollback's index on are void unless the chain has the very same there. The books then change in one
transaction, and settlement goes on from the last batch that stands, with the jobs in the order of
their tickets. A crash anywhere in between changes nothing of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infera.errors import ChainError, NeedsOperatorError, StateError, TransientError
from infera.events import BatchesVoided

if TYPE_CHECKING:
    from infera.abc import Chain
    from infera.bus import EventBus
    from infera.types import Address
    from infera_plugins.roles.router.batch_store import BatchStore


@dataclass(slots=True)
class Rollbacks:
    """One router's. `suspected` is set by whoever hears of one, and at the start."""

    address: Address
    chain: Chain
    store: BatchStore
    bus: EventBus
    suspected: bool = True

    async def follow(self, standing: int) -> bool:
        """Take out of the books what is void; whether anything was. `standing` is how many batches
        the chain has, read before the call.
        """
        court = self.chain.court
        if court is None or not (self.suspected or standing < await self._committed()):
            return False
        self.suspected = False
        try:
            told = await court.rollbacks(self.address)
            known = await self.store.rollbacks()
            fresh = [rollback for rollback in told if rollback.place not in known]
            if not fresh:
                return False
            index = await self._first_void(min(rollback.index for rollback in fresh))
            count = await self.store.unwind(index, {rollback.place for rollback in told})
        except (ChainError, StateError):
            self.suspected = True
            raise
        if count:
            self.bus.publish(BatchesVoided(self.address, index, count))
        return True

    async def _committed(self) -> int:
        last = await self.store.last_batch()
        pending = await self.store.uncommitted_batch()
        return 0 if last is None else last.header.index + (pending is None)

    async def _first_void(self, index: int) -> int:
        """The first of our batches from `index` on that the chain does not have as it is here."""
        standing = await self.chain.batch_count(self.address)
        while index < standing:
            ours = await self.store.batch(index)
            header, _, _ = await self.chain.batch(self.address, index)
            if ours is None or ours.header != header:
                break
            index += 1
        return index


async def require_own_books(address: Address, chain: Chain, store: BatchStore) -> None:
    """Refuse to serve for a router whose batches this database does not know.

    It could neither continue their totals nor prove what it owes. Raises `NeedsOperatorError`.
    """
    try:
        standing = await chain.batch_count(address)
    except ChainError as error:
        raise TransientError(f"the router cannot read its batches: {error.message}") from error
    last = await store.last_batch()
    here = 0 if last is None else last.header.index + 1
    if standing > here:
        raise NeedsOperatorError(
            f"the chain has {standing} batches of router {address}, this database only {here}",
            hint="restore the database from a backup made after the last batch; if there is none, "
            "thaw this operator's stake and register a new one: set `key:` and `cold_key:` to new "
            "names. A new hot key alone does not help: the court takes tickets of retired keys too",
        )
