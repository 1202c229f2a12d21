// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { BatchExaminer as BatchExaminerContract } from "../../src/court/BatchExaminer.sol";
import { Fault, Finding, LeafProof, Row, RowProof, RunProof, Tree } from "../../src/court/Faults.sol";
import { IBatchExaminer } from "../../src/interfaces/IBatchExaminer.sol";
import { JobLeaf } from "../../src/libraries/Types.sol";
import { CourtFixture } from "./CourtFixture.sol";

/// What the examiner finds in leaves and rows alone.
abstract contract ExaminerFixture is CourtFixture {
    Tree internal constant DEBITS = Tree.Debits;
    Tree internal constant CREDITS = Tree.Credits;

    /// An honest first batch, and the honest next one, not committed yet.
    function twoBooks() internal returns (Book memory one_, Book memory two) {
        Book memory none;
        one_ = build(none, 5);
        commitBook(one_);
        two = build(one_, 7);
    }

    function assertFound(Finding memory found, uint64 batch, Fault fault, address harmed) internal view {
        assertEq(found.router, router, "the router");
        assertEq(found.batch, batch, "the batch");
        assertEq(uint256(found.fault), uint256(fault), "the fault");
        assertEq(found.harmed, harmed, "the account");
    }

    function assertSound(Finding memory found) internal pure {
        assertEq(uint256(found.fault), uint256(Fault.None), "no fault");
    }

    /// A job of `book` that has an earlier one of the same key in it.
    function repeated(Book memory book, Tree tree) internal pure returns (uint256 before, uint256 i) {
        for (i = book.leaves.length - 1; i > 0; --i) {
            before = lastBefore(book, tree, i);
            if (before != i) return (before, i);
        }
        revert("every key once");
    }

    function expectBadProof(uint64 batch, uint256 position) internal {
        expectRevert(abi.encodeWithSelector(IBatchExaminer.BatchExaminer_BadProof.selector, router, batch, uint32(position)));
    }

    function expectNotTheRun() internal {
        expectRevert(abi.encodeWithSelector(IBatchExaminer.BatchExaminer_NotTheRun.selector));
    }

    function expectNotNeighbours() internal {
        expectRevert(abi.encodeWithSelector(IBatchExaminer.BatchExaminer_NotNeighbours.selector));
    }
}

contract BatchExaminer_Constructor_Test is ExaminerFixture {
    function test_constructor_registry_succeeds() external {
        assertEq(examiner.jobRegistry(), address(jobs), "the registry");
        expectRevert(abi.encodeWithSelector(IBatchExaminer.BatchExaminer_ZeroAddress.selector));
        new BatchExaminerContract(address(0));
    }
}

contract BatchExaminer_ExaminePair_Test is ExaminerFixture {
    function test_examinePair_sameTicket_inOneBatch() external {
        (, Book memory book) = twoBooks();
        book.leaves[4].ticket = book.leaves[1].ticket;
        commitBook(book);
        assertFound(
            examiner.examinePair(router, leafOf(book, 1, 1), leafOf(book, 1, 4)), 1, Fault.Duplicate, book.leaves[4].account
        );
    }

    function test_examinePair_sameTicket_inTwoBatches() external {
        (Book memory before, Book memory book) = twoBooks();
        book.leaves[0].ticket = before.leaves[4].ticket;
        commitBook(book);
        assertFound(
            examiner.examinePair(router, leafOf(before, 0, 4), leafOf(book, 1, 0)), 1, Fault.Duplicate, book.leaves[0].account
        );
    }

    function test_examinePair_totalShrinks_found() external {
        (, Book memory book) = twoBooks();
        (uint256 a, uint256 b) = repeated(book, DEBITS);
        book.leaves[b].grantTotal = book.leaves[a].grantTotal + book.leaves[b].cost - 1;
        (uint256 c, uint256 d) = repeated(book, CREDITS);
        book.leaves[d].providerTotal = book.leaves[c].providerTotal;
        commitBook(book);
        assertFound(
            examiner.examinePair(router, leafOf(book, 1, a), leafOf(book, 1, b)), 1, Fault.GrantTotal, book.leaves[b].account
        );
        Fault fault = examiner.examinePair(router, leafOf(book, 1, c), leafOf(book, 1, d)).fault;
        assertTrue(fault == Fault.ProviderTotal || fault == Fault.GrantTotal, "the provider's");
    }

    function test_examinePair_honest_isSound() external {
        (Book memory before, Book memory book) = commitTwo();
        for (uint256 i; i < 7; ++i) {
            for (uint256 j = i + 1; j < 7; ++j) {
                assertSound(examiner.examinePair(router, leafOf(book, 1, i), leafOf(book, 1, j)));
            }
            assertSound(examiner.examinePair(router, leafOf(before, 0, i % 5), leafOf(book, 1, i)));
        }
    }

    /// An honest job is a duplicate of itself, and smaller than one after it.
    function test_examinePair_notLater_reverts() external {
        (Book memory before, Book memory book) = commitTwo();
        expectNotNeighbours();
        examiner.examinePair(router, leafOf(book, 1, 3), leafOf(book, 1, 3));
        expectNotNeighbours();
        examiner.examinePair(router, leafOf(book, 1, 4), leafOf(book, 1, 3));
        expectNotNeighbours();
        examiner.examinePair(router, leafOf(book, 1, 0), leafOf(before, 0, 4));
    }

    function test_examinePair_notCommitted_reverts() external {
        (, Book memory book) = commitTwo();
        LeafProof memory forged = leafOf(book, 1, 4);
        forged.leaf.ticket = book.leaves[1].ticket;
        expectBadProof(1, 4);
        examiner.examinePair(router, leafOf(book, 1, 1), forged);
        LeafProof memory moved = leafOf(book, 1, 1);
        moved.position = 2;
        expectBadProof(1, 2);
        examiner.examinePair(router, leafOf(book, 1, 1), moved);
    }
}

