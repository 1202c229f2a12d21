// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Scores
/// @notice The arithmetic of reputation: integers only, so that anyone computes the same.
/// @dev A score is a reputation in units of 10^-12; `sampling_rate` of the Python side is `samplingRate` here.
library Scores {
    uint256 internal constant ONE = 1e12;
    uint256 internal constant NEUTRAL = 0.5e12;
    uint256 internal constant PPM = 1e6;
    uint256 internal constant NEW_RATE = 100_000;
    uint256 internal constant TENURED_RATE = 5_000;
    uint256 internal constant LOWEST_BASE_RATE = 10_000;
    uint256 internal constant HIGHEST_BASE_RATE = 50_000;
    uint256 internal constant PROBATION = 30 days;
    uint256 internal constant TENURE = 180 days;

    /// @notice What is left of a score after `time`: the distance from neutral halves with every half-life, in a straight line
    /// from each halving to the next.
    function decay(uint256 score, uint256 time, uint256 halfLife) internal pure returns (uint256) {
        uint256 distance = score > NEUTRAL ? score - NEUTRAL : NEUTRAL - score;
        uint256 halvings = time / halfLife;
        distance = halvings > 255 ? 0 : distance >> halvings;
        distance = distance * (2 * halfLife - time % halfLife) / (2 * halfLife);
        return score > NEUTRAL ? NEUTRAL + distance : NEUTRAL - distance;
    }

    /// @notice Moves a score towards 1 or 0 by `weight` parts per million of the way.
    function move(uint256 score, bool up, uint256 weight) internal pure returns (uint256) {
        return up ? score + (ONE - score) * weight / PPM : score - score * weight / PPM;
    }

    function samplingRate(uint256 tenure, uint256 reputation, uint256 base) internal pure returns (uint256 rate) {
        if (base < LOWEST_BASE_RATE) base = LOWEST_BASE_RATE;
        if (base > HIGHEST_BASE_RATE) base = HIGHEST_BASE_RATE;
        if (tenure < PROBATION) rate = NEW_RATE - (NEW_RATE - base) * tenure / PROBATION;
        else if (tenure < TENURE) rate = base - (base - TENURED_RATE) * (tenure - PROBATION) / (TENURE - PROBATION);
        else rate = TENURED_RATE;
        uint256 missing = reputation < PPM ? PPM - reputation : 0;
        rate += (NEW_RATE - rate) * missing / PPM;
    }
}
