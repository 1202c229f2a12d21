"""The validator role: follows batches on the chain, audits them, samples leaves and re-checks
the jobs behind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.hookspecs import Manifest, Register, hookimpl
from infera_plugins.roles.validator.checks import CHECKS
from infera_plugins.roles.validator.config import ValidatorConfig
from infera_plugins.roles.validator.role import ValidatorRole

if TYPE_CHECKING:
    from collections.abc import Callable

    from infera.checks import HealthCheck


@hookimpl
def infera_manifest() -> Manifest:
    return Manifest(name="validator", summary="Samples settled jobs and checks them again")


@hookimpl
def infera_register_roles(register: Register) -> None:
    register("validator", ValidatorRole, ValidatorConfig)


@hookimpl
def infera_register_checks(register: Callable[[HealthCheck], None]) -> None:
    for check in CHECKS:
        register(check)
