"""Composition: layers in order, what a factory finds in its context, what a node refuses."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.bus import EventBus
from infera.config import load
from infera.errors import NeedsOperatorError, PermanentError, PluginError
from infera.events import ComponentFailed, ComponentStarted, Event, NodeStarted
from infera.hookspecs import Register, hookimpl
from infera.kernel.lock import HomeLock
from infera.kernel.node import Node, run_node
from infera.kernel.plugins import load_plugins
from infera.testing.fakes import FakeConfig, FakeEngine, FakePlugin, FakeRole
from infera.types import Tier

if TYPE_CHECKING:
    from pathlib import Path

    from infera.abc import Role
    from infera.context import Context
    from infera.testing.plugin import MakeNode

pytestmark = pytest.mark.anyio

FAKE = [("fake", FakePlugin())]
WHOLE = """
fronts: [{kind: fake}]
roles: [{kind: fake, name: second}, {kind: fake, name: first}]
engines: [{kind: fake}]
verifiers: [{kind: fake}]
"""


def registering(factory: Any) -> list[tuple[str, object]]:
    """A plugin whose role kind `mine` is built by this factory."""

    class Plugin:
        @hookimpl
        def infera_register_roles(self, register: Register) -> None:
            register("mine", factory, FakeConfig)

    return [*FAKE, ("mine", Plugin())]


class Log(EventBus):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def publish(self, event: Event) -> None:
        self.lines.append(event.line())
        super().publish(event)


async def test_layers_start_from_the_bottom_and_stop_from_the_top(infera_home: Path) -> None:
    plugins, bus = load_plugins(FAKE, entry_points=False), Log()
    async with Node(load(WHOLE, plugins.registry, home=infera_home), plugins, bus=bus).running():
        bus.lines.append("--")
    assert bus.lines == [
        "started    state state",
        "started    verifier fake",
        "started    engine fake",
        "started    role second",
        "started    role first",
        "started    front fake",
        "running    node node",
        "--",
        "stopped    front fake",
        "stopped    role first",
        "stopped    role second",
        "stopped    engine fake",
        "stopped    verifier fake",
        "stopped    state state",
    ]


async def test_a_factory_finds_the_started_layers_below(make_node: MakeNode) -> None:
    seen: dict[str, Any] = {}

    def factory(config: FakeConfig, context: Context) -> Role:
        seen.update(engine=context.engine(), verifiers=dict(context.verifiers), note=config.note)
        return FakeRole()

    text = "verifiers: [{kind: fake}]\nengines: [{kind: fake}]\nroles: [{kind: mine, note: hi}]"
    async with make_node(text, plugins=registering(factory), installed=False):
        assert isinstance(seen["engine"], FakeEngine)
        assert set(seen["verifiers"]) == {Tier.OPTIMISTIC}
        assert seen["note"] == "hi"


async def test_components_carry_their_blocks_names(make_node: MakeNode) -> None:
    async with make_node(WHOLE, plugins=FAKE, installed=False) as node:
        assert [c.name for c in node.components] == ["fake", "fake", "second", "first", "fake"]


async def test_factory_of_the_wrong_layer_is_refused(make_node: MakeNode) -> None:
    with pytest.raises(PluginError, match=r"plugin 'mine' .* made a FakeEngine") as caught:
        async with make_node(
            "roles: [{kind: mine}]", plugins=registering(FakeEngine), installed=False
        ):
            pytest.fail("the node started")
    assert "infera.abc.Role" in caught.value.hint


async def test_error_in_a_factory_names_plugin_and_place(make_node: MakeNode) -> None:
    def factory(config: FakeConfig, context: Context) -> Role:
        raise PermanentError("no such thing")

    with pytest.raises(PermanentError) as caught:
        async with make_node(
            "\nroles: [{kind: mine}]", plugins=registering(factory), installed=False
        ):
            pytest.fail("the node started")
    assert caught.value.__notes__ == [
        "while building role 'mine' (plugin 'mine', <config>:2)",
    ]


async def test_optional_component_that_cannot_be_built_is_left_out(
    make_node: MakeNode, infera_bus: EventBus
) -> None:
    def factory(config: FakeConfig, context: Context) -> Role:
        raise PermanentError("no such thing")

    text = "roles: [{kind: mine, optional: true}, {kind: fake}]"
    async with infera_bus.subscribe(ComponentFailed) as failures:
        async with make_node(text, plugins=registering(factory), installed=False) as node:
            assert [c.name for c in node.components] == ["fake"]
        assert (await anext(failures)).reason == "no such thing"


async def test_second_verifier_of_a_tier_is_refused(make_node: MakeNode) -> None:
    text = "verifiers: [{kind: fake}, {kind: fake, name: other}]"
    with pytest.raises(PermanentError, match="tier optimistic has a verifier"):
        async with make_node(text, plugins=FAKE, installed=False):
            pytest.fail("the node started")


async def test_front_without_router_says_what_to_add(make_node: MakeNode) -> None:
    def factory(config: FakeConfig, context: Context) -> Role:
        context.require_gateway()
        raise AssertionError

    with pytest.raises(PermanentError) as caught:
        async with make_node(
            "roles: [{kind: mine}]", plugins=registering(factory), installed=False
        ):
            pytest.fail("the node started")
    assert "kind: router" in caught.value.hint


# -- signals


def node_of(text: str, home: Path) -> Node:
    plugins = load_plugins(FAKE, entry_points=False)
    return Node(load(text, plugins.registry, home=home), plugins)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_first_signal_stops_in_order(infera_home: Path, number: int) -> None:
    lines: list[str] = []

    async def companion(node: Node) -> None:
        async with node.bus.subscribe() as events:
            async for event in events:
                lines.append(event.line())
                if isinstance(event, NodeStarted):
                    os.kill(os.getpid(), number)

    await run_node(node_of(WHOLE, infera_home), companion=companion)
    assert lines[-1] == "stopped    state state"
    assert lines.index("stopped    front fake") < lines.index("stopped    role first")


async def test_second_signal_aborts(infera_home: Path) -> None:
    aborted: list[int] = []
    held = anyio.Event()

    class Stubborn(FakeRole):
        async def serve(self, *, task_status: Any) -> None:
            task_status.started()
            try:
                await anyio.sleep_forever()
            finally:
                os.kill(os.getpid(), signal.SIGINT)
                with anyio.CancelScope(shield=True), anyio.fail_after(10):
                    await held.wait()

    def abort(number: int) -> None:
        aborted.append(number)
        held.set()

    plugins = load_plugins(registering(Stubborn), entry_points=False)
    node = Node(load("roles: [{kind: mine}]", plugins.registry, home=infera_home), plugins)

    async def companion(node: Node) -> None:
        async with node.bus.subscribe(ComponentStarted) as events:
            async for event in events:
                if event.name == "mine":
                    os.kill(os.getpid(), signal.SIGINT)

    await run_node(node, companion=companion, abort=abort)
    assert aborted == [signal.SIGINT]


async def test_signal_while_starting_stops_quietly(infera_home: Path) -> None:
    class Slow(FakeRole):
        async def serve(self, *, task_status: Any) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            await anyio.sleep_forever()

    plugins = load_plugins(registering(Slow), entry_points=False)
    await run_node(Node(load("roles: [{kind: mine}]", plugins.registry, home=infera_home), plugins))


async def test_error_of_the_companion_stops_the_node(infera_home: Path) -> None:
    async def companion(node: Node) -> None:
        raise NeedsOperatorError("cannot print")

    with pytest.raises(NeedsOperatorError, match="cannot print"):
        await run_node(node_of(WHOLE, infera_home), companion=companion)


# -- the home


def test_home_is_private(tmp_path: Path) -> None:
    anyio.run(_start, node_of("", tmp_path / "deep" / "home"))
    assert (tmp_path / "deep" / "home").stat().st_mode & 0o077 == 0


def test_home_serves_one_node(infera_home: Path) -> None:
    with (
        HomeLock(infera_home),
        pytest.raises(NeedsOperatorError, match=rf"process {os.getpid()}") as caught,
        HomeLock(infera_home),
    ):
        pass
    assert caught.value.code == "home_in_use"
    with HomeLock(infera_home):
        pass


def test_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(PermanentError) as caught:
        anyio.run(_start, node_of("", tmp_path / "taken"))
    assert caught.value.code == "home_unusable"


async def _start(node: Node) -> None:
    async with node.running():
        pass


def test_a_home_is_held_while_a_node_uses_it(tmp_path: Path) -> None:
    assert not HomeLock(tmp_path).held()
    assert list(tmp_path.iterdir()) == []
    with HomeLock(tmp_path):
        assert HomeLock(tmp_path).held()
    assert not HomeLock(tmp_path).held()
    (tmp_path / "node.lock").write_text("4242\n")  # left by a crash
    assert not HomeLock(tmp_path).held()
    with HomeLock(tmp_path):
        assert HomeLock(tmp_path).held()
