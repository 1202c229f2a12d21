"""The embedded chain itself: head, waiting transactions, mining, calls and gas estimates.

Synchronous; one thread at a time.
"""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import rlp  # type: ignore[import-untyped]
from eth.constants import ZERO_ADDRESS
from eth.db.chain import ChainDB
from eth.db.trie import make_trie_root_and_nodes
from eth.exceptions import OutOfGas, Revert
from eth.vm.chain_context import ChainContext
from eth.vm.forks.london.headers import calculate_expected_base_fee_per_gas
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth_utils.exceptions import ValidationError

from .store import ChainStore, StoredLog, StoredTx
from .vm import CallTransaction, EmbeddedVM, is_creation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from eth.abc import ComputationAPI, SignedTransactionAPI, StateAPI

log = logging.getLogger(__name__)

Header: TypeAlias = Any
"""py-evm's block header, whose type does not know that there is always a base fee."""

GAS_LIMIT = 6_000_000_000
"""Of a block: room for two hundred transactions that offer what a public chain allows a block."""

TX_GAS = 30_000_000
"""The most one transaction or call may use."""
BASE_FEE = 1_000_000_000
FIRST_IDLE_BLOCKS = 8
"""Idle blocks that follow the last transaction by themselves; later ones come when somebody looks
at the head.
"""


