// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IHotPool } from "../../src/interfaces/IHotPool.sol";
import { Role } from "../../src/libraries/Types.sol";
import { HotPool } from "../../src/models/HotPool.sol";
import { ModelsFixture } from "./ModelsFixture.sol";

contract HotPool_Attack_Test is ModelsFixture {
    /// One operator behind all seats at the dearest ask gets the rate, as any others would, and not one unit more.
    function test_attack_allSeatsOfOneOwner_costTheRateAtMost() external {
        vm.prank(governor);
        registry.retireModel(MODEL);
        vm.prank(governor);
        registry.addModel(MODEL, "wide", "uri", wide());
        fundPool(1e12);
        for (uint256 i; i < 64; ++i) {
            bidAs(i, 100);
        }
        wait(FRESHNESS);
        uint256 got;
        for (uint256 i; i < 64; ++i) {
            got += pool.claim(actor(nameOf(i)), list(MODEL));
        }
        assertEq(got, uint256(6_400) * FRESHNESS, "the rate");
    }

    /// Displacing and re-bidding among one's own seats earns nothing twice.
    function testFuzz_attack_ownBidsChasingEachOther_earnNothingTwice(uint64[8] calldata asks, uint16[8] calldata times) external {
        fundPool(1e12);
        bidAs(0, 100);
        uint256 elapsed;
        for (uint256 i; i < asks.length; ++i) {
            uint256 time = bound(times[i], 0, FRESHNESS);
            elapsed += time;
            wait(time);
            vm.prank(providerAt(1 + i % 3));
            try pool.bid(MODEL, uint64(bound(asks[i], 0, 100)), loadout()) { } catch { }
        }
        uint256 got;
        for (uint256 i; i < 4; ++i) {
            got += pool.claimable(providerAt(i), list(MODEL));
        }
        assertLe(got, 2 * 100 * elapsed, "two seats at the dearest ask");
    }

    /// Evicting oneself pays the reward out of one's own earnings.
    function test_attack_selfEviction_gainsNothing() external {
        fundPool(1e9);
        address operator = bidAs(0, 100);
        wait(FRESHNESS + 1);
        vm.prank(operator);
        pool.evict(MODEL, operator);
        pool.claim(operator, new bytes32[](0));
        assertEq(usdc.balanceOf(operator), uint256(100) * FRESHNESS, "what it earned");
    }

    /// A heartbeat of an earlier seat does not keep a later one alive, nor a heartbeat for another model.
    function test_attack_heartbeatOfAnotherSeat_isPassedOver() external {
        address operator = bidAs(0, 100);
        wait(10);
        IHotPool.Heartbeat memory beat = IHotPool.Heartbeat(operator, MODEL, uint40(block.timestamp));
        bidAs(1, 100);
        bidAs(2, 50);
        bidAs(3, 40);
        assertEq(seatOf(operator).provider, address(0), "displaced");
        wait(10);
        vm.prank(operator);
        pool.bid(MODEL, 20, loadout());
        assertEq(send(beat, hotNameOf(0)), 0, "older than the seat");
    }

    /// Signals and heartbeats are bound to this contract and chain.
    function test_attack_signatureForAnotherPool_reverts() external {
        HotPool twin = HotPool(
            proxy(
                address(new HotPool()), abi.encodeCall(HotPool.initialize, (governor, address(usdc), address(registry), defaults()))
            )
        );
        IHotPool.DemandSignal[] memory signals = new IHotPool.DemandSignal[](1);
        bytes[] memory signatures = new bytes[](1);
        signals[0] = signalOf(router, 4, 1);
        signatures[0] = sign("router hot key", twin.signalDigest(signals[0]));
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_BadSignature.selector, router));
        pool.signalDemand(signals, signatures);
        signatures[0] = sign("router hot key", pool.signalDigest(signals[0]));
        vm.chainId(77);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_BadSignature.selector, router));
        pool.signalDemand(signals, signatures);
    }

    /// Sending part of a batch first does not spoil the batch.
    function test_attack_batchSentInPart_restCounts() external {
        IHotPool.DemandSignal[] memory signals = new IHotPool.DemandSignal[](2);
        bytes[] memory signatures = new bytes[](2);
        (signals[0], signals[1]) = (signalOf(router, 4, 1), signalOf(other, 4, 1));
        signatures[0] = sign("router hot key", pool.signalDigest(signals[0]));
        signatures[1] = sign("other router hot key", pool.signalDigest(signals[1]));
        vm.prank(stranger);
        send(signals[0], "router hot key");
        assertEq(pool.signalDemand(signals, signatures), 1, "the other one");
    }

    /// Stake that votes cannot be moved to a second router within the epoch: unbonding takes longer.
    function test_attack_movedStake_votesOnce() external {
        stakeAs(router, Role.Router, MINIMUM, routerHot);
        send(signalOf(router, 4, 1), "router hot key");
        vm.startPrank(router);
        stakes.unbond(Role.Router, MINIMUM);
        vm.warp(block.timestamp + EPOCH - 1);
        vm.expectRevert();
        stakes.withdraw(Role.Router);
        vm.stopPrank();
    }

    /// Funding a unit at a time changes neither who is paid nor at what rate.
    function test_attack_dustFunding_payersLoseNothing() external {
        fundPool(1e6);
        address operator = bidAs(0, 100);
        for (uint256 i; i < 20; ++i) {
            fundPool(1);
            wait(1);
            vm.prank(stranger);
            pool.claim(operator, list(MODEL));
        }
        assertEq(usdc.balanceOf(operator), 2_000, "every second");
        (uint256 funded,, uint256 budget, uint256 reserved, uint256 credited) = pool.accountOf(MODEL);
        assertEq(funded, budget + reserved + credited, "nothing lost");
    }
}
