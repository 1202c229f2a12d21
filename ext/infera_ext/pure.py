"""The pure-Python twin of ``csrc/keccak*.c`` and ``csrc/merkle.c``: same functions, same results.

It serves where the C module was not built, and is the oracle of ``tests/native``.  Arguments have
been checked by :mod:`infera_ext.hashing` and :mod:`infera_ext.merkle`.  keccak-f[1600]: FIPS 202
section 3.2, with Ethereum's padding (first byte 0x01); trees: docs/protocol.md section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

NAME: Final = "pure"

_RATE: Final = 136
_MASK: Final = (1 << 64) - 1
_NODE_TAG: Final = b"\x01"

# fmt: off
_ROUND_CONSTANTS: Final = (
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000,
    0x000000000000808B, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
    0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
)
# Rotation of lane x + 5 y, and where pi takes it.
_ROTATIONS: Final = (
    0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14,
)
# fmt: on
_PI: Final = tuple((i // 5) + 5 * ((2 * (i % 5) + 3 * (i // 5)) % 5) for i in range(25))
_STEPS: Final = tuple((i, i % 5, _ROTATIONS[i], 64 - _ROTATIONS[i], _PI[i]) for i in range(25))


def _permute(a: list[int]) -> list[int]:
    mask = _MASK
    b = [0] * 25
    for constant in _ROUND_CONSTANTS:
        c0, c1, c2, c3, c4 = (a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5))
        d = (
            c4 ^ (c1 << 1 & mask | c1 >> 63),
            c0 ^ (c2 << 1 & mask | c2 >> 63),
            c1 ^ (c3 << 1 & mask | c3 >> 63),
            c2 ^ (c4 << 1 & mask | c4 >> 63),
            c3 ^ (c0 << 1 & mask | c0 >> 63),
        )
        for i, x, left, right, to in _STEPS:
            lane = a[i] ^ d[x]
            b[to] = lane << left & mask | lane >> right
        for y in range(0, 25, 5):
            b0, b1, b2, b3, b4 = b[y : y + 5]
            a[y] = b0 ^ ~b1 & b2
            a[y + 1] = b1 ^ ~b2 & b3
            a[y + 2] = b2 ^ ~b3 & b4
            a[y + 3] = b3 ^ ~b4 & b0
            a[y + 4] = b4 ^ ~b0 & b1
        a[0] ^= constant
    return a


def keccak256(data: Bytes) -> bytes:
    """The 32-byte digest of one message."""
    padded = bytearray(data)
    padded += bytes(_RATE - len(padded) % _RATE)
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    state = [0] * 25
    for start in range(0, len(padded), _RATE):
        for i in range(17):
            at = start + 8 * i
            state[i] ^= int.from_bytes(padded[at : at + 8], "little")
        _permute(state)
    return b"".join(word.to_bytes(8, "little") for word in state[:4])


def _tagged(tag: int) -> bytes:
    return b"" if tag < 0 else bytes((tag,))


def hash_equal(data: Bytes, size: int, count: int, tag: int) -> bytes:
    """Digests, packed, of ``count`` messages of ``size`` bytes; ``tag >= 0`` is put before each."""
    prefix = _tagged(tag)
    return b"".join(keccak256(prefix + data[i * size : (i + 1) * size]) for i in range(count))


def hash_offsets(data: Bytes, offsets: array[int], tag: int) -> bytes:
    """The same of messages ``data[offsets[i]:offsets[i + 1]]``."""
    prefix = _tagged(tag)
    return b"".join(
        keccak256(prefix + data[offsets[i] : offsets[i + 1]]) for i in range(len(offsets) - 1)
    )


def _node(left: bytes, right: bytes) -> bytes:
    return keccak256(_NODE_TAG + left + right)


def _split(packed: Bytes) -> list[bytes]:
    return [bytes(packed[i : i + 32]) for i in range(0, len(packed), 32)]


def _fold(level: list[bytes]) -> list[bytes]:
    """One level up: pairs from the left; an odd last node moves up unchanged."""
    above = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return above + level[len(level) - len(level) % 2 :]


def tree_hashed(hashes: Bytes, count: int) -> bytearray:
    """All levels, packed: the ``count`` leaf hashes first, the root last."""
    level = _split(hashes)
    nodes = bytearray(b"".join(level))
    while len(level) > 1:
        level = _fold(level)
        nodes += b"".join(level)
    return nodes


def tree_equal(data: Bytes, size: int, count: int) -> bytearray:
    """The same from packed leaf data of equal size."""
    return tree_hashed(hash_equal(data, size, count, 0), count)


def tree_offsets(data: Bytes, offsets: array[int]) -> bytearray:
    """The same from leaf data at offsets."""
    return tree_hashed(hash_offsets(data, offsets, 0), len(offsets) - 1)


def fold(hashes: Bytes, count: int) -> bytes:
    """The root alone of ``count >= 1`` leaf hashes."""
    level = _split(hashes)
    while len(level) > 1:
        level = _fold(level)
    return level[0]


def _levels(count: int) -> Iterator[tuple[int, int]]:
    """(where the level starts, nodes in it) for every level below the root."""
    start = 0
    while count > 1:
        yield start, count
        start += count
        count = (count + 1) // 2


def proof(nodes: Bytes, count: int, index: int) -> bytes:
    """Siblings of leaf ``index``, bottom-up, packed."""
    siblings = []
    for start, size in _levels(count):
        if index ^ 1 < size:
            at = 32 * (start + (index ^ 1))
            siblings.append(bytes(nodes[at : at + 32]))
        index //= 2
    return b"".join(siblings)


def verify(root: bytes, leaf: bytes, index: int, count: int, siblings: bytes) -> bool:
    """Whether the siblings lead from the leaf hash at ``index`` of ``count`` to the root."""
    rest = _split(siblings)[::-1]
    node = leaf
    for _, size in _levels(count):
        if index ^ 1 < size:
            if not rest:
                return False
            node = _node(rest.pop(), node) if index & 1 else _node(node, rest.pop())
        index //= 2
    return not rest and node == root


def multiproof(nodes: Bytes, count: int, indices: array[int]) -> bytes:
    """The siblings that the leaves at ``indices`` need, level by level, left to right, packed."""
    siblings = []
    known = list(indices)
    for start, size in _levels(count):
        have = set(known)
        for index in known:
            if index ^ 1 < size and index ^ 1 not in have:
                at = 32 * (start + (index ^ 1))
                siblings.append(bytes(nodes[at : at + 32]))
        known = sorted({index // 2 for index in known})
    return b"".join(siblings)


def verify_multi(
    root: bytes, leaves: bytes, indices: array[int], count: int, siblings: bytes
) -> bool:
    """Whether the leaf hashes at ascending ``indices`` lead to the root with just these
    siblings."""
    rest = _split(siblings)[::-1]
    known = dict(zip(indices, _split(leaves), strict=True))
    for _, size in _levels(count):
        above: dict[int, bytes] = {}
        for index, node in known.items():
            if index ^ 1 >= size:
                above[index // 2] = node  # moves up unchanged
            elif index // 2 not in above:
                other = known.get(index ^ 1)
                if other is None:
                    if not rest:
                        return False
                    other = rest.pop()
                pair = (other, node) if index & 1 else (node, other)
                above[index // 2] = _node(*pair)
        known = above
    return not rest and known.get(0) == root
