"""The fakes keep the contracts they stand in for, and the suites can be subclassed."""

from __future__ import annotations

import pytest

from infera.testing.conformance import EngineConformance, VerifierConformance
from infera.testing.fakes import FakeEngine, FakeVerifier


class TestFakeEngine(EngineConformance):
    @pytest.fixture
    def engine(self) -> FakeEngine:
        return FakeEngine()


class TestFakeVerifier(VerifierConformance):
    @pytest.fixture
    def verifier(self) -> FakeVerifier:
        return FakeVerifier()
