"""The exact engine: Llama-family decoders in canonical arithmetic, the same bits everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.hookspecs import Manifest, Register, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

    from infera.checks import HealthCheck


@hookimpl
def infera_manifest() -> Manifest:
    return Manifest(name="exact", summary="Runs Llama-family models with reproducible bits")


@hookimpl
def infera_register_engines(register: Register) -> None:
    from infera_plugins.engines.exact.config import ExactConfig
    from infera_plugins.engines.exact.engine import ExactEngine

    register("exact", ExactEngine, ExactConfig)


@hookimpl
def infera_register_commands(register: Callable[[click.Command], None]) -> None:
    from infera_plugins.engines.exact.commands import exact, models

    register(models)
    register(exact)


@hookimpl
def infera_register_checks(register: Callable[[HealthCheck], None]) -> None:
    from infera_plugins.engines.exact.checks import CHECKS

    for check in CHECKS:
        register(check)
