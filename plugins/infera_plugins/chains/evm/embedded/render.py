"""Chain objects as Ethereum's JSON-RPC shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eth_utils.address import to_checksum_address

from .vm import EmbeddedVM, is_creation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eth.abc import BlockHeaderAPI, SignedTransactionAPI

    from .store import StoredLog, StoredTx


def data(value: bytes) -> str:
    """Bytes as 0x-hexadecimal."""
    return "0x" + value.hex()


def block(header: BlockHeaderAPI, transactions: Sequence[Any], size: int) -> dict[str, Any]:
    """A block; `transactions` are hashes or whole transactions."""
    h: Any = header
    return {
        "number": hex(h.block_number),
        "hash": data(h.hash),
        "parentHash": data(h.parent_hash),
        "nonce": data(h.nonce),
        "sha3Uncles": data(h.uncles_hash),
        "logsBloom": data(h.bloom.to_bytes(256, "big")),
        "transactionsRoot": data(h.transaction_root),
        "stateRoot": data(h.state_root),
        "receiptsRoot": data(h.receipt_root),
        "miner": to_checksum_address(h.coinbase),
        "difficulty": hex(h.difficulty),
        "totalDifficulty": "0x0",
        "extraData": data(h.extra_data),
        "size": hex(size),
        "gasLimit": hex(h.gas_limit),
        "gasUsed": hex(h.gas_used),
        "timestamp": hex(h.timestamp),
        "mixHash": data(h.mix_hash),
        "baseFeePerGas": hex(h.base_fee_per_gas),
        "withdrawalsRoot": data(h.withdrawals_root),
        "withdrawals": [],
        "blobGasUsed": hex(h.blob_gas_used),
        "excessBlobGas": hex(h.excess_blob_gas),
        "parentBeaconBlockRoot": data(h.parent_beacon_block_root),
        "requestsHash": data(h.requests_hash),
        "uncles": [],
        "transactions": list(transactions),
    }


def transaction(stored: StoredTx, block_hash: bytes | None) -> dict[str, Any]:
    """A mined transaction."""
    shown = waiting(EmbeddedVM.get_transaction_builder().decode(stored.raw), stored.sender)
    shown["blockHash"] = data(block_hash or b"")
    shown["blockNumber"] = hex(stored.block)
    shown["transactionIndex"] = hex(stored.position)
    shown["gasPrice"] = hex(stored.gas_price)
    return shown


def waiting(tx: SignedTransactionAPI, sender: bytes) -> dict[str, Any]:
    """A transaction that is not mined yet."""
    kind = getattr(tx, "type_id", None) or 0
    shown: dict[str, Any] = {
        "hash": data(tx.hash),
        "type": hex(kind),
        "nonce": hex(tx.nonce),
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
        "from": to_checksum_address(sender),
        "to": None if is_creation(tx.to) else to_checksum_address(tx.to),
        "value": hex(tx.value),
        "gas": hex(tx.gas),
        "gasPrice": hex(tx.max_fee_per_gas),
        "input": data(tx.data),
        "v": hex(getattr(tx, "v", tx.y_parity) if kind == 0 else tx.y_parity),
        "r": hex(tx.r),
        "s": hex(tx.s),
    }
    if tx.chain_id is not None:
        shown["chainId"] = hex(tx.chain_id)
    if kind:
        shown["yParity"] = hex(tx.y_parity)
        shown["accessList"] = [
            {
                "address": to_checksum_address(a),
                "storageKeys": [data(k.to_bytes(32, "big")) for k in keys],
            }
            for a, keys in tx.access_list
        ]
    if kind >= 2:
        shown["maxFeePerGas"] = hex(tx.max_fee_per_gas)
        shown["maxPriorityFeePerGas"] = hex(tx.max_priority_fee_per_gas)
    return shown


def receipt(stored: StoredTx, logs: Sequence[StoredLog], block_hash: bytes) -> dict[str, Any]:
    """What became of a transaction."""
    tx = EmbeddedVM.get_transaction_builder().decode(stored.raw)
    return {
        "transactionHash": data(stored.hash),
        "transactionIndex": hex(stored.position),
        "blockHash": data(block_hash),
        "blockNumber": hex(stored.block),
        "from": to_checksum_address(stored.sender),
        "to": None if is_creation(tx.to) else to_checksum_address(tx.to),
        "cumulativeGasUsed": hex(stored.cumulative_gas),
        "gasUsed": hex(stored.gas_used),
        "effectiveGasPrice": hex(stored.gas_price),
        "contractAddress": to_checksum_address(stored.created) if stored.created else None,
        "logs": [log(entry, block_hash) for entry in logs],
        "logsBloom": data(stored.bloom),
        "status": hex(stored.status),
        "type": hex(getattr(tx, "type_id", None) or 0),
    }


def log(entry: StoredLog, block_hash: bytes) -> dict[str, Any]:
    """One log."""
    return {
        "address": to_checksum_address(entry.address),
        "topics": [data(topic) for topic in entry.topics],
        "data": data(entry.data),
        "blockNumber": hex(entry.block),
        "blockHash": data(block_hash),
        "transactionHash": data(entry.tx),
        "transactionIndex": hex(entry.tx_position),
        "logIndex": hex(entry.position),
        "removed": False,
    }
