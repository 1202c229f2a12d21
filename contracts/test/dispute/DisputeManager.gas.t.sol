// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Traces } from "../../src/dispute/Traces.sol";
import { IDisputeManager } from "../../src/interfaces/IDisputeManager.sol";
import { Trees } from "../utils/Trees.sol";
import { DisputeFixture } from "./DisputeFixture.sol";

/// What moves cost over traces far too long to compute: all leaves but the last are the same, so a level has two different nodes.
contract DisputeManager_Gas_Test is DisputeFixture {
    uint8 private constant TOP = 40;

    bytes32[] private inner;
    bytes32[] private edge;

    function test_gas_games_areMeasured() external {
        for (uint8 depth = 1; depth <= 5; ++depth) {
            useDepth(depth);
            Case memory it = _commit();
            bytes32 id = open(it);
            if (depth == 1) vm.snapshotGasLastCall("dispute", "open");
            _reveal(id);
            if (depth == 1) vm.snapshotGasLastCall("dispute", "reveal 2^40 steps");
            string memory k = vm.toString(uint256(1) << depth);
            for (uint256 round; stageOf(id) != IDisputeManager.Stage.Step; ++round) {
                bytes32[] memory nodes = _nodes(id);
                vm.prank(provider);
                manager.dissect(id, nodes);
                if (round == 1) vm.snapshotGasLastCall("dispute", string.concat("dissect k=", k));
                uint256 child = manager.disputeOf(id).level <= depth ? 1 : 0;
                bytes32[] memory proof = Trees.proof(nodes, child);
                vm.prank(validator);
                manager.select(id, child, nodes[child], proof);
                if (round == 1) vm.snapshotGasLastCall("dispute", string.concat("select k=", k));
            }
            (bytes32[] memory pre, bytes memory state) = _state(it);
            manager.adjudicate(id, "next", state, pre, "", "");
            if (depth == 1) vm.snapshotGasLastCall("dispute", "adjudicate 2^40 steps, overturned");
            assertStage(id, IDisputeManager.Stage.Overturned, "overturned");
        }
    }

    function test_gas_endings_areMeasured() external {
        Book memory none;
        Case memory it = caseOf(provider, 5, 2);
        commitWith(none, it);
        bytes32 id = open(it);
        bytes32 late = openBy(rival, it);
        vm.warp(block.timestamp + CLOCK + 1);
        manager.timeout(id);
        vm.snapshotGasLastCall("dispute", "timeout, overturned");
        manager.dismiss(late);
        vm.snapshotGasLastCall("dispute", "dismiss");
        commitWith(none, it);
        manager.strike(router, it.job);
        vm.snapshotGasLastCall("dispute", "strike");
        it = commitCase(5, HONEST);
        id = open(it);
        bytes32[] memory own;
        playDown(id, it, own, 1);
        adjudicate(id, it, truth(it));
        vm.snapshotGasLastCall("dispute", "adjudicate 6 steps, upheld");
    }

    function _commit() private returns (Case memory it) {
        Book memory none;
        it = caseOf(provider, 3, HONEST);
        delete inner;
        delete edge;
        inner.push(Traces.leaf(keccak256(_first(it))));
        edge.push(Traces.leaf(outputOf(it.receipt.responseHash)));
        for (uint256 i; i < TOP; ++i) {
            edge.push(Trees.nodeHash(inner[i], edge[i]));
            inner.push(Trees.nodeHash(inner[i], inner[i]));
        }
        it.receipt.evidence = Traces.evidence(uint64(1) << TOP, edge[TOP]);
        commitWith(none, it);
    }

    function _first(Case memory it) private pure returns (bytes memory) {
        return abi.encode(uint64(0), it.ticket.seed, keccak256(abi.encode(MODEL, it.ticket.requestHash)));
    }

    function _reveal(bytes32 id) private {
        bytes32[] memory proof = new bytes32[](TOP);
        for (uint256 i; i < TOP; ++i) {
            proof[i] = inner[i];
        }
        vm.prank(provider);
        manager.reveal(id, uint64(1) << TOP, edge[TOP], proof);
    }

    function _nodes(bytes32 id) private view returns (bytes32[] memory nodes) {
        IDisputeManager.Dispute memory now_ = manager.disputeOf(id);
        uint8 depth = now_.level < now_.depth ? now_.level : now_.depth;
        nodes = new bytes32[](uint256(1) << depth);
        for (uint256 i; i < nodes.length; ++i) {
            nodes[i] = inner[now_.level - depth];
        }
        if (now_.level == TOP) nodes[nodes.length - 1] = edge[now_.level - depth];
    }

    function _state(Case memory it) private view returns (bytes32[] memory proof, bytes memory state) {
        proof = new bytes32[](TOP);
        for (uint256 i; i + 1 < TOP; ++i) {
            proof[i] = inner[i];
        }
        proof[TOP - 1] = edge[TOP - 1];
        state = _first(it);
    }
}
