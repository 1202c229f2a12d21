"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "batches",
        sa.Column("router", sa.String(length=42), nullable=False),
        sa.Column("batch_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("header", sa.Text(), nullable=False, comment="BatchHeader JSON"),
        sa.Column("debits", sa.LargeBinary(), nullable=False, comment="JSON list of DebitLeaf"),
        sa.Column("credits", sa.LargeBinary(), nullable=False, comment="JSON list of CreditLeaf"),
        sa.Column("state", sa.String(length=16), nullable=False, comment="BatchState"),
        sa.Column("tx", sa.LargeBinary(), nullable=True),
        sa.Column("block", sa.BigInteger(), nullable=True),
        sa.Column("final_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("router", "batch_index", name="pk_batches"),
    )
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_cursors"),
    )
    op.create_table(
        "grants",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False, comment="KeyGrant JSON"),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_grants"),
    )
    op.create_index("ix_grants_key_hash", "grants", ["key_hash"], unique=False)
    op.create_index("ix_grants_account", "grants", ["account"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("router", sa.String(length=42), nullable=False),
        sa.Column(
            "sequence",
            sa.BigInteger(),
            nullable=True,
            comment="the newest ticket's; none before dispatch",
        ),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("grant_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("provider", sa.String(length=42), nullable=True),
        sa.Column("model_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tier", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False, comment="JobState"),
        sa.Column(
            "request", sa.LargeBinary(), nullable=False, comment="canonical JSON of the request"
        ),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("finish", sa.SmallInteger(), nullable=True, comment="FinishReason"),
        sa.Column("ticket", sa.Text(), nullable=True, comment="JobTicket JSON"),
        sa.Column("ticket_signature", sa.LargeBinary(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True, comment="JobReceipt JSON"),
        sa.Column("receipt_signature", sa.LargeBinary(), nullable=True),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column(
            "decision", sa.Text(), nullable=True, comment="canonical JSON of the routing decision"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("batch_index", sa.BigInteger(), nullable=True),
        sa.Column("leaf_index", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", name="pk_jobs"),
        sa.UniqueConstraint("account", "idempotency_key", name="uq_jobs_account_idempotency_key"),
        sa.UniqueConstraint("router", "sequence", name="uq_jobs_router_sequence"),
    )
    op.create_index("ix_jobs_account_created_at", "jobs", ["account", "created_at"], unique=False)
    op.create_index(
        "ix_jobs_open",
        "jobs",
        ["router"],
        unique=False,
        sqlite_where=sa.text("state IN ('reserved', 'dispatched')"),
        postgresql_where=sa.text("state IN ('reserved', 'dispatched')"),
    )
    op.create_index(
        "ix_jobs_router_batch_index_leaf_index",
        "jobs",
        ["router", "batch_index", "leaf_index"],
        unique=False,
    )
    op.create_index(
        "ix_jobs_unbatched",
        "jobs",
        ["router", "sequence"],
        unique=False,
        sqlite_where=sa.text("state = 'delivered'"),
        postgresql_where=sa.text("state = 'delivered'"),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Text(), nullable=False, comment="also holds integers beyond 63 bits"),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
    )
    op.create_table(
        "served_jobs",
        sa.Column("provider", sa.String(length=42), nullable=False),
        sa.Column("router", sa.String(length=42), nullable=False),
        sa.Column("job_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False, comment="JobTicket JSON"),
        sa.Column("ticket_signature", sa.LargeBinary(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False, comment="JobReceipt JSON"),
        sa.Column("receipt_signature", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False, comment="the answer, until the router has it"),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("completed_at", sa.BigInteger(), nullable=False),
        sa.Column("acked", sa.Boolean(), nullable=False),
        sa.Column("batch_index", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("provider", "router", "job_id", name="pk_served_jobs"),
    )
    op.create_index(
        "ix_served_jobs_provider_router",
        "served_jobs",
        ["provider", "router", "completed_at"],
        unique=False,
    )
    op.create_index(
        "ix_served_jobs_unacked",
        "served_jobs",
        ["router"],
        unique=False,
        sqlite_where=sa.text("acked IS 0"),
        postgresql_where=sa.text("acked IS false"),
    )
    op.create_table(
        "verdicts",
        sa.Column("validator", sa.String(length=42), nullable=False),
        sa.Column("router", sa.String(length=42), nullable=False),
        sa.Column("batch_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary(length=32), nullable=False, comment="leaf hash"),
        sa.Column("outcome", sa.SmallInteger(), nullable=False, comment="Outcome"),
        sa.Column("evidence", sa.LargeBinary(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "validator", "router", "batch_index", "leaf_index", name="pk_verdicts"
        ),
    )
    op.create_index("ix_verdicts_at", "verdicts", ["at"], unique=False)
