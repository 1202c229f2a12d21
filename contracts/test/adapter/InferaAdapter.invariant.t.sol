// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { InferaAdapter } from "../../src/adapter/InferaAdapter.sol";
import { DevUSDC } from "../../src/dev/DevUSDC.sol";
import { IInferaAdapter } from "../../src/interfaces/IInferaAdapter.sol";
import { JobReceipt, JobTicket } from "../../src/libraries/Types.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { AdapterFixture } from "./AdapterFixture.sol";
import { Agent } from "./Agent.sol";

/// Agents that behave and misbehave, routers that answer any request at any time.
contract AdapterHandler is AdapterFixture {
    bytes32[] private ids;
    uint256 public settledTwice;
    uint256 public wronglySettled;

    function network() external view returns (InferaAdapter, DevUSDC) {
        return (adapter, usdc);
    }

    function accounts() external view returns (address[4] memory) {
        return [address(agent), provider, router, other];
    }

    function count() external view returns (uint256) {
        return ids.length;
    }

    function idAt(uint256 i) external view returns (bytes32) {
        return ids[i];
    }

    function makeRequest(uint64 maxCost, uint32 tip, uint256 wait, bool anyRouter, bool quiet) external {
        IInferaAdapter.Request memory next = wanted();
        next.maxCost = uint64(bound(maxCost, MINIMUM_COST, 1_000_000));
        next.tip = uint32(bound(tip, 0, 50_000));
        next.deadline = uint40(block.timestamp + bound(wait, 1, 1 days));
        if (anyRouter) next.router = address(0);
        if (quiet) next.callbackGas = 0;
        usdc.mint(address(agent), uint256(next.maxCost) + next.tip);
        ids.push(agent.ask(next, PAYLOAD));
    }

    function behave(uint8 mode) external {
        agent.behave(Agent.Mode(bound(mode, 0, 4)), "");
    }

    /// Any request, settled ones too.
    function answer(uint256 which, uint32 tokens) external {
        if (ids.length == 0) return;
        bytes32 id = ids[which % ids.length];
        bool open = statusOf(id) == uint256(IInferaAdapter.Status.Open);
        JobTicket memory ticket = ticketFor(id);
        JobReceipt memory receipt = receiptFor(ticket, "4");
        receipt.tokensOut = uint32(bound(tokens, 0, 1_000_000));
        uint256 cost = jobs.cost(receipt.tokensIn, receipt.tokensOut, ticket.priceIn, ticket.priceOut, 0);
        receipt.cost = cost < ticket.maxCost ? uint64(cost) : ticket.maxCost;
        (,,, IInferaAdapter.Request memory request) = adapter.requestOf(id);
        try adapter.fulfil(id, proofOf(ticket, receipt), "4") {
            if (!open) ++settledTwice;
            if (block.timestamp > request.deadline) ++wronglySettled;
        } catch { }
    }

    function refund(uint256 which) external {
        if (ids.length == 0) return;
        bytes32 id = ids[which % ids.length];
        bool open = statusOf(id) == uint256(IInferaAdapter.Status.Open);
        (,,, IInferaAdapter.Request memory request) = adapter.requestOf(id);
        try adapter.refund(id) {
            if (!open) ++settledTwice;
            if (block.timestamp <= request.deadline) ++wronglySettled;
        } catch { }
    }

    function redeliver(uint256 which) external {
        if (ids.length == 0) return;
        try adapter.redeliver{ gas: 5_000_000 }(ids[which % ids.length]) { } catch { }
    }

    function withdraw(uint256 who) external {
        adapter.withdraw([address(agent), provider, router, other][who % 4]);
    }

    function withdrawFees() external {
        adapter.withdrawProtocolFees();
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 0, 12 hours));
    }
}

contract InferaAdapter_Invariant_Test is InvariantTest {
    AdapterHandler private handler;
    InferaAdapter private adapter;
    DevUSDC private usdc;

    function setUp() external {
        handler = new AdapterHandler();
        handler.setUp();
        (adapter, usdc) = handler.network();
        target = address(handler);
        selectors = [
            handler.makeRequest.selector,
            handler.makeRequest.selector,
            handler.behave.selector,
            handler.answer.selector,
            handler.answer.selector,
            handler.refund.selector,
            handler.redeliver.selector,
            handler.withdraw.selector,
            handler.withdrawFees.selector,
            handler.pass.selector
        ];
    }

    /// To the unit: what the adapter holds is what open requests have in escrow, what accounts are credited and the protocol's fees.
    function invariant_money_isConserved() external view {
        uint256 owed = adapter.protocolFees();
        address[4] memory accounts = handler.accounts();
        for (uint256 i; i < accounts.length; ++i) {
            owed += adapter.balanceOf(accounts[i]);
        }
        for (uint256 i; i < handler.count(); ++i) {
            (IInferaAdapter.Status status,,, IInferaAdapter.Request memory wanted) = adapter.requestOf(handler.idAt(i));
            if (status == IInferaAdapter.Status.Open) owed += uint256(wanted.maxCost) + wanted.tip;
        }
        assertEq(usdc.balanceOf(address(adapter)), owed, "held");
    }

    function invariant_requests_areSettledOnceAndInTime() external view {
        assertEq(handler.settledTwice(), 0, "once");
        assertEq(handler.wronglySettled(), 0, "in time");
    }

    /// Whatever callbacks did, an answered request was delivered or can be read.
    function invariant_answers_areNotLost() external view {
        for (uint256 i; i < handler.count(); ++i) {
            (IInferaAdapter.Status status,,,) = adapter.requestOf(handler.idAt(i));
            if (status != IInferaAdapter.Status.Stored) continue;
            (string memory text,,) = adapter.answerOf(handler.idAt(i));
            assertEq(text, "4", "readable");
        }
    }
}
