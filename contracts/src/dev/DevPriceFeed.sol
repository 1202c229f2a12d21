// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";

import { IPriceFeed } from "../interfaces/IPriceFeed.sol";

/// @title DevPriceFeed
/// @notice Stands in for a Chainlink feed on development chains: its owner says what the price is. Never deploy it to a public chain.
contract DevPriceFeed is IPriceFeed, Ownable {
    uint8 public immutable decimals;
    int256 private _answer;
    uint256 private _updatedAt;

    constructor(address owner, uint8 decimals_, int256 answer) Ownable(owner) {
        decimals = decimals_;
        (_answer, _updatedAt) = (answer, block.timestamp);
    }

    function set(int256 answer, uint256 updatedAt) external onlyOwner {
        (_answer, _updatedAt) = (answer, updatedAt);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, _answer, _updatedAt, _updatedAt, 1);
    }
}
