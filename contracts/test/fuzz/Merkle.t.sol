// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Merkle } from "../../src/libraries/Merkle.sol";
import { Test } from "../utils/Test.sol";
import { Trees } from "../utils/Trees.sol";

abstract contract MerkleFixture is Test {
    function verify(bytes32 root, bytes32 leaf, uint256 index, uint256 count, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return Merkle.verify(root, leaf, index, count, proof);
    }

    function verifyMulti(bytes32 root, bytes32[] memory leaves, uint256[] memory indices, uint256 count, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return Merkle.verifyMulti(root, leaves, indices, count, proof);
    }

    function tree(uint256 seed, uint256 count) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            leaves[i] = Trees.leafHash(abi.encode(seed, i));
        }
    }

    function flip(bytes32 word, uint256 bit) internal pure returns (bytes32) {
        return word ^ bytes32(1 << (bit % 256));
    }

    function subset(uint256 seed, uint256 count) internal pure returns (uint256[] memory indices) {
        bool[] memory chosen = new bool[](count);
        chosen[pick(seed, count) % count] = true;
        for (uint256 i; i < count; ++i) {
            if (pick(seed, i) % 3 == 0) chosen[i] = true;
        }
        uint256 size;
        for (uint256 i; i < count; ++i) {
            if (chosen[i]) ++size;
        }
        indices = new uint256[](size);
        size = 0;
        for (uint256 i; i < count; ++i) {
            if (chosen[i]) indices[size++] = i;
        }
    }

    function chosenOf(bytes32[] memory leaves, uint256[] memory indices) internal pure returns (bytes32[] memory chosen) {
        chosen = new bytes32[](indices.length);
        for (uint256 i; i < indices.length; ++i) {
            chosen[i] = leaves[indices[i]];
        }
    }

    function shorter(bytes32[] memory list) internal pure returns (bytes32[] memory result) {
        result = new bytes32[](list.length - 1);
        for (uint256 i; i < result.length; ++i) {
            result[i] = list[i];
        }
    }

    function longer(bytes32[] memory list, bytes32 item) internal pure returns (bytes32[] memory result) {
        result = new bytes32[](list.length + 1);
        for (uint256 i; i < list.length; ++i) {
            result[i] = list[i];
        }
        result[list.length] = item;
    }
}

contract Merkle_Hashes_Test is MerkleFixture {
    function testFuzz_hashes_naive_succeeds(bytes memory data, bytes32 left, bytes32 right) external pure {
        assertEq(Merkle.leafHash(data), Trees.leafHash(data), "leaf");
        uint256 pointer;
        assembly ("memory-safe") {
            pointer := mload(0x40)
        }
        bytes32 node = Merkle.nodeHash(left, right);
        uint256 after_;
        assembly ("memory-safe") {
            after_ := mload(0x40)
        }
        assertEq(after_, pointer, "the free memory pointer survives");
        assertEq(node, Trees.nodeHash(left, right), "node");
    }

    function test_hashes_nodeIsNoLeaf_succeeds() external pure {
        bytes32 node = Merkle.nodeHash(bytes32(uint256(1)), bytes32(uint256(2)));
        assertTrue(node != Merkle.leafHash(abi.encode(1, 2)), "prefixes differ");
    }
}

contract Merkle_Verify_Test is MerkleFixture {
    function testFuzz_verify_naive_succeeds(uint256 seed, uint256 count, uint256 index) external view {
        count = bound(count, 1, 70);
        index = bound(index, 0, count - 1);
        bytes32[] memory leaves = tree(seed, count);
        assertTrue(this.verify(Trees.root(leaves), leaves[index], index, count, Trees.proof(leaves, index)), "RFC 6962 accepts");
    }

    function testFuzz_verify_corrupted_fails(uint256 seed, uint256 count, uint256 index, uint256 bit) external view {
        count = bound(count, 2, 70);
        index = bound(index, 0, count - 1);
        bytes32[] memory leaves = tree(seed, count);
        bytes32 root = Trees.root(leaves);
        bytes32[] memory proof = Trees.proof(leaves, index);

        assertFalse(this.verify(flip(root, bit), leaves[index], index, count, proof), "another root");
        assertFalse(this.verify(root, flip(leaves[index], bit), index, count, proof), "another leaf");
        assertFalse(this.verify(root, leaves[index], (index + 1 + bit % (count - 1)) % count, count, proof), "elsewhere");
        assertFalse(this.verify(root, leaves[index], index, count, longer(proof, root)), "one sibling too many");
        assertFalse(this.verify(root, leaves[index], index, count, shorter(proof)), "one sibling too few");
        assertFalse(this.verify(root, leaves[index], count, count, proof), "past the end");
        uint256 at_ = bit % proof.length;
        proof[at_] = flip(proof[at_], bit);
        assertFalse(this.verify(root, leaves[index], index, count, proof), "another sibling");
    }

    function test_verify_emptyTree_fails() external view {
        assertFalse(this.verify(bytes32(0), bytes32(0), 0, 0, new bytes32[](0)), "nothing is in the empty tree");
    }

    function test_verify_nodeAsLeaf_fails() external view {
        bytes32[] memory leaves = tree(1, 4);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = Trees.nodeHash(leaves[2], leaves[3]);
        // The pair's own hash stands at (0, 2) of the upper level, and is accepted there only as what it is: a hash nobody can
        // produce as a leaf, for leaves are hashed under another prefix.
        assertFalse(this.verify(Trees.root(leaves), Trees.leafHash(abi.encode(leaves[0], leaves[1])), 0, 2, proof), "no leaf");
    }
}

