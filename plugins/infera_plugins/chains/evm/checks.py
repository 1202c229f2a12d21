"""What `infera doctor` asks about a settlement chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.checks import HealthCheck
from infera.errors import ChainError

from .config import EvmConfig

if TYPE_CHECKING:
    from infera.checks import CheckContext

TIMEOUT_S = 5.0


async def _reachable(context: CheckContext) -> str | None:
    from .rpc import Rpc
    from .transport import make_transport

    for config in context.configs(EvmConfig):
        if config.embedded:
            continue
        transport = make_transport(config.rpc, timeout_s=min(TIMEOUT_S, config.request_timeout_s))
        try:
            chain_id = await Rpc(transport, attempts=1).chain_id()
        except ChainError as e:
            return f"{config.rpc}: {e.message}; correct `rpc:` or start that node"
        finally:
            await transport.disconnect()
        if config.chain_id not in (None, chain_id):
            return f"{config.rpc} is chain {chain_id}, not {config.chain_id}; correct `chain_id:`"
    return None


CHECKS = (
    HealthCheck(
        "chain_reachable", "the chain's node answers, and is that chain", _reachable, kinds=("evm",)
    ),
)
