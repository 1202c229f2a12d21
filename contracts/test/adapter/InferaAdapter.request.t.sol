// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { InferaAdapter } from "../../src/adapter/InferaAdapter.sol";
import { IInferaAdapter } from "../../src/interfaces/IInferaAdapter.sol";
import { Role } from "../../src/libraries/Types.sol";
import { AdapterFixture } from "./AdapterFixture.sol";

contract InferaAdapter_Initialize_Test is AdapterFixture {
    function test_initialize_wiring_succeeds() external view {
        assertEq(adapter.owner(), governor, "owner");
        assertEq(adapter.vault(), address(vault), "vault");
        assertEq(adapter.minimumCost(), MINIMUM_COST, "minimum");
    }

    function test_initialize_noVault_reverts() external {
        address implementation = address(new InferaAdapter());
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_ZeroAddress.selector));
        proxy(implementation, abi.encodeCall(InferaAdapter.initialize, (governor, address(0), 1)));
    }

    function test_initialize_twice_reverts() external {
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        adapter.initialize(stranger, address(vault), 1);
    }
}

contract InferaAdapter_Request_Test is AdapterFixture {
    function test_request_escrows_succeeds() external {
        uint256 before = usdc.balanceOf(address(agent));
        bytes32 id = keccak256(abi.encode(block.chainid, address(adapter), 0));
        expectEvent(address(adapter));
        emit IInferaAdapter.Requested(id, address(agent), router, wanted(), PAYLOAD);
        assertEq(ask(), id, "id");
        assertEq(before - usdc.balanceOf(address(agent)), MAX_COST + TIP, "in escrow");
        (IInferaAdapter.Status status, address requester, uint40 createdAt, IInferaAdapter.Request memory kept) =
            adapter.requestOf(id);
        assertEq(uint256(status), uint256(IInferaAdapter.Status.Open), "open");
        assertEq(requester, address(agent), "requester");
        assertEq(createdAt, START, "time");
        assertEq(keccak256(abi.encode(kept)), keccak256(abi.encode(wanted())), "as asked");
        assertTrue(ask() != id, "every request is another");
    }

    function test_request_hashOnly_anyRouter_succeeds() external {
        IInferaAdapter.Request memory open = wanted();
        (open.router, open.requestHash) = (address(0), keccak256("known elsewhere"));
        is_(agent.ask(open, ""), IInferaAdapter.Status.Open);
    }

    function test_request_gas() external {
        ask();
        vm.prank(address(agent));
        adapter.request(wanted(), PAYLOAD);
        vm.snapshotGasLastCall("adapter", "InferaAdapter.request, 37 bytes of payload");
    }

    function refuse(IInferaAdapter.Request memory bad, bytes memory payload, bytes memory reason) private {
        expectRevert(reason);
        agent.ask(bad, payload);
    }

    function test_request_noModel_reverts() external {
        IInferaAdapter.Request memory bad = wanted();
        bad.modelId = 0;
        refuse(bad, PAYLOAD, abi.encodeWithSelector(IInferaAdapter.InferaAdapter_NoModel.selector));
    }

    function test_request_unknownTier_reverts() external {
        IInferaAdapter.Request memory bad = wanted();
        bad.tier = 0;
        refuse(bad, PAYLOAD, abi.encodeWithSelector(IInferaAdapter.InferaAdapter_UnknownTier.selector, 0));
        bad.tier = 4;
        refuse(bad, PAYLOAD, abi.encodeWithSelector(IInferaAdapter.InferaAdapter_UnknownTier.selector, 4));
    }

    /// Dust is not worth anybody's gas.
    function test_request_costTooLow_reverts() external {
        IInferaAdapter.Request memory bad = wanted();
        bad.maxCost = 999;
        refuse(bad, PAYLOAD, abi.encodeWithSelector(IInferaAdapter.InferaAdapter_CostTooLow.selector, 999, 1_000));
    }

    function test_request_deadlineOutOfBounds_reverts() external {
        IInferaAdapter.Request memory bad = wanted();
        uint40[2] memory deadlines = [uint40(START), uint40(START + 7 days + 1)];
        for (uint256 i; i < 2; ++i) {
            bad.deadline = deadlines[i];
            refuse(
                bad,
                PAYLOAD,
                abi.encodeWithSelector(
                    IInferaAdapter.InferaAdapter_DeadlineOutOfBounds.selector, deadlines[i], START + 1, START + 7 days
                )
            );
        }
    }

    function test_request_callbackGasTooHigh_reverts() external {
        IInferaAdapter.Request memory bad = wanted();
        bad.callbackGas = 5_000_001;
        refuse(bad, PAYLOAD, abi.encodeWithSelector(IInferaAdapter.InferaAdapter_CallbackGasTooHigh.selector, 5_000_001, 5_000_000));
    }

    function test_request_payload_reverts() external {
        IInferaAdapter.Request memory bad = wanted();
        refuse(bad, "other", abi.encodeWithSelector(IInferaAdapter.InferaAdapter_PayloadMismatch.selector, bad.requestHash));
        refuse(bad, new bytes(8_193), abi.encodeWithSelector(IInferaAdapter.InferaAdapter_PayloadTooLong.selector, 8_193, 8_192));
    }

    function test_request_routerInactive_reverts() external {
        IInferaAdapter.Request memory bad = wanted();
        bad.router = provider;
        refuse(bad, PAYLOAD, abi.encodeWithSelector(IInferaAdapter.InferaAdapter_RouterInactive.selector, provider));
    }

    function test_request_noMoney_reverts() external {
        vm.expectRevert();
        vm.prank(stranger);
        adapter.request(wanted(), PAYLOAD);
    }
}

