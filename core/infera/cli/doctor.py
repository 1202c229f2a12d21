"""`infera doctor`: runs the registered health checks and says what to do about each that fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio.to_thread
import click

from infera.checks import CheckContext, HealthCheck, Severity
from infera.cli.common import default_home, find_config, home_option, run_async
from infera.errors import InferaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from infera.config import NodeConfig
    from infera.kernel.registry import Registry


@dataclass(frozen=True, slots=True)
class Result:
    """What a check said:

    None is well. `because` names the failed check that made this one pointless.
    """

    check: HealthCheck
    text: str | None
    because: str = ""


@click.command("doctor")
@click.argument("config", metavar="[CONFIG]", required=False)
@home_option
def command(config: str | None, home: Path | None) -> None:
    """Check this machine, and with CONFIG also what that configuration needs."""
    from infera.config import load
    from infera.kernel.plugins import load_plugins

    plugins = load_plugins()
    loaded = load(find_config(config), plugins.registry, home=home) if config else None
    place = loaded.home if loaded else default_home(home)
    failed: list[int] = []

    async def main() -> None:
        failed.append(report(await diagnose(plugins.registry, place, loaded)))

    run_async(main)
    for missing in plugins.missing:
        click.echo(f"--   {missing}")
    if failed[0]:
        raise InferaError(f"{failed[0]} check(s) failed", code="environment_not_ready")


async def diagnose(registry: Registry, home: Path, config: NodeConfig | None) -> list[Result]:
    """Run every check that applies, causes before symptoms."""
    from infera.cli.checks import BUILTIN
    from infera.kernel.lock import HomeLock

    checks = {c.code: c for c in BUILTIN} | registry.checks
    used = {block.kind.kind for block in config.blocks()} if config else set()
    blocks = (
        {layer: [b.config for b in items] for layer, items in config.layers.items()}
        if config
        else {}
    )
    running = await anyio.to_thread.run_sync(HomeLock(home).held)
    context = CheckContext(home, blocks, running)
    results: dict[str, Result] = {}
    for check in in_order(checks):
        if check.kinds and not used.intersection(check.kinds):
            continue
        cause = next(
            (c for c in check.depends_on if c in results and results[c].text is not None), ""
        )
        if cause:
            results[check.code] = Result(check, None, because=cause)
            continue
        results[check.code] = Result(check, await _run(check, context))
    return list(results.values())


def in_order(checks: Mapping[str, HealthCheck]) -> list[HealthCheck]:
    """Each check after those it depends on; a dependency that is not installed is ignored."""
    order: dict[str, HealthCheck] = {}

    def visit(code: str, path: frozenset[str]) -> None:
        if code in order or code in path or code not in checks:
            return
        for wanted in checks[code].depends_on:
            visit(wanted, path | {code})
        order[code] = checks[code]

    for code in sorted(checks):
        visit(code, frozenset())
    return list(order.values())


def report(results: Iterable[Result]) -> int:
    """Print one line a check and the text of those that fail; how many errors there were."""
    failed = 0
    for result in results:
        check = result.check
        if result.because:
            click.echo(f"--   {check.code:<24} skipped: {result.because} fails")
        elif result.text is None:
            click.echo(f"ok   {check.code:<24} {check.title}")
        else:
            failed += check.severity is Severity.ERROR
            mark = "!!" if check.severity is Severity.ERROR else "~ "
            click.echo(f"{mark}   {check.code:<24} {check.severity}: {result.text}")
    return failed


async def _run(check: HealthCheck, context: CheckContext) -> str | None:
    try:
        return await check.run(context)
    except InferaError as error:
        return "; ".join(part for part in (error.message, error.hint) if part)
    except Exception as error:
        return f"the check itself failed: {error!r}"
