from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from websockets.asyncio.server import serve

from infera.checks import CheckContext
from infera_plugins.chains.evm import EvmConfig
from infera_plugins.chains.evm.checks import CHECKS

if TYPE_CHECKING:
    from pathlib import Path


async def run(home: Path, **settings: Any) -> str | None:
    block = EvmConfig.model_validate(settings)
    return await CHECKS[0].run(CheckContext(home, {"chains": [block]}))


async def test_the_node_must_answer_and_be_the_right_chain(tmp_path: Path) -> None:
    assert await run(tmp_path) is None  # the embedded chain needs nobody

    async def node(connection: Any) -> None:
        async for _ in connection:
            await connection.send('{"jsonrpc": "2.0", "id": 1, "result": "0x2105"}')

    async with serve(node, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await run(tmp_path, rpc=url, chain_id=8453) is None
        wrong = await run(tmp_path, rpc=url, chain_id=1)
        assert wrong is not None
        assert "is chain 8453, not 1" in wrong
    with anyio.fail_after(10):
        silent = await run(tmp_path, rpc=f"ipc://{tmp_path}/nobody.ipc")
    assert silent is not None
    assert "does not answer" in silent
