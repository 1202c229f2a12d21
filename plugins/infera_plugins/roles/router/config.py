"""The router's block in a node's YAML."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from infera.errors import NeedsOperatorError
from infera.operators import OperatorConfig
from infera.types import OperatorRole


class RouterConfig(OperatorConfig):
    """`- kind: router`"""

    staked_as: ClassVar[OperatorRole | None] = OperatorRole.ROUTER

    key: str = Field(
        "router", description="name of the hot key in this node's key store; made if missing"
    )
    listen: str = Field(
        "127.0.0.1:8090", description="HOST:PORT where providers and validators dial in"
    )
    public_url: str | None = Field(
        None, description="ws(s):// URL under which peers reach `listen`; default: derived from it"
    )
    batch_interval_s: float = Field(60.0, gt=0, description="seconds between batches")
    batch_size: int = Field(10_000, ge=1, le=10_000, description="jobs in a batch at the most")
    debit_threshold_usdc: float = Field(
        0.0, ge=0, description="apply a grant's debits on-chain once they exceed this"
    )
    job_timeout_s: int = Field(
        120, ge=1, le=3600, description="a ticket's life: dispatch to receipt"
    )
    attempts: int = Field(3, ge=1, le=10, description="providers to try before a request fails")
    default_max_tokens: int = Field(
        1024, ge=1, description="output limit when the caller sets none"
    )
    models: dict[str, str] = Field(
        default_factory=dict,
        description="pins a name to a model id (0x…); unpinned: what the chain's official list"
        " says, else the first one offered",
    )
    signal_demand: bool = Field(
        True, description="signal once an epoch how many paid seats official models should have"
    )
    retain_content_s: int = Field(
        7 * 86_400,
        ge=0,
        description="how long requests and answers are kept for validators and idempotency",
    )


def endpoint(listen_on: str) -> tuple[str, int]:
    """`HOST:PORT` in its parts."""
    host, _, port = listen_on.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise NeedsOperatorError(
            f"`listen: {listen_on}` is not HOST:PORT", hint='for example "0.0.0.0:8090"'
        )
    return host.strip("[]"), int(port)
