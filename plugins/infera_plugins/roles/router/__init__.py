"""The router role: takes requests from fronts, picks providers, signs tickets, relays answers,
settles in batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.hookspecs import Manifest, Register, hookimpl
from infera_plugins.roles.router.checks import CHECKS
from infera_plugins.roles.router.config import RouterConfig
from infera_plugins.roles.router.role import RouterRole

if TYPE_CHECKING:
    from collections.abc import Callable

    from infera.checks import HealthCheck


@hookimpl
def infera_manifest() -> Manifest:
    return Manifest(name="router", summary="Matches requests with providers and settles on-chain")


@hookimpl
def infera_register_roles(register: Register) -> None:
    register("router", RouterRole, RouterConfig)


@hookimpl
def infera_register_checks(register: Callable[[HealthCheck], None]) -> None:
    for check in CHECKS:
        register(check)
