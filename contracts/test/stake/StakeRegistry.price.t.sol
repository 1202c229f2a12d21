// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { DevPriceFeed } from "../../src/dev/DevPriceFeed.sol";
import { IStakePricer } from "../../src/interfaces/IStakePricer.sol";
import { IStakeRegistry } from "../../src/interfaces/IStakeRegistry.sol";
import { Role } from "../../src/libraries/Types.sol";
import { StakeFixture } from "./StakeFixture.sol";

contract StakeRegistry_SetFeed_Test is StakeFixture {
    function test_setFeed_first_setsTheRate() external {
        expectEvent(address(stakes));
        emit IStakePricer.FeedChanged(address(feed), OLDEST);
        expectEvent(address(stakes));
        emit IStakePricer.Repriced(0.05e8, RATE, RATE);
        vm.prank(governor);
        stakes.setFeed(address(feed), OLDEST);
        (uint256 rate, uint256 earlier, uint64 repricedAt) = stakes.rate();
        assertEq(rate, RATE, "20 INFR per USDC");
        assertEq(earlier, RATE, "and before");
        assertEq(repricedAt, START, "now");
        assertEq(minimum(), MINIMUM, "minimums stay in INFR until they are set in USDC");
    }

    function test_setFeed_another_movesAtABoundedPace() external {
        priced();
        DevPriceFeed wild = new DevPriceFeed(address(this), 18, 1);
        vm.prank(governor);
        stakes.setFeed(address(wild), OLDEST);
        assertEq(minimum(), MINIMUM, "nothing at once");
        vm.warp(START + 7 days);
        wild.set(1, block.timestamp);
        stakes.reprice();
        assertEq(minimum(), 2 * MINIMUM, "twice as much at most");
    }

    function test_setFeed_none_goesBackToInfr() external {
        priced();
        week(0.025e8);
        assertEq(minimum(), 2 * MINIMUM, "in USDC");
        vm.prank(governor);
        stakes.setFeed(address(0), 0);
        assertEq(minimum(), MINIMUM, "in INFR");
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_NoFeed.selector));
        stakes.reprice();
    }

    function test_setFeed_bad_reverts() external {
        address fine = address(new DevPriceFeed(address(this), 19, 1e18));
        vm.startPrank(governor);
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_BadFeed.selector, 19, OLDEST));
        stakes.setFeed(fine, OLDEST);
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_BadFeed.selector, 8, 1 hours - 1));
        stakes.setFeed(address(feed), 1 hours - 1);
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_BadFeed.selector, 8, 8 days + 1));
        stakes.setFeed(address(feed), 8 days + 1);
        vm.stopPrank();
    }

    function test_setFeed_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        stakes.setFeed(address(feed), OLDEST);
    }
}

contract StakeRegistry_SetUsdcMinimum_Test is StakeFixture {
    function test_setUsdcMinimum_ofARole_succeeds() external {
        priced();
        expectEvent(address(stakes));
        emit IStakePricer.UsdcMinimumChanged(Role.Router, 500e6);
        vm.prank(governor);
        stakes.setUsdcMinimum(Role.Router, 500e6);
        assertEq(stakes.minimumStake(Role.Router), 10_000e18, "500 USDC at 0.05");
        assertEq(stakes.usdcMinimum(Role.Router), 500e6, "read back");
        assertEq(stakes.minimumStake(Role.Validator), MINIMUM, "others as they were");
        assertEq(stakes.minimumStake(Role.None), 0, "no role, no minimum");
    }

    function test_setUsdcMinimum_withoutFeed_waits() external {
        vm.prank(governor);
        stakes.setUsdcMinimum(Role.Router, 500e6);
        assertEq(stakes.minimumStake(Role.Router), MINIMUM, "in INFR until there is a price");
    }

    function test_setUsdcMinimum_tooHigh_reverts() external {
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_UsdcMinimumTooHigh.selector, 10_000_000e6 + 1, 10_000_000e6));
        stakes.setUsdcMinimum(Role.Router, 10_000_000e6 + 1);
    }

    function test_setUsdcMinimum_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        stakes.setUsdcMinimum(Role.Router, 1);
    }
}

