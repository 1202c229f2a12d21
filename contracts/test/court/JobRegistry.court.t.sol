// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IJobRegistry } from "../../src/interfaces/IJobRegistry.sol";
import { Batch, BatchHeader, CreditLeaf } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Judge } from "../utils/Judge.sol";

abstract contract RegistryCourtFixture is Fixture {
    uint64 internal constant LONGEST = 30 minutes;

    address internal court = address(new Judge(LONGEST));

    function setUp() public virtual override {
        super.setUp();
        vm.prank(governor);
        jobs.setCourt(court, true);
    }

    function commitTiers(uint8 tiers, uint128 debited) internal returns (uint64 index) {
        BatchHeader memory batch =
            header(router, one(entry(openGrant(), "alice", debited)), one(CreditLeaf(provider, debited)), tiers);
        vm.prank(router);
        jobs.commitBatch(batch);
        return batch.index;
    }

    function hold(uint64 index) internal returns (bool) {
        vm.prank(court);
        return jobs.hold(router, index);
    }

    function release(uint64 index) internal {
        uint16 epoch = jobs.epochOf(router, index);
        vm.prank(court);
        jobs.release(router, index, epoch);
    }

    function rollback(uint64 index) internal returns (uint16) {
        vm.prank(court);
        return jobs.rollback(router, index);
    }

    function expectNotCourt(address caller) internal {
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_NotCourt.selector, caller));
    }
}

contract JobRegistry_SetCourt_Test is RegistryCourtFixture {
    function test_setCourt_byGovernor_succeeds() external {
        assertTrue(jobs.isCourt(court), "named");
        assertFalse(jobs.isCourt(governor), "the governor is none");
        vm.prank(governor);
        expectEvent(address(jobs));
        emit IJobRegistry.CourtChanged(court, false);
        jobs.setCourt(court, false);
        assertFalse(jobs.isCourt(court), "dismissed");
    }

    function test_setCourt_byAnother_reverts() external {
        vm.prank(court);
        expectNotGovernor(court);
        jobs.setCourt(court, true);
    }
}

contract JobRegistry_Hold_Test is RegistryCourtFixture {
    function test_hold_openBatch_delaysItAndLaterOnes() external {
        commitTiers(OPTIMISTIC, 100);
        commitTiers(OPTIMISTIC, 200);
        commitTiers(OPTIMISTIC, 300);
        vm.prank(court);
        expectEvent(address(jobs));
        emit IJobRegistry.BatchHeld(router, 1, court);
        assertTrue(jobs.hold(router, 1), "held");
        vm.warp(START + WINDOW + LONGEST - 1);
        assertTrue(jobs.isFinal(router, 0), "the one before is not");
        assertFalse(jobs.isFinal(router, 1), "it is");
        assertFalse(jobs.isFinal(router, 2), "and the later one");
        assertEq(jobs.finality(router, 0), START + WINDOW, "its time");
        assertEq(jobs.finality(router, 2), START + WINDOW + LONGEST, "at the latest");
        (bool exists, uint64 newest) = jobs.newestFinal(router);
        assertTrue(exists && newest == 0, "the newest final one");
        bytes memory reason =
            abi.encodeWithSelector(IJobRegistry.JobRegistry_NotFinal.selector, router, 1, START + WINDOW + LONGEST);
        expectRevert(reason);
        jobs.finalDebits(router, 1);
        expectRevert(reason);
        jobs.finalCredits(router, 1);
        assertEq(commitTiers(TEE, 400), 3, "the router goes on");
        assertFalse(jobs.isFinal(router, 3), "but overtakes nothing");
    }

    function test_hold_lowerBatch_delaysFromThere() external {
        commitTiers(OPTIMISTIC, 100);
        commitTiers(OPTIMISTIC, 200);
        hold(1);
        hold(0);
        hold(1);
        vm.warp(START + WINDOW);
        assertFalse(jobs.isFinal(router, 0), "the lowest counts");
    }

    function test_hold_windowOver_doesNothing() external {
        commitTiers(TEE, 100);
        assertFalse(hold(0), "final at once");
        commitTiers(OPTIMISTIC, 200);
        commitTiers(OPTIMISTIC, 300);
        hold(1);
        vm.warp(START + WINDOW);
        assertFalse(hold(2), "its own window is over, though it is held back by another");
        assertTrue(jobs.isFinal(router, 0), "what was final is");
        release(1);
        assertTrue(jobs.isFinal(router, 2), "nothing else holds");
    }

    function test_hold_byAnother_reverts() external {
        commitTiers(OPTIMISTIC, 100);
        address[2] memory callers = [governor, router];
        for (uint256 i; i < callers.length; ++i) {
            vm.prank(callers[i]);
            expectNotCourt(callers[i]);
            jobs.hold(router, 0);
        }
    }

    function test_hold_unknownBatch_reverts() external {
        vm.prank(court);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_UnknownBatch.selector, router, 0));
        jobs.hold(router, 0);
    }
}

