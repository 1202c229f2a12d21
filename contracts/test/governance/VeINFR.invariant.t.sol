// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { INFR } from "../../src/INFR.sol";
import { VeINFR } from "../../src/governance/VeINFR.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { VeFixture } from "./VeFixture.sol";

/// Accounts locking, extending, delegating and leaving in any order.
contract VeHandler is VeFixture {
    uint256 public constant ACCOUNTS = 4;

    uint256 public early;

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < ACCOUNTS; ++i) {
            fund(accountAt(i), 200_000_000e18);
        }
    }

    function network() external view returns (VeINFR, INFR) {
        return (ve, infr);
    }

    function accountAt(uint256 i) public view returns (address) {
        return [alice, bob, carol, address(0xd00d)][i % ACCOUNTS];
    }

    function lock(uint256 who, uint256 amount, uint256 until) external {
        (uint256 held,) = ve.lockOf(accountAt(who));
        if (held != 0) return;
        vm.prank(accountAt(who));
        ve.lock(bound(amount, 1, 50_000_000e18), bound(until, block.timestamp + WEEK, block.timestamp + FOUR_YEARS));
    }

    function increase(uint256 who, uint256 amount) external {
        (, uint48 end) = ve.lockOf(accountAt(who));
        amount = bound(amount, 1, 10_000_000e18);
        if (block.timestamp >= end || infr.balanceOf(accountAt(who)) < amount) return;
        vm.prank(accountAt(who));
        ve.increaseAmount(amount);
    }

    function extend(uint256 who, uint256 until) external {
        (, uint48 end) = ve.lockOf(accountAt(who));
        if (block.timestamp >= end || end + WEEK > block.timestamp + FOUR_YEARS) return;
        vm.prank(accountAt(who));
        ve.extend(bound(until, end + WEEK, block.timestamp + FOUR_YEARS));
    }

    function delegate(uint256 who, uint256 whom) external {
        vm.prank(accountAt(who));
        ve.delegate(accountAt(whom));
    }

    /// Tries at any time, and counts what came out too soon.
    function withdraw(uint256 who) external {
        (, uint48 end) = ve.lockOf(accountAt(who));
        vm.prank(accountAt(who));
        (bool paid,) = address(ve).call(abi.encodeCall(ve.withdraw, ()));
        if (paid && block.timestamp < end) ++early;
    }

    function pass(uint256 time) external {
        wait(bound(time, 0, 40 * WEEK));
    }
}

contract VeINFR_Invariant_Test is InvariantTest {
    VeHandler private handler;
    VeINFR private ve;
    INFR private infr;

    function setUp() external {
        handler = new VeHandler();
        handler.setUp();
        (ve, infr) = handler.network();
        target = address(handler);
        selectors = [
            handler.lock.selector,
            handler.increase.selector,
            handler.extend.selector,
            handler.delegate.selector,
            handler.withdraw.selector,
            handler.pass.selector
        ];
    }

    /// To the unit: what all voters have is what all locks are worth, and what the contract says there is.
    function invariant_power_addsUp() external view {
        uint256 votes;
        uint256 powers;
        for (uint256 i; i < handler.ACCOUNTS(); ++i) {
            votes += ve.getVotes(handler.accountAt(i));
            powers += ve.balanceOf(handler.accountAt(i));
        }
        assertEq(ve.totalSupply(), powers, "power");
        assertEq(votes, powers, "votes");
        assertLe(powers, ve.totalLocked(), "no more power than INFR");
    }

    function invariant_locked_isHeld() external view {
        uint256 sum;
        for (uint256 i; i < handler.ACCOUNTS(); ++i) {
            (uint256 amount,) = ve.lockOf(handler.accountAt(i));
            sum += amount;
        }
        assertEq(ve.totalLocked(), sum, "locked");
        assertEq(infr.balanceOf(address(ve)), sum, "held");
    }

    function invariant_nobody_leavesEarly() external view {
        assertEq(handler.early(), 0, "early");
    }
}
