// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// RFC 6962 trees written down as the RFC does (§2.1), by recursion over the largest power of two: the oracle for `Merkle`, which
/// walks levels.
library Trees {
    function leafHash(bytes memory data) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(0), data));
    }

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(1), left, right));
    }

    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        return leaves.length == 0 ? bytes32(0) : _root(leaves, 0, leaves.length);
    }

    /// The siblings of `index`, bottom-up.
    function proof(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory) {
        require(index < leaves.length, "Trees: no such leaf");
        return _path(leaves, 0, leaves.length, index);
    }

    /// For sorted distinct `indices`: level by level from the bottom and left to right, each sibling the set cannot compute.
    function multiproof(bytes32[] memory leaves, uint256[] memory indices) internal pure returns (bytes32[] memory) {
        bool[] memory known = new bool[](leaves.length);
        for (uint256 i; i < indices.length; ++i) {
            known[indices[i]] = true;
        }
        bytes32[] memory level = new bytes32[](leaves.length);
        for (uint256 i; i < leaves.length; ++i) {
            level[i] = leaves[i];
        }
        bytes32[] memory found = new bytes32[](0);
        while (level.length > 1) {
            uint256 size = (level.length + 1) / 2;
            bytes32[] memory above = new bytes32[](size);
            bool[] memory aboveKnown = new bool[](size);
            for (uint256 i; i < size; ++i) {
                uint256 left = 2 * i;
                if (left + 1 == level.length) {
                    above[i] = level[left];
                    aboveKnown[i] = known[left];
                    continue;
                }
                above[i] = nodeHash(level[left], level[left + 1]);
                aboveKnown[i] = known[left] || known[left + 1];
                if (known[left] != known[left + 1]) found = _append(found, level[known[left] ? left + 1 : left]);
            }
            (level, known) = (above, aboveKnown);
        }
        return found;
    }

    function _root(bytes32[] memory leaves, uint256 from, uint256 size) private pure returns (bytes32) {
        if (size == 1) return leaves[from];
        uint256 half = _half(size);
        return nodeHash(_root(leaves, from, half), _root(leaves, from + half, size - half));
    }

    function _path(bytes32[] memory leaves, uint256 from, uint256 size, uint256 index) private pure returns (bytes32[] memory) {
        if (size == 1) return new bytes32[](0);
        uint256 half = _half(size);
        return index < half
            ? _append(_path(leaves, from, half, index), _root(leaves, from + half, size - half))
            : _append(_path(leaves, from + half, size - half, index - half), _root(leaves, from, half));
    }

    /// The largest power of two smaller than `size`.
    function _half(uint256 size) private pure returns (uint256 half) {
        half = 1;
        while (half * 2 < size) half *= 2;
    }

    function _append(bytes32[] memory list, bytes32 item) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i; i < list.length; ++i) {
            longer[i] = list[i];
        }
        longer[list.length] = item;
    }
}
