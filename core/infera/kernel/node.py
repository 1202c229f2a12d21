"""The composition root: a configuration and the loaded plugins become a running node."""

from __future__ import annotations

import logging
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread

from infera.abc import Chain, Component, Engine, Front, Role, Verifier
from infera.bus import EventBus
from infera.context import Context
from infera.errors import InferaError, PermanentError, PluginError
from infera.events import ComponentFailed, NodeStarted
from infera.kernel.lifecycle import START_TIMEOUT_S, Lifecycle, Slot, StopRequested, backoff
from infera.kernel.registry import LAYERS, location
from infera.keys import KeyStore
from infera.state import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from infera.config import Block, NodeConfig
    from infera.kernel.plugins import Plugins

_log = logging.getLogger(__name__)

_BASES: dict[str, Any] = {
    "chains": Chain,
    "verifiers": Verifier,
    "engines": Engine,
    "roles": Role,
    "fronts": Front,
}


class Node:
    """`async with Node(config, plugins)` starts every layer after the one below it, and stops
    them in reverse.
    """

    def __init__(
        self,
        config: NodeConfig,
        plugins: Plugins,
        *,
        bus: EventBus | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
        backoff: Callable[[int], float] = backoff,
    ) -> None:
        self.config = config
        self.bus = bus or EventBus()
        self.plugins = plugins
        self.components: list[Component] = []
        self.lifecycle = Lifecycle(self.bus, start_timeout_s=start_timeout_s, backoff=backoff)
        self.state = State(config.state_url.get_secret_value())
        self.context = Context(
            node=config.name,
            home=config.home,
            bus=self.bus,
            state=self.state,
            keys=KeyStore(config.home / "keys"),
            pick_provider=plugins.pick_provider,
            pick_tier=plugins.pick_tier,
        )

    @asynccontextmanager
    async def running(self, layers: Sequence[str] = LAYERS) -> AsyncIterator[Node]:
        """The started node, or only its lowest `layers`. Leaving stops it in order.

        Raises what made it fail, or `StopRequested` if it was asked to stop before it was up.
        """
        await anyio.to_thread.run_sync(make_home, self.config)
        async with self.lifecycle:
            await self.lifecycle.start(Slot(self.state, "state", "state", "infera"))
            for layer in layers:
                built = [(block, self._build(layer, block)) for block in self.config.layers[layer]]
                for block, component in built:
                    if component is not None:
                        await self._start(layer, block, component)
            self.bus.publish(NodeStarted(self.config.name))
            yield self

    async def wait(self) -> None:
        """Until the node is asked to stop, or fails."""
        await self.lifecycle.wait()

    def stop(self) -> None:
        """Ask for an orderly stop."""
        self.lifecycle.stop()

    def _build(self, layer: str, block: Block) -> Component | None:
        """Call the plugin's factory. None: an optional component that cannot be built."""
        kind = block.kind
        try:
            component: Component = kind.factory(block.config, self.context)
        except InferaError as error:
            error.add_note(f"while building {_label(layer, block)}")
            if not block.optional:
                raise
            self.bus.publish(ComponentFailed(layer[:-1], block.name, error.message))
            _log.warning("optional %s cannot be built: %s", _label(layer, block), error)
            return None
        except Exception as error:
            error.add_note(f"while building {_label(layer, block)}")
            raise
        base: type = _BASES[layer]
        if not isinstance(component, base):
            raise PluginError(
                f"plugin {kind.plugin!r} ({location(kind.factory)}): the factory of {kind.kind!r}"
                f" made a {type(component).__name__}",
                hint=f"return an infera.abc.{base.__name__}",
            )
        component.name = block.name
        return component

    async def _start(self, layer: str, block: Block, component: Component) -> None:
        if isinstance(component, Verifier) and component.tier in self.context.verifiers:
            raise PermanentError(
                f"{_label(layer, block)}: tier {component.tier.name.lower()} has a verifier",
                hint="keep one block a tier under `verifiers:`",
            )
        slot = Slot(component, layer[:-1], block.name, block.kind.plugin, block.optional)
        if not await self.lifecycle.start(slot):
            return
        self.components.append(component)
        if isinstance(component, Chain):
            self.context.chains[block.name] = component
        elif isinstance(component, Verifier):
            self.context.verifiers[component.tier] = component
        elif isinstance(component, Engine):
            self.context.engines[block.name] = component


def make_home(config: NodeConfig) -> None:
    """The node's folder, for its owner only: keys and API keys live there."""
    try:
        config.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PermanentError(
            f"the node's home {config.home} cannot be made: {error.strerror}",
            code="home_unusable",
            hint="choose another one with --home",
        ) from error


async def run_node(
    node: Node,
    *,
    companion: Callable[[Node], Awaitable[None]] | None = None,
    abort: Callable[[int], None] | None = None,
) -> None:
    """Run a node until SIGINT or SIGTERM (orderly), or until it fails. A second signal aborts.

    `companion` runs beside the node from before its start until after its stop; an error in it
    stops the node.
    """
    failures: list[Exception] = []

    async def beside() -> None:
        try:
            if companion is not None:
                await companion(node)
        except Exception as error:
            failures.append(error)
            node.stop()

    async with anyio.create_task_group() as tasks:
        await tasks.start(_watch_signals, node, abort or _abort)
        tasks.start_soon(beside)
        await anyio.lowlevel.checkpoint()  # the companion subscribes before anything happens
        try:
            async with node.running():
                await node.wait()
        except StopRequested:
            pass
        except Exception as error:
            failures.append(error)  # carried around the group, which would wrap it
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]


async def _watch_signals(
    node: Node, abort: Callable[[int], None], *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        asked = False
        async for number in signals:
            if asked:
                abort(number)
            asked = True
            node.stop()


def _abort(number: int) -> None:
    sys.stderr.write("second signal: stopping at once\n")
    sys.stderr.flush()
    os._exit(128 + number)


def _label(layer: str, block: Block) -> str:
    return f"{layer[:-1]} {block.name!r} (plugin {block.kind.plugin!r}, {block.where})"
