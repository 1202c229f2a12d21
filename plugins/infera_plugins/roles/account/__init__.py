"""The account role: a hosted developer account that keeps itself funded with a router and issues
API keys.
"""

from __future__ import annotations

from infera.hookspecs import Manifest, Register, hookimpl
from infera_plugins.roles.account.config import AccountConfig
from infera_plugins.roles.account.role import AccountRole


@hookimpl
def infera_manifest() -> Manifest:
    return Manifest(
        name="account", summary="Keeps a developer account funded and issues its API keys"
    )


@hookimpl
def infera_register_roles(register: Register) -> None:
    register("account", AccountRole, AccountConfig)
