"""What is known of a deployment: the file nodes, people and later runs read."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infera.errors import NeedsOperatorError

from ..config import CORE

if TYPE_CHECKING:
    from infera.types import Address

DEVELOPMENT_CHAINS = frozenset({31337, 1337})


@dataclass(slots=True)
class Deployment:
    """What `contracts.json` holds: where the contracts stand, and how they got there."""

    chain_id: int
    genesis: str
    """Hash of the chain's first block: two development chains share a number, never this."""
    block: int
    """First block that can hold events of the contracts."""
    contracts: dict[str, Address] = field(default_factory=dict)
    implementations: dict[str, Address] = field(default_factory=dict)
    transactions: dict[str, str] = field(default_factory=dict)
    funded: dict[Address, str] = field(default_factory=dict)
    blocks: dict[str, int] = field(default_factory=dict)
    """Block of each transaction."""
    deployer: Address = ""
    governor: Address = ""
    """Who is to own the contracts; empty in records older than `terms`."""
    method: str = ""
    """`create2` or `create`."""
    salt: str = ""
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each constructor or initialiser was given; numbers as decimal strings."""
    sources: dict[str, str] = field(default_factory=dict)
    """Hash of the sources behind each contract's code, as the artifacts have it."""
    expected: dict[str, Address] = field(default_factory=dict)
    """Where a transaction that is under way creates its contract."""
    terms: dict[str, Any] = field(default_factory=dict)
    """Everything that was decided about the deployment; with it the blueprint can be drawn again.

    Empty in records of the five contracts alone.
    """
    finished: bool = False
    """Whether everything was created, wired and handed over."""

    @property
    def complete(self) -> bool:
        """Whether a node can work with it."""
        return all(name in self.contracts for name in CORE) and (self.finished or not self.terms)

    @classmethod
    def load(cls, path: Path) -> Deployment | None:
        """Read the file; None if there is none."""
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as e:
            raise NeedsOperatorError(
                f"{path} cannot be read: {e}", hint="restore it, or remove it to start over"
            ) from e

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".contracts")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
            file.write("\n")
        Path(temporary).replace(path)


def check_standing(deployment: Deployment, absent: list[str], path: Path) -> None:
    """Complain when the chain does not have what the file says it has."""
    if absent:
        raise NeedsOperatorError(
            f"{path} says {', '.join(absent)} stand on chain {deployment.chain_id},"
            " but there is no code",
            hint="is this the right chain? remove the file to deploy again, or set `contracts:`",
        )


def written(value: Any) -> Any:
    """A value of a contract as the manifest has it: JSON's numbers are too small for money."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return [written(v) for v in value.values()]
    if isinstance(value, list | tuple):
        return [written(v) for v in value]
    return value
