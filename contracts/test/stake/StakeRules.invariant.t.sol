// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { INFR } from "../../src/INFR.sol";
import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { ISlashTable } from "../../src/interfaces/ISlashTable.sol";
import { Role } from "../../src/libraries/Types.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { StakeFixture } from "./StakeFixture.sol";

/// Prices moving, coefficients changing, claims and offences in any order.
contract RulesHandler is StakeFixture {
    uint256 public staked = 3 * MINIMUM;
    uint256 public withdrawn;
    uint256 public slashed;
    uint256 public burned;

    function setUp() public override {
        super.setUp();
        priced();
        measured();
        vm.startPrank(governor);
        stakes.setOffence(0, ISlashTable.Offence(100, 5_000, 30 days));
        stakes.setOffence("fraud", ISlashTable.Offence(10_000, 10_000, 30 days));
        vm.stopPrank();
    }

    function network() external view returns (StakeRegistry, INFR, address) {
        return (stakes, infr, provider);
    }

    function stake(uint256 amount) external {
        uint256 needed = minimum();
        amount = bound(amount, needed, needed + 1_000_000e18);
        if (infr.balanceOf(address(this)) < amount) return;
        (uint256 bonded, uint256 unbonding,) = stakes.stakeOf(provider, Role.Provider);
        if (bonded + unbonding > 100_000_000e18) return;
        stakeAs(provider, Role.Provider, amount, address(0));
        staked += amount;
    }

    function leave(uint256 amount) external {
        (uint256 bonded,,) = stakes.stakeOf(provider, Role.Provider);
        vm.startPrank(provider);
        stakes.unbond(Role.Provider, bound(amount, 0, bonded));
        vm.warp(block.timestamp + UNBONDING);
        withdrawn += stakes.withdraw(Role.Provider);
        vm.stopPrank();
    }

    function declare(uint256 model, uint16 speed) external {
        vm.prank(provider);
        (bool covered,) = address(stakes).call(abi.encodeCall(stakes.declare, (model % 2 == 0 ? SMALL : LARGE, speed)));
        (uint256 bonded,,) = stakes.stakeOf(provider, Role.Provider);
        if (!covered) assertLe(bonded, 10_000_000e18, "whoever has the most may claim the most");
    }

    function coefficient(uint256 model, uint32 ppm) external {
        coefficients.set(model % 2 == 0 ? SMALL : LARGE, ppm);
        stakes.remeasure(provider);
    }

    function move(uint256 answer, uint256 time) external {
        vm.warp(block.timestamp + bound(time, 7 days, 20 days));
        feed.set(int256(bound(answer, 1, 1e18)), block.timestamp);
        uint256 before = minimum();
        bool was = active();
        stakes.reprice();
        assertLe(minimum(), 2 * before, "pace");
        if (was) assertTrue(active(), "nobody falls out in the week of a rise");
    }

    function slash(uint256 bps, bool fraud) external {
        uint256 supply = infr.totalSupply();
        (uint256 bonded, uint256 unbonding,) = stakes.stakeOf(provider, Role.Provider);
        bytes32 reason = fraud ? bytes32("fraud") : bytes32("late");
        uint256 limit = stakes.slashLimit(provider, Role.Provider, reason);
        vm.prank(slasher);
        uint256 taken = stakes.slash(provider, Role.Provider, bound(bps, 1, 10_000), alice, stranger, reason);
        assertLe(taken, (bonded + unbonding) * limit / 10_000, "limit");
        slashed += taken;
        burned += supply - infr.totalSupply();
    }
}

contract StakeRules_Invariant_Test is InvariantTest {
    RulesHandler private handler;
    StakeRegistry private stakes;
    INFR private infr;
    address private provider;

    function setUp() external {
        handler = new RulesHandler();
        handler.setUp();
        (stakes, infr, provider) = handler.network();
        target = address(handler);
        selectors = [
            handler.stake.selector,
            handler.leave.selector,
            handler.declare.selector,
            handler.coefficient.selector,
            handler.move.selector,
            handler.slash.selector
        ];
    }

    /// Every INFR staked is held, withdrawn or slashed, whatever the rules limit.
    function invariant_stake_isConserved() external view {
        (uint256 bonded, uint256 unbonding,) = stakes.stakeOf(provider, Role.Provider);
        uint256 held = infr.balanceOf(address(stakes));
        assertEq(held, bonded + unbonding + 2_000e18, "held for the provider and the two routers");
        assertEq(handler.staked(), held + handler.withdrawn() + handler.slashed(), "conserved");
        assertGe(handler.burned() * 5, handler.slashed(), "a fifth is burned");
    }

    /// No price and no claim moves a minimum out of its bounds.
    function invariant_minimum_isWithinBounds() external view {
        uint256 least = stakes.minimumStake(Role.Provider);
        uint256 required = stakes.requiredStake(provider, Role.Provider);
        assertGe(least, stakes.LOWEST_MINIMUM(), "lowest");
        assertGe(required, least, "claims only add");
        assertLe(required, stakes.HIGHEST_MINIMUM(), "highest");
    }

    /// Whoever has what is asked for now is active.
    function invariant_enough_isActive() external view {
        (uint256 bonded,,) = stakes.stakeOf(provider, Role.Provider);
        if (bonded >= stakes.requiredStake(provider, Role.Provider)) {
            assertTrue(stakes.isActive(provider, Role.Provider), "active");
        }
    }
}
