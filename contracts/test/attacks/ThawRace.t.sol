// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPaymentVault } from "../../src/interfaces/IPaymentVault.sol";
import { BatchHeader, CreditLeaf } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";

/// A developer takes its lockup back while a debit for work already done is on its way.
contract ThawRace_Attack_Test is Fixture {
    uint128 private constant DEBIT = 1_000;

    function setUp() public override {
        super.setUp();
        lockAs(alice, router, DEBIT);
    }

    function commitOpen(Entry memory item) private returns (uint64) {
        BatchHeader memory head = header(router, one(item), new CreditLeaf[](0), OPTIMISTIC);
        vm.prank(router);
        jobs.commitBatch(head);
        return head.index;
    }

    function unlockAll() private returns (uint64) {
        vm.prank(alice);
        return vault.unlock(router, DEBIT);
    }

    function withdrawNothing() private {
        vm.prank(alice);
        assertEq(vault.withdrawThawed(router), 0, "nothing is left to take");
        assertEq(vault.freeOf(alice), 0, "nor became free");
    }

    /// The batch is open for its whole window; thawing takes longer, and what thaws still answers.
    function test_attack_unlockWithTheCommit_losesTheRace() external {
        Entry memory item = entry(openGrant(), "alice", DEBIT);
        uint64 thawed = unlockAll();
        uint64 batch = commitOpen(item);
        vm.warp(jobs.finality(router, batch));
        assertEq(applyOne(router, batch, item), DEBIT, "debited in full");
        vm.warp(thawed);
        withdrawNothing();
    }

    /// Even where the debit comes in the second in which the thaw is over.
    function test_attack_debitInTheLastSecond_isTaken() external {
        Entry memory item = entry(openGrant(), "alice", DEBIT);
        uint64 thawed = unlockAll();
        vm.warp(thawed - WINDOW);
        uint64 batch = commitOpen(item);
        vm.warp(thawed);
        assertEq(applyOne(router, batch, item), DEBIT, "debited in full");
        withdrawNothing();
    }

    /// Unlocking and locking again moves nothing out of reach of the debit.
    function test_attack_unlockInParts_hidesNothing() external {
        Entry memory item = entry(openGrant(), "alice", DEBIT);
        for (uint256 i; i < 4; ++i) {
            vm.prank(alice);
            vault.unlock(router, DEBIT / 4);
        }
        uint64 batch = commitOpen(item);
        vm.warp(jobs.finality(router, batch));
        assertEq(applyOne(router, batch, item), DEBIT, "debited in full");
    }

    /// No governor can make thawing as fast as a challenge.
    function test_attack_shortThaw_cannotBeSet() external {
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_PeriodOutOfBounds.selector, WINDOW, WINDOW + 1, 30 days));
        vm.startPrank(governor);
        vault.setThawPeriod(WINDOW);
        vault.setThawPeriod(WINDOW + 1);
        vm.stopPrank();
        assertEq(vault.thawPeriod(), WINDOW + 1, "a second longer is enough");
    }
}
