// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { InferaAdapter } from "../../src/adapter/InferaAdapter.sol";
import { IInferaAdapter } from "../../src/interfaces/IInferaAdapter.sol";
import { IPaymentVault } from "../../src/interfaces/IPaymentVault.sol";
import { JobReceipt, JobTicket, KeyGrant, Role } from "../../src/libraries/Types.sol";
import { AdapterFixture } from "./AdapterFixture.sol";
import { Agent } from "./Agent.sol";

contract InferaAdapter_Attack_Test is AdapterFixture {
    /// A callback that tries to be paid, answered or served again gets nothing, and the answer all the same.
    function test_attack_reentrantCallback_isKeptOut() external {
        agent.behave(Agent.Mode.Revert, "");
        bytes32 stored = ask();
        fulfil(stored, "4");
        bytes32 id = ask();
        bytes32 second = ask();
        bytes[5] memory calls = [
            abi.encodeCall(InferaAdapter.fulfil, (id, proofFor(id, "4"), "4")),
            abi.encodeCall(InferaAdapter.fulfil, (second, proofFor(second, "4"), "4")),
            abi.encodeCall(InferaAdapter.redeliver, (stored)),
            abi.encodeCall(InferaAdapter.withdraw, (address(agent))),
            abi.encodeCall(InferaAdapter.withdrawProtocolFees, ())
        ];
        for (uint256 i; i < calls.length; ++i) {
            agent.behave(Agent.Mode.Reenter, calls[i]);
            bytes32 next = ask();
            uint256 before = usdc.balanceOf(address(adapter));
            assertTrue(fulfil(next, "4"), "delivered");
            assertFalse(agent.entered(), "kept out");
            assertEq(usdc.balanceOf(address(adapter)), before, "nothing left");
        }
        agent.behave(Agent.Mode.Reenter, abi.encodeCall(InferaAdapter.refund, (second)));
        fulfil(ask(), "4");
        assertFalse(agent.entered(), "no refund before the deadline either");
    }

    /// What a callback may do: go on asking.
    function test_attack_callbackAsksAgain_succeeds() external {
        IInferaAdapter.Request memory further = wanted();
        further.callbackGas = 0;
        agent.behave(Agent.Mode.AskAgain, abi.encode(further));
        IInferaAdapter.Request memory first = wanted();
        first.callbackGas = 1_000_000;
        assertTrue(fulfil(agent.ask(first, PAYLOAD), "4"), "delivered");
        is_(agent.next(), IInferaAdapter.Status.Open);
        fulfil(agent.next(), "5");
    }

    function test_attack_callbackBurnsItsGas_costsNoMore() external {
        agent.behave(Agent.Mode.BurnGas, "");
        bytes32 id = ask();
        IInferaAdapter.Proof memory proof = proofFor(id, "4");
        uint256 before = gasleft();
        assertFalse(adapter.fulfil(id, proof, "4"), "not delivered");
        assertLe(before - gasleft(), 1_200_000, "what it named and the rest");
        is_(id, IInferaAdapter.Status.Stored);
    }

    function test_attack_returnBomb_isNotTaken() external {
        agent.behave(Agent.Mode.ReturnBomb, "");
        assertTrue(fulfil(ask(), "4"), "delivered, whatever it returned");
    }

    /// Nobody makes a callback fail by sending just enough gas for the rest.
    function testFuzz_attack_littleGas_deliversOrReverts(uint256 gas_) external {
        IInferaAdapter.Request memory heavy = wanted();
        heavy.callbackGas = 1_000_000;
        bytes32 id = agent.ask(heavy, PAYLOAD);
        IInferaAdapter.Proof memory proof = proofFor(id, "4");
        try adapter.fulfil{ gas: bound(gas_, 100_000, 2_000_000) }(id, proof, "4") returns (bool delivered) {
            assertTrue(delivered, "delivered");
            assertGe(agent.gasSeen(), 990_000, "with the gas it named");
        } catch (bytes memory reason) {
            assertTrue(
                reason.length == 0 || bytes4(reason) == IInferaAdapter.InferaAdapter_TooLittleGas.selector, "nothing was done"
            );
            is_(id, IInferaAdapter.Status.Open);
        }
    }

    /// One answer pays for one request: the same request asked twice is worked for twice.
    function test_attack_receiptReplayed_reverts() external {
        bytes32 first = ask();
        bytes32 second = ask();
        IInferaAdapter.Proof memory proof = proofFor(first, "4");
        adapter.fulfil(first, proof, "4");
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_WrongTicket.selector, second));
        adapter.fulfil(second, proof, "4");
        proof.ticket.grant = second;
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_BadReceipt.selector, second));
        adapter.fulfil(second, proof, "4");
    }

    /// Ids name adapter and chain, so a proof is worth nothing at a twin.
    function test_attack_receiptAtATwin_reverts() external {
        InferaAdapter twin = InferaAdapter(
            proxy(address(new InferaAdapter()), abi.encodeCall(InferaAdapter.initialize, (governor, address(vault), MINIMUM_COST)))
        );
        Agent second = new Agent(twin);
        usdc.mint(address(second), 1_000_000);
        bytes32 id = ask();
        bytes32 same = second.ask(wanted(), PAYLOAD);
        assertTrue(id != same, "ids");
        IInferaAdapter.Proof memory proof = proofFor(id, "4");
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_WrongTicket.selector, same));
        twin.fulfil(same, proof, "4");
    }

    /// The vault pays nothing for what the adapter paid: the adapter has signed no grant and signs none.
    function test_attack_vaultChargedToo_reverts() external {
        bytes32 id = ask();
        fulfil(id, "4");
        depositAs(alice, 1_000_000);
        usdc.mint(address(this), 1_000_000);
        usdc.approve(address(vault), 1_000_000);
        vault.depositFor(address(adapter), 1_000_000);
        KeyGrant memory grant = grantFor(address(adapter), "key");
        bytes memory signature = sign("router hot key", digestOf(grant));
        bytes memory reason =
            abi.encodeWithSelector(IPaymentVault.PaymentVault_BadSignature.selector, digestOf(grant), address(adapter));
        expectRevert(reason);
        vault.registerGrant(grant, signature);
        uint64 batch = commit(router, entry(grant, "router hot key", 50_000));
        Entry memory item = entry(grant, "router hot key", 50_000);
        expectRevert(reason);
        this.applyFor(batch, item);
    }

    function applyFor(uint64 batch, Entry memory item) external {
        applyOne(router, batch, item);
    }

    /// A stolen key that was retired before the request signs nothing for it, whatever time it writes.
    function test_attack_retiredKey_reverts() external {
        vm.prank(provider);
        stakes.rotateHotKey(actor("next key"));
        vm.warp(block.timestamp + 1);
        bytes32 id = ask();
        IInferaAdapter.Proof memory proof = proofFor(id, "4");
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_BadReceipt.selector, id));
        adapter.fulfil(id, proof, "4");
        JobTicket memory ticket = ticketFor(id);
        ticket.issuedAt = uint64(START);
        JobReceipt memory receipt = receiptFor(ticket, "4");
        receipt.completedAt = uint64(START);
        proof = proofOf(ticket, receipt);
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_WrongTime.selector, id));
        adapter.fulfil(id, proof, "4");
    }

    function testFuzz_attack_flippedBit_reverts(uint256 where, bool ofReceipt) external {
        bytes32 id = ask();
        IInferaAdapter.Proof memory proof = proofFor(id, "4");
        bytes memory signature = ofReceipt ? proof.receiptSignature : proof.ticketSignature;
        where = bound(where, 0, 519);
        signature[where / 8] ^= bytes1(uint8(1 << where % 8));
        expectRevert(abi.encodeWithSelector(IInferaAdapter.InferaAdapter_BadReceipt.selector, id));
        adapter.fulfil(id, proof, "4");
    }

    /// Asking, ordering and answering oneself costs the protocol's fee and earns nothing.
    function test_attack_selfDealing_costsTheProtocolFee() external {
        stakeAs(router, Role.Provider, MINIMUM, routerHot);
        usdc.mint(router, MAX_COST + TIP);
        vm.startPrank(router);
        usdc.approve(address(adapter), MAX_COST + TIP);
        bytes32 id = adapter.request(wanted(), PAYLOAD);
        vm.stopPrank();
        JobTicket memory ticket = ticketFor(id);
        ticket.provider = router;
        JobReceipt memory receipt = receiptFor(ticket, "4");
        IInferaAdapter.Proof memory proof = proofOf(ticket, receipt);
        proof.receiptSignature = sign("router hot key", jobs.receiptDigest(receipt));
        adapter.fulfil(id, proof, "4");
        adapter.withdraw(router);
        assertEq(usdc.balanceOf(router), MAX_COST + TIP - 750, "less the fee");
    }

    /// Money sent to the adapter outside a request moves nothing.
    function test_attack_donation_changesNothing() external {
        usdc.mint(address(adapter), 12_345);
        bytes32 id = ask();
        fulfil(id, "4");
        adapter.withdraw(provider);
        adapter.withdraw(router);
        adapter.withdraw(address(agent));
        adapter.withdrawProtocolFees();
        assertEq(usdc.balanceOf(address(adapter)), 12_345, "only the donation");
    }
}
