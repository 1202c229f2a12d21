"""A node that kills its own process at a chosen point, as a power cut would. Run in a child."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import orjson
from small_network import PLUGINS, Recorder, Small, config, question

from infera.abc import StreamOptions
from infera.bus import EventBus
from infera.config import load
from infera.errors import RequestError
from infera.kernel.lock import HomeLock
from infera.kernel.node import Node, make_home
from infera.kernel.plugins import load_plugins
from infera.state.tables import JobState, jobs
from infera_plugins.chains.evm.chain import EvmChain
from infera_plugins.roles.account.keyring import Keyring
from infera_plugins.roles.provider.journal import Journal
from infera_plugins.roles.router import role as router_role
from infera_plugins.roles.router.store import Store
from infera_plugins.roles.validator.journal import Journal as VerdictJournal

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS: dict[str, tuple[type, str, str]] = {
    "after the deposit, before the note of it": (EvmChain, "deposit", "after"),
    "before the account's keys are kept": (Keyring, "save_grant", "before"),
    "after a ticket, before the provider has it": (Store, "open_job", "after"),
    "before the provider writes its receipt down": (Journal, "keep", "before"),
    "after the receipt, before the router has it": (Journal, "keep", "after"),
    "after delivery, before a batch": (Store, "deliver_job", "after"),
    "before a batch is written down": (Store, "save_batch", "before"),
    "after a batch is built, before it is committed": (Store, "save_batch", "after"),
    "after a commit, before the note of it": (Store, "batch_committed", "before"),
    "after a commit": (Store, "batch_committed", "after"),
    "after debits, before the note of it": (Store, "batch_applied", "before"),
    "after a claim": (EvmChain, "claim", "after"),
    "before a verdict is kept": (VerdictJournal, "keep", "before"),
}
"""Where a process may end: a method, and on which side of it."""

JOBS = 24

PRELOAD = [
    "mortal_node",
    "aiosqlite",
    "alembic.command",
    "anyio._backends._asyncio",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "infera_plugins.chains.evm.embedded.node",
    "infera_plugins.engines.exact",
    "infera_plugins.fronts.openai.server",
    "infera_plugins.verification.optimistic",
]
"""Imported once for all lives, which then start twice as fast."""


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(point: str, calls: int) -> None:
    """Die around the method's call number `calls`."""
    owner, name, side = POINTS[point]
    method: Callable[..., Any] = getattr(owner, name)
    count = 0

    def reached() -> bool:
        nonlocal count
        count += 1
        return count == calls

    if name == "save_grant":  # the one that is not awaited

        def plain(*args: Any, **kwargs: Any) -> Any:
            if reached():
                _die()
            return method(*args, **kwargs)

        setattr(owner, name, plain)
        return

    async def mortal(*args: Any, **kwargs: Any) -> Any:
        if side == "before" and reached():
            _die()
        result = await method(*args, **kwargs)
        if side == "after" and reached():
            _die()
        return result

    setattr(owner, name, mortal)


def run(home: Path, point: str | None, calls: int) -> None:
    """One life of the node on `home`: with a point until it dies there, else until all is well."""
    status = 1
    try:
        if point is not None:
            _arm(point, calls)
        anyio.run(_live, home, point)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


async def _live(home: Path, point: str | None) -> None:
    router_role._HOUSEKEEPING_S = 0.1
    plugins = load_plugins(PLUGINS)
    loaded = load(
        config(2, validator=True, router={"job_timeout_s": 2}), plugins.registry, home=home
    )
    make_home(loaded)
    with HomeLock(home), anyio.fail_after(40):
        bus = EventBus()
        seen = Recorder(bus)
        async with Node(loaded, plugins, bus=bus).running() as node:
            small = Small(node, seen)
            await seen.until(lambda: len(small.dispatcher.index.peers) == 2, "providers joined")
            if point is not None:
                with (home / "answers").open("ab") as answers:
                    await _load(small, answers)
                await anyio.sleep_forever()  # settlement goes on until the point is reached
            await _recovered(small)


async def _load(small: Small, answers: Any, count: int = JOBS) -> None:
    """Jobs at once, streamed or not; each answer a caller has had is written down for good."""

    async def one(number: int) -> None:
        stream = bool(number % 2)
        try:
            async with small.gateway.submit(
                small.caller, question(f"job {number}", 5, number), StreamOptions(stream, True)
            ) as job:
                said = b"".join([piece async for piece in job])
        except RequestError as error:
            print(f"job {number}: {error.message}")
            return
        bundle = next(
            orjson.loads(line.removeprefix(b"data: "))["infera"]
            for line in said.split(b"\n\n")
            if b'"infera":' in line
        )
        fact = {"job": bundle["ticket"]["jobId"][2:], "cost": bundle["receipt"]["cost"]}
        answers.write(orjson.dumps(fact) + b"\n")
        answers.flush()

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(one, number)


async def _recovered(small: Small) -> None:
    """Wait until nothing is open any more, then write down what there is."""
    ledger, chain = small.dispatcher.ledger, small.chain
    router = small.address("router")

    async def open_ends() -> list[str]:
        rows = await small.rows(jobs)
        left = [row.state for row in rows if row.state not in (JobState.BATCHED, JobState.FAILED)]
        left += [f"{a.address} unsettled" for a in ledger.accounts.values() if a.unsettled]
        left += [f"{a.address} reserved" for a in ledger.accounts.values() if a.reserved]
        for name in ("provider-1", "provider-2"):
            provider = small.address(name)
            paid = await chain.claimed(router, provider)
            credit = await small.gateway._settlement.credit(provider)
            if paid < credit.get("credited", 0):
                left.append(f"{name} is owed")
        return left

    while left := await open_ends():
        with anyio.move_on_after(0.05):
            await anyio.sleep_forever()
        del left
    account = small.book()
    rows = await small.rows(jobs)
    facts = {
        "address": account.address,
        "charged": account.charged,
        "debited": account.debited,
        "free": await chain.free_balance(account.address),
        "locked": (await chain.lockup(account.address, router)).locked,
        "outside": await chain.usdc_balance(account.address),
        "key": small.key,
        "claimed": {
            name: await chain.claimed(router, small.address(name))
            for name in ("provider-1", "provider-2")
        },
        "vault": await chain.usdc_balance(chain.contracts["PaymentVault"]),
        "batches": await chain.batch_count(router),
        "jobs": [
            {
                "job": row.job_id.hex(),
                "state": row.state,
                "cost": row.cost,
                "place": [row.batch_index, row.leaf_index],
                "provider": row.provider,
                "sequence": row.sequence,
            }
            for row in rows
        ],
        "providers": {small.address(f"provider-{n}"): f"provider-{n}" for n in (1, 2)},
    }
    path = Path(small.node.config.home) / "facts.json"
    path.write_bytes(orjson.dumps(facts))
