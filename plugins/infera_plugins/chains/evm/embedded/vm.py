"""The rules the embedded chain executes by: Ethereum's Prague fork plus the P-256 precompile of
EIP-7951 at 0x100.

Two liberties a development chain takes: blocks of one second may share their timestamp (so a busy
chain does not run ahead of the clock), and the gas limit stays what the genesis says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from Crypto.PublicKey import ECC
from Crypto.Signature import DSS
from eth._utils.address import force_bytes_to_address
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.vm.forks.berlin.transactions import calculate_txn_intrinsic_gas_berlin
from eth.vm.forks.london.constants import DYNAMIC_FEE_TRANSACTION_TYPE
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PRAGUE_PRECOMPILES, PragueComputation
from eth.vm.forks.prague.state import PragueState
from eth_hash.auto import keccak as eth_keccak

from infera_ext import keccak256

from .interpreter import interpret

if TYPE_CHECKING:
    from eth.abc import ComputationAPI, MessageAPI, StateAPI, TransactionContextAPI

# py-evm hashes through eth-hash; give it the node's own, ten times faster, keccak.
eth_keccak.hasher = keccak256  # type: ignore[assignment]

P256_GAS = 6900
P256_ADDRESS = force_bytes_to_address(b"\x01\x00")


class _Digest:
    """A SHA-256 digest that was computed elsewhere, as pycryptodome wants to see it."""

    oid = "2.16.840.1.101.3.4.2.1"
    digest_size = 32

    def __init__(self, digest: bytes) -> None:
        self._digest = digest

    def digest(self) -> bytes:
        return self._digest


def p256_verify(digest: bytes, signature: bytes, point: bytes) -> bool:
    """Whether r‖s signs the digest under the P-256 key x‖y."""
    try:
        key = ECC.construct(
            curve="P-256",
            point_x=int.from_bytes(point[:32], "big"),
            point_y=int.from_bytes(point[32:], "big"),
        )
        DSS.new(key, "fips-186-3").verify(_Digest(digest), signature)
    except ValueError:
        return False
    return True


def _p256verify(computation: ComputationAPI) -> ComputationAPI:
    computation.consume_gas(P256_GAS, reason="P256VERIFY Precompile")
    data = computation.msg.data_as_bytes
    if len(data) == 160 and p256_verify(data[:32], data[32:96], data[96:]):
        computation.output = (1).to_bytes(32, "big")
    return computation


class Computation(PragueComputation):
    """Prague with P256VERIFY and a faster loop."""

    _precompiles = {**PRAGUE_PRECOMPILES, P256_ADDRESS: _p256verify}  # noqa: RUF012

    @classmethod
    def apply_computation(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        """What py-evm does, with `interpret` in place of its loop."""
        with cls(state, message, transaction_context) as computation:
            if computation.is_origin_computation:
                computation.contracts_created = []
                if message.is_create:
                    cls.consume_initcode_gas_cost(computation)
            if parent_computation is not None:
                computation.contracts_created = parent_computation.contracts_created
            if message.is_create:
                computation.contracts_created.append(message.storage_address)
            precompile = computation.precompiles.get(message.code_address)
            if precompile is None:
                interpret(computation)
            elif not message.is_delegation:
                precompile(computation)
        return computation


class State(PragueState):
    """Prague state over `Computation`."""

    computation_class = Computation


class EmbeddedVM(PragueVM):
    """The virtual machine of the embedded chain."""

    _state_class = State


@dataclass(slots=True)
class CallTransaction:
    """A transaction nobody signed, as `eth_call` and `eth_estimateGas` run it; gas is free."""

    sender: bytes
    to: bytes
    gas: int
    value: int
    data: bytes
    nonce: int
    access_list: tuple[tuple[bytes, tuple[int, ...]], ...] = ()
    max_fee_per_gas: int = 0
    max_priority_fee_per_gas: int = 0
    gas_price: int = 0
    type_id: int = DYNAMIC_FEE_TRANSACTION_TYPE

    @property
    def intrinsic_gas(self) -> int:
        """Gas the transaction costs before its first instruction."""
        return int(calculate_txn_intrinsic_gas_berlin(self))  # type: ignore[arg-type]

    def run(self, state: StateAPI) -> ComputationAPI:
        """Execute against a state without checking signature, nonce or the sender's means to pay
        for gas.
        """
        executor: Any = state.get_transaction_executor()
        message = executor.build_evm_message(self)
        computation: ComputationAPI = executor.build_computation(message, self)
        return computation

    def settle(self, state: StateAPI, computation: ComputationAPI) -> tuple[int, int]:
        """(gas that must be offered at least, gas that is charged) of a finished run."""
        executor: Any = state.get_transaction_executor()
        executor.finalize_computation(self, computation)
        charged = EmbeddedVM.finalize_gas_used(self, computation)  # type: ignore[arg-type]
        spent = self.gas - computation.get_gas_remaining()
        return max(spent, charged), charged


def is_creation(to: bytes) -> bool:
    """Whether a transaction's target means "create a contract"."""
    return bool(to == CREATE_CONTRACT_ADDRESS)
