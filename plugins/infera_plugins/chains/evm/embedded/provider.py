"""The embedded chain for programs that speak web3.py.

The chain plugin itself talks to `EmbeddedNode` directly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from web3.providers.async_base import AsyncBaseProvider

if TYPE_CHECKING:
    from web3.types import RPCEndpoint, RPCResponse

    from .node import EmbeddedNode


class EmbeddedProvider(AsyncBaseProvider):
    """`AsyncWeb3(EmbeddedProvider(node))` works as with any other node."""

    def __init__(self, node: EmbeddedNode) -> None:
        super().__init__()
        self.node = node

    async def connect(self) -> None:
        """Open the chain."""
        await self.node.connect()

    async def disconnect(self) -> None:
        """Close the chain."""
        await self.node.disconnect()

    async def is_connected(self, show_traceback: bool = False) -> bool:
        """Whether the chain is open."""
        return self.node.is_open

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer one request."""
        return cast("RPCResponse", await self.node.make_request(method, params))

    async def make_batch_request(
        self, requests: list[tuple[RPCEndpoint, Any]]
    ) -> list[RPCResponse] | RPCResponse:
        """Answer several requests in order."""
        return [await self.make_request(method, params) for method, params in requests]
