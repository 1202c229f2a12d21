"""Digests of CA-1's results on fixed inputs, on every instruction set this machine has."""

from __future__ import annotations

import random
from array import array
from hashlib import sha256
from typing import TYPE_CHECKING

from infera_ext import cpu_detected, cpu_limit
from infera_ext.ca1 import Format, Model, Session, Shape, Slot, exp, kernels, matmul, rope_table

if TYPE_CHECKING:
    from collections.abc import Callable

#: What every machine must find. They change only with CA-1's version.
EXPECTED = {
    "exp": "aaaa0dba8b4a27ffda37f491d606ecef63b68a1a663bb2affed0863533279e60",
    "rope": "c1766f06fb35cd8212e2964f2373b7a855782345fde77e7bdd692d52c6d17704",
    "dot-f32": "1477880c3caf9e8b25fcdd06d1571d1127f6224e3aaa7bb2ae3b360025ae1d61",
    "dot-bf16": "8ba12d40f343fb1db9c1b08b217dc5383cd3fca2823d3f61e713c17611b2e19d",
    "decoder-f32": "6a6b1448f0ff1710857bfcd1f6eed83ac860da5c8e4133b9aa414b5138f655d3",
    "decoder-bf16": "cf74458a183707a943c9a3285f8674aec8fdc2f5fbbced1ca9a3bd678cd014c9",
}

_SHAPES = {
    Format.F32: Shape(97, 48, 80, 2, 6, 2, 16, 64, 1e-5, True, Format.F32),
    Format.BF16: Shape(64, 272, 40, 1, 2, 2, 24, 64, 1e-6, False, Format.BF16),
}


class Numbers:
    """Reproducible numbers: whole multiples of a power of two."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def f32(self, count: int, scale: float = 1.0) -> array[float]:
        """Numbers from -scale to scale, with 24 random bits each."""
        bits = self._random.getrandbits
        return array("f", [(bits(24) - 0x800000) * (scale / 0x800000) for _ in range(count)])

    def bf16(self, count: int, scale: float = 1.0) -> bytes:
        """The same with 8 random bits, as bfloat16."""
        bits = self._random.getrandbits
        numbers = array("f", [(bits(8) - 0x80) * (scale / 0x80) for _ in range(count)])
        return array("H", [word >> 16 for word in array("I", numbers.tobytes())]).tobytes()

    def tokens(self, count: int, vocab: int) -> list[int]:
        return [self._random.randrange(vocab) for _ in range(count)]


def _exp() -> bytes:
    x = Numbers(1).f32(4096, 128.0)
    y = array("f", bytes(4 * len(x)))
    exp(x, y)
    return y.tobytes()


def _dots(number_format: Format) -> bytes:
    numbers = Numbers(2)
    out = b""
    for rows, k, tokens in ((1, 8, 1), (37, 257, 2), (16, 512, 5), (33, 776, 13), (50, 96, 24)):
        if number_format == Format.F32:
            w: array[float] | bytes = numbers.f32(rows * k)
        else:
            w = numbers.bf16(rows * k)
        out += matmul(w, number_format, rows, k, numbers.f32(tokens * k, 4.0), tokens).tobytes()
    return out


def _rope() -> bytes:
    halves = rope_table([1.0, 0.5, 0.0625, 0.001], 0, 700)
    return b"".join(half.tobytes() for half in halves)


def random_model(shape: Shape, seed: int, *, bias: bool = False, twin: bool = False) -> Model:
    """A model of random weights, for tests and timing."""
    numbers = Numbers(seed)
    model = Model(shape, twin=twin)
    for slot in Slot:
        if (slot == Slot.HEAD and shape.tied) or (slot >= Slot.Q_BIAS and not bias):
            continue
        vector = "NORM" in slot.name or "BIAS" in slot.name
        for layer in range(shape.layers if slot > Slot.NORM else 1):
            size = shape.size(slot)
            if shape.format == Format.F32 or vector:
                model.set(slot, layer, numbers.f32(size, 2.0 if vector else 0.25), Format.F32)
            else:
                model.set(slot, layer, numbers.bf16(size, 0.25), Format.BF16)
    model.set_rope(*rope_table([2.0**-i for i in range(shape.head_dim // 2)], 0, shape.context))
    return model


def _decoder(number_format: Format) -> bytes:
    shape = _SHAPES[number_format]
    session = Session(random_model(shape, 3, bias=True), 48)
    out = session.forward(Numbers(4).tokens(40, shape.vocab)).tobytes()
    for token in (5, 6, 7):
        out += session.forward([token]).tobytes()
    return out


VECTORS: dict[str, Callable[[], bytes]] = {
    "exp": _exp,
    "rope": _rope,
    "dot-f32": lambda: _dots(Format.F32),
    "dot-bf16": lambda: _dots(Format.BF16),
    "decoder-f32": lambda: _decoder(Format.F32),
    "decoder-bf16": lambda: _decoder(Format.BF16),
}


def digests() -> dict[str, str]:
    """sha256 of every vector, on the kernels in use."""
    return {name: sha256(make()).hexdigest() for name, make in VECTORS.items()}


def run() -> dict[str, dict[str, str]]:
    """The digests per forced instruction set: "portable", "avx2", "avx512" as far as there are."""
    have = cpu_detected()
    results: dict[str, dict[str, str]] = {}
    try:
        for allowed in ((), ("avx2",), ("avx2", "avx512")):
            if have.issuperset(allowed):
                cpu_limit(allowed)
                results[kernels()] = digests()
    finally:
        cpu_limit(None)
    return results
