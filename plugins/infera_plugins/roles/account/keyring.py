"""The bearer strings a hosted account has issued, where their owner keeps them: files of mode 0600,
one a key.

`NAME` holds the bearer string, `NAME.grant.json` the grant it spends under. Only hashes of bearers
go anywhere else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import orjson

from infera.errors import NeedsOperatorError
from infera.protocol.apikeys import is_api_key
from infera.protocol.messages import KeyGrant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DEPOSITED = ".deposited"


class Keyring:
    """API keys in one folder, made on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def deposited(self) -> bool:
        """Whether the account's first deposit has been made."""
        return (self._folder / _DEPOSITED).exists()

    def mark_deposited(self) -> None:
        self._write(_DEPOSITED, b"")

    def get_or_create(self, name: str, make: Callable[[], str]) -> tuple[str, bool]:
        """The bearer string of this name, and whether it was made just now."""
        path = self._folder / name
        if path.exists():
            bearer = path.read_text().strip()
            if not is_api_key(bearer):
                raise NeedsOperatorError(
                    f"{path} does not hold an API key",
                    hint="delete the file to have a new key issued",
                )
            return bearer, False
        bearer = make()
        self._write(name, bearer.encode())
        return bearer, True

    def grant(self, name: str) -> KeyGrant | None:
        """The grant last issued for a key."""
        path = self._folder / f"{name}.grant.json"
        return KeyGrant.from_json(orjson.loads(path.read_bytes())) if path.exists() else None

    def save_grant(self, name: str, grant: KeyGrant) -> None:
        self._write(f"{name}.grant.json", orjson.dumps(grant.to_json()))

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all, and readable by the owner only from the first byte on."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._folder / f".{name}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._folder / name)
