// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IStakePricer } from "../../src/interfaces/IStakePricer.sol";
import { Role } from "../../src/libraries/Types.sol";
import { StakeFixture } from "./StakeFixture.sol";

contract StakeRegistry_Declare_Test is StakeFixture {
    function _declare(bytes32 modelId, uint32 speed) private {
        vm.prank(provider);
        stakes.declare(modelId, speed);
    }

    function test_declare_first_addsToTheMinimum() external {
        measured();
        stakeAs(provider, Role.Provider, MINIMUM, address(0));
        expectEvent(address(stakes));
        emit IStakePricer.Declared(provider, LARGE, 50);
        expectEvent(address(stakes));
        emit IStakePricer.DemandChanged(provider, 1_000_000);
        _declare(LARGE, 50);
        vm.snapshotGasLastCall("stake", "StakeRegistry.declare, a first model");
        assertEq(stakes.requiredStake(provider, Role.Provider), 2 * MINIMUM, "fifty tokens per second ask for as much again");
        assertEq(stakes.requiredStake(provider, Role.Validator), MINIMUM, "other roles ask for no more");
        (bytes32[] memory models, uint32[] memory speeds, uint256 ppm) = stakes.claimsOf(provider);
        assertEq(models.length, 1, "one");
        assertEq(models[0], LARGE, "model");
        assertEq(speeds[0], 50, "speed");
        assertEq(ppm, 1_000_000, "demand");
    }

    function test_declare_more_needsMoreStake() external {
        measured();
        stakeAs(provider, Role.Provider, MINIMUM, address(0));
        _declare(SMALL, 1_000);
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_ClaimNotCovered.selector, 2 * MINIMUM, 4 * MINIMUM));
        _declare(LARGE, 100);
        stakeAs(provider, Role.Provider, 2 * MINIMUM, address(0));
        _declare(LARGE, 100);
        assertEq(stakes.requiredStake(provider, Role.Provider), 4 * MINIMUM, "the minimum and both");
        vm.prank(provider);
        stakes.unbond(Role.Provider, 1);
        assertFalse(active(), "no longer covered");
    }

    function test_declare_less_isAlwaysPossible() external {
        measured();
        stakeAs(provider, Role.Provider, 2 * MINIMUM, address(0));
        _declare(LARGE, 100);
        vm.prank(slasher);
        stakes.slash(provider, Role.Provider, 6_000, address(0), address(0), "fraud");
        _declare(LARGE, 50);
        assertFalse(active(), "1,200 of the 2,000 it asks for");
        _declare(LARGE, 0);
        (bytes32[] memory models,, uint256 ppm) = stakes.claimsOf(provider);
        assertEq(models.length, 0, "none");
        assertEq(ppm, 0, "nothing asked");
    }

    function test_declare_withdrawnOneOfMany_keepsTheOthers() external {
        for (uint32 i = 1; i < 5; ++i) {
            _declare(bytes32(uint256(i)), i);
        }
        _declare(bytes32(uint256(2)), 0);
        _declare(bytes32(uint256(9)), 0);
        (bytes32[] memory models, uint32[] memory speeds,) = stakes.claimsOf(provider);
        assertEq(models.length, 3, "three");
        assertEq(models[1], bytes32(uint256(4)), "the last took its place");
        assertEq(speeds[1], 4, "with its speed");
    }

    function test_declare_tooMany_reverts() external {
        measured();
        stakeAs(provider, Role.Provider, 100 * MINIMUM, address(0));
        for (uint32 i = 1; i <= 16; ++i) {
            coefficients.set(bytes32(uint256(i)), 1);
            _declare(bytes32(uint256(i)), i);
        }
        _declare(bytes32(uint256(16)), 17);
        vm.snapshotGasLastCall("stake", "StakeRegistry.declare, with sixteen models");
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_TooManyModels.selector, 16));
        _declare(bytes32(uint256(17)), 1);
    }

    function test_declare_absurdSpeed_isBounded() external {
        measured();
        coefficients.set(LARGE, type(uint32).max);
        stakeAs(provider, Role.Provider, 20_000_000e18, address(0));
        _declare(LARGE, type(uint32).max);
        assertEq(stakes.requiredStake(provider, Role.Provider), 10_000_000e18, "the highest minimum there is");
    }

    function test_declare_followsThePrice_succeeds() external {
        measured();
        priced();
        stakeAs(provider, Role.Provider, 2 * MINIMUM, address(0));
        _declare(LARGE, 100);
        week(0.1e8);
        assertEq(stakes.requiredStake(provider, Role.Provider), 3 * MINIMUM / 2, "half as much INFR");
    }

    function test_declare_notOperator_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IStakePricer.StakePricer_NotOperator.selector, stranger));
        stakes.declare(SMALL, 1);
    }

    function testFuzz_declare_addsUp(uint16 small, uint16 large) external {
        measured();
        stakeAs(provider, Role.Provider, 9_000_000e18, address(0));
        _declare(SMALL, small);
        _declare(LARGE, large);
        uint256 sum = MINIMUM * (uint256(small) * 1_000 + uint256(large) * 20_000) / 1_000_000;
        assertEq(stakes.requiredStake(provider, Role.Provider), MINIMUM + sum, "the minimum and the sum");
    }
}

