"""One multi-proof out of several inclusion proofs (docs/protocol.md §3), without the tree they
came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def merge_proofs(proofs: Mapping[int, Sequence[bytes]], count: int) -> tuple[bytes, ...]:
    """The siblings the set cannot compute, level by level from the bottom and left to right.

    `proofs` maps leaf index to its inclusion proof in a tree of `count` leaves. Raises
    `ProtocolError` if one does not fit.
    """
    rest = {index: list(proof) for index, proof in sorted(proofs.items())}
    if not rest or min(rest) < 0 or max(rest) >= count:
        raise ProtocolError("a proof names a leaf the tree does not have")
    merged: list[bytes] = []
    width = count
    while width > 1:
        above: dict[int, list[bytes]] = {}
        for index, siblings in rest.items():
            promoted = index == width - 1 and index % 2 == 0
            if not promoted:
                if not siblings:
                    raise ProtocolError("an inclusion proof is too short")
                if index ^ 1 not in rest:
                    merged.append(siblings[0])
                siblings = siblings[1:]
            above.setdefault(index // 2, siblings)
        rest = above
        width = (width + 1) // 2
    if any(rest.values()):
        raise ProtocolError("an inclusion proof is too long")
    return tuple(merged)
