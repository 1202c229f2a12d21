// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ISlaRegistry } from "../../src/interfaces/ISlaRegistry.sol";
import { Role } from "../../src/libraries/Types.sol";
import { SlaRegistry } from "../../src/stake/SlaRegistry.sol";
import { SlaFixture } from "./SlaFixture.sol";

contract SlaRegistry_Initialize_Test is SlaFixture {
    function test_initialize_parameters_succeeds() external view {
        assertEq(slas.owner(), governor, "owner");
        assertEq(slas.stakeRegistry(), address(stakes), "stakes");
        assertEq(keccak256(abi.encode(slas.rule())), keccak256(abi.encode(ruled())), "rule");
    }

    function test_initialize_noRegistry_reverts() external {
        address implementation = address(new SlaRegistry());
        expectRevert(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_ZeroAddress.selector));
        proxy(implementation, abi.encodeCall(SlaRegistry.initialize, (governor, address(0), ruled())));
    }
}

contract SlaRegistry_Commit_Test is SlaFixture {
    function _commit(uint32 uptime, uint32 window) private returns (uint64) {
        vm.prank(provider);
        return slas.commit(uptime, window);
    }

    function test_commit_first_holdsAtOnce() external view {
        ISlaRegistry.Sla[] memory all = slas.slasOf(provider);
        assertEq(all.length, 1, "one");
        assertEq(all[0].since, START, "at once");
    }

    function test_commit_change_holdsAWindowLater() external {
        uint64 now_ = uint64(block.timestamp);
        assertEq(_commit(0, 0), now_ + 1 days, "one day's notice");
        assertEq(_commit(900_000, 2 days), now_ + 1 days, "nothing was promised that had to end");
        assertEq(_commit(999_000, 1 hours), now_ + 3 days, "after the promise that has not begun");
    }

    function test_commit_bad_reverts() external {
        uint32[2][6] memory bad = [
            [uint32(499_999), 1 days],
            [uint32(999_991), 1 days],
            [uint32(990_000), 1 hours - 1],
            [uint32(990_000), 30 days + 1],
            [uint32(0), 1 days],
            [uint32(990_000), 0]
        ];
        for (uint256 i; i < bad.length; ++i) {
            expectRevert(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_BadSla.selector, bad[i][0], bad[i][1]));
            _commit(bad[i][0], bad[i][1]);
        }
    }

    function test_commit_notProvider_reverts() external {
        vm.prank(router);
        expectRevert(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_NotProvider.selector, router));
        slas.commit(UPTIME, WINDOW_OF_SLA);
    }
}

