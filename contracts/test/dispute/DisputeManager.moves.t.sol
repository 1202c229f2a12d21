// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Traces } from "../../src/dispute/Traces.sol";
import { IDisputeManager } from "../../src/interfaces/IDisputeManager.sol";
import { Role } from "../../src/libraries/Types.sol";
import { Trees } from "../utils/Trees.sol";
import { DisputeFixture } from "./DisputeFixture.sol";

abstract contract MoveFixture is DisputeFixture {
    function expectWrongStage(bytes32 id, IDisputeManager.Stage stage) internal {
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_WrongStage.selector, id, stage));
    }

    function expectError(bytes4 selector, bytes32 id) internal {
        expectRevert(abi.encodeWithSelector(selector, id));
    }
}

contract DisputeManager_Reveal_Test is MoveFixture {
    function test_reveal_byProvider_startsTheDissection() external {
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        vm.warp(block.timestamp + 10 minutes);
        reveal(id, it);
        IDisputeManager.Dispute memory entry = manager.disputeOf(id);
        assertTrue(entry.stage == IDisputeManager.Stage.Dissect && entry.level == 3 && entry.node == it.root, "the root");
        assertEq(entry.providerClock, CLOCK - 10 minutes, "its clock ran");
        assertEq(entry.challengerClock, CLOCK, "the other's did not");
    }

    function test_reveal_oneStep_isAdjudicatedAtOnce() external {
        Book memory none;
        Case memory it = caseOf(provider, 1, HONEST);
        it.leaves = new bytes32[](1);
        it.leaves[0] = Traces.leaf(outputOf(it.receipt.responseHash));
        it.root = it.leaves[0];
        it.receipt.evidence = Traces.evidence(1, it.root);
        commitWith(none, it);
        bytes32 id = open(it);
        reveal(id, it);
        assertStage(id, IDisputeManager.Stage.Step, "one step");
        adjudicate(id, it, truth(it));
        assertStage(id, IDisputeManager.Stage.Overturned, "the output does not follow from the input in one step");
    }

    function test_reveal_byHotKey_succeeds() external {
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        vm.prank(providerHot);
        manager.reveal(id, 6, it.root, Trees.proof(it.leaves, 5));
        assertStage(id, IDisputeManager.Stage.Dissect, "revealed");
    }

    function test_reveal_anotherTrace_reverts() external {
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        bytes32[] memory proof = Trees.proof(it.leaves, 5);
        bytes32[] memory short = Trees.proof(it.leaves, 4);
        vm.startPrank(provider);
        expectError(IDisputeManager.DisputeManager_WrongRoot.selector, id);
        manager.reveal(id, 5, it.root, proof);
        expectError(IDisputeManager.DisputeManager_WrongRoot.selector, id);
        manager.reveal(id, 6, CLAIM, proof);
        expectError(IDisputeManager.DisputeManager_WrongRoot.selector, id);
        manager.reveal(id, 6, it.root, short);
        expectError(IDisputeManager.DisputeManager_WrongRoot.selector, id);
        manager.reveal(id, 0, it.root, proof);
        vm.stopPrank();
    }

    function test_reveal_outputNotAtTheEnd_losesByTime() external {
        Book memory none;
        Case memory it = caseOf(provider, 5, HONEST);
        it.receipt.responseHash = keccak256("something else");
        commitWith(none, it);
        bytes32 id = open(it);
        bytes32[] memory proof = Trees.proof(it.leaves, 5);
        vm.prank(provider);
        expectError(IDisputeManager.DisputeManager_WrongRoot.selector, id);
        manager.reveal(id, 6, it.root, proof);
        vm.warp(block.timestamp + CLOCK + 1);
        manager.timeout(id);
        assertStage(id, IDisputeManager.Stage.Overturned, "an answer the trace does not end in");
    }

    function test_reveal_byAnother_reverts() external {
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        bytes32[] memory proof = Trees.proof(it.leaves, 5);
        vm.prank(validator);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_NotYourTurn.selector, validator, provider));
        manager.reveal(id, 6, it.root, proof);
    }

    function test_reveal_outOfTime_reverts() external {
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        vm.warp(block.timestamp + CLOCK + 1);
        bytes32[] memory proof = Trees.proof(it.leaves, 5);
        vm.prank(provider);
        expectError(IDisputeManager.DisputeManager_OutOfTime.selector, id);
        manager.reveal(id, 6, it.root, proof);
    }
}

