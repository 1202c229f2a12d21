"""The sampling rate as the Reputation contract computes it (tests/vectors/contracts)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infera.protocol.sampling import sampling_rate

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "contracts" / "reputation.json").read_text()
)


def test_both_languages_sample_a_provider_at_the_same_rate() -> None:
    for row in VECTORS["rates"]:
        rate = sampling_rate(row["tenure"], row["reputation"], row["base"])
        assert rate == row["rate"], row
