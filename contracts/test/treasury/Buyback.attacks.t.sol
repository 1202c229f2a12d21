// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import { PaymentVault } from "../../src/PaymentVault.sol";
import { IBuyback } from "../../src/interfaces/IBuyback.sol";
import { Buyback } from "../../src/treasury/Buyback.sol";
import { IUniswapV3Factory } from "../../src/treasury/IUniswapV3.sol";
import { TickPrice } from "../../src/treasury/TickPrice.sol";
import { BuybackFixture } from "./BuybackFixture.sol";
import { Pool, Trader } from "./Uniswap.sol";

/// USDC that calls the buyback again whenever it is moved.
contract HookedUSDC is ERC20 {
    Buyback public target;

    constructor() ERC20("hooked", "hooked") { }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function aim(Buyback target_) external {
        target = target_;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (address(target) != address(0)) target.buy();
    }
}

contract Buyback_Attack_Test is BuybackFixture {
    /// Trading around a tranche, whatever the stake, does not pay: either the bounds stop the tranche or the pool's fees cost more than
    /// the tranche moves the price.
    function testFuzz_sandwich_losesMoney(uint256 amount) external {
        amount = bound(amount, 100e6, 2_000_000e6);
        uint256 before = usdc.balanceOf(address(trader));
        try trader.sandwich(buyer, amount) {
            assertLe(usdc.balanceOf(address(trader)), before - 1, "the attacker paid");
            assertLe(amount, 5_000e6, "and had to stay within the bounds");
        } catch {
            assertEq(buyer.round().startedAt, 0, "the tranche can be sent again");
        }
    }

    function test_sandwich_numbers_succeeds() external {
        uint256 before = usdc.balanceOf(address(trader));
        trader.sandwich(buyer, 2_500e6);
        // 0.3 % of 2,500 USDC in and of about as much out, less what the tranche of 1,000 USDC moved the price by.
        assertEq((before - usdc.balanceOf(address(trader))) / 1e6, 10, "USDC lost");
    }

    function test_spotPushedUp_reverts() external {
        trader.sell(usdc, 10_000e6);
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_PriceMoved.selector, spot(), PRICE, 100));
        buyer.buy();
    }

    function test_spotPushedDown_reverts() external {
        trader.sell(infr, 200_000e18);
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_PriceMoved.selector, spot(), PRICE, 100));
        buyer.buy();
    }

    /// A price held for the first seconds of the window hardly moves the average: the distance stays and the tranche waits.
    function test_spotHeldForAMinute_reverts() external {
        trader.sell(usdc, 100_000e6);
        vm.warp(block.timestamp + 1 minutes);
        (bool bought,) = address(buyer).call(abi.encodeCall(buyer.buy, ()));
        assertFalse(bought, "waits");
    }

    /// A young average is no average: nothing is bought on a pool that has just been made and moved.
    function test_staleOracle_poolTooYoung_reverts() external {
        Pool young = Pool(factory.createPool(address(usdc), address(infr), 500));
        young.initialize(TickPrice.sqrtPriceX96(usdcFirst() ? PRICE - 20_000 : 20_000 - PRICE));
        young.increaseObservationCardinalityNext(200);
        vm.warp(block.timestamp + 1);
        young.mint(address(this), -887_220, 887_220, 1e15, "");
        vm.prank(governor);
        buyer.setPool(500);
        expectRevert(abi.encodeWithSignature("Error(string)", "OLD"));
        buyer.buy();
    }

    function uniswapV3MintCallback(uint256 amount0, uint256 amount1, bytes calldata) external {
        usdc.mint(msg.sender, amount0);
        infr.transfer(msg.sender, amount1);
    }

    function test_drainedLiquidity_waitsForItsReturn() external {
        maker.withdraw(LIQUIDITY - 1e12);
        expectRevert(
            abi.encodeWithSelector(
                IBuyback.Buyback_TooExpensive.selector, 4_474_970_147_740_913_750, 19_833_990_351_680_853_414_185
            )
        );
        buyer.buy();
        maker.withdraw(1e12 + 1);
        (bool bought,) = address(buyer).call(abi.encodeCall(buyer.buy, ()));
        assertFalse(bought, "nothing to buy");
        assertEq(usdc.balanceOf(address(buyer)), WEEKLY, "nothing lost");
    }

    function test_emptyPool_buysNothing() external {
        maker.withdraw(LIQUIDITY + 1);
        expectRevert(abi.encodeWithSelector(IBuyback.Buyback_Incomplete.selector, 0, 1_000e6));
        buyer.buy();
    }

    function test_reentrancy_reverts() external {
        HookedUSDC hooked = new HookedUSDC();
        while ((address(hooked) < address(infr)) != usdcFirst()) {
            hooked = new HookedUSDC();
        }
        Pool hookedPool = Pool(factory.createPool(address(hooked), address(infr), FEE));
        hookedPool.initialize(TickPrice.sqrtPriceX96(usdcFirst() ? PRICE : -PRICE));
        hookedPool.increaseObservationCardinalityNext(200);
        Trader hookedMaker = new Trader(hookedPool);
        hooked.mint(address(hookedMaker), 100_000_000e6);
        infr.transfer(address(hookedMaker), 100_000_000e18);
        hookedMaker.provide(LIQUIDITY);
        vm.warp(block.timestamp + 1 hours);
        hookedMaker.provide(1);
        Buyback target = new Buyback(governor, hooked, infr, IUniswapV3Factory(address(factory)), FEE, tuned());
        hooked.mint(address(target), WEEKLY);
        hooked.aim(target);
        expectRevert(abi.encodeWithSignature("ReentrancyGuardReentrantCall()"));
        target.buy();
    }

    /// Nobody can make a tranche smaller, or a round longer, by sending dust or by sending nothing at all.
    function testFuzz_dust_changesNothing(uint64 sent, uint64 wait) external {
        buyer.buy();
        IBuyback.Round memory opened = buyer.round();
        usdc.mint(address(buyer), sent);
        infr.transfer(address(buyer), sent);
        vm.warp(block.timestamp + bound(wait, 12 hours, 6 days));
        (uint256 spent,) = buyer.buy();
        assertEq(spent, 1_000e6, "the same tranche");
        assertEq(buyer.round().startedAt, opened.startedAt, "the same round");
        assertEq(infr.balanceOf(address(buyer)), 0, "nothing kept");
    }
}

contract Buyback_FromVault_Test is BuybackFixture {
    /// A developer pays for a job; half a per cent of it ends as burned INFR.
    function test_buy_feesOfAJob_areBurned() external {
        Buyback fresh = new Buyback(governor, usdc, infr, IUniswapV3Factory(address(factory)), FEE, tuned());
        vault = PaymentVault(
            proxy(
                address(new PaymentVault()),
                abi.encodeCall(
                    PaymentVault.initialize, (governor, address(usdc), address(jobs), THAW, treasury, validators, address(fresh))
                )
            )
        );
        lockAs(alice, router, 100_000e6);
        assertEq(settle(router, entry(openGrant(), "alice", 100_000e6)), 100_000e6, "debited");
        vault.withdrawProtocolFees();
        assertEq(usdc.balanceOf(address(fresh)), 500e6, "half a per cent");
        uint256 supply = infr.totalSupply();
        for (uint256 i; i < 14; ++i) {
            fresh.buy();
            pass(12 hours);
        }
        assertEq(usdc.balanceOf(address(fresh)), 0, "spent");
        assertGe(supply - infr.totalSupply(), 9_900e18, "burned, of 10,000 INFR at 0.05 USDC");
    }
}
