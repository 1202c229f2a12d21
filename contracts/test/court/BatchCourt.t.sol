// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { BatchCourt as BatchCourtImplementation } from "../../src/court/BatchCourt.sol";
import { Fault, Finding, LeafProof } from "../../src/court/Faults.sol";
import { IBatchCourt } from "../../src/interfaces/IBatchCourt.sol";
import { IBatchExaminer } from "../../src/interfaces/IBatchExaminer.sol";
import { JobTicket, Role } from "../../src/libraries/Types.sol";
import { CourtFixture } from "./CourtFixture.sol";

/// An examiner that says what it is told to.
contract StubExaminer {
    Finding private finding;

    constructor(Finding memory finding_) {
        finding = finding_;
    }

    function examine() external view returns (Finding memory) {
        return finding;
    }

    function half() external pure returns (uint256, uint256) {
        return (1, 2);
    }

    function fails() external pure {
        revert("no evidence");
    }
}

abstract contract ProveFixture is CourtFixture {
    function stub(uint64 batch, Fault fault, address harmed) internal returns (address made) {
        made = address(new StubExaminer(Finding(router, batch, fault, harmed)));
        vm.prank(governor);
        court.setExaminer(made, true);
    }

    function proveBy(address who, address made) internal {
        vm.prank(who);
        court.prove(made, abi.encodeCall(StubExaminer.examine, ()));
    }
}

contract BatchCourt_Initialize_Test is CourtFixture {
    function test_initialize_parameters_succeeds() external view {
        assertEq(court.owner(), governor, "owner");
        assertEq(court.jobRegistry(), address(jobs), "the batches");
        (uint64 response, uint64 retention, uint256 bond) = court.parameters();
        assertTrue(response == RESPONSE && retention == RETENTION && bond == BOND, "parameters");
        assertTrue(court.isExaminer(address(examiner)), "the examiner");
        bytes32 slot = keccak256(abi.encode(uint256(keccak256("infera.storage.BatchCourt")) - 1)) & ~bytes32(uint256(0xff));
        assertEq(address(uint160(uint256(vm.load(address(court), slot)))), address(jobs), "ERC-7201");
    }

    function test_initialize_again_reverts() external {
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        court.initialize(stranger, address(jobs), RESPONSE, RETENTION, BOND);
        BatchCourtImplementation implementation = new BatchCourtImplementation();
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        implementation.initialize(stranger, address(jobs), RESPONSE, RETENTION, BOND);
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_ZeroAddress.selector));
        proxy(address(implementation), abi.encodeCall(court.initialize, (governor, address(0), RESPONSE, RETENTION, BOND)));
    }

    function test_initialize_upgradeByAnother_reverts() external {
        address next = address(new BatchCourtImplementation());
        vm.prank(stranger);
        expectNotGovernor(stranger);
        court.upgradeToAndCall(next, "");
    }
}

