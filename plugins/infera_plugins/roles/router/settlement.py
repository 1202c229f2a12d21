"""From receipts to money: batches committed on-chain, debits applied, and the proofs providers
claim with.

Every step is written down before it is sent and looked up on the chain before it is sent again, so
a crash or an absent chain between
any two steps repeats nothing and loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from infera.abc import Chain, Debit
from infera.errors import ChainError, ChainUnavailableError, StateError
from infera.events import (
    BatchCommitted,
    ChainInterrupted,
    ChainRecovered,
    DebitsApplied,
    ProgressMade,
)
from infera.protocol.batches import Totals, build_batch
from infera.state.tables import BatchState
from infera_plugins.roles.router.ledger import AccountBook
from infera_plugins.roles.router.rollback import Rollbacks

if TYPE_CHECKING:
    from infera.bus import EventBus
    from infera.keys import Signer
    from infera.types import Address
    from infera_plugins.roles.router.batch_store import StoredBatch
    from infera_plugins.roles.router.config import RouterConfig
    from infera_plugins.roles.router.ledger import Ledger
    from infera_plugins.roles.router.store import Store

_DEBITS_PER_TX = 40
"""Grants in one `applyDebits`: about 100,000 gas each keeps a transaction far below a block's
limit.
"""


@dataclass(slots=True)
class Settlement:
    """One router's settlement loop."""

    config: RouterConfig
    address: Address
    hot: Signer
    chain: Chain
    ledger: Ledger
    store: Store
    bus: EventBus
    rollbacks: Rollbacks = field(init=False)
    _away: bool = False
    _due: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        self.rollbacks = Rollbacks(self.address, self.chain, self.store, self.bus)

    def hurry(self) -> None:
        """Begin the next round now."""
        self._due.set()

    async def run(self, on_applied: Any) -> None:
        """Every interval: commit what was delivered, apply what is final. `on_applied(batch)` is
        awaited after debits.
        """
        while True:
            self._due = anyio.Event()
            try:
                await self.commit_all()
                applied = await self.apply()
                if applied is not None:
                    await on_applied(applied)
                self._back()
            except ChainUnavailableError as error:
                self._gone(error.message)
            except ChainError as error:
                self.bus.publish(
                    ProgressMade(
                        "settlement", f"the chain refused: {error.revert or error.message}"
                    )
                )
            except StateError as error:
                self.bus.publish(ProgressMade("settlement", f"{error.message}; trying again"))
            with anyio.move_on_after(self.config.batch_interval_s):
                await self._due.wait()

    async def commit_all(self) -> None:
        """Commit batches until nothing delivered is left out."""
        standing = await self.chain.batch_count(self.address)
        while await self.rollbacks.follow(standing):
            standing = await self.chain.batch_count(self.address)
        pending = await self.store.uncommitted_batch()
        await self._commit_lost(pending, standing)
        while True:
            if pending is None:
                pending = await self._build()
            if pending is None:
                return
            await self._commit(pending)
            pending = None

    async def _commit_lost(self, pending: StoredBatch | None, standing: int) -> None:
        """Commit again, in order and as it was, what a reorganisation has taken off the chain."""
        last = await self.store.last_batch()
        if last is None:
            return
        here = last.header.index + (pending is None)
        for index in range(standing, here):
            batch = await self.store.batch(index)
            if batch is not None:
                await self._commit(batch)

    async def _build(self) -> StoredBatch | None:
        """Put the oldest delivered jobs into the next batch, in one transaction of the local
        database.
        """
        jobs = await self.store.delivered_jobs(self.config.batch_size)
        if not jobs:
            return None
        previous = await self.store.last_batch()
        index = 0 if previous is None else previous.header.index + 1
        domain = self.chain.domain
        totals = Totals.of(previous.debits, previous.credits) if previous else Totals()
        batch = await anyio.to_thread.run_sync(
            lambda: build_batch(self.address, index, [job.settled(domain) for job in jobs], totals)
        )
        return await self.store.save_batch(batch, [job.job_id for job in jobs])

    async def _commit(self, batch: StoredBatch) -> None:
        header = batch.header
        if await self.chain.batch_count(self.address) <= header.index:
            position = await self.chain.commit_batch(self.hot, header)
            tx = position.tx
        else:
            # It went through before a crash: only our own note of it is missing.
            tx = b""
        known, block, final_at = await self.chain.batch(self.address, header.index)
        if known != header:
            raise ChainError(
                f"batch {header.index} on the chain is not the one in this router's database",
                hint="does another node commit for this router? stop it, or restore the database",
            )
        await self.store.batch_committed(header.index, tx, block, final_at)
        self.bus.publish(
            BatchCommitted(
                self.address, header.index, header.count, "0x" + tx.hex() if tx else "known"
            )
        )

    async def apply(self) -> int | None:
        """Debit developers for the newest final batch; returns its index if anything moved."""
        batch = await self._newest_final()
        if batch is None or batch.state is not BatchState.COMMITTED:
            return None
        threshold = int(self.config.debit_threshold_usdc * 1_000_000)
        due: list[Debit] = []
        moved = 0
        whole = batch.whole()
        for position, leaf in enumerate(batch.debits):
            increase = leaf.debited - await self.chain.debited(self.address, leaf.grant)
            book = self.ledger.grants.get(leaf.grant)
            if increase > threshold and book is not None:
                due.append(
                    Debit(
                        book.grant,
                        book.signature,
                        leaf.debited,
                        leaf.router_fees,
                        leaf.protocol_fees,
                        position,
                        whole.prove_debit(leaf.grant)[1].siblings,
                    )
                )
                moved += increase
        for start in range(0, len(due), _DEBITS_PER_TX):
            await self.chain.apply_debits(
                self.hot, self.address, batch.header.index, due[start : start + _DEBITS_PER_TX]
            )
        await self.store.batch_applied(batch.header.index)
        for account in {debit.grant.account for debit in due}:
            await self.refresh(account)
        if moved:
            self.bus.publish(DebitsApplied(self.address, batch.header.index, moved))
        return batch.header.index

    async def _newest_final(self) -> StoredBatch | None:
        """The newest batch that nobody can void any more: the clock does not know of holds."""
        if self.chain.court is None:
            return await self.store.newest_final(await self.chain.timestamp())
        index = await self.chain.court.newest_final(self.address)
        return None if index is None else await self.store.batch(index)

    async def refresh(self, account: Address) -> None:
        """Mirror the vault's figures for one account.

        What the vault has debited is read before the lockup: a debit between the two reads then
        makes us
        understate, never overstate, what may be spent.
        """
        await self._read(self.ledger.account(account))

    async def look(self, account: Address) -> AccountBook:
        """The vault's figures for any account, now. A stranger's book is not kept."""
        book = self.ledger.accounts.get(account) or AccountBook(account)
        await self._read(book)
        return book

    async def _read(self, book: AccountBook) -> None:
        account = book.address
        book.generation = await self.chain.generation(account)
        debited = 0
        for grant in [g for g in self.ledger.grants.values() if g.grant.account == account]:
            debited += await self.chain.debited(self.address, grant.digest)
        lockup = await self.chain.lockup(account, self.address)
        book.free = await self.chain.free_balance(account)
        book.debited = debited
        book.locked = lockup.locked
        book.usable = lockup.locked - lockup.thawing

    async def refresh_grants(self, account: Address) -> None:
        """Mirror which of an account's grants it has ended, and its figures."""
        for grant in [g for g in self.ledger.grants.values() if g.grant.account == account]:
            grant.revoked = await self.chain.grant_revoked(account, grant.digest)
        await self.refresh(account)

    async def credit(self, provider: Address) -> dict[str, Any]:
        """What a provider may claim now, with the proof: cumulative credit in the newest applied
        batch.
        """
        batch = await self.store.newest_applied()
        if batch is None:
            return {"batch": None}
        try:
            leaf, proof = batch.whole().prove_credit(provider)
        except KeyError:
            return {"batch": None}
        return {
            "batch": batch.header.index,
            "credited": leaf.credited,
            "index": proof.index,
            "proof": [node.hex() for node in proof.siblings],
        }

    def _gone(self, reason: str) -> None:
        if not self._away:
            self._away = True
            self.bus.publish(ChainInterrupted(reason))

    def _back(self) -> None:
        if self._away:
            self._away = False
            self.bus.publish(ChainRecovered())
