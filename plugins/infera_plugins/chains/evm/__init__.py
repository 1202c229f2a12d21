"""Plugin `evm`: settlement on any Ethereum chain, or on one inside this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.hookspecs import Manifest, Register, hookimpl

from .checks import CHECKS
from .config import EvmConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

    from infera.abc import Component
    from infera.checks import HealthCheck
    from infera.context import Context


def _make(config: EvmConfig, context: Context) -> Component:
    from .chain import EvmChain  # loading an EVM takes a second that nodes elsewhere need not spend

    return EvmChain(config, context)


@hookimpl
def infera_manifest() -> Manifest:
    """Who this is."""
    return Manifest(name="evm", summary="Settles on an Ethereum chain, by RPC or embedded")


@hookimpl
def infera_register_chains(register: Register) -> None:
    """Bring `kind: evm`."""
    register("evm", _make, EvmConfig)


@hookimpl
def infera_register_commands(register: Callable[[click.Command], None]) -> None:
    """Bring `infera contracts`, `gov`, `seats`, `stake`, `vault`, and `infera models official`."""
    from .commands.contracts import contracts
    from .commands.gov import gov
    from .commands.seats import models, seats
    from .commands.stake import stake
    from .commands.upgrade import upgrade_command  # noqa: F401 - it joins the group by itself
    from .commands.vault import vault

    for command in (contracts, gov, models, seats, stake, vault):
        register(command)


@hookimpl
def infera_register_checks(register: Callable[[HealthCheck], None]) -> None:
    """Bring the check of a chain's node."""
    for check in CHECKS:
        register(check)
