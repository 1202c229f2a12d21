"""The optimistic verifier's block in a node's YAML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class OptimisticConfig(BaseModel):
    """`- kind: optimistic`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
