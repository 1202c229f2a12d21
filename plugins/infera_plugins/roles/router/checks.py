"""What `infera doctor` looks at for a router. Its stake is looked up by the chain's plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.checks import HealthCheck, port_problem
from infera.operators import keys_check
from infera_plugins.roles.router.config import RouterConfig, endpoint

if TYPE_CHECKING:
    from infera.checks import CheckContext


async def _port_free(context: CheckContext) -> str | None:
    if context.running:
        return None
    for config in context.configs(RouterConfig):
        if problem := await port_problem(*endpoint(config.listen)):
            return f"{config.listen}: {problem}"
    return None


CHECKS = (
    keys_check("router_keys", "router", RouterConfig),
    HealthCheck(
        "router_port_free", "peers' port can be listened on", _port_free, kinds=("router",)
    ),
)
