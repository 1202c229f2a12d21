// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { DisputeManager as DisputeManagerImplementation } from "../../src/dispute/DisputeManager.sol";
import { IBatchExaminer } from "../../src/interfaces/IBatchExaminer.sol";
import { IDisputeManager } from "../../src/interfaces/IDisputeManager.sol";
import { Role } from "../../src/libraries/Types.sol";
import { DisputeFixture } from "./DisputeFixture.sol";

contract DisputeManager_Initialize_Test is DisputeFixture {
    function test_initialize_parameters_succeeds() external view {
        assertEq(manager.owner(), governor, "owner");
        assertEq(manager.jobRegistry(), address(jobs), "the batches");
        assertEq(keccak256(abi.encode(manager.parameters())), keccak256(abi.encode(terms(5))), "parameters");
        bytes32 slot = keccak256(abi.encode(uint256(keccak256("infera.storage.DisputeManager")) - 1)) & ~bytes32(uint256(0xff));
        assertEq(address(uint160(uint256(vm.load(address(manager), slot)))), address(jobs), "ERC-7201");
    }

    function test_initialize_again_reverts() external {
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        manager.initialize(stranger, address(jobs), terms(5));
        DisputeManagerImplementation implementation = new DisputeManagerImplementation();
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        implementation.initialize(stranger, address(jobs), terms(5));
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_ZeroAddress.selector));
        proxy(address(implementation), abi.encodeCall(manager.initialize, (governor, address(0), terms(5))));
    }

    function test_initialize_upgradeByAnother_reverts() external {
        address next = address(new DisputeManagerImplementation());
        vm.prank(stranger);
        expectNotGovernor(stranger);
        manager.upgradeToAndCall(next, "");
    }
}

contract DisputeManager_SetVerifier_Test is DisputeFixture {
    function test_setVerifier_byGovernor_isForNewDisputes() external {
        Case memory it = commitCase(5, 2);
        bytes32 id = open(it);
        vm.prank(governor);
        manager.setVerifier(MODEL, address(0));
        assertEq(manager.verifierOf(MODEL), address(0), "none");
        assertEq(manager.disputeOf(id).verifier, address(toy), "the running dispute keeps its own");
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_NoVerifier.selector, MODEL));
        openBy(rival, it);
    }

    function test_setVerifier_byAnother_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        manager.setVerifier(MODEL, address(0));
    }
}

contract DisputeManager_SetParameters_Test is DisputeFixture {
    function test_setParameters_byGovernor_isForNewDisputes() external {
        bytes32 id = open(commitCase(40, 2));
        IDisputeManager.Parameters memory next = IDisputeManager.Parameters(1, 1 minutes, 100, 100, 1e18);
        vm.prank(governor);
        manager.setParameters(next);
        assertEq(keccak256(abi.encode(manager.parameters())), keccak256(abi.encode(next)), "parameters");
        IDisputeManager.Dispute memory it = manager.disputeOf(id);
        assertTrue(it.depth == 5 && it.providerClock == CLOCK && it.bond == BOND, "the running dispute keeps its own");
    }

    function test_setParameters_byAnother_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        manager.setParameters(terms(1));
    }

    function test_setParameters_outOfBounds_reverts() external {
        _refuse(IDisputeManager.Parameters(0, CLOCK, 100, 100, 1e18), 0, 1, 5);
        _refuse(IDisputeManager.Parameters(6, CLOCK, 100, 100, 1e18), 6, 1, 5);
        _refuse(IDisputeManager.Parameters(5, 59, 100, 100, 1e18), 59, 60, 3 days);
        _refuse(IDisputeManager.Parameters(5, 3 days + 1, 100, 100, 1e18), 3 days + 1, 60, 3 days);
        _refuse(IDisputeManager.Parameters(5, CLOCK, 99, 100, 1e18), 99, 100, 10_000);
        _refuse(IDisputeManager.Parameters(5, CLOCK, 100, 10_001, 1e18), 10_001, 100, 10_000);
        _refuse(IDisputeManager.Parameters(5, CLOCK, 100, 100, 1e18 - 1), 1e18 - 1, 1e18, 100_000e18);
    }

    function _refuse(IDisputeManager.Parameters memory bad, uint256 value, uint256 lowest, uint256 highest) private {
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_OutOfBounds.selector, value, lowest, highest));
        manager.setParameters(bad);
    }
}

