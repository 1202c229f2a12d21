"""`infera validate`: the way `run` goes, up to but without the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from infera.cli.common import config_argument, find_config, home_option, run_async
from infera.errors import InferaError

if TYPE_CHECKING:
    from pathlib import Path


@click.command("validate")
@config_argument
@home_option
@click.option("--no-environment", is_flag=True, help="Leave out the checks of this machine.")
def command(config: str, home: Path | None, no_environment: bool) -> None:
    """Check CONFIG in three stages: plugins, configuration, environment. Touches no state."""
    from infera.config import load
    from infera.kernel.plugins import load_plugins

    plugins = load_plugins()
    click.echo(f"ok  plugins        {len(plugins.infos)} loaded")
    for missing in plugins.missing:
        click.echo(f"--  plugins        {missing}")
    loaded = load(find_config(config), plugins.registry, home=home)
    click.echo(f"ok  configuration  {loaded.file}: {sum(1 for _ in loaded.blocks())} blocks")
    if no_environment:
        click.echo("--  environment    left out")
        return

    from infera.cli.doctor import diagnose, report

    findings: list[int] = []

    async def main() -> None:
        results = await diagnose(plugins.registry, loaded.home, loaded)
        failed = report([r for r in results if r.text is not None])
        findings.append(failed)
        click.echo(
            f"{'!!' if failed else 'ok'}  environment    {len(results)} checks, {failed} failed"
        )

    run_async(main)
    if findings[0]:
        raise InferaError(
            "this machine is not ready for this configuration", code="environment_not_ready"
        )
