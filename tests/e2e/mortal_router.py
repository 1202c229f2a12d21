"""A router that is convicted and killed while it follows the rollback. Run in a child."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import orjson
from mortal_node import _load, _recovered
from small_network import DEADLINE_S, PLUGINS, Recorder, Small, config

from infera.bus import EventBus
from infera.config import load
from infera.events import BatchesVoided
from infera.kernel.lock import HomeLock
from infera.kernel.node import Node, make_home
from infera.kernel.plugins import load_plugins
from infera.protocol.batches import Batch, build_batch
from infera.protocol.charges import charges
from infera.state.tables import BatchState, JobState, batches, jobs
from infera_plugins.roles.router import settlement
from infera_plugins.roles.router.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JOBS = 6
WINDOW_S = 600
POINTS: dict[str, tuple[str, str]] = {
    "before the books go back": ("unwind", "before"),
    "after the books went back": ("unwind", "after"),
    "before the batch is written down again": ("save_batch", "before"),
    "after the batch is written down again": ("save_batch", "after"),
    "after the batch is committed again, before the note of it": ("batch_committed", "before"),
    "after the batch is committed again": ("batch_committed", "after"),
    "after its debits, before the note of them": ("batch_applied", "before"),
    "after its debits": ("batch_applied", "after"),
}
"""Every write between a conviction and the money, on both sides."""


def inflated(batch: Batch) -> Batch:
    """The batch with its last job's running total, the row and the sums 1,000,000 too high."""
    more, last = 1_000_000, batch.jobs[-1]
    jobs = (*batch.jobs[:-1], replace(last, grant_total=last.grant_total + more))
    debits = tuple(
        replace(row, debited=row.debited + more, router_fees=row.router_fees + more)
        if row.grant == last.grant
        else row
        for row in batch.debits
    )
    lie = Batch(batch.header, jobs, debits, batch.credits, batch.decisions, batch.totals)
    header = replace(
        batch.header,
        jobs_root=lie.jobs_tree.root,
        debits_root=lie.debits_tree.root,
        debited=batch.header.debited + more,
        fees=batch.header.fees + more,
    )
    return replace(lie, header=header)


class Life:
    """One life: it lies once, is convicted, and dies at its point."""

    def __init__(self, home: Path, point: str | None) -> None:
        self.home = home
        self.point = point
        self.lies = False
        self.lie: Batch | None = None
        self.convicted = False
        self._offset = home.with_suffix(".offset")
        """Seconds the chain's clock is ahead: a chain that starts again does not know."""

    def build(self, *args: Any, **kwargs: Any) -> Batch:
        batch = build_batch(*args, **kwargs)
        if not self.lies or self.lie is not None:
            return batch
        self.lie = inflated(batch)
        return self.lie

    def arm(self) -> None:
        """Die at the first such write since the rollback of our own lie."""
        assert self.point is not None
        name, side = POINTS[self.point]
        unwind = Store.unwind

        async def noticed(*args: Any, **kwargs: Any) -> int:
            self.convicted = self.lie is not None
            return await unwind(*args, **kwargs)

        method: Callable[..., Any] = getattr(Store, name)

        async def mortal(*args: Any, **kwargs: Any) -> Any:
            if name == "unwind":
                self.convicted = self.lie is not None
            if self.convicted and side == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = await method(*args, **kwargs)
            if self.convicted and side == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        Store.unwind = noticed  # type: ignore[method-assign]
        setattr(Store, name, mortal)

    async def pass_time(self, small: Small, seconds: int) -> None:
        chain: Any = small.chain
        ahead = int(self._offset.read_text()) if self._offset.exists() else 0
        self._offset.write_text(str(ahead + seconds))
        await chain.rpc.once("evm_increaseTime", hex(seconds))
        await chain.rpc.once("evm_mine")

    async def live(self) -> None:
        plugins = load_plugins(PLUGINS)
        # Each conviction takes twice as much as the last, and each start adds what is missing.
        text = config(2).replace("router: {}", "router: {infr: 2000000}")
        text = text.replace("challenge_window_s: 1", f"challenge_window_s: {WINDOW_S}")
        text = text.replace("thaw_period_s: 60", f"thaw_period_s: {10 * WINDOW_S}")
        loaded = load(text, plugins.registry, home=self.home)
        make_home(loaded)
        with HomeLock(self.home), anyio.fail_after(50):
            bus = EventBus()
            seen = Recorder(bus)
            async with Node(loaded, plugins, bus=bus).running() as node:
                small = Small(node, seen)
                chain: Any = small.chain
                ahead = int(self._offset.read_text()) if self._offset.exists() else 0
                await chain.rpc.once("evm_increaseTime", hex(ahead))
                await seen.until(lambda: len(small.dispatcher.index.peers) == 2, "joined")
                if self.point is None:
                    await self._end(small)
                    return
                await self._all_batched(small)  # what the life before left
                self.lies = True
                with (self.home / "answers").open("ab") as answers:
                    await _load(small, answers, JOBS)
                await self._convict(small)
                await seen.wait(BatchesVoided)
                while True:  # until the point is reached
                    await self.pass_time(small, WINDOW_S + 1)
                    await anyio.sleep(0.2)

    async def _convict(self, small: Small) -> None:
        await small.seen.until(lambda: self.lie is not None, "the router has lied")
        await self._all_batched(small)
        assert self.lie is not None
        court: Any = small.chain.court
        [evidence] = [e for e in charges(self.lie, None) if e.function == "examineCosts"]
        await court.prove(small.node.context.keys.get("provider-2"), evidence)

    async def _all_batched(self, small: Small) -> None:
        """Until every job is in a batch, and the chain has every batch."""
        with anyio.fail_after(DEADLINE_S):
            while True:
                states = {row.state for row in await small.rows(jobs)}
                built = [row for row in await small.rows(batches) if row.state == BatchState.BUILT]
                if states <= {JobState.BATCHED, JobState.FAILED} and not built:
                    return
                await anyio.sleep(0.02)

    async def _end(self, small: Small) -> None:
        """Let time pass until everything is settled, and write down what there is."""
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                await _recovered(small)
                await self._facts(small)
                tasks.cancel_scope.cancel()

            tasks.start_soon(wait)
            with anyio.fail_after(DEADLINE_S):
                while True:
                    await self.pass_time(small, WINDOW_S + 1)
                    await anyio.sleep(0.2)

    async def _facts(self, small: Small) -> None:
        """What the chain has of the router's batches, added to what is known of the rest."""
        router, court = small.address("router"), small.chain.court
        assert court is not None
        count = await small.chain.batch_count(router)
        header, _, _ = await small.chain.batch(router, count - 1)
        path = self.home / "facts.json"
        facts = orjson.loads(path.read_bytes())
        facts["header_debited"] = header.debited
        facts["epoch"] = max(rollback.epoch for rollback in await court.rollbacks(router))
        path.write_bytes(orjson.dumps(facts))


def run(home: Path, point: str | None) -> None:
    """One life of the router on `home`."""
    status = 1
    try:
        life = Life(home, point)
        settlement.build_batch = life.build  # type: ignore[attr-defined]
        if point is not None:
            life.arm()
        anyio.run(life.live)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
