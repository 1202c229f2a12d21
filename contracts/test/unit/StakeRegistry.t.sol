// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { StakeRegistry as StakeRegistryImplementation } from "../../src/StakeRegistry.sol";
import { IStakeRegistry } from "../../src/interfaces/IStakeRegistry.sol";
import { HoldLib } from "../../src/libraries/Hold.sol";
import { Role } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";

contract StakeRegistry_Initialize_Test is Fixture {
    function test_initialize_parameters_succeeds() external view {
        assertEq(stakes.owner(), governor, "owner");
        assertEq(stakes.infr(), address(infr), "token");
        assertEq(stakes.unbondingPeriod(), UNBONDING, "period");
        assertEq(stakes.minimumStake(Role.Provider), MINIMUM, "minimum");
    }

    function test_initialize_again_reverts() external {
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        stakes.initialize(stranger, address(infr), 1, MINIMUM, MINIMUM, MINIMUM);
    }

    function test_initialize_noToken_reverts() external {
        address implementation = address(new StakeRegistryImplementation());
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_ZeroAddress.selector));
        proxy(implementation, abi.encodeCall(stakes.initialize, (governor, address(0), UNBONDING, MINIMUM, MINIMUM, MINIMUM)));
    }
}

contract StakeRegistry_Stake_Test is Fixture {
    function test_stake_registersOperator_succeeds() external {
        infr.transfer(stranger, MINIMUM);
        vm.startPrank(stranger);
        infr.approve(address(stakes), MINIMUM);
        expectEvent(address(stakes));
        emit IStakeRegistry.HotKeyRotated(stranger, alice, address(0));
        expectEvent(address(stakes));
        emit IStakeRegistry.OperatorRegistered(stranger, Role.Validator);
        expectEvent(address(stakes));
        emit IStakeRegistry.Staked(stranger, Role.Validator, MINIMUM, MINIMUM);
        stakes.stake(Role.Validator, MINIMUM, alice);
        vm.stopPrank();

        assertTrue(stakes.isActive(stranger, Role.Validator), "active");
        assertFalse(stakes.isActive(stranger, Role.Provider), "not in other roles");
        assertFalse(stakes.isActive(stranger, Role.None), "never in no role");
        assertEq(stakes.operatorOf(alice), stranger, "operator of hot key");
        assertEq(stakes.hotKeyOf(stranger), alice, "hot key of operator");
        assertEq(infr.balanceOf(address(stakes)), 4 * MINIMUM, "held");
    }

    function test_stake_more_succeeds() external {
        stakeAs(router, Role.Router, 5, address(0));
        (uint256 active,,) = stakes.stakeOf(router, Role.Router);
        assertEq(active, MINIMUM + 5, "adds up");
        assertEq(stakes.operatorCount(Role.Router), 2, "listed once");
        assertEq(stakes.hotKeyOf(router), routerHot, "zero keeps the key");
    }

    function test_stake_belowMinimum_reverts() external {
        infr.transfer(stranger, MINIMUM);
        vm.startPrank(stranger);
        infr.approve(address(stakes), MINIMUM);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_BelowMinimum.selector, MINIMUM - 1, MINIMUM));
        stakes.stake(Role.Provider, MINIMUM - 1, alice);
        vm.stopPrank();
    }

    function test_stake_noHotKey_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NoHotKey.selector, stranger));
        stakes.stake(Role.Provider, MINIMUM, address(0));
    }

    function test_stake_hotKeyOfAnother_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_HotKeyTaken.selector, routerHot, router));
        stakes.stake(Role.Provider, MINIMUM, routerHot);
    }

    function test_stake_noRole_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_UnknownRole.selector));
        stakes.stake(Role.None, MINIMUM, alice);
    }

    function test_stake_moreThanFits_reverts() external {
        vm.prank(router);
        expectRevert(abi.encodeWithSelector(HoldLib.Hold_Overflow.selector, uint256(type(uint96).max)));
        stakes.stake(Role.Router, type(uint96).max, address(0));
    }
}