contract JobRegistry_Release_Test is RegistryCourtFixture {
    function test_release_oneOfTwo_keepsTheOther() external {
        for (uint128 i = 1; i <= 5; ++i) {
            commitTiers(OPTIMISTIC, i);
        }
        hold(1);
        hold(3);
        vm.warp(START + WINDOW);
        vm.prank(court);
        expectEvent(address(jobs));
        emit IJobRegistry.BatchReleased(router, 1, court);
        jobs.release(router, 1, 0);
        assertTrue(jobs.isFinal(router, 2), "up to the next that is held");
        assertFalse(jobs.isFinal(router, 3), "not further");
        release(1);
        assertFalse(jobs.isFinal(router, 3), "once is enough");
        release(3);
        assertTrue(jobs.isFinal(router, 4), "all");
    }

    function test_release_higherFirst_keepsTheLower() external {
        commitTiers(OPTIMISTIC, 100);
        commitTiers(OPTIMISTIC, 200);
        hold(0);
        hold(1);
        release(1);
        vm.warp(START + WINDOW);
        assertFalse(jobs.isFinal(router, 1), "behind the lower one");
        release(0);
        assertTrue(jobs.isFinal(router, 1), "free");
    }

    function test_release_byAnother_doesNothing() external {
        commitTiers(OPTIMISTIC, 100);
        hold(0);
        vm.prank(router);
        jobs.release(router, 0, 0);
        vm.warp(START + WINDOW);
        assertFalse(jobs.isFinal(router, 0), "held by the court");
    }

    function test_release_byADismissedCourt_endsItsHold() external {
        commitTiers(OPTIMISTIC, 100);
        hold(0);
        vm.prank(governor);
        jobs.setCourt(court, false);
        vm.warp(START + WINDOW);
        assertFalse(jobs.isFinal(router, 0), "held until");
        release(0);
        assertTrue(jobs.isFinal(router, 0), "it lets go");
    }
}

