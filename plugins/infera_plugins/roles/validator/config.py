"""The validator's block in a node's YAML."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from infera.operators import OperatorConfig
from infera.types import OperatorRole


class ValidatorConfig(OperatorConfig):
    """`- kind: validator`"""

    staked_as: ClassVar[OperatorRole | None] = OperatorRole.VALIDATOR

    key: str = Field(
        "validator", description="name of the hot key in this node's key store; made if missing"
    )
    engine: str | None = Field(
        None, description="which engine re-executes jobs, if there are several"
    )
    check_rate_ppm: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="parts per million of leaves to check even if the draw does not assign them",
    )
    evidence_timeout_s: float = Field(
        60.0,
        gt=0,
        description="how long to try a router for a batch's leaves, and then for each job",
    )
    routers_at_once: int = Field(
        32, ge=1, le=1024, description="routers whose batches are looked at side by side"
    )
    jobs_at_once: int = Field(
        4, ge=1, le=1024, description="jobs executed again at once, of all batches"
    )
    report_count: int = Field(
        50, ge=1, le=200, description="findings to gather before they are reported to the chain"
    )
    report_age_s: float = Field(
        600.0, ge=0, description="report fewer once the oldest has waited this long"
    )
