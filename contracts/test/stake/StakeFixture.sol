// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { DevPriceFeed } from "../../src/dev/DevPriceFeed.sol";
import { IClaimPricer } from "../../src/interfaces/IStakePricer.sol";
import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { Role } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";

/// Coefficients as the model registry keeps them: millionths of the minimum per token per second.
contract Coefficients is IClaimPricer {
    StakeRegistry private immutable _stakes;
    mapping(bytes32 modelId => uint256) public ppm;

    constructor(StakeRegistry stakes) {
        _stakes = stakes;
    }

    function set(bytes32 modelId, uint256 value) external {
        ppm[modelId] = value;
    }

    function stakeFor(bytes32 modelId, uint32 tokensPerSecond) external view returns (uint256) {
        return _stakes.minimumStake(Role.Provider) * ppm[modelId] * tokensPerSecond / 1_000_000;
    }
}

/// The network with a feed at 0.05 USD per INFR and coefficients for two models.
abstract contract StakeFixture is Fixture {
    bytes32 internal constant SMALL = keccak256("8B");
    bytes32 internal constant LARGE = keccak256("70B");
    /// 20 INFR per USDC.
    uint256 internal constant RATE = 20e12;
    uint64 internal constant OLDEST = 1 days;

    DevPriceFeed internal feed;
    Coefficients internal coefficients;

    function setUp() public virtual override {
        super.setUp();
        feed = new DevPriceFeed(address(this), 8, 0.05e8);
        coefficients = new Coefficients(stakes);
        coefficients.set(SMALL, 1_000);
        coefficients.set(LARGE, 20_000);
    }

    /// Minimums of providers in USDC from now on: 50 USDC are the 1,000 INFR they were.
    function priced() internal {
        vm.startPrank(governor);
        stakes.setFeed(address(feed), OLDEST);
        stakes.setUsdcMinimum(Role.Provider, 50e6);
        vm.stopPrank();
    }

    function measured() internal {
        vm.prank(governor);
        stakes.setClaimPricer(address(coefficients));
    }

    function week(int256 answer) internal {
        vm.warp(block.timestamp + 7 days);
        feed.set(answer, block.timestamp);
        stakes.reprice();
    }

    function minimum() internal view returns (uint256) {
        return stakes.minimumStake(Role.Provider);
    }

    function active() internal view returns (bool) {
        return stakes.isActive(provider, Role.Provider);
    }
}
