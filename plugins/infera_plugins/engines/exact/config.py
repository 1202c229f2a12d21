"""The exact engine's block in a node's YAML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ModelEntry(BaseModel):
    """One model to load."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(
        description="a Hugging Face folder (safetensors); `builtin:first_light` is the shipped one"
    )
    name: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="what requests call it; the folder's name if not given",
    )


class ExactConfig(BaseModel):
    """`- kind: exact`"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: tuple[ModelEntry, ...] = Field(
        (ModelEntry(path="builtin:first_light", name=None),),
        min_length=1,
        description="models to load before the node is ready",
    )
    threads: int = Field(
        1, ge=1, le=256, description="processor threads per job; no bit depends on it"
    )
    max_concurrent: int = Field(
        4, ge=1, le=4096, description="jobs computed at once; others wait their turn"
    )