contract BatchCourt_Prove_Test is ProveFixture {
    function test_prove_openBatch_isVoidAndTheRouterPays() external {
        Book memory none;
        Book memory sound = build(none, 5);
        commitBook(sound);
        Book memory book = build(sound, 7);
        book.leaves[4].ticket = book.leaves[1].ticket;
        commitBook(book);
        commitBook(build(book, 2));
        bytes memory evidence = abi.encodeCall(IBatchExaminer.examinePair, (router, leafOf(book, 1, 1), leafOf(book, 1, 4)));
        address harmed = book.leaves[4].account;
        vm.prank(challenger);
        expectEvent(address(court));
        emit IBatchCourt.Convicted(router, 1, Fault.Duplicate, challenger, harmed, 2_500, MINIMUM / 4);
        court.prove(address(examiner), evidence);

        assertEq(jobs.batchCount(router), 1, "void, with what came after");
        assertEq(stakeOf(router, Role.Router), MINIMUM * 3 / 4, "a quarter");
        assertEq(infr.balanceOf(challenger), MINIMUM / 10, "40 % for the proof");
        assertEq(infr.balanceOf(harmed), MINIMUM / 10, "40 % for the account");
        assertTrue(court.isConvicted(router, 1, 0), "on record");
        vm.prank(challenger);
        vm.expectRevert();
        court.prove(address(examiner), evidence);
    }

    function test_prove_finalBatch_standsButTheRouterPays() external {
        Book memory none;
        Book memory book = build(none, 3);
        (book.debits[0].total, book.tiers) = (book.debits[0].total - 1, TEE);
        commitBook(book);
        bytes memory evidence = abi.encodeCall(IBatchExaminer.examineTier, (router, leafOf(book, 0, 0)));
        vm.prank(challenger);
        court.prove(address(examiner), evidence);
        assertTrue(jobs.isFinal(router, 0), "what is final stays");
        assertEq(stakeOf(router, Role.Router), MINIMUM * 3 / 4, "the stake answers");
        vm.prank(challenger);
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_AlreadyConvicted.selector, router, 0));
        court.prove(address(examiner), evidence);
    }

    /// The router commits the same wrong batch again: it is another batch, and the second offence is dearer.
    function test_prove_furtherOffences_double() external {
        stakeAs(router, Role.Router, 9 * MINIMUM, address(0));
        uint256[6] memory bps = [uint256(1_000), 2_000, 4_000, 8_000, 10_000, 10_000];
        Book memory none;
        Book memory book = build(none, 3);
        uint256 stake = 10 * MINIMUM;
        for (uint256 i; i < bps.length; ++i) {
            if (i == 4) {
                stakeAs(router, Role.Router, MINIMUM, address(0));
                stake += MINIMUM;
            }
            if (i == 5) {
                stakeAs(router, Role.Router, MINIMUM, address(0));
                stake = MINIMUM;
            }
            commitBook(book);
            proveBy(challenger, stub(0, Fault.Sum, address(0)));
            stake -= stake * bps[i] / 10_000;
            assertEq(stakeOf(router, Role.Router), stake, "what is left");
            assertEq(court.offences(router), i + 1, "counted");
        }
    }

    function test_prove_weights_byTheFault() external {
        stakeAs(router, Role.Router, 99 * MINIMUM, address(0));
        uint256 snapshot = 100 * MINIMUM;
        Book memory none;
        Book memory book = build(none, 3);
        for (uint256 f = 1; f < 13; ++f) {
            commitBook(book);
            bool heavy = f == 1 || f >= uint256(Fault.Tier);
            address made = stub(0, Fault(f), address(0));
            uint256 before = court.offences(router);
            proveBy(challenger, made);
            uint256 bps = before > 4 ? 10_000 : (heavy ? 2_500 : 1_000) << before;
            snapshot -= snapshot * (bps > 10_000 ? 10_000 : bps) / 10_000;
            assertEq(stakeOf(router, Role.Router), snapshot, "as it weighs");
            if (snapshot < MINIMUM) {
                stakeAs(router, Role.Router, 100 * MINIMUM, address(0));
                snapshot += 100 * MINIMUM;
            }
        }
    }

    /// Nobody named: that share is burned.
    function test_prove_nobodyHarmed_burns() external {
        Book memory none;
        commitBook(build(none, 3));
        uint256 supply = infr.totalSupply();
        proveBy(challenger, stub(0, Fault.Sum, address(0)));
        assertEq(supply - infr.totalSupply(), MINIMUM / 10 * 6 / 10, "60 %");
    }

    function test_prove_noFault_reverts() external {
        (, Book memory book) = commitTwo();
        LeafProof memory job = leafOf(book, 1, 0);
        bytes memory evidence = abi.encodeCall(IBatchExaminer.examineTier, (router, job));
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_NoFault.selector));
        court.prove(address(examiner), evidence);
        job.leaf.tier = 1;
        evidence = abi.encodeCall(IBatchExaminer.examineTier, (router, job));
        expectRevert(abi.encodeWithSelector(IBatchExaminer.BatchExaminer_BadProof.selector, router, 1, 0));
        court.prove(address(examiner), evidence);
        assertEq(stakeOf(router, Role.Router), MINIMUM, "no stake lost");
    }

    function test_prove_unknownExaminer_reverts() external {
        commitTwo();
        address made = address(new StubExaminer(Finding(router, 0, Fault.Sum, address(0))));
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_UnknownExaminer.selector, made));
        proveBy(challenger, made);
    }

    function test_prove_noFinding_reverts() external {
        commitTwo();
        address made = stub(0, Fault.Sum, address(0));
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_BadFinding.selector));
        court.prove(made, abi.encodeCall(StubExaminer.half, ()));
        expectRevert(abi.encodeWithSignature("Error(string)", "no evidence"));
        court.prove(made, abi.encodeCall(StubExaminer.fails, ()));
        vm.prank(governor);
        court.setExaminer(stranger, true);
        vm.expectRevert();
        court.prove(stranger, "");
    }

    function test_prove_gas_snapshot() external {
        Book memory none;
        Book memory book = build(none, 64);
        book.leaves[63].ticket = book.leaves[0].ticket;
        commitBook(book);
        bytes memory evidence = abi.encodeCall(IBatchExaminer.examinePair, (router, leafOf(book, 0, 0), leafOf(book, 0, 63)));
        vm.prank(challenger);
        court.prove(address(examiner), evidence);
        vm.snapshotGasLastCall("court", "BatchCourt.prove, a pair of 64 jobs");
        vm.warp(START + 1);
        stakeAs(router, Role.Router, MINIMUM, address(0));
        book.leaves[32].grantTotal += 1;
        commitBook(book);
        evidence = abi.encodeCall(IBatchExaminer.examineCosts, (router, runOf(book, 0, 0, 64)));
        court.prove(stub(0, Fault.Sum, address(0)), abi.encodeCall(StubExaminer.examine, ()));
        vm.snapshotGasLastCall("court", "BatchCourt.prove, without the evidence");
        stakeAs(router, Role.Router, MINIMUM, address(0));
        commitBook(book);
        examiner.examineCosts(router, runOf(book, 0, 0, 64));
        vm.snapshotGasLastCall("court", "BatchExaminer.examineCosts, 64 jobs");
    }
}

