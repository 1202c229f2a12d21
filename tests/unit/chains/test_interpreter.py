"""The fast loop does what py-evm's own does: gas, output, logs, storage, kind of failure."""

from __future__ import annotations

from typing import Any

import pytest
from eth.db.atomic import AtomicDB
from eth.vm.chain_context import ChainContext
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.state import PragueState
from hypothesis import given, settings
from hypothesis import strategies as st

from infera_plugins.chains.evm.embedded.vm import CallTransaction, Computation, EmbeddedVM, State

pytestmark = pytest.mark.filterwarnings("ignore:SELFDESTRUCT")

A, B = b"\xaa" * 20, b"\xbb" * 20


class SlowComputation(PragueComputation):
    """Same precompiles, py-evm's loop."""

    _precompiles = Computation._precompiles


class SlowState(PragueState):
    computation_class = SlowComputation


class SlowVM(PragueVM):
    _state_class = SlowState


def run(vm: Any, code: bytes, data: bytes, gas: int) -> tuple[Any, ...]:
    header = vm.create_header_from_parent(
        None, difficulty=0, timestamp=1_700_000_000, gas_limit=30_000_000, mix_hash=b"\x07" * 32
    ).copy(base_fee_per_gas=0)
    state = vm.build_state(AtomicDB(), header, ChainContext(1))
    state.set_code(B, code)
    state.set_balance(A, 10**18)
    call = CallTransaction(sender=A, to=B, gas=gas, value=3, data=data, nonce=0)
    done = call.run(state)
    error = None if done.is_success else done.error
    return (
        done.is_success,
        bool(error and error.burns_gas),
        bytes(done.output),
        done.get_gas_remaining(),
        done.get_gas_refund(),
        done.get_log_entries(),
        [state.get_storage(B, slot) for slot in range(4)],
        call.settle(state, done),
    )


# Weighted towards what compilers emit; the rest is any byte at all.
COMMON = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x10, 0x11, 0x12, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A,
    0x1B, 0x1C, 0x1D, 0x20, 0x30, 0x33, 0x34, 0x35, 0x36, 0x37, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55,
    0x56, 0x57, 0x58, 0x59, 0x5A, 0x5B, 0x5C, 0x5D, 0x5E, 0x5F, 0x80, 0x81, 0x82, 0x8F, 0x90, 0x91,
    0x9F, 0xA0, 0xA1, 0xF3, 0xFD, 0xFE, 0x00,
]  # fmt: skip
small = st.integers(0, 70).map(lambda n: bytes([0x60, n]))
wide = st.binary(min_size=32, max_size=32).map(lambda b: b"\x7f" + b)
opcode = st.sampled_from(COMMON).map(lambda o: bytes([o]))
anything = st.binary(min_size=1, max_size=2)
programs = st.lists(st.one_of(small, small, wide, opcode, opcode, opcode, anything), max_size=60)


@settings(max_examples=250, deadline=None)
@given(programs, st.binary(max_size=80), st.sampled_from([21_000, 21_100, 22_500, 60_000, 400_000]))
def test_any_program_runs_alike(parts: list[bytes], data: bytes, gas: int) -> None:
    code = b"".join(parts)
    gas += 2_000  # call data costs
    assert run(EmbeddedVM, code, data, gas) == run(SlowVM, code, data, gas)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(wide, min_size=4, max_size=8),
    st.lists(opcode, min_size=1, max_size=10),
)
def test_wide_numbers_compute_alike(pushes: list[bytes], operations: list[bytes]) -> None:
    tail = bytes.fromhex("5f5260205ff3")  # return the top of the stack
    code = b"".join(pushes + operations) + tail
    assert run(EmbeddedVM, code, b"", 200_000) == run(SlowVM, code, b"", 200_000)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("6003565b00", "jump to a valid target"),
        ("600456605b00", "jump into push data"),
        ("61ffff56", "jump past the end"),
        ("600160055700fe5b00", "conditional jump not taken or taken"),
        ("5f600457005b00", "condition zero"),
        ("33600757005b005b00", "a caller's address as condition"),
        ("60", "push past the end"),
        ("7f01", "push32 past the end"),
        ("50", "pop of nothing"),
        ("80", "dup of nothing"),
        ("90", "swap of nothing"),
        ("5f" * 1025, "a full stack"),
        ("5b5f56", "an endless loop"),
        ("3360005260206000f3", "store of bytes"),
        ("3060405260606040a0", "log of nothing much"),
        ("60ff6000526000516000602060006000335af100", "call to an empty account"),
        ("7f" + "ff" * 32 + "51", "read of memory beyond reason"),
        ("7f" + "ff" * 32 + "5f20", "hash of memory beyond reason"),
        ("5f5f5f5f5f3061ffff5a03f1", "calling itself until it cannot"),
        ("600a6000556000545f5260205ff3", "storage"),
        ("0c", "an opcode nobody knows"),
    ],
)
@pytest.mark.parametrize("gas", [21_005, 21_030, 150_000])
def test_edges_run_alike(code: str, why: str, gas: int) -> None:
    program = bytes.fromhex(code)
    assert run(EmbeddedVM, program, b"\x01\x02", gas + 100) == run(
        SlowVM, program, b"\x01\x02", gas + 100
    ), why


def test_state_classes_are_the_fast_ones() -> None:
    assert EmbeddedVM._state_class is State
    assert State.computation_class is Computation