contract StakeRegistry_Reprice_Test is StakeFixture {
    function test_reprice_halfThePrice_twiceTheStake() external {
        priced();
        vm.warp(START + 7 days);
        feed.set(0.025e8, block.timestamp);
        expectEvent(address(stakes));
        emit IStakePricer.Repriced(0.025e8, 2 * RATE, RATE);
        vm.prank(stranger);
        stakes.reprice();
        vm.snapshotGasLastCall("stake", "StakeRegistry.reprice");
        assertEq(minimum(), 2 * MINIMUM, "minimum");
        assertEq(stakes.requiredStake(provider, Role.Provider), 2 * MINIMUM, "required");
    }

    function test_reprice_existingOperators_haveAWeek() external {
        priced();
        week(0.025e8);
        assertTrue(active(), "still in");
        vm.warp(block.timestamp + 7 days - 1);
        assertTrue(active(), "to the last second");
        vm.warp(block.timestamp + 1);
        assertFalse(active(), "and then no longer");
        stakeAs(provider, Role.Provider, MINIMUM, address(0));
        assertTrue(active(), "until there is enough again");
    }

    function test_reprice_newcomers_haveNone() external {
        priced();
        week(0.025e8);
        infr.transfer(stranger, MINIMUM);
        vm.startPrank(stranger);
        infr.approve(address(stakes), MINIMUM);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_BelowMinimum.selector, MINIMUM, 2 * MINIMUM));
        stakes.stake(Role.Provider, MINIMUM, alice);
        vm.stopPrank();
    }

    function test_reprice_graceAfterGrace_doesNotAddUp() external {
        priced();
        week(0.025e8);
        week(0.0125e8);
        assertEq(minimum(), 4 * MINIMUM, "minimum");
        assertFalse(active(), "the first grace is over, the second is of the second rise");
    }

    function test_reprice_falls_frees() external {
        priced();
        week(0.1e8);
        assertEq(minimum(), MINIMUM / 2, "minimum");
        vm.prank(provider);
        stakes.unbond(Role.Provider, MINIMUM / 2);
        assertTrue(active(), "half is enough");
    }

    function test_reprice_wildPrices_moveByAFactorOfTwo() external {
        priced();
        week(1);
        assertEq(minimum(), 2 * MINIMUM, "up");
        week(type(int256).max);
        assertEq(minimum(), MINIMUM, "down");
        week(type(int256).max);
        assertEq(minimum(), MINIMUM / 2, "and down");
    }

    function test_reprice_early_reverts() external {
        priced();
        vm.warp(START + 7 days - 1);
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_TooEarly.selector, START + 7 days));
        stakes.reprice();
    }

    function test_reprice_badPrice_reverts() external {
        priced();
        vm.warp(START + 7 days);
        feed.set(0, block.timestamp);
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_NotPositive.selector, int256(0)));
        stakes.reprice();
        feed.set(-1, block.timestamp);
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_NotPositive.selector, int256(-1)));
        stakes.reprice();
        feed.set(1e8, block.timestamp + 1);
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_FromTheFuture.selector, block.timestamp + 1));
        stakes.reprice();
        uint256 old = block.timestamp - OLDEST - 1;
        feed.set(1e8, old);
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_Stale.selector, old, OLDEST));
        stakes.reprice();
        assertEq(minimum(), MINIMUM, "as it was");
        feed.set(0.05e8, old + 1);
        stakes.reprice();
    }

    function testFuzz_reprice_staysWithinBounds(int256[6] calldata answers, uint64 usdc, uint8 decimals) external {
        feed = new DevPriceFeed(address(this), decimals % 19, 1);
        vm.startPrank(governor);
        stakes.setFeed(address(feed), OLDEST);
        stakes.setUsdcMinimum(Role.Provider, bound(usdc, 1, 10_000_000e6));
        vm.stopPrank();
        for (uint256 i; i < answers.length; ++i) {
            uint256 before = minimum();
            week(int256(bound(uint256(answers[i]), 1, uint256(type(int256).max))));
            assertGe(minimum(), 1e18, "lowest");
            assertLe(minimum(), 10_000_000e18, "highest");
            assertLe(minimum(), 2 * before, "pace");
            assertGe(2 * minimum() + 1e18, before, "pace");
        }
    }
}
