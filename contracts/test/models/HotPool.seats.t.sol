// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IHotPool } from "../../src/interfaces/IHotPool.sol";
import { Role } from "../../src/libraries/Types.sol";
import { ModelsFixture } from "./ModelsFixture.sol";

contract HotPool_Bid_Test is ModelsFixture {
    function test_bid_freeSeat_succeeds() external {
        fundPool(1e9);
        address operator = providerAt(0);
        expectEvent(address(pool));
        emit IHotPool.SeatTaken(MODEL, operator, 80, loadout());
        expectEvent(address(pool));
        emit IHotPool.HeartbeatSeen(MODEL, operator, uint40(START), uint40(START) + FRESHNESS, 80);
        vm.prank(operator);
        pool.bid(MODEL, 80, loadout());
        IHotPool.Seat memory seat = seatOf(operator);
        assertEq(seat.ask, 80, "ask");
        assertEq(seat.loadout.tokensPerSecond, 50, "loadout");
        assertEq(seat.loadout.capacity, 8, "capacity");
        assertEq(seat.loadout.tiers, 0x06, "tiers");
        assertEq(seat.stake, MINIMUM / 2, "what its throughput asks for");
        assertTrue(pool.isPresent(MODEL, operator), "present");
        assertEq(pool.modelsOf(operator)[0], MODEL, "models");
        (,, uint256 budget, uint256 reserved,) = pool.accountOf(MODEL);
        assertEq(reserved, uint256(80) * FRESHNESS, "set aside");
        assertEq(budget, 1e9 - uint256(80) * FRESHNESS, "left");
    }

    function test_bid_cheaperByTheMargin_displacesTheDearest() external {
        fundPool(1e9);
        address first = bidAs(0, 90);
        address second = bidAs(1, 100);
        wait(600);
        address challenger = providerAt(2);
        expectEvent(address(pool));
        emit IHotPool.Earned(MODEL, second, 60_000);
        expectEvent(address(pool));
        emit IHotPool.SeatDisplaced(MODEL, second, challenger);
        bidAs(2, 95);
        assertEq(pool.balanceOf(second), 60_000, "paid for the time it sat");
        assertEq(pool.modelsOf(second).length, 0, "left");
        assertEq(seatOf(first).ask, 90, "the cheaper one stays");
        assertEq(seatOf(challenger).ask, 95, "seated");
        assertEq(taken(), 2, "as many as before");
    }

    function test_bid_equallyDear_displacesTheYoungest() external {
        address old = bidAs(0, 100);
        wait(1);
        address young = bidAs(1, 100);
        bidAs(2, 50);
        assertEq(seatOf(old).ask, 100, "stays");
        assertEq(seatOf(young).provider, address(0), "went");
    }

    function test_bid_noticeOver_takesThatSeat() external {
        address leaving = bidAs(0, 10);
        bidAs(1, 100);
        vm.prank(leaving);
        pool.giveNotice(MODEL);
        wait(NOTICE);
        address next = providerAt(2);
        expectEvent(address(pool));
        emit IHotPool.SeatLeft(MODEL, leaving);
        vm.prank(next);
        pool.bid(MODEL, 100, loadout());
        assertEq(seatOf(leaving).provider, address(0), "gone");
        assertEq(taken(), 2, "taken");
    }

    /// A seat under notice is paid until its end: nobody takes it before.
    function test_bid_allUnderNotice_reverts() external {
        for (uint256 i; i < 2; ++i) {
            address operator = bidAs(i, 100);
            vm.prank(operator);
            pool.giveNotice(MODEL);
        }
        address challenger = providerAt(2);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NotCheaper.selector, 1, 0));
        vm.prank(challenger);
        pool.bid(MODEL, 1, loadout());
    }

    function testFuzz_bid_notCheaperByTheMargin_reverts(uint64 highest, uint64 ask) external {
        highest = uint64(bound(highest, 0, 100));
        ask = uint64(bound(ask, 0, 100));
        vm.assume(ask * 100 > highest * 95 || ask == highest);
        bidAs(0, highest);
        bidAs(1, highest);
        address challenger = providerAt(2);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NotCheaper.selector, ask, highest));
        vm.prank(challenger);
        pool.bid(MODEL, ask, loadout());
    }

    function test_bid_closed_reverts() external {
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_Closed.selector, bytes32("x")));
        pool.bid("x", 0, loadout());
    }

    function test_bid_tooDear_reverts() external {
        address operator = providerAt(0);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_AskTooHigh.selector, 101, 100));
        vm.prank(operator);
        pool.bid(MODEL, 101, loadout());
    }

    function test_bid_badLoadout_reverts() external {
        IHotPool.Loadout[5] memory bad = [
            IHotPool.Loadout(0, 8, 2),
            IHotPool.Loadout(50, 0, 2),
            IHotPool.Loadout(50, 8, 0),
            IHotPool.Loadout(50, 8, 1),
            IHotPool.Loadout(50, 8, 0x10)
        ];
        for (uint256 i; i < bad.length; ++i) {
            expectRevert(abi.encodeWithSelector(IHotPool.HotPool_BadLoadout.selector));
            pool.bid(MODEL, 100, bad[i]);
        }
    }

    function test_bid_twice_reverts() external {
        address operator = bidAs(0, 100);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_AlreadySeated.selector, MODEL, operator));
        vm.prank(operator);
        pool.bid(MODEL, 10, loadout());
    }

    function test_bid_noProvider_reverts() external {
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_ProviderInactive.selector, router));
        vm.prank(router);
        pool.bid(MODEL, 100, loadout());
    }

    function test_bid_stakeTooLow_reverts() external {
        IHotPool.Loadout memory fast = loadout();
        fast.tokensPerSecond = 101;
        address operator = providerAt(0);
        expectRevert(
            abi.encodeWithSelector(IHotPool.HotPool_StakeTooLow.selector, operator, 2 * MINIMUM, 2 * MINIMUM + MINIMUM / 100)
        );
        vm.prank(operator);
        pool.bid(MODEL, 100, fast);
    }

    /// The same stake does not answer for two models.
    function test_bid_stakeSpentElsewhere_reverts() external {
        vm.prank(governor);
        registry.addModel("second", "second", "uri", terms());
        address operator = providerAt(0);
        IHotPool.Loadout memory fast = loadout();
        fast.tokensPerSecond = 60;
        vm.prank(operator);
        pool.bid(MODEL, 100, fast);
        expectRevert(
            abi.encodeWithSelector(IHotPool.HotPool_StakeTooLow.selector, operator, 2 * MINIMUM, 2 * MINIMUM + MINIMUM / 5)
        );
        vm.prank(operator);
        pool.bid("second", 100, fast);
    }

    function test_bid_tooManySeats_reverts() external {
        IHotPool.Loadout memory slow = loadout();
        slow.tokensPerSecond = 1;
        address operator = providerAt(0);
        for (uint256 i = 1; i <= 17; ++i) {
            vm.prank(governor);
            registry.addModel(bytes32(i), string.concat("m", vm.toString(i)), "uri", terms());
            if (i == 17) expectRevert(abi.encodeWithSelector(IHotPool.HotPool_TooManySeats.selector, operator, 16));
            vm.prank(operator);
            pool.bid(bytes32(i), 100, slow);
        }
    }
}

