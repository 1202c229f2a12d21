// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobRegistry } from "../../src/JobRegistry.sol";
import { PaymentVault } from "../../src/PaymentVault.sol";
import { IBatchCourt } from "../../src/interfaces/IBatchCourt.sol";
import { IPaymentVault } from "../../src/interfaces/IPaymentVault.sol";
import { JobReceipt, JobTicket, KeyGrant } from "../../src/libraries/Types.sol";
import { CourtFixture } from "../court/CourtFixture.sol";

/// What was signed for one network is sent to another.
contract WrongChain_Attack_Test is CourtFixture {
    uint256 private constant ANOTHER = 84_532;

    function test_attack_grantOfAnotherChain_reverts() external {
        KeyGrant memory grant = openGrant();
        bytes memory signature = sign("alice", digestOf(grant));
        vm.chainId(ANOTHER);
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadSignature.selector, digestOf(grant), alice));
        vault.registerGrant(grant, signature);
    }

    /// A test network's debit, with its grant, applied on the main network.
    function test_attack_debitOfAnotherChain_reverts() external {
        lockAs(alice, router, 1_000);
        Entry memory item = entry(openGrant(), "alice", 1_000);
        vm.chainId(ANOTHER);
        uint64 batch = commit(router, item);
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadSignature.selector, digestOf(item.grant), alice));
        this.applyFor(batch, item);
    }

    function applyFor(uint64 batch, Entry memory item) external {
        applyOne(router, batch, item);
    }

    /// Tickets of a test network contradict nothing here.
    function test_attack_ticketsOfAnotherChain_convictNobody() external {
        (JobTicket memory first,) = jobOf(1);
        (JobTicket memory next,) = jobOf(2);
        next.sequence = first.sequence;
        bytes memory firstSignature = signTicket(first);
        bytes memory nextSignature = signTicket(next);
        vm.chainId(ANOTHER);
        bytes32 digest = jobs.ticketDigest(first);
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_BadSignature.selector, router, digest));
        court.proveEquivocation(first, firstSignature, next, nextSignature);
    }

    function test_attack_receiptOfAnotherChain_fails() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        bytes memory first = signTicket(ticket);
        bytes memory next = signReceipt(ticket, receipt);
        assertTrue(jobs.verifyReceipt(ticket, first, receipt, next), "at home");
        vm.chainId(ANOTHER);
        receipt.ticket = jobs.ticketDigest(ticket);
        assertFalse(jobs.verifyReceipt(ticket, first, receipt, next), "elsewhere");
    }

    /// A second deployment on the same chain is another network, too.
    function test_attack_grantOfATwin_reverts() external {
        KeyGrant memory grant = openGrant();
        bytes memory signature = sign("alice", digestOf(grant));
        jobs = JobRegistry(
            proxy(address(new JobRegistry()), abi.encodeCall(JobRegistry.initialize, (governor, address(stakes), WINDOW)))
        );
        vault = PaymentVault(proxy(address(new PaymentVault()), _vaultData()));
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadSignature.selector, digestOf(grant), alice));
        vault.registerGrant(grant, signature);
    }
}
