// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Fault, Finding, LeafProof, RowProof, RowsProof } from "../../src/court/Faults.sol";
import { ExaminerFixture } from "./BatchExaminer.t.sol";

contract BatchExaminer_ExamineRow_Test is ExaminerFixture {
    function test_examineRow_rowBelowTheJob_found() external {
        (, Book memory book) = twoBooks();
        uint256 place = placeOf(book.debits, book.leaves[6].grant);
        book.debits[place].total -= 1;
        commitBook(book);
        Finding memory found = examiner.examineRow(router, DEBITS, leafOf(book, 1, 6), rowOf(book, DEBITS, 1, place));
        assertFound(found, 1, Fault.Debit, book.leaves[6].account);
    }

    function test_examineRow_laterRowBelowTheJob_found() external {
        (Book memory before, Book memory book) = twoBooks();
        uint256 place = placeOf(book.credits, keyOf(before.leaves[4].provider));
        book.credits[place].total = before.leaves[4].providerTotal - 1;
        commitBook(book);
        Finding memory found = examiner.examineRow(router, CREDITS, leafOf(before, 0, 4), rowOf(book, CREDITS, 1, place));
        assertFound(found, 1, Fault.Credit, before.leaves[4].account);
    }

    function test_examineRow_jobBelowTheRowBefore_found() external {
        (Book memory before, Book memory book) = twoBooks();
        bytes32 key = book.leaves[0].grant;
        book.leaves[0].grantTotal -= 1;
        commitBook(book);
        RowProof memory row = rowOf(before, DEBITS, 0, placeOf(before.debits, key));
        Finding memory found = examiner.examineRow(router, DEBITS, leafOf(book, 1, 0), row);
        assertFound(found, 1, Fault.GrantTotal, book.leaves[0].account);
    }

    function test_examineRow_honest_isSound() external {
        (Book memory before, Book memory book) = commitTwo();
        for (uint256 i; i < 7; ++i) {
            LeafProof memory job = leafOf(book, 1, i);
            bytes32 key = keyOf(book.leaves[i].provider);
            assertSound(examiner.examineRow(router, CREDITS, job, rowOf(book, CREDITS, 1, placeOf(book.credits, key))));
            assertSound(examiner.examineRow(router, CREDITS, job, rowOf(before, CREDITS, 0, placeOf(before.credits, key))));
        }
    }

    function test_examineRow_anotherKey_reverts() external {
        (, Book memory book) = commitTwo();
        uint256 place = placeOf(book.debits, book.leaves[0].grant) == 0 ? 1 : 0;
        expectNotNeighbours();
        examiner.examineRow(router, DEBITS, leafOf(book, 1, 0), rowOf(book, DEBITS, 1, place));
    }

    /// A row of the debit tree is none of the credit tree, whatever it says.
    function test_examineRow_notCommitted_reverts() external {
        (, Book memory book) = commitTwo();
        RowProof memory row = rowOf(book, DEBITS, 1, placeOf(book.debits, book.leaves[0].grant));
        expectBadProof(1, row.position);
        examiner.examineRow(router, CREDITS, leafOf(book, 1, 0), row);
        row.row.total = 0;
        expectBadProof(1, row.position);
        examiner.examineRow(router, DEBITS, leafOf(book, 1, 0), row);
    }
}

