"""Whole decoders: no bit depends on the CPU path, the threads or how a prompt is cut."""

from __future__ import annotations

import itertools
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import infera_ext
from infera_ext import ca1
from infera_ext.ca1 import Ca1Error, Format, Model, Session, Shape, Slot
from infera_plugins.engines.exact import selftest
from infera_plugins.engines.exact.selftest import Numbers, random_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATHS: dict[str, list[str]] = {"portable": [], "avx2": ["avx2"], "avx512": ["avx2", "avx512"]}
SMALL = Shape(61, 24, 40, 2, 6, 3, 8, 400, 1e-5, True, Format.F32)

needs_native = pytest.mark.skipif(ca1.lib is None, reason=infera_ext.backend().reason)


@pytest.fixture(autouse=True)
def unlimited() -> Iterator[None]:
    yield
    infera_ext.cpu_limit(None)


def available() -> list[str]:
    have = infera_ext.cpu_detected()
    return [name for name, sets in PATHS.items() if have.issuperset(sets)]


def run(model: Model, tokens: Sequence[int], cuts: Sequence[int], threads: int = 1) -> bytes:
    session = Session(model, len(tokens), threads)
    for start, end in itertools.pairwise([0, *sorted(cuts), len(tokens)]):
        if start < end:
            logits = session.forward(tokens[start:end])
    assert len(session) == len(tokens)
    return logits.tobytes()


@needs_native
@pytest.mark.parametrize(
    "shape",
    [
        SMALL,
        replace(SMALL, format=Format.BF16),
        Shape(33, 272, 17, 1, 2, 1, 24, 64, 1e-6, False, Format.BF16),
        Shape(16, 8, 8, 1, 1, 1, 8, 64, 1e-6, False, Format.F32),
        Shape(40, 40, 264, 1, 10, 2, 16, 64, 1e-6, True, Format.F32),
    ],
    ids=lambda s: f"{s.hidden}x{s.heads}/{s.kv_heads}-{s.format.name.lower()}",
)
def test_every_path_equals_the_twin(shape: Shape) -> None:
    tokens = Numbers(9).tokens(17, shape.vocab)
    wanted = run(random_model(shape, 5, bias=True, twin=True), tokens, ())
    model = random_model(shape, 5, bias=True)
    for path in available():
        infera_ext.cpu_limit(PATHS[path])
        assert ca1.kernels() == path
        assert run(model, tokens, ()) == wanted
        assert run(model, tokens, range(1, 17)) == wanted
        assert run(model, tokens, (5, 12), threads=3) == wanted


@needs_native
@settings(max_examples=20, deadline=None)
@given(
    heads=st.sampled_from([(1, 1), (4, 2), (6, 1), (5, 5), (14, 2)]),
    head_dim=st.sampled_from([8, 16, 40]),
    hidden=st.integers(1, 70),
    inner=st.integers(1, 70),
    bf16=st.booleans(),
    length=st.integers(1, 330),
    cuts=st.lists(st.integers(0, 330), max_size=4),
    threads=st.integers(1, 4),
)
def test_paths_chunks_and_threads_agree(
    heads: tuple[int, int],
    head_dim: int,
    hidden: int,
    inner: int,
    bf16: bool,
    length: int,
    cuts: list[int],
    threads: int,
) -> None:
    kind = Format.BF16 if bf16 else Format.F32
    shape = Shape(23, hidden, inner, 1, *heads, head_dim, 400, 1e-5, False, kind)
    model = random_model(shape, length)
    tokens = Numbers(length).tokens(length, 23)
    results = set()
    for path in available():
        infera_ext.cpu_limit(PATHS[path])
        results.add(run(model, tokens, ()))
        results.add(run(model, tokens, [min(c, length) for c in cuts], threads))
    assert len(results) == 1


@needs_native
def test_threads_of_one_model_do_not_disturb_each_other() -> None:
    from concurrent.futures import ThreadPoolExecutor

    model = random_model(SMALL, 1)
    tokens = Numbers(1).tokens(60, SMALL.vocab)
    wanted = run(model, tokens, ())
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda cut: run(model, tokens, (cut,)), range(40)))
    assert set(results) == {wanted}


def test_truncation_forgets() -> None:
    model = random_model(SMALL, 2)
    session = Session(model, 50)
    session.forward([1, 2, 3, 4])
    session.truncate(2)
    assert len(session) == 2
    assert session.forward([7, 8]).tobytes() == run(model, [1, 2, 7, 8], ())


@pytest.mark.parametrize("twin", [False, True])
def test_refusals(twin: bool) -> None:
    model = random_model(SMALL, 2, twin=twin)
    session = Session(model, 4)
    for tokens in ([61], [-1], []):
        with pytest.raises(Ca1Error, match="vocabulary"):
            session.forward(tokens)
    with pytest.raises(Ca1Error, match="longer"):
        session.forward([1, 2, 3, 4, 5])
    assert len(session) == 0
    assert session.forward([1, 2], logits=False) is None
    with pytest.raises(Ca1Error, match="longer"):
        Session(model, 401)
    with pytest.raises(Ca1Error, match="size"):
        model.set(Slot.Q, 0, b"\0" * 4, Format.F32)
    bad = array("f", [float("inf")] * SMALL.size(Slot.NORM))
    with pytest.raises(Ca1Error, match="finite"):
        model.set(Slot.NORM, 0, bad, Format.F32)


@needs_native
def test_refusals_of_the_library() -> None:
    with pytest.raises(Ca1Error, match="missing"):
        Session(Model(SMALL), 4)
    with pytest.raises(Ca1Error, match="does not define"):
        Model(replace(SMALL, head_dim=12))
    rounds = array("f", [1.0 + 2**-20] * SMALL.size(Slot.Q))
    with pytest.raises(Ca1Error, match="round"):
        Model(replace(SMALL, format=Format.BF16)).set(Slot.Q, 0, rounds, Format.F32)


@pytest.mark.parametrize("twin", [False, True])
def test_overflow_is_an_error_and_not_a_token(twin: bool) -> None:
    model = random_model(SMALL, 2, twin=twin)
    huge = array("f", [3e38] * SMALL.size(Slot.DOWN))
    model.set(Slot.DOWN, 0, huge, Format.F32)
    with pytest.raises(Ca1Error, match="overflowed"):
        Session(model, 4).forward([1])


def test_half_precision_weights_widen_exactly() -> None:
    import struct

    words = list(range(0, 0x7C00, 37)) + list(range(0x8000, 0xFC00, 41))
    shape = Shape(len(words), 1, 1, 1, 1, 1, 8, 8, 1e-5, False, Format.F32)
    raw = struct.pack(f"<{len(words)}H", *words)
    wide = struct.pack(f"<{len(words)}f", *struct.unpack(f"<{len(words)}e", raw))
    results = []
    for data, kind in ((raw, Format.F16), (wide, Format.F32)):
        model = random_model(shape, 3)
        model.set(Slot.HEAD, 0, data, kind)
        results.append(run(model, [0, 5], ()))
    assert results[0] == results[1]


def test_selftest_finds_the_published_digests() -> None:
    for path, digests in selftest.run().items():
        assert digests == selftest.EXPECTED, path


@needs_native
def test_twin_finds_the_published_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca1, "lib", None)
    assert selftest.digests() == selftest.EXPECTED
