"""Writers that share a commit: each hears of its own fate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from sqlalchemy import bindparam, insert, select, update

from infera.errors import StateError
from infera.state import State, meta

if TYPE_CHECKING:
    from pathlib import Path

_ADD = insert(meta)
_CHANGE = update(meta).where(meta.c.name == bindparam("which")).values(value=bindparam("to"))


async def test_a_value_no_database_can_hold_fails_its_own_writer_only(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"name": "a", "value": "1"},
        {"name": "b", "value": object()},
        {"name": "c", "value": "3"},
    ]
    async with State(f"sqlite:///{tmp_path}/s.db") as state:
        told: list[object] = [None] * len(rows)

        async def write(place: int) -> None:
            try:
                told[place] = await state.write((_ADD, rows[place]))
            except Exception as error:
                told[place] = error

        async with anyio.create_task_group() as tasks, state.begin():
            for place in range(len(rows)):
                tasks.start_soon(write, place)
            await anyio.wait_all_tasks_blocked()
        assert told[0] == told[2] == 1
        assert isinstance(told[1], Exception)
        async with state.read() as conn:
            names = (await conn.scalars(select(meta.c.name).order_by(meta.c.name))).all()
        assert {"a", "c"} <= set(names)
        assert "b" not in names


async def test_every_writer_hears_that_the_database_is_gone(tmp_path: Path) -> None:
    state = State(f"sqlite:///{tmp_path}/s.db")
    await state.start()
    told: list[Exception] = []

    async def write(name: str) -> None:
        with pytest.raises(StateError) as failed:
            await state.write((_ADD, {"name": name, "value": ""}))
        told.append(failed.value)

    async with anyio.create_task_group() as tasks, state.begin():
        tasks.start_soon(write, "a")
        tasks.start_soon(write, "b")
        await anyio.wait_all_tasks_blocked()
        _break(state)
    assert len(told) == 2
    await state.stop()


def _break(state: State) -> None:
    """Let no connection be opened any more, as on PostgreSQL when the server is away."""

    def refuse(*_: object) -> None:
        raise OSError("connect call failed")

    state._commit_in_thread = refuse  # type: ignore[method-assign]


async def test_a_write_tells_how_many_rows_it_touched(tmp_path: Path) -> None:
    async with State(f"sqlite:///{tmp_path}/s.db") as state:
        await state.write((_ADD, {"name": "a", "value": ""}))
        assert await state.write((_CHANGE, {"which": "a", "to": "1"})) == 1
        assert await state.write((_CHANGE, {"which": "z", "to": "1"})) == 0