contract HotPool_LowerAsk_Test is ModelsFixture {
    function test_lowerAsk_fromNowOn_succeeds() external {
        fundPool(1e9);
        address operator = bidAs(0, 100);
        wait(100);
        expectEvent(address(pool));
        emit IHotPool.AskLowered(MODEL, operator, 40);
        vm.prank(operator);
        pool.lowerAsk(MODEL, 40);
        wait(100);
        assertEq(pool.claimable(operator, list(MODEL)), 100 * 100 + 100 * 40, "each second at its price");
    }

    function test_lowerAsk_notLower_reverts() external {
        address operator = bidAs(0, 50);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NotCheaper.selector, 50, 50));
        vm.prank(operator);
        pool.lowerAsk(MODEL, 50);
    }

    function test_lowerAsk_notSeated_reverts() external {
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NotSeated.selector, MODEL, stranger));
        vm.prank(stranger);
        pool.lowerAsk(MODEL, 0);
    }
}

contract HotPool_GiveNotice_Test is ModelsFixture {
    function test_giveNotice_paidUntilItEnds_succeeds() external {
        fundPool(1e9);
        address operator = bidAs(0, 100);
        expectEvent(address(pool));
        emit IHotPool.NoticeGiven(MODEL, operator, uint40(START) + NOTICE);
        vm.prank(operator);
        pool.giveNotice(MODEL);
        for (uint256 i; i < 5; ++i) {
            wait(FRESHNESS / 2);
            beatAs(0);
        }
        assertEq(pool.claimable(operator, list(MODEL)), uint256(100) * NOTICE, "not a second longer");
        assertFalse(pool.isPresent(MODEL, operator), "gone");
        pool.evict(MODEL, operator);
        (uint256 funded, uint256 withdrawn, uint256 budget, uint256 reserved, uint256 credited) = pool.accountOf(MODEL);
        assertEq(credited, uint256(100) * NOTICE, "credited");
        assertEq(reserved, 0, "nothing set aside");
        assertEq(funded, withdrawn + budget + reserved + credited, "adds up");
    }

    function test_giveNotice_twice_reverts() external {
        address operator = bidAs(0, 100);
        vm.startPrank(operator);
        pool.giveNotice(MODEL);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NoticeGiven.selector, MODEL, operator));
        pool.giveNotice(MODEL);
        vm.stopPrank();
    }

    function test_giveNotice_notSeated_reverts() external {
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NotSeated.selector, MODEL, stranger));
        vm.prank(stranger);
        pool.giveNotice(MODEL);
    }
}

