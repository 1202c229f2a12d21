"""The `infera` command. Each subcommand lives in a module of its own, imported when it is used."""

from __future__ import annotations

import sys
from importlib import import_module

import click

COMMANDS = {
    "up": "Run a whole network on this machine and print how to call it.",
    "run": "Run a node from a configuration file.",
    "init": "Write a commented configuration for a role.",
    "validate": "Check a configuration as `run` would, without starting anything.",
    "doctor": "Look for what is wrong with this machine or set-up.",
    "plugins": "List installed plugins and what they bring.",
    "config": "Show the effective configuration or its JSON schema.",
    "keys": "Operator keys on this machine, and API keys.",
    "models": "List the models a router serves.",
    "receipt": "Show or verify a job's receipt.",
}


class _Commands(click.Group):
    """Built-in commands by name, then those of plugins, which are loaded only if no built-in one
    has the name.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = import_module(f"infera.cli.{cmd_name}").command
            return command
        from infera.errors import InferaError, did_you_mean
        from infera.kernel.plugins import load_plugins

        brought = load_plugins().commands().commands
        if cmd_name not in brought:
            raise InferaError(
                f"there is no command {cmd_name!r}",
                code="command_unknown",
                hint=did_you_mean(cmd_name, [*COMMANDS, *brought]),
            )
        return brought[cmd_name]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Help texts are kept above, so that `infera --help` imports no subcommand.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Plugins may bring more commands: `infera plugins` names them.",
)
@click.version_option(package_name="infera", message="infera %(version)s")
def cli() -> None:
    """INFERA: a permissionless, verifiable, pay-per-token inference network."""


def main(args: list[str] | None = None) -> None:
    """Entry point. Expected errors are printed bare, a bug keeps its traceback."""
    from infera.errors import ConfigError, InferaError

    try:
        cli.main(args, prog_name="infera", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        click.echo("aborted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ConfigError as error:
        from infera.config import render

        click.echo(render(error), err=True)
        sys.exit(error.exit_code)
    except InferaError as error:
        text = "\n".join(
            [f"error: {error}", *(f"  ({note})" for note in getattr(error, "__notes__", ()))]
        )
        click.echo(f"{text}\n  [{error.code}]", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader went away (`infera plugins | head`); nothing is left to say to it.
        sys.stderr.close()
        sys.exit(141)
