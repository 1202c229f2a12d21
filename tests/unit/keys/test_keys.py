"""Signers, recovery and the key store."""

from __future__ import annotations

import json
import os
import pickle
import stat
from typing import TYPE_CHECKING, Any

import pytest

from infera import secretstorage
from infera.errors import NeedsOperatorError, ProtocolError
from infera.keys import PASSPHRASE_VARIABLE, KeyStore, Signer, recover, require_signer
from infera.protocol.signatures import HALF_ORDER

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = bytes(range(32))
SECRET = b"\x46" * 32
ADDRESS = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"  # EIP-155's example key


@pytest.fixture(autouse=True)
def no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A low scrypt cost; files keep their own."""
    real = secretstorage.encrypt
    monkeypatch.setattr(secretstorage, "encrypt", lambda *args: real(*args, n=1 << 10))


def test_addresses_are_those_of_other_tools() -> None:
    assert Signer(SECRET).address == ADDRESS
    assert Signer.from_hex("0x" + SECRET.hex()).address == ADDRESS
    assert Signer.generate().address != Signer.generate().address


def test_signatures_equal_eth_accounts() -> None:
    from eth_account import Account

    signature = Signer(SECRET).sign(DIGEST)
    assert signature == bytes(Account.unsafe_sign_hash(DIGEST, SECRET).signature)
    assert recover(DIGEST, signature) == ADDRESS
    assert signature[64] in (27, 28)
    assert int.from_bytes(signature[32:64], "big") <= HALF_ORDER


def test_a_private_key_stays_private() -> None:
    signer = Signer(SECRET)
    assert SECRET.hex() not in f"{signer!r} {signer}"
    assert signer.private_key == SECRET
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(signer)
    assert not hasattr(signer, "__dict__")  # nothing to dump
    for bad in (SECRET.hex() + "zz", "g" * 64, "46" * 33):
        with pytest.raises(ProtocolError) as caught:
            Signer.from_hex(bad)
        assert bad[:8] not in str(caught.value)


@pytest.mark.parametrize("secret", [b"", b"\0" * 32, b"\xff" * 32, b"\1" * 33])
def test_what_is_no_key_is_refused(secret: bytes) -> None:
    with pytest.raises(ProtocolError):
        Signer(secret)


def forged(change: str) -> bytes:
    signature = Signer(SECRET).sign(DIGEST)
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    order = 2 * HALF_ORDER + 1
    return {
        "high s": r + (order - s).to_bytes(32, "big") + bytes([55 - v]),
        "v of 0": signature[:64] + bytes([v - 27]),
        "v of 29": signature[:64] + b"\x1d",
        "short": signature[:64],
        "long": signature + b"\0",
        "r of 0": bytes(32) + signature[32:],
        "s of 0": r + bytes(32) + bytes([v]),
        "r too large": b"\xff" * 32 + signature[32:],
        "empty": b"",
    }[change]


@pytest.mark.parametrize(
    "change",
    ["high s", "v of 0", "v of 29", "short", "long", "r of 0", "s of 0", "r too large", "empty"],
)
def test_malformed_signatures_are_refused(change: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        recover(DIGEST, forged(change))
    assert caught.value.code == "bad_signature"


def test_only_digests_are_signed() -> None:
    for bad in (b"", b"\0" * 31, b"\0" * 33):
        with pytest.raises(ProtocolError, match="32-byte"):
            Signer(SECRET).sign(bad)
        with pytest.raises(ProtocolError, match="32-byte"):
            recover(bad, b"\0" * 65)


def test_a_signer_is_required_by_address() -> None:
    signature = Signer(SECRET).sign(DIGEST)
    require_signer(DIGEST, signature, ADDRESS, "the ticket")
    with pytest.raises(ProtocolError, match="the ticket is signed by"):
        require_signer(DIGEST[::-1], signature, ADDRESS, "the ticket")


# -- store


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "keys")
    assert store.names() == []
    made = store.get_or_create("router-hot")
    assert store.get_or_create("router-hot").address == made.address
    assert KeyStore(tmp_path / "keys").get("router-hot").private_key == made.private_key
    store.import_key("old", "0x" + SECRET.hex())
    store.import_key("older", SECRET)
    assert store.get("old").address == store.get("older").address == ADDRESS
    assert store.names() == ["old", "older", "router-hot"]
    with pytest.raises(NeedsOperatorError, match="exists already"):
        store.create("old")
    assert store.get("old").address == ADDRESS


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_only_the_owner_can_read_keys(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = KeyStore(tmp_path / "keys")
        store.create("a")
    finally:
        os.umask(old)
    path = tmp_path / "keys" / "a.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(p.name for p in path.parent.iterdir()) == ["a.key"]
    path.chmod(0o644)
    with pytest.raises(NeedsOperatorError, match="chmod 600") as caught:
        store.get("a")
    assert caught.value.code == "key_exposed"


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".hidden", "a" * 65, "a b"])
def test_key_names_are_no_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(NeedsOperatorError) as caught:
        KeyStore(tmp_path).create(name)
    assert caught.value.code == "key_name_invalid"


def test_missing_and_damaged_files_say_so(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    with pytest.raises(NeedsOperatorError) as caught:
        store.get("none")
    assert caught.value.code == "key_not_found"
    secret = "46" * 31 + "zz"
    for text in (secret, "", "{", "{}", '{"crypto": {"kdf": "pbkdf2"}}', b"\xff\xfe"):
        path = tmp_path / "bad.key"
        path.touch(0o600)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(NeedsOperatorError) as caught:
            KeyStore(tmp_path, "pass").get("bad")
        assert caught.value.code == "key_unreadable"
        assert "4646" not in str(caught.value)


# -- passphrases


@pytest.mark.usefixtures("cheap")
def test_locked_keys_open_with_their_passphrase_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse")
    KeyStore(tmp_path).import_key("hot", SECRET)
    text = (tmp_path / "hot.key").read_text(encoding="utf-8")
    assert SECRET.hex() not in text
    assert KeyStore(tmp_path).get("hot").address == ADDRESS
    with pytest.raises(NeedsOperatorError, match="does not open"):
        KeyStore(tmp_path, "battery staple").get("hot")
    monkeypatch.delenv(PASSPHRASE_VARIABLE)
    with pytest.raises(NeedsOperatorError, match=PASSPHRASE_VARIABLE):
        KeyStore(tmp_path).get("hot")


def test_other_tools_read_our_files_and_we_theirs() -> None:
    import eth_keyfile

    ours = secretstorage.encrypt(SECRET, "pässword", ADDRESS, n=1 << 10)
    assert eth_keyfile.decode_keyfile_json(json.loads(ours), "pässword".encode()) == SECRET
    theirs = eth_keyfile.create_keyfile_json(SECRET, b"pw", kdf="scrypt", iterations=1 << 10)
    assert secretstorage.decrypt(json.dumps(theirs), "pw") == SECRET


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("n", 1 << 30),
        ("n", 1000),
        ("n", -1),
        ("r", 1 << 20),
        ("p", 17),
        ("p", 1.0),
        ("salt", "zz"),
        ("dklen", 64),
    ],
)
def test_hostile_files_cost_nothing(path: str, value: Any) -> None:
    body = json.loads(secretstorage.encrypt(SECRET, "pw", ADDRESS, n=1 << 10))
    body["crypto"]["kdfparams"][path] = value
    with pytest.raises(ProtocolError):
        secretstorage.decrypt(json.dumps(body), "pw")