contract SlaRegistry_Claim_Test is SlaFixture {
    function test_claim_quorumFoundItBroken_slashes() external {
        uint256 supply = infr.totalSupply();
        bytes[] memory signed = signatures(reports(3, 2), stranger, START);
        expectEvent(address(slas));
        emit ISlaRegistry.Broken(provider, START, stranger, MINIMUM / 100);
        vm.prank(stranger);
        uint256 slashed = slas.claim(provider, 0, START, reports(3, 2), signed);
        vm.snapshotGasLastCall("sla", "SlaRegistry.claim, three validators");
        assertEq(slashed, MINIMUM / 100, "the table's one per cent, though the rule has two");
        assertEq(infr.balanceOf(stranger), slashed * 4 / 10, "40 %");
        assertEq(supply - infr.totalSupply(), slashed * 6 / 10, "60 % burned");
        assertEq(slas.earliestClaim(provider), START + 8 days, "cool-down");
    }

    function testFuzz_claim_onlyWhatWasBroken(uint32 uptime, uint32 failed) external {
        uint32 promised = uint32(bound(uptime, 500_000, 999_990));
        failed = uint32(bound(failed, 0, 144));
        vm.prank(provider);
        uint64 start = slas.commit(promised, WINDOW_OF_SLA);
        vm.warp(start + WINDOW_OF_SLA);
        ISlaRegistry.Report[] memory list = reports(4, failed);
        bytes[] memory signed = signatures(list, stranger, start);
        bool broken = uint256(144 - failed) * 1_000_000 < uint256(144) * promised;
        vm.prank(stranger);
        (bool slashed,) = address(slas).call(abi.encodeCall(slas.claim, (provider, 1, start, list, signed)));
        assertTrue(slashed == broken, "slashed if and only if the share was lower than promised");
    }

    function test_claim_oneFoundItKept_reverts() external {
        ISlaRegistry.Report[] memory list = reports(4, 2);
        list[3].failed = 1;
        refused(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_Kept.selector, actor(names[3]), 144, 1), START, list);
    }

    function test_claim_tooFew_reverts() external {
        refused(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_NoQuorum.selector, 2, 2 * MINIMUM), START, reports(2, 2));
        refused(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_NoQuorum.selector, 0, 0), START, reports(0, 2));
    }

    function test_claim_fewWithMuchStake_reverts() external {
        stakeAs(actor(names[0]), Role.Validator, MINIMUM, address(0));
        refused(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_NoQuorum.selector, 2, 3 * MINIMUM), START, reports(2, 2));
    }

    function test_claim_littleStake_reverts() external {
        ISlaRegistry.Rule memory rule = ruled();
        rule.quorumStake = uint96(3 * MINIMUM + 1);
        vm.prank(governor);
        slas.setRule(rule);
        refused(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_NoQuorum.selector, 3, 3 * MINIMUM), START, reports(3, 2));
        assertGe(claimAs(stranger, START, reports(4, 2)), 1, "four have enough");
    }

    function test_claim_sameValidatorTwice_reverts() external {
        ISlaRegistry.Report[] memory list = reports(3, 2);
        list[2] = list[1];
        refused(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_Unordered.selector, list[1].validator), START, list);
    }

    function test_claim_badReport_reverts() external {
        ISlaRegistry.Report[] memory list = reports(3, 2);
        bytes memory bad = abi.encodeWithSelector(ISlaRegistry.SlaRegistry_BadReport.selector, list[1].validator);
        list[1].probes = 99;
        refused(bad, START, list);
        list[1] = report(1, 145);
        refused(bad, START, list);
        list[1] = report(1, 2);
        bytes[] memory signed = signatures(list, stranger, START);
        signed[1] = signed[0];
        vm.prank(stranger);
        expectRevert(bad);
        slas.claim(provider, 0, START, list, signed);
        signed[1] = "";
        vm.prank(stranger);
        expectRevert(bad);
        slas.claim(provider, 0, START, list, signed);
        vm.prank(slasher);
        stakes.jail(actor(names[1]), uint64(block.timestamp + 1), "bias");
        refused(bad, START, list);
    }

    function test_claim_takenFromTheMempool_reverts() external {
        ISlaRegistry.Report[] memory list = reports(3, 2);
        bytes[] memory signed = signatures(list, stranger, START);
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_BadReport.selector, list[0].validator));
        slas.claim(provider, 0, START, list, signed);
    }

    function test_claim_outOfTime_reverts() external {
        bytes memory early =
            abi.encodeWithSelector(ISlaRegistry.SlaRegistry_OutOfTime.selector, START + 1 days + 1, START + 4 days + 1);
        refused(early, START + 1, reports(3, 2));
        vm.warp(START + 4 days + 1);
        bytes memory late = abi.encodeWithSelector(ISlaRegistry.SlaRegistry_OutOfTime.selector, START + 1 days, START + 4 days);
        refused(late, START, reports(3, 2));
    }

    function test_claim_sameOutageAgain_reverts() external {
        claimAs(stranger, START, reports(3, 2));
        bytes memory cooling = abi.encodeWithSelector(ISlaRegistry.SlaRegistry_CoolingDown.selector, provider, START + 8 days);
        refused(cooling, START, reports(3, 2));
        vm.warp(START + 2 days);
        refused(cooling, START + 1 days, reports(3, 2));
        vm.warp(START + 9 days);
        uint256 slashed = claimAs(stranger, START + 8 days, reports(3, 2));
        assertEq(slashed, (MINIMUM - MINIMUM / 100) * 2 / 100, "the second costs twice as much, and no more than the rule says");
    }

    function test_claim_whileJailed_reverts() external {
        vm.prank(slasher);
        stakes.jail(provider, START + 1, "bias");
        refused(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_KeptOut.selector, provider, START + 1), START, reports(3, 2));
    }

    function test_claim_promiseTakenBack_stillHeldToIt() external {
        vm.prank(provider);
        slas.commit(0, 0);
        vm.warp(START + 2 days);
        bytes memory not = abi.encodeWithSelector(ISlaRegistry.SlaRegistry_NotPromised.selector, provider, START + 1 days + 1);
        refused(not, START + 1 days + 1, reports(3, 2));
        assertGe(claimAs(stranger, START + 1 days, reports(3, 2)), 1, "the day of notice counts");
    }

    function test_claim_nothingPromised_reverts() external {
        refused(
            abi.encodeWithSelector(ISlaRegistry.SlaRegistry_NotPromised.selector, provider, START - 1), START - 1, reports(3, 2)
        );
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_NotPromised.selector, provider, START));
        slas.claim(provider, 1, START, reports(3, 2), new bytes[](3));
    }
}