contract BatchExaminer_ExamineRows_Test is ExaminerFixture {
    function test_examineRows_wrongOrder_found() external {
        (, Book memory book) = twoBooks();
        (book.debits[0], book.debits[1]) = (book.debits[1], book.debits[0]);
        book.credits[1].key = book.credits[0].key;
        commitBook(book);
        assertFound(
            examiner.examineRows(router, DEBITS, rowOf(book, DEBITS, 1, 0), rowOf(book, DEBITS, 1, 1)), 1, Fault.Order, address(0)
        );
        assertFound(
            examiner.examineRows(router, CREDITS, rowOf(book, CREDITS, 1, 0), rowOf(book, CREDITS, 1, 1)),
            1,
            Fault.Order,
            address(0)
        );
    }

    function test_examineRows_shrinking_found() external {
        (Book memory before, Book memory book) = twoBooks();
        bytes32 key = before.debits[0].key;
        uint256 place = placeOf(book.debits, key);
        book.debits[place].routerFees = before.debits[0].routerFees - 1;
        uint256 credit = placeOf(book.credits, before.credits[0].key);
        book.credits[credit].total = before.credits[0].total - 1;
        commitBook(book);
        assertFound(
            examiner.examineRows(router, DEBITS, rowOf(before, DEBITS, 0, 0), rowOf(book, DEBITS, 1, place)),
            1,
            Fault.Debit,
            address(0)
        );
        assertFound(
            examiner.examineRows(router, CREDITS, rowOf(before, CREDITS, 0, 0), rowOf(book, CREDITS, 1, credit)),
            1,
            Fault.Credit,
            address(0)
        );
    }

    function test_examineRows_honest_isSound() external {
        (Book memory before, Book memory book) = commitTwo();
        for (uint256 i; i < book.debits.length; ++i) {
            RowProof memory row = rowOf(book, DEBITS, 1, i);
            for (uint256 j; j < book.debits.length; ++j) {
                assertSound(examiner.examineRows(router, DEBITS, row, rowOf(book, DEBITS, 1, j)));
            }
            for (uint256 j; j < before.debits.length; ++j) {
                assertSound(examiner.examineRows(router, DEBITS, row, rowOf(before, DEBITS, 0, j)));
                assertSound(examiner.examineRows(router, DEBITS, rowOf(before, DEBITS, 0, j), row));
            }
        }
    }

    /// A credit has no fees; what a challenger writes there proves nothing.
    function test_examineRows_feesOfACredit_areNotRead() external {
        (Book memory before, Book memory book) = commitTwo();
        RowProof memory row = rowOf(before, CREDITS, 0, 0);
        row.row.routerFees = type(uint128).max;
        uint256 place = placeOf(book.credits, before.credits[0].key);
        assertSound(examiner.examineRows(router, CREDITS, row, rowOf(book, CREDITS, 1, place)));
    }
}

contract BatchExaminer_ExamineMissing_Test is ExaminerFixture {
    function test_examineMissing_everyGap_found() external {
        (, Book memory book) = twoBooks();
        assertEq(book.debits.length, 3, "three grants");
        for (uint256 place; place < 3; ++place) {
            Book memory cut = abi.decode(abi.encode(book), (Book));
            bytes32 key = book.debits[place].key;
            cut.debits = remove(cut.debits, place);
            uint64 index = commitBook(cut);
            uint256 i;
            while (cut.leaves[i].grant != key) ++i;
            LeafProof memory job = leafOf(cut, index, i);
            Finding memory found = examiner.examineMissing(router, DEBITS, job, index, around(cut, DEBITS, index, key));
            assertFound(found, index, Fault.Missing, cut.leaves[i].account);
        }
    }

    function test_examineMissing_noTreeAtAll_found() external {
        (Book memory before, Book memory book) = twoBooks();
        book.credits = remove(remove(book.credits, 0), 0);
        commitBook(book);
        Finding memory found = examiner.examineMissing(router, CREDITS, leafOf(before, 0, 0), 1, new RowProof[](0));
        assertFound(found, 1, Fault.Missing, before.leaves[0].account);
    }

    /// An honest tree has no gap where a row of its jobs belongs, and none before the first or behind the last.
    function test_examineMissing_honest_reverts() external {
        (, Book memory book) = commitTwo();
        RowProof memory low = rowOf(book, DEBITS, 1, 0);
        RowProof memory middle = rowOf(book, DEBITS, 1, 1);
        RowProof memory high = rowOf(book, DEBITS, 1, 2);
        for (uint256 i; i < 7; ++i) {
            LeafProof memory job = leafOf(book, 1, i);
            RowProof[][6] memory tries =
                [these(low), these(middle), these(high), these(low, middle), these(middle, high), these(low, high)];
            for (uint256 j; j < 6; ++j) {
                expectNotNeighbours();
                examiner.examineMissing(router, DEBITS, job, 1, tries[j]);
            }
            expectNotNeighbours();
            examiner.examineMissing(router, DEBITS, job, 1, new RowProof[](0));
        }
    }

    /// A row that came with a later job is not missing before.
    function test_examineMissing_beforeTheJob_reverts() external {
        Book memory none;
        Book memory first = build(none, 1);
        commitBook(first);
        Book memory book = build(first, 9);
        commitBook(book);
        uint256 i;
        while (book.leaves[i].grant == first.debits[0].key) ++i;
        RowProof[] memory gap = around(first, DEBITS, 0, book.leaves[i].grant);
        expectNotNeighbours();
        examiner.examineMissing(router, DEBITS, leafOf(book, 1, i), 0, gap);
        expectNotNeighbours();
        examiner.examineMissing(router, DEBITS, leafOf(book, 1, i), 1, gap);
    }
}