contract HotPool_Heartbeat_Test is ModelsFixture {
    function test_heartbeat_byHotOrColdKey_keepsPaying() external {
        fundPool(1e9);
        address operator = bidAs(0, 100);
        wait(FRESHNESS / 2);
        beatAs(0);
        wait(FRESHNESS / 2);
        vm.prank(operator);
        pool.heartbeat(list(MODEL));
        wait(FRESHNESS);
        assertEq(pool.claimable(operator, list(MODEL)), uint256(100) * 2 * FRESHNESS, "all of it");
    }

    function test_heartbeat_tooLate_losesTheGap() external {
        fundPool(1e9);
        address operator = bidAs(0, 100);
        wait(3 * FRESHNESS);
        assertFalse(pool.isPresent(MODEL, operator), "stale");
        beatAs(0);
        wait(10);
        assertEq(pool.claimable(operator, list(MODEL)), 100 * (uint256(FRESHNESS) + 10), "not the gap");
    }

    /// A dry budget ends the payment to the second, and what comes later does not pay for what was before.
    function test_heartbeat_budgetDry_endsThePayment() external {
        fundPool(100_000);
        address operator = bidAs(0, 100);
        assertEq(seatOf(operator).backedUntil, START + 1_000, "as far as it reaches");
        wait(2_000);
        beatAs(0);
        assertEq(pool.balanceOf(operator), 100_000, "all there was");
        wait(100);
        fundPool(1e9);
        assertEq(pool.claimable(operator, list(MODEL)), 100_000, "not for the time before");
        beatAs(0);
        wait(7);
        assertEq(pool.claimable(operator, list(MODEL)), 100_700, "for the time after");
    }

    function test_heartbeat_notSeated_reverts() external {
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NotSeated.selector, MODEL, stranger));
        vm.prank(stranger);
        pool.heartbeat(list(MODEL));
    }

    function test_heartbeat_gas() external {
        fundPool(1e12);
        bidAs(0, 100);
        wait(60);
        beatAs(0);
        wait(60);
        vm.prank(actor(hotNameOf(0)));
        pool.heartbeat(list(MODEL));
        vm.snapshotGasLastCall("models", "HotPool.heartbeat, one seat");
    }
}

