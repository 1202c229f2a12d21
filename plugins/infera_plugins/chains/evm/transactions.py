"""Sending transactions: nonces, EIP-1559 fees, gas, signing, waiting, and what to do when one
gets stuck.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import rlp  # type: ignore[import-untyped]

from infera.errors import ChainError, ChainUnavailableError
from infera.protocol.abi import parse_address
from infera_ext import keccak256

from .contracts import describe_revert
from .rpc import Rpc, RpcFailureError, unhex

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infera.keys import Signer
    from infera.types import Address

log = logging.getLogger(__name__)

GAS_MARGIN = (6, 5)
FEES_FRESH_S = 2.0
STUCK_AFTER_S = 45.0
GIVE_UP_S = 600.0
NONCE_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a mined transaction."""

    tx: bytes
    block: int
    block_hash: bytes
    gas_used: int
    created: Address | None
    logs: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559 fees in wei per gas."""

    tip: int
    ceiling: int

    def raised(self) -> Fees:
        """Enough more for a node to take a replacement (it asks for a tenth)."""
        return Fees(self.tip * 5 // 4 + 1, self.ceiling * 5 // 4 + 1)


@dataclass(slots=True)
class Draft:
    """A transaction with its nonce, before signing."""

    nonce: int
    gas: int
    to: Address | None
    value: int
    data: bytes


def sign(draft: Draft, fees: Fees, chain_id: int, signer: Signer) -> tuple[bytes, bytes]:
    """(raw transaction, hash) of a draft as an EIP-1559 transaction."""
    target = bytes.fromhex(draft.to[2:]) if draft.to else b""
    body: list[Any] = [
        chain_id, draft.nonce, fees.tip, fees.ceiling, draft.gas, target, draft.value,
        draft.data, [],
    ]  # fmt: skip
    signature = signer.sign(keccak256(b"\x02" + rlp.encode(body)))
    r, s, v = signature[:32], signature[32:64], signature[64]
    parts = [v - 27, int.from_bytes(r, "big"), int.from_bytes(s, "big")]
    raw = b"\x02" + rlp.encode(body + parts)
    return raw, keccak256(raw)


class Transactor:
    """Sends for any number of signers; each signer's nonces are handed out one after the other.

    With `flat_gas` every transaction offers that much and nothing is estimated: right where gas
    costs nothing and running a transaction twice does.
    """

    def __init__(
        self,
        rpc: Rpc,
        chain_id: int,
        *,
        confirmations: int = 0,
        poll_s: float = 1.0,
        stuck_after_s: float = STUCK_AFTER_S,
        give_up_s: float = GIVE_UP_S,
        flat_gas: int | None = None,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._rpc = rpc
        self._chain_id = chain_id
        self._confirmations = confirmations
        self._poll_s = poll_s
        self._stuck_after_s = stuck_after_s
        self._give_up_s = give_up_s
        self._flat_gas = flat_gas
        self._clock = clock
        self._locks: dict[Address, anyio.Lock] = {}
        self._nonces: dict[Address, int] = {}
        self._fees: tuple[float, Fees] | None = None

    async def send(
        self,
        signer: Signer,
        to: Address | None,
        data: bytes,
        *,
        value: int = 0,
        gas: int | None = None,
    ) -> Receipt:
        """Send and wait until mined.

        `ChainError` carries the typed revert, found before anything is sent if possible.
        """
        gas = gas or self._flat_gas or await self.estimate(signer.address, to, data, value)
        draft = Draft(-1, gas, to, value, data)
        lock = self._locks.setdefault(signer.address, anyio.Lock())
        async with lock:
            fees = await self.fees()
            tx_hash = await self._submit(signer, draft, fees)
        return await self._mined(signer, draft, fees, tx_hash)

    async def send_all(
        self, signer: Signer, messages: Sequence[tuple[Address | None, bytes]]
    ) -> list[Receipt]:
        """Send all, to be mined in this order, and only then wait.

        Every gas is estimated before the first is sent: none may need another to be mined, unless
        gas is flat.
        """
        drafts = [
            Draft(-1, self._flat_gas or await self.estimate(signer.address, to, data), to, 0, data)
            for to, data in messages
        ]
        lock = self._locks.setdefault(signer.address, anyio.Lock())
        async with lock:
            fees = await self.fees()
            hashes = [await self._submit(signer, draft, fees) for draft in drafts]
        return [
            await self._mined(signer, draft, fees, tx_hash)
            for draft, tx_hash in zip(drafts, hashes, strict=True)
        ]

    async def _mined(self, signer: Signer, draft: Draft, fees: Fees, tx_hash: bytes) -> Receipt:
        receipt = await self._wait(signer, draft, fees, tx_hash)
        if int(receipt["status"], 16) != 1:
            raise await self._failure(signer.address, draft, receipt)
        created = receipt.get("contractAddress")
        return Receipt(
            tx=unhex(receipt["transactionHash"]),
            block=int(receipt["blockNumber"], 16),
            block_hash=unhex(receipt["blockHash"]),
            gas_used=int(receipt["gasUsed"], 16),
            created=parse_address(created) if created else None,
            logs=tuple(receipt["logs"]),
        )

    async def estimate(
        self, sender: Address, to: Address | None, data: bytes, value: int = 0
    ) -> int:
        """Gas to offer: what the node estimates and a fifth more."""
        call = _call(sender, to, data, value)
        try:
            needed = int(await self._rpc.read("eth_estimateGas", call), 16)
        except RpcFailureError as e:
            raise refusal(e) from e
        return needed * GAS_MARGIN[0] // GAS_MARGIN[1]

    async def fees(self) -> Fees:
        """What to pay now: the base fee may double before it is not enough."""
        now = self._clock()
        if self._fees is None or now - self._fees[0] > FEES_FRESH_S:
            history = await self._rpc.read("eth_feeHistory", "0x4", "latest", [50])
            base = int(history["baseFeePerGas"][-1], 16)
            tips = sorted(int(row[0], 16) for row in history.get("reward") or [])
            tip = max(tips[len(tips) // 2] if tips else 0, 1_000_000)
            self._fees = (now, Fees(tip, 2 * base + tip))
        return self._fees[1]

    # -- one transaction's way into the pool; the sender's lock is held

    async def _submit(self, signer: Signer, draft: Draft, fees: Fees) -> bytes:
        address = signer.address
        for _ in range(NONCE_ATTEMPTS):
            if address not in self._nonces:
                self._nonces[address] = await self._pending_nonce(address)
            draft.nonce = self._nonces[address]
            raw, tx_hash = sign(draft, fees, self._chain_id, signer)
            try:
                await self._push(raw)
            except RpcFailureError as e:
                if not _is_nonce_trouble(e):
                    raise refusal(e) from e
                if await self._rpc.read("eth_getTransactionByHash", "0x" + tx_hash.hex()):
                    # Sent twice because the first answer was lost: the nonce is taken by this
                    # very transaction.
                    self._nonces[address] = draft.nonce + 1
                    return tx_hash
                del self._nonces[address]
                taken = await self._pending_nonce(address)
                # A node that counts only what it mined still shows the nonce somebody else's
                # waiting transaction holds.
                self._nonces[address] = taken if taken != draft.nonce else draft.nonce + 1
                continue
            except ChainUnavailableError:
                self._nonces.pop(address, None)
                raise
            self._nonces[address] = draft.nonce + 1
            return tx_hash
        self._nonces.pop(address, None)
        raise ChainError(f"another program keeps sending from {address}: no free nonce was found")

    async def _pending_nonce(self, address: Address) -> int:
        return int(await self._rpc.read("eth_getTransactionCount", address, "pending"), 16)

    async def _push(self, raw: bytes) -> None:
        """Hand a signed transaction to the node.

        The same bytes may go twice: they are the same transaction.
        """
        try:
            await self._rpc.read("eth_sendRawTransaction", "0x" + raw.hex())
        except RpcFailureError as e:
            if not _is_known(e):
                raise

    # -- waiting

    async def _wait(
        self, signer: Signer, draft: Draft, fees: Fees, tx_hash: bytes
    ) -> dict[str, Any]:
        hashes = [tx_hash]
        started = last_sent = self._clock()
        delay = min(0.05, self._poll_s)
        while True:
            for known in hashes:
                receipt = await self._receipt(known)
                if receipt is not None:
                    return receipt
            now = self._clock()
            if now - started > self._give_up_s:
                self._nonces.pop(signer.address, None)
                raise ChainUnavailableError(
                    f"transaction 0x{tx_hash.hex()} was not mined in {self._give_up_s:.0f} s"
                )
            if now - last_sent > self._stuck_after_s:
                fees, last_sent = fees.raised(), now
                hashes += await self._replace(signer, draft, fees)
            await self._rpc.sleep(delay)
            delay = min(delay * 2, self._poll_s)

    async def _receipt(self, tx_hash: bytes) -> dict[str, Any] | None:
        """The receipt once it has its confirmations; None also while the node is away."""
        try:
            receipt: dict[str, Any] | None = await self._rpc.read(
                "eth_getTransactionReceipt", "0x" + tx_hash.hex()
            )
            if receipt is None or receipt.get("blockNumber") is None:
                return None
            if self._confirmations:
                head = await self._rpc.block_number()
                if head < int(receipt["blockNumber"], 16) + self._confirmations:
                    return None
        except ChainUnavailableError:
            return None
        return receipt

    async def _replace(self, signer: Signer, draft: Draft, fees: Fees) -> list[bytes]:
        raw, tx_hash = sign(draft, fees, self._chain_id, signer)
        log.info(
            "nonce %d of %s is not mined; sending it again dearer", draft.nonce, signer.address
        )
        try:
            await self._push(raw)
        except (RpcFailureError, ChainUnavailableError) as e:
            log.info("the replacement was not taken: %s", e)
            return []
        return [tx_hash]

    async def _failure(self, sender: Address, draft: Draft, receipt: dict[str, Any]) -> ChainError:
        """Run a failed transaction once more to learn why it failed."""
        call = _call(sender, draft.to, draft.data, draft.value) | {"gas": hex(draft.gas)}
        try:
            await self._rpc.read("eth_call", call, receipt["blockNumber"])
        except RpcFailureError as e:
            return refusal(e)
        except ChainUnavailableError:
            pass
        return ChainError(f"transaction {receipt['transactionHash']} failed", code="chain_reverted")


def _call(sender: Address, to: Address | None, data: bytes, value: int) -> dict[str, Any]:
    call: dict[str, Any] = {"from": sender, "data": "0x" + data.hex()}
    if to is not None:
        call["to"] = to
    if value:
        call["value"] = hex(value)
    return call


def _is_nonce_trouble(error: RpcFailureError) -> bool:
    words = error.rpc_message.lower()
    return any(
        w in words
        for w in ("nonce too low", "nonce is too low", "replacement transaction", "invalid nonce")
    )


def _is_known(error: RpcFailureError) -> bool:
    words = error.rpc_message.lower()
    return any(w in words for w in ("already known", "already imported", "known transaction"))


def refusal(error: RpcFailureError) -> ChainError:
    """A node's refusal as `ChainError`: with the contract's typed error, or what to do about it."""
    data = error.revert_data
    if data is not None:
        revert = describe_revert(data)
        return ChainError(
            f"the contract refused: {revert or error.rpc_message}",
            revert=revert,
            code="chain_reverted",
        )
    if "insufficient funds" in error.rpc_message.lower():
        return ChainError(
            f"the sender cannot pay for gas: {error.rpc_message}",
            code="chain_no_gas_money",
            hint="send native money to the account that signs",
        )
    return ChainError(f"the chain's node refused: {error.rpc_message}")
