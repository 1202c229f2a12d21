"""The router role: takes requests from fronts, picks providers, signs tickets, relays answers,
settles in batches.
"""

from __future__ import annotations

from infera.hookspecs import Manifest, Register, hookimpl
from infera_plugins.roles.router.config import RouterConfig
from infera_plugins.roles.router.role import RouterRole


@hookimpl
def infera_manifest() -> Manifest:
    return Manifest(name="router", summary="Matches requests with providers and settles on-chain")


@hookimpl
def infera_register_roles(register: Register) -> None:
    register("router", RouterRole, RouterConfig)
