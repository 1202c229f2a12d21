"""`infera receipt`: a job's receipt bundle, shown or checked without trusting whoever sent it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from infera.errors import InferaError


@click.group("receipt")
def command() -> None:
    """Show or verify a job's receipt."""


@command.command("show")
@click.argument("file", metavar="FILE|-")
def show_command(file: str) -> None:
    """Print a receipt bundle (or the `infera` part of an answer), one field a line."""
    for path, value in _flatten(read_bundle(file), ""):
        click.echo(f"{path:<28} {value}")


@command.command("verify")
@click.argument("file", metavar="FILE|-")
@click.option(
    "--response",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The answer's text, to check it too.",
)
@click.option("--rpc", metavar="URL", help="Chain to look the batch up on.")
@click.option(
    "--contract", metavar="ADDRESS", help="JobRegistry on that chain; the bundle's by default."
)
def verify_command(file: str, response: Path | None, rpc: str | None, contract: str | None) -> None:
    """Check signatures, hashes, cost and inclusion proof of a receipt bundle.

    Works offline. With --rpc the job registry is asked for the batch and both signers' keys. Exit
    status 1 if anything does not hold.
    """
    from infera.protocol.receipts import Bundle, verify_bundle

    raw = read_bundle(file)
    text = response.read_text(encoding="utf-8") if response else None
    checks = verify_bundle(raw, text)
    if rpc and checks[0].ok:
        from infera.cli.onchain import chain_checks

        checks += chain_checks(Bundle.from_json(raw), rpc, contract)
    for check in checks:
        click.echo(f"{'ok' if check.ok else '!!'}  {check.name:<20} {check.detail}".rstrip())
    failed = sum(not check.ok for check in checks)
    if failed:
        raise InferaError(f"{failed} of {len(checks)} checks failed", code="receipt_invalid")
    click.echo(f"all {len(checks)} checks hold")


def read_bundle(file: str) -> dict[str, Any]:
    """A bundle from a file or standard input; an API answer that carries one will do."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        data = json.loads(text)
    except OSError as error:
        raise InferaError(
            f"{file} cannot be read: {error.strerror}", code="file_unreadable"
        ) from None
    except (ValueError, RecursionError):
        raise InferaError(f"{file} is not JSON", code="receipt_malformed") from None
    if isinstance(data, dict) and isinstance(data.get("infera"), dict):
        data = data["infera"]
    if not isinstance(data, dict):
        raise InferaError(f"{file} is no receipt bundle", code="receipt_malformed")
    return data


def _flatten(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [
            row
            for key, inner in value.items()
            for row in _flatten(inner, f"{path}.{key}".strip("."))
        ]
    if isinstance(value, list):
        return [row for i, inner in enumerate(value) for row in _flatten(inner, f"{path}[{i}]")]
    return [(path, str(value))]
