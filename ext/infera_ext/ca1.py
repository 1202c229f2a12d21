"""Decoders in canonical arithmetic CA-1 (docs/arithmetic.md): the C library or its twin, typed.

    model = Model(shape)
    model.set(Slot.EMBED, 0, data, Format.BF16)     # ... every tensor
    model.set_rope(inv_freq)
    session = Session(model, capacity=512)
    logits = session.forward([1, 2, 3])             # array("f"), after the last token

A session belongs to one thread at a time; a model may be shared.  C calls release the GIL.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, overload

from infera_ext import ca1_reference as ref
from infera_ext._backend import active
from infera_ext.ca1_twin import TwinModel, TwinSession

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Buffer: TypeAlias = bytes | bytearray | memoryview | array[float]

ffi: Any = None
lib: Any = None
if active.NAME == "native":
    from infera_ext._native import ffi, lib

VERSION: Final = 1


class Format(IntEnum):
    """Number formats of weights."""

    F32 = 0
    BF16 = 1
    F16 = 2


class Slot(IntEnum):
    """The tensors of a model; the first three belong to no layer."""

    EMBED = 0
    HEAD = 1
    NORM = 2
    ATTN_NORM = 3
    MLP_NORM = 4
    Q = 5
    K = 6
    V = 7
    O = 8  # noqa: E741
    GATE = 9
    UP = 10
    DOWN = 11
    Q_BIAS = 12
    K_BIAS = 13
    V_BIAS = 14


_WHY: Final = {
    1: "not enough memory",
    2: "a size or number that CA-1 does not define, or that packing would round",
    3: "a number overflowed or is not finite",
    4: "a token outside the vocabulary",
    5: "the sequence is longer than the session",
    6: "a tensor is missing",
}


class Ca1Error(ValueError):
    """CA-1 refused; `status` is the code of cdef/ca1.h."""

    def __init__(self, status: int) -> None:
        super().__init__(_WHY.get(status, f"status {status}"))
        self.status = status


def _check(status: int) -> None:
    if status:
        raise Ca1Error(status)


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes and constants of a decoder. `scale` follows from `head_dim`."""

    vocab: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int
    eps: float
    tied: bool
    format: Format
    scale: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "eps", ref.f32(self.eps))
        object.__setattr__(self, "scale", ref.f32(self.head_dim**-0.5))

    def size(self, slot: Slot) -> int:
        """How many numbers a tensor has."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            Slot.EMBED: self.vocab * self.hidden,
            Slot.HEAD: self.vocab * self.hidden,
            Slot.Q: q * self.hidden,
            Slot.K: kv * self.hidden,
            Slot.V: kv * self.hidden,
            Slot.O: self.hidden * q,
            Slot.Q_BIAS: q,
            Slot.K_BIAS: kv,
            Slot.V_BIAS: kv,
            Slot.GATE: self.intermediate * self.hidden,
            Slot.UP: self.intermediate * self.hidden,
            Slot.DOWN: self.hidden * self.intermediate,
        }.get(slot, self.hidden)


def kernels() -> str:
    """What a call made now would run on: "avx512", "avx2", "portable", or "python" for the twin."""
    return ffi.string(lib.ca1_kernels()).decode() if lib else "python"


def rope_table(
    inv_freq: Sequence[float], first: int, count: int
) -> tuple[array[float], array[float]]:
    """Cosines and sines, a row per position; bits of every entry are defined by CA-1."""
    if lib is None:
        return ref.rope_table(inv_freq, first, count)
    size = len(inv_freq) * count
    cosines, sines = array("f", bytes(4 * size)), array("f", bytes(4 * size))
    frequencies = ffi.new("double[]", list(inv_freq))
    out = ffi.from_buffer("float[]", cosines), ffi.from_buffer("float[]", sines)
    lib.ca1_rope_table(frequencies, len(inv_freq), first, count, *out)
    return cosines, sines


def exp(x: Any, out: Any) -> None:
    """CA-1's exp of every number in a binary32 buffer, into another."""
    if lib is None:
        source, target = memoryview(x).cast("B").cast("f"), memoryview(out).cast("B").cast("f")
        for i, value in enumerate(source):
            target[i] = ref.exp(value)
    else:
        source, target = ffi.from_buffer("float[]", x), ffi.from_buffer("float[]", out)
        if len(source) != len(target):
            raise Ca1Error(2)
        lib.ca1_op_exp(source, target, len(source))


def matmul(
    w: Buffer, number_format: Format, rows: int, k: int, x: array[float], tokens: int
) -> array[float]:
    """Dot of every row of w (rows x k, F32 or BF16) with every row of x: tokens x rows numbers."""
    wide = 4 if number_format == Format.F32 else 2
    if memoryview(w).nbytes != rows * k * wide or len(x) != tokens * k:
        raise Ca1Error(2)
    if lib is None:
        flat = ref.widen(memoryview(w).cast("B"), number_format)
        matrix = [flat[i : i + k] for i in range(0, rows * k, k)]
        inputs = [x[i : i + k] for i in range(0, tokens * k, k)]
        return array("f", [ref.dot(row, column) for column in inputs for row in matrix])
    y = array("f", bytes(4 * rows * tokens))
    source, column = ffi.from_buffer(w), ffi.from_buffer("float[]", x)
    out = ffi.from_buffer("float[]", y)
    _check(lib.ca1_op_matmul(source, number_format, rows, k, column, tokens, out))
    return y


