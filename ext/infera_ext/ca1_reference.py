"""CA-1 in pure Python: the twin of the C kernels, bit for bit (see docs/arithmetic.md).

Numbers are Python floats that hold binary32 values.  Every operation is computed in binary64 and
rounded to binary32; for add, sub, mul, div and sqrt of binary32 operands that double rounding is
known to be harmless, and :func:`fma` corrects the one case where it is not.
"""

from __future__ import annotations

import math
import struct
from array import array
from ctypes import c_float
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK: Final = 256
LANES: Final = 8

_LARGEST: Final = float.fromhex("0x1.fffffep127")
_OVERFLOW: Final = float.fromhex("0x1.ffffffp127")  # halfway to the next power of two

_LOG2E: Final = float.fromhex("0x1.715476p+0")
_MAGIC: Final = float.fromhex("0x1.8p23")
_LN2_HIGH: Final = float.fromhex("-0x1.62e430p-1")
_LN2_LOW: Final = float.fromhex("0x1.05c610p-29")
_EXP: Final = tuple(
    float.fromhex(c)
    for c in ("0x1.6a2348p-10", "0x1.123a6cp-7", "0x1.5558f4p-5", "0x1.555490p-3", "0x1.fffffcp-2")
)


def f32(x: float) -> float:
    """Round to binary32, to nearest, ties to even."""
    return c_float(x).value


def bits(x: float) -> int:
    """The 32 bits of a binary32 number."""
    return int.from_bytes(struct.pack("<f", x), "little")


def from_bits(word: int) -> float:
    """The binary32 number with these bits."""
    value: float = struct.unpack("<f", word.to_bytes(4, "little"))[0]
    return value


def fma(a: float, b: float, c: float) -> float:
    """a * b + c with one rounding."""
    product = a * b  # exact: 24 + 24 bits
    total = product + c
    rounded = c_float(total).value
    if rounded == total or total != total:
        return rounded
    shadow = total - product
    error = (product - (total - shadow)) + (c - shadow)
    if error == 0.0:
        return rounded
    if math.isinf(rounded):
        back = abs(total) == _OVERFLOW and (error < 0) == (total > 0)
        return math.copysign(_LARGEST, total) if back else rounded
    # The exact sum is total + error; rounding twice goes wrong only halfway between neighbours.
    other = 2.0 * total - rounded
    if c_float(other).value != other:
        return rounded
    return max(rounded, other) if error > 0 else min(rounded, other)


def tree(a: Sequence[float]) -> float:
    """The sum of eight lanes: ((a0+a4)+(a2+a6)) + ((a1+a5)+(a3+a7))."""
    left = f32(f32(a[0] + a[4]) + f32(a[2] + a[6]))
    return f32(left + f32(f32(a[1] + a[5]) + f32(a[3] + a[7])))


def dot(w: Sequence[float], x: Sequence[float]) -> float:
    """Blocks of 256 elements, eight lanes each, the tree; partials are added up from +0."""
    y = 0.0
    for first in range(0, len(x), BLOCK):
        lanes = [0.0] * LANES
        for i in range(first, min(first + BLOCK, len(x))):
            lanes[i % LANES] = fma(w[i], x[i], lanes[i % LANES])
        y = f32(y + tree(lanes))
    return y


def sumsq(x: Sequence[float]) -> float:
    return dot(x, x)


def plain_sum(x: Sequence[float]) -> float:
    y = 0.0
    for first in range(0, len(x), BLOCK):
        lanes = [0.0] * LANES
        for i in range(first, min(first + BLOCK, len(x))):
            lanes[i % LANES] = f32(lanes[i % LANES] + x[i])
        y = f32(y + tree(lanes))
    return y


def exp(x: float) -> float:
    x = min(max(x, -86.0), 88.0)
    t = fma(x, _LOG2E, _MAGIC)
    n = f32(t - _MAGIC)
    r = fma(n, _LN2_LOW, fma(n, _LN2_HIGH, x))
    p = _EXP[0]
    for c in (*_EXP[1:], 1.0, 1.0):
        p = fma(p, r, c)
    return from_bits((bits(p) + ((bits(t) - bits(_MAGIC)) << 23)) & 0xFFFFFFFF)


def silu(gate: float, up: float) -> float:
    """silu(gate) * up."""
    return f32(f32(gate / f32(1.0 + exp(-gate))) * up)