contract BatchExaminer_ExamineRun_Test is ExaminerFixture {
    function check(Tree tree, uint128 more) private {
        (, Book memory book) = twoBooks();
        (uint256 a, uint256 b) = repeated(book, tree);
        if (tree == DEBITS) book.leaves[b].grantTotal += more;
        else book.leaves[b].providerTotal += more + book.leaves[b].cost;
        commitBook(book);
        Fault fault = tree == DEBITS ? Fault.GrantTotal : Fault.ProviderTotal;
        assertFound(examiner.examineRun(router, tree, runOf(book, 1, a, b + 1)), 1, fault, book.leaves[b].account);
    }

    /// A total that grew by too much cannot be shown by two jobs alone: others might be between them.
    function test_examineRun_grantTotalTooHigh_found() external {
        check(DEBITS, 1);
    }

    function test_examineRun_providerTotalTooHigh_found() external {
        check(CREDITS, 1);
    }

    function test_examineRun_honest_isSound() external {
        (, Book memory book) = commitTwo();
        for (uint256 t; t < 2; ++t) {
            for (uint256 i; i < 7; ++i) {
                uint256 before = lastBefore(book, Tree(t), i);
                if (before != i) assertSound(examiner.examineRun(router, Tree(t), runOf(book, 1, before, i + 1)));
            }
        }
    }

    function test_examineRun_oneBetween_reverts() external {
        Book memory none;
        Book memory book = build(none, 9);
        commitBook(book);
        uint256 c = 8;
        uint256 b = lastBefore(book, CREDITS, c);
        uint256 a = lastBefore(book, CREDITS, b);
        assertTrue(a < b && b < c, "three of one provider");
        expectNotTheRun();
        examiner.examineRun(router, CREDITS, runOf(book, 0, a, c + 1));
        expectNotTheRun();
        examiner.examineRun(router, CREDITS, runOf(book, 0, c, c + 1));
    }

    function test_examineRun_differentEnds_reverts() external {
        (, Book memory book) = commitTwo();
        for (uint256 i = 1; i < 7; ++i) {
            if (keyAt(book, DEBITS, i) == keyAt(book, DEBITS, 0)) continue;
            expectNotTheRun();
            examiner.examineRun(router, DEBITS, runOf(book, 1, 0, i + 1));
        }
    }

    /// Leaving out the job between would make an honest total look too high.
    function test_examineRun_gapInTheRun_reverts() external {
        (, Book memory book) = commitTwo();
        RunProof memory run = runOf(book, 1, 2, 5);
        (run.leaves[1], run.leaves[2]) = (run.leaves[2], run.leaves[1]);
        expectBadProof(1, 2);
        examiner.examineRun(router, DEBITS, run);
        run.leaves = new JobLeaf[](0);
        expectBadProof(1, 2);
        examiner.examineRun(router, DEBITS, run);
    }
}

