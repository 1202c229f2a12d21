"""The account's block in a node's YAML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AccountConfig(BaseModel):
    """`- kind: account`. Needs a router in the same node; elsewhere use `infera keys issue`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field("developer", description="name of the account's key in this node's key store")
    chain: str | None = Field(None, description="which chain settles, if there are several")
    deposit_usdc: int = Field(
        0, ge=0, description="deposit this much once, when the account is empty"
    )
    lock_usdc: int = Field(
        0, ge=0, description="keep this much USDC locked for the router, from the deposit"
    )
    api_keys: list[str] = Field(
        default_factory=list, description="names of API keys to issue if missing"
    )
    per_job_cap_usdc: float = Field(1.0, gt=0, description="limit of each issued key, per job")
    daily_cap_usdc: float = Field(25.0, gt=0, description="limit of each issued key, per UTC day")
    total_cap_usdc: float = Field(1000.0, gt=0, description="limit of each issued key, in all")
    max_price_in: int = Field(
        100_000_000, ge=0, description="price ceiling, micro-USDC per million prompt tokens"
    )
    max_price_out: int = Field(
        100_000_000, ge=0, description="price ceiling, micro-USDC per million output tokens"
    )
    days_valid: int = Field(365, ge=1, le=3650, description="life of issued keys")
