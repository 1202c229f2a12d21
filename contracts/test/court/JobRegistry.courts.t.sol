// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobRegistry } from "../../src/JobRegistry.sol";
import { IJobRegistry } from "../../src/interfaces/IJobRegistry.sol";
import { BatchHeader, CreditLeaf, Role } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Judge } from "../utils/Judge.sol";

/// A network with two courts that hold for different times.
abstract contract TwoCourtsFixture is Fixture {
    uint64 internal constant SHORT = 10 minutes;
    uint64 internal constant LONG = 1 hours;

    address internal first = address(new Judge(SHORT));
    address internal second = address(new Judge(LONG));

    function setUp() public virtual override {
        super.setUp();
        vm.startPrank(governor);
        jobs.setCourt(first, true);
        jobs.setCourt(second, true);
        vm.stopPrank();
    }

    function commitTiers(uint8 tiers) internal returns (uint64 index) {
        BatchHeader memory batch = header(router, one(entry(openGrant(), "alice", 1_000)), one(CreditLeaf(provider, 1_000)), tiers);
        vm.prank(router);
        jobs.commitBatch(batch);
        return batch.index;
    }

    function hold(address court, uint64 index) internal returns (bool) {
        vm.prank(court);
        return jobs.hold(router, index);
    }

    function release(address court, uint64 index, uint16 epoch) internal {
        vm.prank(court);
        jobs.release(router, index, epoch);
    }

    function rollback(address court, uint64 index) internal returns (uint16) {
        vm.prank(court);
        return jobs.rollback(router, index);
    }

    function isFinal(uint64 index) internal view returns (bool) {
        return jobs.isFinal(router, index);
    }
}

contract JobRegistry_TwoCourts_Test is TwoCourtsFixture {
    function setUp() public override {
        super.setUp();
        commitTiers(OPTIMISTIC);
        commitTiers(OPTIMISTIC);
        hold(first, 0);
        hold(second, 0);
    }

    function test_release_byTheFirst_leavesTheHoldOfTheSecond() external {
        _release(first, second);
    }

    function test_release_byTheSecond_leavesTheHoldOfTheFirst() external {
        _release(second, first);
    }

    function _release(address one_, address other_) private {
        vm.warp(START + WINDOW);
        release(one_, 0, 0);
        assertFalse(jobs.isHeldBy(one_, router, 0), "let go");
        assertTrue(jobs.isHeldBy(other_, router, 0), "not by the other");
        assertFalse(isFinal(0) || isFinal(1), "the other still looks at it");
        release(one_, 0, 0);
        assertFalse(isFinal(0), "twice is no more than once");
        release(other_, 0, 0);
        assertTrue(isFinal(0) && isFinal(1), "both are done");
    }

    function test_hold_twiceByOneCourt_isOneHold() external {
        assertTrue(hold(first, 0), "still held");
        vm.warp(START + WINDOW);
        release(first, 0, 0);
        release(second, 0, 0);
        assertTrue(isFinal(0), "free");
    }

    /// What is void is void for both; what either lets go of later, from before, touches nothing of the new epoch.
    function test_rollback_byTheFirst_endsTheHoldOfTheSecond() external {
        _rollback(first, second);
    }

    function test_rollback_byTheSecond_endsTheHoldOfTheFirst() external {
        _rollback(second, first);
    }

    function _rollback(address one_, address other_) private {
        assertEq(rollback(one_, 0), 1, "a new epoch");
        release(other_, 0, 0);
        commitTiers(OPTIMISTIC);
        assertFalse(jobs.isHeldBy(other_, router, 0), "another batch");
        assertTrue(hold(other_, 0), "held anew");
        release(other_, 0, 0);
        release(one_, 0, 0);
        release(one_, 0, 1);
        vm.warp(START + WINDOW);
        assertFalse(isFinal(0), "the new hold stands");
        release(other_, 0, 1);
        assertTrue(isFinal(0), "until it is released");
    }

    function test_release_unknownBatch_doesNothing() external {
        release(first, 7, 0);
        release(first, 0, 7);
        rollback(second, 0);
        release(first, 0, 0);
        assertEq(jobs.batchCount(router), 0, "none");
    }

    function test_rollback_withoutAHold_voidsWhatTheOtherHolds() external {
        release(first, 0, 0);
        vm.warp(START + WINDOW + LONG - 1);
        assertEq(rollback(first, 0), 1, "any court can prove a batch wrong");
    }

    function test_rollback_laterBatch_keepsTheHoldsBefore() external {
        hold(first, 1);
        rollback(second, 1);
        vm.warp(START + WINDOW);
        release(first, 0, 0);
        assertFalse(isFinal(0), "held by the other");
        release(second, 0, 0);
        assertTrue(isFinal(0), "free");
    }

    function test_setCourt_dismissed_countsUntilItLapses() external {
        vm.prank(governor);
        jobs.setCourt(second, false);
        vm.warp(START + WINDOW);
        release(first, 0, 0);
        assertFalse(isFinal(0), "held still");
        vm.warp(START + WINDOW + LONG - 1);
        assertFalse(isFinal(0), "to the last second");
        vm.warp(START + WINDOW + LONG);
        assertTrue(isFinal(0), "lapsed");
    }
}

