// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ClaimDesk as ClaimDeskImplementation } from "../../src/court/ClaimDesk.sol";
import { LeafProof } from "../../src/court/Faults.sol";
import { IClaimDesk } from "../../src/interfaces/IClaimDesk.sol";
import { JobReceipt, JobTicket, Role } from "../../src/libraries/Types.sol";
import { Judge } from "../utils/Judge.sol";
import { DeskFixture } from "./DeskFixture.sol";

contract ClaimDesk_Initialize_Test is DeskFixture {
    function test_initialize_parameters_succeeds() external view {
        assertEq(desk.owner(), governor, "owner");
        assertEq(desk.paymentVault(), address(vault), "the vault");
        (uint64 inclusion, uint64 response, uint64 season, uint256 bond) = desk.parameters();
        assertTrue(inclusion == INCLUSION && response == ANSWER && season == SEASON && bond == BOND, "parameters");
        bytes32 slot = keccak256(abi.encode(uint256(keccak256("infera.storage.ClaimDesk")) - 1)) & ~bytes32(uint256(0xff));
        assertEq(address(uint160(uint256(vm.load(address(desk), slot)))), address(vault), "ERC-7201");
    }

    function test_initialize_again_reverts() external {
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        desk.initialize(stranger, address(vault), INCLUSION, ANSWER, SEASON, BOND);
        ClaimDeskImplementation implementation = new ClaimDeskImplementation();
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        implementation.initialize(stranger, address(vault), INCLUSION, ANSWER, SEASON, BOND);
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_ZeroAddress.selector));
        proxy(address(implementation), abi.encodeCall(desk.initialize, (governor, address(0), INCLUSION, ANSWER, SEASON, BOND)));
        vm.prank(stranger);
        expectNotGovernor(stranger);
        desk.upgradeToAndCall(address(implementation), "");
    }
}

contract ClaimDesk_ClaimJob_Test is DeskFixture {
    function claimOut(JobTicket memory ticket, JobReceipt memory receipt) external {
        claimWith(ticket, receipt);
    }

    function test_claimJob_leftOut_opens() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        expectEvent(address(desk));
        emit IClaimDesk.OmissionClaimed(
            receipt.ticket, router, ticket.provider, jobs.receiptDigest(receipt), uint64(netOf(1)), DUE + ANSWER
        );
        this.claimOut(ticket, receipt);
        IClaimDesk.Claim memory kept = desk.omissionOf(receipt.ticket);
        assertTrue(kept.status == IClaimDesk.Status.Open && kept.bond == BOND && kept.dueAt == DUE + ANSWER, "open");
        assertEq(kept.claimant, challenger, "whose");
        assertEq(kept.net, netOf(1), "net of fees");
        assertEq(infr.balanceOf(address(desk)), BOND, "the bond");
    }

    function test_claimJob_tooEarlyOrTooLate_reverts() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        vm.warp(DUE - 1);
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_TooEarly.selector, DUE - 1));
        this.claimOut(ticket, receipt);
        uint64 latest = ticket.deadline + SEASON;
        vm.warp(latest + 1);
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_TooLate.selector, latest));
        this.claimOut(ticket, receipt);
        vm.warp(latest);
        this.claimOut(ticket, receipt);
    }

    function test_claimJob_deliveredLate_reverts() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        receipt.completedAt = ticket.deadline + 1;
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_DeliveredLate.selector, receipt.completedAt, ticket.deadline));
        this.claimOut(ticket, receipt);
    }

    function test_claimJob_badMessages_reverts() external {
        for (uint256 i; i < 5; ++i) {
            (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
            if (i == 0) receipt.cost += 1;
            if (i == 1) receipt.ticket = "another";
            if (i == 2) (receipt.tokensIn, receipt.cost) = (ticket.maxTokensIn + 1, ticket.maxCost);
            if (i == 3) (receipt.tokensOut, receipt.cost) = (ticket.maxTokensOut + 1, ticket.maxCost);
            if (i == 4) receipt.completedAt = ticket.issuedAt - 1;
            expectBadMessages(ticketOf(1));
            this.claimOut(ticket, receipt);
        }
    }

    function test_claimJob_notSigned_reverts() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        bytes memory good = signTicket(ticket);
        bytes memory signed = signReceipt(ticket, receipt);
        expectBadMessages(receipt.ticket);
        desk.claimJob(ticket, signed, receipt, signed);
        expectBadMessages(receipt.ticket);
        desk.claimJob(ticket, good, receipt, good);
    }

    function test_claimJob_nothingDue_reverts() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        (receipt.tokensIn, receipt.tokensOut, receipt.cost) = (0, 0, 0);
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_NothingDue.selector, receipt.ticket));
        this.claimOut(ticket, receipt);
    }

    /// The same ticket under another receipt is the same job.
    function test_claimJob_again_reverts() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        this.claimOut(ticket, receipt);
        for (uint256 i; i < 2; ++i) {
            expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_AlreadyClaimed.selector, receipt.ticket));
            this.claimOut(ticket, receipt);
            receipt.responseHash = "another";
            if (i == 0) {
                vm.warp(DUE + ANSWER + 1);
                desk.expireOmission(receipt.ticket);
            }
        }
    }

    function test_claimJob_gas_snapshot() external {
        bytes32 ticket = claim(1);
        vm.snapshotGasLastCall("court", "ClaimDesk.claimJob");
        vm.warp(DUE + ANSWER + 1);
        desk.expireOmission(ticket);
        vm.snapshotGasLastCall("court", "ClaimDesk.expireOmission");
        (JobTicket memory made, JobReceipt memory receipt) = jobOf(2);
        ask(made);
        vm.snapshotGasLastCall("court", "ClaimDesk.claimSilence");
        show(made, receipt);
        vm.snapshotGasLastCall("court", "ClaimDesk.showReceipt");
    }
}

