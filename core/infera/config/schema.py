"""The kernel's own part of a configuration file.

Blocks stay raw mappings until their `kind` is looked up.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from infera.config.secret import Secret

NAME_PATTERN = r"^[a-z0-9][a-z0-9_.-]*$"


class NodeSettings(BaseModel):
    """The process itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)] = "node"
    """What this node calls itself in logs and files."""

    home: Annotated[str, Field(min_length=1)] | None = None
    """Folder of keys and state; `~/.infera` by default. `--home` and INFERA_HOME win.
    Several nodes on one machine each name their own.
    """


class StateSettings(BaseModel):
    """Where the node keeps what it must not forget."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Secret | None = None
    """A SQLAlchemy URL; by default an SQLite file in the node's home."""


class BlockHead(BaseModel):
    """What every block of a layer has, whatever its kind. The other keys are the plugin's."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str
    """Which plugin's component this is."""

    name: Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)] | None = None
    """Unique in its layer; the kind by default."""

    optional: bool = False
    """Whether the node goes on without this component if it fails."""


class ConfigFile(BaseModel):
    """A configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    node: NodeSettings = NodeSettings()
    """The process itself."""

    state: StateSettings = StateSettings()
    """Where the node keeps what it must not forget."""

    chains: list[dict[str, Any]] = []
    """Settlement layers."""

    verifiers: list[dict[str, Any]] = []
    """Verification tiers, one block each."""

    engines: list[dict[str, Any]] = []
    """What runs models."""

    roles: list[dict[str, Any]] = []
    """Parts this node plays in the network."""

    fronts: list[dict[str, Any]] = []
    """Doors for people's programs."""
