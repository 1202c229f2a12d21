"""What `infera doctor` looks at for a keeper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread

from infera.checks import HealthCheck
from infera.keys import KeyStore
from infera_plugins.roles.keeper.config import KeeperConfig

if TYPE_CHECKING:
    from infera.checks import CheckContext


async def _key(context: CheckContext) -> str | None:
    def read() -> None:
        store = KeyStore(context.home / "keys")
        for config in context.configs(KeeperConfig):
            if (store.folder / f"{config.key}.key").exists():
                store.get(config.key)

    await anyio.to_thread.run_sync(read)
    return None


CHECKS = (
    HealthCheck(
        "keeper_keys",
        "the keeper's key can be read, by this node alone",
        _key,
        depends_on=("home_writable",),
        kinds=("keeper",),
    ),
)
