// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IVotes } from "@openzeppelin/contracts/governance/utils/IVotes.sol";

import { VeINFR } from "../../src/governance/VeINFR.sol";
import { IVeINFR } from "../../src/interfaces/IVeINFR.sol";
import { VeFixture } from "./VeFixture.sol";

contract VeINFR_Constructor_Test is VeFixture {
    function test_constructor_clock_succeeds() external view {
        assertEq(ve.infr(), address(infr), "token");
        assertEq(ve.name(), "Vote-escrowed INFR", "name");
        assertEq(ve.symbol(), "veINFR", "symbol");
        assertEq(ve.decimals(), infr.decimals(), "decimals");
        assertEq(ve.clock(), block.timestamp, "clock");
        assertEq(ve.CLOCK_MODE(), "mode=timestamp", "mode");
    }

    function test_constructor_noToken_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_ZeroAddress.selector));
        new VeINFR(address(0));
    }
}

contract VeINFR_Lock_Test is VeFixture {
    function test_lock_fourYears_isWorthItsAmount() external {
        uint48 end = lockAs(alice, 1461e18, START + FOUR_YEARS);
        assertEq(end, START + 208 * WEEK, "the last start of a week");
        assertEq(ve.getVotes(alice), worth(1461e18, end), "power");
        assertLe(1456e18 - ve.getVotes(alice), FOUR_YEARS, "1456 days of 1461, rounded down once per second");
        assertEq(ve.totalSupply(), ve.getVotes(alice), "total");
        assertEq(ve.totalLocked(), 1461e18, "locked");
        assertEq(infr.balanceOf(address(ve)), 1461e18, "held");
        (uint256 amount, uint48 until) = ve.lockOf(alice);
        assertEq(amount, 1461e18, "amount");
        assertEq(until, end, "end");
    }

    function test_lock_decaysToNothing_succeeds() external {
        uint48 end = lockAs(alice, 1_000e18, START + 10 * WEEK);
        uint256 power = ve.getVotes(alice);
        wait(5 * WEEK);
        assertEq(ve.getVotes(alice) * 2, power, "half-way, half the power");
        vm.warp(end - 1);
        assertEq(ve.getVotes(alice), uint256(1_000e18) / FOUR_YEARS, "a second before the end");
        vm.warp(end);
        assertEq(ve.getVotes(alice), 0, "at the end");
        wait(100 * WEEK);
        assertEq(ve.getVotes(alice), 0, "ever after");
        assertEq(ve.balanceOf(alice), 0, "its own");
        assertEq(ve.totalSupply(), 0, "total");
        assertEq(ve.getPastVotes(alice, START), power, "the past stands");
        assertEq(ve.getPastVotes(alice, START - 1), 0, "and nothing before it");
    }

    function test_lock_announced_succeeds() external {
        fund(alice, 5e18);
        vm.expectEmit(true, true, true, true, address(ve));
        emit IVotes.DelegateVotesChanged(alice, 0, worth(5e18, START + WEEK));
        vm.expectEmit(true, true, true, true, address(ve));
        emit IVeINFR.Locked(alice, 5e18, 5e18, uint48(START + WEEK));
        vm.prank(alice);
        ve.lock(5e18, START + 2 * WEEK - 1);
    }

    function test_lock_twice_reverts() external {
        lockAs(alice, 1e18, START + WEEK);
        vm.warp(START + 2 * WEEK);
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_LockExists.selector, alice));
        vm.prank(alice);
        ve.lock(1e18, START + 5 * WEEK);
    }

    function test_lock_nothing_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_NothingToLock.selector));
        vm.prank(alice);
        ve.lock(0, START + WEEK);
    }

    function test_lock_moreThanHeld_reverts() external {
        fund(alice, 1e18);
        vm.expectRevert();
        vm.prank(alice);
        ve.lock(1e18 + (1 << 128), START + WEEK);
    }

    function test_lock_tooShortOrTooLong_reverts() external {
        wait(1);
        uint256 highest = block.timestamp + FOUR_YEARS;
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_EndOutOfBounds.selector, START, block.timestamp + 1, highest));
        vm.prank(alice);
        ve.lock(1e18, START + WEEK - 1);
        uint256 end = START + 209 * WEEK;
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_EndOutOfBounds.selector, end, block.timestamp + 1, highest));
        vm.prank(alice);
        ve.lock(1e18, end);
    }

    function testFuzz_lock_power_isTheLine(uint256 amount, uint256 until, uint256 time) external {
        amount = bound(amount, 1, 1_000_000_000e18);
        uint48 end = lockAs(alice, amount, bound(until, START + WEEK, START + FOUR_YEARS));
        time = bound(time, START, START + 2 * FOUR_YEARS);
        vm.warp(time + 1);
        uint256 expected = time < end ? amount / FOUR_YEARS * (end - time) : 0;
        assertEq(ve.getPastVotes(alice, time), expected, "votes");
        assertEq(ve.getPastTotalSupply(time), expected, "total");
        assertLe(expected, amount, "never more than was locked");
    }
}

