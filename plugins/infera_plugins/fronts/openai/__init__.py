"""The HTTP API OpenAI clients speak, as a front."""

from __future__ import annotations

from infera.hookspecs import Manifest, Register, hookimpl
from infera_plugins.fronts.openai.config import OpenAIFrontConfig
from infera_plugins.fronts.openai.server import OpenAIFront


@hookimpl
def infera_manifest() -> Manifest:
    """Who this is."""
    return Manifest(name="openai", summary="The OpenAI-compatible HTTP API, with receipts")


@hookimpl
def infera_register_fronts(register: Register) -> None:
    """`kind: openai`."""
    register("openai", OpenAIFront.build, OpenAIFrontConfig)
