// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Fault, LeafProof } from "../../src/court/Faults.sol";
import { IBatchCourt } from "../../src/interfaces/IBatchCourt.sol";
import { IBatchExaminer } from "../../src/interfaces/IBatchExaminer.sol";
import { IJobRegistry } from "../../src/interfaces/IJobRegistry.sol";
import { JobReceipt, JobTicket, Role } from "../../src/libraries/Types.sol";
import { CourtFixture } from "./CourtFixture.sol";

abstract contract DemandFixture is CourtFixture {
    function setUp() public virtual override {
        super.setUp();
        fund(challenger, address(court));
    }

    function demandAs(address who, uint64 batch, uint32 position) internal returns (uint64) {
        vm.prank(who);
        return court.demand(router, batch, position);
    }

    /// Job number `n` stands at `position` of `batch`.
    function answerWith(Book memory book, uint64 batch, uint32 position, uint256 n) internal {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(n);
        LeafProof memory job = leafOf(book, batch, position);
        bytes memory ticketSignature = signTicket(ticket);
        bytes memory receiptSignature = signReceipt(ticket, receipt);
        court.answer(router, job, ticket, ticketSignature, receipt, receiptSignature);
    }

    function statusOf(uint64 batch, uint32 position, uint16 epoch) internal view returns (IBatchCourt.Status) {
        return court.demandOf(router, batch, position, epoch).status;
    }

    function expectNotOpen(uint64 batch, uint32 position, uint16 epoch) internal {
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_NotOpen.selector, router, batch, position, epoch));
    }
}

contract BatchCourt_Demand_Test is DemandFixture {
    function test_demand_openBatch_takesTheBondAndHolds() external {
        commitTwo();
        vm.prank(challenger);
        expectEvent(address(court));
        emit IBatchCourt.Demanded(router, 1, 6, 0, challenger, START + RESPONSE);
        assertEq(court.demand(router, 1, 6), START + RESPONSE, "due");
        IBatchCourt.Demand memory kept = court.demandOf(router, 1, 6, 0);
        assertEq(kept.challenger, challenger, "whose");
        assertTrue(kept.bond == BOND && kept.holding && kept.status == IBatchCourt.Status.Open, "open");
        assertEq(infr.balanceOf(address(court)), BOND, "the bond");
        vm.warp(START + WINDOW);
        assertTrue(jobs.isFinal(router, 0), "the one before is not held");
        assertFalse(jobs.isFinal(router, 1), "it is");
    }

    function test_demand_finalBatch_doesNotHold() external {
        commitTwo();
        vm.warp(START + WINDOW);
        demandAs(challenger, 1, 0);
        assertTrue(jobs.isFinal(router, 1), "final is final");
        assertFalse(court.demandOf(router, 1, 0, 0).holding, "nothing held");
    }

    function test_demand_noSuchJob_reverts() external {
        commitTwo();
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_NoSuchJob.selector, router, 1, 7));
        demandAs(challenger, 1, 7);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_UnknownBatch.selector, router, 2));
        demandAs(challenger, 2, 0);
    }

    function test_demand_tooLate_reverts() external {
        commitTwo();
        vm.warp(START + RETENTION + 1);
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_TooLate.selector, START + RETENTION));
        demandAs(challenger, 1, 0);
        vm.warp(START + RETENTION);
        demandAs(challenger, 1, 0);
    }

    /// Answering once is enough: a router cannot be made to answer for the same job again and again.
    function test_demand_again_reverts() external {
        (, Book memory book) = commitTwo();
        demandAs(challenger, 1, 2);
        bytes memory reason = abi.encodeWithSelector(IBatchCourt.BatchCourt_AlreadyDemanded.selector, router, 1, 2);
        expectRevert(reason);
        demandAs(challenger, 1, 2);
        answerWith(book, 1, 2, 8);
        expectRevert(reason);
        demandAs(challenger, 1, 2);
    }

    function test_demand_withoutBond_reverts() external {
        commitTwo();
        vm.expectRevert();
        demandAs(stranger, 1, 0);
    }

    function test_demand_gas_snapshot() external {
        (, Book memory book) = commitTwo();
        demandAs(challenger, 1, 2);
        vm.snapshotGasLastCall("court", "BatchCourt.demand");
        answerWith(book, 1, 2, 8);
        vm.snapshotGasLastCall("court", "BatchCourt.answer, of 7 jobs");
        demandAs(challenger, 1, 3);
        vm.warp(START + RESPONSE + 1);
        court.expire(router, 1, 3);
        vm.snapshotGasLastCall("court", "BatchCourt.expire");
    }
}

