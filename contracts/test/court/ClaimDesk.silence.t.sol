// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IClaimDesk } from "../../src/interfaces/IClaimDesk.sol";
import { JobReceipt, JobTicket, Role } from "../../src/libraries/Types.sol";
import { DeskFixture } from "./DeskFixture.sol";

contract ClaimDesk_ClaimSilence_Test is DeskFixture {
    function askOut(JobTicket memory ticket) external {
        ask(ticket);
    }

    function test_claimSilence_afterTheDeadline_opens() external {
        (JobTicket memory ticket,) = jobOf(1);
        bytes32 digest = jobs.ticketDigest(ticket);
        expectEvent(address(desk));
        emit IClaimDesk.SilenceClaimed(digest, router, ticket.provider, ticket.account, DUE + ANSWER);
        this.askOut(ticket);
        assertTrue(desk.silenceOf(digest).status == IClaimDesk.Status.Open, "open");
        assertEq(infr.balanceOf(address(desk)), BOND, "the bond");
    }

    function test_claimSilence_again_reverts() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        this.askOut(ticket);
        bytes memory reason = abi.encodeWithSelector(IClaimDesk.ClaimDesk_AlreadyClaimed.selector, receipt.ticket);
        expectRevert(reason);
        this.askOut(ticket);
        show(ticket, receipt);
        expectRevert(reason);
        this.askOut(ticket);
    }

    function test_claimSilence_tooEarlyOrTooLate_reverts() external {
        (JobTicket memory ticket,) = jobOf(1);
        vm.warp(DUE - 1);
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_TooEarly.selector, DUE - 1));
        this.askOut(ticket);
        vm.warp(ticket.deadline + SEASON + 1);
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_TooLate.selector, ticket.deadline + SEASON));
        this.askOut(ticket);
    }

    /// A deadline far out is far out, not long past.
    function test_claimSilence_hugeDeadline_reverts() external {
        (JobTicket memory ticket,) = jobOf(1);
        ticket.deadline = type(uint64).max;
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_TooEarly.selector, uint256(type(uint64).max) + INCLUSION));
        this.askOut(ticket);
    }

    /// Nobody makes a provider answer for a ticket that no router sent.
    function test_claimSilence_notSigned_reverts() external {
        (JobTicket memory ticket,) = jobOf(1);
        bytes32 digest = jobs.ticketDigest(ticket);
        bytes[3] memory bad = [sign("other router hot key", digest), sign("challenger", digest), bytes("")];
        for (uint256 i; i < bad.length; ++i) {
            vm.prank(challenger);
            expectBadMessages(digest);
            desk.claimSilence(ticket, bad[i]);
        }
    }
}

contract ClaimDesk_ShowReceipt_Test is DeskFixture {
    function showOut(JobTicket memory ticket, JobReceipt memory receipt) external {
        show(ticket, receipt);
    }

    function test_showReceipt_inTime_earnsTheBond() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        ask(ticket);
        expectEvent(address(desk));
        emit IClaimDesk.Delivered(receipt.ticket, jobs.receiptDigest(receipt), receipt.cost, receipt.finishReason);
        this.showOut(ticket, receipt);
        assertEq(infr.balanceOf(ticket.provider), BOND, "the bond");
        assertEq(stakeOf(ticket.provider, Role.Provider), MINIMUM, "no stake lost");
        vm.warp(DUE + ANSWER + 1);
        expectNotOpen(receipt.ticket);
        desk.expireSilence(receipt.ticket);
    }

    /// A provider the ticket never reached says so and is done.
    function test_showReceipt_ofNothing_succeeds() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        ask(ticket);
        (receipt.tokensIn, receipt.tokensOut, receipt.cost, receipt.finishReason) = (0, 0, 0, 4);
        receipt.completedAt = uint64(block.timestamp);
        show(ticket, receipt);
        assertEq(stakeOf(ticket.provider, Role.Provider), MINIMUM, "no stake lost");
    }

    function test_showReceipt_retiredKey_succeeds() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        ask(ticket);
        vm.prank(ticket.provider);
        stakes.rotateHotKey(actor("new key"));
        receipt.completedAt = uint64(block.timestamp) + 1;
        show(ticket, receipt);
    }

    function test_showReceipt_noAnswer_reverts() external {
        (JobTicket memory asked,) = jobOf(1);
        ask(asked);
        for (uint256 i; i < 5; ++i) {
            (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
            if (i == 0) receipt.ticket = "another";
            if (i == 1) receipt.cost += 1;
            if (i == 2) (receipt.tokensIn, receipt.cost) = (ticket.maxTokensIn + 1, ticket.maxCost);
            if (i == 3) receipt.completedAt = ticket.issuedAt - 1;
            bytes memory signature = i == 4 ? signTicket(ticket) : signReceipt(ticket, receipt);
            expectBadMessages(ticketOf(1));
            desk.showReceipt(ticket, receipt, signature);
        }
        (JobTicket memory other_, JobReceipt memory another) = jobOf(2);
        expectNotOpen(another.ticket);
        this.showOut(other_, another);
    }
}

contract ClaimDesk_ExpireSilence_Test is DeskFixture {
    function test_expireSilence_unanswered_slashes() external {
        bytes32 ticket = silence(1);
        (JobTicket memory made,) = jobOf(1);
        vm.warp(DUE + ANSWER + 1);
        expectEvent(address(desk));
        emit IClaimDesk.SilenceExpired(ticket, MINIMUM / 100);
        desk.expireSilence(ticket);
        assertEq(stakeOf(made.provider, Role.Provider), MINIMUM * 99 / 100, "a hundredth");
        assertEq(infr.balanceOf(made.account), MINIMUM / 250, "40 % to the account");
        assertEq(infr.balanceOf(challenger), 1_000e18 + MINIMUM / 250, "the bond, and 40 %");
        assertEq(stakeNow(), MINIMUM, "the router is not asked");
        expectNotOpen(ticket);
        desk.expireSilence(ticket);
    }

    function test_expireSilence_stillTime_reverts() external {
        bytes32 ticket = silence(1);
        vm.warp(DUE + ANSWER);
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_StillTime.selector, DUE + ANSWER));
        desk.expireSilence(ticket);
    }
}
