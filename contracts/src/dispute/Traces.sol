// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Merkle } from "../libraries/Merkle.sol";
import { JobReceipt, JobTicket } from "../libraries/Types.sol";

/// @title Traces
/// @notice What a provider commits to in `JobReceipt.evidence`: the states its computation went through, in a {Merkle} tree.
/// @dev Leaf i is the keccak256 of the state after step i. A node is named by its level (leaves are level 0) and its place in it.
library Traces {
    bytes32 internal constant INPUT_TYPEHASH =
        keccak256("TraceInput(bytes32 requestHash,bytes32 samplingHash,uint64 seed,uint32 cutAfter)");
    bytes32 internal constant OUTPUT_TYPEHASH =
        keccak256("TraceOutput(bytes32 responseHash,uint32 tokensIn,uint32 tokensOut,uint8 finishReason)");
    bytes32 internal constant TRACE_TYPEHASH = keccak256("Trace(uint64 steps,bytes32 root)");

    /// @dev Finish reasons that do not follow from the request: the client left, or the delivery broke off.
    uint8 internal constant CANCELLED = 3;
    uint8 internal constant BROKEN_OFF = 4;

    /// @notice The committed state before the first step. Where an answer was cut off is part of it, since no computation tells.
    function input(JobTicket calldata ticket, JobReceipt calldata receipt) internal pure returns (bytes32) {
        bool cut = receipt.finishReason == CANCELLED || receipt.finishReason == BROKEN_OFF;
        uint32 cutAfter = cut ? receipt.tokensOut : type(uint32).max;
        return keccak256(abi.encode(INPUT_TYPEHASH, ticket.requestHash, ticket.samplingHash, ticket.seed, cutAfter));
    }

    /// @notice The committed state after the last step.
    function output(JobReceipt calldata receipt) internal pure returns (bytes32) {
        return
            keccak256(abi.encode(OUTPUT_TYPEHASH, receipt.responseHash, receipt.tokensIn, receipt.tokensOut, receipt.finishReason));
    }

    function evidence(uint64 steps, bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encode(TRACE_TYPEHASH, steps, root));
    }

    function leaf(bytes32 state) internal pure returns (bytes32) {
        return Merkle.leafHash(abi.encode(state));
    }

    /// @notice The level of the root over `steps` leaves.
    function height(uint64 steps) internal pure returns (uint8 level) {
        while (uint256(1) << level < steps) ++level;
    }

    /// @notice How many nodes there are `depth` levels below the node at `place` of `level`. Fewer than 2^depth at the right
    /// edge only.
    function width(uint64 steps, uint8 level, uint64 place, uint8 depth) internal pure returns (uint256) {
        uint256 below = level - depth;
        uint256 all = (uint256(steps) + (uint256(1) << below) - 1) >> below;
        uint256 left = all - (uint256(place) << depth);
        uint256 full = uint256(1) << depth;
        return left < full ? left : full;
    }

    /// @notice The node over `nodes`, which stand next to each other. Overwrites them.
    function fold(bytes32[] memory nodes) internal pure returns (bytes32) {
        uint256 size = nodes.length;
        while (size > 1) {
            uint256 half = size >> 1;
            for (uint256 i; i < half; ++i) {
                nodes[i] = Merkle.nodeHash(nodes[2 * i], nodes[2 * i + 1]);
            }
            if (size & 1 == 1) nodes[half++] = nodes[size - 1];
            size = half;
        }
        return nodes[0];
    }
}
