// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ClaimDesk } from "../../src/court/ClaimDesk.sol";
import { IBatchCourt } from "../../src/interfaces/IBatchCourt.sol";
import { IClaimDesk } from "../../src/interfaces/IClaimDesk.sol";
import { IDisputeManager } from "../../src/interfaces/IDisputeManager.sol";
import { JobReceipt, JobTicket } from "../../src/libraries/Types.sol";
import { DisputeFixture } from "./DisputeFixture.sol";

/// Both courts on one batch, and the desk beside them.
contract DisputeManager_BesideBatchCourt_Test is DisputeFixture {
    uint64 private constant INCLUSION = 10 minutes;
    uint64 private constant ANSWER = 2 hours;

    ClaimDesk private desk;
    Case private it;
    bytes32 private id;

    function setUp() public override {
        super.setUp();
        desk = ClaimDesk(
            proxy(
                address(new ClaimDesk()),
                abi.encodeCall(ClaimDesk.initialize, (governor, address(vault), INCLUSION, ANSWER, 7 days, BOND))
            )
        );
        vm.startPrank(governor);
        vault.setClaimDesk(address(desk));
        stakes.setSlasher(address(desk), true);
        desk.setDisputeManager(address(manager));
        vm.stopPrank();
        bondAs(router, 1_000_000);
        fund(challenger, address(court));
        infr.transfer(challenger, 10 * BOND);
        vm.prank(challenger);
        infr.approve(address(desk), type(uint256).max);
    }

    function dispute(uint256 slip) private {
        it = commitCase(5, slip);
        id = open(it);
        vm.prank(challenger);
        court.demand(router, it.batch, it.job.position);
    }

    function answer() private {
        bytes memory ticketSignature = signTicket(it.ticket);
        court.answer(router, it.job, it.ticket, ticketSignature, it.receipt, it.signature);
    }

    function finish() private {
        bytes32[] memory own = truth(it).leaves;
        while (stageOf(id) < IDisputeManager.Stage.Upheld) {
            advance(id, it, own, 0);
        }
    }

    function claimWith(JobReceipt memory receipt) private {
        bytes memory ticketSignature = signTicket(it.ticket);
        bytes memory receiptSignature = signReceipt(it.ticket, receipt);
        vm.prank(challenger);
        desk.claimJob(it.ticket, ticketSignature, receipt, receiptSignature);
    }

    /// What an answered demand frees used to be everything: the disputed batch became final, and the job was paid.
    function test_answer_whileDisputed_keepsTheBatchHeld() external {
        dispute(2);
        answer();
        vm.warp(START + WINDOW);
        assertFalse(jobs.isFinal(router, it.batch), "the dispute runs");
        finish();
        assertStage(id, IDisputeManager.Stage.Overturned, "lost");
        assertEq(jobs.batchCount(router), 0, "nothing is paid");
    }

    function test_dispute_upheld_keepsTheBatchHeldForTheDemand() external {
        dispute(HONEST);
        finish();
        assertStage(id, IDisputeManager.Stage.Upheld, "won");
        vm.warp(START + WINDOW);
        assertFalse(jobs.isFinal(router, it.batch), "the demand is open");
        answer();
        assertTrue(jobs.isFinal(router, it.batch), "both are done");
    }

    function test_dispute_lost_leavesTheDemandMoot() external {
        dispute(2);
        finish();
        court.dismiss(router, it.batch, it.job.position, 0);
        IBatchCourt.Demand memory entry = court.demandOf(router, it.batch, it.job.position, 0);
        assertTrue(entry.status == IBatchCourt.Status.Moot, "void");
    }

    function test_expire_whileDisputed_voidsTheBatch() external {
        dispute(HONEST);
        vm.warp(block.timestamp + RESPONSE + 1);
        court.expire(router, it.batch, it.job.position);
        assertEq(jobs.batchCount(router), 0, "void");
        manager.timeout(id);
        assertStage(id, IDisputeManager.Stage.Overturned, "the dispute ends by itself");
    }

    /// Each court's longest case ends before its hold does.
    function test_timeout_atTheEndOfBothClocks_isInTime() external {
        dispute(2);
        reveal(id, it);
        vm.warp(block.timestamp + CLOCK);
        dissect(id, it);
        vm.warp(block.timestamp + CLOCK + 1);
        manager.timeout(id);
        assertStage(id, IDisputeManager.Stage.Upheld, "the challenger let its clock run out");
        vm.warp(block.timestamp + RESPONSE);
        court.expire(router, it.batch, it.job.position);
        assertEq(jobs.batchCount(router), 0, "the demand still counts");
    }

    // The desk

    function test_claimJob_refuted_reverts() external {
        dispute(2);
        finish();
        vm.warp(it.ticket.deadline + INCLUSION + 1);
        assertTrue(manager.isRefuted(it.job.leaf.receipt) && manager.isRefuted(it.job.leaf.ticket), "receipt and ticket");
        bytes memory refused = abi.encodeWithSelector(IClaimDesk.ClaimDesk_Refuted.selector, it.job.leaf.ticket);
        expectRevertFor(it.receipt, refused);
        // Another receipt of the same job is no way round it.
        JobReceipt memory another = it.receipt;
        another.evidence = keccak256("another");
        expectRevertFor(another, refused);
        vm.prank(governor);
        desk.setDisputeManager(address(0));
        claimWith(it.receipt);
    }

    function expectRevertFor(JobReceipt memory receipt, bytes memory refused) private {
        bytes memory ticketSignature = signTicket(it.ticket);
        bytes memory receiptSignature = signReceipt(it.ticket, receipt);
        JobTicket memory ticket = it.ticket;
        vm.prank(challenger);
        expectRevert(refused);
        desk.claimJob(ticket, ticketSignature, receipt, receiptSignature);
    }

    /// A claim made while the dispute runs ends with it.
    function test_dismiss_refutedSince_paysTheRouter() external {
        vm.warp(START + 60 + INCLUSION + 1);
        dispute(2);
        claimWith(it.receipt);
        bytes32 ticket = it.job.leaf.ticket;
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_NotRefuted.selector, ticket));
        desk.dismiss(ticket);
        finish();
        vm.warp(block.timestamp + ANSWER + 1);
        bytes memory refused = abi.encodeWithSelector(IClaimDesk.ClaimDesk_Refuted.selector, ticket);
        expectRevert(refused);
        desk.expireOmission(ticket);
        vm.prank(router);
        expectRevert(refused);
        desk.concede(ticket);
        uint256 before = infr.balanceOf(router);
        expectEvent(address(desk));
        emit IClaimDesk.Dismissed(ticket);
        desk.dismiss(ticket);
        assertEq(infr.balanceOf(router) - before, BOND, "the bond is the router's");
        assertTrue(desk.omissionOf(ticket).status == IClaimDesk.Status.Refuted, "closed");
        (uint256 active,,,) = vault.bondOf(router);
        assertEq(active, 1_000_000, "nothing of its bond");
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_NotOpen.selector, ticket));
        desk.dismiss(ticket);
    }

    function test_setDisputeManager_byGovernor_succeeds() external {
        assertEq(desk.disputeManager(), address(manager), "named");
        vm.prank(stranger);
        expectNotGovernor(stranger);
        desk.setDisputeManager(stranger);
        expectEvent(address(desk));
        emit IClaimDesk.DisputeManagerChanged(address(0));
        vm.prank(governor);
        desk.setDisputeManager(address(0));
        assertEq(desk.disputeManager(), address(0), "none");
    }
}
