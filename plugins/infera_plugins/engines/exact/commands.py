"""`infera models inspect` and `infera exact selftest`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from infera_plugins.engines.exact.config import ModelEntry


@click.group("models")
def models() -> None:
    """Model files."""


@models.command("inspect")
@click.argument("path")
def inspect(path: str) -> None:
    """Print the manifest and the model id of a Hugging Face folder.

    PATH is a folder, or `builtin:first_light`.
    """
    from infera_plugins.engines.exact.engine import locate
    from infera_plugins.engines.exact.model import load_model

    folder, name = locate(ModelEntry(path=path, name=None))
    loaded = load_model(Path(folder), name)
    report = {
        "name": name,
        "model_id": "0x" + loaded.info.model_id.hex(),
        "manifest": loaded.info.manifest,
    }
    click.echo(json.dumps(report, indent=2))


@click.group("exact")
def exact() -> None:
    """The exact engine."""


@exact.command("selftest")
def selftest() -> None:
    """Compute fixed vectors on every instruction set this machine has and compare their digests.

    The exit status is 1 if any differs: such a machine must not serve or validate.
    """
    from infera_plugins.engines.exact.selftest import EXPECTED, run

    wrong = 0
    for path, digests in run().items():
        for name, digest in digests.items():
            good = EXPECTED.get(name) == digest
            wrong += not good
            click.echo(f"{path:9} {name:13} {digest} {'ok' if good else 'DIFFERS'}")
    if wrong:
        click.echo(f"{wrong} digests differ from canonical arithmetic CA-1", err=True)
        sys.exit(1)
