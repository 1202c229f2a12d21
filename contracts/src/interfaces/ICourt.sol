// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// What {IJobRegistry} asks of a contract that is to be a court.
interface ICourt {
    /// @notice How long after a batch's window the court may need to judge it, at most. With the time it takes somebody to make
    /// the call that ends the case: once this is over, the registry no longer waits.
    function longestHold() external view returns (uint64);
}