contract InferaAdapter_Refund_Test is AdapterFixture {
    function test_refund_byAnyone_afterTheDeadline() external {
        bytes32 id = ask();
        vm.warp(START + 1 hours + 1);
        expectEvent(address(adapter));
        emit IInferaAdapter.Refunded(id, MAX_COST + TIP);
        vm.prank(stranger);
        adapter.refund(id);
        is_(id, IInferaAdapter.Status.Refunded);
        assertEq(adapter.withdraw(address(agent)), MAX_COST + TIP, "all of it");
        assertEq(usdc.balanceOf(address(agent)), 10_000_000, "as before");
    }

    function test_refund_early_reverts() external {
        bytes32 id = ask();
        vm.warp(START + 1 hours);
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_NotYet.selector, id, START + 1 hours));
        adapter.refund(id);
    }

    function test_refund_twiceOrFulfilled_reverts() external {
        bytes32 id = ask();
        bytes32 answered = ask();
        fulfil(answered, "4");
        vm.warp(START + 1 hours + 1);
        adapter.refund(id);
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_NotOpen.selector, id));
        adapter.refund(id);
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_NotOpen.selector, answered));
        adapter.refund(answered);
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_NotOpen.selector, bytes32("none")));
        adapter.refund("none");
    }
}

contract InferaAdapter_Withdraw_Test is AdapterFixture {
    function test_withdraw_paysEachItsOwn() external {
        fulfil(ask(), "4");
        assertEq(adapter.balanceOf(provider), 48_500, "credited");
        expectEvent(address(adapter));
        emit IInferaAdapter.Withdrawn(provider, 48_500);
        vm.prank(stranger);
        adapter.withdraw(provider);
        adapter.withdraw(router);
        adapter.withdraw(address(agent));
        assertEq(usdc.balanceOf(provider), 48_500, "97 % of the cost");
        assertEq(usdc.balanceOf(router), 750 + TIP, "1.5 % and the tip");
        assertEq(adapter.withdraw(provider), 0, "once");
        assertEq(usdc.balanceOf(address(adapter)), adapter.protocolFees(), "the rest is the protocol's");
    }
}

contract InferaAdapter_WithdrawProtocolFees_Test is AdapterFixture {
    function test_withdrawProtocolFees_asTheVaultDoes() external {
        fulfil(ask(), "4");
        assertEq(adapter.protocolFees(), 750, "1.5 %");
        expectEvent(address(adapter));
        emit IInferaAdapter.ProtocolFeesPaid(250, 250, 250);
        adapter.withdrawProtocolFees();
        assertEq(usdc.balanceOf(treasury), 250, "treasury");
        assertEq(usdc.balanceOf(validators), 250, "validators");
        assertEq(usdc.balanceOf(buyback), 250, "buyback");
        assertEq(adapter.protocolFees(), 0, "once");
    }
}

contract InferaAdapter_SetMinimumCost_Test is AdapterFixture {
    function test_setMinimumCost_announced_succeeds() external {
        expectEvent(address(adapter));
        emit IInferaAdapter.MinimumCostChanged(5);
        vm.prank(governor);
        adapter.setMinimumCost(5);
        assertEq(adapter.minimumCost(), 5, "minimum");
    }

    function test_setMinimumCost_tooHigh_reverts() external {
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_MinimumTooHigh.selector, 1_000_001, 1_000_000));
        vm.prank(governor);
        adapter.setMinimumCost(1_000_001);
    }

    function test_setMinimumCost_notGovernor_reverts() external {
        expectNotGovernor(stranger);
        vm.prank(stranger);
        adapter.setMinimumCost(0);
    }
}