contract BatchCourt_ProveEquivocation_Test is CourtFixture {
    function two() private view returns (JobTicket memory first, JobTicket memory next) {
        (first,) = jobOf(1);
        (next,) = jobOf(2);
        next.sequence = first.sequence;
    }

    function prove(JobTicket memory first, JobTicket memory next) private {
        bytes memory firstSignature = signTicket(first);
        bytes memory nextSignature = signTicket(next);
        vm.prank(challenger);
        court.proveEquivocation(first, firstSignature, next, nextSignature);
    }

    function test_proveEquivocation_twoTickets_slashes() external {
        (JobTicket memory first, JobTicket memory next) = two();
        expectEvent(address(court));
        emit IBatchCourt.Convicted(router, type(uint64).max, Fault.Equivocation, challenger, first.account, 5_000, MINIMUM / 2);
        this.proveOut(first, next);
        assertEq(stakeOf(router, Role.Router), MINIMUM / 2, "half");
    }

    function proveOut(JobTicket memory first, JobTicket memory next) external {
        prove(first, next);
    }

    function test_proveEquivocation_again_reverts() external {
        (JobTicket memory first, JobTicket memory next) = two();
        prove(first, next);
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_AlreadyEquivocated.selector, router, first.sequence));
        this.proveOut(next, first);
        (JobTicket memory third,) = jobOf(3);
        third.sequence = first.sequence;
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_AlreadyEquivocated.selector, router, first.sequence));
        this.proveOut(first, third);
    }

    function test_proveEquivocation_honestTickets_reverts() external {
        (JobTicket memory first, JobTicket memory next) = two();
        bytes memory reason = abi.encodeWithSelector(IBatchCourt.BatchCourt_NotEquivocation.selector);
        expectRevert(reason);
        this.proveOut(first, first);
        next.sequence += 1;
        expectRevert(reason);
        this.proveOut(first, next);
        next.sequence -= 1;
        next.router = other;
        expectRevert(reason);
        this.proveOut(first, next);
    }

    function test_proveEquivocation_notSigned_reverts() external {
        (JobTicket memory first, JobTicket memory next) = two();
        bytes32 digest = jobs.ticketDigest(next);
        bytes memory good = signTicket(first);
        bytes[3] memory bad = [sign("other router hot key", digest), sign("router", digest), bytes("")];
        for (uint256 i; i < bad.length; ++i) {
            expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_BadSignature.selector, router, digest));
            court.proveEquivocation(first, good, next, bad[i]);
            expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_BadSignature.selector, router, digest));
            court.proveEquivocation(next, bad[i], first, good);
        }
    }

    /// A key the router had retired by the time the ticket names does not sign for it any more.
    function test_proveEquivocation_retiredKey_reverts() external {
        (JobTicket memory first, JobTicket memory next) = two();
        vm.prank(router);
        stakes.rotateHotKey(stranger);
        next.issuedAt = START + 1;
        expectRevert(abi.encodeWithSelector(IBatchCourt.BatchCourt_BadSignature.selector, router, jobs.ticketDigest(next)));
        this.proveOut(first, next);
    }

    function test_proveEquivocation_gas_snapshot() external {
        (JobTicket memory first, JobTicket memory next) = two();
        prove(first, next);
        vm.snapshotGasLastCall("court", "BatchCourt.proveEquivocation");
    }
}

