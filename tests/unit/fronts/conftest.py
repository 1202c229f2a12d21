"""Fixtures of the fronts' tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scripted_gateway import KEY, ScriptedGateway, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from infera_plugins.fronts.openai.server import OpenAIFront


@pytest.fixture(params=[("asyncio", {"use_uvloop": True})], ids=["uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """uvicorn runs on asyncio; the node runs it on uvloop."""
    return request.param


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
async def front(gateway: ScriptedGateway) -> AsyncIterator[OpenAIFront]:
    async with running(gateway) as front:
        yield front


@pytest.fixture
async def client(front: OpenAIFront) -> AsyncIterator[openai.AsyncOpenAI]:
    """The unmodified client, not retrying so that errors show."""
    async with openai.AsyncOpenAI(
        base_url=front.base_url, api_key=KEY, max_retries=0, timeout=10
    ) as client:
        yield client
