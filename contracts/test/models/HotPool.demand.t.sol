// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IHotPool } from "../../src/interfaces/IHotPool.sol";
import { Role } from "../../src/libraries/Types.sol";
import { HotPool } from "../../src/models/HotPool.sol";
import { ModelsFixture } from "./ModelsFixture.sol";

contract HotPool_Initialize_Test is ModelsFixture {
    function test_initialize_wiring_succeeds() external view {
        assertEq(pool.owner(), governor, "owner");
        assertEq(pool.usdc(), address(usdc), "usdc");
        assertEq(pool.modelRegistry(), address(registry), "models");
        assertEq(pool.stakeRegistry(), address(stakes), "stakes");
        assertEq(pool.parameters().epochLength, EPOCH, "parameters");
    }

    function test_initialize_twice_reverts() external {
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        pool.initialize(stranger, address(usdc), address(registry), defaults());
    }
}

contract HotPool_SignalDemand_Test is ModelsFixture {
    string private constant KEY = "router hot key";

    function test_signalDemand_counted_withItsStake() external {
        expectEvent(address(pool));
        emit IHotPool.DemandSignalled(MODEL, router, 0, 4, MINIMUM);
        assertEq(send(signalOf(router, 4, 1), KEY), 1, "counted");
        assertEq(send(signalOf(other, 2, 9), "other router hot key"), 1, "another's");
        (uint64 epoch, uint256 more, uint256 fewer, uint256 total) = pool.demandOf(MODEL);
        assertEq(epoch, 0, "epoch");
        assertEq(more, MINIMUM, "more");
        assertEq(fewer, 0, "as many as there are is neither");
        assertEq(total, 2 * MINIMUM, "total");
    }

    function test_signalDemand_ofTheNextEpoch_closesTheLast() external {
        send(signalOf(router, 4, 1), KEY);
        wait(EPOCH);
        expectEvent(address(pool));
        emit IHotPool.SeatsChanged(MODEL, 0, 3);
        send(signalOf(router, 4, 2), KEY);
        assertEq(seats(), 3, "one more");
        wait(EPOCH);
        send(signalOf(router, 64, 3), KEY);
        assertEq(seats(), 4, "and another");
        wait(EPOCH);
        send(signalOf(router, 0, 4), KEY);
        assertEq(seats(), 4, "never beyond the bounds");
    }

    /// The same signal twice, in its epoch or a later one.
    function test_signalDemand_replayed_isPassedOver() external {
        IHotPool.DemandSignal memory first = signalOf(router, 4, 1);
        assertEq(send(first, KEY), 1, "first");
        assertEq(send(first, KEY), 0, "at once");
        wait(EPOCH);
        assertEq(send(first, KEY), 0, "an epoch later");
        first.epoch = 1;
        assertEq(send(first, KEY), 0, "with a sequence used before");
        assertEq(send(signalOf(router, 4, 2), KEY), 1, "a new one");
        (,,, uint256 total) = pool.demandOf(MODEL);
        assertEq(total, MINIMUM, "counted once");
    }

    function test_signalDemand_twiceAnEpoch_isPassedOver() external {
        send(signalOf(router, 4, 1), KEY);
        assertEq(send(signalOf(router, 4, 2), KEY), 0, "the first one counts");
    }

    function test_signalDemand_fromTheFuture_isPassedOver() external {
        IHotPool.DemandSignal memory signal = signalOf(router, 4, 1);
        signal.epoch = 1;
        assertEq(send(signal, KEY), 0, "not yet");
    }

    function test_signalDemand_inactive_isPassedOver() external {
        vm.prank(router);
        stakes.unbond(Role.Router, 1);
        assertEq(send(signalOf(router, 4, 1), KEY), 0, "no stake, no say");
        assertEq(send(signalOf(provider, 4, 1), "provider hot key"), 0, "no router, no say");
    }

    function test_signalDemand_closedPool_isPassedOver() external {
        vm.prank(governor);
        registry.retireModel(MODEL);
        assertEq(send(signalOf(router, 4, 1), KEY), 0, "closed");
    }

    function sendSignal(IHotPool.DemandSignal memory signal, string memory signer) external {
        send(signal, signer);
    }

    function test_signalDemand_badSignature_reverts() external {
        IHotPool.DemandSignal memory signal = signalOf(router, 4, 1);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_BadSignature.selector, router));
        this.sendSignal(signal, "other router hot key");
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_BadSignature.selector, router));
        this.sendSignal(signal, "router");
    }

    function test_signalDemand_lengths_revert() external {
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_LengthMismatch.selector));
        pool.signalDemand(new IHotPool.DemandSignal[](0), new bytes[](1));
    }

    function test_signalDemand_gas() external {
        send(signalOf(router, 4, 1), KEY);
        vm.snapshotGasLastCall("models", "HotPool.signalDemand, one signal");
    }
}

