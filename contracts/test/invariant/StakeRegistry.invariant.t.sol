// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { INFR } from "../../src/INFR.sol";
import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { Role } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";

/// Operators staking, leaving, changing keys and being slashed in any order.
contract StakeHandler is Fixture {
    uint256 public constant OPERATORS = 3;

    uint256 public staked;
    uint256 public withdrawn;
    uint256 public slashed;
    uint256 public burned;

    function setUp() public override {
        super.setUp();
        staked = 3 * MINIMUM;
    }

    function network() external view returns (address, address) {
        return (address(stakes), address(infr));
    }

    function operatorAt(uint256 i) public view returns (address) {
        return [router, other, provider][i % OPERATORS];
    }

    function hotKeyAt(uint256 i) public view returns (address) {
        return [routerHot, otherHot, providerHot, actor("spare"), actor("spare 2")][i % 5];
    }

    function roleAt(uint256 i) public pure returns (Role) {
        return Role(1 + i % 3);
    }

    function stake(uint256 who, uint256 role, uint256 amount) external {
        amount = bound(amount, MINIMUM, 1_000_000e18);
        stakeAs(operatorAt(who), roleAt(role), amount, address(0));
        staked += amount;
    }

    function unbond(uint256 who, uint256 role, uint256 amount) external {
        (uint256 active,,) = stakes.stakeOf(operatorAt(who), roleAt(role));
        vm.prank(operatorAt(who));
        stakes.unbond(roleAt(role), bound(amount, 0, active));
    }

    function withdraw(uint256 who, uint256 role) external {
        (,, uint64 thawedAt) = stakes.stakeOf(operatorAt(who), roleAt(role));
        if (block.timestamp < thawedAt) return;
        vm.prank(operatorAt(who));
        withdrawn += stakes.withdraw(roleAt(role));
    }

    function slash(uint256 who, uint256 role, uint256 bps, bool harmed) external {
        uint256 supply = infr.totalSupply();
        (uint256 active, uint256 unbonding,) = stakes.stakeOf(operatorAt(who), roleAt(role));
        vm.prank(slasher);
        uint256 taken =
            stakes.slash(operatorAt(who), roleAt(role), bound(bps, 1, 10_000), harmed ? alice : address(0), stranger, "fraud");
        assertLe(taken, active + unbonding, "no more than there was");
        slashed += taken;
        burned += supply - infr.totalSupply();
    }

    function rotate(uint256 who, uint256 key) external {
        address operator = operatorAt(who);
        vm.prank(operator);
        (bool accepted,) = address(stakes).call(abi.encodeCall(stakes.rotateHotKey, (hotKeyAt(key))));
        if (accepted) assertEq(stakes.operatorOf(hotKeyAt(key)), operator, "a key taken is a key held");
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 10 days));
    }
}

contract StakeRegistry_Invariant_Test is InvariantTest {
    StakeHandler private handler;
    StakeRegistry private stakes;
    INFR private infr;

    function setUp() external {
        handler = new StakeHandler();
        handler.setUp();
        (address stakes_, address infr_) = handler.network();
        (stakes, infr) = (StakeRegistry(stakes_), INFR(infr_));
        target = address(handler);
        selectors = [
            handler.stake.selector,
            handler.unbond.selector,
            handler.withdraw.selector,
            handler.slash.selector,
            handler.rotate.selector,
            handler.wait.selector
        ];
    }

    /// Every INFR in the registry is somebody's stake, and every INFR staked is held, withdrawn or slashed.
    function invariant_stake_addsUp() external view {
        uint256 sum;
        for (uint256 i; i < handler.OPERATORS(); ++i) {
            for (uint256 role; role < 3; ++role) {
                (uint256 active, uint256 unbonding,) = stakes.stakeOf(handler.operatorAt(i), handler.roleAt(role));
                sum += active + unbonding;
            }
        }
        assertEq(infr.balanceOf(address(stakes)), sum, "held");
        assertEq(handler.staked(), sum + handler.withdrawn() + handler.slashed(), "nothing lost, nothing invented");
    }

    /// A fifth or more of all that is slashed is burned, and the supply only ever falls.
    function invariant_slashing_burns() external view {
        assertGe(handler.burned() * 5, handler.slashed(), "20 %");
        assertEq(infr.totalSupply() + handler.burned(), infr.SUPPLY(), "supply");
    }

    /// Operator and hot key name each other.
    function invariant_hotKeys_areOfOneOperator() external view {
        for (uint256 i; i < handler.OPERATORS(); ++i) {
            address operator = handler.operatorAt(i);
            assertEq(stakes.operatorOf(stakes.hotKeyOf(operator)), operator, "one to one");
        }
    }
}
