// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { ERC20Burnable } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";

import { IBuyback } from "../../src/interfaces/IBuyback.sol";
import { Buyback } from "../../src/treasury/Buyback.sol";
import { IUniswapV3Factory } from "../../src/treasury/IUniswapV3.sol";
import { TickPrice } from "../../src/treasury/TickPrice.sol";
import { BuybackFixture } from "./BuybackFixture.sol";
import { Pool } from "./Uniswap.sol";

contract Buyback_Constructor_Test is BuybackFixture {
    function test_constructor_parameters_succeeds() external view {
        assertEq(buyer.owner(), governor, "owner");
        assertEq(buyer.pool(), address(pool), "pool");
        assertEq(keccak256(abi.encode(buyer.tuning())), keccak256(abi.encode(tuned())), "tuning");
    }

    function test_constructor_zeroAddress_reverts() external {
        IUniswapV3Factory from = IUniswapV3Factory(address(factory));
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_ZeroAddress.selector));
        new Buyback(governor, IERC20(address(0)), infr, from, FEE, tuned());
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_ZeroAddress.selector));
        new Buyback(governor, usdc, ERC20Burnable(address(0)), from, FEE, tuned());
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_ZeroAddress.selector));
        new Buyback(governor, usdc, infr, IUniswapV3Factory(address(0)), FEE, tuned());
    }
}