contract HotPool_CloseEpoch_Test is ModelsFixture {
    function test_closeEpoch_median_isByStake() external {
        stakeAs(router, Role.Router, 1, routerHot);
        send(signalOf(router, 4, 1), "router hot key");
        send(signalOf(other, 0, 1), "other router hot key");
        wait(EPOCH);
        pool.closeEpoch(MODEL);
        assertEq(seats(), 3, "the larger stake");
    }

    function test_closeEpoch_tie_movesNothing() external {
        send(signalOf(router, 4, 1), "router hot key");
        send(signalOf(other, 0, 1), "other router hot key");
        wait(EPOCH);
        pool.closeEpoch(MODEL);
        assertEq(seats(), 2, "as before");
    }

    function test_closeEpoch_early_movesNothing() external {
        send(signalOf(router, 4, 1), "router hot key");
        wait(EPOCH - 1);
        pool.closeEpoch(MODEL);
        assertEq(seats(), 2, "not over");
    }

    function test_closeEpoch_fallingDemand_givesTheDearestNotice() external {
        send(signalOf(router, 4, 1), "router hot key");
        wait(EPOCH);
        pool.closeEpoch(MODEL);
        bidAs(0, 30);
        address dearest = bidAs(1, 90);
        bidAs(2, 60);
        send(signalOf(router, 0, 2), "router hot key");
        wait(EPOCH);
        expectEvent(address(pool));
        emit IHotPool.NoticeGiven(MODEL, dearest, uint40(block.timestamp) + NOTICE);
        pool.closeEpoch(MODEL);
        assertEq(seats(), 2, "one fewer");
        pool.closeEpoch(MODEL);
        assertEq(taken(), 3, "nobody else is given notice");
        wait(NOTICE);
        pool.evict(MODEL, dearest);
        assertEq(taken(), 2, "gone");
    }

    function testFuzz_closeEpoch_staysWithinBounds(uint8[20] calldata wanted) external {
        for (uint64 i; i < wanted.length; ++i) {
            uint8 before = seats();
            send(signalOf(router, wanted[i], i + 1), "router hot key");
            wait(EPOCH);
            pool.closeEpoch(MODEL);
            uint8 expected = wanted[i] > before ? before + 1 : wanted[i] < before ? before - 1 : before;
            expected = expected > 4 ? 4 : expected < 2 ? 2 : expected;
            assertEq(seats(), expected, "one step towards what is wanted, within the bounds");
        }
    }
}

contract HotPool_Fund_Test is ModelsFixture {
    function test_fund_byAnyone_succeeds() external {
        usdc.mint(alice, 5);
        vm.startPrank(alice);
        usdc.approve(address(pool), 5);
        expectEvent(address(pool));
        emit IHotPool.Funded(MODEL, alice, 5);
        pool.fund(MODEL, 5);
        vm.stopPrank();
        (uint256 funded,, uint256 budget,,) = pool.accountOf(MODEL);
        assertEq(funded, 5, "funded");
        assertEq(budget, 5, "budget");
    }

    function test_fund_tooMuch_reverts() external {
        vm.expectRevert(abi.encodeWithSignature("SafeCastOverflowedUintDowncast(uint8,uint256)", 128, uint256(1) << 128));
        pool.fund(MODEL, 1 << 128);
    }
}