contract DisputeManager_Dissect_Test is MoveFixture {
    function test_dissect_allNodes_isTheChallengersTurn() external {
        useDepth(2);
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        reveal(id, it);
        vm.warp(block.timestamp + 1 minutes);
        dissect(id, it);
        assertStage(id, IDisputeManager.Stage.Select, "the other's turn");
        assertEq(manager.dueAt(id), block.timestamp + CLOCK, "whose clock is full");
    }

    function test_dissect_otherNodes_reverts() external {
        useDepth(2);
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        expectWrongStage(id, IDisputeManager.Stage.Reveal);
        vm.prank(provider);
        manager.dissect(id, it.leaves);
        reveal(id, it);
        (bytes32[] memory nodes,) = nodesOf(id, it);
        assertEq(nodes.length, 3, "the right edge has fewer");
        bytes32[] memory none;
        vm.startPrank(provider);
        expectError(IDisputeManager.DisputeManager_WrongNodes.selector, id);
        manager.dissect(id, it.leaves);
        expectError(IDisputeManager.DisputeManager_WrongNodes.selector, id);
        manager.dissect(id, none);
        nodes[1] = CLAIM;
        expectError(IDisputeManager.DisputeManager_WrongNodes.selector, id);
        manager.dissect(id, nodes);
        vm.stopPrank();
    }

    function test_dissect_byAnother_reverts() external {
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        reveal(id, it);
        vm.prank(validator);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_NotYourTurn.selector, validator, provider));
        manager.dissect(id, it.leaves);
    }
}

contract DisputeManager_Select_Test is MoveFixture {
    function test_select_child_goesDown() external {
        useDepth(1);
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        reveal(id, it);
        dissect(id, it);
        select(id, it, 1);
        IDisputeManager.Dispute memory entry = manager.disputeOf(id);
        assertTrue(entry.stage == IDisputeManager.Stage.Dissect && entry.level == 2 && entry.place == 1, "down to the right");
        assertEq(entry.node, nodeAt(it.leaves, 2, 1), "the node of the tree");
    }

    function test_select_noSuchNode_reverts() external {
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        reveal(id, it);
        dissect(id, it);
        bytes32[] memory proof = Trees.proof(it.leaves, 1);
        vm.startPrank(validator);
        expectError(IDisputeManager.DisputeManager_WrongNodes.selector, id);
        manager.select(id, 2, it.leaves[1], proof);
        expectError(IDisputeManager.DisputeManager_WrongNodes.selector, id);
        manager.select(id, 1, it.leaves[2], proof);
        expectError(IDisputeManager.DisputeManager_WrongNodes.selector, id);
        manager.select(id, 6, it.leaves[1], proof);
        vm.stopPrank();
        vm.prank(provider);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_NotYourTurn.selector, provider, validator));
        manager.select(id, 1, it.leaves[1], proof);
    }
}

