// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Traces } from "../../src/dispute/Traces.sol";
import { IDisputeManager } from "../../src/interfaces/IDisputeManager.sol";
import { Role } from "../../src/libraries/Types.sol";
import { Trees } from "../utils/Trees.sol";
import { DisputeFixture } from "./DisputeFixture.sol";

contract DisputeManager_Games_Test is DisputeFixture {
    /// The test is a court itself.
    uint64 public constant longestHold = 1 hours;

    /// Whatever the length of the trace and the number of nodes a move shows, whoever computed rightly wins.
    function testFuzz_games_honestChallenger_winsAtTheSlip(uint256 seed) external {
        for (uint8 depth = 1; depth <= 5; ++depth) {
            useDepth(depth);
            uint64 length = uint64(1 + pick(seed, depth) % 70);
            uint256 slip = pick(seed, 10 + depth) % (uint256(length) + 1);
            Case memory it = commitCase(length, slip);
            bytes32 id = open(it);
            uint256 rounds = playDown(id, it, truth(it).leaves, 0);
            assertEq(manager.disputeOf(id).place, slip, "the first step that differs");
            assertEq(rounds, (uint256(Traces.height(length + 1)) + depth - 1) / depth, "rounds");
            uint256 stake = stakeOf(provider, Role.Provider);
            adjudicate(id, it, truth(it));
            assertStage(id, IDisputeManager.Stage.Overturned, "overturned");
            assertTrue(stake == 0 || stakeOf(provider, Role.Provider) < stake, "the provider pays");
            assertEq(stakeOf(validator, Role.Validator), MINIMUM, "the challenger does not");
            assertEq(infr.balanceOf(address(manager)), 0, "nothing stays");
        }
    }

    function testFuzz_games_honestProvider_winsWhateverIsSelected(uint256 seed) external {
        infr.transfer(stranger, 1);
        for (uint8 depth = 1; depth <= 5; ++depth) {
            useDepth(depth);
            Case memory it = commitCase(uint64(1 + pick(seed, depth) % 70), HONEST);
            bytes32 id = open(it);
            bytes32[] memory none;
            playDown(id, it, none, pick(seed, 20 + depth));
            uint256 stake = stakeOf(validator, Role.Validator);
            adjudicate(id, it, truth(it));
            assertStage(id, IDisputeManager.Stage.Upheld, "upheld");
            assertEq(stakeOf(provider, Role.Provider), MINIMUM, "the provider keeps its stake");
            assertTrue(stakeOf(validator, Role.Validator) < stake, "the challenger pays");
            assertEq(infr.balanceOf(address(manager)), 0, "nothing stays");
            // Its stake is too small for another dispute now, and the batch has to be out of the way of the next.
            stakeAs(validator, Role.Validator, MINIMUM, validatorHot);
            vm.prank(governor);
            jobs.setCourt(address(this), true);
            jobs.rollback(router, it.batch);
        }
    }
}

contract TracesCaller {
    function fold(bytes32[] memory nodes) external pure returns (bytes32) {
        return Traces.fold(nodes);
    }
}

contract Traces_Test is DisputeFixture {
    /// Levels, widths and folding against the tree as RFC 6962 defines it.
    function testFuzz_traces_everyNode_isItsDescendantsFolded(uint256 seed, uint256 count) external {
        TracesCaller caller = new TracesCaller();
        count = bound(count, 1, 80);
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
        uint8 top = Traces.height(uint64(count));
        assertTrue((1 << top) >= count && (top == 0 || (1 << (top - 1)) < count), "height");
        assertEq(nodeAt(leaves, top, 0), Trees.root(leaves), "root");
        uint8 level = uint8(pick(seed, 1) % (uint256(top) + 1));
        uint8 depth = uint8(pick(seed, 2) % (uint256(level) + 1));
        uint64 place = uint64(pick(seed, 3) % ((count + (1 << level) - 1) >> level));
        bytes32[] memory nodes = new bytes32[](Traces.width(uint64(count), level, place, depth));
        for (uint256 i; i < nodes.length; ++i) {
            nodes[i] = nodeAt(leaves, level - depth, (uint256(place) << depth) + i);
            assertTrue(nodes[i] != bytes32(0), "no node beyond the edge");
        }
        assertEq(nodeAt(leaves, level - depth, (uint256(place) << depth) + nodes.length) == 0 ? 1 : nodes.length >> depth, 1, "all");
        assertEq(caller.fold(nodes), nodeAt(leaves, level, place), "folded");
    }
}
