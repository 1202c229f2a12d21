"""The embedded chain on disk: one SQLite file with the state's trie nodes, the blocks, the
transactions and a log index.

A block is one SQLite transaction: after a crash the file holds whole blocks only. Trie nodes are
addressed by their hash, so what is read can be cached without ever going stale, and every past
state stays readable.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eth.db.atomic import AtomicDBWriteBatch
from eth.db.backends.base import BaseAtomicDB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS node (hash BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS block (
    number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, header BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS tx (
    hash BLOB PRIMARY KEY, block INTEGER NOT NULL, position INTEGER NOT NULL, raw BLOB NOT NULL,
    sender BLOB NOT NULL, status INTEGER NOT NULL, gas_used INTEGER NOT NULL,
    cumulative_gas INTEGER NOT NULL, gas_price INTEGER NOT NULL,
    created BLOB, bloom BLOB NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS tx_by_block ON tx (block, position);
CREATE TABLE IF NOT EXISTS log (
    block INTEGER NOT NULL, position INTEGER NOT NULL, tx BLOB NOT NULL,
    tx_position INTEGER NOT NULL, address BLOB NOT NULL,
    topic0 BLOB, topic1 BLOB, topic2 BLOB, topic3 BLOB, data BLOB NOT NULL,
    PRIMARY KEY (block, position)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS log_by_address ON log (address, topic0, block);
CREATE INDEX IF NOT EXISTS log_by_tx ON log (tx);
"""

CACHED_NODES = 200_000


@dataclass(frozen=True, slots=True)
class StoredTx:
    """A mined transaction with the outcome its receipt tells."""

    hash: bytes
    block: int
    position: int
    raw: bytes
    sender: bytes
    status: int
    gas_used: int
    cumulative_gas: int
    gas_price: int
    created: bytes | None
    bloom: bytes


@dataclass(frozen=True, slots=True)
class StoredLog:
    """One log; `position` counts within the block."""

    block: int
    position: int
    tx: bytes
    tx_position: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(slots=True)
class LogFilter:
    """What `eth_getLogs` asks for. Empty means anything; topics are alternatives by place."""

    first: int
    last: int
    addresses: Sequence[bytes] = ()
    topics: Sequence[Sequence[bytes]] = field(default_factory=tuple)


