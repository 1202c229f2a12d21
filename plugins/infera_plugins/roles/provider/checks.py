"""What `infera doctor` looks at for a provider. Its stake is looked up by the chain's plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from infera.checks import HealthCheck, Severity
from infera.operators import keys_check
from infera_plugins.roles.provider.config import ProviderConfig

if TYPE_CHECKING:
    from infera.checks import CheckContext

_TIMEOUT_S = 5.0
_PORTS = {"ws": 80, "wss": 443}


async def _routers(context: CheckContext) -> str | None:
    urls = {u for c in context.configs(ProviderConfig) for u in c.routers if u != "auto"}
    found: dict[str, str] = {}

    async def dial(url: str) -> None:
        if problem := await _problem(url):
            found[url] = problem

    async with anyio.create_task_group() as tasks:
        for url in urls:
            tasks.start_soon(dial, url)
    if not found:
        return None
    return "; ".join(f"{url} {found[url]}" for url in sorted(found)) + "; correct `routers:`"


async def _problem(url: str) -> str | None:
    """Why nobody can be reached there: as far as TCP goes, since a handshake takes the key."""
    try:
        parts = urlsplit(url)
        default = _PORTS[parts.scheme]
        host, port = parts.hostname, parts.port or default
    except (KeyError, ValueError):
        host, port = None, 0
    if not host:
        return "is not ws://HOST:PORT or wss://HOST:PORT"
    try:
        with anyio.fail_after(_TIMEOUT_S):
            stream = await anyio.connect_tcp(host, port)
        await stream.aclose()
    except TimeoutError:
        return f"does not answer within {_TIMEOUT_S:g} s"
    except OSError as error:
        return f"cannot be reached ({error.strerror or error})"
    return None


CHECKS = (
    keys_check("provider_keys", "provider", ProviderConfig),
    HealthCheck(
        "provider_routers",
        "the routers it names can be dialled",
        _routers,
        severity=Severity.WARNING,
        kinds=("provider",),
    ),
)
