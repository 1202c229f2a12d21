// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { BatchCourt } from "../../src/court/BatchCourt.sol";
import { LeafProof, RowProof, RunProof, Tree } from "../../src/court/Faults.sol";
import { IBatchCourt } from "../../src/interfaces/IBatchCourt.sol";
import { IBatchExaminer } from "../../src/interfaces/IBatchExaminer.sol";
import { INFR } from "../../src/INFR.sol";
import { JobRegistry } from "../../src/JobRegistry.sol";
import { JobReceipt, JobTicket, KeyGrant, Role } from "../../src/libraries/Types.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { CourtFixture } from "./CourtFixture.sol";

/// An honest router that answers in time, and challengers that try all there is against it.
contract CourtHandler is CourtFixture {
    struct Place {
        uint64 batch;
        uint32 position;
        uint64 dueAt;
    }

    /// The books, encoded: storage cannot take them as they are.
    bytes[] private books;
    uint256[] private firstJobs;
    Place[] private open;
    uint256 public tries;
    uint256 public answered;
    uint256 public demanded;

    function setUp() public override {
        super.setUp();
        infr.transfer(challenger, 1_000_000e18);
        vm.prank(challenger);
        infr.approve(address(court), type(uint256).max);
    }

    function network() external view returns (address, address, address, address) {
        return (address(court), address(jobs), address(infr), router);
    }

    function stake() external view returns (uint256) {
        return stakeOf(router, Role.Router);
    }

    function batches() external view returns (uint256) {
        return books.length;
    }

    function openDemands() external view returns (uint256) {
        return open.length;
    }

    function bookAt(uint256 i) internal view returns (Book memory) {
        return abi.decode(books[i], (Book));
    }

    function commit(uint256 seed) external {
        Book memory before;
        if (books.length != 0) before = bookAt(books.length - 1);
        firstJobs.push(nextJob);
        Book memory book = build(before, 1 + seed % 9);
        commitBook(book);
        books.push(abi.encode(book));
    }

    /// What a round of accusations draws on: two batches, a tree, and places in them.
    struct Draw {
        uint64 a;
        uint64 b;
        Tree tree;
        Book older;
        Book newer;
        LeafProof job;
        uint256 from;
        uint256 to;
        uint256 rowA;
        uint256 rowB;
        bytes32 key;
    }

    /// Evidence of every kind, against any batches; none of it may pass.
    function accuse(uint256 seed) external {
        if (books.length == 0) return;
        Draw memory it;
        it.a = uint64(pick(seed, 1) % books.length);
        it.b = uint64(pick(seed, 2) % books.length);
        it.tree = Tree(pick(seed, 3) % 2);
        (it.older, it.newer) = (bookAt(it.a), bookAt(it.b));
        it.job = leafOf(it.newer, it.b, pick(seed, 5) % it.newer.leaves.length);
        it.from = pick(seed, 6) % it.newer.leaves.length;
        it.to = it.from + 1 + pick(seed, 7) % (it.newer.leaves.length - it.from);
        it.rowA = pick(seed, 8) % rowsOf(it.older, it.tree).length;
        it.rowB = pick(seed, 9) % rowsOf(it.newer, it.tree).length;
        it.key = keyAt(it.newer, it.tree, it.job.position);
        _accuseOfJobs(it, leafOf(it.older, it.a, pick(seed, 4) % it.older.leaves.length));
        _accuseOfRows(it);
        _accuseOfMessages(it.job, firstJobs[it.b] + it.job.position);
    }

    function _accuseOfJobs(Draw memory it, LeafProof memory other_) private {
        _try(abi.encodeCall(IBatchExaminer.examinePair, (router, other_, it.job)));
        _try(abi.encodeCall(IBatchExaminer.examineRun, (router, it.tree, runOf(it.newer, it.b, it.from, it.to))));
        RowProof[] memory before = around(it.older, it.tree, it.a, keyAt(it.newer, it.tree, it.to - 1));
        _try(abi.encodeCall(IBatchExaminer.examineHead, (router, it.tree, runOf(it.newer, it.b, 0, it.to), before)));
        RowProof memory row = rowOf(it.newer, it.tree, it.b, it.rowB);
        RunProof memory tail = runOf(it.newer, it.b, it.from, it.newer.leaves.length);
        _try(abi.encodeCall(IBatchExaminer.examineTail, (router, it.tree, tail, row)));
        _try(abi.encodeCall(IBatchExaminer.examineCosts, (router, runOf(it.newer, it.b, it.from, it.to))));
        _try(abi.encodeCall(IBatchExaminer.examineTier, (router, it.job)));
    }

    function _accuseOfRows(Draw memory it) private {
        RowProof memory older = rowOf(it.older, it.tree, it.a, it.rowA);
        RowProof[] memory gap = around(it.older, it.tree, it.a, it.key);
        _try(abi.encodeCall(IBatchExaminer.examineRow, (router, it.tree, it.job, older)));
        _try(abi.encodeCall(IBatchExaminer.examineRow, (router, it.tree, it.job, gap[0])));
        RowProof memory newer = rowOf(it.newer, it.tree, it.b, it.rowB);
        _try(abi.encodeCall(IBatchExaminer.examineRows, (router, it.tree, older, newer)));
        _try(abi.encodeCall(IBatchExaminer.examineMissing, (router, it.tree, it.job, it.a, gap)));
        uint256 all = rowsOf(it.newer, it.tree).length;
        _try(abi.encodeCall(IBatchExaminer.examineSum, (router, it.tree, sumOf(it.newer, it.tree, it.b, it.rowB, all))));
        _try(abi.encodeCall(IBatchExaminer.examineSum, (router, it.tree, sumOf(it.newer, it.tree, it.b, 0, it.rowB + 1))));
    }

    function _accuseOfMessages(LeafProof memory job, uint256 n) private {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(n);
        KeyGrant memory grant = grantOf(pick(n, 1));
        _try(abi.encodeCall(IBatchExaminer.examineTicket, (router, job, ticket)));
        _try(abi.encodeCall(IBatchExaminer.examineCost, (router, job, ticket, receipt)));
        _try(abi.encodeCall(IBatchExaminer.examineGrant, (router, job, ticket, grant)));
        (JobTicket memory another,) = jobOf(n + 1);
        _call(abi.encodeCall(IBatchCourt.proveEquivocation, (ticket, signTicket(ticket), another, signTicket(another))));
    }

    function _try(bytes memory evidence) private {
        _call(abi.encodeCall(IBatchCourt.prove, (address(examiner), evidence)));
    }

    function _call(bytes memory data) private {
        ++tries;
        vm.prank(challenger);
        (bool passed,) = address(court).call(data);
        assertFalse(passed, "evidence against an honest router");
    }

    function demand(uint256 which, uint256 position) external {
        if (books.length == 0) return;
        uint64 batch = uint64(which % books.length);
        uint32 place = uint32(position % bookAt(batch).leaves.length);
        vm.prank(challenger);
        try court.demand(router, batch, place) returns (uint64 dueAt) {
            open.push(Place(batch, place, dueAt));
            ++demanded;
        } catch { }
    }

    function answer(uint256 which) external {
        if (open.length != 0) _answer(which % open.length);
    }

    function _answer(uint256 which) private {
        Place memory place = open[which];
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(firstJobs[place.batch] + place.position);
        LeafProof memory job = leafOf(bookAt(place.batch), place.batch, place.position);
        court.answer(router, job, ticket, signTicket(ticket), receipt, signReceipt(ticket, receipt));
        open[which] = open[open.length - 1];
        open.pop();
        ++answered;
    }

    /// Time passes, but not beyond what the router has to answer.
    function wait(uint256 time) external {
        uint256 until = block.timestamp + bound(time, 1, 2 hours);
        for (uint256 i = open.length; i > 0; --i) {
            if (open[i - 1].dueAt < until) _answer(i - 1);
        }
        vm.warp(until);
    }

    function expire(uint256 which) external {
        if (open.length == 0) return;
        Place memory place = open[which % open.length];
        _call(abi.encodeCall(IBatchCourt.expire, (router, place.batch, place.position)));
        _call(abi.encodeCall(IBatchCourt.dismiss, (router, place.batch, place.position, 0)));
    }
}

