"""`infera models`: what a router serves, and what plugins know of models."""

from __future__ import annotations

from typing import Any

import click

from infera.cli.common import http_json, table


@click.command("models", context_settings={"ignore_unknown_options": True})
@click.argument("target", default="http://127.0.0.1:8080/v1")
@click.argument("rest", nargs=-1, type=click.UNPROCESSED)
@click.option("--api-key", envvar="OPENAI_API_KEY", help="Bearer key (OPENAI_API_KEY).")
@click.pass_context
def command(ctx: click.Context, target: str, rest: tuple[str, ...], api_key: str | None) -> None:
    """List the models a router serves, with prices per million tokens.

    TARGET is a base URL. With the name of a plugin's command instead (`official`, `inspect`), that
    runs.
    """
    if "://" not in target:
        ctx.exit(_plugin_command(ctx, target, rest))
    answer = http_json(f"{target.rstrip('/')}/models", bearer=api_key)
    rows = [_row(model) for model in answer.get("data", [])]
    click.echo(table(rows, ("MODEL", "CONTEXT", "USDC IN", "USDC OUT", "TIERS", "PROVIDERS")))


def _plugin_command(ctx: click.Context, target: str, rest: tuple[str, ...]) -> int:
    from infera.errors import InferaError
    from infera.kernel.plugins import load_plugins

    brought = load_plugins().commands().commands.get("models")
    if brought is None:
        raise InferaError(
            f"{target!r} is no URL, and no installed plugin reads model files",
            code="url_invalid",
            hint="give a base URL such as http://127.0.0.1:8080/v1",
        )
    return int(brought.main([target, *rest], prog_name="infera models", standalone_mode=False) or 0)


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    pricing = model.get("pricing") or {}
    return (
        str(model.get("id", "?")),
        str(model.get("context_length", "-")),
        _usdc(pricing.get("prompt_micro_usdc_per_million")),
        _usdc(pricing.get("completion_micro_usdc_per_million")),
        " ".join(map(str, model.get("tiers", ()))) or "-",
        str(model.get("providers", "-")),
    )


def _usdc(micro: object) -> str:
    return f"{micro / 1_000_000:g}" if isinstance(micro, (int, float)) else "-"
