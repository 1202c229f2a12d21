// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Merkle
/// @notice Positional Merkle trees in the shape of RFC 6962 with keccak256.
/// @dev A level is paired left to right and an odd last node moves up unchanged. Leaves and nodes are hashed under different
/// prefixes, so a node can never be passed off as a leaf. A proof fixes the leaf's position: verification walks (index, count)
/// and consumes a sibling only where that position has one, and it must consume the proof exactly.
library Merkle {
    /// @notice Hash of a leaf's data.
    function leafHash(bytes memory data) internal pure returns (bytes32) {
        return keccak256(bytes.concat(bytes1(0x00), data));
    }

    /// @notice Hash of an inner node.
    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            // Scratch space: 0x01 | left | right is 65 bytes, ending one byte into the free memory pointer's slot, which is
            // kept and restored.
            let pointer := mload(0x40)
            mstore8(0x00, 0x01)
            mstore(0x01, left)
            mstore(0x21, right)
            result := keccak256(0x00, 0x41)
            mstore(0x40, pointer)
        }
    }

    /// @notice Whether `leaf` stands at `index` in the tree of `count` leaves with this `root`.
    function verify(bytes32 root, bytes32 leaf, uint256 index, uint256 count, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        if (index >= count) return false;
        uint256 used;
        bytes32 node = leaf;
        while (count > 1) {
            bool promoted = index == count - 1 && index & 1 == 0;
            if (!promoted) {
                if (used == proof.length) return false;
                bytes32 sibling = proof[used++];
                node = index & 1 == 0 ? nodeHash(node, sibling) : nodeHash(sibling, node);
            }
            index >>= 1;
            count = (count + 1) >> 1;
        }
        return used == proof.length && node == root;
    }

    /// @notice Whether `leaves` stand at the strictly increasing `indices` in the tree of `count` leaves with this `root`.
    /// @dev The proof lists, level by level from the bottom and left to right, each sibling that the set cannot compute.
    /// Both arrays are overwritten. An empty set proves nothing and is refused.
    function verifyMulti(bytes32 root, bytes32[] memory leaves, uint256[] memory indices, uint256 count, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        uint256 size = leaves.length;
        if (size == 0 || size != indices.length || indices[size - 1] >= count) return false;
        for (uint256 i = 1; i < size; ++i) {
            if (indices[i - 1] >= indices[i]) return false;
        }
        uint256 used;
        while (count > 1) {
            uint256 written;
            for (uint256 read; read < size; ++read) {
                uint256 index = indices[read];
                bytes32 node = leaves[read];
                if (index & 1 == 1) {
                    if (used == proof.length) return false;
                    node = nodeHash(proof[used++], node);
                } else if (read + 1 < size && indices[read + 1] == index + 1) {
                    node = nodeHash(node, leaves[++read]);
                } else if (index != count - 1) {
                    if (used == proof.length) return false;
                    node = nodeHash(node, proof[used++]);
                }
                leaves[written] = node;
                indices[written++] = index >> 1;
            }
            size = written;
            count = (count + 1) >> 1;
        }
        return used == proof.length && leaves[0] == root;
    }
}
