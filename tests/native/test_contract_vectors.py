"""The trees as Solidity computes them, on every implementation (tests/vectors/contracts)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infera_ext import MerkleTree, leaf_hash, merkle_root, verify_multiproof, verify_proof

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "contracts" / "merkle.json").read_text()
)
TREES = VECTORS["trees"]


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def test_leaf_hashes_are_soliditys(path: str) -> None:
    for row in VECTORS["leaves"]:
        assert leaf_hash(_bytes(row["data"])) == _bytes(row["leafHash"]), row["tree"]


@pytest.mark.parametrize("vector", TREES, ids=lambda tree: str(tree["count"]))
def test_small_trees_are_soliditys(path: str, vector: dict[str, Any]) -> None:
    leaves = [_bytes(leaf) for leaf in vector["data"]]
    tree = MerkleTree.from_items(leaves)
    root, count = _bytes(vector["root"]), vector["count"]
    assert (tree.root, len(tree)) == (root, count)
    for index, siblings in enumerate(vector["proofs"]):
        proof = [_bytes(node) for node in siblings]
        assert list(tree.proof(index)) == proof
        assert verify_proof(root, leaves[index], index, count, proof)
    for row in vector["multiproofs"]:
        indices, proof = row["indices"], [_bytes(node) for node in row["proof"]]
        assert list(tree.multiproof(indices)) == proof
        assert verify_multiproof(root, [leaves[i] for i in indices], indices, count, proof)


@pytest.mark.parametrize("vector", VECTORS["roots"], ids=lambda row: str(row["count"]))
def test_large_roots_are_soliditys(path: str, vector: dict[str, Any]) -> None:
    if path == "pure" and vector["count"] > 1000:
        pytest.skip("the twin takes seconds for this one")
    packed = b"".join(i.to_bytes(32, "big") for i in range(vector["count"]))
    assert merkle_root(packed, 32) == _bytes(vector["root"])
