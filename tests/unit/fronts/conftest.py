"""Fixtures of the fronts' tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import openai
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scripted_gateway import KEY, ScriptedGateway, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infera_plugins.fronts.openai.server import OpenAIFront


class Shared(NamedTuple):
    """A front and its gateway."""

    front: OpenAIFront
    gateway: ScriptedGateway


@pytest.fixture(scope="module", params=[("asyncio", {"use_uvloop": True})], ids=["uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """uvicorn runs on asyncio; the node runs it on uvloop."""
    return request.param


@pytest.fixture(autouse=True)
def _no_blocking_calls(no_blocking_calls: None) -> None:
    """Nothing in the front may block the event loop."""


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
async def front(gateway: ScriptedGateway) -> AsyncIterator[OpenAIFront]:
    async with running(gateway) as front:
        yield front


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Shared]:
    """One front for all tests of a module that leave no trace in it."""
    gateway = ScriptedGateway()
    async with running(gateway) as front:
        yield Shared(front, gateway)


@pytest.fixture
async def client(front: OpenAIFront) -> AsyncIterator[openai.AsyncOpenAI]:
    """The unmodified client, not retrying so that errors show."""
    async with openai.AsyncOpenAI(
        base_url=front.base_url, api_key=KEY, max_retries=0, timeout=10
    ) as client:
        yield client
