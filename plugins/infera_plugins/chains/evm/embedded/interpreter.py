"""py-evm's interpreter loop with the plain opcodes in line.

py-evm spends some ten calls on every opcode. The loop here does the ones that only move numbers
about (four of five) itself, and leaves everything else, with the same stack, memory, gas meter and
code position, to py-evm. A test runs both loops over the same programs and compares everything.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from eth.exceptions import (
    FullStack,
    Halt,
    InsufficientStack,
    InvalidJumpDestination,
    OutOfGas,
)
from eth.vm.logic.invalid import InvalidOpcode

from infera_ext import keccak256

if TYPE_CHECKING:
    from collections.abc import Sequence

MASK = (1 << 256) - 1
TOP = 1023
"""How many values the stack may hold before one more is pushed."""


@lru_cache(maxsize=256)
def prepare(code: bytes) -> tuple[bytes, Sequence[int], frozenset[int]]:
    """(code with room to run off its end, value of each PUSH by position, valid jump targets)."""
    padded = code + bytes(33)
    pushed = [0] * len(padded)
    targets = set()
    position, size = 0, len(code)
    while position < size:
        opcode = code[position]
        if 0x60 <= opcode <= 0x7F:
            end = position + opcode - 0x5E
            pushed[position] = int.from_bytes(padded[position + 1 : end], "big")
            position = end
        else:
            if opcode == 0x5B:
                targets.add(position)
            position += 1
    return padded, pushed, frozenset(targets)


def interpret(computation: Any) -> None:
    """Run a computation's code until it halts. Raises py-evm's `VMError`s."""
    stream = computation.code
    code, pushed, targets = prepare(bytes(stream._raw_code_bytes))
    meter, memory = computation._gas_meter, computation._memory
    values: list[Any] = computation._stack.values
    pop, append = values.pop, values.append
    data = computation.msg.data_as_bytes
    opcodes = computation.opcodes
    gas, at, end = meter.gas_remaining, 0, len(code) - 33
    try:
        while at < end:
            op = code[at]
            if op >= 0x5F:
                if op <= 0x7F:  # PUSH0 … PUSH32
                    gas -= 3 if op != 0x5F else 2
                    if gas < 0:
                        raise OutOfGas("PUSH")
                    if len(values) > TOP:
                        raise FullStack("Stack limit reached")
                    append(pushed[at])
                    at += op - 0x5E
                    continue
                if op <= 0x8F:  # DUP1 … DUP16
                    gas -= 3
                    if gas < 0:
                        raise OutOfGas("DUP")
                    if len(values) > TOP:
                        raise FullStack("Stack limit reached")
                    append(values[0x7F - op])
                    at += 1
                    continue
                if op <= 0x9F:  # SWAP1 … SWAP16
                    gas -= 3
                    if gas < 0:
                        raise OutOfGas("SWAP")
                    place = 0x8E - op
                    values[-1], values[place] = values[place], values[-1]
                    at += 1
                    continue
            elif op == 0x5B:  # JUMPDEST
                gas -= 1
                if gas < 0:
                    raise OutOfGas("JUMPDEST")
                at += 1
                continue
            elif op == 0x50:  # POP
                gas -= 2
                if gas < 0:
                    raise OutOfGas("POP")
                pop()
                at += 1
                continue
            elif op == 0x57:  # JUMPI
                gas -= 10
                if gas < 0:
                    raise OutOfGas("JUMPI")
                target, condition = pop(), pop()
                if condition.__class__ is bytes:
                    condition = int.from_bytes(condition, "big")
                if condition:
                    if target.__class__ is bytes:
                        target = int.from_bytes(target, "big")
                    if target not in targets:
                        raise InvalidJumpDestination("Invalid Jump Destination")
                    at = target
                else:
                    at += 1
                continue
            elif op == 0x56:  # JUMP
                gas -= 8
                if gas < 0:
                    raise OutOfGas("JUMP")
                target = pop()
                if target.__class__ is bytes:
                    target = int.from_bytes(target, "big")
                if target not in targets:
                    raise InvalidJumpDestination("Invalid Jump Destination")
                at = target
                continue
            elif op == 0x52:  # MSTORE, where the memory reaches already
                place = values[-1]
                if place.__class__ is int and place + 32 <= len(memory._bytes) and gas >= 3:
                    gas -= 3
                    pop()
                    value = pop()
                    if value.__class__ is int:
                        memory._bytes[place : place + 32] = value.to_bytes(32, "big")
                    else:
                        memory._bytes[place : place + 32] = value.rjust(32, b"\0")
                    at += 1
                    continue
            elif op == 0x51:  # MLOAD, where the memory reaches already
                place = values[-1]
                if place.__class__ is int and place + 32 <= len(memory._bytes) and gas >= 3:
                    gas -= 3
                    values[-1] = int.from_bytes(memory._bytes[place : place + 32], "big")
                    at += 1
                    continue
            elif op == 0x20:  # KECCAK256, where the memory reaches already
                place, size = values[-1], values[-2]
                if place.__class__ is int and size.__class__ is int:
                    cost = 30 + 6 * ((size + 31) // 32)
                    if place + size <= len(memory._bytes) and gas >= cost:
                        gas -= cost
                        pop()
                        digest = keccak256(bytes(memory._bytes[place : place + size]))
                        values[-1] = int.from_bytes(digest, "big")
                        at += 1
                        continue
            elif op == 0x35:  # CALLDATALOAD
                gas -= 3
                if gas < 0:
                    raise OutOfGas("CALLDATALOAD")
                place = pop()
                if place.__class__ is bytes:
                    place = int.from_bytes(place, "big")
                append(int.from_bytes(data[place : place + 32].ljust(32, b"\0"), "big"))
                at += 1
                continue
            elif op == 0x15 or op == 0x19:
                gas -= 3
                if gas < 0:
                    raise OutOfGas("ISZERO or NOT")
                left = pop()
                if left.__class__ is bytes:
                    left = int.from_bytes(left, "big")
                if op == 0x15:
                    append(0 if left else 1)
                else:
                    append(MASK - left)
                at += 1
                continue
            elif op in _BINARY:
                gas -= 5 if op == 0x02 or op == 0x04 else 3
                if gas < 0:
                    raise OutOfGas("arithmetic")
                left, right = pop(), pop()
                if left.__class__ is bytes:
                    left = int.from_bytes(left, "big")
                if right.__class__ is bytes:
                    right = int.from_bytes(right, "big")
                if op == 0x01:
                    append((left + right) & MASK)
                elif op == 0x16:
                    append(left & right)
                elif op == 0x03:
                    append((left - right) & MASK)
                elif op == 0x14:
                    append(1 if left == right else 0)
                elif op == 0x10:
                    append(1 if left < right else 0)
                elif op == 0x11:
                    append(1 if left > right else 0)
                elif op == 0x1C:
                    append(right >> left if left < 256 else 0)
                elif op == 0x1B:
                    append((right << left) & MASK if left < 256 else 0)
                elif op == 0x17:
                    append(left | right)
                elif op == 0x02:
                    append((left * right) & MASK)
                elif op == 0x04:
                    append(left // right if right else 0)
                else:
                    append(left ^ right)
                at += 1
                continue
            # Everything else is py-evm's own.
            meter.gas_remaining = gas
            stream.program_counter = at + 1
            known = opcodes.get(op)
            try:
                (InvalidOpcode(op) if known is None else known)(computation=computation)
            finally:
                gas = meter.gas_remaining
            at = stream.program_counter
    except Halt:
        pass
    except IndexError:
        raise InsufficientStack("Too few items on the stack") from None
    finally:
        meter.gas_remaining = max(gas, 0)


_BINARY = frozenset((0x01, 0x02, 0x03, 0x04, 0x10, 0x11, 0x14, 0x16, 0x17, 0x18, 0x1B, 0x1C))
