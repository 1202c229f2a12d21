// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { LeafProof } from "../../src/court/Faults.sol";
import { DisputeManager } from "../../src/dispute/DisputeManager.sol";
import { Traces } from "../../src/dispute/Traces.sol";
import { IDisputeManager } from "../../src/interfaces/IDisputeManager.sol";
import { JobLeaf, JobReceipt, JobTicket, Role } from "../../src/libraries/Types.sol";
import { CourtFixture } from "../court/CourtFixture.sol";
import { Trees } from "../utils/Trees.sol";
import { ToyVerifier } from "./ToyVerifier.sol";

/// A network with disputes, a validator, and both sides of the game.
abstract contract DisputeFixture is CourtFixture {
    uint32 internal constant CLOCK = 1 hours;
    uint16 internal constant PROVIDER_BPS = 2_500;
    uint16 internal constant CHALLENGER_BPS = 1_000;
    uint32 internal constant PLACE = 1;
    bytes32 internal constant MODEL = keccak256("model");
    bytes32 internal constant CLAIM = keccak256("another trace");

    /// A computation as somebody says it went: states in the clear and what is committed of them, the last being the output's.
    struct Trace {
        bytes[] states;
        bytes32[] leaves;
    }

    /// A batch with a job to dispute, and everything about that job.
    struct Case {
        uint64 batch;
        LeafProof job;
        JobTicket ticket;
        JobReceipt receipt;
        bytes signature;
        bytes32 root;
        bytes32[] leaves;
    }

    DisputeManager internal manager;
    ToyVerifier internal toy;
    address internal validator = actor("validator");
    address internal validatorHot = actor("validator hot key");
    address internal rival = actor("rival");

    function setUp() public virtual override {
        super.setUp();
        stakeAs(validator, Role.Validator, MINIMUM, validatorHot);
        stakeAs(rival, Role.Validator, MINIMUM, actor("rival hot key"));
        toy = new ToyVerifier();
        manager = DisputeManager(
            proxy(address(new DisputeManager()), abi.encodeCall(DisputeManager.initialize, (governor, address(jobs), terms(5))))
        );
        vm.startPrank(governor);
        jobs.setCourt(address(manager), true);
        stakes.setSlasher(address(manager), true);
        manager.setVerifier(MODEL, address(toy));
        vm.stopPrank();
        fund(validator, address(manager));
        fund(rival, address(manager));
    }

    function terms(uint8 depth) internal pure returns (IDisputeManager.Parameters memory) {
        return IDisputeManager.Parameters(depth, CLOCK, PROVIDER_BPS, CHALLENGER_BPS, uint96(BOND));
    }

    function useDepth(uint8 depth) internal {
        vm.prank(governor);
        manager.setParameters(terms(depth));
    }

    // Computations

    /// The computation of a job whose chain is `length` long, done with a slip after step `slip`; larger than the length: without.
    function compute(bytes32 request, uint64 length, uint256 slip) internal pure returns (Trace memory trace) {
        trace.states = new bytes[](length);
        trace.leaves = new bytes32[](length + 1);
        bytes32 hash = keccak256(abi.encode(MODEL, request));
        for (uint64 i; i < length; ++i) {
            if (i != 0) hash = keccak256(abi.encode(hash));
            if (i == slip) hash = keccak256(abi.encode("slip", hash));
            trace.states[i] = abi.encode(i, length, hash);
            trace.leaves[i] = Traces.leaf(keccak256(trace.states[i]));
        }
        if (slip == length) hash = keccak256(abi.encode("slip", hash));
        trace.leaves[length] = Traces.leaf(outputOf(keccak256(abi.encode(hash))));
    }

    function outputOf(bytes32 response) internal pure returns (bytes32) {
        return keccak256(abi.encode(Traces.OUTPUT_TYPEHASH, response, uint32(1), uint32(2), uint8(1)));
    }

    function responseOf(bytes32 request, uint64 length, uint256 slip) internal pure returns (bytes32 hash) {
        hash = keccak256(abi.encode(MODEL, request));
        for (uint64 i; i < length; ++i) {
            if (i != 0) hash = keccak256(abi.encode(hash));
            if (i == slip) hash = keccak256(abi.encode("slip", hash));
        }
        if (slip == length) hash = keccak256(abi.encode("slip", hash));
        return keccak256(abi.encode(hash));
    }

    function requestOf(uint256 n) internal pure returns (bytes32) {
        return keccak256(abi.encode("request", n));
    }

    uint256 internal constant HONEST = type(uint256).max;

    /// The computation of the case's job as it should have been.
    function truth(Case memory it) internal pure returns (Trace memory) {
        return compute(it.ticket.requestHash, it.ticket.seed, HONEST);
    }

    /// A batch of three jobs, the middle one computed with a slip after step `slip`.
    function commitCase(uint64 length, uint256 slip) internal returns (Case memory it) {
        Book memory none;
        it = caseOf(provider, length, slip);
        commitWith(none, it);
    }

    /// The messages of a job that is to stand in the middle of the next batch.
    function caseOf(address by, uint64 length, uint256 slip) internal view returns (Case memory it) {
        uint256 n = nextJob + PLACE;
        bytes32 request = requestOf(n);
        it.leaves = compute(request, length, slip).leaves;
        it.root = Trees.root(it.leaves);
        (it.ticket, it.receipt) = jobOf(n);
        (it.ticket.provider, it.ticket.requestHash, it.ticket.seed) = (by, request, length);
        it.receipt.ticket = jobs.ticketDigest(it.ticket);
        it.receipt.responseHash = responseOf(request, length, slip);
        (it.receipt.tokensIn, it.receipt.tokensOut) = (1, 2);
        it.receipt.cost = uint64(
            jobs.cost(it.receipt.tokensIn, it.receipt.tokensOut, it.ticket.priceIn, it.ticket.priceOut, it.ticket.premiumBps)
        );
        it.receipt.evidence = Traces.evidence(uint64(it.leaves.length), it.root);
    }

    /// Commits the messages of `it`, as they are, in a batch after `before`.
    function commitWith(Book memory before, Case memory it) internal returns (Book memory book) {
        book = build(before, 0);
        book.leaves = new JobLeaf[](3);
        for (uint256 i; i < 3; ++i) {
            (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(nextJob++);
            if (i == PLACE) append(book, i, it.ticket, it.receipt);
            else append(book, i, ticket, receipt);
        }
        it.batch = commitBook(book);
        it.job = leafOf(book, it.batch, PLACE);
        it.signature = signReceipt(it.ticket, it.receipt);
    }

    // Moves

    function openBy(address who, Case memory it) internal returns (bytes32) {
        vm.prank(who);
        return manager.open(router, it.job, it.ticket, it.receipt, it.signature, CLAIM);
    }

    function open(Case memory it) internal returns (bytes32) {
        return openBy(validator, it);
    }

    function reveal(bytes32 id, Case memory it) internal {
        bytes32[] memory proof = Trees.proof(it.leaves, it.leaves.length - 1);
        vm.prank(it.ticket.provider);
        manager.reveal(id, uint64(it.leaves.length), it.root, proof);
    }

    function nodesOf(bytes32 id, Case memory it) internal view returns (bytes32[] memory nodes, uint8 level) {
        IDisputeManager.Dispute memory now_ = manager.disputeOf(id);
        uint8 depth = now_.level < now_.depth ? now_.level : now_.depth;
        level = now_.level - depth;
        nodes = new bytes32[](Traces.width(now_.steps, now_.level, now_.place, depth));
        for (uint256 i; i < nodes.length; ++i) {
            nodes[i] = nodeAt(it.leaves, level, (uint256(now_.place) << depth) + i);
        }
    }

    /// A node of the tree, by the definition in RFC 6962.
    function nodeAt(bytes32[] memory leaves, uint8 level, uint256 place) internal pure returns (bytes32) {
        uint256 from = place << level;
        uint256 to = (place + 1) << level;
        if (from >= leaves.length) return bytes32(0);
        if (to > leaves.length) to = leaves.length;
        bytes32[] memory below = new bytes32[](to - from);
        for (uint256 i = from; i < to; ++i) {
            below[i - from] = leaves[i];
        }
        return Trees.root(below);
    }

    function dissect(bytes32 id, Case memory it) internal {
        (bytes32[] memory nodes,) = nodesOf(id, it);
        vm.prank(it.ticket.provider);
        manager.dissect(id, nodes);
    }

    function select(bytes32 id, Case memory it, uint256 child) internal {
        (bytes32[] memory nodes,) = nodesOf(id, it);
        vm.prank(manager.disputeOf(id).challenger);
        manager.select(id, child, nodes[child], Trees.proof(nodes, child));
    }

    /// The first shown node that is not in the challenger's own tree.
    function firstDifference(bytes32 id, Case memory it, bytes32[] memory own) internal view returns (uint256 child) {
        (bytes32[] memory nodes, uint8 level) = nodesOf(id, it);
        uint256 first = manager.disputeOf(id).place * (1 << (manager.disputeOf(id).level - level));
        while (child + 1 < nodes.length && nodes[child] == nodeAt(own, level, first + child)) ++child;
    }

    function inputOf(Case memory it, uint32 cutAfter) internal pure returns (bytes memory) {
        return abi.encode(Traces.INPUT_TYPEHASH, it.ticket.requestHash, it.ticket.samplingHash, it.ticket.seed, cutAfter);
    }

    /// What the step starts from, with its proof under the provider's root, by whoever knows the states.
    function stateOf(bytes32 id, Case memory it, Trace memory trace)
        internal
        view
        returns (bytes32 kind, bytes memory state, bytes32[] memory proof)
    {
        uint64 place = manager.disputeOf(id).place;
        if (place == 0) {
            return ("start", inputOf(it, type(uint32).max), proof);
        }
        kind = place + 1 == it.leaves.length ? bytes32("end") : bytes32("next");
        return (kind, trace.states[place - 1], Trees.proof(it.leaves, place - 1));
    }

    function adjudicate(bytes32 id, Case memory it, Trace memory trace) internal {
        (bytes32 kind, bytes memory state, bytes32[] memory proof) = stateOf(id, it, trace);
        manager.adjudicate(id, kind, state, proof, "", "");
    }

    function stageOf(bytes32 id) internal view returns (IDisputeManager.Stage) {
        return manager.disputeOf(id).stage;
    }

    /// Plays until one step is left. An honest challenger compares with `own`; one without a computation picks by `seed`.
    function playDown(bytes32 id, Case memory it, bytes32[] memory own, uint256 seed) internal returns (uint256 rounds) {
        reveal(id, it);
        while (stageOf(id) == IDisputeManager.Stage.Dissect) {
            dissect(id, it);
            (bytes32[] memory nodes,) = nodesOf(id, it);
            select(id, it, own.length == 0 ? pick(seed, rounds) % nodes.length : firstDifference(id, it, own));
            ++rounds;
        }
    }

    /// The next move, whoever has to make it: both sides as they should, a challenger without a computation by `seed`.
    function advance(bytes32 id, Case memory it, bytes32[] memory own, uint256 seed) internal {
        IDisputeManager.Stage stage = stageOf(id);
        if (stage == IDisputeManager.Stage.Reveal) return reveal(id, it);
        if (stage == IDisputeManager.Stage.Dissect) return dissect(id, it);
        if (stage == IDisputeManager.Stage.Step) return adjudicate(id, it, truth(it));
        (bytes32[] memory nodes,) = nodesOf(id, it);
        select(id, it, own.length == 0 ? seed % nodes.length : firstDifference(id, it, own));
    }

    function assertStage(bytes32 id, IDisputeManager.Stage stage, string memory reason) internal view {
        assertEq(uint256(stageOf(id)), uint256(stage), reason);
    }
}
