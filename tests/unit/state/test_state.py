"""The node's database: schema, transactions, failures."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import anyio
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, func, insert, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError

from infera.errors import StateError
from infera.state import State, jobs, meta, metadata, served_jobs
from infera.state.database import state_error
from infera.state.migrate import migrate

ADDRESS = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"


def job(number: int, **change: Any) -> dict[str, Any]:
    row = {
        "job_id": number.to_bytes(32, "big"), "router": ADDRESS, "sequence": number,
        "account": ADDRESS, "grant_digest": b"\1" * 32, "model_id": b"\2" * 32, "tier": 2,
        "state": "delivered", "request": b"{}", "reserved": 2**62, "created_at": 1_700_000_000,
    }  # fmt: skip
    return {**row, **change}


async def test_the_migrations_make_the_tables(tmp_path: Path) -> None:
    async with State(f"sqlite:///{tmp_path}/a.db") as state, state.read() as conn:

        def differences(sync: Connection) -> list[Any]:
            context = MigrationContext.configure(sync, opts={"compare_type": True})
            return list(compare_metadata(context, metadata))

        assert await conn.run_sync(differences) == []


def test_the_migrations_make_the_same_sql_as_the_tables(tmp_path: Path) -> None:
    def schema(path: Path) -> dict[str, set[str]]:
        with sqlite3.connect(path) as conn:
            rows = conn.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
            found = {
                name: {line.strip(" \t,") for line in sql.splitlines()}
                for name, sql in rows
                if name != "alembic_version"
            }
        conn.close()
        return found

    engine = create_engine(f"sqlite:///{tmp_path}/tables.db")
    metadata.create_all(engine)
    engine.dispose()

    async def migrate() -> None:
        async with State(f"sqlite:///{tmp_path}/migrated.db"):
            pass

    anyio.run(migrate)
    assert schema(tmp_path / "migrated.db") == schema(tmp_path / "tables.db")


async def test_sqlite_is_set_up_for_a_server(tmp_path: Path) -> None:
    async with State(f"sqlite:///{tmp_path}/new/folder/a.db") as state, state.read() as conn:
        pragmas = {
            name: (await conn.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
        }
    assert pragmas == {
        "journal_mode": "wal", "busy_timeout": 10_000, "foreign_keys": 1, "synchronous": 1,
    }  # fmt: skip
    if os.name == "posix":
        mode = (tmp_path / "new" / "folder" / "a.db").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600


async def test_rows_survive_a_restart(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/a.db"
    async with State(url) as state, state.begin() as conn:
        await conn.execute(insert(jobs), [job(1), job(2, state="failed")])
    async with State(url) as state, state.read() as conn:
        rows = (await conn.execute(select(jobs).order_by(jobs.c.sequence))).mappings().all()
    assert [(r["job_id"], r["reserved"]) for r in rows] == [
        (job(n)["job_id"], 2**62) for n in (1, 2)
    ]


async def test_a_failed_transaction_leaves_nothing() -> None:
    async with State("sqlite://") as state:
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            async with state.begin() as conn:
                await conn.execute(insert(meta).values(name="a", value="b"))
                1 / 0  # noqa: B018
        with anyio.move_on_after(0.01) as scope:
            async with state.begin() as conn:
                await conn.execute(insert(meta).values(name="c", value="d"))
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        async with state.begin() as conn:  # the lock is free again
            assert await conn.scalar(select(func.count()).select_from(meta)) == 0


async def test_writers_queue_and_readers_do_not_wait() -> None:
    async with State("sqlite://") as state:
        async with state.begin() as conn:
            await conn.execute(insert(meta).values(name="n", value="0"))

        async def raise_it() -> None:
            async with state.begin() as conn:
                value = await conn.scalar(select(meta.c.value))
                await anyio.lowlevel.checkpoint()
                await conn.execute(update(meta).values(value=str(int(value or 0) + 1)))

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(raise_it)
        async with state.begin() as writer:
            await writer.execute(update(meta).values(value="uncommitted"))
            async with state.read() as reader:
                assert await reader.scalar(select(meta.c.value)) == "20"


async def test_one_idempotency_key_is_one_job() -> None:
    async with State("sqlite://") as state:
        async with state.begin() as conn:
            await conn.execute(insert(jobs).values(**job(1, idempotency_key="k")))
            await conn.execute(insert(jobs), [job(2), job(3)])  # NULL equals no NULL
        for twin in (job(4, idempotency_key="k"), job(5, sequence=1)):
            with pytest.raises(IntegrityError):
                async with state.begin() as conn:
                    await conn.execute(insert(jobs).values(**twin))


async def test_errors_do_not_tell_what_was_asked() -> None:
    async with State("sqlite://") as state:
        with pytest.raises(IntegrityError) as caught:  # noqa: PT012
            async with state.begin() as conn:
                for _ in range(2):
                    await conn.execute(insert(jobs).values(**job(1, text="my secret")))
    assert "my secret" not in str(caught.value)


async def test_the_routers_queries_use_their_indexes() -> None:
    async with State("sqlite://") as state, state.read() as conn:

        async def plan(condition: str, order: str) -> str:
            query = f"EXPLAIN QUERY PLAN SELECT * FROM {condition} ORDER BY {order}"
            return str((await conn.exec_driver_sql(query)).all())

        unbatched = "jobs WHERE router = 'r' AND state = 'delivered'"
        assert "ix_jobs_unbatched" in await plan(unbatched, "sequence LIMIT 9")
        batch = "jobs WHERE router = 'r' AND batch_index = 5"
        assert "ix_jobs_router_batch_index_leaf_index" in await plan(batch, "leaf_index")
        account = "jobs WHERE account = 'a'"
        assert "ix_jobs_account_created_at" in await plan(account, "created_at DESC LIMIT 9")
        unacked = "served_jobs WHERE router = 'r' AND acked IS 0"
        assert "ix_served_jobs_unacked" in await plan(unacked, "completed_at")
        assert served_jobs.c.acked.type.python_type is bool


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    async with State(url) as state, state.begin() as conn:
        await conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StateError, match="schema 9999") as caught:
        await State(url).start()
    assert caught.value.code == "state_newer"
    assert "upgrade infera" in caught.value.hint


async def test_nodes_that_start_together_migrate_once(tmp_path: Path) -> None:
    states = [State(f"sqlite:///{tmp_path}/a.db") for _ in range(3)]
    async with anyio.create_task_group() as group:
        for state in states:
            group.start_soon(state.start)
    for state in states:
        await state.stop()


async def test_a_migration_that_dies_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import command

    real = command.upgrade

    def upgrade(*args: Any) -> None:
        real(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "upgrade", upgrade)
    with pytest.raises(KeyboardInterrupt):
        migrate(make_url(f"sqlite:///{tmp_path}/a.db"))
    monkeypatch.undo()
    async with State(f"sqlite:///{tmp_path}/a.db") as state, state.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(jobs)) == 0


@pytest.mark.parametrize("url", ["mysql://x/y", "no url", "oracle://x"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(StateError):
        State(url)


async def test_a_state_is_used_only_when_open(tmp_path: Path) -> None:
    state = State(f"sqlite:///{tmp_path}/a.db")
    with pytest.raises(StateError, match="not open"):
        async with state.read():
            pass
    async with state:
        await state.start()
    await state.stop()
    with pytest.raises(StateError, match="not open"):
        async with state.begin():
            pass


async def test_a_state_is_a_component(tmp_path: Path) -> None:
    state = State(f"sqlite:///{tmp_path}/a.db")
    async with anyio.create_task_group() as group:
        await group.start(lambda *, task_status: state.serve(task_status=task_status))
        async with state.begin() as conn:
            await conn.execute(insert(meta).values(name="a", value="b"))
        group.cancel_scope.cancel()
    with pytest.raises(StateError, match="not open"):
        _ = state.engine


async def test_a_scratch_database_leaves_no_file() -> None:
    async with State("sqlite://") as state:
        folder = Path(state.engine.url.database or "").parent
        assert folder.exists()
    assert not folder.exists()


async def test_what_cannot_be_opened_comes_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no database" * 1000)
    with pytest.raises(StateError) as caught:
        await State(f"sqlite:///{tmp_path}/file").start()
    assert "no SQLite database" in caught.value.hint
    with pytest.raises(StateError):
        await State(f"sqlite:///{tmp_path}/file/below.db").start()


async def test_a_full_disk_is_a_state_error(tmp_path: Path) -> None:
    async with State(f"sqlite:///{tmp_path}/a.db") as state:
        with pytest.raises(StateError) as caught:  # noqa: PT012
            async with state.begin() as conn:
                await conn.exec_driver_sql("PRAGMA max_page_count = 1")
                big = [{"name": str(i), "value": "x" * 100_000} for i in range(50)]
                await conn.execute(insert(meta), big)
        assert "free some disk space" in caught.value.hint


def test_a_locked_database_is_a_state_error() -> None:
    error = OperationalError("x", {}, sqlite3.OperationalError("database is locked"))
    assert "another process" in state_error(error, "writing").hint
    assert state_error(OSError("odd"), "writing").hint == ""
