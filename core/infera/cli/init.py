"""`infera init`: a commented configuration to start from."""

from __future__ import annotations

from pathlib import Path

import click

from infera.errors import InferaError


@click.command("init")
@click.argument("role")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write; ROLE.yaml in this folder by default.",
)
def command(role: str, output: Path | None) -> None:
    """Write a configuration for ROLE (provider, router, validator, keeper, devnet), every key with
    its default.

    Never overwrites a file.
    """
    from infera.config import shipped

    text = shipped(role).read_text(encoding="utf-8")
    path = output or Path(f"{role}.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InferaError(
            f"{path} exists and is left as it is",
            code="file_exists",
            hint="write elsewhere with -o FILE",
        ) from None
    except OSError as error:
        raise InferaError(
            f"{path} cannot be written: {error.strerror}", code="file_unwritable"
        ) from None
    click.echo(
        f"wrote {path}; next: edit it, then `infera validate {path}` and `infera run {path}`"
    )
