"""Being paid for keeping a model warm: seats, bids, presence, demand."""

from __future__ import annotations


class SeatMarket:
    """Being paid for keeping a model warm: seats, bids, presence, demand."""
