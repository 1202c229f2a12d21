"""`infera config`: what the configuration means, and what it may say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from infera.cli.common import config_argument, find_config, home_option

if TYPE_CHECKING:
    from pathlib import Path


@click.group("config")
def command() -> None:
    """Show the effective configuration or its JSON schema."""


@command.command("show")
@config_argument
@home_option
def show_command(config: str, home: Path | None) -> None:
    """Print CONFIG with every default filled in and secrets masked."""
    from infera.config import load, show
    from infera.kernel.plugins import load_plugins

    click.echo(show(load(find_config(config), load_plugins().registry, home=home)), nl=False)


@command.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of configuration files for the installed plugins."""
    from infera.config.export import json_schema
    from infera.kernel.plugins import load_plugins

    schema = json_schema(load_plugins().registry)
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True))


@command.command("reference")
def reference_command() -> None:
    """Print every setting of the installed plugins as Markdown."""
    from infera.config.reference import settings_page
    from infera.kernel.plugins import load_plugins

    click.echo(settings_page(load_plugins().registry), nl=False)


@command.command("list")
def list_command() -> None:
    """Name the configurations that come with INFERA."""
    from infera.config import shipped, shipped_names

    for name in shipped_names():
        click.echo(f"{name:<12} {shipped(name)}")
