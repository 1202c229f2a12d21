"""The pure-Python twin of ``csrc/keccak*.c`` and ``csrc/merkle.c``: same functions, same results.

It serves where the C module was not built, and is the oracle of ``tests/native``.  Arguments have
been checked by :mod:`infera_ext.hashing` and :mod:`infera_ext.merkle`.  Trees: docs/protocol.md
section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infera_ext.pure_keccak import keccak256 as keccak256  # one of the twins, in a file of its own

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

NAME: Final = "pure"

_NODE_TAG: Final = b"\x01"


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
