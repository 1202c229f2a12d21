"""The node's database: SQLite by default, PostgreSQL by URL."""

from infera.state.database import State
from infera.state.tables import (
    BatchState,
    JobState,
    batches,
    cursors,
    grants,
    jobs,
    meta,
    metadata,
    served_jobs,
    verdicts,
)

__all__ = [
    "BatchState",
    "JobState",
    "State",
    "batches",
    "cursors",
    "grants",
    "jobs",
    "meta",
    "metadata",
    "served_jobs",
    "verdicts",
]
