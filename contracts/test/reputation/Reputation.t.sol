// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Finding, IReputation, ReputationRule } from "../../src/interfaces/IReputation.sol";
import { Role } from "../../src/libraries/Types.sol";
import { Reputation } from "../../src/reputation/Reputation.sol";
import { Scores } from "../../src/reputation/Scores.sol";
import { Fixture } from "../utils/Fixture.sol";

abstract contract ReputationFixture is Fixture {
    Reputation internal reputation;
    address internal writer = actor("writer");

    function setUp() public virtual override {
        super.setUp();
        reputation = Reputation(proxy(address(new Reputation()), _data(rules())));
        vm.prank(governor);
        reputation.setWriter(writer, true);
    }

    function rules() internal pure returns (ReputationRule memory) {
        return ReputationRule(20_000, 400_000, 20_000, 90 days);
    }

    function _data(ReputationRule memory rule) internal view returns (bytes memory) {
        return abi.encodeCall(Reputation.initialize, (governor, address(stakes), rule));
    }

    function found(Finding finding) internal returns (uint32) {
        vm.prank(writer);
        return reputation.record(provider, finding);
    }
}

contract Reputation_Initialize_Test is ReputationFixture {
    function test_initialize_parameters_succeeds() external view {
        assertEq(reputation.owner(), governor, "owner");
        assertEq(reputation.stakeRegistry(), address(stakes), "stakes");
        assertEq(reputation.rule().halfLife, 90 days, "rule");
        assertEq(reputation.reputationPpm(stranger), 500_000, "everybody starts neutral");
        assertEq(reputation.samplingRatePpm(stranger), 100_000, "and is checked often");
    }

    function test_initialize_noStakes_reverts() external {
        address implementation = address(new Reputation());
        expectRevert(abi.encodeWithSelector(IReputation.Reputation_ZeroAddress.selector));
        proxy(implementation, abi.encodeCall(Reputation.initialize, (governor, address(0), rules())));
    }
}

contract Reputation_Register_Test is ReputationFixture {
    function test_register_startsTenure_succeeds() external {
        expectEvent(address(reputation));
        emit IReputation.Registered(provider, START);
        reputation.register(provider);
        vm.warp(START + 40 days);
        assertEq(reputation.tenure(provider), 40 days, "tenure");
        assertEq(reputation.tenure(stranger), 0, "nobody else's");
    }

    function test_register_twice_reverts() external {
        reputation.register(provider);
        vm.warp(START + 1);
        expectRevert(abi.encodeWithSelector(IReputation.Reputation_AlreadyRegistered.selector, provider, START));
        reputation.register(provider);
    }

    function test_register_noStake_reverts() external {
        expectRevert(abi.encodeWithSelector(IReputation.Reputation_NotProvider.selector, router));
        reputation.register(router);
    }
}

contract Reputation_Record_Test is ReputationFixture {
    function test_record_findings_succeeds() external {
        expectEvent(address(reputation));
        emit IReputation.Recorded(provider, Finding.Upheld, writer, 510_000);
        assertEq(found(Finding.Upheld), 510_000, "2 % of the way up");
        assertEq(found(Finding.Mismatch), 306_000, "40 % of the way down");
        (uint64 upheld, uint64 mismatches) = reputation.findings(provider);
        assertTrue(upheld == 1 && mismatches == 1, "counted");
    }

    function test_record_refusalsAndUndecided_neverCount() external {
        found(Finding.Upheld);
        vm.warp(START + 30 days);
        uint32 before = reputation.reputationPpm(provider);
        for (uint256 i; i < 50; ++i) {
            assertEq(found(Finding.Refused), before, "a refusal is no fault");
            assertEq(found(Finding.Undecided), before, "nor is doubt");
        }
        (uint64 upheld, uint64 mismatches) = reputation.findings(provider);
        assertTrue(upheld == 1 && mismatches == 0, "not counted");
    }

    function test_record_longHonest_reachesTheTop() external {
        for (uint256 i; i < 800; ++i) {
            found(Finding.Upheld);
        }
        assertGe(reputation.reputationPpm(provider), 999_900, "all but one");
        reputation.register(provider);
        vm.warp(START + 1);
        assertLe(reputation.samplingRatePpm(provider), 100_000, "bounded");
    }

    function test_record_decaysToNeutral() external {
        found(Finding.Mismatch);
        assertEq(reputation.reputationPpm(provider), 300_000, "low");
        vm.warp(START + 45 days);
        assertEq(reputation.reputationPpm(provider), 350_000, "half way to the first halving");
        vm.warp(START + 90 days);
        assertEq(reputation.reputationPpm(provider), 400_000, "halved");
        vm.warp(START + 180 days);
        assertEq(reputation.reputationPpm(provider), 450_000, "twice");
        vm.warp(START + 100 * 365 days);
        assertEq(reputation.reputationPpm(provider), 500_000, "forgotten");
    }

    function test_record_none_reverts() external {
        vm.prank(writer);
        expectRevert(abi.encodeWithSelector(IReputation.Reputation_UnknownFinding.selector));
        reputation.record(provider, Finding.None);
    }

    function test_record_notWriter_reverts() external {
        address[3] memory callers = [stranger, governor, provider];
        for (uint256 i; i < 3; ++i) {
            vm.prank(callers[i]);
            expectRevert(abi.encodeWithSelector(IReputation.Reputation_NotWriter.selector, callers[i]));
            reputation.record(provider, Finding.Upheld);
        }
    }

    /// Whatever is found, whenever: reputation stays in its bounds, good findings never lower it, bad ones never raise it.
    function testFuzz_record_anySequence_staysInBounds(uint256 seed) external {
        reputation.register(provider);
        for (uint256 i; i < 30; ++i) {
            vm.warp(block.timestamp + pick(seed, i) % 60 days);
            uint32 before = reputation.reputationPpm(provider);
            Finding finding = Finding(1 + pick(seed, 1_000 + i) % 4);
            uint32 now_ = found(finding);
            assertLe(now_, 1_000_000, "bounded");
            if (finding == Finding.Upheld) assertGe(now_, before, "up");
            else if (finding == Finding.Mismatch) assertLe(now_, before, "down");
            else assertEq(now_, before, "unchanged");
            uint32 rate = reputation.samplingRatePpm(provider);
            assertTrue(rate >= 5_000 && rate <= 100_000, "the rate is bounded");
        }
    }
}

