"""The validator role: follows batches on the chain, audits them, samples leaves and re-checks
the jobs behind them.
"""

from __future__ import annotations

from infera.hookspecs import Manifest, Register, hookimpl
from infera_plugins.roles.validator.config import ValidatorConfig
from infera_plugins.roles.validator.role import ValidatorRole


@hookimpl
def infera_manifest() -> Manifest:
    return Manifest(name="validator", summary="Samples settled jobs and checks them again")


@hookimpl
def infera_register_roles(register: Register) -> None:
    register("validator", ValidatorRole, ValidatorConfig)