contract Buyback_Buy_Test is BuybackFixture {
    function test_buy_burnsExactlyWhatItBought_succeeds() external {
        uint256 supply = infr.totalSupply();
        uint256 inPool = infr.balanceOf(address(pool));
        (uint256 least, int24 mean) = buyer.leastFor(1_000e6);
        expectEvent(address(buyer));
        emit IBuyback.RoundOpened(uint64(block.timestamp), WEEKLY, 1_000e6);
        (uint256 spent, uint256 burned) = buyer.buy();
        vm.snapshotGasLastCall("buyback", "Buyback.buy, the first tranche of a round");
        assertEq(spent, 1_000e6, "a fourteenth");
        assertGe(burned, least, "at least the bound");
        // At 0.05 USDC, less 0.3 % fee and 0.1 % of impact.
        assertGe(burned, 19_900e18, "near the market's price");
        assertLe(burned, 20_000e18, "near the market's price");
        assertEq(inPool - infr.balanceOf(address(pool)), burned, "all that left the pool");
        assertEq(supply - infr.totalSupply(), burned, "is burned");
        assertEq(infr.balanceOf(address(buyer)), 0, "nothing kept");
        assertEq(usdc.balanceOf(address(buyer)), WEEKLY - spent, "nothing else spent");
        assertEq(uint256(int256(mean)), uint256(int256(PRICE)), "mean");
    }

    function test_buy_aWeek_spendsTheRound() external {
        uint256 supply = infr.totalSupply();
        uint256 burned;
        for (uint256 i; i < 14; ++i) {
            (, uint256 more) = buyer.buy();
            if (i == 1) vm.snapshotGasLastCall("buyback", "Buyback.buy, a later tranche");
            burned += more;
            pass(12 hours);
        }
        assertEq(usdc.balanceOf(address(buyer)), 0, "all spent");
        assertEq(supply - infr.totalSupply(), burned, "all burned");
        assertGe(burned, 270_000e18, "for 14,000 USDC");
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_TooLittle.selector, 0, 100e6));
        buyer.buy();
    }

    function test_buy_whatArrivesLater_waits() external {
        uint64 start = uint64(block.timestamp);
        buyer.buy();
        usdc.mint(address(buyer), 500e6);
        for (uint256 i; i < 13; ++i) {
            pass(12 hours);
            (uint256 spent,) = buyer.buy();
            assertEq(spent, 1_000e6, "the tranche was fixed");
        }
        assertEq(buyer.round().left, 0, "spent");
        vm.warp(start + 7 days - 1);
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_TooEarly.selector, start + 7 days));
        buyer.buy();
        vm.warp(start + 7 days);
        (uint256 next,) = buyer.buy();
        assertEq(next, 35_714_286, "a fourteenth of what had waited, rounded up");
    }

    function test_buy_missedTranches_joinTheNextRound() external {
        uint64 start = uint64(block.timestamp);
        buyer.buy();
        vm.warp(start + 5 days);
        buyer.buy();
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_TooEarly.selector, start + 5 days + 12 hours));
        buyer.buy();
        vm.warp(start + 7 days);
        (uint256 spent,) = buyer.buy();
        assertEq(spent, 857_142_858, "12,000 / 14");
    }

    function test_buy_fewerTranchesThanRoundHolds_endsSpent() external {
        IBuyback.Tuning memory faster = tuned();
        buyer.buy();
        faster.tranches = 168;
        vm.prank(governor);
        buyer.setTuning(faster);
        uint64 ends = buyer.round().startedAt + 7 days;
        for (uint256 i; i < 13; ++i) {
            pass(12 hours);
            buyer.buy();
        }
        pass(1 hours);
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_RoundSpent.selector, ends));
        buyer.buy();
    }

    function test_buy_muchMoney_isCappedPerTranche() external {
        usdc.mint(address(buyer), 1_000_000e6);
        (uint256 spent,) = buyer.buy();
        assertEq(spent, 5_000e6, "no more");
    }

    function test_buy_dust_startsNoRound() external {
        Buyback poor = new Buyback(governor, usdc, infr, IUniswapV3Factory(address(factory)), FEE, tuned());
        usdc.mint(address(poor), 1);
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_TooLittle.selector, 1, 100e6));
        poor.buy();
        usdc.mint(address(poor), 100e6);
        poor.buy();
    }

    function test_buy_infrSentIn_isBurnedToo() external {
        infr.transfer(address(buyer), 7e18);
        uint256 supply = infr.totalSupply();
        uint256 inPool = infr.balanceOf(address(pool));
        buyer.buy();
        assertEq(supply - infr.totalSupply(), inPool - infr.balanceOf(address(pool)) + 7e18, "bought and sent");
        assertEq(infr.balanceOf(address(buyer)), 0, "nothing kept");
    }

    function test_buy_poolYoungerThanWindow_reverts() external {
        Pool young = Pool(factory.createPool(address(usdc), address(infr), 500));
        young.initialize(TickPrice.sqrtPriceX96(usdcFirst() ? PRICE : -PRICE));
        young.increaseObservationCardinalityNext(200);
        vm.prank(governor);
        buyer.setPool(500);
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_FewObservations.selector, 1, 200));
        buyer.buy();
        IBuyback.Tuning memory tuning = tuned();
        tuning.cardinality = 201;
        vm.startPrank(governor);
        buyer.setPool(FEE);
        buyer.setTuning(tuning);
        vm.stopPrank();
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_FewObservations.selector, 200, 201));
        buyer.buy();
    }

    function test_buy_pastForgotten_reverts() external {
        // A trade in each of 200 seconds: the pool remembers less than half an hour and refuses to say what it does not know.
        for (uint256 i; i < 201; ++i) {
            pass(1);
        }
        expectRevert(abi.encodeWithSignature("Error(string)", "OLD"));
        buyer.buy();
        pass(30 minutes);
        buyer.buy();
    }

    function testFuzz_buy_neverPaysMoreThanBounded(uint256 budget, uint256 moved, bool up) external {
        usdc.mint(address(buyer), bound(budget, 1, 80_000e6));
        trader.sell(up ? usdc : IERC20(address(infr)), up ? bound(moved, 1, 4_000e6) : bound(moved, 1e12, 80_000e18));
        uint256 supply = infr.totalSupply();
        uint256 tranche = (usdc.balanceOf(address(buyer)) + 13) / 14;
        if (tranche > 5_000e6) tranche = 5_000e6;
        (uint256 least,) = buyer.leastFor(tranche);
        try buyer.buy() returns (uint256 spent, uint256 burned) {
            assertEq(spent, tranche, "whole");
            assertGe(burned, least, "bounded");
            assertEq(supply - infr.totalSupply(), burned, "burned");
        } catch {
            assertEq(infr.totalSupply(), supply, "nothing happened");
            assertEq(buyer.round().startedAt, 0, "and can be tried again");
        }
    }
}

/// The same with INFR as the pool's first token.
contract Buyback_BuyInfrFirst_Test is BuybackFixture {
    function usdcFirst() internal pure override returns (bool) {
        return false;
    }

    function test_buy_infrFirst_succeeds() external {
        uint256 supply = infr.totalSupply();
        (uint256 least,) = buyer.leastFor(1_000e6);
        (uint256 spent, uint256 burned) = buyer.buy();
        assertEq(spent, 1_000e6, "a fourteenth");
        assertGe(least, 19_830e18, "least");
        assertLe(least, 19_840e18, "least");
        assertGe(burned, 19_900e18, "burned");
        assertEq(supply - infr.totalSupply(), burned, "burned");
    }

    function test_buy_infrFirstMoved_reverts() external {
        trader.sell(usdc, 6_000e6);
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_PriceMoved.selector, spot(), -PRICE, 100));
        buyer.buy();
    }
}

contract Buyback_SwapCallback_Test is BuybackFixture {
    function test_uniswapV3SwapCallback_stranger_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_NotPool.selector, stranger));
        buyer.uniswapV3SwapCallback(1, 1, "");
    }
}

