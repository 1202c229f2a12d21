// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ICheckDesk } from "../../src/interfaces/ICheckDesk.sol";
import { Finding, IReputation, ReputationRule } from "../../src/interfaces/IReputation.sol";
import { IJobRegistry } from "../../src/interfaces/IJobRegistry.sol";
import { JobLeaf, Role } from "../../src/libraries/Types.sol";
import { CheckDesk } from "../../src/reputation/CheckDesk.sol";
import { Reputation } from "../../src/reputation/Reputation.sol";
import { CourtFixture } from "../court/CourtFixture.sol";
import { Trees } from "../utils/Trees.sol";

abstract contract CheckDeskFixture is CourtFixture {
    CheckDesk internal desk;
    Reputation internal reputation;
    Book internal first;
    Book internal next;
    address internal validator = actor("validator");
    address internal validatorHotKey = actor("validator hot key");

    function setUp() public override {
        super.setUp();
        ReputationRule memory rule = ReputationRule(20_000, 400_000, 20_000, 90 days);
        bytes memory data = abi.encodeCall(Reputation.initialize, (governor, address(stakes), rule));
        reputation = Reputation(proxy(address(new Reputation()), data));
        desk = new CheckDesk(address(jobs), address(reputation));
        vm.prank(governor);
        reputation.setWriter(address(desk), true);
        stakeAs(validator, Role.Validator, MINIMUM * 100, validatorHotKey);
        Book memory none;
        Book memory book = build(none, 6);
        commitBook(book);
        _keep(first, book);
        book = build(book, 1);
        commitBook(book);
        _keep(next, book);
    }

    function _keep(Book storage to, Book memory book) private {
        for (uint256 i; i < book.leaves.length; ++i) {
            to.leaves.push(book.leaves[i]);
        }
    }

    /// What a validator found about the jobs at these positions of the first batch.
    function about(uint32[] memory positions, Finding finding) internal view returns (ICheckDesk.Report[] memory reports) {
        reports = new ICheckDesk.Report[](1);
        ICheckDesk.Report memory entry = reports[0];
        (entry.router, entry.positions) = (router, positions);
        entry.leaves = new JobLeaf[](positions.length);
        entry.findings = new Finding[](positions.length);
        uint256[] memory indices = new uint256[](positions.length);
        for (uint256 i; i < positions.length; ++i) {
            (entry.leaves[i], entry.findings[i], indices[i]) = (first.leaves[positions[i]], finding, positions[i]);
        }
        entry.siblings = Trees.multiproof(hashes(first.leaves), indices);
    }

    function about(uint32 position, Finding finding) internal view returns (ICheckDesk.Report[] memory) {
        return about(list(position), finding);
    }

    function list(uint32 a) internal pure returns (uint32[] memory items) {
        items = new uint32[](1);
        items[0] = a;
    }

    function list(uint32 a, uint32 b, uint32 c) internal pure returns (uint32[] memory items) {
        items = new uint32[](3);
        (items[0], items[1], items[2]) = (a, b, c);
    }

    function report(ICheckDesk.Report[] memory reports) internal returns (uint256) {
        vm.prank(validatorHotKey);
        return desk.report(reports);
    }

    function scoreOf(uint32 position) internal view returns (uint32) {
        return reputation.reputationPpm(first.leaves[position].provider);
    }

    function expectRefusal(bytes memory reason, ICheckDesk.Report[] memory reports) internal {
        vm.prank(validatorHotKey);
        expectRevert(reason);
        desk.report(reports);
    }
}

contract CheckDesk_Constructor_Test is CheckDeskFixture {
    function test_constructor_parameters_succeeds() external view {
        assertEq(desk.jobRegistry(), address(jobs), "jobs");
        assertEq(desk.reputation(), address(reputation), "reputation");
    }

    function test_constructor_zeroAddress_reverts() external {
        expectRevert(abi.encodeWithSelector(ICheckDesk.CheckDesk_ZeroAddress.selector));
        new CheckDesk(address(0), address(reputation));
        expectRevert(abi.encodeWithSelector(ICheckDesk.CheckDesk_ZeroAddress.selector));
        new CheckDesk(address(jobs), address(0));
    }
}

