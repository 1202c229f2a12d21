// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IInferaAdapter } from "../../src/interfaces/IInferaAdapter.sol";
import { JobReceipt, JobTicket, Role } from "../../src/libraries/Types.sol";
import { AdapterFixture } from "./AdapterFixture.sol";
import { Agent } from "./Agent.sol";

contract InferaAdapter_Fulfil_Test is AdapterFixture {
    string private constant TEXT = "4, said \"the\" model\n";

    function test_fulfil_deliversAndPays_succeeds() external {
        bytes32 id = ask();
        IInferaAdapter.Proof memory proof = proofFor(id, TEXT);
        expectEvent(address(adapter));
        emit IInferaAdapter.Fulfilled(id, provider, router, 50_000, 1, TEXT);
        expectEvent(address(adapter));
        emit IInferaAdapter.Delivered(id);
        vm.prank(stranger);
        assertTrue(adapter.fulfil(id, proof, TEXT), "delivered");
        is_(id, IInferaAdapter.Status.Delivered);
        assertEq(agent.text(), TEXT, "text");
        assertEq(agent.id(), id, "id");
        assertEq(agent.responseHash(), proof.receipt.responseHash, "receipt");
        assertEq(agent.provider(), provider, "provider");
        assertEq(adapter.balanceOf(provider), 48_500, "provider");
        assertEq(adapter.balanceOf(router), 750 + TIP, "router");
        assertEq(adapter.protocolFees(), 750, "protocol");
        assertEq(adapter.balanceOf(address(agent)), 50_000, "the rest");
        assertTrue(adapter.proves(proof, TEXT), "and anyone can check it");
        assertFalse(adapter.proves(proof, "5"), "of this text alone");
    }

    function test_fulfil_callbackRefuses_isStored() external {
        agent.behave(Agent.Mode.Revert, "");
        bytes32 id = ask();
        assertFalse(fulfil(id, TEXT), "not delivered");
        is_(id, IInferaAdapter.Status.Stored);
        assertEq(adapter.balanceOf(provider), 48_500, "paid all the same");
        (string memory text, JobReceipt memory receipt, address by) = adapter.answerOf(id);
        assertEq(text, TEXT, "text");
        assertEq(receipt.cost, 50_000, "receipt");
        assertEq(by, provider, "provider");
    }

    function test_fulfil_noCallbackWanted_isStored() external {
        IInferaAdapter.Request memory quiet = wanted();
        quiet.callbackGas = 0;
        bytes32 id = agent.ask(quiet, PAYLOAD);
        assertFalse(fulfil(id, TEXT), "not delivered");
        (string memory text,,) = adapter.answerOf(id);
        assertEq(text, TEXT, "kept");
        assertEq(agent.answers(), 0, "not called");
    }

    function test_fulfil_requesterWithoutCode_isStored() external {
        usdc.mint(alice, 1_000_000);
        vm.startPrank(alice);
        usdc.approve(address(adapter), 1_000_000);
        bytes32 id = adapter.request(wanted(), PAYLOAD);
        vm.stopPrank();
        assertFalse(fulfil(id, TEXT), "not delivered");
        is_(id, IInferaAdapter.Status.Stored);
    }

    function test_fulfil_costAboveTheMaximum_isTheMaximum() external {
        bytes32 id = ask();
        JobTicket memory ticket = ticketFor(id);
        JobReceipt memory receipt = receiptFor(ticket, TEXT);
        (receipt.tokensOut, receipt.cost) = (1_000_000, MAX_COST);
        adapter.fulfil(id, proofOf(ticket, receipt), TEXT);
        assertEq(adapter.balanceOf(provider), 97_000, "all of the escrow");
        assertEq(adapter.balanceOf(address(agent)), 0, "no rest");
    }

    function testFuzz_fulfil_anyCost_addsUp(uint64 cost) external {
        bytes32 id = ask();
        JobTicket memory ticket = ticketFor(id);
        ticket.maxCost = uint64(bound(cost, 0, 50_000));
        JobReceipt memory receipt = receiptFor(ticket, TEXT);
        receipt.cost = ticket.maxCost;
        adapter.fulfil(id, proofOf(ticket, receipt), TEXT);
        uint256 sum = adapter.balanceOf(provider) + adapter.balanceOf(router) + adapter.balanceOf(address(agent));
        assertEq(sum + adapter.protocolFees(), MAX_COST + TIP, "all of the escrow");
        assertGe(adapter.balanceOf(provider), uint256(receipt.cost) * 97 / 100, "the provider's net");
    }

    function test_fulfil_gas() external {
        agent.behave(Agent.Mode.Glance, "");
        fulfil(ask(), filled(1_024));
        assertTrue(fulfil(ask(), filled(1_024)), "delivered");
        vm.snapshotGasLastCall("adapter", "InferaAdapter.fulfil, 1 KiB delivered");
        agent.behave(Agent.Mode.Revert, "");
        fulfil(ask(), filled(1_024));
        vm.snapshotGasLastCall("adapter", "InferaAdapter.fulfil, 1 KiB stored");
        fulfil(ask(), filled(16_384));
        vm.snapshotGasLastCall("adapter", "InferaAdapter.fulfil, 16 KiB stored");
    }

    function test_fulfil_twice_reverts() external {
        bytes32 id = ask();
        IInferaAdapter.Proof memory proof = proofFor(id, TEXT);
        adapter.fulfil(id, proof, TEXT);
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_NotOpen.selector, id));
        adapter.fulfil(id, proof, TEXT);
    }

    function test_fulfil_tooLate_reverts() external {
        bytes32 id = ask();
        IInferaAdapter.Proof memory proof = proofFor(id, TEXT);
        vm.warp(START + 1 hours + 1);
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_TooLate.selector, id, START + 1 hours));
        adapter.fulfil(id, proof, TEXT);
    }

    function test_fulfil_wrongTicket_reverts() external {
        bytes32 id = ask();
        for (uint256 i; i < 7; ++i) {
            JobTicket memory ticket = ticketFor(id);
            if (i == 0) ticket.grant = bytes32("other");
            if (i == 1) ticket.account = alice;
            if (i == 2) ticket.modelId = bytes32("other");
            if (i == 3) ticket.tier = 2;
            if (i == 4) ticket.requestHash = bytes32("other");
            if (i == 5) ticket.maxCost = MAX_COST + 1;
            if (i == 6) ticket.router = other;
            IInferaAdapter.Proof memory proof = proofOf(ticket, receiptFor(ticket, TEXT));
            expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_WrongTicket.selector, id));
            adapter.fulfil(id, proof, TEXT);
        }
    }

    function test_fulfil_wrongTime_reverts() external {
        bytes32 id = ask();
        for (uint256 i; i < 3; ++i) {
            JobTicket memory ticket = ticketFor(id);
            if (i == 0) --ticket.issuedAt;
            JobReceipt memory receipt = receiptFor(ticket, TEXT);
            if (i == 1) --receipt.completedAt;
            if (i == 2) ++receipt.completedAt;
            IInferaAdapter.Proof memory proof = proofOf(ticket, receipt);
            expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_WrongTime.selector, id));
            adapter.fulfil(id, proof, TEXT);
        }
    }

    function test_fulfil_inactive_reverts() external {
        bytes32 id = ask();
        IInferaAdapter.Proof memory proof = proofFor(id, TEXT);
        vm.prank(slasher);
        stakes.jail(provider, uint64(block.timestamp + 1), "test");
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_ProviderInactive.selector, provider));
        adapter.fulfil(id, proof, TEXT);
        vm.prank(router);
        stakes.unbond(Role.Router, 1);
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_RouterInactive.selector, router));
        adapter.fulfil(id, proof, TEXT);
    }

    function test_fulfil_notFinished_reverts() external {
        bytes32 id = ask();
        uint8[4] memory reasons = [0, 3, 4, 6];
        for (uint256 i; i < reasons.length; ++i) {
            JobTicket memory ticket = ticketFor(id);
            JobReceipt memory receipt = receiptFor(ticket, TEXT);
            (receipt.finishReason, receipt.responseHash) = (reasons[i], adapter.responseHash(reasons[i], TEXT));
            IInferaAdapter.Proof memory proof = proofOf(ticket, receipt);
            expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_NotFinished.selector, reasons[i]));
            adapter.fulfil(id, proof, TEXT);
        }
    }

    function test_fulfil_otherText_reverts() external {
        bytes32 id = ask();
        IInferaAdapter.Proof memory proof = proofFor(id, TEXT);
        bytes32 hash = adapter.responseHash(1, "5");
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_TextMismatch.selector, proof.receipt.responseHash, hash));
        adapter.fulfil(id, proof, "5");
    }

    function test_fulfil_textTooLong_reverts() external {
        bytes32 id = ask();
        string memory text = filled(16_385);
        IInferaAdapter.Proof memory proof = proofFor(id, text);
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_TextTooLong.selector, 16_385, 16_384));
        adapter.fulfil(id, proof, text);
    }

    function test_fulfil_badReceipt_reverts() external {
        bytes32 id = ask();
        for (uint256 i; i < 5; ++i) {
            JobTicket memory ticket = ticketFor(id);
            JobReceipt memory receipt = receiptFor(ticket, TEXT);
            if (i == 0) ++receipt.cost;
            if (i == 1) receipt.ticket = bytes32("other");
            IInferaAdapter.Proof memory proof = proofOf(ticket, receipt);
            if (i == 2) proof.ticketSignature = sign("stranger", jobs.ticketDigest(ticket));
            if (i == 3) proof.receiptSignature = sign("router hot key", jobs.receiptDigest(receipt));
            if (i == 4) proof.receiptSignature = "";
            expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_BadReceipt.selector, id));
            adapter.fulfil(id, proof, TEXT);
        }
    }
}

contract InferaAdapter_Redeliver_Test is AdapterFixture {
    function test_redeliver_whenItTakesIt_succeeds() external {
        agent.behave(Agent.Mode.Revert, "");
        bytes32 id = ask();
        fulfil(id, "4");
        agent.behave(Agent.Mode.Accept, "");
        expectEvent(address(adapter));
        emit IInferaAdapter.Delivered(id);
        vm.prank(stranger);
        adapter.redeliver(id);
        assertEq(agent.text(), "4", "taken");
        is_(id, IInferaAdapter.Status.Delivered);
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_NotStored.selector, id));
        adapter.redeliver(id);
        assertEq(agent.answers(), 1, "once");
    }

    function test_redeliver_stillRefuses_reverts() external {
        agent.behave(Agent.Mode.Revert, "");
        bytes32 id = ask();
        fulfil(id, "4");
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_CallbackFailed.selector, id));
        adapter.redeliver(id);
        (string memory text,,) = adapter.answerOf(id);
        assertEq(text, "4", "still there");
    }

    function test_redeliver_nothingStored_reverts() external {
        bytes32 id = ask();
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_NotStored.selector, id));
        adapter.redeliver(id);
    }
}
