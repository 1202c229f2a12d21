"""What anybody may call and somebody must: prices that age, fees that wait to be used."""

from __future__ import annotations


class Upkeep:
    """What anybody may call and somebody must: prices that age, fees that wait to be used."""
