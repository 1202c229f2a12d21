// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What the network needs of a price feed
/// @notice The part of Chainlink's `AggregatorV3Interface` that is read here: USD per INFR.
interface IPriceFeed {
    function decimals() external view returns (uint8);

    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