contract ClaimDesk_ShowIncluded_Test is DeskFixture {
    /// Also a router that never saw the receipt can answer: with a batch it commits now.
    function test_showIncluded_inANewBatch_earnsTheBond() external {
        bytes32 ticket = claim(2);
        Book memory none;
        Book memory book = build(none, 5);
        commitBook(book);
        vm.warp(DUE + ANSWER + 1 days);
        expectEvent(address(desk));
        emit IClaimDesk.Included(ticket, 0, 1);
        desk.showIncluded(ticket, leafOf(book, 0, 1));
        assertEq(infr.balanceOf(router), BOND, "the bond");
        assertEq(stakeNow(), MINIMUM, "no stake lost");
        assertEq(usdc.balanceOf(address(vault)), 1_000_000, "no money moved");
        expectNotOpen(ticket);
        desk.expireOmission(ticket);
    }

    /// A provider that signed two receipts cannot hold the router to the other one.
    function test_showIncluded_anotherReceipt_succeeds() external {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        receipt.responseHash = "another";
        claimWith(ticket, receipt);
        Book memory none;
        Book memory book = build(none, 1);
        commitBook(book);
        desk.showIncluded(receipt.ticket, leafOf(book, 0, 0));
        assertTrue(desk.omissionOf(receipt.ticket).status == IClaimDesk.Status.Answered, "answered");
    }

    function test_showIncluded_anotherJob_reverts() external {
        bytes32 ticket = claim(2);
        Book memory none;
        Book memory book = build(none, 5);
        commitBook(book);
        bytes memory reason = abi.encodeWithSelector(IClaimDesk.ClaimDesk_NotIncluded.selector, ticket);
        expectRevert(reason);
        desk.showIncluded(ticket, leafOf(book, 0, 2));
        LeafProof memory forged = leafOf(book, 0, 2);
        forged.leaf.ticket = ticket;
        expectRevert(reason);
        desk.showIncluded(ticket, forged);
        bytes32 never = ticketOf(3);
        expectNotOpen(never);
        desk.showIncluded(never, leafOf(book, 0, 2));
    }

    /// An answer that is taken back does not count.
    function test_showIncluded_batchVoided_canBeClaimedAgain() external {
        bytes32 ticket = claim(2);
        Book memory none;
        Book memory book = build(none, 5);
        commitBook(book);
        desk.showIncluded(ticket, leafOf(book, 0, 1));
        address judge = address(new Judge(1 hours));
        vm.prank(governor);
        jobs.setCourt(judge, true);
        vm.prank(judge);
        jobs.rollback(router, 0);
        claim(2);
        commitBook(book);
        desk.showIncluded(ticket, leafOf(book, 0, 1));
        vm.prank(judge);
        jobs.rollback(router, 0);
        commitBook(book);
        claim(2);
        assertTrue(desk.omissionOf(ticket).status == IClaimDesk.Status.Open, "the batch of that index is another");
    }
}

contract ClaimDesk_Concede_Test is DeskFixture {
    function test_concede_byTheRouter_paysWithoutSlash() external {
        bytes32 ticket = claim(1);
        (JobTicket memory made,) = jobOf(1);
        uint256 net = netOf(1);
        vm.prank(routerHot);
        expectEvent(address(desk));
        emit IClaimDesk.Conceded(ticket, net);
        assertEq(desk.concede(ticket), net, "paid");
        assertEq(usdc.balanceOf(made.provider), net, "to the provider");
        assertEq(infr.balanceOf(challenger), 1_000e18, "the bond is back");
        assertEq(stakeNow(), MINIMUM, "no stake lost");
        vm.prank(router);
        expectNotOpen(ticket);
        desk.concede(ticket);
    }

    function test_concede_byAnother_reverts() external {
        bytes32 ticket = claim(1);
        address[3] memory callers = [provider, challenger, otherHot];
        for (uint256 i; i < callers.length; ++i) {
            vm.prank(callers[i]);
            expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_NotRouter.selector, callers[i], router));
            desk.concede(ticket);
        }
    }

    function test_concede_bondTooSmall_reverts() external {
        bytes32 ticket = claim(1);
        vm.prank(governor);
        vault.setClaimDesk(slasher);
        vm.prank(slasher);
        vault.payFromBond(router, stranger, 1_000_000 - 1);
        vm.prank(governor);
        vault.setClaimDesk(address(desk));
        uint256 net = netOf(1);
        vm.prank(router);
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_BondTooSmall.selector, 1, net));
        desk.concede(ticket);
    }
}

