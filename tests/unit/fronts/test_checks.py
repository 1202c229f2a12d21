"""What `infera doctor` says about the HTTP API."""

from __future__ import annotations

import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from infera.checks import CheckContext
from infera_plugins.fronts.openai.checks import CHECKS
from infera_plugins.fronts.openai.config import OpenAIFrontConfig

if TYPE_CHECKING:
    from pathlib import Path


async def says(code: str, home: Path, *, running: bool = False, **settings: Any) -> str | None:
    (check,) = (c for c in CHECKS if c.code == code)
    block = OpenAIFrontConfig(**settings)
    return await check.run(CheckContext(home, {"fronts": [block]}, running))


async def test_the_port_must_be_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listen = f"127.0.0.1:{server.getsockname()[1]}"
        busy = await says("openai_port_free", tmp_path, listen=listen)
        assert busy is not None
        assert busy.startswith(f"{listen}: port ")
        assert await says("openai_port_free", tmp_path, listen=listen, running=True) is None
    assert await says("openai_port_free", tmp_path, listen=listen) is None
    assert await says("openai_port_free", tmp_path, listen="127.0.0.1:0") is None


def pair(folder: Path, name: str, *, passphrase: str | None = None) -> dict[str, Any]:
    """A certificate and its key."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    options = ["-passout", f"pass:{passphrase}"] if passphrase else ["-nodes"]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-subj", "/CN=localhost", "-days", "2", *options),
            *("-out", str(cert), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    return {"tls_cert": cert, "tls_key": key}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
async def test_tls_files_must_belong_together(tmp_path: Path) -> None:
    one, other = pair(tmp_path, "one"), pair(tmp_path, "other")
    assert await says("openai_tls", tmp_path) is None
    assert await says("openai_tls", tmp_path, **one) is None
    mixed = await says("openai_tls", tmp_path, **one | {"tls_key": other["tls_key"]})
    assert mixed is not None
    assert "mismatch" in mixed
    assert "belong together" in mixed
    locked = await says("openai_tls", tmp_path, **pair(tmp_path, "locked", passphrase="hunter22"))
    assert "without a passphrase" in (locked or "")
    one["tls_key"].write_text("no PEM")
    assert "cannot be used" in (await says("openai_tls", tmp_path, **one) or "")
    one["tls_key"].unlink()
    absent = await says("openai_tls", tmp_path, **one)
    assert absent is not None
    assert f"{one['tls_key']}: No such file" in absent