contract JobRegistry_Lapse_Test is TwoCourtsFixture {
    function test_hold_pastItsTime_lapses() external {
        commitTiers(OPTIMISTIC);
        hold(first, 0);
        vm.warp(START + WINDOW + LONG - 1);
        assertFalse(isFinal(0), "held");
        (bool exists,) = jobs.newestFinal(router);
        assertFalse(exists, "none final");
        vm.warp(START + WINDOW + LONG);
        assertTrue(isFinal(0), "the court had its time");
        (exists,) = jobs.newestFinal(router);
        assertTrue(exists, "newest");
        jobs.finalDebits(router, 0);
        vm.prank(first);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_AlreadyFinal.selector, router, 0));
        jobs.rollback(router, 0);
        release(first, 0, 0);
        assertTrue(isFinal(0), "nothing changes");
    }

    function test_lapse_overdueHold_freesLaterBatches() external {
        commitTiers(OPTIMISTIC);
        commitTiers(OPTIMISTIC);
        hold(first, 0);
        vm.warp(START + WINDOW + LONG);
        uint64 later = commitTiers(OPTIMISTIC);
        commitTiers(OPTIMISTIC);
        hold(second, later + 1);
        vm.warp(block.timestamp + WINDOW);
        assertFalse(isFinal(later), "behind a hold that nobody needs");
        vm.prank(stranger);
        jobs.lapse(router);
        assertTrue(isFinal(later), "free");
        assertFalse(isFinal(later + 1), "but for what is held itself");
        jobs.lapse(router);
        assertFalse(isFinal(later + 1), "whoever asks");
        release(second, later + 1, 0);
        assertTrue(isFinal(later + 1), "free");
        jobs.lapse(router);
        jobs.lapse(stranger);
    }

    function test_lapse_heldBatch_changesNothing() external {
        commitTiers(OPTIMISTIC);
        hold(first, 0);
        vm.warp(START + WINDOW);
        jobs.lapse(router);
        assertFalse(isFinal(0), "held");
    }
}