contract JobRegistry_Rollback_Test is RegistryCourtFixture {
    function test_rollback_openBatch_voidsItAndLaterOnes() external {
        commitTiers(TEE, 100);
        commitTiers(OPTIMISTIC, 200);
        commitTiers(OPTIMISTIC, 300);
        vm.prank(court);
        expectEvent(address(jobs));
        emit IJobRegistry.BatchesVoided(router, 1, 2, 1);
        assertEq(jobs.rollback(router, 1), 1, "a new epoch");
        assertEq(jobs.batchCount(router), 1, "one stands");
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_UnknownBatch.selector, router, 2));
        jobs.batch(router, 2);
        vm.warp(START + WINDOW);
        assertFalse(jobs.isFinal(router, 1), "never final");
        assertTrue(jobs.isFinal(router, 0), "the sound one is");
        assertEq(jobs.epochOf(router, 0), 0, "of the first epoch");

        assertEq(commitTiers(OPTIMISTIC, 150), 1, "from the last sound batch");
        assertEq(jobs.epochOf(router, 1), 1, "in the new epoch");
        Batch memory kept = jobs.batch(router, 1);
        assertEq(kept.debited, 150, "what was committed anew");
        assertEq(kept.finalAt, START + 2 * WINDOW, "with a window of its own");
    }

    /// A root that was voided moves no money, though the vault knew a batch of that number.
    function test_rollback_voidTrees_moveNothing() external {
        lockAs(alice, router, 1_000);
        Entry memory inflated = entry(openGrant(), "alice", 900);
        BatchHeader memory batch = header(router, one(inflated), new CreditLeaf[](0), OPTIMISTIC);
        vm.prank(router);
        jobs.commitBatch(batch);
        rollback(0);
        vm.warp(START + WINDOW);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_UnknownBatch.selector, router, 0));
        this.applyOut(inflated);
        commitTiers(TEE, 100);
        vm.expectRevert();
        this.applyOut(inflated);
        (uint256 active,,) = vault.lockupOf(alice, router);
        assertEq(active, 1_000, "untouched");
    }

    function applyOut(Entry calldata item) external {
        applyOne(router, 0, item);
    }

    function test_rollback_finalBatch_reverts() external {
        commitTiers(TEE, 100);
        commitTiers(OPTIMISTIC, 200);
        vm.prank(court);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_AlreadyFinal.selector, router, 0));
        jobs.rollback(router, 0);
        vm.warp(START + WINDOW);
        vm.prank(court);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_AlreadyFinal.selector, router, 1));
        jobs.rollback(router, 1);
    }

    function test_rollback_heldBatches_forgetsHolds() external {
        commitTiers(OPTIMISTIC, 100);
        commitTiers(OPTIMISTIC, 200);
        hold(1);
        vm.warp(START + WINDOW);
        rollback(1);
        assertTrue(jobs.isFinal(router, 0), "the one before stands");
        commitTiers(TEE, 200);
        assertTrue(jobs.isFinal(router, 1), "the hold went with the void batch");

        commitTiers(OPTIMISTIC, 300);
        commitTiers(OPTIMISTIC, 400);
        hold(2);
        hold(3);
        rollback(3);
        vm.warp(block.timestamp + WINDOW);
        assertFalse(jobs.isFinal(router, 2), "a hold before it stays");
        release(2);
        assertTrue(jobs.isFinal(router, 2), "until released");
    }

    function test_rollback_byAnother_reverts() external {
        commitTiers(OPTIMISTIC, 100);
        vm.prank(governor);
        expectNotCourt(governor);
        jobs.rollback(router, 0);
    }

    /// However many batches there are to void.
    function test_rollback_manyBatches_costsTheSame() external {
        for (uint128 i = 1; i <= 40; ++i) {
            commitTiers(OPTIMISTIC, i);
        }
        vm.prank(court);
        jobs.rollback(router, 0);
        vm.snapshotGasLastCall("court", "JobRegistry.rollback, any number of batches");
    }

    /// Whatever courts do, the final batches are a prefix, and what is final stays.
    function testFuzz_rollback_keepsWhatIsFinal(uint256 seed) external {
        uint64 finals;
        for (uint256 i; i < 24; ++i) {
            uint256 random = pick(seed, i);
            uint64 count = jobs.batchCount(router);
            uint64 index = count == 0 ? 0 : uint64((random >> 8) % count);
            if (count == 0 || random % 5 < 2) commitTiers(random & 64 == 0 ? TEE : OPTIMISTIC, 1_000);
            else if (random % 5 == 2) hold(index);
            else if (random % 5 == 3) release(index);
            else if (!jobs.isFinal(router, index)) rollback(index);
            vm.warp(block.timestamp + (random >> 128) % 60);
            (bool exists, uint64 newest) = jobs.newestFinal(router);
            uint64 now_ = exists ? newest + 1 : 0;
            assertGe(now_, finals, "none is taken back");
            finals = now_;
            for (uint64 j; j < jobs.batchCount(router); ++j) {
                assertTrue(jobs.isFinal(router, j) == (j < finals), "a prefix");
                assertTrue((jobs.finality(router, j) <= block.timestamp) == (j < finals), "at its time");
            }
        }
    }
}
