// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Fault, LeafProof } from "../../src/court/Faults.sol";
import { IBatchExaminer } from "../../src/interfaces/IBatchExaminer.sol";
import { JobLeaf, JobReceipt, JobTicket, KeyGrant } from "../../src/libraries/Types.sol";
import { ExaminerFixture } from "./BatchExaminer.t.sol";

/// One job, with a grant that allows exactly this.
abstract contract MessageFixture is ExaminerFixture {
    struct Case {
        KeyGrant grant;
        JobTicket ticket;
        JobReceipt receipt;
    }

    function fair() internal view returns (Case memory made) {
        (made.ticket, made.receipt) = jobOf(1);
        made.grant = grantOf(pick(1, 1));
        made.grant.models = new bytes32[](1);
        made.grant.models[0] = made.ticket.modelId;
        (made.grant.maxPriceIn, made.grant.maxPriceOut) = (made.ticket.priceIn, made.ticket.priceOut);
        made.grant.perJobCap = made.ticket.maxCost;
        (made.grant.notBefore, made.grant.notAfter) = (made.ticket.issuedAt, made.ticket.issuedAt);
    }

    /// Ties the messages together by their digests.
    function tie(Case memory made) internal view {
        made.ticket.grant = jobs.grantDigest(made.grant);
        made.receipt.ticket = jobs.ticketDigest(made.ticket);
    }

    function leafFor(Case memory made) internal view returns (Book memory book) {
        (book.leaves, book.tiers) = (new JobLeaf[](1), 0x0e);
        append(book, 0, made.ticket, made.receipt);
        // Totals under which any number of such batches may follow each other: they are not what is looked at here.
        (book.debited, book.credited) = (1_000_000, 1_000_000);
    }

    function commitLeaf(Book memory book) internal returns (LeafProof memory) {
        return leafOf(book, commitBook(book), 0);
    }

    function expectWrongMessage(bytes32 digest, bytes32 expected) internal {
        expectRevert(abi.encodeWithSelector(IBatchExaminer.BatchExaminer_WrongMessage.selector, digest, expected));
    }
}

contract BatchExaminer_ExamineTicket_Test is MessageFixture {
    function test_examineTicket_eachDifference_found() external {
        for (uint256 i; i < 6; ++i) {
            Case memory made = fair();
            tie(made);
            Book memory book = leafFor(made);
            if (i == 0) book.leaves[0].account = stranger;
            if (i == 1) book.leaves[0].grant = "another";
            if (i == 2) book.leaves[0].provider = stranger;
            if (i == 3) book.leaves[0].tier = 1;
            if (i == 4) book.leaves[0].cost = made.ticket.maxCost + 1;
            if (i == 5) {
                made.ticket.router = other;
                book.leaves[0].ticket = jobs.ticketDigest(made.ticket);
            }
            LeafProof memory job = commitLeaf(book);
            assertFound(examiner.examineTicket(router, job, made.ticket), job.batch, Fault.Ticket, book.leaves[0].account);
        }
    }

    function test_examineTicket_honest_isSound() external {
        Case memory made = fair();
        tie(made);
        assertSound(examiner.examineTicket(router, commitLeaf(leafFor(made)), made.ticket));
    }

    function test_examineTicket_anotherTicket_reverts() external {
        Case memory made = fair();
        tie(made);
        LeafProof memory job = commitLeaf(leafFor(made));
        made.ticket.maxCost = 1;
        expectWrongMessage(jobs.ticketDigest(made.ticket), job.leaf.ticket);
        examiner.examineTicket(router, job, made.ticket);
    }
}