contract BatchCourt_Answer_Test is DemandFixture {
    function test_answer_inTime_earnsTheBond() external {
        (, Book memory book) = commitTwo();
        demandAs(challenger, 1, 2);
        vm.warp(START + RESPONSE);
        answerWith(book, 1, 2, 8);
        assertEq(infr.balanceOf(router), BOND, "for its trouble");
        assertEq(infr.balanceOf(address(court)), 0, "nothing left");
        assertEq(stakeOf(router, Role.Router), MINIMUM, "no stake lost");
        assertTrue(jobs.isFinal(router, 1), "released");
        assertTrue(statusOf(1, 2, 0) == IBatchCourt.Status.Answered, "answered");
        vm.warp(START + RESPONSE + 1);
        expectNotOpen(1, 2, 0);
        court.expire(router, 1, 2);
    }

    function test_answer_oneOfTwo_keepsHolding() external {
        (, Book memory book) = commitTwo();
        demandAs(challenger, 1, 2);
        demandAs(challenger, 1, 3);
        vm.warp(START + WINDOW);
        answerWith(book, 1, 2, 8);
        assertFalse(jobs.isFinal(router, 1), "one is open");
        answerWith(book, 1, 3, 9);
        assertTrue(jobs.isFinal(router, 1), "none is");
    }

    /// A provider that retires its key, or dates its receipt after that, cannot keep an honest router from answering.
    function test_answer_keysRetired_succeeds() external {
        (, Book memory book) = commitTwo();
        demandAs(challenger, 1, 2);
        vm.prank(provider);
        stakes.rotateHotKey(actor("new key"));
        vm.prank(second);
        stakes.rotateHotKey(actor("newer key"));
        vm.prank(router);
        stakes.rotateHotKey(actor("newest key"));
        answerWith(book, 1, 2, 8);
        assertTrue(statusOf(1, 2, 0) == IBatchCourt.Status.Answered, "answered");
    }

    function test_answer_badSignatures_reverts() external {
        (, Book memory book) = commitTwo();
        demandAs(challenger, 1, 2);
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(8);
        LeafProof memory job = leafOf(book, 1, 2);
        bytes memory ticketSignature = signTicket(ticket);
        bytes memory receiptSignature = signReceipt(ticket, receipt);
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_BadSignature.selector, router, job.leaf.ticket));
        court.answer(router, job, ticket, receiptSignature, receipt, receiptSignature);
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_BadSignature.selector, ticket.provider, job.leaf.receipt));
        court.answer(router, job, ticket, ticketSignature, receipt, ticketSignature);
    }

    function test_answer_anotherJob_reverts() external {
        (, Book memory book) = commitTwo();
        demandAs(challenger, 1, 2);
        expectNotOpen(1, 3, 0);
        this.answerOut(book, 1, 3, 9);
        (JobTicket memory ticket,) = jobOf(9);
        expectRevert(
            abi.encodeWithSelector(
                IBatchExaminer.BatchExaminer_WrongMessage.selector, jobs.ticketDigest(ticket), book.leaves[2].ticket
            )
        );
        this.answerOut(book, 1, 2, 9);
    }

    function answerOut(Book memory book, uint64 batch, uint32 position, uint256 n) external {
        answerWith(book, batch, position, n);
    }

    /// What would be a fault is no answer either.
    function test_answer_unsoundJob_reverts() external {
        Book memory none;
        Book memory book = build(none, 3);
        book.leaves[2].cost += 1;
        commitBook(book);
        demandAs(challenger, 0, 2);
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_NotAnAnswer.selector, router, 0, 2));
        this.answerOut(book, 0, 2, 3);
    }
}

