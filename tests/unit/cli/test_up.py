"""up: what it refuses, what it deletes, and when it says that the network is ready."""

from __future__ import annotations

import json
import socket
import stat
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from infera.cli.up import Console, delete_state, snippets
from infera.config import load
from infera.events import FrontListening, NodeStarted, ProviderJoined
from infera.hookspecs import Register, hookimpl
from infera.kernel.lock import HomeLock
from infera.kernel.node import Node
from infera.kernel.plugins import load_plugins
from infera.testing.fakes import FakeConfig, FakePlugin, FakeRole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_port_in_use_is_said_before_anything_starts(
    infera: Any, taken_port: int, infera_home: Path
) -> None:
    done = infera("up", "--port", str(taken_port))
    assert done.code == 1
    assert f"port {taken_port} is in use" in done.err
    assert "--port 0" in done.err
    assert "started" not in done.out
    assert not (infera_home / "state.db").exists()


def test_second_node_on_a_home_is_refused(infera: Any, infera_home: Path) -> None:
    with HomeLock(infera_home):
        done = infera("up", "--port", "0", "--fresh")
    assert done.code == 1
    assert "[home_in_use]" in done.err
    assert "deleting" not in done.out


def test_fresh_deletes_state_by_name_and_keeps_keys(
    infera_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("keys/a.key", "api_keys/default", "state.db", "chain/blocks"):
        (infera_home / name).parent.mkdir(exist_ok=True)
        (infera_home / name).write_text("x")
    delete_state(infera_home)
    assert sorted(p.name for p in infera_home.iterdir()) == ["keys"]
    assert (infera_home / "keys" / "a.key").exists()
    named = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert named == [str(infera_home / name) for name in ("api_keys", "chain", "state.db")]


def test_fresh_does_not_follow_links(infera_home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    (infera_home / "link").symlink_to(elsewhere)
    delete_state(infera_home)
    assert (elsewhere / "precious").exists()


class Providers:
    @hookimpl
    def infera_register_roles(self, register: Register) -> None:
        register("provider", FakeRole, FakeConfig)


def node_of(home: Path) -> Node:
    plugins = load_plugins([("p", Providers()), ("fake", FakePlugin())], entry_points=False)
    text = "roles: [{kind: provider, name: a}, {kind: provider, name: b}]"
    return Node(load(text, plugins.registry, home=home), plugins)


READY = [
    FrontListening("openai", "http://127.0.0.1:1/v1"),
    NodeStarted("n"),
    ProviderJoined("0xA", ("bee-1",)),
]


async def told(node: Node, *events: Any) -> Console:
    """A console that has seen these events."""
    console = Console(node.config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(console.run, node)
        await anyio.wait_all_tasks_blocked()
        for event in events:
            node.bus.publish(event)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    return console


async def test_ready_is_everything_started_and_every_provider_joined(
    infera_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ProviderJoined("0xA", ("bee-1",))
    console = await told(node_of(infera_home), *READY, again)
    assert not console.ready
    assert console.missing() == "1 of 2 providers have joined the router"
    assert "base URL" not in capsys.readouterr().out


async def test_ready_writes_a_private_file_and_prints_how_to_call(
    infera_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = node_of(infera_home)
    address = node.context.keys.create("developer").address
    (infera_home / "api_keys").mkdir()
    (infera_home / "api_keys" / "default").write_text("sk-infera-x\n")
    console = await told(node, *READY, ProviderJoined("0xB", ("bee-1",)))
    assert console.ready
    path = infera_home / "devnet.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {
        "base_url": "http://127.0.0.1:1/v1",
        "api_key": "sk-infera-x",
        "rpc_url": None,
        "chain_id": None,
        "contracts": {},
        "accounts": {"developer": address},
    }
    out = capsys.readouterr().out
    assert "curl http://127.0.0.1:1/v1/chat/completions" in out
    assert 'model="bee-1"' in out


async def test_waiting_too_long_is_said(
    infera_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infera.cli.up.READY_WARNING_S", 0.0)
    node, err = node_of(infera_home), ""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Console(node.config).run, node)
        await anyio.wait_all_tasks_blocked()
        for event in READY:
            node.bus.publish(event)
        with anyio.fail_after(10):
            while "waiting" not in err:
                await anyio.lowlevel.checkpoint()
                err += capsys.readouterr().err
        tasks.cancel_scope.cancel()
    assert err.startswith("waiting    1 of 2 providers have joined the router")


def test_python_snippet_is_python() -> None:
    text = snippets("http://127.0.0.1:1/v1", "sk-infera-x", "bee-1")
    code = text[text.index("  from openai") :]
    compile("\n".join(line.removeprefix("  ") for line in code.splitlines()), "snippet", "exec")


def test_snippets_without_a_key_say_how_to_get_one() -> None:
    assert "api_keys: [default]" in snippets("http://x", None, "m")
