"""Run with `pytest` once the package is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from infera.testing.conformance import EngineConformance
from infera.types import Completion, FinishReason, JobRequest

from infera_echo.engine import EchoConfig, EchoEngine

if TYPE_CHECKING:
    from infera.testing.plugin import MakeNode


class TestEcho(EngineConformance):
    """All that is asked of an engine."""

    @pytest.fixture
    def engine(self) -> EchoEngine:
        return EchoEngine(EchoConfig(prefix="> "))


async def test_a_node_finds_the_engine_and_it_echoes(make_node: MakeNode) -> None:
    async with make_node("engines: [{kind: echo, prefix: 'So: '}]") as node:
        engine = node.context.engine("echo")
        request = JobRequest("completion", "echo", prompt="bees", max_tokens=7, seed=1)
        *deltas, last = [item async for item in engine.generate(request)]
    assert isinstance(last, Completion)
    assert (last.text, last.finish) == ("So: bee", FinishReason.LENGTH)
    assert len(deltas) == len(last.output_tokens) == 7


def test_the_prefix_is_part_of_the_models_identity() -> None:
    one, other = (EchoEngine(EchoConfig(prefix=p)).models()[0] for p in ("", "> "))
    assert one.model_id != other.model_id
