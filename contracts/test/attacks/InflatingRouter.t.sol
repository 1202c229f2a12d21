// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { BatchExaminer } from "../../src/court/BatchExaminer.sol";
import { IJobRegistry } from "../../src/interfaces/IJobRegistry.sol";
import { JobLeaf, JobReceipt, JobTicket, KeyGrant, Role } from "../../src/libraries/Types.sol";
import { CourtFixture } from "../court/CourtFixture.sol";

/// A router bills more than its jobs cost.
contract InflatingRouter_Attack_Test is CourtFixture {
    uint64 private constant EXTRA = 1_000_000;

    /// In the window anyone voids the batch with the messages the router itself signed, and it pays with its stake.
    function test_attack_dearerJob_isVoidedAndCostsStake() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(nextJob++);
        receipt.cost += EXTRA;
        Book memory book;
        (book.tiers, book.leaves) = (OPTIMISTIC, new JobLeaf[](1));
        append(book, 0, ticket, receipt);
        receipt.cost -= EXTRA;
        book.leaves[0].receipt = jobs.receiptDigest(receipt);
        uint64 batch = commitBook(book);

        bytes memory evidence = abi.encodeCall(BatchExaminer.examineCost, (router, leafOf(book, batch, 0), ticket, receipt));
        vm.prank(challenger);
        court.prove(address(examiner), evidence);
        assertEq(jobs.batchCount(router), 0, "void");
        assertEq(stakeOf(router, Role.Router), MINIMUM * 3 / 4, "a quarter of the stake");
        assertFalse(stakes.isActive(router, Role.Router), "and no more batches until it has staked again");
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_UnknownBatch.selector, router, batch));
        jobs.finalDebits(router, batch);
    }

    /// A batch nobody can void any more still takes no more than the account allowed and locked.
    function test_attack_finalBatch_staysWithinWhatWasSigned() external {
        lockAs(alice, router, 10_000);
        KeyGrant memory grant = openGrant();
        grant.totalCap = 700;
        assertEq(settle(router, entry(grant, "alice", EXTRA)), 700, "the cap");
        grant = grantFor(alice, "uncapped");
        assertEq(settle(router, entry(grant, "alice", EXTRA)), 9_300, "the lockup");
        depositAs(alice, 5);
        assertEq(vault.freeOf(alice), 5, "what was not locked is out of reach");
    }
}
