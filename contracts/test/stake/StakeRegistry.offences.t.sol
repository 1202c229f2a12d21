// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ISlashTable } from "../../src/interfaces/ISlashTable.sol";
import { Role } from "../../src/libraries/Types.sol";
import { StakeFixture } from "./StakeFixture.sol";

contract StakeRegistry_SetOffence_Test is StakeFixture {
    function _offence(uint16 first, uint16 ceiling, uint32 period) private pure returns (ISlashTable.Offence memory) {
        return ISlashTable.Offence(first, ceiling, period);
    }

    function _set(bytes32 reason, uint16 first, uint16 ceiling, uint32 period) private {
        vm.prank(governor);
        stakes.setOffence(reason, _offence(first, ceiling, period));
    }

    function _slash(uint256 bps, bytes32 reason) private returns (uint256) {
        vm.prank(slasher);
        return stakes.slash(provider, Role.Provider, bps, alice, stranger, reason);
    }

    function test_setOffence_firstOffence_isLenient() external {
        expectEvent(address(stakes));
        emit ISlashTable.OffenceChanged("downtime", _offence(100, 1_000, 30 days));
        _set("downtime", 100, 1_000, 30 days);
        expectEvent(address(stakes));
        emit ISlashTable.OffenceCounted(provider, Role.Provider, "downtime", 1, 100);
        assertEq(_slash(10_000, "downtime"), MINIMUM / 100, "one per cent, whatever was asked for");
    }

    function test_setOffence_repeated_doublesToTheCeiling() external {
        _set("downtime", 100, 1_000, 30 days);
        uint16[6] memory expected = [100, 200, 400, 800, 1_000, 1_000];
        for (uint256 i; i < expected.length; ++i) {
            assertEq(stakes.slashLimit(provider, Role.Provider, "downtime"), expected[i], "announced");
            (uint256 stake,,) = stakes.stakeOf(provider, Role.Provider);
            assertEq(_slash(10_000, "downtime"), stake * expected[i] / 10_000, "taken");
            vm.warp(block.timestamp + 30 days);
        }
    }

    function test_setOffence_forgotten_startsOver() external {
        _set("downtime", 100, 1_000, 30 days);
        _slash(10_000, "downtime");
        assertEq(stakes.slashLimit(provider, Role.Provider, "downtime"), 200, "remembered");
        vm.warp(block.timestamp + 30 days + 1);
        assertEq(stakes.slashLimit(provider, Role.Provider, "downtime"), 100, "forgotten");
    }

    function test_setOffence_fraud_costsEverything() external {
        _set(0, 100, 5_000, 30 days);
        _set("fraud", 10_000, 10_000, 365 days);
        assertEq(_slash(10_000, "fraud"), MINIMUM, "all of it");
    }

    function test_setOffence_zero_isTheRuleOfTheRest() external {
        assertEq(stakes.slashLimit(provider, Role.Provider, "made up"), 10_000, "no rule, no limit");
        assertEq(stakes.offenceOf("made up").ceilingBps, 0, "no rule");
        _set(0, 100, 5_000, 30 days);
        assertEq(stakes.offenceOf("made up").ceilingBps, 5_000, "the rule of the rest");
        assertEq(_slash(10_000, "made up"), MINIMUM / 100, "a new name is no way around");
        assertEq(_slash(10_000, "made up too"), (MINIMUM - MINIMUM / 100) / 100, "each is counted for itself");
    }

    function test_setOffence_amounts_areLimitedToo() external {
        _set("non-delivery", 500, 5_000, 30 days);
        vm.prank(slasher);
        uint256 taken = stakes.slashAmount(provider, Role.Provider, MINIMUM, alice, stranger, "non-delivery");
        assertEq(taken, MINIMUM / 20, "five per cent");
        assertEq(infr.balanceOf(alice), taken * 4 / 10, "divided as ever");
    }

    function test_setOffence_others_areNotCounted() external {
        _set("downtime", 100, 1_000, 30 days);
        _slash(1, "downtime");
        assertEq(stakes.slashLimit(router, Role.Provider, "downtime"), 100, "another operator");
        assertEq(stakes.slashLimit(provider, Role.Router, "downtime"), 100, "another role");
    }

    function test_setOffence_gas_succeeds() external {
        _slash(1_000, "fraud");
        vm.snapshotGasLastCall("stake", "StakeRegistry.slash, an offence without a rule");
        _set("downtime", 100, 1_000, 30 days);
        _slash(1_000, "downtime");
        vm.snapshotGasLastCall("stake", "StakeRegistry.slash, a first offence");
    }

    function test_setOffence_outOfBounds_reverts() external {
        ISlashTable.Offence[6] memory bad = [
            _offence(99, 1_000, 30 days),
            _offence(1_001, 1_000, 30 days),
            _offence(100, 10_001, 30 days),
            _offence(0, 0, 30 days),
            _offence(100, 1_000, 1 days - 1),
            _offence(100, 1_000, 365 days + 1)
        ];
        for (uint256 i; i < bad.length; ++i) {
            vm.prank(governor);
            expectRevert(abi.encodeWithSelector(ISlashTable.SlashTable_OutOfBounds.selector, bad[i]));
            stakes.setOffence("downtime", bad[i]);
        }
    }

    function test_setOffence_notGovernor_reverts() external {
        vm.prank(slasher);
        expectNotGovernor(slasher);
        stakes.setOffence("downtime", _offence(100, 1_000, 30 days));
    }

    function testFuzz_setOffence_neverBeyondTheLimit(uint16 first, uint16 ceiling, uint16[8] calldata asked) external {
        uint256 top = bound(ceiling, 100, 10_000);
        uint256 low = bound(first, 100, top);
        _set("fuzz", uint16(low), uint16(top), 30 days);
        for (uint256 i; i < asked.length; ++i) {
            (uint256 stake,,) = stakes.stakeOf(provider, Role.Provider);
            uint256 expected = low << i < top ? low << i : top;
            uint256 bps = bound(asked[i], 1, 10_000);
            assertEq(_slash(bps, "fuzz"), stake * (bps < expected ? bps : expected) / 10_000, "the lesser");
        }
    }
}