contract StakeRegistry_StakeWithPermit_Test is Fixture {
    bytes32 private constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    function _permit() private view returns (uint8, bytes32, bytes32) {
        bytes32 structHash = keccak256(abi.encode(PERMIT, stranger, address(stakes), MINIMUM, 0, START + 1));
        return vm.sign(keyOf("stranger"), keccak256(abi.encodePacked(hex"1901", infr.DOMAIN_SEPARATOR(), structHash)));
    }

    function test_stakeWithPermit_noApproval_succeeds() external {
        infr.transfer(stranger, MINIMUM);
        (uint8 v, bytes32 r, bytes32 s) = _permit();
        vm.prank(stranger);
        stakes.stakeWithPermit(Role.Provider, MINIMUM, alice, START + 1, v, r, s);
        assertTrue(stakes.isActive(stranger, Role.Provider), "active");
    }

    function test_stakeWithPermit_permitSentAhead_succeeds() external {
        infr.transfer(stranger, MINIMUM);
        (uint8 v, bytes32 r, bytes32 s) = _permit();
        infr.permit(stranger, address(stakes), MINIMUM, START + 1, v, r, s);
        vm.prank(stranger);
        stakes.stakeWithPermit(Role.Provider, MINIMUM, alice, START + 1, v, r, s);
        assertTrue(stakes.isActive(stranger, Role.Provider), "active");
    }
}

contract StakeRegistry_RotateHotKey_Test is Fixture {
    function test_rotateHotKey_retiresTheOld_succeeds() external {
        vm.warp(START + 100);
        vm.prank(router);
        stakes.rotateHotKey(stranger);
        assertEq(stakes.operatorOf(routerHot), address(0), "the old key speaks for nobody");
        assertEq(stakes.operatorOf(stranger), router, "the new one does");
        assertTrue(stakes.isSigner(router, routerHot, START + 100), "what it signed before stays signed");
        assertFalse(stakes.isSigner(router, routerHot, START + 101), "and nothing after");
        assertTrue(stakes.isSigner(router, stranger, START + 101), "new key signs");
        assertFalse(stakes.isSigner(address(0), alice, START), "an unknown key signs for nobody");
    }

    function test_rotateHotKey_backToTheOld_succeeds() external {
        vm.startPrank(router);
        stakes.rotateHotKey(stranger);
        stakes.rotateHotKey(routerHot);
        stakes.rotateHotKey(routerHot);
        vm.stopPrank();
        assertEq(stakes.operatorOf(routerHot), router, "in use again");
        assertEq(stakes.operatorOf(stranger), address(0), "retired");
    }

    function test_rotateHotKey_retiredKeyOfAnother_reverts() external {
        vm.prank(router);
        stakes.rotateHotKey(stranger);
        vm.prank(other);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_HotKeyTaken.selector, routerHot, router));
        stakes.rotateHotKey(routerHot);
    }

    function test_rotateHotKey_toNone_reverts() external {
        vm.prank(router);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NoHotKey.selector, router));
        stakes.rotateHotKey(address(0));
    }

    function test_rotateHotKey_notOperator_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NotOperator.selector, stranger));
        stakes.rotateHotKey(alice);
    }
}

contract StakeRegistry_SetProfile_Test is Fixture {
    function test_setProfile_readBack_succeeds() external {
        expectEvent(address(stakes));
        emit IStakeRegistry.ProfileChanged(router, "https://router.example", "ipfs://profile");
        vm.prank(router);
        stakes.setProfile("https://router.example", "ipfs://profile");
        (string memory endpoint, string memory metadata) = stakes.profileOf(router);
        assertEq(endpoint, "https://router.example", "endpoint");
        assertEq(metadata, "ipfs://profile", "metadata");
    }

    function test_setProfile_tooLong_reverts() external {
        uint256 longest = stakes.LONGEST_PROFILE();
        vm.prank(router);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_ProfileTooLong.selector, longest + 1, longest));
        stakes.setProfile(string(new bytes(longest)), "x");
    }

    function test_setProfile_notOperator_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NotOperator.selector, stranger));
        stakes.setProfile("", "");
    }
}

