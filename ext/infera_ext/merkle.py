"""The Merkle trees of docs/protocol.md section 3: keccak-256, RFC 6962 shape, positional.

``leafHash = keccak256(0x00 || data)``, ``nodeHash = keccak256(0x01 || left || right)``; a level is
paired left to right and an odd last node moves up unchanged; the root of no leaves is 32 zero
bytes.

Building raises for wrong arguments.  Verifying what a peer sent never raises for its *contents*: an
index out of range, indices that are not ascending, a proof too short, too long or of odd pieces is
simply not a proof (False).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from infera_ext import _backend
from infera_ext.hashing import HASH_BYTES, MAX_COUNT, checked_offsets, count_of, join, view

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview
    Proof: TypeAlias = bytes | Sequence[bytes]

#: The root of a tree without leaves.
EMPTY_ROOT: Final = bytes(HASH_BYTES)


class MerkleTree:
    """All levels of a tree, for its root and its proofs.  Immutable; safe to share between
    threads."""

    __slots__ = ("_count", "_nodes", "root")

    def __init__(self, nodes: bytearray, count: int) -> None:
        """Made by the ``from_*`` class methods; ``nodes`` are all levels, packed."""
        self._nodes = nodes
        self._count = count
        #: 32 bytes
        self.root: Final[bytes] = bytes(nodes[-HASH_BYTES:]) if count else EMPTY_ROOT

    @classmethod
    def from_leaves(cls, data: Bytes, leaf_size: int) -> MerkleTree:
        """A tree over leaves of ``leaf_size`` bytes packed in ``data``.

        Raises ValueError if ``data`` is no whole number of leaves.
        """
        seen = view(data, "data")
        count = count_of(seen, leaf_size, "leaves")
        return cls(_backend.active.tree_equal(seen, leaf_size, count), count)

    @classmethod
    def from_offsets(cls, data: Bytes, offsets: Iterable[int]) -> MerkleTree:
        """A tree over the leaves ``data[offsets[i]:offsets[i + 1]]``.

        Raises ValueError for offsets that decrease or leave the data.
        """
        seen = view(data, "data")
        table = checked_offsets(offsets, len(seen))
        return cls(_backend.active.tree_offsets(seen, table), len(table) - 1)

    @classmethod
    def from_items(cls, leaves: Sequence[Bytes]) -> MerkleTree:
        """A tree over leaf data given one by one, of any lengths."""
        data, offsets = join(leaves)
        return cls(_backend.active.tree_offsets(data, offsets), len(leaves))

    @classmethod
    def from_hashed(cls, hashes: Bytes) -> MerkleTree:
        """A tree over packed 32-byte leaf hashes, as :func:`leaf_hash` gives them.

        Raises ValueError if they are no whole number of hashes.
        """
        seen = view(hashes, "hashes")
        count = count_of(seen, HASH_BYTES, "hashes")
        return cls(_backend.active.tree_hashed(seen, count), count)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<MerkleTree of {self._count} leaves, root {self.root.hex()}>"

    def leaf_hash(self, index: int) -> bytes:
        """The 32-byte hash of leaf ``index``.  Raises IndexError."""
        at = HASH_BYTES * self._checked(index)
        return bytes(self._nodes[at : at + HASH_BYTES])

    def proof(self, index: int) -> tuple[bytes, ...]:
        """The siblings of leaf ``index``, bottom-up, 32 bytes each.  Raises IndexError."""
        packed = _backend.active.proof(self._nodes, self._count, self._checked(index))
        return _pieces(packed)

    def multiproof(self, indices: Iterable[int]) -> tuple[bytes, ...]:
        """The siblings that the leaves at ``indices`` need, level by level and left to right.

        Raises ValueError unless the indices are ascending and distinct and there is at least one,
        IndexError for one out of range.
        """
        wanted = list(indices)
        if not wanted:
            raise ValueError("a multi-proof needs at least one index")
        for i, index in enumerate(wanted):
            self._checked(index)
            if i and index <= wanted[i - 1]:
                raise ValueError(
                    f"indices must be ascending and distinct: {index} after {wanted[i - 1]}"
                )
        return _pieces(_backend.active.multiproof(self._nodes, self._count, array("Q", wanted)))

    def _checked(self, index: int) -> int:
        if not 0 <= index < self._count:
            raise IndexError(f"no leaf {index} in a tree of {self._count}")
        return index


def leaf_hash(data: Bytes) -> bytes:
    """``keccak256(0x00 || data)``."""
    seen = view(data, "data")
    return _backend.active.hash_offsets(seen, array("Q", (0, len(seen))), 0)


def merkle_root(data: Bytes, leaf_size: int) -> bytes:
    """The root over leaves of ``leaf_size`` bytes packed in ``data``, without keeping the tree.

    Raises ValueError if ``data`` is no whole number of leaves.
    """
    seen = view(data, "data")
    count = count_of(seen, leaf_size, "leaves")
    if not count:
        return EMPTY_ROOT
    return _backend.active.fold(_backend.active.hash_equal(seen, leaf_size, count, 0), count)


def verify_proof(
    root: bytes, leaf: Bytes, index: int, count: int, proof: Proof, *, hashed: bool = False
) -> bool:
    """Whether ``leaf`` is leaf ``index`` of the ``count`` under ``root``.

    ``leaf`` is the leaf's data, or with ``hashed=True`` its 32-byte leaf hash; ``proof`` the
    siblings bottom-up, as a sequence or packed.  Raises ValueError if the root (or a hashed leaf)
    is not 32 bytes or the count exceeds :data:`MAX_COUNT`; anything else that does not fit is
    False.
    """
    _check(root, count)
    digest = _hash_of(leaf, hashed)
    siblings = _packed(proof)
    if siblings is None or not 0 <= index < count:
        return False
    return _backend.active.verify(root, digest, index, count, siblings)


def verify_multiproof(
    root: bytes,
    leaves: Sequence[Bytes],
    indices: Sequence[int],
    count: int,
    proof: Proof,
    *,
    hashed: bool = False,
) -> bool:
    """Whether ``leaves`` are the leaves at ``indices`` of the ``count`` under ``root``, all at
    once.

    Indices must be ascending and distinct and as many as the leaves, at least one; the proof must
    be used up exactly. Anything else is False.  Raises as :func:`verify_proof` does.
    """
    _check(root, count)
    siblings = _packed(proof)
    if hashed:
        digests = b"".join(_hash_of(leaf, True) for leaf in leaves)
    else:
        digests = _backend.active.hash_offsets(*join(leaves), 0)
    if siblings is None or not indices or len(indices) != len(leaves):
        return False
    before = -1
    for index in indices:
        if not before < index < count:
            return False
        before = index
    return _backend.active.verify_multi(root, digests, array("Q", indices), count, siblings)


def _check(root: bytes, count: int) -> None:
    if type(root) is not bytes or len(root) != HASH_BYTES:
        raise ValueError(f"a root is {HASH_BYTES} bytes")
    if count > MAX_COUNT:
        raise ValueError(f"{count} leaves are more than {MAX_COUNT}")


def _hash_of(leaf: Bytes, hashed: bool) -> bytes:
    if not hashed:
        return leaf_hash(leaf)
    digest = bytes(view(leaf, "a leaf hash"))
    if len(digest) != HASH_BYTES:
        raise ValueError(f"a leaf hash is {HASH_BYTES} bytes, got {len(digest)}")
    return digest


def _packed(proof: Proof) -> bytes | None:
    """The siblings as one string; None if a piece is not 32 bytes."""
    if isinstance(proof, bytes):
        return None if len(proof) % HASH_BYTES else proof
    if any(len(piece) != HASH_BYTES for piece in proof):
        return None
    return b"".join(proof)


def _pieces(packed: bytes) -> tuple[bytes, ...]:
    return tuple(packed[i : i + HASH_BYTES] for i in range(0, len(packed), HASH_BYTES))
