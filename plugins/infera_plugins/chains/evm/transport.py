"""Ways to reach a node: the embedded chain, HTTP, WebSocket, IPC. Each answers `make_request(method, params)`.

web3 is imported only when a node is somewhere else: it takes longer to load than a devnet takes to start.
"""

from __future__ import annotations

import importlib
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Protocol

import anyio


class Transport(Protocol):
    """Carries JSON-RPC. `make_request` returns the whole answer and raises `TransportError` if there is none."""

    async def connect(self) -> None:
        """Open the way."""

    async def disconnect(self) -> None:
        """Close it."""

    async def make_request(self, method: str, params: Any) -> Any:
        """One request, one answer."""


class TransportError(Exception):
    """The node did not answer."""


class Web3Transport:
    """A web3.py provider that is opened again after it failed."""

    def __init__(self, url: str, *, timeout_s: float = 20.0) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._provider: Any = None
        self._persistent = False
        self._opening = anyio.Lock()

    def _make(self) -> Any:
        scheme = self._url.partition("://")[0]
        web3 = importlib.import_module("web3")
        if scheme in ("http", "https"):
            aiohttp = importlib.import_module("aiohttp")
            timeout = aiohttp.ClientTimeout(total=self._timeout_s)
            return web3.AsyncHTTPProvider(
                self._url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None
            )
        options = {"request_timeout": self._timeout_s, "max_connection_retries": 1}
        self._persistent = True
        if scheme in ("ws", "wss"):
            return web3.WebSocketProvider(self._url, **options)
        path = self._url.removeprefix("ipc://")
        return web3.AsyncIPCProvider(Path(path), **options)

    async def connect(self) -> None:
        """Open the connection, if there is to be one."""
        async with self._opening:
            if self._provider is None:
                provider = await anyio.to_thread.run_sync(self._make)
                if self._persistent:
                    await self._guard(provider.connect())
                self._provider = provider

    async def disconnect(self) -> None:
        """Close the connection."""
        provider, self._provider = self._provider, None
        if provider is not None:
            with anyio.CancelScope(shield=True), anyio.move_on_after(2):
                await provider.disconnect()

    async def make_request(self, method: str, params: Any) -> Any:
        """Ask the node; after a failure the next request opens a new connection."""
        await self.connect()
        provider = self._provider
        try:
            with anyio.fail_after(self._timeout_s + 5):
                return await self._guard(provider.make_request(method, params))
        except (TransportError, TimeoutError) as e:
            if self._persistent and self._provider is provider:
                await self.disconnect()
            raise TransportError(str(e) or "no answer in time") from e

    async def _guard(self, work: Any) -> Any:
        try:
            return await work
        except (OSError, TimeoutError, EOFError, JSONDecodeError) as e:
            raise TransportError(_words(e)) from e
        except Exception as e:
            if type(e).__module__.partition(".")[0] in ("aiohttp", "websockets", "web3"):
                raise TransportError(_words(e)) from e
            raise


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
