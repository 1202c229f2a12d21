"""Web3 secret storage version 3: a private key as JSON under scrypt and AES-128-CTR.

Format: https://ethereum.org/en/developers/docs/data-structures-and-encoding/web3-secret-storage/.
Reads scrypt files (what every current tool writes), with their cost bounded so that a hostile file
cannot exhaust memory.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import uuid
from typing import TYPE_CHECKING, Any

from infera.errors import NeedsOperatorError, ProtocolError
from infera.protocol.abi import json_uint, refuse
from infera_ext import keccak256

if TYPE_CHECKING:
    from infera.types import Address

SCRYPT_N = 1 << 15
SCRYPT_R = 8
_MAX_MEMORY = 1 << 30


def encrypt(private_key: bytes, passphrase: str, address: Address, *, n: int = SCRYPT_N) -> str:
    """JSON text of the locked key.

    `n` is scrypt's cost: 128·r·n bytes of memory (32 MiB unless told).
    """
    salt, iv = os.urandom(32), os.urandom(16)
    derived = _derive(passphrase, salt, n, SCRYPT_R, 1)
    ciphertext = _aes128_ctr(derived[:16], iv, private_key)
    body = {
        "version": 3,
        "id": str(uuid.uuid4()),
        "address": address[2:].lower(),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": iv.hex()},
            "ciphertext": ciphertext.hex(),
            "kdf": "scrypt",
            "kdfparams": {"dklen": 32, "n": n, "r": SCRYPT_R, "p": 1, "salt": salt.hex()},
            "mac": keccak256(derived[16:32] + ciphertext).hex(),
        },
    }
    return json.dumps(body, indent=1) + "\n"


def decrypt(text: str, passphrase: str, where: str = "the key file") -> bytes:
    """The 32 secret bytes.

    `NeedsOperatorError` for a wrong passphrase, `ProtocolError` for what is no such file.
    """
    try:
        crypto: dict[str, Any] = json.loads(text)["crypto"]
        params = crypto["kdfparams"]
        if crypto["cipher"] != "aes-128-ctr" or crypto["kdf"] != "scrypt" or params["dklen"] != 32:
            refuse(where, "uses a cipher other than scrypt with aes-128-ctr")
        n, r, p = (json_uint(params[name], 32, name) for name in ("n", "r", "p"))
        salt = bytes.fromhex(params["salt"])
        iv = bytes.fromhex(crypto["cipherparams"]["iv"])
        ciphertext, mac = bytes.fromhex(crypto["ciphertext"]), bytes.fromhex(crypto["mac"])
        derived = _derive(passphrase, salt, n, r, p)
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"{where} is not Web3 secret storage: {error!r}") from None
    if not hmac.compare_digest(mac, keccak256(derived[16:32] + ciphertext)):
        raise NeedsOperatorError(
            f"the passphrase does not open {where}",
            code="key_locked",
            hint="check INFERA_KEY_PASSPHRASE",
        )
    return _aes128_ctr(derived[:16], iv, ciphertext)


def _derive(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    memory = 128 * r * (n + p + 2)
    if memory > _MAX_MEMORY or p > 16:
        raise ProtocolError("the key file asks for more than 1 GiB of memory")
    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=n, r=r, p=p, dklen=32, maxmem=memory + (1 << 20)
    )


def _aes128_ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    try:
        from Crypto.Cipher import AES
    except ImportError:
        raise NeedsOperatorError(
            "locked keys need pycryptodome", code="missing_extra", hint="pip install pycryptodome"
        ) from None
    cipher = AES.new(key, AES.MODE_CTR, nonce=b"", initial_value=iv)
    return bytes(cipher.encrypt(data))
