"""Single operations of CA-1: the twin is exact, and every forced CPU path equals it bit for bit."""

from __future__ import annotations

import math
import struct
from array import array
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import infera_ext
from infera_ext import ca1
from infera_ext import ca1_reference as ref
from infera_ext.ca1 import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATHS: dict[str, list[str]] = {"portable": [], "avx2": ["avx2"], "avx512": ["avx2", "avx512"]}

words = st.integers(0, 0xFFFFFFFF).filter(lambda w: w & 0x7F800000 != 0x7F800000)
any_finite = words.map(lambda w: ref.from_bits(w))
moderate = st.floats(-64.0, 64.0, width=32)
quick = settings(max_examples=40, deadline=None)


@pytest.fixture(scope="module", params=list(PATHS))
def lib(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The C library on one forced path."""
    if ca1.lib is None:
        pytest.skip(infera_ext.backend().reason)
    try:
        if infera_ext.cpu_limit(PATHS[request.param]) != frozenset(PATHS[request.param]):
            pytest.skip(f"this processor or build has no {request.param}")
        assert ca1.kernels() == request.param
        yield ca1.lib
    finally:
        infera_ext.cpu_limit(None)


def floats(values: list[float]) -> Any:
    return ca1.ffi.new("float[]", values)


def read(pointer: Any, count: int) -> list[int]:
    """Bits of what C wrote."""
    return list(struct.unpack(f"<{count}I", ca1.ffi.buffer(pointer, 4 * count)))


def call(fn: Callable[..., object], inputs: list[Any], count: int, room: int = 0) -> list[int]:
    out = ca1.ffi.new("float[]", max(count, room))
    fn(*inputs, out, count)
    return read(out, count)


def exact(a: float, b: float, c: float) -> Fraction:
    return Fraction(a) * Fraction(b) + Fraction(c)


def assert_rounded(got: float, wanted: Fraction) -> None:
    """`got` is the binary32 number nearest to `wanted`, ties to even."""
    limit = Fraction(2) ** 128 - Fraction(2) ** 103  # from here on it is infinity
    if abs(wanted) >= limit:
        assert math.isinf(got)
        return
    assert math.isfinite(got)
    bits = ref.bits(got)
    neighbours = [
        Fraction(ref.from_bits(w))
        for w in ((bits & 0x7FFFFFFF) + 1, (bits & 0x7FFFFFFF) - 1)
        if 0 <= w < 0x7F800000
    ]
    sign = -1 if bits >> 31 else 1
    distance = abs(Fraction(got) - wanted)
    for neighbour in neighbours:
        other = abs(sign * neighbour - wanted)
        assert distance <= other
        if distance == other:
            assert bits % 2 == 0


#: Sums that sit next to a tie: rounding to binary64 first would lose the last bit.
TIES = [
    (float.fromhex("0x1.000002p+0"), float.fromhex("0x1.000002p+0"), float.fromhex("0x1p-60")),
    (float.fromhex("0x1p-75"), float.fromhex("0x1p-75"), float.fromhex("0x1p-149")),
    (
        float.fromhex("0x1.000002p-75"),
        float.fromhex("0x1.fffffcp-76"),
        float.fromhex("0x1.fffffep-127"),
    ),
    (float.fromhex("0x1.fffffep63"), float.fromhex("0x1.000002p64"), float.fromhex("-0x1p90")),
    (float.fromhex("0x1.8p-100"), float.fromhex("-0x1.8p-49"), float.fromhex("0x1p-126")),
]


@pytest.mark.parametrize("operands", TIES)
def test_fma_of_twin_is_exact_next_to_ties(operands: tuple[float, float, float]) -> None:
    assert_rounded(ref.fma(*operands), exact(*operands))


@settings(max_examples=400, deadline=None)
@given(any_finite, any_finite, any_finite)
def test_fma_of_twin_is_exact(a: float, b: float, c: float) -> None:
    assert_rounded(ref.fma(a, b, c), exact(a, b, c))


@settings(max_examples=300, deadline=None)
@given(any_finite, any_finite, st.integers(-2, 2))
def test_fma_of_twin_is_exact_where_terms_cancel(a: float, b: float, nudge: int) -> None:
    product = ref.f32(a * b)
    bits = (ref.bits(-product) + nudge) & 0xFFFFFFFF
    if bits & 0x7F800000 != 0x7F800000:
        assert_rounded(ref.fma(a, b, ref.from_bits(bits)), exact(a, b, ref.from_bits(bits)))


@given(rows=st.lists(st.tuples(any_finite, any_finite, any_finite), min_size=1, max_size=40))
@quick
def test_fma_equals_twin(lib: Any, rows: list[tuple[float, float, float]]) -> None:
    rows = rows + TIES
    wanted = [ref.bits(ref.fma(*row)) for row in rows]
    columns = [floats([row[i] for row in rows]) for i in range(3)]
    assert call(lib.ca1_op_fma, columns, len(rows)) == wanted


@given(x=st.lists(any_finite, min_size=1, max_size=70))
@quick
def test_exp_equals_twin(lib: Any, x: list[float]) -> None:
    x = [*x, 0.0, -0.0, 88.0, 89.0, -86.0, -87.0, 1e-40]
    assert call(lib.ca1_op_exp, [floats(x)], len(x)) == [ref.bits(ref.exp(v)) for v in x]


@given(moderate)
@settings(max_examples=300, deadline=None)
def test_exp_is_accurate(x: float) -> None:
    assert ref.exp(x) == pytest.approx(math.exp(x), rel=1.2e-7)


@given(pairs=st.lists(st.tuples(any_finite, moderate), min_size=1, max_size=40))
@quick
def test_silu_equals_twin(lib: Any, pairs: list[tuple[float, float]]) -> None:
    gate, up = [p[0] for p in pairs], [p[1] for p in pairs]
    wanted = [ref.bits(ref.silu(g, u)) for g, u in pairs]
    assert call(lib.ca1_op_silu, [floats(gate), floats(up)], len(pairs)) == wanted


@pytest.mark.parametrize("n", [1, 7, 8, 24, 255, 256, 257, 520])
def test_sum_of_squares_and_norm_equal_twin(lib: Any, n: int) -> None:
    x = [ref.f32(math.sin(i) * 3) for i in range(n)]
    weight = [ref.f32(math.cos(i)) for i in range(n)]
    eps = ref.f32(1e-5)
    assert ref.bits(lib.ca1_op_sumsq(floats(x), n)) == ref.bits(ref.sumsq(x))
    out = ca1.ffi.new("float[]", n)
    lib.ca1_op_rmsnorm(floats(x), floats(weight), eps, out, n)
    assert read(out, n) == [ref.bits(v) for v in ref.rmsnorm(x, weight, eps)]


@pytest.mark.parametrize("n", [1, 15, 16, 17, 255, 256, 300, 513])
def test_softmax_equals_twin(lib: Any, n: int) -> None:
    scores = [ref.f32(math.sin(i * i) * 40) for i in range(n)]
    scale = ref.f32(0.17)
    e, den = ref.softmax(scores, scale)
    out = ca1.ffi.new("float[]", n + 16)
    assert ref.bits(lib.ca1_op_softmax(floats(scores), scale, out, n)) == ref.bits(den)
    assert read(out, n) == [ref.bits(v) for v in e]


@pytest.mark.parametrize("head_dim", [8, 24, 64])
def test_rope_equals_twin(lib: Any, head_dim: int) -> None:
    x = [ref.f32(math.sin(i + 1)) for i in range(2 * head_dim)]
    cosines, sines = ref.rope_table([0.9**i for i in range(head_dim // 2)], 5, 1)
    wanted = ref.rope(x[:head_dim], cosines, sines) + ref.rope(x[head_dim:], cosines, sines)
    inout = floats(x)
    lib.ca1_op_rope(inout, floats(list(cosines)), floats(list(sines)), 2, head_dim)
    assert read(inout, len(x)) == [ref.bits(v) for v in wanted]


@given(
    rows=st.integers(1, 40),
    k=st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 264, 512, 600])),
    tokens=st.integers(1, 26),
    bf16=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_matmul_equals_twin(
    lib: Any, rows: int, k: int, tokens: int, bf16: bool, seed: int
) -> None:
    x = array("f", [ref.f32(math.sin(seed + i) * 2) for i in range(tokens * k)])
    w = array("f", [ref.f32(math.cos(seed + i * i)) for i in range(rows * k)])
    number_format = Format.BF16 if bf16 else Format.F32
    data = b"".join(w.tobytes()[i : i + 2] for i in range(2, 4 * len(w), 4)) if bf16 else w
    got = ca1.matmul(data, number_format, rows, k, x, tokens)
    wide = ref.widen(memoryview(data).cast("B"), number_format)
    for t, r in {(0, 0), (tokens - 1, rows - 1), (tokens // 2, rows // 2), (0, rows - 1)}:
        wanted = ref.dot(wide[r * k : (r + 1) * k], x[t * k : (t + 1) * k])
        assert ref.bits(got[t * rows + r]) == ref.bits(wanted)


def test_rotary_table_equals_twin_and_cosine(lib: Any) -> None:
    frequencies = [1.0, 0.1, 0.01, 3e-5, 1e-9]
    for first in (0, 1000, 131_000):
        got = ca1.rope_table(frequencies, first, 40)
        assert [half.tobytes() for half in got] == [
            half.tobytes() for half in ref.rope_table(frequencies, first, 40)
        ]
        for i, (c, s) in enumerate(zip(*got, strict=True)):
            angle = (first + i // len(frequencies)) * frequencies[i % len(frequencies)]
            assert (c, s) == pytest.approx((math.cos(angle), math.sin(angle)), abs=6e-8)