contract BatchCourt_SetExaminer_Test is CourtFixture {
    function test_setExaminer_byGovernor_succeeds() external {
        vm.prank(governor);
        expectEvent(address(court));
        emit IBatchCourt.ExaminerChanged(address(examiner), false);
        court.setExaminer(address(examiner), false);
        assertFalse(court.isExaminer(address(examiner)), "dismissed");
    }

    function test_setExaminer_byAnother_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        court.setExaminer(stranger, true);
    }
}

contract BatchCourt_SetParameters_Test is CourtFixture {
    function test_setParameters_byGovernor_succeeds() external {
        vm.prank(governor);
        expectEvent(address(court));
        emit IBatchCourt.ParametersChanged(2 hours, 3 days, 5e18);
        court.setParameters(2 hours, 3 days, 5e18);
        (uint64 response, uint64 retention, uint256 bond) = court.parameters();
        assertTrue(response == 2 hours && retention == 3 days && bond == 5e18, "kept");
    }

    function test_setParameters_byAnother_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        court.setParameters(RESPONSE, RETENTION, BOND);
    }

    function test_setParameters_outOfBounds_reverts() external {
        uint256[3][6] memory wrong = [
            [uint256(1 minutes - 1), RETENTION, BOND],
            [uint256(3 days + 1), RETENTION, BOND],
            [uint256(RESPONSE), 1 minutes - 1, BOND],
            [uint256(RESPONSE), 30 days + 1, BOND],
            [uint256(RESPONSE), RETENTION, 1e18 - 1],
            [uint256(RESPONSE), RETENTION, 100_000e18 + 1]
        ];
        uint256[2][3] memory bounds = [[uint256(1 minutes), 3 days], [uint256(1 minutes), 30 days], [uint256(1e18), 100_000e18]];
        for (uint256 i; i < wrong.length; ++i) {
            uint256 which = i / 2;
            vm.prank(governor);
            expectRevert(
                abi.encodeWithSelector(
                    IBatchCourt.BatchCourt_OutOfBounds.selector, wrong[i][which], bounds[which][0], bounds[which][1]
                )
            );
            court.setParameters(uint64(wrong[i][0]), uint64(wrong[i][1]), wrong[i][2]);
        }
    }
}
