"""A score per provider, from what validators found; it sets how often its jobs are sampled."""

from __future__ import annotations


class ReputationBook:
    """A score per provider, from what validators found; it sets how often its jobs are sampled."""
