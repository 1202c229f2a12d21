"""A caller that is cancelled leaves nothing of its work behind."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.state import State

if TYPE_CHECKING:
    from pathlib import Path

OPENS_AFTER_S = 0.3
SLOW = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
SELECT sum(i) FROM n
"""


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[threading.ExceptHookArgs]:
    """What threads had to say when nobody listened any more."""
    found: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", found.append)
    return found


def end_of_workers() -> None:
    """Wait for the threads behind connections to have nothing more to do."""
    for thread in threading.enumerate():
        if "connection_worker" in thread.name:
            thread.join(20)


def test_a_statement_ends_before_its_cancelled_caller(
    tmp_path: Path, lost: list[threading.ExceptHookArgs]
) -> None:
    async def main() -> None:
        async with State(f"sqlite:///{tmp_path}/state.db") as state:
            started = anyio.Event()

            async def ask() -> None:
                async with state.read() as conn:
                    started.set()
                    await conn.exec_driver_sql(SLOW)
                    pytest.fail("a cancelled caller went on")

            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(ask)
                await started.wait()
                tasks.cancel_scope.cancel()
            async with state.read() as conn:
                assert (await conn.exec_driver_sql("SELECT 1")).scalar() == 1

    anyio.run(main)
    end_of_workers()
    assert lost == []


def test_a_connection_is_open_before_its_cancelled_caller_leaves(
    tmp_path: Path, lost: list[threading.ExceptHookArgs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left while it opens, its thread would speak to an event loop that is closed."""
    connect, go = sqlite3.connect, threading.Event()

    async def main() -> None:
        opening, loop = asyncio.Event(), asyncio.get_running_loop()

        def slowly(*args: Any, **options: Any) -> sqlite3.Connection:
            loop.call_soon_threadsafe(opening.set)
            go.wait(20)
            return connect(*args, **options)

        async with State(f"sqlite:///{tmp_path}/state.db") as state:

            async def ask() -> None:
                async with state.read():
                    pytest.fail("a cancelled caller went on")

            async with state.read(), anyio.create_task_group() as tasks:
                monkeypatch.setattr(sqlite3, "connect", slowly)
                tasks.start_soon(ask)
                await opening.wait()
                loop.call_later(OPENS_AFTER_S, go.set)
                tasks.cancel_scope.cancel()

    try:
        anyio.run(main)
    finally:
        go.set()
    end_of_workers()
    assert lost == []