contract HotPool_SubmitHeartbeats_Test is ModelsFixture {
    function beat(address operator, uint256 when) private pure returns (IHotPool.Heartbeat memory) {
        return IHotPool.Heartbeat(operator, MODEL, uint40(when));
    }

    function test_submitHeartbeats_byAnyone_succeeds() external {
        fundPool(1e9);
        address operator = bidAs(0, 100);
        wait(1_000);
        assertEq(send(beat(operator, block.timestamp - 400), hotNameOf(0)), 1, "seen");
        assertEq(seatOf(operator).backedUntil, block.timestamp - 400 + FRESHNESS, "from when it was signed");
    }

    function test_submitHeartbeats_replayed_isPassedOver() external {
        address operator = bidAs(0, 100);
        wait(1_000);
        IHotPool.Heartbeat memory first = beat(operator, block.timestamp);
        assertEq(send(first, hotNameOf(0)), 1, "first");
        wait(1_000);
        assertEq(send(first, hotNameOf(0)), 0, "replayed");
        assertEq(seatOf(operator).heartbeatAt, START + 1_000, "as it was");
    }

    function test_submitHeartbeats_outOfDate_isPassedOver() external {
        address operator = bidAs(0, 100);
        wait(2 * FRESHNESS);
        assertEq(send(beat(operator, block.timestamp + 1), hotNameOf(0)), 0, "from the future");
        assertEq(send(beat(operator, block.timestamp - FRESHNESS), hotNameOf(0)), 0, "stale");
        assertEq(send(beat(providerAt(1), block.timestamp), hotNameOf(1)), 0, "of no seat");
    }

    function test_submitHeartbeats_badSignature_reverts() external {
        address operator = bidAs(0, 100);
        wait(1);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_BadSignature.selector, operator));
        this.sendBeat(beat(operator, block.timestamp), hotNameOf(1));
        // The cold key does not sign either, nor a hot key that was retired.
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_BadSignature.selector, operator));
        this.sendBeat(beat(operator, block.timestamp), nameOf(0));
        vm.prank(operator);
        stakes.rotateHotKey(actor("next key"));
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_BadSignature.selector, operator));
        this.sendBeat(beat(operator, block.timestamp), hotNameOf(0));
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_BadSignature.selector, address(0)));
        this.sendBeat(beat(address(0), block.timestamp), "nobody");
    }

    function sendBeat(IHotPool.Heartbeat memory beat_, string memory signer) external {
        send(beat_, signer);
    }

    function test_submitHeartbeats_lengths_revert() external {
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_LengthMismatch.selector));
        pool.submitHeartbeats(new IHotPool.Heartbeat[](1), new bytes[](0));
    }

    function test_submitHeartbeats_gas() external {
        vm.startPrank(governor);
        registry.retireModel(MODEL);
        registry.addModel(MODEL, "wide", "uri", wide());
        vm.stopPrank();
        fundPool(1e12);
        IHotPool.Heartbeat[] memory beats = new IHotPool.Heartbeat[](64);
        bytes[] memory signatures = new bytes[](64);
        for (uint256 i; i < 64; ++i) {
            address operator = bidAs(i, 100);
            beats[i] = beat(operator, START + 60);
            signatures[i] = sign(hotNameOf(i), pool.heartbeatDigest(beats[i]));
        }
        wait(60);
        pool.submitHeartbeats(beats, signatures);
        vm.snapshotGasLastCall("models", "HotPool.submitHeartbeats, 64 seats");
        address challenger = providerAt(64);
        vm.prank(challenger);
        pool.bid(MODEL, 50, loadout());
        vm.snapshotGasLastCall("models", "HotPool.bid, displacing one of 64");
    }
}

