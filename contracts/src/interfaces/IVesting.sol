// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title INFR that does not circulate
/// @notice What the governor subtracts from the supply when it computes a quorum.
interface ILockedSupply {
    /// @notice How much of this contract's allocation had not been set free at `timepoint` (seconds).
    /// @dev Of the allocation alone: INFR sent here by anybody does not count, so nobody can lower a quorum with it.
    function lockedAt(uint256 timepoint) external view returns (uint256);
}

/// @title A vesting wallet for one allocation
/// @notice OpenZeppelin's VestingWallet with the size of its allocation written into it. Nothing is free before `start`, all of it
/// `duration` seconds later, and linearly more in between. A cliff of twelve months is a start twelve months after the token's
/// launch: nothing is paid retroactively when it passes. With a duration of zero everything is free at `start`.
///
/// Anyone may call `release`; the INFR goes to the owner, the beneficiary. Nobody can take it back, stop it or speed it up.
interface IVesting is ILockedSupply {
    error Vesting_NoAllocation();

    function allocation() external view returns (uint256);
}
