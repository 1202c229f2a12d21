"""keccak-256: published vectors and random messages on every path."""

from __future__ import annotations

import json
import random
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infera_ext import (
    keccak256,
    keccak256_equal,
    keccak256_many,
    keccak256_offsets,
    pure,
)

from . import oracle
from .conftest import native_module

VECTORS = Path(__file__).parents[1] / "vectors"
CASES = [
    (bytes.fromhex(case["message"]), bytes.fromhex(case["digest"]))
    for case in json.loads((VECTORS / "keccak256.json").read_text())["cases"]
]


@pytest.mark.usefixtures("path")
class TestEveryPath:
    def test_published_vectors_one_by_one(self) -> None:
        for message, digest in CASES:
            assert keccak256(message) == digest

    def test_published_vectors_together(self) -> None:
        assert keccak256_many([message for message, _ in CASES]) == [d for _, d in CASES]

    def test_published_vectors_in_any_lane(self) -> None:
        # Unequal lengths side by side: each lane starts and ends on its own.
        order = random.Random(1)
        for _ in range(20):
            cases = order.sample(CASES, order.randrange(1, len(CASES)))
            assert keccak256_many([message for message, _ in cases]) == [d for _, d in cases]

    @pytest.mark.parametrize("size", [1, 64, 135, 136, 137, 271, 272, 300])
    def test_equal_sizes_around_the_block_length(self, size: int, path: str) -> None:
        for count in (0, 1, 2, 3, 7, 8, 9, 17) if path != "pure" else (0, 1, 9):
            data = random.Random(size).randbytes(size * count)
            expected = [oracle.keccak256(data[i * size : (i + 1) * size]) for i in range(count)]
            assert keccak256_equal(data, size) == b"".join(expected)

    @settings(max_examples=40)
    @given(messages=st.lists(st.binary(max_size=420), max_size=20))
    def test_many_messages_of_any_length(self, messages: list[bytes]) -> None:
        assert keccak256_many(messages) == [oracle.keccak256(message) for message in messages]

    def test_a_long_message_beside_short_ones(self) -> None:
        messages = [b"a", bytes(3000), b"", b"b" * 135, b"c"]
        assert keccak256_many(messages) == [oracle.keccak256(message) for message in messages]

    def test_offsets_may_skip_and_repeat_nothing(self) -> None:
        data = bytes(range(200))
        packed = keccak256_offsets(data, [10, 10, 150, 200])
        expected = [b"", data[10:150], data[150:200]]
        assert packed == b"".join(oracle.keccak256(message) for message in expected)
        assert keccak256_offsets(data, [7]) == b""

    @pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
    def test_any_contiguous_buffer(self, make: Any) -> None:
        assert keccak256(make(b"infera")) == oracle.keccak256(b"infera")
        assert keccak256_many([make(b"infera")]) == [oracle.keccak256(b"infera")]
        words = memoryview(array("Q", [1, 2, 3]))
        assert keccak256(words) == oracle.keccak256(bytes(words))
        assert keccak256_many([words, b"x"])[0] == oracle.keccak256(bytes(words))


@settings(max_examples=25)
@given(
    data=st.binary(max_size=900),
    cuts=st.lists(st.integers(0, 900), max_size=12),
    tag=st.sampled_from([-1, 0, 1, 255]),
)
def test_the_twin_and_c_agree(data: bytes, cuts: list[int], tag: int) -> None:
    native = native_module()
    offsets = array("Q", sorted(min(cut, len(data)) for cut in [*cuts, 0]))
    assert native.hash_offsets(data, offsets, tag) == pure.hash_offsets(data, offsets, tag)
    if data:
        size = 1 + len(data) // 7
        count = len(data) // size
        assert native.hash_equal(data, size, count, tag) == pure.hash_equal(data, size, count, tag)


class TestErrors:
    @pytest.mark.parametrize("wrong", ["text", None, 3, [1, 2], 1.5])
    def test_only_bytes_are_hashed(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match="data must be bytes, bytearray or memoryview"):
            keccak256(wrong)

    @pytest.mark.parametrize("wrong", ["text", array("I", [1, 2]), [65]])
    def test_a_message_that_is_not_bytes(self, wrong: Any) -> None:
        with pytest.raises(TypeError):
            keccak256_many([b"fine", wrong])

    def test_a_buffer_with_gaps(self) -> None:
        with pytest.raises(ValueError, match="contiguous"):
            keccak256(memoryview(b"abcdef")[::2])

    def test_no_whole_number_of_messages(self) -> None:
        with pytest.raises(ValueError, match="7 bytes are no whole number of messages of 3 bytes"):
            keccak256_equal(b"1234567", 3)

    @pytest.mark.parametrize("size", [0, -1])
    def test_a_size_below_one(self, size: int) -> None:
        with pytest.raises(ValueError, match="at least 1 byte"):
            keccak256_equal(b"", size)

    @pytest.mark.parametrize("size", [1.0, True, "1", None])
    def test_a_size_that_is_no_int(self, size: Any) -> None:
        with pytest.raises(TypeError, match="must be an int"):
            keccak256_equal(b"abc", size)

    @pytest.mark.parametrize(
        ("offsets", "message"),
        [
            ([], "one entry more"),
            ([0, 4], "the last offset is 4, but there are 3 bytes"),
            ([0, 2, 1, 3], "entry 2 is 1 after 2"),
            ([-1, 3], "between 0 and"),
            ([0, 2**64], "between 0 and"),
        ],
    )
    def test_offsets_out_of_bounds(self, offsets: list[int], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            keccak256_offsets(b"abc", offsets)

    def test_offsets_that_are_no_ints(self) -> None:
        with pytest.raises(TypeError):
            keccak256_offsets(b"abc", [0, 1.5])  # type: ignore[list-item]