contract StakeRegistry_Unbond_Test is Fixture {
    function test_unbond_stopsCounting_succeeds() external {
        expectEvent(address(stakes));
        emit IStakeRegistry.Unbonding(router, Role.Router, 1, START + UNBONDING);
        vm.prank(router);
        uint64 thawedAt = stakes.unbond(Role.Router, 1);
        (uint256 active, uint256 unbonding, uint64 at_) = stakes.stakeOf(router, Role.Router);
        assertEq(active, MINIMUM - 1, "active");
        assertEq(unbonding, 1, "unbonding");
        assertEq(at_, thawedAt, "when");
        assertFalse(stakes.isActive(router, Role.Router), "below the minimum");
    }

    function test_unbond_more_restartsTheClock() external {
        vm.startPrank(router);
        stakes.unbond(Role.Router, 1);
        vm.warp(START + UNBONDING);
        stakes.unbond(Role.Router, 1);
        expectRevert(abi.encodeWithSelector(HoldLib.Hold_NotThawed.selector, START + 2 * UNBONDING));
        stakes.withdraw(Role.Router);
        vm.warp(START + 2 * UNBONDING);
        assertEq(stakes.withdraw(Role.Router), 2, "both");
        vm.stopPrank();
    }

    function test_unbond_moreThanActive_reverts() external {
        vm.prank(router);
        expectRevert(abi.encodeWithSelector(HoldLib.Hold_InsufficientActive.selector, MINIMUM + 1, MINIMUM));
        stakes.unbond(Role.Router, MINIMUM + 1);
    }

    function test_unbond_ofAnotherRole_reverts() external {
        vm.prank(router);
        expectRevert(abi.encodeWithSelector(HoldLib.Hold_InsufficientActive.selector, 1, 0));
        stakes.unbond(Role.Provider, 1);
    }
}

contract StakeRegistry_Withdraw_Test is Fixture {
    function test_withdraw_afterThePeriod_succeeds() external {
        vm.startPrank(router);
        stakes.unbond(Role.Router, MINIMUM);
        vm.warp(START + UNBONDING);
        expectEvent(address(stakes));
        emit IStakeRegistry.Withdrawn(router, Role.Router, MINIMUM);
        assertEq(stakes.withdraw(Role.Router), MINIMUM, "amount");
        assertEq(infr.balanceOf(router), MINIMUM, "received");
        assertEq(stakes.withdraw(Role.Router), 0, "once");
        vm.stopPrank();
    }

    function test_withdraw_early_reverts() external {
        vm.startPrank(router);
        stakes.unbond(Role.Router, MINIMUM);
        vm.warp(START + UNBONDING - 1);
        expectRevert(abi.encodeWithSelector(HoldLib.Hold_NotThawed.selector, START + UNBONDING));
        stakes.withdraw(Role.Router);
        vm.stopPrank();
    }

    function test_withdraw_whileJailed_succeeds() external {
        vm.prank(router);
        stakes.unbond(Role.Router, MINIMUM);
        vm.prank(slasher);
        stakes.jail(router, START + 300 days, "fraud");
        vm.warp(START + UNBONDING);
        vm.prank(router);
        assertEq(stakes.withdraw(Role.Router), MINIMUM, "jail keeps out, not in");
    }
}

