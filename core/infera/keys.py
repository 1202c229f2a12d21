"""Secp256k1 keys: `Signer`, `recover`, and `KeyStore`, a folder of key files only their owner can
read.

Private keys never appear in a `repr`, an error or a log. Key files are either plain hex or, with a
passphrase in `INFERA_KEY_PASSPHRASE`, Web3 secret storage version 3 (`infera.secretstorage`),
readable by other Ethereum tools.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from coincurve import PrivateKey

from infera.errors import NeedsOperatorError, ProtocolError
from infera.protocol.signatures import key_address, recover, require_signer

if TYPE_CHECKING:
    from infera.types import Address

__all__ = ["PASSPHRASE_VARIABLE", "KeyStore", "Signer", "recover", "require_signer"]

PASSPHRASE_VARIABLE = "INFERA_KEY_PASSPHRASE"  # noqa: S105 (a name, not a secret)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Signer:
    """A private key that signs 32-byte digests. Compare and show it by `address`."""

    __slots__ = ("_key", "address")

    def __init__(self, private_key: bytes) -> None:
        if len(private_key) != 32:
            raise ProtocolError("a private key has 32 bytes")
        try:
            self._key = PrivateKey(private_key)
        except ValueError:
            raise ProtocolError("not a secp256k1 private key") from None
        self.address: Address = key_address(self._key.public_key)

    @classmethod
    def generate(cls) -> Signer:
        """A fresh key from the operating system's generator."""
        return cls(PrivateKey().secret)

    @classmethod
    def from_hex(cls, text: str) -> Signer:
        """From 64 hex digits, 0x allowed. The error never quotes the text."""
        digits = text.strip().removeprefix("0x")
        try:
            return cls(bytes.fromhex(digits))
        except ValueError:
            raise ProtocolError("a private key is 64 hex digits") from None

    @property
    def private_key(self) -> bytes:
        """The 32 secret bytes, for libraries that sign transactions themselves. Never log them."""
        return self._key.secret

    def sign(self, digest: bytes) -> bytes:
        """65 bytes r‖s‖v over a 32-byte digest; v is 27 or 28, s low, the nonce deterministic."""
        if len(digest) != 32:
            raise ProtocolError("only 32-byte digests are signed")
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((signature[64] + 27,))

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Signer is not pickled: its key would leave the process")


class KeyStore:
    """Named keys in a folder (0700), one file a key (0600), written atomically.

    `passphrase` None: from the environment.
    """

    def __init__(self, folder: Path, passphrase: str | None = None) -> None:
        self.folder = folder
        self._passphrase = passphrase or os.environ.get(PASSPHRASE_VARIABLE) or None

    def names(self) -> list[str]:
        """The stored keys, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(p.stem for p in self.folder.glob("*.key") if _NAME.fullmatch(p.stem))

    def get(self, name: str) -> Signer:
        """Load a key.

        `NeedsOperatorError` if it is missing, readable by others, or locked by another passphrase.
        """
        path = self._path(name)
        try:
            with path.open(encoding="utf-8") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                text = file.read(64 << 10).strip()
        except FileNotFoundError:
            raise NeedsOperatorError(
                f"there is no key named {name!r} in {self.folder}",
                code="key_not_found",
                hint=f"`infera keys new {name}` makes one",
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise NeedsOperatorError(
                f"cannot read {path}: {error}", code="key_unreadable"
            ) from None
        if os.name == "posix" and mode & 0o077:
            raise NeedsOperatorError(
                f"{path} can be read by other users (mode {mode:04o})",
                code="key_exposed",
                hint=f"chmod 600 {path}; if others were on this machine, replace the key",
            )
        try:
            return self._decode(text, path)
        except ProtocolError:  # `from None`: no part of the text may end up in a traceback
            raise NeedsOperatorError(f"{path} holds no key", code="key_unreadable") from None

    def create(self, name: str) -> Signer:
        """Make and store a new key. `NeedsOperatorError` if the name is taken."""
        return self.add(name, Signer.generate())

    def get_or_create(self, name: str) -> Signer:
        """The named key; made on first use."""
        return self.get(name) if self._path(name).exists() else self.create(name)

    def import_key(self, name: str, private_key: str | bytes) -> Signer:
        """Store a key that exists already (32 bytes, or hex)."""
        if isinstance(private_key, str):
            return self.add(name, Signer.from_hex(private_key))
        return self.add(name, Signer(private_key))

    def add(self, name: str, signer: Signer) -> Signer:
        """Store a signer's key under a free name."""
        path = self._path(name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=self.folder)  # 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(self._encode(signer))
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)  # unlike rename, never replaces a key
        except FileExistsError:
            raise NeedsOperatorError(
                f"a key named {name!r} exists already",
                code="key_exists",
                hint="choose another name",
            ) from None
        finally:
            Path(temporary).unlink(missing_ok=True)
        return signer

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise NeedsOperatorError(
                f"{name!r} is no key name",
                code="key_name_invalid",
                hint="use letters, digits, dot, dash and underscore, at most 64",
            )
        return self.folder / f"{name}.key"

    def _encode(self, signer: Signer) -> str:
        if self._passphrase is None:
            return signer.private_key.hex() + "\n"
        from infera.secretstorage import encrypt

        return encrypt(signer.private_key, self._passphrase, signer.address)

    def _decode(self, text: str, path: Path) -> Signer:
        if not text.startswith("{"):
            return Signer.from_hex(text)
        if self._passphrase is None:
            raise NeedsOperatorError(
                f"{path} is locked by a passphrase",
                code="key_locked",
                hint=f"set {PASSPHRASE_VARIABLE}",
            )
        from infera.secretstorage import decrypt

        return Signer(decrypt(text, self._passphrase, str(path)))