contract ClaimDesk_ExpireOmission_Test is DeskFixture {
    function test_expireOmission_unanswered_paysAndSlashes() external {
        lockAs(alice, router, 5_000);
        bytes32 ticket = claim(1);
        (JobTicket memory made,) = jobOf(1);
        vm.warp(DUE + ANSWER + 1);
        expectEvent(address(desk));
        emit IClaimDesk.OmissionExpired(ticket, netOf(1), MINIMUM / 100);
        assertEq(desk.expireOmission(ticket), netOf(1), "paid");
        assertEq(usdc.balanceOf(made.provider), netOf(1), "to the provider");
        assertEq(stakeNow(), MINIMUM * 99 / 100, "a hundredth");
        assertEq(infr.balanceOf(made.provider), MINIMUM / 250, "40 % to the provider");
        assertEq(infr.balanceOf(challenger), 1_000e18 + MINIMUM / 250, "the bond, and 40 %");
        assertEq(infr.balanceOf(address(desk)), 0, "nothing left");
        (uint256 active,,) = vault.lockupOf(alice, router);
        assertEq(active, 5_000, "no developer pays");
        expectNotOpen(ticket);
        desk.expireOmission(ticket);
    }

    function test_expireOmission_bondTooSmall_paysWhatThereIs() external {
        bytes32 ticket = claim(1);
        vm.prank(router);
        vault.thawBond(1_000_000);
        vm.warp(DUE + 3 hours);
        vm.prank(router);
        vault.withdrawBond();
        assertEq(desk.expireOmission(ticket), 0, "nothing");
        assertEq(stakeNow(), MINIMUM * 99 / 100, "slashed all the same");
    }

    function test_expireOmission_again_doublesUpToSixteen() external {
        stakeAs(router, Role.Router, 99 * MINIMUM, address(0));
        uint256 stake = 100 * MINIMUM;
        uint256[6] memory bps = [uint256(100), 200, 400, 800, 1_600, 1_600];
        bytes32[] memory tickets = new bytes32[](6);
        for (uint256 i; i < 6; ++i) {
            tickets[i] = claim(i + 1);
        }
        vm.warp(DUE + ANSWER + 1);
        for (uint256 i; i < 6; ++i) {
            desk.expireOmission(tickets[i]);
            stake -= stake * bps[i] / 10_000;
            assertEq(stakeNow(), stake, "what is left");
        }
        assertEq(desk.offences(router), 6, "counted");
    }

    function test_expireOmission_stillTime_reverts() external {
        bytes32 ticket = claim(1);
        vm.prank(governor);
        desk.setParameters(INCLUSION, 5 minutes, SEASON, BOND);
        vm.warp(DUE + ANSWER);
        expectRevert(abi.encodeWithSelector(IClaimDesk.ClaimDesk_StillTime.selector, DUE + ANSWER));
        desk.expireOmission(ticket);
    }
}

contract ClaimDesk_SetParameters_Test is DeskFixture {
    function test_setParameters_byGovernor_succeeds() external {
        vm.prank(governor);
        expectEvent(address(desk));
        emit IClaimDesk.ParametersChanged(1 hours, 2 hours, 3 hours, 1e18);
        desk.setParameters(1 hours, 2 hours, 3 hours, 1e18);
        vm.prank(stranger);
        expectNotGovernor(stranger);
        desk.setParameters(1 hours, 2 hours, 3 hours, 1e18);
    }

    function test_setParameters_outOfBounds_reverts() external {
        uint256[4][8] memory wrong = [
            [uint256(1 minutes - 1), ANSWER, SEASON, BOND],
            [uint256(1 days + 1), ANSWER, SEASON, BOND],
            [uint256(INCLUSION), 5 minutes - 1, SEASON, BOND],
            [uint256(INCLUSION), 3 days + 1, SEASON, BOND],
            [uint256(INCLUSION), ANSWER, INCLUSION, BOND],
            [uint256(INCLUSION), ANSWER, 30 days + 1, BOND],
            [uint256(INCLUSION), ANSWER, SEASON, 1e18 - 1],
            [uint256(INCLUSION), ANSWER, SEASON, 100_000e18 + 1]
        ];
        uint256[2][4] memory bounds = [
            [uint256(1 minutes), 1 days],
            [uint256(5 minutes), 3 days],
            [uint256(INCLUSION + 1), 30 days],
            [uint256(1e18), 100_000e18]
        ];
        for (uint256 i; i < wrong.length; ++i) {
            vm.prank(governor);
            expectRevert(
                abi.encodeWithSelector(
                    IClaimDesk.ClaimDesk_OutOfBounds.selector, wrong[i][i / 2], bounds[i / 2][0], bounds[i / 2][1]
                )
            );
            desk.setParameters(uint64(wrong[i][0]), uint64(wrong[i][1]), uint64(wrong[i][2]), wrong[i][3]);
        }
    }
}