contract BatchExaminer_ExamineCost_Test is MessageFixture {
    function check(Case memory made, Book memory book) private {
        LeafProof memory job = commitLeaf(book);
        assertFound(examiner.examineCost(router, job, made.ticket, made.receipt), job.batch, Fault.Cost, book.leaves[0].account);
    }

    function test_examineCost_eachDifference_found() external {
        for (uint256 i; i < 7; ++i) {
            Case memory made = fair();
            tie(made);
            if (i == 0) made.receipt.cost += 1;
            if (i == 1) made.receipt.cost -= 1;
            if (i == 2) made.receipt.ticket = "another";
            if (i == 3) made.receipt.tokensIn = made.ticket.maxTokensIn + 1;
            if (i == 4) made.receipt.tokensOut = made.ticket.maxTokensOut + 1;
            if (i == 5) made.receipt.completedAt = made.ticket.issuedAt - 1;
            if (i == 3 || i == 4) made.receipt.cost = made.ticket.maxCost;
            Book memory book = leafFor(made);
            if (i == 6) book.leaves[0].cost += 1;
            check(made, book);
        }
    }

    function testFuzz_examineCost_byTheFormula(uint32 tokensIn, uint32 tokensOut, uint64 cost, bool right) external {
        Case memory made = fair();
        (made.receipt.tokensIn, made.receipt.tokensOut) = (tokensIn % 10_001, tokensOut % 5_001);
        uint256 due = jobs.cost(made.receipt.tokensIn, made.receipt.tokensOut, 200_000, 600_000, 1_000);
        if (due > 2_000) due = 2_000;
        made.receipt.cost = right ? uint64(due) : cost % 4_000;
        tie(made);
        LeafProof memory job = commitLeaf(leafFor(made));
        Fault fault = examiner.examineCost(router, job, made.ticket, made.receipt).fault;
        assertTrue((fault == Fault.None) == (made.receipt.cost == due), "the price or a fault");
    }

    function test_examineCost_anotherReceipt_reverts() external {
        Case memory made = fair();
        tie(made);
        LeafProof memory job = commitLeaf(leafFor(made));
        made.receipt.cost += 1;
        expectWrongMessage(jobs.receiptDigest(made.receipt), job.leaf.receipt);
        examiner.examineCost(router, job, made.ticket, made.receipt);
        made.ticket.maxCost -= 1;
        expectWrongMessage(jobs.ticketDigest(made.ticket), job.leaf.ticket);
        examiner.examineCost(router, job, made.ticket, made.receipt);
    }
}

contract BatchExaminer_ExamineGrant_Test is MessageFixture {
    function test_examineGrant_eachLimit_found() external {
        for (uint256 i; i < 8; ++i) {
            Case memory made = fair();
            if (i == 0) made.grant.account = stranger;
            if (i == 1) made.grant.maxPriceIn -= 1;
            if (i == 2) made.grant.maxPriceOut -= 1;
            if (i == 3) made.grant.perJobCap -= 1;
            if (i == 4) made.grant.notBefore += 1;
            if (i == 5) made.grant.notAfter -= 1;
            if (i == 6) made.grant.routers[0] = stranger;
            if (i == 7) made.grant.models[0] = "another model";
            tie(made);
            LeafProof memory job = commitLeaf(leafFor(made));
            assertFound(examiner.examineGrant(router, job, made.ticket, made.grant), job.batch, Fault.Grant, made.ticket.account);
        }
    }

    function test_examineGrant_atTheLimits_isSound() external {
        Case memory made = fair();
        tie(made);
        LeafProof memory job = commitLeaf(leafFor(made));
        assertSound(examiner.examineGrant(router, job, made.ticket, made.grant));
        made.grant.models = new bytes32[](0);
        tie(made);
        job = commitLeaf(leafFor(made));
        assertSound(examiner.examineGrant(router, job, made.ticket, made.grant));
    }

    function test_examineGrant_anotherGrant_reverts() external {
        Case memory made = fair();
        tie(made);
        LeafProof memory job = commitLeaf(leafFor(made));
        made.grant.perJobCap = 1;
        expectWrongMessage(jobs.grantDigest(made.grant), made.ticket.grant);
        examiner.examineGrant(router, job, made.ticket, made.grant);
    }
}