def rmsnorm(x: Sequence[float], weight: Sequence[float], eps: float) -> list[float]:
    mean = f32(sumsq(x) / f32(len(x)))
    r = f32(1.0 / f32(math.sqrt(f32(mean + eps))))
    return [f32(f32(v * r) * w) for v, w in zip(x, weight, strict=True)]


def softmax(scores: Sequence[float], scale: float) -> tuple[list[float], float]:
    """Numerators and denominator."""
    scaled = [f32(s * scale) for s in scores]
    top = max(scaled)
    e = [exp(f32(s - top)) for s in scaled]
    return e, plain_sum(e)


def mix(e: Sequence[float], values: Sequence[Sequence[float]], den: float) -> list[float]:
    """The weighted mean of value rows: a chain per block of 256 positions, then one division."""
    out = []
    for d in range(len(values[0])):
        total = 0.0
        for first in range(0, len(e), BLOCK):
            a = 0.0
            for j in range(first, min(first + BLOCK, len(e))):
                a = fma(e[j], values[j][d], a)
            total = f32(total + a)
        out.append(f32(total / den))
    return out


def rope(head: Sequence[float], cosines: Sequence[float], sines: Sequence[float]) -> list[float]:
    half = len(head) // 2
    low, high = head[:half], head[half:]
    turned = [fma(a, c, -f32(b * s)) for a, b, c, s in zip(low, high, cosines, sines, strict=True)]
    return turned + [
        fma(b, c, f32(a * s)) for a, b, c, s in zip(low, high, cosines, sines, strict=True)
    ]


_SIN: Final = (
    1.58969099521155010221e-10,
    -2.50507602534068634195e-08,
    2.75573137070700676789e-06,
    -1.98412698298579493134e-04,
    8.33333333332248946124e-03,
    -1.66666666666666324348e-01,
)
_COS: Final = (
    -1.13596475577881948265e-11,
    2.08757232129817482790e-09,
    -2.75573143513906633035e-07,
    2.48015872894767294178e-05,
    -1.38888888888741095749e-03,
    4.16666666666666019037e-02,
)
_TWO_OVER_PI: Final = float.fromhex("0x1.45f306dc9c883p-1")
_PI_HALVES: Final = tuple(
    float.fromhex(c) for c in ("0x1.921fb544p+0", "0x1.0b4611a6p-34", "0x1.3198a2e037073p-69")
)


def cos_sin(x: float) -> tuple[float, float]:
    """cos and sin of x >= 0 by plain binary64 operations, so that no libm has a say; rounded."""
    n = int(x * _TWO_OVER_PI + 0.5)
    r = x
    for part in _PI_HALVES:
        r = r - n * part
    z = r * r
    p = _SIN[0]
    for c in _SIN[1:]:
        p = p * z + c
    s = r + (z * r) * p
    p = _COS[0]
    for c in _COS[1:]:
        p = p * z + c
    c = 1.0 - (0.5 * z - (z * z) * p)
    cos_x, sin_x = ((c, s), (-s, c), (-c, -s), (s, -c))[n % 4]
    return f32(cos_x), f32(sin_x)


def rope_table(
    inv_freq: Sequence[float], first: int, count: int
) -> tuple[array[float], array[float]]:
    """Rows of cosines and sines for `count` positions from `first` on."""
    cosines, sines = array("f"), array("f")
    for position in range(first, first + count):
        for frequency in inv_freq:
            c, s = cos_sin(float(position) * frequency)
            cosines.append(c)
            sines.append(s)
    return cosines, sines


def widen(data: bytes | bytearray | memoryview, number_format: int) -> list[float]:
    """Little-endian binary32 (0), bfloat16 (1) or binary16 (2); ValueError unless finite."""
    raw = bytes(data)
    if number_format == 0:
        values = list(struct.unpack(f"<{len(raw) // 4}f", raw))
    elif number_format == 1:
        spread = bytearray(2 * len(raw))
        spread[2::4], spread[3::4] = raw[0::2], raw[1::2]
        values = list(struct.unpack(f"<{len(raw) // 2}f", spread))
    else:
        values = list(struct.unpack(f"<{len(raw) // 2}e", raw))
    if not all(map(math.isfinite, values)):
        raise ValueError("weights must be finite")
    return values
