"""What a validator has yet to look at, and yet to report."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create both queues."""
    op.create_table(
        "audits",
        sa.Column("validator", sa.String(length=42), nullable=False),
        sa.Column("router", sa.String(length=42), nullable=False),
        sa.Column("batch_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False, comment="committed in"),
        sa.PrimaryKeyConstraint("validator", "router", "batch_index", name="pk_audits"),
        comment="committed batches a validator has yet to look at",
    )
    op.create_table(
        "findings",
        sa.Column("validator", sa.String(length=42), nullable=False),
        sa.Column("router", sa.String(length=42), nullable=False),
        sa.Column("batch_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.Text(), nullable=False, comment="JobLeaf JSON"),
        sa.Column("outcome", sa.SmallInteger(), nullable=False, comment="Outcome"),
        sa.Column("leaves", sa.Integer(), nullable=False, comment="of the batch"),
        sa.Column(
            "siblings",
            sa.LargeBinary(),
            nullable=False,
            comment="inclusion proof, 32 bytes each",
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "validator", "router", "batch_index", "leaf_index", name="pk_findings"
        ),
        comment="what a validator found and the chain's reputation has yet to be told",
    )