class RpcError(Exception):
    """A JSON-RPC error: code, message, data."""

    def __init__(self, message: str, code: int = -32000, data: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.data = data


@dataclass(slots=True)
class Waiting:
    """A transaction in the pool."""

    tx: SignedTransactionAPI
    raw: bytes
    hash: bytes
    sender: bytes
    arrival: int


class Ledger:
    """A chain with one miner, over a `ChainStore`."""

    def __init__(
        self,
        store: ChainStore,
        *,
        chain_id: int,
        alloc: Mapping[bytes, int],
        clock: Callable[[], float] = time.time,
        randomness: Callable[[], bytes] = lambda: secrets.token_bytes(32),
    ) -> None:
        self.store = store
        self.chain_id = chain_id
        self.pool: dict[bytes, Waiting] = {}
        self.idle = 0
        self._clock = clock
        self._randomness = randomness
        self._offset = int(store.meta("time_offset") or 0)
        self._arrivals = 0
        self._context = ChainContext(chain_id)
        self._chaindb: Any = ChainDB(store)
        self._check_identity()
        encoded = store.head()
        self.head: Header = (
            rlp.decode(encoded, PragueBlockHeader) if encoded else self._genesis(alloc)
        )

    def _check_identity(self) -> None:
        known = self.store.meta("chain_id")
        if known is None:
            self.store.set_meta("chain_id", str(self.chain_id))
        elif int(known) != self.chain_id:
            raise ValueError(f"the chain file belongs to chain {known}, not {self.chain_id}")

    def _genesis(self, alloc: Mapping[bytes, int]) -> Header:
        blank = EmbeddedVM.create_header_from_parent(
            None, difficulty=0, timestamp=self.now(), gas_limit=GAS_LIMIT,
            base_fee_per_gas=BASE_FEE, coinbase=ZERO_ADDRESS,
        )  # fmt: skip
        state = self._state(blank)
        for address, balance in alloc.items():
            state.set_balance(address, balance)  # type: ignore[arg-type]
        state.persist()
        header = blank.copy(state_root=state.state_root, mix_hash=self._randomness())
        self.store.commit(0, header.hash, rlp.encode(header), (), ())
        return header

    # -- time and blocks

    def now(self) -> int:
        """The chain's clock, UTC seconds."""
        return int(self._clock()) + self._offset

    def advance(self, seconds: int) -> int:
        """Move the chain's clock ahead of the world's; returns the total."""
        self._offset += seconds
        self.store.set_meta("time_offset", str(self._offset))
        return self._offset

    def header(self, number: int) -> Header | None:
        """A block's header."""
        if number == self.head.block_number:
            return self.head
        encoded = self.store.header(number)
        return rlp.decode(encoded, PragueBlockHeader) if encoded else None

    def rewind(self, number: int) -> None:
        """Make an older block the head again, as a reorganisation would; waiting transactions are
        dropped.
        """
        header = self.header(number)
        if header is None:
            raise RpcError(f"no block {number} to go back to")
        self.store.rewind(number)
        self.pool.clear()
        self.head = header

    def _previous_hashes(self, header: Header) -> Iterator[bytes]:
        for number in range(header.block_number - 1, max(-1, header.block_number - 257), -1):
            if known := self.store.block_hash(number):
                yield known

    def _state(self, header: Header) -> StateAPI:
        previous: Any = self._previous_hashes(header)
        return EmbeddedVM.build_state(self.store, header, self._context, previous)

    def _next_header(self, **fields: Any) -> Header:
        return EmbeddedVM.create_header_from_parent(
            self.head,
            timestamp=max(self.head.timestamp, self.now()),
            gas_limit=GAS_LIMIT,
            coinbase=ZERO_ADDRESS,
            **fields,
        )

    def next_base_fee(self, parent: Header) -> int:
        """The base fee of a block that follows `parent`."""
        return calculate_expected_base_fee_per_gas(parent)

    # -- the pool

    def submit(self, raw: bytes) -> bytes:
        """Take a signed transaction into the pool; returns its hash.

        Raises `RpcError` in the words geth uses.
        """
        try:
            tx = EmbeddedVM.get_transaction_builder().decode(raw)
            tx.validate()
            if not tx.is_signature_valid:
                raise RpcError("invalid sender")
            sender = bytes(tx.sender)
        except (ValidationError, rlp.exceptions.RLPException, ValueError, TypeError) as e:
            raise RpcError(f"invalid transaction: {e}") from e
        tx_hash = bytes(tx.hash)
        if tx_hash in self.pool:
            raise RpcError("already known")
        if tx.chain_id not in (None, self.chain_id):
            raise RpcError("invalid chain id for signer")
        state = self._state(self.head)
        self._check_affordable(tx, sender, state)
        self._arrivals += 1
        waiting = Waiting(tx, raw, tx_hash, sender, self._arrivals)
        for other in self._of(sender):
            if other.tx.nonce == tx.nonce:
                if tx.max_fee_per_gas * 10 < other.tx.max_fee_per_gas * 11:
                    raise RpcError("replacement transaction underpriced")
                del self.pool[other.hash]
                waiting.arrival = other.arrival
        self.pool[tx_hash] = waiting
        return tx_hash

    def _check_affordable(self, tx: SignedTransactionAPI, sender: bytes, state: StateAPI) -> None:
        nonce = state.get_nonce(sender)  # type: ignore[arg-type]
        if tx.nonce < nonce:
            raise RpcError(f"nonce too low: next nonce {nonce}, tx nonce {tx.nonce}")
        if tx.gas < tx.intrinsic_gas:
            raise RpcError(f"intrinsic gas too low: have {tx.gas}, want {tx.intrinsic_gas}")
        if tx.gas > TX_GAS:
            raise RpcError("exceeds block gas limit")
        base_fee = self.next_base_fee(self.head)
        if tx.max_fee_per_gas < base_fee:
            raise RpcError(
                "max fee per gas less than block base fee: "
                f"maxFeePerGas: {tx.max_fee_per_gas}, baseFee: {base_fee}"
            )
        balance = state.get_balance(sender)  # type: ignore[arg-type]
        cost = tx.value + tx.gas * tx.max_fee_per_gas
        if balance < cost:
            raise RpcError(
                f"insufficient funds for gas * price + value: have {balance} want {cost}"
            )

    def _of(self, sender: bytes) -> list[Waiting]:
        return [w for w in self.pool.values() if w.sender == sender]

    def pending_nonce(self, address: bytes) -> int:
        """Next nonce counting what waits."""
        nonce = int(self._state(self.head).get_nonce(address))  # type: ignore[arg-type]
        waiting = {w.tx.nonce for w in self._of(address)}
        while nonce in waiting:
            nonce += 1
        return nonce

    # -- mining

    def mine_waiting(self) -> bool:
        """Mine a block if a transaction waits for nothing but that."""
        if not self.pool:
            return False
        state = self._state(self.head)
        if any(w.tx.nonce == state.get_nonce(w.sender) for w in self.pool.values()):  # type: ignore[arg-type]
            self.mine()
            return True
        return False

    def mine(self) -> Header:
        """Mine one block with everything that can go in, in order of arrival within each sender's
        nonces.
        """
        header = self._next_header(mix_hash=self._randomness())
        state = self._state(header)
        vm: Any = EmbeddedVM(header, self._chaindb, self._context, None)  # type: ignore[arg-type]
        vm._state = state
        txs: list[StoredTx] = []
        logs: list[StoredLog] = []
        signed: list[SignedTransactionAPI] = []
        receipts: list[Any] = []
        bloom = 0
        try:
            for waiting, stored, receipt in self._execute(vm, state, header):
                logs.extend(_logs(stored, receipt, len(logs)))
                txs.append(stored)
                signed.append(waiting.tx)
                receipts.append(receipt)
                bloom |= int(receipt.bloom)
            state.persist()
            sealed = header.copy(
                state_root=state.state_root,
                transaction_root=make_trie_root_and_nodes(signed)[0],
                receipt_root=make_trie_root_and_nodes(receipts)[0],
                bloom=bloom,
                gas_used=receipts[-1].gas_used if receipts else 0,
            )
            self.store.commit(sealed.block_number, sealed.hash, rlp.encode(sealed), txs, logs)
        except BaseException:
            self.store.discard()
            raise
        self.head = sealed
        self.idle = 0 if txs else self.idle + 1
        for stored in txs:
            self.pool.pop(stored.hash, None)
        return sealed

    def _execute(
        self, vm: Any, state: StateAPI, header: Header
    ) -> Iterator[tuple[Waiting, StoredTx, Any]]:
        position = 0
        cumulative = 0
        progress = True
        done: set[bytes] = set()
        while progress:
            progress = False
            for waiting in sorted(self.pool.values(), key=lambda w: w.arrival):
                tx = waiting.tx
                if waiting.hash in done or tx.nonce != state.get_nonce(waiting.sender):  # type: ignore[arg-type]
                    continue
                if cumulative + tx.gas > header.gas_limit:
                    continue
                snapshot = state.snapshot()
                try:
                    receipt, computation = vm.apply_transaction(
                        header.copy(gas_used=cumulative), tx
                    )
                except ValidationError as e:
                    log.warning("dropped transaction 0x%s: %s", waiting.hash.hex(), e)
                    state.revert(snapshot)
                    del self.pool[waiting.hash]
                    continue
                progress = True
                done.add(waiting.hash)
                stored = StoredTx(
                    hash=waiting.hash,
                    block=header.block_number,
                    position=position,
                    raw=waiting.raw,
                    sender=waiting.sender,
                    status=0 if computation.is_error else 1,
                    gas_used=receipt.gas_used - cumulative,
                    cumulative_gas=receipt.gas_used,
                    gas_price=min(
                        tx.max_fee_per_gas, header.base_fee_per_gas + tx.max_priority_fee_per_gas
                    ),
                    created=computation.msg.storage_address if is_creation(tx.to) else None,
                    bloom=int(receipt.bloom).to_bytes(256, "big"),
                )
                position += 1
                cumulative = receipt.gas_used
                yield waiting, stored, receipt

    # -- reading

    def state_at(self, number: int) -> StateAPI:
        """The state after a block."""
        header = self.header(number)
        if header is None:
            raise RpcError(f"block not found: {number}")
        return self._state(header)

    def call(self, call: CallTransaction, number: int) -> bytes:
        """Run a call on top of a block and return its output.

        On the head, time is now. Reverts raise with their data.
        """
        state = self._call_state(number)
        computation = self._run(replace(call, gas=min(call.gas, TX_GAS)), state)
        if computation.is_error:
            raise _reverted(computation)
        return bytes(computation.output)

    def estimate(self, call: CallTransaction, number: int) -> int:
        """The least gas limit with which a transaction succeeds, within 1.6 %."""
        ceiling = min(call.gas, TX_GAS)
        needed = self._needed(call, number, ceiling)
        if needed is None:
            raise _reverted(self._last)
        low, high = needed - 1, ceiling
        for guess in (needed, needed + needed // 63 + 2300):
            if guess < high and self._needed(call, number, guess) is not None:
                return guess
            low = guess
        while high - low > max(1, low // 64):
            middle = (low + high) // 2
            if self._needed(call, number, middle) is None:
                low = middle
            else:
                high = middle
        return high

    def _needed(self, call: CallTransaction, number: int, gas: int) -> int | None:
        """Gas the call asked for when given `gas`, or None when it failed."""
        if gas < call.intrinsic_gas:
            return None
        state = self._call_state(number)
        offered = replace(call, gas=gas)
        computation = self._last = self._run(offered, state)
        return None if computation.is_error else offered.settle(state, computation)[0]

    def _run(self, call: CallTransaction, state: StateAPI) -> ComputationAPI:
        try:
            balance = state.get_balance(call.sender)  # type: ignore[arg-type]
            if balance < call.value:
                raise RpcError(f"insufficient funds for transfer: have {balance} want {call.value}")
            return call.run(state)
        except ValidationError as e:
            raise RpcError(str(e)) from e

    def _call_state(self, number: int) -> StateAPI:
        header = self.header(number)
        if header is None:
            raise RpcError(f"block not found: {number}")
        if number == self.head.block_number:
            header = header.copy(timestamp=max(header.timestamp, self.now()))
        header = header.copy(base_fee_per_gas=0)
        return self._state(header)


def _reverted(computation: ComputationAPI) -> RpcError:
    error = computation.error
    if isinstance(error, Revert):
        data = bytes(computation.output)
        return RpcError("execution reverted" + _reason(data), 3, "0x" + data.hex())
    if isinstance(error, OutOfGas):
        return RpcError("out of gas")
    return RpcError(f"execution failed: {type(error).__name__}: {error}")


def _reason(data: bytes) -> str:
    if data[:4] == bytes.fromhex("08c379a0") and len(data) >= 68:
        length = int.from_bytes(data[36:68], "big")
        return ": " + data[68 : 68 + length].decode("utf-8", "replace")
    return ""


def _logs(tx: StoredTx, receipt: Any, first: int) -> Sequence[StoredLog]:
    return [
        StoredLog(
            block=tx.block,
            position=first + i,
            tx=tx.hash,
            tx_position=tx.position,
            address=bytes(entry.address),
            topics=tuple(topic.to_bytes(32, "big") for topic in entry.topics),
            data=bytes(entry.data),
        )
        for i, entry in enumerate(receipt.logs)
    ]
