// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { INFR } from "../../src/INFR.sol";
import { VeINFR } from "../../src/governance/VeINFR.sol";
import { Test } from "../utils/Test.sol";

/// INFR, VeINFR and three accounts that lock.
abstract contract VeFixture is Test {
    uint256 internal constant WEEK = 7 days;
    uint256 internal constant FOUR_YEARS = 1461 days;
    /// The start of a week.
    uint256 internal constant START = 1_750_032_000 / WEEK * WEEK;

    INFR internal infr;
    VeINFR internal ve;
    address internal alice = vm.addr(0xa11ce);
    address internal bob = vm.addr(0xb0b);
    address internal carol = vm.addr(0xca401);

    function setUp() public virtual {
        vm.warp(START);
        INFR.Allocation[] memory allocations = new INFR.Allocation[](1);
        allocations[0] = INFR.Allocation(address(this), 1_000_000_000e18);
        infr = new INFR(allocations);
        ve = new VeINFR(address(infr));
    }

    function fund(address account, uint256 amount) internal {
        infr.transfer(account, amount);
        vm.prank(account);
        infr.approve(address(ve), type(uint256).max);
    }

    function lockAs(address account, uint256 amount, uint256 until) internal returns (uint48) {
        fund(account, amount);
        vm.prank(account);
        return ve.lock(amount, until);
    }

    /// What a lock of `amount` that ends at `end` is worth now.
    function worth(uint256 amount, uint256 end) internal view returns (uint256) {
        return amount / FOUR_YEARS * (end - block.timestamp);
    }

    function wait(uint256 time) internal {
        vm.warp(block.timestamp + time);
    }

    function pastVotes(address account) internal returns (uint256) {
        wait(1);
        return ve.getPastVotes(account, block.timestamp - 1);
    }
}
