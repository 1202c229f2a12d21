// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IPriceFeed } from "../interfaces/IPriceFeed.sol";
import { IStakePricer } from "../interfaces/IStakePricer.sol";
import { Role } from "../libraries/Types.sol";

/// What INFR is worth to the registry, and the minimums that are set in USDC.
struct StakePrice {
    IPriceFeed feed;
    uint64 oldest;
    uint64 repricedAt;
    uint256 rate;
    uint256 earlierRate;
    mapping(Role role => uint256) usdcMinimums;
}

/// @title StakePriceLib
/// @notice Minimums in USDC, turned into INFR by a rate that follows a price feed at a bounded pace.
library StakePriceLib {
    uint64 internal constant INTERVAL = 7 days;
    uint64 internal constant GRACE = 7 days;
    uint256 internal constant STEP = 2;
    uint256 internal constant LOWEST_RATE = 1e6;
    uint256 internal constant HIGHEST_RATE = 1e24;
    uint8 internal constant MOST_DECIMALS = 18;
    uint64 internal constant SHORTEST_AGE = 1 hours;
    uint64 internal constant LONGEST_AGE = 8 days;
    uint256 internal constant HIGHEST_USDC_MINIMUM = 10_000_000e6;

    /// @notice Recalculates the rate, by a factor of `STEP` at most.
    function reprice(StakePrice storage price) internal {
        // INVARIANT: only a feed the governor named says what INFR is worth.
        if (address(price.feed) == address(0)) revert IStakePricer.StakePricer_NoFeed();
        uint64 next = price.repricedAt + INTERVAL;
        // INVARIANT: the rate moves once a week, so a grace period is over before the next rise.
        if (block.timestamp < next) revert IStakePricer.StakePricer_TooEarly(next);
        (uint256 answer, uint256 target) = _read(price);
        uint256 rate = price.rate;
        _set(price, answer, Math.max(Math.min(target, rate * STEP), rate / STEP));
    }

    function setFeed(StakePrice storage price, IPriceFeed feed, uint64 oldest) internal {
        (price.feed, price.oldest) = (feed, oldest);
        emit IStakePricer.FeedChanged(address(feed), oldest);
        if (address(feed) == address(0)) {
            (price.rate, price.earlierRate) = (0, 0);
            return;
        }
        uint8 decimals = feed.decimals();
        // INVARIANT: a feed can be understood, and its answers have an age after which they are not believed.
        if (decimals > MOST_DECIMALS || oldest < SHORTEST_AGE || oldest > LONGEST_AGE) {
            revert IStakePricer.StakePricer_BadFeed(decimals, oldest);
        }
        (uint256 answer, uint256 target) = _read(price);
        if (price.rate == 0) {
            price.rate = target;
            _set(price, answer, target);
        }
    }

    function setUsdcMinimum(StakePrice storage price, Role role, uint256 usdc) internal {
        // INVARIANT: the minimum is never out of anyone's reach.
        if (usdc > HIGHEST_USDC_MINIMUM) revert IStakePricer.StakePricer_UsdcMinimumTooHigh(usdc, HIGHEST_USDC_MINIMUM);
        price.usdcMinimums[role] = usdc;
        emit IStakePricer.UsdcMinimumChanged(role, usdc);
    }

    /// @notice The role's minimum in INFR before the registry's bounds; `otherwise` while it is not set in USDC or there is no rate.
    /// @param lenient Whether to count the lower of the last two rates while who was in before the change may still catch up.
    function minimum(StakePrice storage price, Role role, uint256 otherwise, bool lenient) internal view returns (uint256) {
        uint256 usdc = price.usdcMinimums[role];
        if (usdc == 0) return otherwise;
        uint256 rate = price.rate;
        if (rate == 0) return otherwise;
        if (lenient && block.timestamp < price.repricedAt + GRACE) rate = Math.min(rate, price.earlierRate);
        return usdc * rate;
    }

    function _read(StakePrice storage price) private view returns (uint256 answer, uint256 rate) {
        (, int256 signed,, uint256 updatedAt,) = price.feed.latestRoundData();
        // INVARIANT: INFR is worth something.
        if (signed <= 0) revert IStakePricer.StakePricer_NotPositive(signed);
        // INVARIANT: a price is known when it is used.
        if (updatedAt > block.timestamp) revert IStakePricer.StakePricer_FromTheFuture(updatedAt);
        // INVARIANT: a price that is no longer kept up to date moves nothing.
        if (block.timestamp - updatedAt > price.oldest) revert IStakePricer.StakePricer_Stale(updatedAt, price.oldest);
        answer = uint256(signed);
        // A micro-USDC buys 1e18 / 1e6 wei at a price of one.
        rate = Math.max(LOWEST_RATE, Math.min(HIGHEST_RATE, 1e12 * 10 ** price.feed.decimals() / answer));
    }

    function _set(StakePrice storage price, uint256 answer, uint256 rate) private {
        uint256 earlier = price.rate;
        (price.earlierRate, price.rate, price.repricedAt) = (earlier, rate, uint64(block.timestamp));
        emit IStakePricer.Repriced(answer, rate, earlier);
    }
}
