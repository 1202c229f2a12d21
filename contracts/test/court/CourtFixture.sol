// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { BatchCourt } from "../../src/court/BatchCourt.sol";
import { BatchExaminer } from "../../src/court/BatchExaminer.sol";
import { LeafProof, Row, RowProof, RowsProof, RunProof, Tree } from "../../src/court/Faults.sol";
import { BatchHeader, JobLeaf, JobReceipt, JobTicket, KeyGrant, Role } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Trees } from "../utils/Trees.sol";

/// A network with courts, and a router that keeps its books as the protocol says: every batch continues the one before.
abstract contract CourtFixture is Fixture {
    uint64 internal constant RESPONSE = 1 hours;
    uint64 internal constant RETENTION = 1 days;
    uint256 internal constant BOND = 100e18;
    uint256 internal constant GRANTS = 3;

    /// A batch as its router publishes it.
    struct Book {
        JobLeaf[] leaves;
        Row[] debits;
        Row[] credits;
        uint8 tiers;
        uint128 debited;
        uint128 credited;
    }

    BatchCourt internal court;
    BatchExaminer internal examiner;
    address internal second = actor("second provider");
    address internal bob = actor("bob");
    address internal challenger = actor("challenger");
    /// The next job's number; also its ticket's sequence number.
    uint256 internal nextJob = 1;

    function setUp() public virtual override {
        super.setUp();
        stakeAs(second, Role.Provider, MINIMUM, actor("second provider hot key"));
        court = BatchCourt(
            proxy(
                address(new BatchCourt()),
                abi.encodeCall(BatchCourt.initialize, (governor, address(jobs), RESPONSE, RETENTION, BOND))
            )
        );
        examiner = new BatchExaminer(address(jobs));
        vm.startPrank(governor);
        jobs.setCourt(address(court), true);
        stakes.setSlasher(address(court), true);
        court.setExaminer(address(examiner), true);
        vm.stopPrank();
    }

    // Jobs

    function grantOf(uint256 n) internal view returns (KeyGrant memory) {
        if (n % GRANTS == 0) return grantFor(alice, "key");
        return grantFor(n % GRANTS == 1 ? alice : bob, "another key");
    }

    /// Job number `n`: everything about it follows from the number.
    function jobOf(uint256 n) internal view returns (JobTicket memory ticket, JobReceipt memory receipt) {
        KeyGrant memory grant = grantOf(pick(n, 1));
        ticket.jobId = keccak256(abi.encode("job", n));
        ticket.sequence = uint64(n);
        ticket.router = router;
        ticket.account = grant.account;
        ticket.grant = digestOf(grant);
        ticket.provider = pick(n, 2) % 2 == 0 ? provider : second;
        ticket.modelId = keccak256("model");
        ticket.tier = 2;
        (ticket.priceIn, ticket.priceOut, ticket.premiumBps) = (200_000, 600_000, 1_000);
        (ticket.maxTokensIn, ticket.maxTokensOut) = (10_000, 5_000);
        (ticket.maxCost, ticket.issuedAt, ticket.deadline) = (2_000, START, START + 60);
        receipt.ticket = jobs.ticketDigest(ticket);
        (receipt.tokensIn, receipt.tokensOut) = (uint32(pick(n, 3) % 10_000), uint32(pick(n, 4) % 5_000));
        uint256 price = jobs.cost(receipt.tokensIn, receipt.tokensOut, ticket.priceIn, ticket.priceOut, ticket.premiumBps);
        receipt.cost = uint64(price < ticket.maxCost ? price : ticket.maxCost);
        (receipt.finishReason, receipt.completedAt) = (1, START + 9);
    }

    function signTicket(JobTicket memory ticket) internal view returns (bytes memory) {
        return sign("router hot key", jobs.ticketDigest(ticket));
    }

    function signReceipt(JobTicket memory ticket, JobReceipt memory receipt) internal view returns (bytes memory) {
        return sign(ticket.provider == provider ? "provider hot key" : "second provider hot key", jobs.receiptDigest(receipt));
    }

    // Books

    /// The batch of the next `count` jobs after the batch `before`.
    function build(Book memory before, uint256 count) internal returns (Book memory book) {
        book.leaves = new JobLeaf[](count);
        (book.debits, book.credits, book.tiers) = (_copy(before.debits), _copy(before.credits), OPTIMISTIC);
        (book.debited, book.credited) = (before.debited, before.credited);
        for (uint256 i; i < count; ++i) {
            (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(nextJob++);
            append(book, i, ticket, receipt);
        }
    }

    function append(Book memory book, uint256 i, JobTicket memory ticket, JobReceipt memory receipt) internal view {
        uint128 fee = uint128(receipt.cost) * 150 / 10_000;
        uint128 net = receipt.cost - 2 * fee;
        uint256 at_;
        (book.debits, at_) = _find(book.debits, ticket.grant);
        Row memory debit = book.debits[at_];
        (debit.total, debit.routerFees, debit.protocolFees) =
        (debit.total + receipt.cost, debit.routerFees + fee, debit.protocolFees + fee);
        (book.credits, at_) = _find(book.credits, keyOf(ticket.provider));
        book.credits[at_].total += net;
        (book.debited, book.credited) = (book.debited + receipt.cost, book.credited + net);
        book.leaves[i] = JobLeaf({
            ticket: jobs.ticketDigest(ticket),
            receipt: jobs.receiptDigest(receipt),
            account: ticket.account,
            grant: ticket.grant,
            provider: ticket.provider,
            cost: receipt.cost,
            tier: ticket.tier,
            grantTotal: debit.total,
            providerTotal: book.credits[at_].total
        });
    }

    function keyOf(address provider_) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(provider_)));
    }

    function _copy(Row[] memory rows) private pure returns (Row[] memory) {
        return abi.decode(abi.encode(rows), (Row[]));
    }

    /// The row's place; where there is none yet, it is put where it belongs.
    function _find(Row[] memory rows, bytes32 key) private pure returns (Row[] memory longer, uint256 place) {
        while (place < rows.length && rows[place].key < key) ++place;
        if (place < rows.length && rows[place].key == key) return (rows, place);
        longer = new Row[](rows.length + 1);
        for (uint256 i; i < rows.length; ++i) {
            longer[i < place ? i : i + 1] = rows[i];
        }
        longer[place].key = key;
    }

    function placeOf(Row[] memory rows, bytes32 key) internal pure returns (uint256 place) {
        while (rows[place].key != key) ++place;
    }

    function remove(Row[] memory rows, uint256 place) internal pure returns (Row[] memory shorter) {
        shorter = new Row[](rows.length - 1);
        for (uint256 i; i < shorter.length; ++i) {
            shorter[i] = rows[i < place ? i : i + 1];
        }
    }

    function commitBook(Book memory book) internal returns (uint64) {
        BatchHeader memory head;
        head.router = router;
        head.index = jobs.batchCount(router);
        head.jobsRoot = Trees.root(hashes(book.leaves));
        head.debitsRoot = Trees.root(hashes(Tree.Debits, book.debits));
        head.creditsRoot = Trees.root(hashes(Tree.Credits, book.credits));
        (head.count, head.grants, head.providers) =
        (uint32(book.leaves.length), uint32(book.debits.length), uint32(book.credits.length));
        (head.tiers, head.debited, head.credited) = (book.tiers, book.debited, book.credited);
        head.fees = book.debited - book.credited;
        vm.prank(router);
        jobs.commitBatch(head);
        return head.index;
    }

    /// Two honest batches, both open to challenge.
    function commitTwo() internal returns (Book memory first, Book memory next) {
        Book memory none;
        first = build(none, 5);
        commitBook(first);
        next = build(first, 7);
        commitBook(next);
    }

    // Proofs

    function hashes(JobLeaf[] memory leaves) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](leaves.length);
        for (uint256 i; i < list.length; ++i) {
            list[i] = Trees.leafHash(abi.encode(leaves[i]));
        }
    }

    function hashes(Tree tree, Row[] memory rows) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](rows.length);
        for (uint256 i; i < list.length; ++i) {
            bytes memory data = tree == Tree.Debits
                ? abi.encode(rows[i].key, rows[i].total, rows[i].routerFees, rows[i].protocolFees)
                : abi.encode(address(uint160(uint256(rows[i].key))), rows[i].total);
            list[i] = Trees.leafHash(data);
        }
    }

    function rowsOf(Book memory book, Tree tree) internal pure returns (Row[] memory) {
        return tree == Tree.Debits ? book.debits : book.credits;
    }

    function leafOf(Book memory book, uint64 batch, uint256 i) internal pure returns (LeafProof memory) {
        JobLeaf memory leaf = abi.decode(abi.encode(book.leaves[i]), (JobLeaf));
        return LeafProof(batch, uint32(i), leaf, Trees.proof(hashes(book.leaves), i));
    }

    function rowOf(Book memory book, Tree tree, uint64 batch, uint256 i) internal pure returns (RowProof memory) {
        Row[] memory rows = rowsOf(book, tree);
        Row memory row = abi.decode(abi.encode(rows[i]), (Row));
        return RowProof(batch, uint32(i), row, Trees.proof(hashes(tree, rows), i));
    }

    /// The jobs from `from` on and before `to`.
    function runOf(Book memory book, uint64 batch, uint256 from, uint256 to) internal pure returns (RunProof memory run) {
        (run.batch, run.position) = (batch, uint32(from));
        run.leaves = new JobLeaf[](to - from);
        for (uint256 i = from; i < to; ++i) {
            run.leaves[i - from] = book.leaves[i];
        }
        run.siblings = Trees.multiproof(hashes(book.leaves), _range(from, to));
    }

    function sumOf(Book memory book, Tree tree, uint64 batch, uint256 from, uint256 to)
        internal
        pure
        returns (RowsProof memory part)
    {
        Row[] memory rows = rowsOf(book, tree);
        (part.batch, part.position) = (batch, uint32(from));
        part.rows = new Row[](to - from);
        for (uint256 i = from; i < to; ++i) {
            part.rows[i - from] = rows[i];
        }
        part.siblings = Trees.multiproof(hashes(tree, rows), _range(from, to));
    }

    function _range(uint256 from, uint256 to) private pure returns (uint256[] memory list) {
        list = new uint256[](to - from);
        for (uint256 i = from; i < to; ++i) {
            list[i - from] = i;
        }
    }

    function these(RowProof memory item) internal pure returns (RowProof[] memory items) {
        items = new RowProof[](1);
        items[0] = item;
    }

    function these(RowProof memory first, RowProof memory next) internal pure returns (RowProof[] memory items) {
        items = new RowProof[](2);
        (items[0], items[1]) = (first, next);
    }

    /// The row of this key; or the rows around the gap where it would be.
    function around(Book memory book, Tree tree, uint64 batch, bytes32 key) internal pure returns (RowProof[] memory) {
        Row[] memory rows = rowsOf(book, tree);
        uint256 place;
        while (place < rows.length && rows[place].key < key) ++place;
        if (rows.length == 0) return new RowProof[](0);
        if (place == rows.length) return these(rowOf(book, tree, batch, place - 1));
        if (place == 0 || rows[place].key == key) return these(rowOf(book, tree, batch, place));
        return these(rowOf(book, tree, batch, place - 1), rowOf(book, tree, batch, place));
    }

    /// The last job before `to` whose key is that of job `to`; `to` itself if there is none.
    function lastBefore(Book memory book, Tree tree, uint256 to) internal pure returns (uint256) {
        for (uint256 i = to; i > 0; --i) {
            if (keyAt(book, tree, i - 1) == keyAt(book, tree, to)) return i - 1;
        }
        return to;
    }

    function keyAt(Book memory book, Tree tree, uint256 i) internal pure returns (bytes32) {
        return tree == Tree.Debits ? book.leaves[i].grant : keyOf(book.leaves[i].provider);
    }

    // Judgement

    function stakeOf(address operator, Role role) internal view returns (uint256) {
        (uint256 active, uint256 unbonding,) = stakes.stakeOf(operator, role);
        return active + unbonding;
    }

    function fund(address who, address spender) internal {
        infr.transfer(who, 1_000e18);
        vm.prank(who);
        infr.approve(spender, type(uint256).max);
    }
}
