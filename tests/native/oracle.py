"""What the tests compare with: RFC 6962's own recursive definition, over another keccak.

It shares no code with either implementation: the tree is cut at the largest power of two below the
count (RFC 6962 section 2.1) instead of being paired level by level, and the hash is pycryptodome's.
Run as a program it writes the Merkle vectors:
``python tests/native/oracle.py > tests/vectors/merkle.json``.
"""

from __future__ import annotations

import json

from Crypto.Hash import keccak

EMPTY = bytes(32)


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def leaf_hash(data: bytes) -> bytes:
    return keccak256(b"\x00" + data)


def _cut(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, but for the root of nothing."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    cut = _cut(len(leaves))
    return keccak256(b"\x01" + root(leaves[:cut]) + root(leaves[cut:]))


def proof(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    cut = _cut(len(leaves))
    if index < cut:
        return [*proof(index, leaves[:cut]), root(leaves[cut:])]
    return [*proof(index - cut, leaves[cut:]), root(leaves[:cut])]


def multiproof(indices: list[int], leaves: list[bytes]) -> list[bytes]:
    """The maximal subtrees without a wanted leaf, ordered by (height, position).

    A subtree's height is that of the level on which it stands beside a wanted one.
    """
    found: list[tuple[int, int, bytes]] = []
    height = (len(leaves) - 1).bit_length()

    def visit(start: int, end: int, level: int) -> None:
        """The node over leaves start..end, at this level (promoted as far up as it goes)."""
        if end - start < 2:
            return
        cut = _cut(end - start)
        below = (cut).bit_length() - 1  # both children stand here: the left one is perfect
        parts = ((start, start + cut), (start + cut, end))
        has = [any(a <= i < b for i in indices) for a, b in parts]
        for (a, b), wanted in zip(parts, has, strict=True):
            if wanted:
                visit(a, b, below)
            else:
                found.append((below, a, root(leaves[a:b])))

    visit(0, len(leaves), height)
    return [digest for _, _, digest in sorted(found)]


def example_leaves(count: int) -> list[bytes]:
    """Leaf i of the vectors: keccak256 of i as 32 big-endian bytes, then i in the same form."""
    words = [i.to_bytes(32, "big") for i in range(count)]
    return [keccak256(word) + word for word in words]


def vectors() -> dict[str, object]:
    cases = []
    for count in (0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 100, 257):
        leaves = example_leaves(count)
        chosen = sorted({0, 1, count // 2, count - 2, count - 1} & set(range(count)))
        sets = {tuple(chosen), tuple(range(0, min(count, 40), 3)), tuple(range(min(count, 6)))}
        cases.append(
            {
                "count": count,
                "root": root(leaves).hex(),
                "proofs": [
                    {"index": i, "siblings": [s.hex() for s in proof(i, leaves)]} for i in chosen
                ],
                "multiproofs": [
                    {"indices": s, "siblings": [x.hex() for x in multiproof(list(s), leaves)]}
                    for s in sorted(sets)
                    if s
                ],
            }
        )
    return {
        "rule": "docs/protocol.md section 3; leaf data i = keccak256(uint256(i)) || uint256(i)",
        "made by": "tests/native/oracle.py",
        "cases": cases,
    }


if __name__ == "__main__":
    print(json.dumps(vectors(), indent=1))
