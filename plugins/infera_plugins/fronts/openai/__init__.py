"""The HTTP API OpenAI clients speak, as a front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.hookspecs import Manifest, Register, hookimpl
from infera_plugins.fronts.openai.checks import CHECKS
from infera_plugins.fronts.openai.config import OpenAIFrontConfig
from infera_plugins.fronts.openai.server import OpenAIFront

if TYPE_CHECKING:
    from collections.abc import Callable

    from infera.checks import HealthCheck


@hookimpl
def infera_manifest() -> Manifest:
    """Who this is."""
    return Manifest(name="openai", summary="The OpenAI-compatible HTTP API, with receipts")


@hookimpl
def infera_register_fronts(register: Register) -> None:
    """`kind: openai`."""
    register("openai", OpenAIFront.build, OpenAIFrontConfig)


@hookimpl
def infera_register_checks(register: Callable[[HealthCheck], None]) -> None:
    """The port, and TLS files."""
    for check in CHECKS:
        register(check)