contract SlaRegistry_Attack_Test is SlaFixture {
    /// The stake shrinks by 1, 2, 4, 8 and then six times 10 per cent; 60 % of that is burned.
    uint256 private constant LOST = 326;

    /// A provider that owns the validators and the challenger, and has itself slashed as often and as hard as it may: what it
    /// gets back of each slash is 40 %, so it pays 60 % of it for nothing. Ten rounds cost it 326 of 1,000 INFR.
    function test_selfDispute_losesMoney() external {
        uint256 lost;
        uint64 start = START;
        for (uint256 i; i < 10; ++i) {
            vm.warp(start + WINDOW_OF_SLA);
            ISlaRegistry.Rule memory harshest = ruled();
            harshest.slashBps = 1_000;
            vm.prank(governor);
            slas.setRule(harshest);
            uint256 owned = _owned();
            uint256 slashed = claimAs(stranger, start, reports(4, 144));
            assertEq(owned - _owned(), slashed - slashed * 4 / 10, "60 % of what was slashed");
            lost += owned - _owned();
            start = slas.earliestClaim(provider);
        }
        assertEq(lost / 1e18, LOST, "INFR lost");
        assertEq(infr.totalSupply() + lost, infr.SUPPLY(), "all of it burned");
    }

    /// All that the provider and its friends have between them, staked or not.
    function _owned() private view returns (uint256 sum) {
        sum = infr.balanceOf(provider) + infr.balanceOf(stranger);
        (uint256 active, uint256 unbonding,) = stakes.stakeOf(provider, Role.Provider);
        sum += active + unbonding;
        for (uint256 i; i < names.length; ++i) {
            (active, unbonding,) = stakes.stakeOf(actor(names[i]), Role.Validator);
            sum += active + unbonding + infr.balanceOf(actor(names[i]));
        }
    }

    /// A quorum that lies about an honest provider takes, in a month, what the table allows and no more.
    function test_lyingQuorum_isBounded() external {
        uint64 start = START;
        uint256 slashed;
        while (start + WINDOW_OF_SLA <= START + 30 days) {
            vm.warp(start + WINDOW_OF_SLA);
            slashed += claimAs(stranger, start, reports(4, 144));
            start = slas.earliestClaim(provider);
        }
        assertLe(slashed, MINIMUM * 7 / 100, "1 % and three times 2 %");
    }

    function test_judgeOfItself_reverts() external {
        ISlaRegistry.Report[] memory list = reports(3, 2);
        list[0].validator = provider;
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_Unordered.selector, provider));
        slas.claim(provider, 0, START, list, new bytes[](0));
    }
}

contract SlaRegistry_SetRule_Test is SlaFixture {
    function test_setRule_within_succeeds() external {
        ISlaRegistry.Rule memory rule = ruled();
        rule.validators = 5;
        expectEvent(address(slas));
        emit ISlaRegistry.RuleChanged(rule);
        vm.prank(governor);
        slas.setRule(rule);
    }

    function test_setRule_outOfBounds_reverts() external {
        uint256[2][6] memory outside = [
            [uint256(1e18 - 1), 100_000_000e18 + 1],
            [uint256(2), 101],
            [uint256(9), 10_001],
            [uint256(99), 1_001],
            [uint256(1 days - 1), 30 days + 1],
            [uint256(1 hours - 1), 7 days + 1]
        ];
        for (uint256 i; i < 12; ++i) {
            ISlaRegistry.Rule memory rule = ruled();
            uint256 value = outside[i / 2][i % 2];
            // A struct in memory is its fields, a word each.
            assembly {
                mstore(add(rule, mul(0x20, shr(1, i))), value)
            }
            vm.prank(governor);
            expectRevert(abi.encodeWithSelector(ISlaRegistry.SlaRegistry_RuleOutOfBounds.selector, rule));
            slas.setRule(rule);
        }
    }

    function test_setRule_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        slas.setRule(ruled());
    }
}
