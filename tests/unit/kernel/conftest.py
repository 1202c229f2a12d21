"""The kernel never blocks the loop."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _never_blocks(no_blocking_calls: None) -> None:
    """Every test here fails if the event loop is blocked."""
