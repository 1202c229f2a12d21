// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Chains
/// @notice Where time may be short. A delay that gives people a week to leave is no use on a chain that lives for an afternoon.
library Chains {
    /// @notice Whether this is a local chain (31337, 1337) or the public test network (Base Sepolia).
    function isDevelopment() internal view returns (bool) {
        return block.chainid == 31337 || block.chainid == 1337 || block.chainid == 84532;
    }

    /// @notice The lowest `duration` allowed here: a second on development chains.
    function atLeast(uint256 duration) internal view returns (uint256) {
        return isDevelopment() ? 1 : duration;
    }
}