contract Buyback_SetTuning_Test is BuybackFixture {
    function _refused(IBuyback.Tuning memory tuning) private {
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_OutOfBounds.selector, tuning));
        buyer.setTuning(tuning);
    }

    function test_setTuning_within_succeeds() external {
        IBuyback.Tuning memory tuning = tuned();
        tuning.tranches = 7;
        expectEvent(address(buyer));
        emit IBuyback.TuningChanged(tuning);
        vm.prank(governor);
        buyer.setTuning(tuning);
        (uint256 spent,) = buyer.buy();
        assertEq(spent, 2_000e6, "a seventh");
    }

    function test_setTuning_outOfBounds_reverts() external {
        uint256[2][7] memory outside = [
            [uint256(6), 169],
            [uint256(15 minutes - 1), 1 days + 1],
            [uint256(99), 7_201],
            [uint256(9), 501],
            [uint256(9), 501],
            [uint256(1e6 - 1), 10_000e6 + 1],
            [uint256(100e6 - 1), 1_000_000e6 + 1]
        ];
        for (uint256 i; i < 14; ++i) {
            IBuyback.Tuning memory tuning = tuned();
            uint256 value = outside[i / 2][i % 2];
            // A struct in memory is its fields, a word each.
            assembly {
                mstore(add(tuning, mul(0x20, shr(1, i))), value)
            }
            _refused(tuning);
        }
    }

    function test_setTuning_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        buyer.setTuning(tuned());
    }
}

contract Buyback_SetPool_Test is BuybackFixture {
    function test_setPool_anotherFee_succeeds() external {
        address other_ = factory.createPool(address(usdc), address(infr), 10_000);
        expectEvent(address(buyer));
        emit IBuyback.PoolChanged(other_, 10_000);
        vm.prank(governor);
        buyer.setPool(10_000);
        assertEq(buyer.pool(), other_, "pool");
    }

    function test_setPool_none_reverts() external {
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_NoPool.selector, uint24(10_000)));
        buyer.setPool(10_000);
    }

    function test_setPool_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        buyer.setPool(FEE);
    }
}

contract TickPrice_Test is BuybackFixture {
    /// The pool itself says which tick a price belongs to.
    function testFuzz_sqrtPriceX96_asThePoolHasIt(int24 tick) external {
        tick = int24(int256(bound(uint256(int256(tick) + 8_388_608), 0, 1_774_542)) - 887_271);
        if (tick > 887_271) tick = 887_271;
        uint160 price = TickPrice.sqrtPriceX96(tick);
        Pool exact = Pool(factory.createPool(actor("token"), actor("token 2"), 500));
        exact.initialize(price);
        (, int24 found,,,,,) = exact.slot0();
        assertEq(uint256(int256(found)), uint256(int256(tick)), "the tick begins here");
        if (tick == -887_272) return;
        Pool below = Pool(factory.createPool(actor("token"), actor("token 2"), 3_000));
        below.initialize(price - 1);
        (, found,,,,,) = below.slot0();
        assertEq(uint256(int256(found)), uint256(int256(tick - 1)), "and not before");
    }

    function test_sqrtPriceX96_ends_succeeds() external {
        assertEq(TickPrice.sqrtPriceX96(-887_272), TickPrice.LOWEST_SQRT_PRICE, "lowest");
        assertEq(TickPrice.sqrtPriceX96(887_272), TickPrice.HIGHEST_SQRT_PRICE, "highest");
        expectRevert(abi.encodeWithSelector(TickPrice.TickPrice_OutOfRange.selector, int24(887_273)));
        this.sqrtPriceX96(887_273);
        expectRevert(abi.encodeWithSelector(TickPrice.TickPrice_OutOfRange.selector, int24(-887_273)));
        this.sqrtPriceX96(-887_273);
    }

    function sqrtPriceX96(int24 tick) external pure returns (uint160) {
        return TickPrice.sqrtPriceX96(tick);
    }

    function test_mean_roundsDown_succeeds() external pure {
        assertEq(uint256(int256(TickPrice.mean(0, 7, 2))), 3, "positive");
        assertEq(uint256(int256(TickPrice.mean(7, 0, 2))), uint256(int256(-4)), "negative");
        assertEq(uint256(int256(TickPrice.mean(8, 0, 2))), uint256(int256(-4)), "whole");
    }

    function testFuzz_convert_thereAndBack(int24 tick, uint64 amount) external pure {
        tick = int24(int256(uint256(uint24(tick)) % 800_000) - 400_000);
        uint256 there = TickPrice.convert(tick, uint256(amount) * 1e18, true);
        assertLe(TickPrice.convert(tick, there, false), uint256(amount) * 1e18, "rounded against the holder");
    }
}