contract Merkle_VerifyMulti_Test is MerkleFixture {
    function testFuzz_verifyMulti_naive_succeeds(uint256 seed, uint256 count) external view {
        count = bound(count, 1, 70);
        bytes32[] memory leaves = tree(seed, count);
        uint256[] memory indices = subset(seed, count);
        bytes32[] memory proof = Trees.multiproof(leaves, indices);
        assertTrue(this.verifyMulti(Trees.root(leaves), chosenOf(leaves, indices), indices, count, proof), "accepted");
    }

    function testFuzz_verifyMulti_single_isAProof(uint256 seed, uint256 count, uint256 index) external view {
        count = bound(count, 1, 70);
        uint256[] memory indices = new uint256[](1);
        indices[0] = bound(index, 0, count - 1);
        bytes32[] memory leaves = tree(seed, count);
        bytes32[] memory proof = Trees.proof(leaves, indices[0]);
        assertTrue(this.verifyMulti(Trees.root(leaves), chosenOf(leaves, indices), indices, count, proof), "accepted");
    }

    function testFuzz_verifyMulti_corrupted_fails(uint256 seed, uint256 count, uint256 bit) external view {
        count = bound(count, 3, 70);
        bytes32[] memory leaves = tree(seed, count);
        uint256[] memory indices = subset(seed, count);
        bytes32 root = Trees.root(leaves);
        bytes32[] memory proof = Trees.multiproof(leaves, indices);
        bytes32[] memory chosen = chosenOf(leaves, indices);

        assertFalse(this.verifyMulti(flip(root, bit), chosen, indices, count, proof), "another root");
        assertFalse(this.verifyMulti(root, chosen, indices, count, longer(proof, root)), "one sibling too many");
        if (proof.length > 0) {
            assertFalse(this.verifyMulti(root, chosen, indices, count, shorter(proof)), "one sibling too few");
            bytes32 kept = proof[bit % proof.length];
            proof[bit % proof.length] = flip(kept, bit);
            assertFalse(this.verifyMulti(root, chosen, indices, count, proof), "another sibling");
            proof[bit % proof.length] = kept;
        }
        chosen[bit % chosen.length] = flip(chosen[bit % chosen.length], bit);
        assertFalse(this.verifyMulti(root, chosen, indices, count, proof), "another leaf");
    }

    function test_verifyMulti_malformedSets_fail() external view {
        bytes32[] memory leaves = tree(3, 5);
        bytes32 root = Trees.root(leaves);
        uint256[] memory indices = new uint256[](2);
        bytes32[] memory none = new bytes32[](0);
        assertFalse(this.verifyMulti(root, none, new uint256[](0), 5, none), "the empty set");
        assertFalse(this.verifyMulti(root, tree(3, 1), indices, 5, none), "lengths differ");
        (indices[0], indices[1]) = (1, 1);
        assertFalse(this.verifyMulti(root, chosenOf(leaves, indices), indices, 5, Trees.proof(leaves, 1)), "twice the same");
        (indices[0], indices[1]) = (1, 0);
        bytes32[] memory proof = new bytes32[](2);
        (proof[0], proof[1]) = (Trees.nodeHash(leaves[2], leaves[3]), leaves[4]);
        assertFalse(this.verifyMulti(root, chosenOf(leaves, indices), indices, 5, proof), "out of order");
        (indices[0], indices[1]) = (4, 5);
        bytes32[] memory chosen = new bytes32[](2);
        chosen[0] = leaves[4];
        assertFalse(this.verifyMulti(root, chosen, indices, 5, none), "past the end");
    }

    /// Sets that would smuggle in a leaf the root never sees, were their indices not strictly increasing.
    function test_verifyMulti_smuggledLeaf_fails() external view {
        bytes32 forged = Trees.leafHash("forged");
        uint256[] memory indices = new uint256[](2);
        bytes32[] memory chosen = new bytes32[](2);
        bytes32[] memory leaves = tree(4, 2);
        bytes32[] memory proof = new bytes32[](2);
        (indices[0], indices[1]) = (1, 1);
        (chosen[0], chosen[1]) = (leaves[1], forged);
        (proof[0], proof[1]) = (leaves[0], leaves[0]);
        assertFalse(this.verifyMulti(Trees.root(leaves), chosen, indices, 2, proof), "behind a true one");

        leaves = tree(4, 3);
        proof = new bytes32[](3);
        (indices[0], indices[1]) = (2, 0);
        (chosen[0], chosen[1]) = (leaves[2], forged);
        proof[1] = Trees.nodeHash(leaves[0], leaves[1]);
        assertFalse(this.verifyMulti(Trees.root(leaves), chosen, indices, 3, proof), "before a true one");
    }
}