contract Reputation_SetWriter_Test is ReputationFixture {
    function test_setWriter_andBack_succeeds() external {
        assertTrue(reputation.isWriter(writer), "named");
        vm.prank(governor);
        reputation.setWriter(writer, false);
        assertFalse(reputation.isWriter(writer), "no more");
    }

    function test_setWriter_notGovernor_reverts() external {
        vm.prank(writer);
        expectNotGovernor(writer);
        reputation.setWriter(stranger, true);
    }
}

contract Reputation_SetRule_Test is ReputationFixture {
    function test_setRule_withinBounds_succeeds() external {
        ReputationRule memory rule = ReputationRule(1_000, 500_000, 50_000, 730 days);
        expectEvent(address(reputation));
        emit IReputation.RuleChanged(rule);
        vm.prank(governor);
        reputation.setRule(rule);
        assertEq(reputation.rule().baseRate, 50_000, "kept");
    }

    function test_setRule_outOfBounds_reverts() external {
        ReputationRule[7] memory wrong;
        for (uint256 i; i < 7; ++i) {
            wrong[i] = rules();
        }
        wrong[0].upheldWeight = 999;
        wrong[1].mismatchWeight = 19_999;
        wrong[2].mismatchWeight = 500_001;
        wrong[3].halfLife = 7 days - 1;
        wrong[4].halfLife = 730 days + 1;
        wrong[5].baseRate = 9_999;
        wrong[6].baseRate = 50_001;
        vm.startPrank(governor);
        for (uint256 i; i < 7; ++i) {
            expectRevert(abi.encodeWithSelector(IReputation.Reputation_RuleOutOfBounds.selector));
            reputation.setRule(wrong[i]);
        }
        vm.stopPrank();
    }

    function test_setRule_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        reputation.setRule(rules());
    }
}

contract Reputation_SamplingRate_Test is ReputationFixture {
    function test_samplingRate_ofTheSpecification_succeeds() external view {
        assertEq(reputation.samplingRate(0, 1_000_000, 20_000), 100_000, "a new provider: 10 %");
        assertEq(reputation.samplingRate(30 days, 1_000_000, 20_000), 20_000, "then the base");
        assertEq(reputation.samplingRate(180 days, 1_000_000, 20_000), 5_000, "half a per cent");
        assertEq(reputation.samplingRate(10_000 days, 0, 20_000), 100_000, "no reputation: 10 % for ever");
    }

    function testFuzz_samplingRate_monotone(uint64 tenure, uint32 reputed, uint32 base) external view {
        uint64 longer = tenure == type(uint64).max ? tenure : tenure + 1;
        uint32 better = reputed == type(uint32).max ? reputed : reputed + 1;
        uint32 rate = reputation.samplingRate(tenure, reputed, base);
        assertTrue(rate >= 5_000 && rate <= 100_000, "bounded");
        assertLe(reputation.samplingRate(longer, reputed, base), rate, "falls with time");
        assertLe(reputation.samplingRate(tenure, better, base), rate, "and with reputation");
    }

    function testFuzz_decay_neverOvershoots(uint64 score, uint64 time, uint64 halfLife) external pure {
        uint256 from = bound(score, 0, Scores.ONE);
        uint256 to = Scores.decay(from, time, bound(halfLife, 7 days, 730 days));
        if (from >= Scores.NEUTRAL) assertTrue(to <= from && to >= Scores.NEUTRAL, "down to neutral");
        else assertTrue(to >= from && to <= Scores.NEUTRAL, "up to neutral");
    }
}