contract StakeRegistry_Slash_Test is Fixture {
    function test_slash_divides_succeeds() external {
        uint256 supply = infr.totalSupply();
        expectEvent(address(stakes));
        emit IStakeRegistry.Slashed(provider, Role.Provider, "fraud", MINIMUM / 10, alice, stranger, MINIMUM / 50);
        vm.prank(slasher);
        assertEq(stakes.slash(provider, Role.Provider, 1_000, alice, stranger, "fraud"), MINIMUM / 10, "ten per cent");
        assertEq(infr.balanceOf(alice), MINIMUM / 25, "40 % of it to the harmed");
        assertEq(infr.balanceOf(stranger), MINIMUM / 25, "40 % to the challenger");
        assertEq(supply - infr.totalSupply(), MINIMUM / 50, "20 % burned");
        assertFalse(stakes.isActive(provider, Role.Provider), "below the minimum now");
    }

    function test_slash_nobodyHarmed_burnsTheShare() external {
        uint256 supply = infr.totalSupply();
        vm.prank(slasher);
        stakes.slash(provider, Role.Provider, 10_000, address(0), address(0), "downtime");
        assertEq(supply - infr.totalSupply(), MINIMUM, "all burned");
        (uint256 active, uint256 unbonding,) = stakes.stakeOf(provider, Role.Provider);
        assertEq(active + unbonding, 0, "nothing left");
    }

    function test_slash_reachesUnbonding_succeeds() external {
        vm.prank(provider);
        stakes.unbond(Role.Provider, MINIMUM / 2);
        vm.prank(slasher);
        stakes.slash(provider, Role.Provider, 7_500, address(0), address(0), "fraud");
        (uint256 active, uint256 unbonding,) = stakes.stakeOf(provider, Role.Provider);
        assertEq(unbonding, 0, "unbonding first");
        assertEq(active, MINIMUM / 4, "then active");
    }

    function test_slash_oneRoleOnly_succeeds() external {
        stakeAs(provider, Role.Validator, MINIMUM, address(0));
        vm.prank(slasher);
        stakes.slash(provider, Role.Provider, 10_000, address(0), address(0), "fraud");
        assertTrue(stakes.isActive(provider, Role.Validator), "other roles answer for themselves");
    }

    function test_slash_noSlasher_reverts() external {
        address[3] memory callers = [stranger, governor, provider];
        for (uint256 i; i < callers.length; ++i) {
            vm.prank(callers[i]);
            expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NotSlasher.selector, callers[i]));
            stakes.slash(provider, Role.Provider, 1, address(0), address(0), "fraud");
        }
    }

    function test_slash_bpsOutOfRange_reverts() external {
        vm.startPrank(slasher);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_BpsOutOfRange.selector, 0));
        stakes.slash(provider, Role.Provider, 0, address(0), address(0), "fraud");
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_BpsOutOfRange.selector, 10_001));
        stakes.slash(provider, Role.Provider, 10_001, address(0), address(0), "fraud");
        vm.stopPrank();
    }

    function testFuzz_slash_neverMoreThanThereIs(uint96 stake, uint96 unbonding, uint16 bps, bool harmed, bool challenged)
        external
    {
        uint256 amount = bound(stake, 0, 500_000_000e18);
        uint256 share = bound(bps, 1, 10_000);
        stakeAs(provider, Role.Provider, amount, address(0));
        vm.prank(provider);
        stakes.unbond(Role.Provider, bound(unbonding, 0, MINIMUM + amount));
        uint256 supply = infr.totalSupply();
        uint256 held = infr.balanceOf(address(stakes));

        vm.prank(slasher);
        uint256 taken = stakes.slash(
            provider, Role.Provider, share, harmed ? alice : address(0), challenged ? stranger : address(0), "fraud"
        );

        (uint256 active, uint256 thawing,) = stakes.stakeOf(provider, Role.Provider);
        assertEq(taken, (MINIMUM + amount) * share / 10_000, "the share asked for");
        assertEq(active + thawing, MINIMUM + amount - taken, "what is left");
        assertEq(held - infr.balanceOf(address(stakes)), taken, "what left the registry");
        assertEq(taken, supply - infr.totalSupply() + infr.balanceOf(alice) + infr.balanceOf(stranger), "nothing is lost");
        if (harmed) assertEq(infr.balanceOf(alice), taken * 4 / 10, "40 %");
        if (challenged) assertEq(infr.balanceOf(stranger), taken * 4 / 10, "40 %");
        assertGe(supply - infr.totalSupply(), taken / 5, "at least 20 % burned");
    }
}

contract StakeRegistry_SlashAmount_Test is Fixture {
    function test_slashAmount_exact_succeeds() external {
        vm.prank(slasher);
        assertEq(stakes.slashAmount(provider, Role.Provider, 10, alice, stranger, "late"), 10, "taken");
        assertEq(infr.balanceOf(alice), 4, "harmed");
        assertEq(infr.balanceOf(stranger), 4, "challenger");
    }

    function test_slashAmount_moreThanThereIs_takesAll() external {
        vm.prank(slasher);
        uint256 taken = stakes.slashAmount(provider, Role.Provider, type(uint256).max, alice, stranger, "fraud");
        assertEq(taken, MINIMUM, "all there is");
    }

    function test_slashAmount_noSlasher_reverts() external {
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NotSlasher.selector, address(this)));
        stakes.slashAmount(provider, Role.Provider, 1, alice, stranger, "fraud");
    }
}

