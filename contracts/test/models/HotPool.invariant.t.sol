// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { DevUSDC } from "../../src/dev/DevUSDC.sol";
import { IHotPool } from "../../src/interfaces/IHotPool.sol";
import { IModelRegistry } from "../../src/interfaces/IModelRegistry.sol";
import { HotPool } from "../../src/models/HotPool.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { ModelsFixture } from "./ModelsFixture.sol";

/// Providers, routers, the treasury and the governor, doing in any order what they may.
contract HotPoolHandler is ModelsFixture {
    uint256 public constant PROVIDERS = 6;

    uint256 public funded;
    uint256 public withdrawn;
    uint256 public paid;
    /// The most that seats can have cost: the rate in force, for every second that passed.
    uint256 public ceiling;
    uint64 private sequence;

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < PROVIDERS; ++i) {
            providerAt(i);
        }
    }

    function network() external view returns (HotPool, DevUSDC, bytes32) {
        return (pool, usdc, MODEL);
    }

    function operatorAt(uint256 i) public pure returns (address) {
        return actor(nameOf(i % PROVIDERS));
    }

    function fund(uint256 amount) external {
        amount = bound(amount, 1, 2_000_000);
        funded += amount;
        fundPool(amount);
    }

    function withdraw(uint256 amount) external {
        (,, uint256 budget,,) = pool.accountOf(MODEL);
        amount = bound(amount, 0, budget);
        withdrawn += amount;
        vm.prank(governor);
        pool.withdrawBudget(MODEL, amount, treasury);
    }

    function bid(uint256 who, uint64 ask) external {
        vm.prank(operatorAt(who));
        try pool.bid(MODEL, uint64(bound(ask, 0, 100)), loadout()) { } catch { }
    }

    function lower(uint256 who, uint64 ask) external {
        vm.prank(operatorAt(who));
        try pool.lowerAsk(MODEL, uint64(bound(ask, 0, 100))) { } catch { }
    }

    function giveNotice(uint256 who) external {
        vm.prank(operatorAt(who));
        try pool.giveNotice(MODEL) { } catch { }
    }

    function beat(uint256 who, uint256 late) external {
        who %= PROVIDERS;
        late = bound(late, 0, FRESHNESS);
        send(IHotPool.Heartbeat(operatorAt(who), MODEL, uint40(block.timestamp - late)), hotNameOf(who));
    }

    function evict(uint256 who) external {
        try pool.evict(MODEL, operatorAt(who)) returns (uint256 reward) {
            paid += reward;
        } catch { }
    }

    function claim(uint256 who) external {
        bool seated = seatOf(operatorAt(who)).provider != address(0);
        paid += pool.claim(operatorAt(who), seated ? list(MODEL) : new bytes32[](0));
    }

    function signal(uint8 wanted) external {
        send(signalOf(router, wanted, ++sequence), "router hot key");
    }

    function close() external {
        pool.closeEpoch(MODEL);
    }

    function reprice(uint64 rate) external {
        IModelRegistry.Terms memory next = terms();
        next.subsidyRate = uint64(bound(rate, 0, 400));
        vm.prank(governor);
        registry.setTerms(MODEL, next);
    }

    function pass(uint256 time) external {
        time = bound(time, 0, 2 * FRESHNESS);
        ceiling += 400 * time;
        wait(time);
    }
}

contract HotPool_Invariant_Test is InvariantTest {
    HotPoolHandler private handler;
    HotPool private pool;
    DevUSDC private usdc;
    bytes32 private model;

    function setUp() external {
        handler = new HotPoolHandler();
        handler.setUp();
        (pool, usdc, model) = handler.network();
        target = address(handler);
        selectors = [
            handler.fund.selector,
            handler.withdraw.selector,
            handler.bid.selector,
            handler.bid.selector,
            handler.lower.selector,
            handler.giveNotice.selector,
            handler.beat.selector,
            handler.beat.selector,
            handler.evict.selector,
            handler.claim.selector,
            handler.signal.selector,
            handler.close.selector,
            handler.reprice.selector,
            handler.pass.selector,
            handler.pass.selector
        ];
    }

    /// What was paid and earned never exceeds what was funded, and every unit is where the books say.
    function invariant_money_isConserved() external view {
        uint256 owed;
        for (uint256 i; i < handler.PROVIDERS(); ++i) {
            owed += pool.balanceOf(handler.operatorAt(i));
        }
        (uint256 funded, uint256 withdrawn, uint256 budget, uint256 reserved, uint256 credited) = pool.accountOf(model);
        assertEq(funded, handler.funded(), "funded");
        assertEq(withdrawn, handler.withdrawn(), "withdrawn");
        assertEq(credited, handler.paid() + owed, "credited is paid or owed");
        assertEq(usdc.balanceOf(address(pool)), budget + reserved + owed, "held");
    }

    /// Every second that is earned but not credited yet is set aside already.
    function invariant_reserve_isWhatSeatsWait() external view {
        IHotPool.Seat[] memory seats = pool.seatsOf(model);
        uint256 aside;
        for (uint256 i; i < seats.length; ++i) {
            aside += uint256(seats[i].rate) * (seats[i].backedUntil - seats[i].settledAt);
        }
        (,,, uint256 reserved,) = pool.accountOf(model);
        assertEq(reserved, aside, "reserved");
    }

    function invariant_rate_isNeverExceeded() external view {
        (,,,, uint256 credited) = pool.accountOf(model);
        assertLe(credited, handler.ceiling(), "rate");
    }

    function invariant_seats_stayInBounds() external view {
        (, uint8 minSeats, uint8 maxSeats, uint8 seats, uint8 taken) = pool.poolOf(model);
        assertTrue(minSeats <= seats && seats <= maxSeats, "bounds");
        assertLe(taken, maxSeats, "taken");
        uint256 listed;
        for (uint256 i; i < handler.PROVIDERS(); ++i) {
            listed += pool.modelsOf(handler.operatorAt(i)).length;
        }
        assertEq(listed, taken, "each seat is on its provider's list");
    }
}
