"""Checks a receipt bundle against a chain with plain `eth_call`s: no chain plugin, no account, no
trust in whoever sent the bundle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.cli.common import http_json
from infera.errors import ChainError
from infera.protocol.abi import address_word, from_hex, to_hex, uint256_word
from infera.protocol.receipts import Check
from infera_ext import keccak256

if TYPE_CHECKING:
    from infera.protocol.receipts import Bundle
    from infera.types import Address

_LEAF = "(bytes32,bytes32,address,bytes32,address,uint64,uint8,uint128,uint128)"
_VERIFY_LEAF = f"verifyLeaf(address,uint64,{_LEAF},uint32,bytes32[])"
_IS_SIGNER = "isSigner(address,address,uint64)"


def chain_checks(bundle: Bundle, rpc: str, contract: Address | None) -> list[Check]:
    """Whether the JobRegistry has the job's leaf and both hot keys were registered."""
    registry = contract or bundle.domain.verifying_contract
    said = bundle.domain.verifying_contract
    checks = [
        Check(
            "contract",
            registry.lower() == said.lower(),
            f"signed for {said}" if contract else f"{said}, as the bundle says; --contract pins it",
        )
    ]
    chain_id = int.from_bytes(_rpc(rpc, "eth_chainId", []), "big")
    checks.append(
        Check("chain id", chain_id == bundle.domain.chain_id, f"the RPC serves chain {chain_id}")
    )
    ticket, receipt = bundle.ticket, bundle.receipt
    stakes = "0x" + _call(rpc, registry, "stakeRegistry()", b"")[12:32].hex()
    for name, operator, key, when in (
        ("router key", ticket.router, bundle.router_key, ticket.issued_at),
        ("provider key", ticket.provider, bundle.provider_key, receipt.completed_at),
    ):
        words = address_word(operator) + address_word(key) + uint256_word(when)
        good = _truth(_call(rpc, stakes, _IS_SIGNER, words))
        checks.append(
            Check(name, good, f"{key} {'signs' if good else 'does not sign'} for {operator}")
        )
    leaf = bundle.leaf
    if leaf is None:
        checks.append(
            Check("batch", False, "the job is in no batch yet; ask for the receipt later")
        )
        return checks
    words = (
        address_word(ticket.router)
        + uint256_word(leaf.batch)
        + leaf.fields.encode()
        + uint256_word(leaf.index)
        + uint256_word(13 * 32)  # where the proof starts: after twelve words and this one
        + uint256_word(len(leaf.proof))
        + b"".join(leaf.proof)
    )
    good = _truth(_call(rpc, registry, _VERIFY_LEAF, words))
    place = f"leaf {leaf.index} of batch {leaf.batch}"
    checks.append(Check("batch", good, f"{place} {'is' if good else 'is not'} on the chain"))
    return checks


def _call(rpc: str, to: Address, signature: str, words: bytes) -> bytes:
    data = keccak256(signature.encode())[:4] + words
    return _rpc(rpc, "eth_call", [{"to": to, "data": to_hex(data)}, "latest"])


def _rpc(rpc: str, method: str, params: list[object]) -> bytes:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = http_json(rpc, body=body)
    if not isinstance(answer, dict) or "result" not in answer:
        error = answer.get("error") if isinstance(answer, dict) else answer
        words = error.get("message") if isinstance(error, dict) else error
        raise ChainError(
            f"{rpc} refused {method}: {words}",
            hint="is --rpc the chain of this receipt, and --contract its JobRegistry?",
        )
    result = str(answer["result"])
    if method == "eth_chainId":
        result = "0x" + result.removeprefix("0x").rjust(64, "0")
    return from_hex(result, None, method)


def _truth(answer: bytes) -> bool:
    return len(answer) == 32 and answer[-1] == 1
