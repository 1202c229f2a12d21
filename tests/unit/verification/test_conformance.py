"""The optimistic verifier keeps the contract, on the fake engine and on the exact one."""

from __future__ import annotations

import pytest

from infera.testing.conformance import VerifierConformance
from infera_ext import ca1
from infera_plugins.engines.exact.config import ExactConfig
from infera_plugins.engines.exact.engine import ExactEngine
from infera_plugins.verification.optimistic.config import OptimisticConfig
from infera_plugins.verification.optimistic.verifier import OptimisticVerifier


class TestOptimisticVerifier(VerifierConformance):
    @pytest.fixture
    def verifier(self) -> OptimisticVerifier:
        return OptimisticVerifier(OptimisticConfig())


@pytest.mark.skipif(ca1.lib is None, reason="the twin needs minutes for the shipped model")
class TestOptimisticVerifierOnExactEngine(TestOptimisticVerifier):
    @pytest.fixture
    def engine(self) -> ExactEngine:
        return ExactEngine(ExactConfig())
