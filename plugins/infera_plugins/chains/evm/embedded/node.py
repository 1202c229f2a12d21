# ruff: noqa: N802
"""The embedded chain as a node: JSON-RPC in, JSON-RPC out, the EVM in a worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import rlp  # type: ignore[import-untyped]
from eth.vm.forks.prague.blocks import PragueBlockHeader

from . import render
from .ledger import TX_GAS, RpcError
from .miner import Miner
from .store import LogFilter
from .vm import CallTransaction

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

VERSION = "infera-embedded/1"
TIP = 1_000_000


class EmbeddedNode(Miner):
    """A whole chain behind `make_request`, without a network in between."""

    # -- JSON-RPC

    async def make_request(self, method: str, params: Any) -> dict[str, Any]:
        """Answer one JSON-RPC request."""
        await self.connect()
        handler = getattr(self, f"_{method}", None)
        try:
            if handler is None:
                raise RpcError(f"the method {method} does not exist", -32601)
            if self.ledger.pool and method != "eth_sendRawTransaction":
                await self._flush()
            result = await handler(*params)
        except RpcError as e:
            error: dict[str, Any] = {"code": e.code, "message": e.message}
            if e.data is not None:
                error["data"] = e.data
            return {"jsonrpc": "2.0", "id": 1, "error": error}
        except (TypeError, ValueError, AttributeError, KeyError) as e:
            if handler is None:
                raise
            error = {"code": -32602, "message": f"invalid params: {e}"}
            return {"jsonrpc": "2.0", "id": 1, "error": error}
        return {"jsonrpc": "2.0", "id": 1, "result": result}

    def _number(self, block: Any) -> int:
        if block in ("latest", "pending", "safe", "finalized", None):
            return int(self.ledger.head.block_number)
        if block == "earliest":
            return 0
        return int(block, 16) if isinstance(block, str) else int(block)

    async def _web3_clientVersion(self) -> str:
        return VERSION

    async def _net_version(self) -> str:
        return str(self.ledger.chain_id)

    async def _eth_chainId(self) -> str:
        return hex(self.ledger.chain_id)

    async def _eth_syncing(self) -> bool:
        return False

    async def _eth_accounts(self) -> list[str]:
        return []

    async def _eth_blockNumber(self) -> str:
        return hex(self.ledger.head.block_number)

    async def _eth_gasPrice(self) -> str:
        return hex(self.ledger.head.base_fee_per_gas + TIP)

    async def _eth_maxPriorityFeePerGas(self) -> str:
        return hex(TIP)

    async def _eth_feeHistory(
        self, count: str | int, newest: Any, percentiles: Sequence[float] | None = None
    ) -> dict[str, Any]:
        last = self._number(newest)
        wanted = int(count, 16) if isinstance(count, str) else count
        first = max(0, last - wanted + 1)

        def collect() -> dict[str, Any]:
            headers = [h for n in range(first, last + 1) if (h := self.ledger.header(n))]
            upcoming = self.ledger.next_base_fee(headers[-1])
            answer: dict[str, Any] = {
                "oldestBlock": hex(first),
                "baseFeePerGas": [hex(h.base_fee_per_gas) for h in headers] + [hex(upcoming)],
                "gasUsedRatio": [h.gas_used / h.gas_limit for h in headers],
            }
            if percentiles:
                answer["reward"] = [[hex(TIP)] * len(percentiles) for _ in headers]
            return answer

        return await self._in_thread(collect)

    async def _eth_getBlockByNumber(self, block: Any, full: bool = False) -> dict[str, Any] | None:
        if block in ("latest", "pending") and self._stale():
            async with self._mining:
                if self._stale():
                    await self._in_thread(self.ledger.mine)
        return await self._block(self._number(block), full)

    async def _eth_getBlockByHash(
        self, block_hash: str, full: bool = False
    ) -> dict[str, Any] | None:
        number = await self._in_thread(lambda: self.ledger.store.number_of(_bytes(block_hash)))
        return None if number is None else await self._block(number, full)

    async def _block(self, number: int, full: bool) -> dict[str, Any] | None:
        def read() -> dict[str, Any] | None:
            header = self.ledger.header(number)
            if header is None:
                return None
            txs = self.ledger.store.txs(number)
            listed = (
                [render.transaction(t, header.hash) for t in txs]
                if full
                else [render.data(t.hash) for t in txs]
            )
            return render.block(header, listed, len(rlp.encode(header, PragueBlockHeader)))

        return await self._in_thread(read)

    async def _eth_getTransactionByHash(self, tx_hash: str) -> dict[str, Any] | None:
        def read() -> dict[str, Any] | None:
            stored = self.ledger.store.tx(_bytes(tx_hash))
            if stored is not None:
                return render.transaction(stored, self.ledger.store.block_hash(stored.block))
            waiting = self.ledger.pool.get(_bytes(tx_hash))
            return None if waiting is None else render.waiting(waiting.tx, waiting.sender)

        return await self._in_thread(read)

    async def _eth_getTransactionReceipt(self, tx_hash: str) -> dict[str, Any] | None:
        def read() -> dict[str, Any] | None:
            store = self.ledger.store
            stored = store.tx(_bytes(tx_hash))
            if stored is None:
                return None
            block_hash = store.block_hash(stored.block)
            return render.receipt(stored, store.logs_of(stored.hash), cast("bytes", block_hash))

        return await self._in_thread(read)

    async def _eth_sendRawTransaction(self, raw: str) -> str:
        return render.data(await self._in_thread(lambda: self.ledger.submit(_bytes(raw))))

    async def _eth_getTransactionCount(self, address: str, block: Any = "latest") -> str:
        def read() -> int:
            if block == "pending":
                return self.ledger.pending_nonce(_bytes(address))
            return int(self.ledger.state_at(self._number(block)).get_nonce(_address(address)))

        return hex(await self._in_thread(read))

    async def _eth_getBalance(self, address: str, block: Any = "latest") -> str:
        return hex(
            await self._in_thread(
                lambda: self.ledger.state_at(self._number(block)).get_balance(_address(address))
            )
        )

    async def _eth_getCode(self, address: str, block: Any = "latest") -> str:
        return render.data(
            await self._in_thread(
                lambda: self.ledger.state_at(self._number(block)).get_code(_address(address))
            )
        )

    async def _eth_getStorageAt(self, address: str, slot: str | int, block: Any = "latest") -> str:
        place = int(slot, 16) if isinstance(slot, str) else slot
        value = await self._in_thread(
            lambda: self.ledger.state_at(self._number(block)).get_storage(_address(address), place)
        )
        return render.data(value.to_bytes(32, "big"))

    async def _eth_call(self, tx: dict[str, Any], block: Any = "latest", *_: Any) -> str:
        return render.data(
            await self._in_thread(lambda: self.ledger.call(_call(tx), self._number(block)))
        )

    async def _eth_estimateGas(self, tx: dict[str, Any], block: Any = "latest", *_: Any) -> str:
        return hex(
            await self._in_thread(lambda: self.ledger.estimate(_call(tx), self._number(block)))
        )

    async def _eth_getLogs(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        def read() -> list[dict[str, Any]]:
            wanted = self._filter(query)
            hashes: dict[int, bytes] = {}
            found = []
            for entry in self.ledger.store.logs(wanted):
                if entry.block not in hashes:
                    hashes[entry.block] = cast("bytes", self.ledger.store.block_hash(entry.block))
                found.append(render.log(entry, hashes[entry.block]))
            return found

        return await self._in_thread(read)

    def _filter(self, query: dict[str, Any]) -> LogFilter:
        if query.get("blockHash"):
            number = self.ledger.store.number_of(_bytes(query["blockHash"]))
            if number is None:
                raise RpcError("unknown block")
            first = last = number
        else:
            first, last = self._number(query.get("fromBlock")), self._number(query.get("toBlock"))
        address = query.get("address") or ()
        addresses = [address] if isinstance(address, str) else address
        topics = [
            [] if t is None else [_bytes(t)] if isinstance(t, str) else [_bytes(o) for o in t]
            for t in query.get("topics") or ()
        ]
        return LogFilter(first, last, [_bytes(a) for a in addresses], topics)

    # -- development methods, named as other development chains name them

    async def _evm_mine(self, timestamp: Any = None) -> str:
        if timestamp is not None:
            at = int(timestamp, 16) if isinstance(timestamp, str) else int(timestamp)
            await self._in_thread(lambda: self.ledger.advance(at - self.ledger.now()))
        async with self._mining:
            await self._in_thread(self.ledger.mine)
        return "0x0"

    async def _evm_increaseTime(self, seconds: Any) -> str:
        by = int(seconds, 16) if isinstance(seconds, str) else int(seconds)
        return hex(await self._in_thread(lambda: self.ledger.advance(by)))

    async def _evm_snapshot(self) -> str:
        self._snapshots.append(self.ledger.head.block_number)
        return hex(len(self._snapshots))

    async def _evm_revert(self, snapshot: Any) -> bool:
        index = (int(snapshot, 16) if isinstance(snapshot, str) else int(snapshot)) - 1
        if not 0 <= index < len(self._snapshots):
            return False
        number = self._snapshots[index]
        del self._snapshots[index:]
        async with self._mining:
            await self._in_thread(lambda: self.ledger.rewind(number))
        return True


def _bytes(value: str | bytes) -> bytes:
    return (
        bytes(value)
        if isinstance(value, bytes | bytearray)
        else bytes.fromhex(value.removeprefix("0x"))
    )


def _address(value: str | bytes) -> Any:
    raw = _bytes(value)
    if len(raw) != 20:
        raise RpcError(f"invalid address {value!r}", -32602)
    return raw


def _quantity(value: Any, default: int) -> int:
    if value is None:
        return default
    return int(value, 16) if isinstance(value, str) else int(value)


def _call(tx: dict[str, Any]) -> CallTransaction:
    to = tx.get("to")
    return CallTransaction(
        sender=_address(tx["from"]) if tx.get("from") else b"\0" * 20,
        to=_address(to) if to else b"",
        gas=_quantity(tx.get("gas"), TX_GAS),
        value=_quantity(tx.get("value"), 0),
        data=_bytes(tx.get("data") or tx.get("input") or "0x"),
        nonce=_quantity(tx.get("nonce"), 0),
    )
