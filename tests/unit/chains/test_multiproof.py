from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infera.errors import ProtocolError
from infera_ext import MerkleTree
from infera_plugins.chains.evm.multiproof import merge_proofs


def tree(count: int) -> MerkleTree:
    return MerkleTree.from_items([i.to_bytes(4, "big") for i in range(count)])


@given(st.integers(1, 40), st.data())
def test_merging_gives_what_the_tree_gives(count: int, data: st.DataObject) -> None:
    chosen = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    made = tree(count)
    merged = merge_proofs({i: made.proof(i) for i in chosen}, count)
    assert merged == made.multiproof(sorted(chosen))


@pytest.mark.parametrize(
    ("proofs", "count"),
    [({}, 3), ({5: ()}, 3), ({0: ()}, 3), ({0: [bytes(32)] * 3}, 3), ({-1: ()}, 2)],
)
def test_what_does_not_fit_is_refused(proofs: dict[int, list[bytes]], count: int) -> None:
    with pytest.raises(ProtocolError):
        merge_proofs(proofs, count)
