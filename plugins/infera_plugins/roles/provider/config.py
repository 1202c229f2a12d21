"""The provider's block in a node's YAML."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from infera.operators import OperatorConfig
from infera.types import OperatorRole


class SeatConfig(BaseModel):
    """A seat the provider wants for one model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ask: int = Field(
        ge=0, description="micro-USDC a second to be paid for keeping it warm, where a seat is free"
    )
    lowest_ask: int | None = Field(
        None, ge=0, description="down to which it underbids others; default: `ask`, so never"
    )
    tokens_per_second: int | None = Field(
        None, ge=1, description="throughput it promises there; default: the provider's"
    )

    @model_validator(mode="after")
    def _check(self) -> SeatConfig:
        if self.lowest_ask is not None and self.lowest_ask > self.ask:
            raise ValueError("lowest_ask must not be above ask")
        return self


class ProviderConfig(OperatorConfig):
    """`- kind: provider`"""

    staked_as: ClassVar[OperatorRole | None] = OperatorRole.PROVIDER

    key: str = Field(
        "provider", description="name of the hot key in this node's key store; made if missing"
    )
    engine: str | None = Field(None, description="which engine runs the jobs, if there are several")
    models: list[str] = Field(
        default_factory=list, description="models to offer; empty: all the engine has"
    )
    routers: list[str] = Field(
        default_factory=lambda: ["auto"],
        description="ws(s):// endpoints to dial; `auto`: every active router on the chain",
    )
    price_in: int = Field(100_000, ge=0, description="micro-USDC per million prompt tokens")
    price_out: int = Field(200_000, ge=0, description="micro-USDC per million output tokens")
    capacity: int = Field(8, ge=1, le=4096, description="jobs served at once")
    tokens_per_second: int = Field(
        100, ge=1, description="claimed throughput; scales the minimum stake"
    )
    region: str = Field("", max_length=32, description="free label, e.g. eu-west")
    max_exposure_usdc: int = Field(
        1_000, ge=1, description="stop serving a router that owes more than this, until it settles"
    )
    claim_threshold_usdc: float = Field(
        0.0, ge=0, description="claim earnings once they exceed this"
    )
    claim_interval_s: float = Field(
        60.0, gt=0, description="seconds between looks for claimable earnings"
    )
    seats: dict[str, SeatConfig] = Field(
        default_factory=dict,
        description="models to be paid for keeping warm, by name; held seats it does not name are"
        " given up",
    )
    seat_interval_s: float = Field(15.0, gt=0, description="seconds between looks at its seats")
    seat_claim_usdc: float = Field(
        1.0, ge=0, description="claim what seats earned once it is this much"
    )
    leave_seats_at_stop: bool = Field(
        False, description="give notice for every seat when the node stops, and claim"
    )
