// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Money that answers for something: an active part, and a part that is on its way out and keeps answering until it is taken out.
struct Hold {
    uint96 active;
    uint96 thawing;
    uint64 thawedAt;
}

/// @title HoldLib
/// @notice The one rule for everything that thaws: lockups and bonds in the vault, stake in the registry.
/// @dev There is one thawing part per hold. Thawing more restarts its clock, and whatever the hold has to pay is taken from the
/// thawing part first. A thawed part that was not taken out yet still answers.
library HoldLib {
    error Hold_Overflow(uint256 amount);
    error Hold_InsufficientActive(uint256 wanted, uint256 active);
    error Hold_NotThawed(uint64 thawedAt);

    function total(Hold storage hold) internal view returns (uint256) {
        return uint256(hold.active) + hold.thawing;
    }

    /// @notice Adds `amount` to the active part.
    function add(Hold storage hold, uint256 amount) internal {
        uint256 active = hold.active + amount;
        // INVARIANT: active and thawing together fit in 96 bits, so no movement between them can be cut short.
        if (active + hold.thawing > type(uint96).max) revert Hold_Overflow(amount);
        hold.active = uint96(active);
    }

    /// @notice Starts to thaw `amount` of the active part; the whole thawing part is then free `period` seconds from now.
    function thaw(Hold storage hold, uint256 amount, uint64 period) internal returns (uint64 thawedAt) {
        uint256 active = hold.active;
        // INVARIANT: only money in the active part can start to thaw.
        if (amount > active) revert Hold_InsufficientActive(amount, active);
        thawedAt = uint64(block.timestamp) + period;
        hold.active = uint96(active - amount);
        hold.thawing += uint96(amount);
        hold.thawedAt = thawedAt;
    }

    /// @notice Takes out the thawing part once it has thawed.
    function release(Hold storage hold) internal returns (uint256 amount) {
        amount = hold.thawing;
        // INVARIANT: nothing leaves a hold before its thaw is over.
        if (block.timestamp < hold.thawedAt) revert Hold_NotThawed(hold.thawedAt);
        hold.thawing = 0;
    }

    /// @notice Takes up to `amount`, from the thawing part first.
    function take(Hold storage hold, uint256 amount) internal returns (uint256 taken) {
        uint256 thawing = hold.thawing;
        uint256 active = hold.active;
        taken = amount < thawing + active ? amount : thawing + active;
        if (taken <= thawing) {
            hold.thawing = uint96(thawing - taken);
        } else {
            hold.thawing = 0;
            hold.active = uint96(active - (taken - thawing));
        }
    }
}
