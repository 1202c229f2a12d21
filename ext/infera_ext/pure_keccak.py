"""keccak-256 in Python, unrolled as far as it pays: part of :mod:`infera_ext.pure`.

Source: FIPS 202 section 3.2; the padding is Ethereum's (first byte 0x01, not SHA-3's 0x06).
"""

from __future__ import annotations

from struct import pack, unpack_from
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

_RATE: Final = 136
_MASK: Final = (1 << 64) - 1

# fmt: off
_ROUND_CONSTANTS: Final = (
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000,
    0x000000000000808B, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
    0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
)
# fmt: on


def keccak256(data: Bytes) -> bytes:
    """The 32-byte digest of one message."""
    padded = bytearray(data)
    padded += bytes(_RATE - len(padded) % _RATE)
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    state = [0] * 25
    for start in range(0, len(padded), _RATE):
        for i, word in enumerate(unpack_from("<17Q", padded, start)):
            state[i] ^= word
        state = _permute(state)
    return pack("<4Q", *state[:4])


def _permute(state: list[int]) -> list[int]:
    """keccak-f[1600]; unrolled, which is half as fast again as loops over lists."""
    m = _MASK
    a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12 = state[:13]
    a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, a24 = state[13:]
    for constant in _ROUND_CONSTANTS:
        # theta
        c0 = a0 ^ a5 ^ a10 ^ a15 ^ a20
        c1 = a1 ^ a6 ^ a11 ^ a16 ^ a21
        c2 = a2 ^ a7 ^ a12 ^ a17 ^ a22
        c3 = a3 ^ a8 ^ a13 ^ a18 ^ a23
        c4 = a4 ^ a9 ^ a14 ^ a19 ^ a24
        d0 = c4 ^ (c1 << 1 & m | c1 >> 63)
        d1 = c0 ^ (c2 << 1 & m | c2 >> 63)
        d2 = c1 ^ (c3 << 1 & m | c3 >> 63)
        d3 = c2 ^ (c4 << 1 & m | c4 >> 63)
        d4 = c3 ^ (c0 << 1 & m | c0 >> 63)
        # theta's other half, rho and pi
        b0 = a0 ^ d0
        b1 = a6 ^ d1
        b1 = b1 << 44 & m | b1 >> 20
        b2 = a12 ^ d2
        b2 = b2 << 43 & m | b2 >> 21
        b3 = a18 ^ d3
        b3 = b3 << 21 & m | b3 >> 43
        b4 = a24 ^ d4
        b4 = b4 << 14 & m | b4 >> 50
        b5 = a3 ^ d3
        b5 = b5 << 28 & m | b5 >> 36
        b6 = a9 ^ d4
        b6 = b6 << 20 & m | b6 >> 44
        b7 = a10 ^ d0
        b7 = b7 << 3 & m | b7 >> 61
        b8 = a16 ^ d1
        b8 = b8 << 45 & m | b8 >> 19
        b9 = a22 ^ d2
        b9 = b9 << 61 & m | b9 >> 3
        b10 = a1 ^ d1
        b10 = b10 << 1 & m | b10 >> 63
        b11 = a7 ^ d2
        b11 = b11 << 6 & m | b11 >> 58
        b12 = a13 ^ d3
        b12 = b12 << 25 & m | b12 >> 39
        b13 = a19 ^ d4
        b13 = b13 << 8 & m | b13 >> 56
        b14 = a20 ^ d0
        b14 = b14 << 18 & m | b14 >> 46
        b15 = a4 ^ d4
        b15 = b15 << 27 & m | b15 >> 37
        b16 = a5 ^ d0
        b16 = b16 << 36 & m | b16 >> 28
        b17 = a11 ^ d1
        b17 = b17 << 10 & m | b17 >> 54
        b18 = a17 ^ d2
        b18 = b18 << 15 & m | b18 >> 49
        b19 = a23 ^ d3
        b19 = b19 << 56 & m | b19 >> 8
        b20 = a2 ^ d2
        b20 = b20 << 62 & m | b20 >> 2
        b21 = a8 ^ d3
        b21 = b21 << 55 & m | b21 >> 9
        b22 = a14 ^ d4
        b22 = b22 << 39 & m | b22 >> 25
        b23 = a15 ^ d0
        b23 = b23 << 41 & m | b23 >> 23
        b24 = a21 ^ d1
        b24 = b24 << 2 & m | b24 >> 62
        # chi and iota
        a0 = b0 ^ ~b1 & b2 ^ constant
        a1 = b1 ^ ~b2 & b3
        a2 = b2 ^ ~b3 & b4
        a3 = b3 ^ ~b4 & b0
        a4 = b4 ^ ~b0 & b1
        a5 = b5 ^ ~b6 & b7
        a6 = b6 ^ ~b7 & b8
        a7 = b7 ^ ~b8 & b9
        a8 = b8 ^ ~b9 & b5
        a9 = b9 ^ ~b5 & b6
        a10 = b10 ^ ~b11 & b12
        a11 = b11 ^ ~b12 & b13
        a12 = b12 ^ ~b13 & b14
        a13 = b13 ^ ~b14 & b10
        a14 = b14 ^ ~b10 & b11
        a15 = b15 ^ ~b16 & b17
        a16 = b16 ^ ~b17 & b18
        a17 = b17 ^ ~b18 & b19
        a18 = b18 ^ ~b19 & b15
        a19 = b19 ^ ~b15 & b16
        a20 = b20 ^ ~b21 & b22
        a21 = b21 ^ ~b22 & b23
        a22 = b22 ^ ~b23 & b24
        a23 = b23 ^ ~b24 & b20
        a24 = b24 ^ ~b20 & b21
    low = [a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12]
    return [*low, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, a24]
