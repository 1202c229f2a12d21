"""Run the schema migrations that ship with the package. Blocking: call it from a worker thread."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from infera.errors import StateError

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy.engine import URL

_LOCK = 0x1AFE4A  # any number nobody else locks
SCRIPTS = Path(__file__).parent / "migrations"


def migrate(url: URL) -> None:
    """Bring the database behind an async URL to the newest schema this version knows.

    `StateError` (code `state_newer`) if a newer version has written it. A new SQLite file is made
    readable by its owner only.
    """
    if url.get_backend_name() != "sqlite":
        asyncio.run(_migrate_async(url))
        return
    path = Path(url.database or "")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = create_engine(url.set(drivername="sqlite"), poolclass=NullPool)
    event.listen(engine, "connect", _explicit_transactions)
    event.listen(engine, "begin", _begin_immediate)
    try:
        with engine.begin() as connection:
            upgrade(connection)
    finally:
        engine.dispose()


async def _migrate_async(url: URL) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


def _explicit_transactions(connection: sqlite3.Connection, record: object) -> None:
    connection.isolation_level = None  # else sqlite3 would commit each CREATE TABLE by itself


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # a second node that starts waits here


def upgrade(connection: Connection) -> None:
    """Upgrade inside the caller's transaction."""
    from alembic import command  # heavy, and needed once a start
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    current = MigrationContext.configure(connection).get_current_heads()
    unknown = sorted(set(current) - known)
    if unknown:
        raise StateError(
            f"the database has schema {unknown[0]}, and this version knows schemas up to"
            f" {scripts.get_current_head()}",
            code="state_newer",
            hint="a newer version has written it: upgrade infera, or restore a backup",
        )
    if set(current) != set(scripts.get_heads()):
        command.upgrade(config, "head")
