// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IEcosystemVesting } from "../../src/interfaces/IEcosystemVesting.sol";
import { CreditLeaf } from "../../src/libraries/Types.sol";
import { EcosystemVesting } from "../../src/token/EcosystemVesting.sol";
import { Fixture } from "../utils/Fixture.sol";

abstract contract EcosystemFixture is Fixture {
    uint256 internal constant AMOUNT = 350_000_000e18;
    uint256 internal constant TARGET = 1_000_000_000e6;
    uint64 internal constant FIVE_YEARS = 1826 days;

    EcosystemVesting internal wallet;
    address internal timelock = actor("timelock");
    address internal reporter = actor("reporter");

    function setUp() public virtual override {
        super.setUp();
        wallet = new EcosystemVesting(terms());
        infr.transfer(address(wallet), AMOUNT);
    }

    function terms() internal view returns (IEcosystemVesting.Terms memory) {
        return IEcosystemVesting.Terms({
            owner: timelock,
            infr: address(infr),
            jobRegistry: address(jobs),
            reporter: reporter,
            allocation: AMOUNT,
            target: TARGET,
            start: START,
            duration: FIVE_YEARS
        });
    }

    function routers() internal view returns (address[] memory list) {
        list = new address[](2);
        (list[0], list[1]) = router < other ? (router, other) : (other, router);
    }

    function none() internal pure returns (address[] memory) {
        return new address[](0);
    }

    /// A batch that says this much was debited in all.
    function commitVolume(address router_, uint256 volume) internal {
        commitWithTotals(router_, new Entry[](0), new CreditLeaf[](0), uint128(volume), 0);
    }

    function report(uint256 volume) internal {
        vm.prank(reporter);
        wallet.report(volume, routers());
    }

    /// Brings the volume up as fast as a reporter may.
    function reachVolume(uint256 volume) internal {
        commitVolume(router, volume);
        while (wallet.volume() < volume) {
            vm.warp(block.timestamp + 30 days);
            uint256 highest = wallet.highestVolume();
            report(volume < highest ? volume : highest);
        }
    }

    function vested() internal view returns (uint256) {
        return wallet.vestedAmount(address(infr), uint64(block.timestamp));
    }
}

contract EcosystemVesting_Constructor_Test is EcosystemFixture {
    function test_constructor_terms_succeeds() external view {
        assertEq(wallet.owner(), timelock, "owner");
        assertEq(wallet.infr(), address(infr), "token");
        assertEq(wallet.jobRegistry(), address(jobs), "log");
        assertEq(wallet.reporter(), reporter, "reporter");
        assertEq(wallet.allocation(), AMOUNT, "allocation");
        assertEq(wallet.target(), TARGET, "target");
        assertEq(wallet.reportedAt(), START, "clock");
        assertEq(wallet.end(), START + FIVE_YEARS, "five years");
    }

    function test_constructor_zeros_revert() external {
        bytes memory reason = abi.encodeWithSelector(IEcosystemVesting.EcosystemVesting_ZeroAddress.selector);
        IEcosystemVesting.Terms memory t = terms();
        t.infr = address(0);
        expectRevert(reason);
        new EcosystemVesting(t);
        t = terms();
        t.jobRegistry = address(0);
        expectRevert(reason);
        new EcosystemVesting(t);
        reason = abi.encodeWithSelector(IEcosystemVesting.EcosystemVesting_ZeroAmount.selector);
        t = terms();
        t.allocation = 0;
        expectRevert(reason);
        new EcosystemVesting(t);
        t = terms();
        t.target = 0;
        expectRevert(reason);
        new EcosystemVesting(t);
    }

    function test_constructor_lessThanFiveYears_reverts() external {
        IEcosystemVesting.Terms memory t = terms();
        uint64[2] memory durations = [FIVE_YEARS - 1, 3652 days + 1];
        for (uint256 i; i < 2; ++i) {
            t.duration = durations[i];
            expectRevert(
                abi.encodeWithSelector(
                    IEcosystemVesting.EcosystemVesting_DurationOutOfBounds.selector, durations[i], FIVE_YEARS, 3652 days
                )
            );
            new EcosystemVesting(t);
        }
    }
}

