"""Open, migrate and use the node's database.

Writers on SQLite queue in the process (one lock, then BEGIN IMMEDIATE), because SQLite has one
writer at a time and its own way of waiting is to poll; readers never wait (WAL).
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import anyio
import anyio.lowlevel
from sqlalchemy import Connection, Engine, Executable, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from infera.abc import Component
from infera.errors import StateError
from infera.state.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
    from types import TracebackType

    from anyio.abc import TaskStatus

BUSY_TIMEOUT_MS = 10_000
CLOSE_TIMEOUT_S = 10.0
POOL_KEPT, POOL_MOST = 8, 16
"""Connections that are kept open, and that are open at most."""

_WRITE = "infera_write"

_ADVICE = {
    "disk is full": "free some disk space; nothing was half written",
    "database is locked": "another process holds the database: is a second node using it?",
    "readonly": "the database file or its folder is not writable by this user",
    "unable to open": "check that the folder exists and is writable by this user",
    "disk i/o error": "check the disk; the database folder must not be on a network share",
    "malformed": "the file is damaged: restore it from a backup",
    "not a database": "the file is no SQLite database: is the state URL right?",
    "connect call failed": "is the PostgreSQL server running, and the state URL right?",
    "refused": "is the PostgreSQL server running, and the state URL right?",
    "password": "check user and password in the state URL",
}


def state_error(error: BaseException, doing: str) -> StateError:
    """A database failure as something a person can act on."""
    cause = str(getattr(error, "orig", None) or error)
    hint = next((a for text, a in _ADVICE.items() if text in cause.lower()), "")
    return StateError(f"the database failed while {doing}: {cause}", hint=hint)


Work: TypeAlias = "Executable | tuple[Executable, Mapping[str, Any] | Sequence[Mapping[str, Any]]]"
"""A statement, or a statement with the parameters of one row or of many."""


@dataclass(eq=False, slots=True)
class _Unit:
    """What one caller of `write` wants written, and what became of it."""

    work: Sequence[Work]
    done: bool = False
    touched: int = 0
    error: Exception | None = None


class _Unhurried(AsyncConnection):
    """A connection whose statements run to their end, however its caller is cancelled: statements
    are short, and a driver that is left in the middle of one throws its connection away, with a
    thread that may outlive the event loop.
    """

    async def execute(self, *args: Any, **options: Any) -> Any:
        return await _whole(super().execute(*args, **options))

    async def exec_driver_sql(self, *args: Any, **options: Any) -> Any:
        return await _whole(super().exec_driver_sql(*args, **options))

    async def run_sync(self, *args: Any, **options: Any) -> Any:
        return await _whole(super().run_sync(*args, **options))


async def _whole(statement: Awaitable[Any]) -> Any:
    with anyio.CancelScope(shield=True):
        result = await statement
    await anyio.lowlevel.checkpoint_if_cancelled()
    return result


class State(Component):
    """The database behind `url`.

    `sqlite:///path` (or `sqlite+aiosqlite`), `postgresql://…` (needs asyncpg), or `sqlite://`: a
    throw-away database in a temporary folder. Use as `async with State(url) as state`, or as a
    component of a node. `StateError` when it cannot be opened, migrated or used.
    """

    name = "state"

    def __init__(self, url: str) -> None:
        try:
            self._url = _async_url(make_url(url))
        except ArgumentError:
            raise StateError(
                "the state URL cannot be read", hint="for example sqlite:///state.db"
            ) from None
        self._lock = anyio.Lock()
        self._slots = anyio.Semaphore(POOL_MOST)
        self._engine: AsyncEngine | None = None
        self._writer: Engine | None = None
        self._waiting: list[_Unit] = []
        self._scratch: str | None = None

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite (else PostgreSQL)."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def engine(self) -> AsyncEngine:
        """The SQLAlchemy engine. `StateError` before `start`."""
        if self._engine is None:
            raise StateError("the database is not open", hint="await state.start() first")
        return self._engine

    async def start(self) -> None:
        """Migrate to the newest schema, in a worker thread, and open the pool."""
        if self._engine is not None:
            return
        if self.is_sqlite and self._url.database in (None, "", ":memory:"):
            self._scratch = await anyio.to_thread.run_sync(_scratch_folder)
            self._url = self._url.set(database=f"{self._scratch}/state.db")
        try:
            await anyio.to_thread.run_sync(migrate, self._url)
            self._engine = self._open()
            self._writer = self._open_writer()
            async with self.read() as conn:
                await conn.exec_driver_sql("SELECT 1")
        except (SQLAlchemyError, OSError) as error:
            await self.stop()
            raise state_error(error, "opening it") from error

    async def stop(self) -> None:
        """Close all connections; does nothing when not started."""
        engine, self._engine = self._engine, None
        writer, self._writer = self._writer, None
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            if writer is not None:
                await anyio.to_thread.run_sync(writer.dispose)
            if engine is not None:
                await engine.dispose()
            if self._scratch is not None:
                await anyio.to_thread.run_sync(shutil.rmtree, self._scratch, True)
                self._scratch = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Open until cancelled."""
        try:
            await self.start()
            task_status.started()
            await anyio.sleep_forever()
        finally:
            await self.stop()

    async def write(self, *work: Work) -> int:
        """Execute statements in order, all or none, and return once they are committed: the number
        of rows the last one touched.

        Callers that come while another commit is under way share the next one: whoever gets the
        lock first commits for all who wait. On SQLite that is one visit to a worker thread and one
        commit for any number of callers. `IntegrityError` reaches the caller it belongs to.
        """
        unit = _Unit(work)
        self._waiting.append(unit)
        async with self._lock:
            if not unit.done:
                group, self._waiting = self._waiting, []
                # Others wait for this commit: a caller that is cancelled must not take it away.
                with anyio.CancelScope(shield=True):
                    await self._commit(group)
        if unit.error is not None:
            raise unit.error
        return unit.touched

    async def _commit(self, group: Sequence[_Unit]) -> None:
        try:
            if self._writer is not None:
                await anyio.to_thread.run_sync(self._commit_in_thread, group)
            else:
                async with self._slots, self.engine.connect() as conn:
                    await conn.run_sync(self._commit_group, group)
        except (
            Exception
        ) as error:  # every caller must hear of it, not only the one that holds the lock
            known = isinstance(error, (DBAPIError, PoolTimeoutError, OSError))
            _fail(group, state_error(error, "opening it") if known else error)

    def _commit_in_thread(self, group: Sequence[_Unit]) -> None:
        assert self._writer is not None
        with self._writer.connect() as conn:
            self._commit_group(conn, group)

    def _commit_group(self, conn: Connection, group: Sequence[_Unit]) -> None:
        """One transaction for all; if a unit cannot be executed as it is, one for each."""
        try:
            with conn.begin():
                for unit in group:
                    unit.touched = _execute(conn, unit.work)
        except Exception as error:
            if len(group) > 1 and not isinstance(error, OperationalError):
                for unit in group:
                    self._commit_group(conn, [unit])
                return
            plain = isinstance(error, IntegrityError) or not isinstance(error, DBAPIError)
            _fail(group, error if plain else state_error(error, "writing"))
        else:
            for unit in group:
                unit.done = True

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A write transaction: commits on leaving, rolls back on any exception.

        Do not nest on SQLite, and do not wait for the network inside: other writers wait for it.
        `IntegrityError` passes through; other failures are `StateError`.
        """
        return self._transaction(write=True)

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A read transaction: one consistent snapshot; never waits for writers on SQLite."""
        return self._transaction(write=False)

    @asynccontextmanager
    async def _transaction(self, *, write: bool) -> AsyncIterator[AsyncConnection]:
        engine = self.engine
        if write and self.is_sqlite:
            await self._lock.acquire()
        else:
            write = False
        try:
            async with self._slots:
                conn = _Unhurried(engine)
                try:
                    with anyio.CancelScope(shield=True):
                        await conn.start()
                        if write:
                            await conn.execution_options(**{_WRITE: True})
                        await conn.begin()
                    await anyio.lowlevel.checkpoint_if_cancelled()
                    yield conn
                    with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                        await conn.commit()
                finally:
                    with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                        await conn.close()  # rolls back what was not committed
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeoutError) as error:
            raise state_error(error, "reading or writing") from error
        finally:
            if write:
                self._lock.release()

    def _open_writer(self) -> Engine | None:
        """SQLite's writer: a plain connection that one worker thread at a time drives."""
        if not self.is_sqlite:
            return None
        engine = create_engine(
            self._url.set(drivername="sqlite"),
            connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
            pool_size=1,
            execution_options={_WRITE: True},
        )
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _open(self) -> AsyncEngine:
        options: dict[str, Any] = {
            "pool_size": POOL_KEPT,
            "max_overflow": POOL_MOST - POOL_KEPT,
            "hide_parameters": True,  # prompts and answers stay out of errors and logs
        }
        if not self.is_sqlite:
            return create_async_engine(self._url, pool_pre_ping=True, **options)
        engine = create_async_engine(
            self._url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, **options
        )
        event.listen(engine.sync_engine, "connect", _configure_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine


def _execute(conn: Connection, work: Sequence[Work]) -> int:
    touched = 0
    for item in work:
        result = conn.execute(*item) if isinstance(item, tuple) else conn.execute(item)
        touched = result.rowcount
    return touched


def _fail(group: Sequence[_Unit], error: Exception) -> None:
    for unit in group:
        if not unit.done:
            unit.done, unit.error = True, error


def _async_url(url: URL) -> URL:
    backend = url.get_backend_name()
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}.get(backend)
    if driver is None:
        raise StateError(
            f"{backend} is no database this node can use", hint="use sqlite or postgresql"
        )
    return url.set(drivername=driver)


def _scratch_folder() -> str:
    return tempfile.mkdtemp(prefix="infera-state-")


def _configure_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says, see below
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "foreign_keys=ON",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get(_WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