contract VeINFR_IncreaseAmount_Test is VeFixture {
    function test_increaseAmount_addsPower_succeeds() external {
        uint48 end = lockAs(alice, 10e18, START + 100 * WEEK);
        wait(WEEK + 5);
        fund(alice, 30e18);
        vm.prank(alice);
        ve.increaseAmount(30e18);
        assertEq(ve.getVotes(alice), worth(40e18, end), "as if it had been 40 from the start");
        assertEq(ve.totalSupply(), worth(40e18, end), "total");
        (uint256 amount, uint48 until) = ve.lockOf(alice);
        assertEq(amount, 40e18, "amount");
        assertEq(until, end, "the end stands");
        assertEq(ve.totalLocked(), 40e18, "locked");
    }

    function test_increaseAmount_noLock_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_NoLock.selector, alice));
        vm.prank(alice);
        ve.increaseAmount(1);
    }

    function test_increaseAmount_nothing_reverts() external {
        lockAs(alice, 10e18, START + WEEK);
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_NothingToLock.selector));
        vm.prank(alice);
        ve.increaseAmount(0);
    }

    function test_increaseAmount_ended_reverts() external {
        uint48 end = lockAs(alice, 10e18, START + WEEK);
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_LockEnded.selector, alice, end));
        vm.prank(alice);
        ve.increaseAmount(1);
    }
}

contract VeINFR_Extend_Test is VeFixture {
    function test_extend_addsPower_succeeds() external {
        uint48 end = lockAs(alice, 10e18, START + 2 * WEEK);
        wait(WEEK);
        uint256 before = ve.getVotes(alice);
        vm.expectEmit(true, true, true, true, address(ve));
        emit IVeINFR.Extended(alice, uint48(START + 20 * WEEK));
        vm.prank(alice);
        ve.extend(START + 20 * WEEK + 3);
        assertEq(ve.getVotes(alice), before + worth(10e18, START + 20 * WEEK) - worth(10e18, end), "longer, heavier");
        vm.warp(end);
        assertEq(ve.getVotes(alice), worth(10e18, START + 20 * WEEK), "the old end ends nothing");
        assertEq(ve.totalSupply(), ve.getVotes(alice), "total");
    }

    function test_extend_notLonger_reverts() external {
        uint48 end = lockAs(alice, 10e18, START + 2 * WEEK);
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_EndOutOfBounds.selector, end, end + 1, block.timestamp + FOUR_YEARS));
        vm.prank(alice);
        ve.extend(end + WEEK - 1);
    }

    function test_extend_noLock_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_NoLock.selector, alice));
        vm.prank(alice);
        ve.extend(START + WEEK);
    }

    function test_extend_ended_reverts() external {
        uint48 end = lockAs(alice, 10e18, START + WEEK);
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_LockEnded.selector, alice, end));
        vm.prank(alice);
        ve.extend(end + WEEK);
    }
}

contract VeINFR_Withdraw_Test is VeFixture {
    function test_withdraw_afterTheEnd_succeeds() external {
        uint48 end = lockAs(alice, 10e18, START + WEEK);
        vm.warp(end);
        vm.expectEmit(true, true, true, true, address(ve));
        emit IVeINFR.Withdrawn(alice, 10e18);
        vm.prank(alice);
        assertEq(ve.withdraw(), 10e18, "all of it");
        assertEq(infr.balanceOf(alice), 10e18, "paid");
        assertEq(ve.totalLocked(), 0, "locked");
        vm.prank(alice);
        ve.lock(10e18, end + 3 * WEEK);
        assertEq(ve.getVotes(alice), worth(10e18, end + 3 * WEEK), "and locked again");
    }

    function test_withdraw_early_reverts() external {
        uint48 end = lockAs(alice, 10e18, START + WEEK);
        vm.warp(end - 1);
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_NotEnded.selector, alice, end));
        vm.prank(alice);
        ve.withdraw();
    }

    function test_withdraw_nothing_reverts() external {
        lockAs(alice, 10e18, START + WEEK);
        wait(WEEK);
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_NoLock.selector, bob));
        vm.prank(bob);
        ve.withdraw();
    }
}

contract VeINFR_GetPastVotes_Test is VeFixture {
    function test_getPastVotes_presentOrFuture_reverts() external {
        lockAs(alice, 10e18, START + WEEK);
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_FutureLookup.selector, START, START));
        ve.getPastVotes(alice, START);
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_FutureLookup.selector, START + 1, START));
        ve.getPastTotalSupply(START + 1);
    }

    /// The longest walk there is: a point four years back and a lock ending in every week since.
    function test_getPastVotes_everyWeekEnds_isBounded() external {
        for (uint160 i = 1; i <= 208; ++i) {
            address account = address(0xbeef0000 + i);
            lockAs(account, 1_000e18, START + i * WEEK);
            vm.prank(account);
            ve.delegate(alice);
        }
        vm.warp(START + FOUR_YEARS - 2 * WEEK);
        assertEq(ve.getVotes(alice), worth(1_000e18, START + 207 * WEEK) + worth(1_000e18, START + 208 * WEEK), "two left");
        ve.getPastVotes(alice, block.timestamp - 1);
        assertLe(vm.snapshotGasLastCall("governance", "VeINFR.getPastVotes, 206 ends to walk"), 700_000, "bounded");
    }
}