contract EcosystemVesting_Report_Test is EcosystemFixture {
    function test_report_ofFinalBatches_succeeds() external {
        commitVolume(router, 700e6);
        commitVolume(other, 300e6);
        vm.warp(START + 1 days);
        expectEvent(address(wallet));
        emit IEcosystemVesting.VolumeReported(900e6, 1_000e6);
        report(900e6);
        assertEq(wallet.volume(), 900e6, "volume");
        assertEq(wallet.reportedAt(), START + 1 days, "when");
    }

    function test_report_byAnother_reverts() external {
        expectRevert(abi.encodeWithSelector(IEcosystemVesting.EcosystemVesting_NotReporter.selector, timelock));
        vm.prank(timelock);
        wallet.report(0, none());
    }

    function test_report_less_reverts() external {
        commitVolume(router, 700e6);
        vm.warp(START + 1 days);
        report(700e6);
        vm.prank(reporter);
        expectRevert(abi.encodeWithSelector(IEcosystemVesting.EcosystemVesting_VolumeDecreases.selector, uint256(700e6 - 1), 700e6));
        wallet.report(700e6 - 1, none());
    }

    function test_report_moreThanWasCommitted_reverts() external {
        commitVolume(router, 700e6);
        vm.warp(START + 1 days);
        address[] memory list = routers();
        vm.prank(reporter);
        expectRevert(
            abi.encodeWithSelector(IEcosystemVesting.EcosystemVesting_VolumeNotCommitted.selector, uint256(700e6 + 1), 700e6)
        );
        wallet.report(700e6 + 1, list);
    }

    /// A router that claims the world moves nothing in a day.
    function test_report_tooFast_reverts() external {
        commitVolume(router, 1e30);
        vm.warp(START + 1 days);
        uint256 highest = TARGET / 365;
        address[] memory list = routers();
        vm.prank(reporter);
        expectRevert(abi.encodeWithSelector(IEcosystemVesting.EcosystemVesting_VolumeTooFast.selector, highest + 1, highest));
        wallet.report(highest + 1, list);
        report(highest);
        assertEq(wallet.highestVolume(), highest, "and no more today");
        vm.warp(START + 300 days);
        assertEq(wallet.highestVolume(), highest + TARGET * 30 / 365, "a pause saves up 30 days at most");
    }

    function test_report_sameRouterTwice_reverts() external {
        commitVolume(router, 700e6);
        vm.warp(START + 1 days);
        address[] memory list = new address[](2);
        (list[0], list[1]) = (router, router);
        vm.prank(reporter);
        expectRevert(abi.encodeWithSelector(IEcosystemVesting.EcosystemVesting_RoutersNotAscending.selector, router));
        wallet.report(1_400e6, list);
    }
}

contract EcosystemVesting_SetReporter_Test is EcosystemFixture {
    function test_setReporter_byOwner_succeeds() external {
        expectEvent(address(wallet));
        emit IEcosystemVesting.ReporterChanged(alice);
        vm.prank(timelock);
        wallet.setReporter(alice);
        assertEq(wallet.reporter(), alice, "named");
    }

    function test_setReporter_byAnother_reverts() external {
        vm.prank(reporter);
        expectNotGovernor(reporter);
        wallet.setReporter(alice);
    }
}

contract EcosystemVesting_Release_Test is EcosystemFixture {
    function test_release_noUse_releasesNothing() external {
        vm.warp(START + 2 * FIVE_YEARS);
        wallet.release(address(infr));
        assertEq(infr.balanceOf(timelock), 0, "time alone earns nothing");
        assertEq(wallet.lockedAt(block.timestamp), AMOUNT, "all of it locked");
    }

    function test_release_firstVolume_releasesMost() external {
        commitVolume(router, TARGET / 100);
        vm.warp(START + 30 days);
        report(TARGET / 100);
        assertEq(vested(), AMOUNT * 30 / 1826, "time holds it back at first");
        vm.warp(START + 365 days);
        assertEq(vested(), AMOUNT / 10, "one per cent of the target, ten of the allocation");
    }

    function test_release_fullUse_followsTime() external {
        reachVolume(TARGET);
        vm.warp(START + FIVE_YEARS / 2);
        vm.prank(stranger);
        wallet.release(address(infr));
        assertEq(infr.balanceOf(timelock), AMOUNT / 2, "half-way, half");
        assertEq(wallet.lockedAt(block.timestamp), AMOUNT - AMOUNT / 2, "and half locked");
        assertEq(wallet.lockedAt(block.timestamp - 1), AMOUNT, "a second before all was");
        vm.warp(START + FIVE_YEARS);
        wallet.release(address(infr));
        assertEq(infr.balanceOf(timelock), AMOUNT, "all in five years");
        assertEq(wallet.lockedAt(block.timestamp), 0, "none locked");
    }

    function test_release_otherTokens_areNotLocked() external {
        usdc.mint(address(wallet), 5);
        vm.warp(START + FIVE_YEARS);
        wallet.release(address(usdc));
        assertEq(wallet.lockedAt(block.timestamp), AMOUNT, "INFR alone counts");
    }

    /// Monotone in time and in volume, and never above what time or use allow.
    function testFuzz_release_curve_isMonotone(uint256 seed) external {
        commitVolume(router, TARGET);
        uint256 before;
        for (uint256 i; i < 10; ++i) {
            vm.warp(block.timestamp + 1 + pick(seed, i) % 250 days);
            uint256 now_ = vested();
            assertGe(now_, before, "in time");
            uint256 highest = wallet.highestVolume();
            if (highest > TARGET) highest = TARGET;
            report(bound(pick(seed, 100 + i), wallet.volume(), highest));
            before = vested();
            assertGe(before, now_, "in volume");
            uint256 passed = block.timestamp - START;
            assertLe(before, passed >= FIVE_YEARS ? AMOUNT : AMOUNT * passed / FIVE_YEARS, "below time");
            // v² · target ≤ allocation² · volume, in units of 1e18.
            uint256 share = before / 1e18;
            assertLe(share * share * TARGET, (AMOUNT / 1e18) ** 2 * wallet.volume(), "below use");
            if (pick(seed, 200 + i) & 1 == 1) wallet.release(address(infr));
            assertLe(wallet.released(address(infr)), before, "released is vested");
            assertEq(infr.balanceOf(address(wallet)) + wallet.released(address(infr)), AMOUNT, "nothing lost");
        }
    }
}