contract CheckDesk_Report_Test is CheckDeskFixture {
    function test_report_mismatch_lowersScoreAndRaisesRate() external {
        address provider_ = first.leaves[2].provider;
        vm.prank(stranger);
        reputation.register(provider_);
        vm.warp(START + 200 days);
        uint32 rate = reputation.samplingRatePpm(provider_);
        expectEvent(address(desk));
        emit ICheckDesk.Checked(validator, provider_, first.leaves[2].ticket, router, 0, Finding.Mismatch);
        assertEq(report(about(2, Finding.Mismatch)), 1, "counted");
        assertEq(scoreOf(2), 300_000, "two fifths of the way to zero");
        assertTrue(reputation.samplingRatePpm(provider_) > rate, "is checked more often");
        assertEq(desk.reporterOf(first.leaves[2].ticket), validator, "reporter");
        assertEq(desk.reporterOf(first.leaves[3].ticket), address(0), "nobody reported the others");
    }

    function test_report_byColdKey_succeeds() external {
        vm.prank(validator);
        assertEq(desk.report(about(0, Finding.Upheld)), 1, "counted");
        assertEq(scoreOf(0), 510_000, "a fiftieth of the way to one");
    }

    function test_report_manyBatches_succeeds() external {
        ICheckDesk.Report[] memory reports = new ICheckDesk.Report[](2);
        reports[0] = about(list(0, 3, 5), Finding.Upheld)[0];
        reports[1] = about(0, Finding.Mismatch)[0];
        (reports[1].batch, reports[1].leaves[0]) = (1, next.leaves[0]);
        reports[1].siblings = new bytes32[](0);
        assertEq(report(reports), 4, "counted");
    }

    function test_report_hundredJobs_gas() external {
        Book memory none;
        Book memory book = build(none, 100);
        // Of another router than the one whose books go on: totals from nothing would be refused.
        address other = actor("second router");
        stakeAs(other, Role.Router, MINIMUM * 100, actor("second router hot key"));
        router = other;
        commitBook(book);
        ICheckDesk.Report[] memory reports = new ICheckDesk.Report[](1);
        ICheckDesk.Report memory entry = reports[0];
        (entry.router, entry.leaves) = (other, book.leaves);
        (entry.positions, entry.findings) = (new uint32[](100), new Finding[](100));
        for (uint32 i; i < 100; ++i) {
            (entry.positions[i], entry.findings[i]) = (i, Finding.Upheld);
        }
        report(reports);
        vm.snapshotGasLastCall("reputation", "CheckDesk.report, a hundred findings");
    }

    function test_report_again_reverts() external {
        report(about(2, Finding.Mismatch));
        uint32 score = scoreOf(2);
        bytes memory reason = abi.encodeWithSelector(ICheckDesk.CheckDesk_NothingNew.selector);
        expectRefusal(reason, about(2, Finding.Mismatch));
        expectRefusal(reason, about(2, Finding.Upheld));
        expectRefusal(reason, new ICheckDesk.Report[](0));
        assertEq(scoreOf(2), score, "counted once");
    }

    function test_report_partlyKnown_countsTheRest() external {
        report(about(3, Finding.Upheld));
        assertEq(report(about(list(0, 3, 5), Finding.Upheld)), 2, "counted");
    }

    function test_report_notValidator_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(ICheckDesk.CheckDesk_NotValidator.selector, stranger));
        desk.report(about(0, Finding.Upheld));
        vm.prank(provider);
        expectRevert(abi.encodeWithSelector(ICheckDesk.CheckDesk_NotValidator.selector, provider));
        desk.report(about(0, Finding.Upheld));
    }

    function test_report_undecidedOrRefused_reverts() external {
        for (uint8 n; n < 5; ++n) {
            Finding finding = Finding(n);
            if (finding == Finding.Upheld || finding == Finding.Mismatch) continue;
            expectRefusal(abi.encodeWithSelector(ICheckDesk.CheckDesk_NothingDecided.selector, finding), about(0, finding));
        }
        assertEq(scoreOf(0), 500_000, "nothing moved");
    }

    function test_report_ownWork_reverts() external {
        address provider_ = first.leaves[0].provider;
        stakeAs(provider_, Role.Validator, MINIMUM * 100, stakes.hotKeyOf(provider_));
        vm.prank(provider_);
        expectRevert(abi.encodeWithSelector(ICheckDesk.CheckDesk_OwnWork.selector, provider_));
        desk.report(about(0, Finding.Upheld));
    }

    function test_report_notCommitted_reverts() external {
        bytes memory reason = abi.encodeWithSelector(ICheckDesk.CheckDesk_BadProof.selector, router, 0);
        ICheckDesk.Report[] memory reports = about(0, Finding.Mismatch);
        reports[0].leaves[0].provider = second == first.leaves[0].provider ? provider : second;
        expectRefusal(reason, reports);
        reports = about(0, Finding.Mismatch);
        reports[0].positions[0] = 1;
        expectRefusal(reason, reports);
        reports = about(list(3, 0, 5), Finding.Mismatch);
        expectRefusal(reason, reports);
        reports = about(0, Finding.Mismatch);
        reports[0].batch = 2;
        expectRefusal(abi.encodeWithSelector(IJobRegistry.JobRegistry_UnknownBatch.selector, router, 2), reports);
    }

    function test_report_lengths_reverts() external {
        bytes memory reason = abi.encodeWithSelector(ICheckDesk.CheckDesk_LengthMismatch.selector);
        ICheckDesk.Report[] memory reports = about(0, Finding.Upheld);
        reports[0].findings = new Finding[](2);
        expectRefusal(reason, reports);
        reports = about(0, Finding.Upheld);
        reports[0].positions = new uint32[](0);
        expectRefusal(reason, reports);
    }

    function test_report_notWriter_reverts() external {
        vm.prank(governor);
        reputation.setWriter(address(desk), false);
        expectRefusal(abi.encodeWithSelector(IReputation.Reputation_NotWriter.selector, address(desk)), about(0, Finding.Upheld));
    }
}
