"""What models there are, what the official ones are called and may cost."""

from __future__ import annotations


class ModelBook:
    """What models there are, what the official ones are called and may cost."""
