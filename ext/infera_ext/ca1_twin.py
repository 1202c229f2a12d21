"""The decoder in pure Python: what :mod:`infera_ext.ca1` runs without the C module."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

from infera_ext import ca1_reference as ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera_ext.ca1 import Shape


class TwinModel:
    """Tensors as lists of binary32 values, by (slot, layer)."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.tensors: dict[tuple[int, int], list[float]] = {}
        self.cosines: Sequence[float] = ()
        self.sines: Sequence[float] = ()

    def rows(self, slot: int, layer: int) -> list[list[float]]:
        """A matrix over `hidden`, `heads * head_dim` or `intermediate` columns as rows."""
        shape = self.shape
        flat = self.tensors[slot, layer]
        columns = {8: shape.heads * shape.head_dim, 11: shape.intermediate}.get(slot, shape.hidden)
        return [flat[i : i + columns] for i in range(0, len(flat), columns)]


class TwinSession:
    """Keys and values as lists: [layer][kv head][position]."""

    def __init__(self, model: TwinModel) -> None:
        shape = model.shape
        self.model = model
        self.keys: list[list[list[list[float]]]] = [
            [[] for _ in range(shape.kv_heads)] for _ in range(shape.layers)
        ]
        self.values: list[list[list[list[float]]]] = [
            [[] for _ in range(shape.kv_heads)] for _ in range(shape.layers)
        ]
        self.length = 0

    def truncate(self, length: int) -> None:
        for cache in (self.keys, self.values):
            for layer in cache:
                for head in layer:
                    del head[length:]
        self.length = min(length, self.length)

    def forward(self, tokens: Sequence[int]) -> array[float] | None:
        """Logits after the last token; None if a number overflowed (nothing is appended then)."""
        before = self.length
        x: list[float] = []
        for token in tokens:
            x = self._token(token)
            if not all(map(math.isfinite, x)):
                self.truncate(before)
                return None
        shape = self.model.shape
        h = ref.rmsnorm(x, self.model.tensors[2, 0], shape.eps)
        head = self.model.rows(0 if shape.tied else 1, 0)
        logits = array("f", [ref.dot(row, h) for row in head])
        if not all(map(math.isfinite, logits)):
            self.truncate(before)
            return None
        return logits

    def _token(self, token: int) -> list[float]:
        shape = self.model.shape
        x = self.model.tensors[0, 0][token * shape.hidden : (token + 1) * shape.hidden]
        for layer in range(shape.layers):
            x = self._layer(x, layer)
        self.length += 1
        return x

    def _linear(self, slot: int, layer: int, x: Sequence[float]) -> list[float]:
        y = [ref.dot(row, x) for row in self.model.rows(slot, layer)]
        bias = self.model.tensors.get((slot + 7, layer)) if slot in (5, 6, 7) else None
        return y if bias is None else [ref.f32(a + b) for a, b in zip(y, bias, strict=True)]

    def _layer(self, x: list[float], layer: int) -> list[float]:
        tensors, shape = self.model.tensors, self.model.shape
        h = ref.rmsnorm(x, tensors[3, layer], shape.eps)
        q, k, v = (self._linear(slot, layer, h) for slot in (5, 6, 7))
        mixed = self._attention(q, k, v, layer)
        x = [ref.f32(a + b) for a, b in zip(x, self._linear(8, layer, mixed), strict=True)]
        h = ref.rmsnorm(x, tensors[4, layer], shape.eps)
        gate, up = self._linear(9, layer, h), self._linear(10, layer, h)
        inner = [ref.silu(g, u) for g, u in zip(gate, up, strict=True)]
        return [ref.f32(a + b) for a, b in zip(x, self._linear(11, layer, inner), strict=True)]

    def _attention(
        self, q: Sequence[float], k: Sequence[float], v: Sequence[float], layer: int
    ) -> list[float]:
        shape = self.model.shape
        d, half = shape.head_dim, shape.head_dim // 2
        cosines = self.model.cosines[self.length * half : (self.length + 1) * half]
        sines = self.model.sines[self.length * half : (self.length + 1) * half]
        for h in range(shape.kv_heads):
            self.keys[layer][h].append(ref.rope(k[h * d : (h + 1) * d], cosines, sines))
            self.values[layer][h].append(list(v[h * d : (h + 1) * d]))
        out: list[float] = []
        for head in range(shape.heads):
            kv = head // (shape.heads // shape.kv_heads)
            query = ref.rope(q[head * d : (head + 1) * d], cosines, sines)
            scores = [ref.dot(key, query) for key in self.keys[layer][kv]]
            e, den = ref.softmax(scores, shape.scale)
            out += ref.mix(e, self.values[layer][kv], den)
        return out
