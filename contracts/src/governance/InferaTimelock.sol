// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { TimelockController } from "@openzeppelin/contracts/governance/TimelockController.sol";

import { Chains } from "./Chains.sol";

/// @title InferaTimelock
/// @notice Owns what governance governs, and does nothing within seven days of its being decided. Not even a decision of governance
/// shortens that: the lowest delay is fixed when the contract is built, and the contract cannot be upgraded.
/// @dev Built with the governor as only proposer, or with an admin who grants it that role (and the canceller's) and then
/// renounces its own. The executor is anybody: the zero address.
contract InferaTimelock is TimelockController {
    uint256 public constant HIGHEST_DELAY = 30 days;
    /// @notice Seven days; a second on development chains.
    uint256 public immutable LOWEST_DELAY;

    error InferaTimelock_DelayOutOfBounds(uint256 delay, uint256 lowest, uint256 highest);

    constructor(uint256 delay, address[] memory proposers, address[] memory executors, address admin)
        TimelockController(delay, proposers, executors, admin)
    {
        LOWEST_DELAY = Chains.atLeast(7 days);
        _requireInBounds(delay, LOWEST_DELAY);
    }

    /// @notice Changes the delay of what is scheduled from now on. Only by an operation of the timelock itself.
    function updateDelay(uint256 newDelay) public override {
        _requireInBounds(newDelay, LOWEST_DELAY);
        super.updateDelay(newDelay);
    }

    function _requireInBounds(uint256 delay, uint256 lowest) private pure {
        // INVARIANT: whoever disagrees with a decision has a week to leave, and what was decided comes within a month.
        if (delay < lowest || delay > HIGHEST_DELAY) revert InferaTimelock_DelayOutOfBounds(delay, lowest, HIGHEST_DELAY);
    }
}