contract JobRegistry_FinalityBound_Test is TwoCourtsFixture {
    function name(address court, bool allowed) private {
        vm.prank(governor);
        jobs.setCourt(court, allowed);
    }

    function test_setCourt_longestHold_isTheLongestOfAll() external {
        assertEq(jobs.longestHold(), LONG, "of two");
        assertEq(jobs.finalityBound(), WINDOW + LONG, "and the window");
        assertEq(jobs.courts().length, 2, "both");
        name(first, false);
        assertEq(jobs.longestHold(), LONG, "of one");
        assertEq(jobs.courts()[0], second, "the other");
        name(first, false);
        name(second, false);
        assertEq(jobs.longestHold(), 0, "of none");
        assertEq(jobs.courts().length, 0, "none");
    }

    function test_setCourt_again_measuresAnew() external {
        Judge(second).take(2 hours);
        assertEq(jobs.longestHold(), LONG, "as it was named");
        name(second, true);
        assertEq(jobs.longestHold(), 2 hours, "as it is");
        assertEq(jobs.courts().length, 2, "named once");
    }

    function test_setCourt_outOfBounds_reverts() external {
        uint64[2] memory wrong = [uint64(0), 14 days + 1];
        for (uint256 i; i < wrong.length; ++i) {
            Judge(first).take(wrong[i]);
            vm.prank(governor);
            bytes4 selector = IJobRegistry.JobRegistry_HoldOutOfBounds.selector;
            expectRevert(abi.encodeWithSelector(selector, first, wrong[i], uint64(14 days)));
            jobs.setCourt(first, true);
        }
        vm.prank(governor);
        vm.expectRevert();
        jobs.setCourt(stranger, true);
    }

    function test_setCourt_stakeUnaware_reverts() external {
        bytes memory data = abi.encodeCall(JobRegistry.initialize, (governor, address(stakes), WINDOW));
        address another = proxy(address(new JobRegistry()), data);
        vm.startPrank(governor);
        stakes.setJobRegistry(another);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_StakeUnaware.selector, address(stakes)));
        jobs.setCourt(first, true);
        vm.stopPrank();
    }

    /// Nothing lasts longer than batches have when they are committed, whatever changes afterwards.
    function test_setCourt_laterChanges_leaveCommittedBatches() external {
        commitTiers(OPTIMISTIC);
        hold(second, 0);
        name(second, false);
        assertEq(jobs.finality(router, 0), START + WINDOW + LONG, "shortened");
        Judge(second).take(10 hours);
        name(second, true);
        assertEq(jobs.finality(router, 0), START + WINDOW + LONG, "lengthened");
        commitTiers(TEE);
        assertEq(jobs.finality(router, 1), START + 10 hours, "the next has the new one");
    }

    function test_finalityBound_lowered_countsWhileBatchesAreOpen() external {
        uint64 before = jobs.finalityBound();
        name(second, false);
        vm.prank(governor);
        jobs.setChallengeWindow(1);
        assertEq(jobs.finalityBound(), before, "batches of before are open");
        vm.warp(START + before - 1);
        assertEq(jobs.finalityBound(), before, "to the last second");
        vm.warp(START + before);
        assertEq(jobs.finalityBound(), 1 + SHORT, "no longer");
    }

    function test_setThawPeriod_withinTheBound_reverts() external {
        uint64 bound = jobs.finalityBound();
        vm.startPrank(governor);
        vm.expectRevert();
        vault.setThawPeriod(bound);
        vault.setThawPeriod(bound + 1);
        vm.stopPrank();
    }

    /// Whatever the governor does in whatever order, what leaves now leaves after all that was committed up to now is final.
    function testFuzz_finalityBound_anyOrder_isOutlasted(uint256 seed) external {
        lockAs(alice, router, 1_000_000);
        bondAs(router, 1_000_000);
        stakeAs(router, Role.Router, MINIMUM, address(0));
        uint64 latest;
        for (uint256 i; i < 24; ++i) {
            uint256 random = pick(seed, i);
            _govern(random);
            if (random & 1 == 0) {
                commitTiers(random & 2 == 0 ? TEE : OPTIMISTIC);
                uint64 index = jobs.batchCount(router) - 1;
                hold(random & 4 == 0 ? first : second, index);
                uint64 finality = jobs.finality(router, index);
                if (finality > latest) latest = finality;
                assertLe(finality, block.timestamp + jobs.finalityBound(), "in time");
            }
            vm.prank(alice);
            assertGe(vault.unlock(router, 1), latest + 1, "lockups");
            vm.startPrank(router);
            assertGe(vault.thawBond(1), latest + 1, "bonds");
            assertGe(stakes.unbond(Role.Router, 1), latest + 1, "stake");
            vm.stopPrank();
            vm.warp(block.timestamp + (random >> 128) % 2 hours);
        }
    }

    function _govern(uint256 random) private {
        uint256 value = 1 + (random >> 32) % 1 days;
        vm.startPrank(governor);
        if (random % 5 == 0) jobs.setChallengeWindow(uint64(value));
        else if (random % 5 == 1 && value > jobs.finalityBound()) vault.setThawPeriod(uint64(value));
        else if (random % 5 == 2) stakes.setUnbondingPeriod(uint64(value));
        vm.stopPrank();
        address court = random & 8 == 0 ? first : second;
        Judge(court).take(uint64(value));
        // A court that is dismissed holds no more: let it be named again in the end.
        if (random % 5 == 3) name(court, false);
        if (random % 5 >= 3) name(court, true);
    }
}
