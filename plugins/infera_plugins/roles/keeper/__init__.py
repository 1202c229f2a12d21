"""The keeper role: sends what anybody may send and somebody must (docs/keeper.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.hookspecs import Manifest, Register, hookimpl
from infera_plugins.roles.keeper.checks import CHECKS
from infera_plugins.roles.keeper.config import KeeperConfig
from infera_plugins.roles.keeper.role import KeeperRole

if TYPE_CHECKING:
    from collections.abc import Callable

    from infera.checks import HealthCheck


@hookimpl
def infera_manifest() -> Manifest:
    return Manifest(name="keeper", summary="Sends the transactions a network's upkeep needs")


@hookimpl
def infera_register_roles(register: Register) -> None:
    register("keeper", KeeperRole, KeeperConfig)


@hookimpl
def infera_register_checks(register: Callable[[HealthCheck], None]) -> None:
    for check in CHECKS:
        register(check)