contract DisputeManager_Adjudicate_Test is MoveFixture {
    function test_adjudicate_wrongStep_theProviderPays() external {
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        playDown(id, it, truth(it).leaves, 0);
        assertEq(manager.disputeOf(id).place, 2, "the step with the slip");
        uint256 before = infr.balanceOf(it.ticket.account);
        uint256 funds = infr.balanceOf(validator);
        uint256 slashed = MINIMUM * PROVIDER_BPS / 10_000;
        expectEvent(address(manager));
        emit IDisputeManager.DisputeClosed(id, IDisputeManager.Stage.Overturned, slashed);
        adjudicate(id, it, truth(it));
        assertEq(stakeOf(provider, Role.Provider), MINIMUM - slashed, "a quarter");
        assertEq(infr.balanceOf(it.ticket.account), before + slashed * 2 / 5, "40 % to the developer");
        assertEq(infr.balanceOf(validator), funds + BOND + slashed * 2 / 5, "40 % to the challenger, with its bond");
        assertEq(infr.balanceOf(address(manager)), 0, "nothing stays");
        assertTrue(manager.overturned(router, it.batch, jobs.leafHash(it.job.leaf)), "the leaf");
        assertTrue(manager.isRefuted(it.job.leaf.receipt), "the receipt");
        assertEq(manager.offences(provider), 1, "an offence");
        assertEq(jobs.batchCount(router), it.batch, "the batch is void");
        assertEq(manager.dueAt(id), 0, "over");
        expectWrongStage(id, IDisputeManager.Stage.Overturned);
        manager.timeout(id);
    }

    function test_adjudicate_everyOffence_costsTwiceTheOneBefore() external {
        uint256 left = MINIMUM;
        for (uint256 i; i < 3; ++i) {
            Case memory it = commitCase(3, 1);
            bytes32 id = open(it);
            playDown(id, it, truth(it).leaves, 0);
            adjudicate(id, it, truth(it));
            left -= left * (uint256(PROVIDER_BPS) << i) / 10_000;
            assertEq(stakeOf(provider, Role.Provider), left, "25, 50, 100 %");
        }
        assertEq(left, 0, "all of it");
    }

    function test_adjudicate_rightStep_theChallengerPays() external {
        Case memory it = commitCase(5, HONEST);
        bytes32 id = open(it);
        bytes32[] memory none;
        playDown(id, it, none, 3);
        uint256 slashed = MINIMUM * CHALLENGER_BPS / 10_000;
        adjudicate(id, it, truth(it));
        assertStage(id, IDisputeManager.Stage.Upheld, "upheld");
        assertEq(stakeOf(validator, Role.Validator), MINIMUM - slashed, "a part of its stake");
        assertEq(infr.balanceOf(provider), BOND + slashed * 2 / 5, "the bond and 40 % to the provider");
        assertEq(stakeOf(provider, Role.Provider), MINIMUM, "which loses nothing");
        assertEq(infr.balanceOf(address(manager)), 0, "nothing stays");
        vm.warp(block.timestamp + WINDOW);
        assertTrue(jobs.isFinal(router, it.batch), "the batch goes on");
    }

    function test_adjudicate_shortenedTrace_isFoundOut() external {
        Book memory none;
        Case memory it = caseOf(provider, 6, HONEST);
        Trace memory right = truth(it);
        it.leaves = new bytes32[](4);
        for (uint256 i; i < 3; ++i) {
            it.leaves[i] = right.leaves[i];
        }
        it.receipt.responseHash = keccak256("cut short");
        it.leaves[3] = Traces.leaf(outputOf(it.receipt.responseHash));
        it.root = Trees.root(it.leaves);
        it.receipt.evidence = Traces.evidence(4, it.root);
        commitWith(none, it);
        bytes32 id = open(it);
        playDown(id, it, right.leaves, 0);
        bytes32[] memory proof = Trees.proof(it.leaves, 2);
        manager.adjudicate(id, "next", right.states[2], proof, "", "");
        assertStage(id, IDisputeManager.Stage.Overturned, "overturned");
    }

    function test_adjudicate_anotherState_reverts() external {
        Case memory it = commitCase(5, HONEST);
        bytes32 id = open(it);
        reveal(id, it);
        dissect(id, it);
        expectWrongStage(id, IDisputeManager.Stage.Select);
        manager.adjudicate(id, "next", "", new bytes32[](0), "", "");
        select(id, it, 2);
        Trace memory right = truth(it);
        (bytes32 kind, bytes memory state, bytes32[] memory proof) = stateOf(id, it, right);
        expectError(IDisputeManager.DisputeManager_WrongState.selector, id);
        manager.adjudicate(id, kind, right.states[2], proof, "", "");
        expectError(IDisputeManager.DisputeManager_WrongState.selector, id);
        manager.adjudicate(id, kind, state, new bytes32[](0), "", "");
        expectRevert(abi.encodeWithSignature("ToyVerifier_NoSuchStep()"));
        manager.adjudicate(id, "end", state, proof, "", "");
        vm.warp(block.timestamp + CLOCK + 1);
        expectError(IDisputeManager.DisputeManager_OutOfTime.selector, id);
        manager.adjudicate(id, kind, state, proof, "", "");
    }
}

