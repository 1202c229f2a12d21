"""The keeper's block in a node's YAML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from infera.errors import InferaError
from infera.protocol.abi import parse_address


class KeeperConfig(BaseModel):
    """`- kind: keeper`. Stakes nothing; its key needs native money for gas."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(
        "keeper", description="name of the key that sends; made if missing, needs money for gas"
    )
    chain: str | None = Field(None, description="which chain to keep, if there are several")
    tasks: list[str] = Field(
        default_factory=list, description="tasks to do, by name; empty: all that there are"
    )
    interval_s: float = Field(60.0, gt=0, description="seconds between looks at what is due")
    longest_wait_s: float = Field(
        3600.0, gt=0, description="a task that is refused is tried again ever later, up to this"
    )
    max_cost_eth: float = Field(
        0.005, gt=0, description="leave a task while its transaction would cost more"
    )
    least_payout_usdc: float = Field(
        10.0, ge=0, description="pay protocol fees out, and report volume, once this has gathered"
    )
    least_release_infr: int = Field(
        1_000, ge=0, description="release vested incentives once these many INFR are free"
    )
    routers: list[str] = Field(
        default_factory=list,
        description="addresses of routers whose settled volume the owner of `key` vouches for",
    )

    @field_validator("routers")
    @classmethod
    def _addresses(cls, routers: list[str]) -> list[str]:
        try:
            found = [parse_address(router) for router in routers]
        except InferaError as error:
            raise ValueError(error.message) from None
        if len(set(found)) != len(found):
            raise ValueError("a router is named twice")
        return found
