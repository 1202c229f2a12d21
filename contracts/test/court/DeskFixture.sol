// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ClaimDesk } from "../../src/court/ClaimDesk.sol";
import { IClaimDesk } from "../../src/interfaces/IClaimDesk.sol";
import { JobReceipt, JobTicket, Role } from "../../src/libraries/Types.sol";
import { CourtFixture } from "./CourtFixture.sol";

/// A network with a claim desk, a bonded router, and somebody who asks.
abstract contract DeskFixture is CourtFixture {
    uint64 internal constant INCLUSION = 10 minutes;
    uint64 internal constant ANSWER = 1 hours;
    uint64 internal constant SEASON = 7 days;
    /// When jobs of {CourtFixture} can first be claimed.
    uint64 internal constant DUE = START + 60 + INCLUSION + 1;

    ClaimDesk internal desk;

    function setUp() public virtual override {
        super.setUp();
        desk = ClaimDesk(
            proxy(
                address(new ClaimDesk()),
                abi.encodeCall(ClaimDesk.initialize, (governor, address(vault), INCLUSION, ANSWER, SEASON, BOND))
            )
        );
        vm.startPrank(governor);
        vault.setClaimDesk(address(desk));
        stakes.setSlasher(address(desk), true);
        vm.stopPrank();
        bondAs(router, 1_000_000);
        fund(challenger, address(desk));
        vm.warp(DUE);
    }

    function ticketOf(uint256 n) internal view returns (bytes32) {
        (JobTicket memory ticket,) = jobOf(n);
        return jobs.ticketDigest(ticket);
    }

    function claimWith(JobTicket memory ticket, JobReceipt memory receipt) internal returns (uint64) {
        bytes memory ticketSignature = signTicket(ticket);
        bytes memory receiptSignature = signReceipt(ticket, receipt);
        vm.prank(challenger);
        return desk.claimJob(ticket, ticketSignature, receipt, receiptSignature);
    }

    function claim(uint256 n) internal returns (bytes32 ticket) {
        (JobTicket memory made, JobReceipt memory receipt) = jobOf(n);
        claimWith(made, receipt);
        return receipt.ticket;
    }

    function ask(JobTicket memory ticket) internal returns (uint64) {
        bytes memory signature = signTicket(ticket);
        vm.prank(challenger);
        return desk.claimSilence(ticket, signature);
    }

    function silence(uint256 n) internal returns (bytes32) {
        (JobTicket memory ticket,) = jobOf(n);
        ask(ticket);
        return jobs.ticketDigest(ticket);
    }

    function show(JobTicket memory ticket, JobReceipt memory receipt) internal {
        bytes memory signature = signReceipt(ticket, receipt);
        desk.showReceipt(ticket, receipt, signature);
    }

    function netOf(uint256 n) internal view returns (uint256) {
        (, JobReceipt memory receipt) = jobOf(n);
        return receipt.cost - 2 * (uint256(receipt.cost) * 150 / 10_000);
    }

    function stakeNow() internal view returns (uint256) {
        return stakeOf(router, Role.Router);
    }

    function expectNotOpen(bytes32 ticket) internal {
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_NotOpen.selector, ticket));
    }

    function expectBadMessages(bytes32 ticket) internal {
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_BadMessages.selector, ticket));
    }
}
