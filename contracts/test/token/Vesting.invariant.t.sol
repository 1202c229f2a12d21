// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { INFR } from "../../src/INFR.sol";
import { EcosystemVesting } from "../../src/token/EcosystemVesting.sol";
import { Vesting } from "../../src/token/Vesting.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { EcosystemFixture } from "./EcosystemVesting.t.sol";

/// Time passes, volume comes in, donations too, and everybody releases whenever they like.
contract VestingHandler is EcosystemFixture {
    Vesting public team;
    uint256 public donated;
    uint256 public lowest = type(uint256).max;
    bool public rose;

    function setUp() public override {
        super.setUp();
        team = new Vesting(alice, 180_000_000e18, START + 365 days, 1095 days);
        infr.transfer(address(team), 180_000_000e18);
    }

    function network() external view returns (INFR, EcosystemVesting, address) {
        return (infr, wallet, timelock);
    }

    function release(bool ecosystem) external {
        if (ecosystem) wallet.release(address(infr));
        else team.release(address(infr));
        uint256 locked = wallet.lockedAt(block.timestamp) + team.lockedAt(block.timestamp);
        if (locked > lowest) rose = true;
        lowest = locked;
    }

    function work(uint256 amount) external {
        uint64 count = jobs.batchCount(router);
        uint256 before = count == 0 ? 0 : jobs.batch(router, count - 1).debited;
        commitVolume(router, before + bound(amount, 0, TARGET / 4));
    }

    function tell(uint256 volume) external {
        vm.prank(reporter);
        (bool accepted,) =
            address(wallet).call(abi.encodeCall(wallet.report, (bound(volume, 0, wallet.highestVolume()), routers())));
        accepted;
    }

    function donate(uint256 amount) external {
        amount = bound(amount, 0, 1_000_000e18);
        infr.transfer(address(wallet), amount);
        donated += amount;
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 60 days));
    }
}

contract Vesting_Invariant_Test is InvariantTest {
    VestingHandler private handler;
    INFR private infr;
    EcosystemVesting private ecosystem;
    address private timelock;

    function setUp() external {
        handler = new VestingHandler();
        handler.setUp();
        (infr, ecosystem, timelock) = handler.network();
        target = address(handler);
        selectors = [
            handler.release.selector, handler.work.selector, handler.tell.selector, handler.donate.selector, handler.pass.selector
        ];
    }

    function invariant_released_isVested() external view {
        uint64 now_ = uint64(block.timestamp);
        Vesting team = handler.team();
        assertLe(team.released(address(infr)), team.vestedAmount(address(infr), now_), "team");
        assertLe(ecosystem.released(address(infr)), ecosystem.vestedAmount(address(infr), now_), "ecosystem");
    }

    /// No more than time allows is ever out, whatever is reported.
    function invariant_ecosystem_staysBelowTime() external view {
        uint256 passed = block.timestamp - ecosystem.start();
        uint256 all = ecosystem.allocation() + handler.donated();
        uint256 highest = passed >= ecosystem.duration() ? all : all * passed / ecosystem.duration();
        assertLe(infr.balanceOf(timelock), highest, "time");
    }

    function invariant_wallets_loseNothing() external view {
        assertEq(
            infr.balanceOf(address(ecosystem)) + infr.balanceOf(timelock), ecosystem.allocation() + handler.donated(), "ecosystem"
        );
        assertFalse(handler.rose(), "what is locked only falls");
    }
}
