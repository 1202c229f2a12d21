"""The same database on PostgreSQL; `INFERA_TEST_POSTGRES` names one to use and to empty."""

from __future__ import annotations

import os
from typing import Any

import anyio
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from infera.errors import StateError
from infera.state import State, jobs, meta, metadata, served_jobs

URL = os.environ.get("INFERA_TEST_POSTGRES", "")
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not URL, reason="INFERA_TEST_POSTGRES names no server"),
]
ADDRESS = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"


async def clear() -> None:
    async with State(URL) as state, state.begin() as conn:
        await conn.run_sync(metadata.drop_all)
        await conn.execute(text("DROP TABLE alembic_version"))


@pytest.fixture
def url() -> str:
    """The URL of a database without tables."""
    try:
        anyio.run(clear)
    except StateError as error:
        if error.code != "state_newer":
            raise
    return URL


async def test_the_migrations_make_the_tables(url: str) -> None:
    def differences(sync: Connection) -> list[Any]:
        context = MigrationContext.configure(sync, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with State(url) as state, state.read() as conn:
        assert await conn.run_sync(differences) == []


async def test_rows_go_in_and_come_out(url: str) -> None:
    row = {
        "job_id": b"\1" * 32, "router": ADDRESS, "sequence": 1, "account": ADDRESS,
        "grant_digest": b"\1" * 32, "model_id": b"\2" * 32, "tier": 2, "state": "delivered",
        "request": b"{}", "reserved": 2**62, "created_at": 1, "idempotency_key": "k",
    }  # fmt: skip
    served = {
        "provider": ADDRESS, "job_id": b"\1" * 32, "router": ADDRESS, "ticket": "{}",
        "ticket_signature": b"", "receipt": "{}", "receipt_signature": b"",
        "text": "hi", "cost": 1, "net": 1,
        "completed_at": 1, "acked": False,
    }  # fmt: skip
    async with State(url) as state:
        async with state.begin() as conn:
            await conn.execute(insert(jobs).values(**row))
            await conn.execute(insert(served_jobs).values(**served))
        async with state.read() as conn:
            got = (await conn.execute(select(jobs))).mappings().one()
            assert {name: got[name] for name in row} == row
            waiting = select(served_jobs).where(served_jobs.c.acked.is_(False))
            assert (await conn.execute(waiting)).mappings().one()["acked"] is False
        with pytest.raises(IntegrityError):
            async with state.begin() as conn:
                await conn.execute(insert(jobs).values(**{**row, "job_id": b"\2" * 32}))


async def test_a_failed_transaction_leaves_nothing(url: str) -> None:
    async with State(url) as state:
        with anyio.move_on_after(0.2) as scope:
            async with state.begin() as conn:
                await conn.execute(insert(meta).values(name="a", value="b"))
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        async with state.read() as conn:
            assert await conn.scalar(select(func.count()).select_from(meta)) == 0
        with pytest.raises(StateError):
            async with state.begin() as conn:
                await conn.execute(text("SELECT * FROM nothing"))


async def test_a_server_that_is_away_comes_with_advice() -> None:
    with pytest.raises(StateError) as caught:
        await State("postgresql://nobody@127.0.0.1:1/none").start()
    assert "PostgreSQL" in caught.value.hint


async def test_a_newer_schema_is_refused(url: str) -> None:
    async with State(url) as state, state.begin() as conn:
        await conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StateError, match="schema 9999"):
        await State(url).start()
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as conn:
        await conn.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    await engine.dispose()