contract HotPool_Evict_Test is ModelsFixture {
    function test_evict_stale_rewardsTheCaller() external {
        fundPool(1e9);
        address operator = bidAs(0, 100);
        wait(FRESHNESS + 1);
        uint256 reward = uint256(100) * FRESHNESS / 20;
        expectEvent(address(pool));
        emit IHotPool.SeatEvicted(MODEL, operator, stranger, reward);
        vm.prank(stranger);
        assertEq(pool.evict(MODEL, operator), reward, "reward");
        assertEq(usdc.balanceOf(stranger), reward, "paid");
        assertEq(pool.balanceOf(operator), uint256(100) * FRESHNESS - reward, "the rest stays");
        assertEq(taken(), 0, "free");
        bidAs(0, 100);
    }

    function test_evict_stakeGone_succeeds() external {
        address operator = bidAs(0, 100);
        vm.prank(operator);
        stakes.unbond(Role.Provider, MINIMUM / 2 + 1);
        pool.evict(MODEL, operator);
        assertEq(taken(), 0, "free");
    }

    /// A minimum that rises finds the seat covered as it was bid for, as long as the stake registry calls the provider active.
    function test_evict_minimumRose_keepsTheSeat() external {
        address operator = bidAs(0, 100);
        vm.prank(governor);
        stakes.setMinimumStake(Role.Provider, 2 * MINIMUM);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NotEvictable.selector, MODEL, operator));
        pool.evict(MODEL, operator);
        vm.prank(governor);
        stakes.setMinimumStake(Role.Provider, 2 * MINIMUM + 1);
        pool.evict(MODEL, operator);
    }

    function test_evict_jailed_succeeds() external {
        address operator = bidAs(0, 100);
        vm.prank(slasher);
        stakes.jail(operator, uint64(block.timestamp + 1 days), "test");
        pool.evict(MODEL, operator);
        assertEq(taken(), 0, "free");
    }

    function test_evict_noticeOver_costsNothing() external {
        fundPool(1e9);
        address operator = bidAs(0, 100);
        vm.prank(operator);
        pool.giveNotice(MODEL);
        wait(NOTICE);
        vm.prank(stranger);
        assertEq(pool.evict(MODEL, operator), 0, "no reward");
        assertEq(pool.balanceOf(operator), uint256(100) * FRESHNESS, "all it earned");
    }

    function test_evict_present_reverts() external {
        address operator = bidAs(0, 100);
        wait(FRESHNESS);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NotEvictable.selector, MODEL, operator));
        pool.evict(MODEL, operator);
    }

    function test_evict_notSeated_reverts() external {
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NotSeated.selector, MODEL, stranger));
        pool.evict(MODEL, stranger);
    }
}

contract HotPool_Claim_Test is ModelsFixture {
    function test_claim_byAnyone_paysTheProvider() external {
        fundPool(1e9);
        address operator = bidAs(0, 100);
        wait(500);
        expectEvent(address(pool));
        emit IHotPool.Claimed(operator, 50_000);
        vm.prank(stranger);
        assertEq(pool.claim(operator, list(MODEL)), 50_000, "paid");
        vm.snapshotGasLastCall("models", "HotPool.claim, one seat");
        assertEq(usdc.balanceOf(operator), 50_000, "held");
        assertEq(seatOf(operator).backedUntil, START + FRESHNESS, "goes on as before");
        assertEq(pool.claim(operator, list(MODEL)), 0, "once");
        assertEq(pool.claim(operator, new bytes32[](0)), 0, "nothing kept");
    }

    function test_claim_notSeated_reverts() external {
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NotSeated.selector, MODEL, stranger));
        pool.claim(stranger, list(MODEL));
    }
}
