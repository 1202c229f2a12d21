"""Tokens a second: `python -m infera_plugins.engines.exact.bench`, by kernels and weight type.

With `--torch`, the same decoder in torch fp32 (key-value cache, one thread) runs beside it.
"""

from __future__ import annotations

import argparse
import random
import struct
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from infera_ext import cpu_detected, cpu_limit
from infera_ext.ca1 import Format, Model, Session, Shape, Slot, kernels, rope_table

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES = {
    "first-light": Shape(2048, 192, 512, 6, 6, 2, 32, 1024, 1e-5, True, Format.F32),
    "15M": Shape(32000, 288, 768, 6, 6, 6, 48, 1024, 1e-5, True, Format.F32),
    "110M": Shape(32000, 768, 2048, 12, 12, 12, 64, 1024, 1e-5, True, Format.F32),
}
_PROMPT = 256
_WINDOW = 16


def build(shape: Shape) -> Model:
    """A model whose tensors are a short random pattern, repeated."""
    generator = random.Random(0)  # noqa: S311
    pattern = [generator.uniform(-0.05, 0.05) for _ in range(4099)]
    if shape.format == Format.F32:
        raw, width = struct.pack(f"<{len(pattern)}f", *pattern), 4
    else:
        raw, width = b"".join(struct.pack("<f", v)[2:] for v in pattern), 2
    model = Model(shape)
    for slot in Slot:
        if (slot == Slot.HEAD and shape.tied) or slot >= Slot.Q_BIAS:
            continue
        size = shape.size(slot) * width
        data = (raw * (size // len(raw) + 1))[:size]
        for layer in range(shape.layers if slot > Slot.NORM else 1):
            model.set(slot, layer, data, shape.format)
    half = shape.head_dim // 2
    model.set_rope(*rope_table([10000.0 ** (-i / half) for i in range(half)], 0, shape.context))
    return model


@dataclass(slots=True)
class Runner:
    """One contender and the best it has done so far."""

    name: str
    forward: Callable[[list[int]], object]
    truncate: Callable[[int], object]
    sets: tuple[str, ...] | None = None
    prefill: float = 0.0
    decode: float = 0.0

    def round(self, prompt: list[int]) -> None:
        """Read a prompt, then go on from 32 tokens; the better of this and earlier rounds stays."""
        cpu_limit(self.sets)
        self.truncate(0)
        start = perf_counter()
        self.forward(prompt)
        self.prefill = max(self.prefill, len(prompt) / (perf_counter() - start))
        self.truncate(32)
        for _ in range(3):
            start = perf_counter()
            for token in prompt[:_WINDOW]:
                self.forward([token])
            self.decode = max(self.decode, _WINDOW / (perf_counter() - start))
        cpu_limit(None)


def ours(shape: Shape, threads: int) -> list[Runner]:
    """A runner per weight type and instruction set."""
    have = cpu_detected()
    runners = []
    for number_format in (Format.F32, Format.BF16):
        model = build(replace(shape, format=number_format))
        for sets in (("avx2",), ("avx2", "avx512")) if have else ((),):
            if have.issuperset(sets):
                session = Session(model, shape.context, threads)
                name = f"{number_format.name.lower()} {sets[-1] if sets else kernels()}"
                runners.append(Runner(name, session.forward, session.truncate, sets))
    return runners


def theirs(shape: Shape, threads: int) -> Runner:
    """torch fp32: the same sizes and a preallocated cache."""
    import importlib

    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    decoder = _TorchDecoder(torch, shape)
    return Runner("torch fp32", torch.inference_mode()(decoder.forward), decoder.truncate)


class _TorchDecoder:
    def __init__(self, torch: Any, shape: Shape) -> None:
        self.torch, self.shape, self.length = torch, shape, 0
        self.functional = torch.nn.functional

        def new(*size: int) -> Any:
            return torch.rand(*size) * 0.1 - 0.05

        hidden, inner = shape.hidden, shape.intermediate
        q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self.embed = new(shape.vocab, hidden)
        sizes = ((q + 2 * kv, hidden), (hidden, q), (2 * inner, hidden), (hidden, inner))
        self.layers = [[new(*size) for size in sizes] for _ in range(shape.layers)]
        cache = (shape.layers, 1, shape.kv_heads, shape.context, shape.head_dim)
        self.keys, self.values = torch.zeros(cache), torch.zeros(cache)
        half = shape.head_dim // 2
        steps = torch.arange(half) / half
        angles = torch.outer(torch.arange(shape.context), 10000.0**-steps)
        self.cosines, self.sines = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)
        self.ones = torch.ones(hidden)

    def truncate(self, length: int) -> None:
        self.length = min(length, self.length)

    def forward(self, tokens: list[int]) -> Any:
        torch, shape, f = self.torch, self.shape, self.functional
        n, start = len(tokens), self.length
        end = start + n
        norm = (shape.hidden,)
        x = self.embed[torch.tensor(tokens)]
        cosines, sines = self.cosines[start:end], self.sines[start:end]
        split = [w * shape.head_dim for w in (shape.heads, shape.kv_heads, shape.kv_heads)]

        def rotate(y: Any) -> Any:
            low, high = y.chunk(2, -1)
            return y * cosines + torch.cat((-high, low), -1) * sines

        for i, (qkv, o, gate_up, down) in enumerate(self.layers):
            parts = f.linear(f.rms_norm(x, norm, self.ones, shape.eps), qkv).split(split, -1)
            q, k, v = (p.view(1, n, -1, shape.head_dim).transpose(1, 2) for p in parts)
            self.keys[i, :, :, start:end] = rotate(k)
            self.values[i, :, :, start:end] = v
            mixed = f.scaled_dot_product_attention(
                rotate(q),
                self.keys[i, :, :, :end],
                self.values[i, :, :, :end],
                is_causal=n > 1,
                enable_gqa=shape.heads != shape.kv_heads,
            )
            x = x + f.linear(mixed.transpose(1, 2).reshape(n, -1), o)
            gate, up = f.linear(f.rms_norm(x, norm, self.ones, shape.eps), gate_up).chunk(2, -1)
            x = x + f.linear(f.silu(gate) * up, down)
        self.length = end
        return f.linear(f.rms_norm(x[-1:], norm, self.ones, shape.eps), self.embed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", action="store_true", help="compare with torch fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    options = parser.parse_args()
    for name in options.shapes:
        shape = SHAPES[name]
        base = theirs(shape, options.threads) if options.torch else None
        runners = ([base] if base else []) + ours(shape, options.threads)
        generator = random.Random(1)  # noqa: S311
        prompt = [generator.randrange(shape.vocab) for _ in range(_PROMPT)]
        for _ in range(
            options.rounds
        ):  # in turns, so that other load on the machine hits all alike
            for runner in runners:
                runner.round(prompt)
        for runner in runners:
            line = f"{name:12} {runner.name:12} prefill {runner.prefill:8.0f}"
            line += f"  decode {runner.decode:8.1f}"
            if base:
                ratio = runner.prefill / base.prefill, runner.decode / base.decode
                line += f"   x torch: {ratio[0]:.2f} {ratio[1]:.2f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
