"""Tables of a node, as SQLAlchemy Core. `migrations/` creates them; a test holds the two together.

Conventions: money is BIGINT micro-USDC; times are UTC seconds (BIGINT); digests and ids are raw
bytes; addresses are EIP-55 text; messages are their JSON text (`to_json`), which also keeps 64-bit
integers exact.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
_ADDRESS = String(42)
_DIGEST = LargeBinary(32)


class JobState(StrEnum):
    """A job's life in the router; `FAILED` jobs cost nothing, `DELIVERED` ones wait for a batch."""

    RESERVED = "reserved"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    FAILED = "failed"
    BATCHED = "batched"
    SETTLED = "settled"


class BatchState(StrEnum):
    """A batch's life in the router."""

    BUILT = "built"
    COMMITTED = "committed"
    APPLIED = "applied"


grants = Table(
    "grants",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("key_hash", _DIGEST, nullable=False, index=True),
    Column("account", _ADDRESS, nullable=False, index=True),
    Column("payload", Text, nullable=False, comment="KeyGrant JSON"),
    Column("signature", LargeBinary, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", _DIGEST, primary_key=True),
    Column("router", _ADDRESS, nullable=False),
    Column("sequence", BigInteger, comment="the newest ticket's; none before dispatch"),
    Column("account", _ADDRESS, nullable=False),
    Column("grant_digest", _DIGEST, nullable=False),
    Column("provider", _ADDRESS),
    Column("model_id", _DIGEST, nullable=False),
    Column("tier", SmallInteger, nullable=False),
    Column("state", String(16), nullable=False, comment="JobState"),
    Column("request", LargeBinary, nullable=False, comment="canonical JSON of the request"),
    Column("text", Text),
    Column("finish", SmallInteger, comment="FinishReason"),
    Column("ticket", Text, comment="JobTicket JSON"),
    Column("ticket_signature", LargeBinary),
    Column("receipt", Text, comment="JobReceipt JSON"),
    Column("receipt_signature", LargeBinary),
    Column("reserved", BigInteger, nullable=False),
    Column("cost", BigInteger),
    Column("idempotency_key", String(255)),
    Column("decision", Text, comment="canonical JSON of the routing decision"),
    Column("created_at", BigInteger, nullable=False),
    Column("completed_at", BigInteger),
    Column("batch_index", BigInteger),
    Column("leaf_index", Integer),
    UniqueConstraint("router", "sequence"),
    UniqueConstraint("account", "idempotency_key"),
    Index("ix_jobs_account_created_at", "account", "created_at"),
    Index("ix_jobs_router_batch_index_leaf_index", "router", "batch_index", "leaf_index"),
    Index(
        "ix_jobs_unbatched",
        "router",
        "sequence",
        sqlite_where=text("state = 'delivered'"),
        postgresql_where=text("state = 'delivered'"),
    ),
    Index(
        "ix_jobs_open",
        "router",
        sqlite_where=text("state IN ('reserved', 'dispatched')"),
        postgresql_where=text("state IN ('reserved', 'dispatched')"),
    ),
)

batches = Table(
    "batches",
    metadata,
    Column("router", _ADDRESS, primary_key=True),
    Column("batch_index", BigInteger, primary_key=True, autoincrement=False),
    Column("header", Text, nullable=False, comment="BatchHeader JSON"),
    Column("debits", LargeBinary, nullable=False, comment="JSON list of DebitLeaf"),
    Column("credits", LargeBinary, nullable=False, comment="JSON list of CreditLeaf"),
    Column("state", String(16), nullable=False, comment="BatchState"),
    Column("tx", LargeBinary),
    Column("block", BigInteger),
    Column("final_at", BigInteger),
)

served_jobs = Table(
    "served_jobs",
    metadata,
    Column("provider", _ADDRESS, primary_key=True),
    Column("router", _ADDRESS, primary_key=True),
    Column("job_id", _DIGEST, primary_key=True),
    Column("ticket", Text, nullable=False, comment="JobTicket JSON"),
    Column("ticket_signature", LargeBinary, nullable=False),
    Column("receipt", Text, nullable=False, comment="JobReceipt JSON"),
    Column("receipt_signature", LargeBinary, nullable=False),
    Column("text", Text, nullable=False, comment="the answer, until the router has it"),
    Column("cost", BigInteger, nullable=False),
    Column("net", BigInteger, nullable=False),
    Column("completed_at", BigInteger, nullable=False),
    Column("acked", Boolean, nullable=False),
    Column("batch_index", BigInteger),
    Index("ix_served_jobs_provider_router", "provider", "router", "completed_at"),
    Index(
        "ix_served_jobs_unacked",
        "router",
        sqlite_where=text("acked IS 0"),  # how `acked.is_(False)` is spelled there
        postgresql_where=text("acked IS false"),
    ),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("validator", _ADDRESS, primary_key=True),
    Column("router", _ADDRESS, primary_key=True),
    Column("batch_index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf_index", Integer, primary_key=True, autoincrement=False),
    Column("leaf", _DIGEST, nullable=False, comment="leaf hash"),
    Column("outcome", SmallInteger, nullable=False, comment="Outcome"),
    Column("evidence", _DIGEST, nullable=False),
    Column("detail", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_verdicts_at", "at"),
)

audits = Table(
    "audits",
    metadata,
    Column("validator", _ADDRESS, primary_key=True),
    Column("router", _ADDRESS, primary_key=True),
    Column("batch_index", BigInteger, primary_key=True, autoincrement=False),
    Column("block", BigInteger, nullable=False, comment="committed in"),
    comment="committed batches a validator has yet to look at",
)

findings = Table(
    "findings",
    metadata,
    Column("validator", _ADDRESS, primary_key=True),
    Column("router", _ADDRESS, primary_key=True),
    Column("batch_index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf_index", Integer, primary_key=True, autoincrement=False),
    Column("leaf", Text, nullable=False, comment="JobLeaf JSON"),
    Column("outcome", SmallInteger, nullable=False, comment="Outcome"),
    Column("leaves", Integer, nullable=False, comment="of the batch"),
    Column("siblings", LargeBinary, nullable=False, comment="inclusion proof, 32 bytes each"),
    Column("at", BigInteger, nullable=False),
    comment="what a validator found and the chain's reputation has yet to be told",
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("block", BigInteger, nullable=False),
    Column("block_hash", _DIGEST, nullable=False),
    Column("log_index", Integer, nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("value", Text, nullable=False, comment="also holds integers beyond 63 bits"),
)
