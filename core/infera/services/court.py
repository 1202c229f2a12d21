"""Proofs against batches, demands for leaves, jobs left out or not delivered."""

from __future__ import annotations


class Court:
    """Proofs against batches, demands for leaves, jobs left out or not delivered."""