contract BatchExaminer_ExamineSum_Test is ExaminerFixture {
    function test_examineSum_allRows_found() external {
        (, Book memory book) = twoBooks();
        book.debits[1].total -= 1;
        book.credits[0].total += 1;
        commitBook(book);
        assertFound(examiner.examineSum(router, DEBITS, sumOf(book, DEBITS, 1, 0, 3)), 1, Fault.Sum, address(0));
        assertFound(examiner.examineSum(router, CREDITS, sumOf(book, CREDITS, 1, 0, 2)), 1, Fault.Sum, address(0));
    }

    function test_examineSum_fees_found() external {
        (, Book memory book) = twoBooks();
        book.debits[2].protocolFees -= 1;
        commitBook(book);
        assertFound(examiner.examineSum(router, DEBITS, sumOf(book, DEBITS, 1, 0, 3)), 1, Fault.Sum, address(0));
    }

    function test_examineSum_someRowsAlone_found() external {
        (, Book memory book) = twoBooks();
        book.debits[2].total = book.debited + 1;
        commitBook(book);
        assertFound(examiner.examineSum(router, DEBITS, sumOf(book, DEBITS, 1, 2, 3)), 1, Fault.Sum, address(0));
    }

    function test_examineSum_honest_isSound() external {
        (, Book memory book) = commitTwo();
        for (uint256 from; from < 3; ++from) {
            for (uint256 to = from + 1; to <= 3; ++to) {
                assertSound(examiner.examineSum(router, DEBITS, sumOf(book, DEBITS, 1, from, to)));
            }
        }
        assertSound(examiner.examineSum(router, CREDITS, sumOf(book, CREDITS, 1, 0, 2)));
    }

    function test_examineSum_notCommitted_reverts() external {
        (, Book memory book) = commitTwo();
        RowsProof memory part = sumOf(book, DEBITS, 1, 0, 3);
        part.rows[0].total += 1;
        expectBadProof(1, 0);
        examiner.examineSum(router, DEBITS, part);
    }
}

contract BatchExaminer_ExamineCosts_Test is ExaminerFixture {
    function test_examineCosts_allJobs_found() external {
        (, Book memory book) = twoBooks();
        (book.debited, book.credited) = (book.debited + 1, book.credited + 1);
        commitBook(book);
        Finding memory found = examiner.examineCosts(router, runOf(book, 1, 0, 7));
        assertFound(found, 1, Fault.Sum, book.leaves[0].account);
    }

    function test_examineCosts_someJobs_found() external {
        (Book memory before, Book memory book) = twoBooks();
        book.leaves[3].cost = uint64(book.debited - before.debited) + 1;
        commitBook(book);
        Finding memory found = examiner.examineCosts(router, runOf(book, 1, 3, 4));
        assertFound(found, 1, Fault.Sum, book.leaves[3].account);
    }

    function test_examineCosts_honest_isSound() external {
        (Book memory before, Book memory book) = commitTwo();
        assertSound(examiner.examineCosts(router, runOf(before, 0, 0, 5)));
        for (uint256 from; from < 7; ++from) {
            assertSound(examiner.examineCosts(router, runOf(book, 1, from, 7)));
        }
    }
}

contract BatchExaminer_ExamineTier_Test is ExaminerFixture {
    /// An optimistic job in a batch that says it has none would be final without a window.
    function test_examineTier_notNamed_found() external {
        (, Book memory book) = twoBooks();
        book.tiers = TEE;
        book.leaves[1].tier = 200;
        commitBook(book);
        assertFound(examiner.examineTier(router, leafOf(book, 1, 0)), 1, Fault.Tier, book.leaves[0].account);
        assertFound(examiner.examineTier(router, leafOf(book, 1, 1)), 1, Fault.Tier, book.leaves[1].account);
    }

    function test_examineTier_honest_isSound() external {
        (, Book memory book) = commitTwo();
        for (uint256 i; i < 7; ++i) {
            assertSound(examiner.examineTier(router, leafOf(book, 1, i)));
        }
    }
}
