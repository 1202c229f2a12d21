"""The way in: fast help, honest errors, plugins' commands."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from infera.cli import COMMANDS
from infera.errors import NeedsOperatorError, PluginError
from infera.hookspecs import hookimpl
from infera.kernel import plugins as kernel_plugins
from infera.kernel.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from infera.kernel.plugins import Plugins


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom infera.cli import main\n"
        "try:\n  main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'pydantic', 'pluggy', 'anyio', 'yaml', 'sqlalchemy', 'web3'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, text in COMMANDS.items():
        assert name in done.stdout
        assert text in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, infera: Any) -> None:
    done = infera(name, "--help")
    assert done.code == 0
    assert "Usage: infera " in done.out


def test_unknown_command_gets_the_nearest(infera: Any) -> None:
    done = infera("plugin")
    assert done.code == 1
    assert "did you mean 'plugins'?" in done.err
    assert "[command_unknown]" in done.err


def test_wrong_usage_exits_with_2(infera: Any) -> None:
    assert infera("run").code == 2


def failing(error: Exception) -> click.Command:
    def run() -> None:
        raise error

    return click.Command("fail", callback=run)


@pytest.fixture
def extra_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[click.Command], None]:
    """Install a plugin that brings this command."""

    def install(command: click.Command) -> None:
        class Plugin:
            @hookimpl
            def infera_register_commands(self, register: Callable[[click.Command], None]) -> None:
                register(command)

        original = kernel_plugins.load_plugins

        def load() -> Plugins:
            return original([("extra", Plugin())], entry_points=False)

        monkeypatch.setattr(kernel_plugins, "load_plugins", load)

    return install


def test_plugins_command_runs(infera: Any, extra_command: Any) -> None:
    extra_command(click.Command("greet", callback=lambda: click.echo("hello")))
    assert infera("greet").out == "hello\n"
    assert "commands: greet" in infera("plugins").out


def test_expected_error_is_printed_bare(infera: Any, extra_command: Any) -> None:
    extra_command(failing(NeedsOperatorError("no stake", hint="stake some")))
    done = infera("fail")
    assert done.code == 1
    assert done.err == "error: no stake\n  stake some\n  [component_needs_operator]\n"


def test_bug_keeps_its_traceback(infera: Any, extra_command: Any) -> None:
    extra_command(failing(ZeroDivisionError("bug")))
    with pytest.raises(ZeroDivisionError):
        infera("fail")


def test_plugin_cannot_replace_a_command(infera: Any, extra_command: Any) -> None:
    extra_command(click.Command("config", callback=lambda: click.echo("mine")))
    assert "mine" not in infera("config", "list").out


def group(name: str, *parts: str) -> click.Group:
    return click.Group(
        name, [click.Command(p, callback=lambda p=p: click.echo(p)) for p in parts], help="Things."
    )


def test_groups_of_one_name_are_joined_and_their_commands_are_not() -> None:
    registry = Registry()
    registry.add_command(group("things", "one"), "first")
    registry.add_command(group("things", "two"), "second")
    assert list(registry.commands["things"].commands) == ["one", "two"]  # type: ignore[attr-defined]
    with pytest.raises(PluginError, match="'things two' is registered twice"):
        registry.add_command(group("things", "two"), "third")
    for plain in ("things", "other"):
        command = click.Command(plain, callback=lambda: None)
        if plain == "other":
            registry.add_command(command, "first")
        with pytest.raises(PluginError, match=f"{plain!r} is registered twice"):
            registry.add_command(command if plain == "things" else group(plain, "x"), "second")


def test_plugins_as_json(infera: Any) -> None:
    import json

    shown = json.loads(infera("plugins", "--json").out)
    kinds = {kind for plugin in shown["plugins"] for kind in plugin["kinds"]}
    assert {"chain evm", "engine exact", "role router", "front openai"} <= kinds
