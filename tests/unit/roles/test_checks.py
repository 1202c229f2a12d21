"""What `infera doctor` says about routers, providers and validators."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.checks import CheckContext, HealthCheck
from infera.errors import NeedsOperatorError
from infera.keys import KeyStore
from infera_plugins.roles.provider import checks as provider
from infera_plugins.roles.provider.config import ProviderConfig
from infera_plugins.roles.router import checks as router
from infera_plugins.roles.router.config import RouterConfig
from infera_plugins.roles.validator import checks as validator
from infera_plugins.roles.validator.config import ValidatorConfig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECKS = {c.code: c for c in (*router.CHECKS, *provider.CHECKS, *validator.CHECKS)}


@pytest.fixture
def taken() -> Iterator[int]:
    """A port somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def says(code: str, home: Path, *blocks: Any, running: bool = False) -> str | None:
    check: HealthCheck = CHECKS[code]
    return await check.run(CheckContext(home, {"roles": blocks}, running))


@pytest.mark.parametrize("model", [RouterConfig, ProviderConfig, ValidatorConfig])
async def test_keys_that_exist_must_be_usable(model: Any, infera_home: Path) -> None:
    block = model(cold_key="cold")
    code = f"{block.key}_keys"
    assert await says(code, infera_home, block) is None  # made at start
    store = KeyStore(infera_home / "keys")
    store.create(block.key)
    store.create("cold")
    assert await says(code, infera_home, block) is None
    for name in (block.key, "cold"):
        file = infera_home / "keys" / f"{name}.key"
        file.chmod(0o644)
        with pytest.raises(NeedsOperatorError) as caught:
            await says(code, infera_home, block)
        assert caught.value.code == "key_exposed"
        assert f"chmod 600 {file}" in caught.value.hint
        file.chmod(0o600)
        good = file.read_text()
        file.write_text("not a key")
        with pytest.raises(NeedsOperatorError, match="holds no key"):
            await says(code, infera_home, block)
        file.write_text(good)
    assert await says(code, infera_home, model(key="another")) is None


async def test_port_of_a_router(infera_home: Path, taken: int) -> None:
    async def port(listen: str, **options: Any) -> str | None:
        return await says("router_port_free", infera_home, RouterConfig(listen=listen), **options)

    busy = await port(f"127.0.0.1:{taken}")
    assert busy is not None
    assert f"port {taken} is in use; stop what" in busy
    assert await port(f"127.0.0.1:{taken}", running=True) is None  # it is ours
    assert await port("127.0.0.1:0") is None
    elsewhere = await port("192.0.2.1:8090")
    assert elsewhere is not None
    assert "cannot listen on 192.0.2.1" in elsewhere
    with pytest.raises(NeedsOperatorError, match="is not HOST:PORT"):
        await port("8090")
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    assert await port(f"127.0.0.1:{free}") is None


async def test_routers_must_take_connections(infera_home: Path, taken: int) -> None:
    async def routers(*urls: str) -> str | None:
        block = ProviderConfig(routers=list(urls))
        with anyio.fail_after(20):
            return await says("provider_routers", infera_home, block)

    assert await routers("auto", f"ws://127.0.0.1:{taken}", f"ws://127.0.0.1:{taken}/path") is None
    away = await routers(f"ws://127.0.0.1:{taken}", "ws://127.0.0.1:9", "http://127.0.0.1:9")
    assert away is not None
    assert f":{taken}" not in away
    assert "ws://127.0.0.1:9 cannot be reached" in away
    assert "http://127.0.0.1:9 is not ws://HOST:PORT" in away
    for wrong in ("router.example:8090", "ws://", "ws://host:port", "ws://[::1"):
        assert f"{wrong} is not ws://HOST:PORT" in (await routers(wrong) or "")