class Model:
    """The weights of a decoder. `twin=True` asks for the pure-Python implementation."""

    def __init__(self, shape: Shape, *, twin: bool = False) -> None:
        self.shape = shape
        self._twin = TwinModel(shape) if twin or lib is None else None
        self._c: Any = None
        if self._twin is None:
            config = ffi.new("ca1_config *")
            for name in ("vocab", "hidden", "intermediate", "layers", "heads", "kv_heads"):
                setattr(config, name, getattr(shape, name))
            config.head_dim, config.context, config.format = (
                shape.head_dim,
                shape.context,
                shape.format,
            )
            config.tied, config.eps, config.scale = shape.tied, shape.eps, shape.scale
            status = ffi.new("int *")
            made = lib.ca1_model_new(config, status)
            _check(status[0])
            self._c = ffi.gc(made, lib.ca1_model_free, lib.ca1_model_bytes(made))

    def set(self, slot: Slot, layer: int, data: Buffer, number_format: Format) -> None:
        """Take one tensor: row-major little-endian numbers."""
        view = memoryview(data).cast("B")
        count = view.nbytes // (4 if number_format == Format.F32 else 2)
        if count != self.shape.size(slot):
            raise Ca1Error(2)
        if self._twin is not None:
            try:
                self._twin.tensors[slot, layer] = ref.widen(view, number_format)
            except ValueError:
                raise Ca1Error(3) from None
        else:
            source = ffi.from_buffer(view)
            _check(lib.ca1_model_set(self._c, slot, layer, source, number_format, count))

    def set_rope(self, cosines: array[float], sines: array[float]) -> None:
        """Take the rotary table: `context` rows of `head_dim / 2`."""
        if not len(cosines) == len(sines) == self.shape.context * (self.shape.head_dim // 2):
            raise Ca1Error(2)
        if self._twin is not None:
            self._twin.cosines, self._twin.sines = cosines, sines
        else:
            out = ffi.from_buffer("float[]", cosines), ffi.from_buffer("float[]", sines)
            _check(lib.ca1_model_set_rope(self._c, *out))

    @property
    def nbytes(self) -> int:
        """Memory held by the weights (0 for the twin)."""
        return int(lib.ca1_model_bytes(self._c)) if self._c is not None else 0


class Session:
    """A key-value cache of `capacity` positions and the scratch memory of a forward pass."""

    def __init__(self, model: Model, capacity: int, threads: int = 1) -> None:
        self.model = model  # keeps the weights alive
        self.capacity = capacity
        self._twin: TwinSession | None = None
        self._c: Any = None
        if model._twin is not None:
            if not 0 < capacity <= model.shape.context:
                raise Ca1Error(5)
            self._twin = TwinSession(model._twin)
        else:
            status = ffi.new("int *")
            made = lib.ca1_session_new(model._c, capacity, threads, status)
            _check(status[0])
            self._c = ffi.gc(made, lib.ca1_session_free, lib.ca1_session_bytes(made))

    def __len__(self) -> int:
        if self._twin is not None:
            return self._twin.length
        return int(lib.ca1_session_length(self._c))

    def truncate(self, length: int) -> None:
        """Forget all positions from `length` on."""
        if self._twin is not None:
            self._twin.truncate(length)
        else:
            lib.ca1_session_truncate(self._c, length)

    def close(self) -> None:
        """Give the memory back now."""
        if self._c is not None:
            ffi.release(self._c)
            self._c = None

    @overload
    def forward(self, tokens: Sequence[int]) -> array[float]: ...
    @overload
    def forward(self, tokens: Sequence[int], *, logits: bool) -> array[float] | None: ...

    def forward(self, tokens: Sequence[int], *, logits: bool = True) -> array[float] | None:
        """Append tokens; the logits after the last one, unless they are not wanted."""
        vocab = self.model.shape.vocab
        if not tokens or min(tokens) < 0 or max(tokens) >= vocab:
            raise Ca1Error(4)
        if self._twin is not None:
            if len(self) + len(tokens) > self.capacity:
                raise Ca1Error(5)
            result = self._twin.forward(tokens)
            if result is None:
                raise Ca1Error(3)
            return result if logits else None
        ids = ffi.from_buffer("uint32_t[]", array("I", tokens))
        if not logits:
            _check(lib.ca1_forward(self._c, ids, len(tokens), ffi.NULL))
            return None
        wanted = array("f", bytes(4 * vocab))
        _check(lib.ca1_forward(self._c, ids, len(tokens), ffi.from_buffer("float[]", wanted)))
        return wanted