contract BatchExaminer_ExamineHead_Test is ExaminerFixture {
    function test_examineHead_notFromTheRowBefore_found() external {
        (Book memory before, Book memory book) = twoBooks();
        uint256 place = placeOf(before.debits, book.leaves[0].grant);
        book.leaves[0].grantTotal += 1;
        commitBook(book);
        Finding memory found = examiner.examineHead(router, DEBITS, runOf(book, 1, 0, 1), these(rowOf(before, DEBITS, 0, place)));
        assertFound(found, 1, Fault.GrantTotal, book.leaves[0].account);
    }

    function test_examineHead_firstBatch_found() external {
        Book memory none;
        Book memory book = build(none, 3);
        book.leaves[0].providerTotal = book.leaves[0].cost + 1;
        commitBook(book);
        Finding memory found = examiner.examineHead(router, CREDITS, runOf(book, 0, 0, 1), new RowProof[](0));
        assertFound(found, 0, Fault.ProviderTotal, book.leaves[0].account);
    }

    /// A grant the router never debited before starts at nothing; that it did not is shown by the gap in the sorted tree.
    function test_examineHead_noRowBefore_found() external {
        Book memory none;
        Book memory first = build(none, 1);
        commitBook(first);
        Book memory book = build(first, 9);
        uint256 i;
        while (book.leaves[i].grant == first.debits[0].key) ++i;
        book.leaves[i].grantTotal += 1;
        commitBook(book);
        Finding memory found = examiner.examineHead(router, DEBITS, runOf(book, 1, 0, i + 1), these(rowOf(first, DEBITS, 0, 0)));
        assertFound(found, 1, Fault.GrantTotal, book.leaves[i].account);
    }

    function test_examineHead_honest_isSound() external {
        (Book memory before, Book memory book) = commitTwo();
        for (uint256 i; i < 7; ++i) {
            if (lastBefore(book, DEBITS, i) != i) continue;
            RowProof[] memory start = around(before, DEBITS, 0, book.leaves[i].grant);
            assertSound(examiner.examineHead(router, DEBITS, runOf(book, 1, 0, i + 1), start));
        }
    }

    function test_examineHead_notTheFirst_reverts() external {
        (Book memory before, Book memory book) = commitTwo();
        (, uint256 i) = repeated(book, DEBITS);
        RowProof[] memory row = these(rowOf(before, DEBITS, 0, placeOf(before.debits, book.leaves[i].grant)));
        expectNotTheRun();
        examiner.examineHead(router, DEBITS, runOf(book, 1, 0, i + 1), row);
        expectNotTheRun();
        examiner.examineHead(router, DEBITS, runOf(book, 1, i, i + 1), row);
    }

    /// An honest total against the row of an older batch, another grant's, or none.
    function test_examineHead_anotherRow_reverts() external {
        (Book memory before, Book memory book) = commitTwo();
        Book memory third = build(book, 3);
        commitBook(third);
        bytes32 key = third.leaves[0].grant;
        uint256 place = placeOf(before.debits, key);
        RunProof memory run = runOf(third, 2, 0, 1);
        expectNotNeighbours();
        examiner.examineHead(router, DEBITS, run, these(rowOf(before, DEBITS, 0, place)));
        expectNotNeighbours();
        examiner.examineHead(router, DEBITS, run, new RowProof[](0));
        expectNotNeighbours();
        examiner.examineHead(router, DEBITS, run, these(rowOf(book, DEBITS, 1, place == 0 ? 1 : 0)));
    }
}

contract BatchExaminer_ExamineTail_Test is ExaminerFixture {
    function test_examineTail_rowAboveTheLastJob_found() external {
        (, Book memory book) = twoBooks();
        uint256 place = placeOf(book.debits, book.leaves[6].grant);
        book.debits[place].total += 1;
        commitBook(book);
        Finding memory found = examiner.examineTail(router, DEBITS, runOf(book, 1, 6, 7), rowOf(book, DEBITS, 1, place));
        assertFound(found, 1, Fault.Debit, book.leaves[6].account);
    }

    function test_examineTail_creditAboveTheLastJob_found() external {
        (, Book memory book) = twoBooks();
        uint256 place = placeOf(book.credits, keyOf(book.leaves[6].provider));
        book.credits[place].total += 1;
        commitBook(book);
        Finding memory found = examiner.examineTail(router, CREDITS, runOf(book, 1, 6, 7), rowOf(book, CREDITS, 1, place));
        assertFound(found, 1, Fault.Credit, book.leaves[6].account);
    }

    function test_examineTail_honest_isSound() external {
        (, Book memory book) = commitTwo();
        for (uint256 i; i < 7; ++i) {
            bool last = true;
            for (uint256 j = i + 1; j < 7; ++j) {
                if (keyAt(book, CREDITS, j) == keyAt(book, CREDITS, i)) last = false;
            }
            RowProof memory row = rowOf(book, CREDITS, 1, placeOf(book.credits, keyAt(book, CREDITS, i)));
            if (!last) expectNotTheRun();
            Finding memory found = examiner.examineTail(router, CREDITS, runOf(book, 1, i, 7), row);
            if (last) assertSound(found);
        }
    }

    function test_examineTail_notToTheEnd_reverts() external {
        (Book memory before, Book memory book) = commitTwo();
        uint256 place = placeOf(book.debits, book.leaves[5].grant);
        expectNotTheRun();
        examiner.examineTail(router, DEBITS, runOf(book, 1, 5, 6), rowOf(book, DEBITS, 1, place));
        expectNotTheRun();
        examiner.examineTail(router, DEBITS, runOf(book, 1, 6, 7), rowOf(before, DEBITS, 0, 0));
        bytes32 key = book.leaves[6].grant;
        expectNotTheRun();
        examiner.examineTail(router, DEBITS, runOf(book, 1, 6, 7), rowOf(book, DEBITS, 1, book.debits[0].key == key ? 1 : 0));
    }
}
