"""The provider role: dials routers, runs their jobs on an engine, signs receipts and claims what
it has earned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.hookspecs import Manifest, Register, hookimpl
from infera_plugins.roles.provider.checks import CHECKS
from infera_plugins.roles.provider.config import ProviderConfig
from infera_plugins.roles.provider.role import ProviderRole

if TYPE_CHECKING:
    from collections.abc import Callable

    from infera.checks import HealthCheck


@hookimpl
def infera_manifest() -> Manifest:
    return Manifest(name="provider", summary="Serves jobs on an engine and earns USDC")


@hookimpl
def infera_register_roles(register: Register) -> None:
    register("provider", ProviderRole, ProviderConfig)


@hookimpl
def infera_register_checks(register: Callable[[HealthCheck], None]) -> None:
    for check in CHECKS:
        register(check)