contract HotPool_Configure_Test is ModelsFixture {
    function configure(uint64 rate, uint8 minSeats, uint8 maxSeats) private {
        vm.prank(address(registry));
        pool.configure(MODEL, rate, minSeats, maxSeats);
    }

    function test_configure_clampsTheSeats_succeeds() external {
        expectEvent(address(pool));
        emit IHotPool.PoolConfigured(MODEL, 640, 5, 64);
        configure(640, 5, 64);
        assertEq(seats(), 5, "up");
        configure(1, 1, 1);
        assertEq(seats(), 1, "down");
    }

    /// A lower rate reaches seats with their next heartbeat.
    function test_configure_lowerRate_bindsWhoSitsAlready() external {
        fundPool(1e9);
        address operator = bidAs(0, 100);
        configure(40, 2, 4);
        wait(100);
        beatAs(0);
        wait(100);
        assertEq(pool.claimable(operator, list(MODEL)), 100 * 100 + 100 * 10, "a quarter of the new rate");
    }

    function test_configure_signalsSoFar_areVoid() external {
        send(signalOf(router, 4, 1), "router hot key");
        configure(400, 2, 4);
        wait(EPOCH);
        pool.closeEpoch(MODEL);
        assertEq(seats(), 2, "they were about other bounds");
    }

    function test_configure_seatsOutOfBounds_reverts() external {
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_SeatsOutOfBounds.selector, 3, 2, 64));
        configure(1, 3, 2);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_SeatsOutOfBounds.selector, 0, 65, 64));
        configure(1, 0, 65);
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_SeatsOutOfBounds.selector, 0, 0, 64));
        configure(1, 0, 0);
    }

    function test_configure_notRegistry_reverts() external {
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_NotRegistry.selector, governor));
        vm.prank(governor);
        pool.configure(MODEL, 1, 1, 1);
    }
}

contract HotPool_WithdrawBudget_Test is ModelsFixture {
    function test_withdrawBudget_leavesWhatIsSetAside() external {
        fundPool(1_000_000);
        address operator = bidAs(0, 100);
        uint256 rest = 1_000_000 - uint256(100) * FRESHNESS;
        expectEvent(address(pool));
        emit IHotPool.BudgetWithdrawn(MODEL, treasury, rest);
        vm.prank(governor);
        pool.withdrawBudget(MODEL, rest, treasury);
        assertEq(usdc.balanceOf(treasury), rest, "paid");
        wait(FRESHNESS);
        assertEq(pool.claim(operator, list(MODEL)), uint256(100) * FRESHNESS, "earned all the same");
    }

    function test_withdrawBudget_tooMuch_reverts() external {
        fundPool(1_000_000);
        bidAs(0, 100);
        uint256 rest = 1_000_000 - uint256(100) * FRESHNESS;
        expectRevert(abi.encodeWithSelector(IHotPool.HotPool_BudgetTooLow.selector, rest + 1, rest));
        vm.prank(governor);
        pool.withdrawBudget(MODEL, rest + 1, treasury);
    }

    function test_withdrawBudget_notGovernor_reverts() external {
        expectNotGovernor(stranger);
        vm.prank(stranger);
        pool.withdrawBudget(MODEL, 0, stranger);
    }
}

contract HotPool_SetParameters_Test is ModelsFixture {
    function set(IHotPool.Parameters memory values) private {
        vm.prank(governor);
        pool.setParameters(values);
    }

    /// Epochs never repeat, so no old signal counts again after the length changed.
    function test_setParameters_startsANewEpoch() external {
        wait(10 * EPOCH);
        IHotPool.Parameters memory values = defaults();
        values.epochLength = 7 days;
        expectEvent(address(pool));
        emit IHotPool.ParametersChanged(values);
        set(values);
        assertEq(pool.currentEpoch(), 11, "the next one");
        wait(7 days);
        assertEq(pool.currentEpoch(), 12, "at the new length");
    }

    function test_setParameters_outOfBounds_reverts() external {
        IHotPool.Parameters[8] memory bad =
            [defaults(), defaults(), defaults(), defaults(), defaults(), defaults(), defaults(), defaults()];
        (bad[0].freshness, bad[1].freshness, bad[2].notice) = (59, 1 days + 1, 7 days + 1);
        (bad[3].epochLength, bad[4].epochLength) = (59, 7 days + 1);
        (bad[5].marginBps, bad[6].marginBps, bad[7].rewardBps) = (0, 5_001, 2_001);
        for (uint256 i; i < bad.length; ++i) {
            expectRevert(abi.encodeWithSelector(IHotPool.HotPool_ParametersOutOfBounds.selector));
            set(bad[i]);
        }
    }

    function test_setParameters_notGovernor_reverts() external {
        expectNotGovernor(stranger);
        vm.prank(stranger);
        pool.setParameters(defaults());
    }
}
