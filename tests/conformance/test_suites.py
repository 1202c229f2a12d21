"""The built-in plugins pass the suites that third parties are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infera.kernel.plugins import load_plugins
from infera.testing.conformance import (
    ChainConformance,
    EngineConformance,
    FrontConformance,
    VerifierConformance,
)
from infera_plugins.fronts.openai.bench import NullGateway

if TYPE_CHECKING:
    from infera.context import Context
    from infera.keys import Signer


def build(layer: str, kind: str, context: Context, **settings: object) -> Any:
    """A component the way the kernel makes it."""
    found = load_plugins().registry.find(layer, kind)
    return found.factory(found.config_model.model_validate(settings), context)


class TestExactEngine(EngineConformance):
    @pytest.fixture
    def engine(self, infera_context: Context) -> Any:
        return build("engines", "exact", infera_context)


class TestOptimisticVerifier(VerifierConformance):
    @pytest.fixture
    def verifier(self, infera_context: Context) -> Any:
        return build("verifiers", "optimistic", infera_context)

    @pytest.fixture
    def engine(self, infera_context: Context) -> Any:
        return build("engines", "exact", infera_context)


class TestEmbeddedChain(ChainConformance):
    @pytest.fixture
    async def chain(self, infera_context: Context) -> Any:
        async with infera_context.state:
            yield build("chains", "evm", infera_context, fund={"account": {"usdc": 100}})

    @pytest.fixture
    def account(self, infera_context: Context) -> Signer:
        return infera_context.keys.get_or_create("account")


class TestOpenAIFront(FrontConformance):
    @pytest.fixture
    def front(self, infera_context: Context) -> Any:
        infera_context.gateway = NullGateway()
        return build("fronts", "openai", infera_context, listen="127.0.0.1:0")
