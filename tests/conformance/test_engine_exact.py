"""The exact engine keeps the engine's contract, and never blocks the event loop."""

from __future__ import annotations

import pytest

from infera.testing.conformance import EngineConformance
from infera_ext import ca1
from infera_plugins.engines.exact.config import ExactConfig
from infera_plugins.engines.exact.engine import ExactEngine


@pytest.mark.usefixtures("no_blocking_calls")
@pytest.mark.skipif(ca1.lib is None, reason="the twin needs minutes for the shipped model")
class TestExactEngine(EngineConformance):
    @pytest.fixture
    def engine(self) -> ExactEngine:
        return ExactEngine(ExactConfig())