contract BatchCourt_Invariant_Test is InvariantTest {
    CourtHandler private handler;
    BatchCourt private court;
    JobRegistry private jobs;
    INFR private infr;
    address private router;
    uint256 private stake;

    function setUp() external {
        handler = new CourtHandler();
        handler.setUp();
        (address court_, address jobs_, address infr_, address router_) = handler.network();
        (court, jobs, infr, router) = (BatchCourt(court_), JobRegistry(jobs_), INFR(infr_), router_);
        stake = handler.stake();
        target = address(handler);
        selectors = [
            handler.commit.selector,
            handler.commit.selector,
            handler.accuse.selector,
            handler.demand.selector,
            handler.answer.selector,
            handler.wait.selector,
            handler.expire.selector
        ];
    }

    /// A sound batch is never voided.
    function invariant_batches_stand() external view {
        assertEq(jobs.batchCount(router), handler.batches(), "all of them");
    }

    /// A router that follows the protocol and answers in time loses nothing.
    function invariant_honestRouter_keepsItsStake() external view {
        assertEq(handler.stake(), stake, "stake");
        assertEq(court.offences(router), 0, "no offence");
    }

    /// The court holds the bonds of the open demands and nothing else; the router has those of the answered.
    function invariant_bonds_areConserved() external view {
        (,, uint256 bond) = court.parameters();
        assertEq(infr.balanceOf(address(court)), handler.openDemands() * bond, "open");
        assertEq(infr.balanceOf(router), handler.answered() * bond, "answered");
        assertEq(handler.demanded(), handler.openDemands() + handler.answered(), "each is one or the other");
    }
}
