"""Merkle trees: RFC 6962's recursive definition is the oracle; what is no proof must fail."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infera_ext import (
    EMPTY_ROOT,
    MAX_COUNT,
    MerkleTree,
    leaf_hash,
    merkle_root,
    pure,
    verify_multiproof,
    verify_proof,
)

from . import oracle
from .conftest import native_module

VECTORS = Path(__file__).parents[1] / "vectors" / "merkle.json"


def leaves_of(count: int) -> list[bytes]:
    return [b"leaf %6d" % i for i in range(count)]


def flip(data: bytes, bit: int) -> bytes:
    at, shift = divmod(bit % (8 * len(data)), 8)
    return data[:at] + bytes([data[at] ^ 1 << shift]) + data[at + 1 :]


@pytest.mark.usefixtures("path")
class TestEveryPath:
    def test_vectors(self) -> None:
        for case in json.loads(VECTORS.read_text())["cases"]:
            count = case["count"]
            leaves = oracle.example_leaves(count)
            tree = MerkleTree.from_items(leaves)
            assert tree.root.hex() == case["root"]
            for proof in case["proofs"]:
                index, siblings = proof["index"], bytes.fromhex("".join(proof["siblings"]))
                assert b"".join(tree.proof(index)) == siblings
                assert verify_proof(tree.root, leaves[index], index, count, siblings)
            for proof in case["multiproofs"]:
                indices, siblings = proof["indices"], bytes.fromhex("".join(proof["siblings"]))
                assert b"".join(tree.multiproof(indices)) == siblings
                chosen = [leaves[i] for i in indices]
                assert verify_multiproof(tree.root, chosen, indices, count, siblings)

    def test_every_count(self, path: str) -> None:
        counts = range(301) if path != "pure" else (0, 1, 2, 3, 5, 8, 13, 32, 33)
        leaves = leaves_of(300)
        for count in counts:
            packed = b"".join(leaves[:count])
            expected = oracle.root(leaves[:count])
            tree = MerkleTree.from_leaves(packed, 11)
            assert tree.root == expected
            assert len(tree) == count
            assert merkle_root(packed, 11) == expected
            if path != "pure":
                hashed = b"".join(leaf_hash(leaf) for leaf in leaves[:count])
                assert MerkleTree.from_hashed(hashed).root == expected
                offsets = range(0, 11 * count + 1, 11)
                assert MerkleTree.from_offsets(packed, offsets).root == expected

    @pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 8, 11, 33])
    def test_every_proof(self, count: int, path: str) -> None:
        leaves = leaves_of(count)
        tree = MerkleTree.from_items(leaves)
        for index in range(count) if path != "pure" else (0, count // 2, count - 1):
            proof = tree.proof(index)
            assert list(proof) == oracle.proof(index, leaves)
            assert verify_proof(tree.root, leaves[index], index, count, proof)
            assert verify_proof(
                tree.root, leaf_hash(leaves[index]), index, count, proof, hashed=True
            )
            assert tree.leaf_hash(index) == oracle.leaf_hash(leaves[index])

    def test_every_set_of_indices_of_a_small_tree(self, path: str) -> None:
        for count in (1, 2, 3, 5, 6, 7) if path != "pure" else (5,):
            leaves = leaves_of(count)
            tree = MerkleTree.from_items(leaves)
            for bits in range(1, 1 << count):
                indices = [i for i in range(count) if bits >> i & 1]
                proof = tree.multiproof(indices)
                assert list(proof) == oracle.multiproof(indices, leaves)
                chosen = [leaves[i] for i in indices]
                assert verify_multiproof(tree.root, chosen, indices, count, proof)

    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def test_any_leaves_any_indices_one_bit_wrong(self, path: str, data: st.DataObject) -> None:
        largest = 300 if path != "pure" else 24
        count = data.draw(st.integers(1, largest))
        leaves = leaves_of(count)
        tree = MerkleTree.from_items(leaves)
        indices = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=40)))
        chosen = [leaves[i] for i in indices]
        proof = list(tree.multiproof(indices))
        assert proof == oracle.multiproof(indices, leaves)
        assert verify_multiproof(tree.root, chosen, indices, count, proof)

        bit = data.draw(st.integers(0, 255))
        assert not verify_multiproof(flip(tree.root, bit), chosen, indices, count, proof)
        victim = data.draw(st.integers(0, len(indices) - 1))
        bad = [*chosen]
        bad[victim] = flip(bad[victim], bit)
        assert not verify_multiproof(tree.root, bad, indices, count, proof)
        if proof:
            victim = data.draw(st.integers(0, len(proof) - 1))
            broken = [*proof]
            broken[victim] = flip(broken[victim], bit)
            assert not verify_multiproof(tree.root, chosen, indices, count, broken)

        index = indices[0]
        single = list(tree.proof(index))
        assert verify_proof(tree.root, leaves[index], index, count, single)
        assert not verify_proof(tree.root, flip(leaves[index], bit), index, count, single)
        assert not verify_proof(flip(tree.root, bit), leaves[index], index, count, single)
        if single:
            victim = data.draw(st.integers(0, len(single) - 1))
            single[victim] = flip(single[victim], bit)
            assert not verify_proof(tree.root, leaves[index], index, count, single)

    def test_a_wrong_position_or_count(self) -> None:
        leaves = leaves_of(11)
        tree = MerkleTree.from_items(leaves)
        for index in (0, 5, 10):
            proof = tree.proof(index)
            right = (index, 11)
            for other in range(12):
                if other != index:
                    assert not verify_proof(tree.root, leaves[index], other, 11, proof)
            for count in (0, 1, index, 64, MAX_COUNT):
                assert (index, count) != right
                assert not verify_proof(tree.root, leaves[index], index, count, proof)

    def test_proofs_too_short_too_long_or_in_odd_pieces(self) -> None:
        leaves = leaves_of(11)
        tree = MerkleTree.from_items(leaves)
        proof, many = tree.proof(3), tree.multiproof([3, 8])
        pair = [leaves[3], leaves[8]]
        for change in (
            lambda p: p[:-1],
            lambda p: p[1:],
            lambda p: (*p, bytes(32)),
            lambda p: (*p, p[-1]),
            lambda p: (*p[:-1], p[-1][:31]),
            lambda p: (*p[:-1], p[-1] + b"\0"),
            lambda p: b"".join(p) + b"\0",
            lambda p: p[::-1],
            lambda p: (),
        ):
            assert not verify_proof(tree.root, leaves[3], 3, 11, change(proof))
            assert not verify_multiproof(tree.root, pair, [3, 8], 11, change(many))

    def test_an_inner_node_is_no_leaf(self) -> None:
        # Second preimage: the two hashes below a node, passed off as the data of a leaf.
        leaves = leaves_of(4)
        tree = MerkleTree.from_items(leaves)
        below = tree.leaf_hash(0) + tree.leaf_hash(1)
        top = tree.proof(0)[1:]
        assert not verify_proof(tree.root, below, 0, 2, top)
        assert not verify_proof(tree.root, b"\x01" + below, 0, 2, top)

    def test_the_root_is_not_its_own_proof(self) -> None:
        tree = MerkleTree.from_items(leaves_of(5))
        assert not verify_proof(tree.root, tree.root, 0, 5, (), hashed=True)
        # With a count taken from the prover, the root would stand for a tree of one leaf.
        assert verify_proof(tree.root, tree.root, 0, 1, (), hashed=True)
        assert not verify_proof(tree.root, tree.root, 0, 1, ())

    def test_malicious_multiproofs(self) -> None:
        leaves = leaves_of(6)
        tree = MerkleTree.from_items(leaves)
        a, b = leaves[1], leaves[4]
        proof = tree.multiproof([1, 4])
        good: tuple[list[bytes], list[int], int] = ([a, b], [1, 4], 6)
        assert verify_multiproof(tree.root, *good, proof)
        for bad, indices, count in (
            ([b, a], [1, 4], 6),  # exchanged leaves
            ([b, a], [4, 1], 6),  # descending
            ([a, a], [1, 1], 6),  # twice the same leaf
            ([a, b], [1, 1], 6),
            ([a, b], [1, 6], 6),  # outside the tree
            ([a, b], [-1, 4], 6),
            ([a, b], [1, 2**64], 6),
            ([a, b], [1], 6),  # more leaves than indices
            ([a], [1, 4], 6),
            ([], [], 6),  # nothing to prove
            ([a, b], [1, 4], 5),
            ([a, b], [1, 4], 7),
            ([a, b], [1, 4], 0),
            ([a, b], [1, 4], -6),
        ):
            assert not verify_multiproof(tree.root, bad, indices, count, proof)
        assert not verify_multiproof(tree.root, [], [], 6, (tree.root,))
        assert not verify_multiproof(tree.root, [], [], 0, ())
        assert not verify_multiproof(EMPTY_ROOT, [], [], 0, ())
        # A sibling that the set can compute may not be handed in instead.
        assert verify_multiproof(tree.root, [leaves[0], a], [0, 1], 6, tree.multiproof([0, 1]))
        padded = (tree.leaf_hash(1), *tree.multiproof([0, 1]))
        assert not verify_multiproof(tree.root, [leaves[0], a], [0, 1], 6, padded)

    def test_nothing_has_a_root_and_no_proofs(self) -> None:
        for tree in (
            MerkleTree.from_items([]),
            MerkleTree.from_leaves(b"", 8),
            MerkleTree.from_hashed(b""),
            MerkleTree.from_offsets(b"unused", [2]),
        ):
            assert tree.root == EMPTY_ROOT == merkle_root(b"", 8)
            with pytest.raises(IndexError, match="no leaf 0 in a tree of 0"):
                tree.proof(0)
        assert not verify_proof(EMPTY_ROOT, b"", 0, 0, ())

    def test_a_leaf_may_be_empty(self) -> None:
        tree = MerkleTree.from_items([b"", b"x", b""])
        assert tree.root == oracle.root([b"", b"x", b""])
        assert tree.leaf_hash(0) == tree.leaf_hash(2) == leaf_hash(b"")


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 40), data=st.data())
def test_the_twin_and_c_agree(count: int, data: st.DataObject) -> None:
    native = native_module()
    hashes = b"".join(leaf.ljust(32) for leaf in leaves_of(count))
    nodes = pure.tree_hashed(hashes, count)
    assert native.tree_hashed(hashes, count) == nodes
    assert native.fold(hashes, count) == pure.fold(hashes, count) == nodes[-32:]
    index = data.draw(st.integers(0, count - 1))
    wanted = array("Q", sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1))))
    proof, many = pure.proof(nodes, count, index), pure.multiproof(nodes, count, wanted)
    assert native.proof(nodes, count, index) == proof
    assert native.multiproof(nodes, count, wanted) == many
    # And they agree on proofs that are none.
    root, leaf = bytes(nodes[-32:]), hashes[32 * index : 32 * index + 32]
    chosen = b"".join(hashes[32 * i : 32 * i + 32] for i in wanted)
    claimed = data.draw(st.integers(1, 50))
    short = data.draw(st.integers(0, 3)) * 32
    assert pure.verify(root, leaf, index, count, proof)
    assert pure.verify_multi(root, chosen, wanted, count, many)
    if claimed > index:
        args = (root, leaf, index, claimed, proof[short:])
        assert native.verify(*args) == pure.verify(*args)
    if claimed > wanted[-1]:
        args_many = (root, chosen, wanted, claimed, many[short:])
        assert native.verify_multi(*args_many) == pure.verify_multi(*args_many)


def test_counts_up_to_the_limit_are_walked_without_a_tree() -> None:
    # A tree of 2**32 - 1 leaves is never built, but its proofs have a shape all the same.
    native = native_module()
    last = MAX_COUNT - 1
    for index in (0, last):
        for siblings in range(30, 34):
            args = (bytes(32), bytes(32), index, MAX_COUNT, bytes(32 * siblings))
            assert native.verify(*args) is pure.verify(*args) is False


class TestErrors:
    tree = MerkleTree.from_items([b"a", b"b", b"c"])

    @pytest.mark.parametrize("index", [-1, 3, 2**70])
    def test_an_index_outside_the_tree(self, index: int) -> None:
        for ask in (self.tree.proof, self.tree.leaf_hash, lambda i: self.tree.multiproof([i])):
            with pytest.raises(IndexError, match=f"no leaf {index} in a tree of 3"):
                ask(index)

    @pytest.mark.parametrize("indices", [[1, 0], [1, 1], [0, 2, 2]])
    def test_indices_out_of_order(self, indices: list[int]) -> None:
        with pytest.raises(ValueError, match="ascending and distinct"):
            self.tree.multiproof(indices)

    def test_no_index(self) -> None:
        with pytest.raises(ValueError, match="at least one index"):
            self.tree.multiproof([])

    @pytest.mark.parametrize("root", [b"", bytes(31), bytes(33), "00" * 32, None])
    def test_a_root_that_is_not_32_bytes(self, root: Any) -> None:
        with pytest.raises(ValueError, match="a root is 32 bytes"):
            verify_proof(root, b"a", 0, 3, ())
        with pytest.raises(ValueError, match="a root is 32 bytes"):
            verify_multiproof(root, [b"a"], [0], 3, ())

    def test_a_count_beyond_the_protocol(self) -> None:
        with pytest.raises(ValueError, match="more than"):
            verify_proof(bytes(32), b"a", 0, MAX_COUNT + 1, ())

    def test_a_hashed_leaf_that_is_not_32_bytes(self) -> None:
        with pytest.raises(ValueError, match="a leaf hash is 32 bytes, got 1"):
            verify_proof(bytes(32), b"a", 0, 3, (), hashed=True)

    def test_no_whole_number_of_leaves(self) -> None:
        with pytest.raises(ValueError, match="5 bytes are no whole number of leaves of 2 bytes"):
            MerkleTree.from_leaves(b"12345", 2)
        with pytest.raises(ValueError, match="whole number of hashes of 32 bytes"):
            MerkleTree.from_hashed(bytes(33))
        with pytest.raises(ValueError, match="whole number of leaves"):
            merkle_root(b"12345", 2)

    def test_repr_tells_count_and_root(self) -> None:
        assert repr(self.tree) == f"<MerkleTree of 3 leaves, root {self.tree.root.hex()}>"