contract DisputeManager_Timeout_Test is MoveFixture {
    function test_timeout_beforeTime_reverts() external {
        bytes32 id = open(commitCase(5, 2));
        vm.warp(block.timestamp + CLOCK);
        expectError(IDisputeManager.DisputeManager_StillTime.selector, id);
        manager.timeout(id);
        expectWrongStage(CLAIM, IDisputeManager.Stage.None);
        manager.timeout(CLAIM);
    }

    /// Whoever stops moving loses, wherever it stops.
    function testFuzz_timeout_silence_loses(uint256 moves, uint8 depth) external {
        useDepth(uint8(bound(depth, 1, 5)));
        Case memory it = commitCase(19, HONEST);
        bytes32 id = open(it);
        moves = bound(moves, 0, 11);
        for (uint256 i; i < moves && stageOf(id) != IDisputeManager.Stage.Step; ++i) {
            if (stageOf(id) == IDisputeManager.Stage.Reveal) reveal(id, it);
            else if (stageOf(id) == IDisputeManager.Stage.Dissect) dissect(id, it);
            else select(id, it, 0);
        }
        bool challenged = stageOf(id) == IDisputeManager.Stage.Select;
        vm.warp(manager.dueAt(id) + 1);
        manager.timeout(id);
        assertStage(id, challenged ? IDisputeManager.Stage.Upheld : IDisputeManager.Stage.Overturned, "silence loses");
        assertEq(stakeOf(provider, Role.Provider) == MINIMUM ? 1 : 0, challenged ? 1 : 0, "the provider's stake");
        assertEq(stakeOf(validator, Role.Validator) == MINIMUM ? 1 : 0, challenged ? 0 : 1, "the challenger's stake");
    }
}

contract DisputeManager_Dismiss_Test is MoveFixture {
    function test_dismiss_afterAnotherWon_returnsTheBond() external {
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        bytes32 late = openBy(rival, it);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_NotRefuted.selector, it.job.leaf.receipt));
        manager.dismiss(late);
        vm.warp(block.timestamp + CLOCK + 1);
        manager.timeout(id);
        uint256 left = stakeOf(provider, Role.Provider);
        bytes memory refuted = abi.encodeWithSelector(IDisputeManager.DisputeManager_AlreadyRefuted.selector, it.job.leaf.receipt);
        expectRevert(refuted);
        manager.timeout(late);
        manager.dismiss(late);
        assertStage(late, IDisputeManager.Stage.Moot, "moot");
        assertEq(infr.balanceOf(rival), 1_000e18, "the bond");
        assertEq(stakeOf(provider, Role.Provider), left, "slashed once");
        assertEq(manager.runningOn(router, it.batch, 0), 0, "none runs");
        expectWrongStage(late, IDisputeManager.Stage.Moot);
        manager.dismiss(late);
    }
}

contract DisputeManager_Strike_Test is MoveFixture {
    function test_strike_broughtBack_isVoidAgain() external {
        Book memory none;
        Case memory it = caseOf(provider, 5, 2);
        commitWith(none, it);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_NotRefuted.selector, it.job.leaf.receipt));
        manager.strike(router, it.job);
        bytes32 id = open(it);
        vm.warp(block.timestamp + CLOCK + 1);
        manager.timeout(id);
        uint256 left = stakeOf(provider, Role.Provider);
        commitWith(none, it);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_AlreadyRefuted.selector, it.job.leaf.receipt));
        open(it);
        expectEvent(address(manager));
        emit IDisputeManager.BatchStruck(router, it.batch, it.job.leaf.receipt);
        manager.strike(router, it.job);
        assertEq(jobs.batchCount(router), 0, "void");
        assertEq(stakeOf(provider, Role.Provider), left, "the provider paid already");
        assertTrue(manager.overturned(router, it.batch, jobs.leafHash(it.job.leaf)), "the leaf");
    }

    function test_strike_final_reverts() external {
        Book memory none;
        Case memory it = caseOf(provider, 5, 2);
        commitWith(none, it);
        bytes32 id = open(it);
        vm.warp(block.timestamp + CLOCK + 1);
        manager.timeout(id);
        commitWith(none, it);
        vm.warp(block.timestamp + WINDOW);
        expectRevert(abi.encodeWithSignature("JobRegistry_AlreadyFinal(address,uint64)", router, it.batch));
        manager.strike(router, it.job);
    }
}
