"""`infera run`: a node from a configuration file, until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from infera.cli.common import config_argument, find_config, home_option, run_async

if TYPE_CHECKING:
    from pathlib import Path

    from infera.kernel.node import Node


@click.command("run")
@config_argument
@home_option
@click.option("-q", "--quiet", is_flag=True, help="Print no events.")
def command(config: str, home: Path | None, quiet: bool) -> None:
    """Run the node that CONFIG describes.

    CONFIG is a YAML file, or the name of a configuration that comes with INFERA. The first Ctrl-C
    stops the node in order, a second one at once.
    """
    from infera.config import load
    from infera.kernel.lock import HomeLock
    from infera.kernel.node import Node, make_home, run_node
    from infera.kernel.plugins import load_plugins

    plugins = load_plugins()
    loaded = load(find_config(config), plugins.registry, home=home)
    make_home(loaded)

    async def main() -> None:
        await run_node(Node(loaded, plugins), companion=None if quiet else print_events)

    with HomeLock(loaded.home):
        run_async(main)


async def print_events(node: Node) -> None:
    """One line an event, for ever."""
    async with node.bus.subscribe() as events:
        dropped = 0
        async for event in events:
            if events.dropped > dropped:
                click.echo(f"skipped    {events.dropped - dropped} event(s) too many to print")
                dropped = events.dropped
            click.echo(event.line())
