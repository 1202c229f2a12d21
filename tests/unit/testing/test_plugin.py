"""The pytest plugin in somebody else's test suite."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SUITE = """
async def test_it(anyio_backend, request):
    assert anyio_backend == "asyncio"
    assert not hasattr(request.node, "callspec")  # one of several backends
"""
OWN = """
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio", {"debug": True}

async def test_it(anyio_backend):
    assert anyio_backend[1] == {"debug": True}
"""
PLUGINS = ("infera.testing.plugin", "anyio.pytest_plugin")


@pytest.mark.parametrize("order", [PLUGINS, PLUGINS[::-1]], ids=["first", "last"])
@pytest.mark.parametrize("suite", [SUITE, OWN], ids=["default", "own"])
def test_asyncio_is_the_default(suite: str, order: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(suite)
    (tmp_path / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\n")
    plugins = [word for name in order for word in ("-p", name)]
    command = [sys.executable, "-m", "pytest", "-q", *plugins]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