contract StakeRegistry_Jail_Test is Fixture {
    function test_jail_untilThen_succeeds() external {
        expectEvent(address(stakes));
        emit IStakeRegistry.Jailed(router, START + 10, "bias");
        vm.prank(slasher);
        stakes.jail(router, START + 10, "bias");
        assertEq(stakes.jailedUntil(router), START + 10, "until");
        assertFalse(stakes.isActive(router, Role.Router), "inactive");
        vm.warp(START + 10);
        assertTrue(stakes.isActive(router, Role.Router), "active again");
    }

    function test_jail_release_succeeds() external {
        vm.startPrank(slasher);
        stakes.jail(router, START + 10, "bias");
        stakes.jail(router, 0, "cleared");
        vm.stopPrank();
        assertTrue(stakes.isActive(router, Role.Router), "released");
    }

    function test_jail_tooLong_reverts() external {
        uint64 latest = START + 365 days;
        vm.prank(slasher);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_JailTooLong.selector, latest + 1, latest));
        stakes.jail(router, latest + 1, "bias");
    }

    function test_jail_noSlasher_reverts() external {
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NotSlasher.selector, governor));
        stakes.jail(router, START + 10, "bias");
    }
}

contract StakeRegistry_SetMinimumStake_Test is Fixture {
    function test_setMinimumStake_appliesAtOnce_succeeds() external {
        vm.prank(governor);
        stakes.setMinimumStake(Role.Router, MINIMUM + 1);
        assertFalse(stakes.isActive(router, Role.Router), "raised");
        vm.prank(governor);
        stakes.setMinimumStake(Role.Router, MINIMUM);
        assertTrue(stakes.isActive(router, Role.Router), "lowered");
    }

    function test_setMinimumStake_outOfBounds_reverts() external {
        uint256 lowest = stakes.LOWEST_MINIMUM();
        uint256 highest = stakes.HIGHEST_MINIMUM();
        vm.startPrank(governor);
        bytes4 selector = IStakeRegistry.StakeRegistry_MinimumOutOfBounds.selector;
        expectRevert(abi.encodeWithSelector(selector, lowest - 1, lowest, highest));
        stakes.setMinimumStake(Role.Router, lowest - 1);
        expectRevert(abi.encodeWithSelector(selector, highest + 1, lowest, highest));
        stakes.setMinimumStake(Role.Router, highest + 1);
        vm.stopPrank();
    }

    function test_setMinimumStake_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        stakes.setMinimumStake(Role.Router, MINIMUM);
    }
}

contract StakeRegistry_SetUnbondingPeriod_Test is Fixture {
    function test_setUnbondingPeriod_forTheFuture_succeeds() external {
        vm.prank(router);
        stakes.unbond(Role.Router, 1);
        vm.prank(governor);
        stakes.setUnbondingPeriod(90 days);
        vm.warp(START + UNBONDING);
        vm.prank(router);
        assertEq(stakes.withdraw(Role.Router), 1, "what unbonds already keeps its time");
    }

    function test_setUnbondingPeriod_outOfBounds_reverts() external {
        vm.startPrank(governor);
        bytes4 selector = IStakeRegistry.StakeRegistry_PeriodOutOfBounds.selector;
        expectRevert(abi.encodeWithSelector(selector, uint64(0), uint64(1), uint64(90 days)));
        stakes.setUnbondingPeriod(0);
        expectRevert(abi.encodeWithSelector(selector, uint64(90 days + 1), uint64(1), uint64(90 days)));
        stakes.setUnbondingPeriod(90 days + 1);
        vm.stopPrank();
    }

    function test_setUnbondingPeriod_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        stakes.setUnbondingPeriod(1);
    }
}

contract StakeRegistry_SetSlasher_Test is Fixture {
    function test_setSlasher_revoked_reverts() external {
        vm.prank(governor);
        stakes.setSlasher(slasher, false);
        assertFalse(stakes.isSlasher(slasher), "no longer");
        vm.prank(slasher);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NotSlasher.selector, slasher));
        stakes.jail(router, START, "bias");
    }

    function test_setSlasher_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        stakes.setSlasher(stranger, true);
    }
}

contract StakeRegistry_Operators_Test is Fixture {
    function test_operators_pages_succeeds() external view {
        address[] memory page = stakes.operators(Role.Router, 0, 10);
        assertEq(page.length, 2, "both");
        assertEq(page[0], router, "in order");
        assertEq(page[1], other, "of registration");
        page = stakes.operators(Role.Router, 1, 1);
        assertEq(page.length, 1, "one");
        assertEq(page[0], other, "the second");
        assertEq(stakes.operators(Role.Router, 2, 5).length, 0, "past the end");
        assertEq(stakes.operators(Role.Router, type(uint256).max, type(uint256).max).length, 0, "far past the end");
    }
}

