"""A live network for the end-to-end tests: one a session, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import openai
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from live_network import Devnet, network

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is end to end."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """A running `infera up`; tests share it and its money."""
    with network(tmp_path_factory.mktemp("e2e") / "devnet") as node:
        facts = node.ready()
        yield Devnet(node, facts["base_url"], facts["api_key"], facts["accounts"])


@pytest.fixture
def client(devnet: Devnet) -> Iterator[openai.OpenAI]:
    """The unmodified client, not retrying so that errors show."""
    with openai.OpenAI(
        base_url=devnet.base_url, api_key=devnet.api_key, max_retries=0, timeout=60
    ) as client:
        yield client