contract StakeRegistry_Remeasure_Test is StakeFixture {
    function setUp() public override {
        super.setUp();
        measured();
        stakeAs(provider, Role.Provider, MINIMUM, address(0));
        vm.prank(provider);
        stakes.declare(LARGE, 50);
    }

    function test_remeasure_coefficientRises_leavesAWeek() external {
        coefficients.set(LARGE, 40_000);
        assertTrue(active(), "nothing before anybody looks");
        vm.prank(stranger);
        stakes.remeasure(provider);
        assertEq(stakes.requiredStake(provider, Role.Provider), 3 * MINIMUM, "twice as much for the claim");
        vm.warp(START + 7 days - 1);
        stakes.remeasure(provider);
        assertTrue(active(), "still in");
        vm.warp(START + 7 days);
        stakes.remeasure(provider);
        assertFalse(active(), "looking again does not prolong it");
    }

    function test_remeasure_risesAgain_leavesAWeekOfTheLowest() external {
        coefficients.set(LARGE, 40_000);
        stakes.remeasure(provider);
        vm.warp(START + 6 days);
        coefficients.set(LARGE, 80_000);
        stakes.remeasure(provider);
        vm.warp(START + 13 days - 1);
        assertTrue(active(), "a week from the last rise");
        vm.warp(START + 13 days);
        assertFalse(active(), "no longer");
    }

    function test_remeasure_falls_atOnce() external {
        coefficients.set(LARGE, 40_000);
        stakes.remeasure(provider);
        coefficients.set(LARGE, 10_000);
        stakes.remeasure(provider);
        vm.warp(START + 30 days);
        assertTrue(active(), "enough again");
        assertEq(stakes.requiredStake(provider, Role.Provider), 3 * MINIMUM / 2, "half as much for the claim");
    }
}

contract StakeRegistry_SetClaimPricer_Test is StakeFixture {
    function test_setClaimPricer_none_asksForNothing() external {
        measured();
        stakeAs(provider, Role.Provider, 2 * MINIMUM, address(0));
        vm.prank(provider);
        stakes.declare(LARGE, 100);
        expectEvent(address(stakes));
        emit IStakePricer.ClaimPricerChanged(address(0));
        vm.prank(governor);
        stakes.setClaimPricer(address(0));
        stakes.remeasure(provider);
        assertEq(stakes.requiredStake(provider, Role.Provider), MINIMUM, "the minimum");
        assertEq(stakes.claimPricer(), address(0), "none");
    }

    function test_setClaimPricer_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        stakes.setClaimPricer(address(coefficients));
    }
}
