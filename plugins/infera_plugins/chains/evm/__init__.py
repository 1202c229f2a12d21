"""Plugin `evm`: settlement on any Ethereum chain, or on one inside this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.hookspecs import Manifest, Register, hookimpl

from .config import EvmConfig

if TYPE_CHECKING:
    from infera.abc import Component
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