contract DisputeManager_Open_Test is DisputeFixture {
    function test_open_byValidator_holdsTheBatchAndTheBond() external {
        Case memory it = commitCase(5, 2);
        bytes32 id = manager.disputeId(router, it.batch, 0, PLACE, validator);
        expectEvent(address(manager));
        emit IDisputeManager.DisputeOpened(id, provider, validator, router, it.batch, 0, PLACE, CLAIM);
        assertEq(open(it), id, "its name");
        IDisputeManager.Dispute memory entry = manager.disputeOf(id);
        assertTrue(entry.provider == provider && entry.challenger == validator && entry.account == it.ticket.account, "who");
        assertTrue(entry.node == it.receipt.evidence && entry.modelId == MODEL && entry.bond == BOND, "what");
        assertStage(id, IDisputeManager.Stage.Reveal, "the provider is to move");
        assertEq(manager.dueAt(id), block.timestamp + CLOCK, "in its time");
        assertEq(infr.balanceOf(address(manager)), BOND, "bond");
        assertEq(manager.runningOn(router, it.batch, 0), 1, "running");
        vm.warp(block.timestamp + WINDOW + 3 * CLOCK - 1);
        assertFalse(jobs.isFinal(router, it.batch), "held");
    }

    function test_open_cutOffAnswer_startsFromWhereItWasCut() external {
        for (uint8 reason = 1; reason <= 5; ++reason) {
            Book memory none;
            Case memory it = caseOf(provider, 5, 2);
            it.receipt.finishReason = reason;
            commitWith(none, it);
            bytes32 id = open(it);
            uint32 cutAfter = reason == 3 || reason == 4 ? it.receipt.tokensOut : type(uint32).max;
            assertEq(manager.disputeOf(id).input, keccak256(inputOf(it, cutAfter)), "the input");
            vm.warp(manager.dueAt(id) + 1);
            manager.timeout(id);
        }
    }

    function test_open_byHotKey_isItsOperators() external {
        Case memory it = commitCase(5, 2);
        fund(validatorHot, address(manager));
        assertEq(manager.disputeOf(openBy(validatorHot, it)).challenger, validator, "operator");
    }

    function test_open_severalAtOnce_eachHasItsOwn() external {
        Case memory it = commitCase(5, 2);
        assertTrue(open(it) != openBy(rival, it), "two games");
        assertEq(manager.runningOn(router, it.batch, 0), 2, "running");
        bytes32 id = manager.disputeId(router, it.batch, 0, PLACE, validator);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_AlreadyDisputed.selector, id));
        open(it);
    }

    function test_open_withoutStake_reverts() external {
        Case memory it = commitCase(5, 2);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_NotValidator.selector, stranger));
        openBy(stranger, it);
        stakeAs(provider, Role.Validator, MINIMUM, providerHot);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_OwnJob.selector, provider));
        openBy(provider, it);
    }

    function test_open_afterTheWindow_reverts() external {
        Case memory it = commitCase(5, 2);
        vm.warp(block.timestamp + WINDOW);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_TooLate.selector, router, it.batch));
        open(it);
    }

    function test_open_sameClaim_reverts() external {
        Case memory it = commitCase(5, 2);
        vm.prank(validator);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_SameClaim.selector, it.receipt.evidence));
        manager.open(router, it.job, it.ticket, it.receipt, it.signature, it.receipt.evidence);
    }

    function test_open_forgedReceipt_reverts() external {
        Case memory it = commitCase(5, 2);
        it.signature = sign("router hot key", it.job.leaf.receipt);
        bytes memory refusal =
            abi.encodeWithSelector(IDisputeManager.DisputeManager_BadSignature.selector, provider, it.job.leaf.receipt);
        expectRevert(refusal);
        open(it);
        it.signature = "";
        expectRevert(refusal);
        open(it);
    }

    function test_open_retiredKey_doesNotHelpTheProvider() external {
        Case memory it = commitCase(5, 2);
        vm.prank(provider);
        stakes.rotateHotKey(actor("another key"));
        assertStage(open(it), IDisputeManager.Stage.Reveal, "open");
    }

    function test_open_otherTier_reverts() external {
        Book memory none;
        Case memory it = caseOf(provider, 5, 2);
        it.ticket.tier = 1;
        it.receipt.ticket = jobs.ticketDigest(it.ticket);
        commitWith(none, it);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_NotOptimistic.selector, it.job.leaf.ticket));
        open(it);
    }

    function test_open_messagesOfAnotherJob_reverts() external {
        Book memory none;
        Case memory it = caseOf(provider, 5, 2);
        it.receipt.ticket = keccak256("another ticket");
        commitWith(none, it);
        expectRevert(abi.encodeWithSelector(IDisputeManager.DisputeManager_WrongMessages.selector, router, it.batch, PLACE));
        open(it);
        bytes32 digest = jobs.receiptDigest(it.receipt);
        it.receipt.cost += 1;
        bytes32 wrong = jobs.receiptDigest(it.receipt);
        expectRevert(abi.encodeWithSelector(IBatchExaminer.BatchExaminer_WrongMessage.selector, wrong, digest));
        open(it);
        it.job.position = 0;
        expectRevert(abi.encodeWithSelector(IBatchExaminer.BatchExaminer_BadProof.selector, router, it.batch, 0));
        open(it);
    }
}
