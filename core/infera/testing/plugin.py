"""The pytest plugin: fixtures for tests of INFERA plugins.

Loaded by pytest by itself once INFERA is installed.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from infera.bus import EventBus
    from infera.context import Context
    from infera.kernel.node import Node

    MakeNode = Callable[..., AbstractAsyncContextManager[Node]]


class _Backend:
    @pytest.fixture(scope="session")
    @staticmethod
    def anyio_backend() -> str:
        """INFERA runs on asyncio: its database driver and web server know nothing else."""
        return "asyncio"


def pytest_configure(config: pytest.Config) -> None:
    """Bring `anyio_backend` after anyio's own plugin, whichever of the two was loaded first: of two
    plugins' fixtures the later one counts. A fixture in a test module or conftest.py goes first.
    """
    config.pluginmanager.register(_Backend(), "infera-anyio-backend")


@pytest.fixture
def infera_home(tmp_path: Path) -> Path:
    """A node's home that exists and is empty."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


@pytest.fixture
def infera_bus() -> EventBus:
    """An event bus; pass it on as a context's `bus`."""
    from infera.bus import EventBus

    return EventBus()


@pytest.fixture
def infera_context(infera_home: Path, infera_bus: EventBus) -> Context:
    """A context to build a component with: a throw-away database (not started) and an empty key
    store.
    """
    from infera.context import Context
    from infera.keys import KeyStore
    from infera.state import State

    return Context(
        node="test",
        home=infera_home,
        bus=infera_bus,
        state=State("sqlite://"),
        keys=KeyStore(infera_home / "keys"),
    )


@pytest.fixture
def make_node(infera_home: Path, infera_bus: EventBus) -> MakeNode:
    """Run a whole node in this process: `async with make_node("engines: [{kind: …}]") as node:`.

    `plugins` are extra (name, object) pairs; with `installed=False` only those are loaded.
    Keyword arguments that are left over go to `Node`. The node keeps its state in `infera_home`
    and publishes on `infera_bus`.
    """

    @asynccontextmanager
    async def make(
        text: str,
        *,
        plugins: Iterable[tuple[str, object]] = (),
        installed: bool = True,
        **options: Any,
    ) -> AsyncIterator[Node]:
        from infera.config import load
        from infera.kernel.node import Node
        from infera.kernel.plugins import load_plugins

        loaded = load_plugins(plugins, entry_points=installed)
        config = load(text, loaded.registry, home=infera_home)
        async with Node(config, loaded, bus=infera_bus, **options).running() as node:
            yield node

    return make


@pytest.fixture
def no_blocking_calls() -> Iterator[None]:
    """Fail a test in which code of INFERA or of a plugin blocks the event loop."""
    blockbuster = pytest.importorskip("blockbuster")
    with blockbuster.blockbuster_ctx(scanned_modules=["infera", "infera_plugins"]) as detector:
        for name in ("os.path.abspath", "os.stat", "os.getcwd"):
            # Late imports do these; what waits for a disk or a network is still caught.
            detector.functions[name].deactivate()
        yield
