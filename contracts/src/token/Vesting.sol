// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { VestingWallet } from "@openzeppelin/contracts/finance/VestingWallet.sol";

import { ILockedSupply, IVesting } from "../interfaces/IVesting.sol";

/// @title Vesting
/// @notice A vesting wallet for one allocation. See {IVesting}, which is its specification.
contract Vesting is VestingWallet, IVesting {
    uint256 private immutable ALLOCATION;

    constructor(address beneficiary, uint256 allocation_, uint64 start_, uint64 duration_)
        VestingWallet(beneficiary, start_, duration_)
    {
        // INVARIANT: a wallet is for something.
        if (allocation_ == 0) revert Vesting_NoAllocation();
        ALLOCATION = allocation_;
    }

    /// @inheritdoc ILockedSupply
    function lockedAt(uint256 timepoint) external view returns (uint256) {
        return ALLOCATION - _vestingSchedule(ALLOCATION, uint64(timepoint));
    }

    /// @inheritdoc IVesting
    function allocation() external view returns (uint256) {
        return ALLOCATION;
    }
}