class ChainStore(BaseAtomicDB):
    """py-evm's key-value database over SQLite, with the block, transaction and log tables beside
    it.

    Writes of nodes wait in memory until `commit` puts them into the file together with their block.
    """

    def __init__(self, path: Path | None) -> None:
        self._db = sqlite3.connect(
            str(path) if path else ":memory:", check_same_thread=False, isolation_level=None
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA cache_size=-32000")
        self._db.executescript(SCHEMA)
        self._cache: dict[bytes, bytes] = {}
        self._fresh: dict[bytes, bytes] = {}

    def close(self) -> None:
        """Close the file; what was not committed is gone."""
        self._db.close()

    # -- the key-value face py-evm sees

    def __getitem__(self, key: bytes) -> bytes:
        value = self._fresh.get(key)
        if value is None:
            value = self._cache.get(key)
        if value is None:
            row = self._db.execute("SELECT value FROM node WHERE hash = ?", (key,)).fetchone()
            if row is None:
                raise KeyError(key)
            value = bytes(row[0])
            self._remember(key, value)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._fresh[key] = value

    def __delitem__(self, key: bytes) -> None:
        """Nodes are kept for ever: past states stay readable."""
        self._fresh.pop(key, None)

    def _exists(self, key: bytes) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    @contextmanager
    def atomic_batch(self) -> Iterator[AtomicDBWriteBatch]:
        """py-evm's write batch; it reaches the file with the block."""
        with AtomicDBWriteBatch._commit_unless_raises(self) as batch:
            yield batch  # type: ignore[misc]

    def _remember(self, key: bytes, value: bytes) -> None:
        if len(self._cache) >= CACHED_NODES:
            self._cache.clear()
        self._cache[key] = value

    # -- blocks

    def discard(self) -> None:
        """Forget nodes written since the last block."""
        self._fresh.clear()

    def commit(
        self,
        number: int,
        block_hash: bytes,
        header: bytes,
        txs: Sequence[StoredTx],
        logs: Sequence[StoredLog],
    ) -> None:
        """Put one block with everything it brought into the file, or nothing of it."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany("INSERT OR IGNORE INTO node VALUES (?, ?)", list(self._fresh.items()))
            db.execute("INSERT INTO block VALUES (?, ?, ?)", (number, block_hash, header))
            db.executemany(
                "INSERT INTO tx VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        t.hash, t.block, t.position, t.raw, t.sender, t.status, t.gas_used,
                        t.cumulative_gas, t.gas_price, t.created, t.bloom,
                    )
                    for t in txs
                ],
            )  # fmt: skip
            db.executemany(
                "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (g.block, g.position, g.tx, g.tx_position, g.address, *_four(g.topics), g.data)
                    for g in logs
                ],
            )
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        for key, value in self._fresh.items():
            self._remember(key, value)
        self._fresh.clear()

    def rewind(self, number: int) -> None:
        """Forget every block above `number`."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        for statement in (
            "DELETE FROM log WHERE block > ?",
            "DELETE FROM tx WHERE block > ?",
            "DELETE FROM block WHERE number > ?",
        ):
            db.execute(statement, (number,))
        db.execute("COMMIT")

    def head(self) -> bytes | None:
        """Encoded header of the newest block."""
        row = self._db.execute("SELECT header FROM block ORDER BY number DESC LIMIT 1").fetchone()
        return bytes(row[0]) if row else None

    def header(self, number: int) -> bytes | None:
        """Encoded header by number."""
        row = self._db.execute("SELECT header FROM block WHERE number = ?", (number,)).fetchone()
        return bytes(row[0]) if row else None

    def block_hash(self, number: int) -> bytes | None:
        """Hash by number."""
        row = self._db.execute("SELECT hash FROM block WHERE number = ?", (number,)).fetchone()
        return bytes(row[0]) if row else None

    def number_of(self, block_hash: bytes) -> int | None:
        """Number by hash."""
        row = self._db.execute("SELECT number FROM block WHERE hash = ?", (block_hash,)).fetchone()
        return int(row[0]) if row else None

    # -- transactions and logs

    def tx(self, tx_hash: bytes) -> StoredTx | None:
        """A mined transaction."""
        row = self._db.execute("SELECT * FROM tx WHERE hash = ?", (tx_hash,)).fetchone()
        return StoredTx(*row) if row else None

    def txs(self, number: int) -> list[StoredTx]:
        """A block's transactions in order."""
        rows = self._db.execute("SELECT * FROM tx WHERE block = ? ORDER BY position", (number,))
        return [StoredTx(*row) for row in rows]

    def logs_of(self, tx_hash: bytes) -> list[StoredLog]:
        """A transaction's logs in order."""
        rows = self._db.execute(
            "SELECT * FROM log WHERE tx = ? ORDER BY block, position", (tx_hash,)
        )
        return [_log(row) for row in rows]

    def logs(self, wanted: LogFilter) -> list[StoredLog]:
        """The logs a filter matches, oldest first."""
        where, values = ["block BETWEEN ? AND ?"], [wanted.first, wanted.last]
        columns = [("address", wanted.addresses)]
        columns += [(f"topic{i}", options) for i, options in enumerate(wanted.topics[:4])]
        arguments: list[object] = list(values)
        for column, options in columns:
            if options:
                where.append(f"{column} IN ({','.join('?' * len(options))})")
                arguments.extend(options)
        # Only this method's own column names and question marks are put together here.
        query = f"SELECT * FROM log WHERE {' AND '.join(where)} ORDER BY block, position"  # noqa: S608
        return [_log(row) for row in self._db.execute(query, arguments)]

    # -- small facts

    def meta(self, key: str) -> str | None:
        """A fact kept beside the chain."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _four(topics: Sequence[bytes]) -> tuple[bytes | None, ...]:
    return (*topics, None, None, None, None)[:4]


def _log(row: tuple[object, ...]) -> StoredLog:
    block, position, tx, tx_position, address, t0, t1, t2, t3, data = row
    topics = tuple(t for t in (t0, t1, t2, t3) if t is not None)
    return StoredLog(block, position, tx, tx_position, address, topics, data)  # type: ignore[arg-type]
