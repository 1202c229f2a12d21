"""API keys: `sk-infera-` + 43 base64url characters (docs/protocol.md §1).

Only `key_hash` is stored or signed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets

from infera.errors import ProtocolError
from infera_ext import keccak256

PREFIX = "sk-infera-"
_LENGTH = len(PREFIX) + 43


def new_api_key() -> str:
    """A fresh key with 32 bytes from the operating system's generator."""
    return PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def is_api_key(text: str) -> bool:
    """True for the exact shape, and the one spelling of its 32 bytes (no stray bits at the end)."""
    if len(text) != _LENGTH or not text.startswith(PREFIX) or not text.isascii():
        return False
    body = text[len(PREFIX) :].encode()
    try:
        data = base64.b64decode(body + b"=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return base64.urlsafe_b64encode(data).rstrip(b"=") == body


def key_hash(api_key: str) -> bytes:
    """keccak256(utf8(key)), 32 bytes.

    `ProtocolError` unless the key has the right shape; the message never quotes it.
    """
    if not is_api_key(api_key):
        raise ProtocolError(
            f"not an API key: expected {PREFIX} followed by 43 base64url characters",
            code="invalid_api_key",
        )
    return keccak256(api_key.encode())


def same_hash(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def redact(api_key: str) -> str:
    """A form for people: prefix and last four characters."""
    return f"{PREFIX}…{api_key[-4:]}" if len(api_key) >= _LENGTH else f"{PREFIX}…"
