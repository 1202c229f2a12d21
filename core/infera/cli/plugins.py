"""`infera plugins`: who is installed and implements what."""

from __future__ import annotations

import json

import click

from infera.cli.common import table


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(as_json: bool) -> None:
    """List the loaded plugins in load order, the kinds they bring and the hooks they implement."""
    from infera.kernel.plugins import load_plugins
    from infera.kernel.registry import LAYERS

    plugins = load_plugins()
    registry = plugins.commands()
    kinds: dict[str, list[str]] = {info.name: [] for info in plugins.infos}
    for layer in LAYERS:
        for kind in registry.kinds[layer].values():
            kinds[kind.plugin].append(f"{layer[:-1]} {kind.kind}")
    if as_json:
        rows = [
            {
                "name": info.name,
                "summary": info.manifest.summary,
                "version": info.version,
                "origin": info.origin,
                "hooks": info.hooks,
                "kinds": kinds[info.name],
            }
            for info in plugins.infos
        ]
        missing = [{"name": m.name, "reason": m.reason, "extra": m.extra} for m in plugins.missing]
        click.echo(json.dumps({"plugins": rows, "missing": missing}, indent=2))
        return
    lines = [
        (info.name, info.version or "-", ", ".join(kinds[info.name]) or "-", info.manifest.summary)
        for info in plugins.infos
    ]
    click.echo(table(lines, ("NAME", "VERSION", "BRINGS", "SUMMARY")))
    for info in plugins.infos:
        click.echo(f"\n{info.name}: {info.origin}\n  {', '.join(info.hooks)}")
    if registry.commands:
        click.echo(f"\ncommands: {', '.join(sorted(registry.commands))}")
    for absent in plugins.missing:
        click.echo(f"\nnot loaded: {absent}")