contract BatchCourt_Expire_Test is DemandFixture {
    function test_expire_unanswered_voidsAndSlashes() external {
        commitTwo();
        demandAs(challenger, 1, 2);
        uint256 before = infr.balanceOf(challenger);
        vm.warp(START + RESPONSE + 1);
        vm.prank(stranger);
        expectEvent(address(court));
        emit IBatchCourt.Convicted(router, 1, Fault.Unrevealed, challenger, address(0), 1_000, MINIMUM / 10);
        court.expire(router, 1, 2);
        assertEq(jobs.batchCount(router), 1, "void");
        assertEq(infr.balanceOf(challenger) - before, BOND + MINIMUM / 25, "bond and bounty");
        assertEq(infr.balanceOf(address(court)), 0, "nothing left");
        assertTrue(statusOf(1, 2, 0) == IBatchCourt.Status.Expired, "expired");
    }

    function test_expire_finalBatch_slashesOnce() external {
        commitTwo();
        vm.warp(START + WINDOW);
        demandAs(challenger, 1, 2);
        demandAs(challenger, 1, 3);
        vm.warp(block.timestamp + RESPONSE + 1);
        court.expire(router, 1, 2);
        court.expire(router, 1, 3);
        assertEq(jobs.batchCount(router), 2, "final is final");
        assertEq(stakeOf(router, Role.Router), MINIMUM * 9 / 10, "one batch is judged once");
        assertEq(infr.balanceOf(address(court)), 0, "both bonds are back");
    }

    function test_expire_stillTime_reverts() external {
        commitTwo();
        demandAs(challenger, 1, 2);
        vm.warp(START + RESPONSE);
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_StillTime.selector, START + RESPONSE));
        court.expire(router, 1, 2);
    }

    function test_expire_neverDemanded_reverts() external {
        commitTwo();
        expectNotOpen(1, 2, 0);
        court.expire(router, 1, 2);
    }

    /// The window is that of the demand, whatever the governor says afterwards.
    function test_expire_windowShortened_keepsTheOldOne() external {
        commitTwo();
        demandAs(challenger, 1, 2);
        vm.prank(governor);
        court.setParameters(1 minutes, RETENTION, BOND);
        vm.warp(START + RESPONSE);
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_StillTime.selector, START + RESPONSE));
        court.expire(router, 1, 2);
    }

    /// A demand for a void batch says nothing about the one committed in its place.
    function test_expire_batchCommittedAnew_reverts() external {
        (Book memory first, Book memory book) = commitTwo();
        demandAs(challenger, 1, 2);
        demandAs(challenger, 0, 2);
        vm.warp(START + RESPONSE + 1);
        court.expire(router, 0, 2);
        stakeAs(router, Role.Router, MINIMUM, address(0));
        commitBook(first);
        commitBook(book);
        expectNotOpen(1, 2, 1);
        court.expire(router, 1, 2);
        court.dismiss(router, 1, 2, 0);
        assertEq(infr.balanceOf(address(court)), 0, "the bond is back");
    }
}

contract BatchCourt_Dismiss_Test is DemandFixture {
    function test_dismiss_voidBatch_returnsTheBond() external {
        (Book memory first,) = commitTwo();
        demandAs(challenger, 1, 2);
        demandAs(challenger, 0, 2);
        vm.warp(START + RESPONSE + 1);
        court.expire(router, 0, 2);
        stakeAs(router, Role.Router, MINIMUM, address(0));
        commitBook(first);
        uint256 before = infr.balanceOf(challenger);
        court.dismiss(router, 1, 2, 0);
        assertEq(infr.balanceOf(challenger) - before, BOND, "back");
        assertTrue(statusOf(1, 2, 0) == IBatchCourt.Status.Moot, "moot");
        expectNotOpen(1, 2, 0);
        court.dismiss(router, 1, 2, 0);
    }

    /// Dropping what is void does not release what took its place.
    function test_dismiss_newBatchHeld_staysHeld() external {
        (Book memory first,) = commitTwo();
        demandAs(challenger, 0, 2);
        demandAs(challenger, 0, 3);
        vm.warp(START + RESPONSE + 1);
        court.expire(router, 0, 2);
        stakeAs(router, Role.Router, MINIMUM, address(0));
        commitBook(first);
        demandAs(challenger, 0, 1);
        court.dismiss(router, 0, 3, 0);
        vm.warp(block.timestamp + WINDOW);
        assertFalse(jobs.isFinal(router, 0), "held");
        answerWith(first, 0, 1, 2);
        assertTrue(jobs.isFinal(router, 0), "released");
    }

    function test_dismiss_standingBatch_reverts() external {
        commitTwo();
        demandAs(challenger, 1, 2);
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_NotMoot.selector, router, 1));
        court.dismiss(router, 1, 2, 0);
    }
}
