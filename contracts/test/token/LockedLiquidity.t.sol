// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ILockedLiquidity } from "../../src/interfaces/ILockedLiquidity.sol";
import { LockedLiquidity } from "../../src/token/LockedLiquidity.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Pair, PairFactory } from "./Market.sol";

abstract contract LiquidityFixture is Fixture {
    uint256 internal constant AMOUNT = 50_000_000e18;

    PairFactory internal factory;
    LockedLiquidity internal liquidity;
    Pair internal pair;
    address internal timelock = actor("timelock");

    function setUp() public override {
        super.setUp();
        factory = new PairFactory();
        liquidity = new LockedLiquidity(timelock, address(infr), address(usdc), address(factory));
        infr.transfer(address(liquidity), AMOUNT);
        usdc.mint(address(liquidity), 10_000_000e6);
        pair = Pair(factory.createPair(address(infr), address(usdc)));
    }

    function add(uint256 infrAmount, uint256 lowest, uint256 highest) internal returns (uint256) {
        vm.prank(timelock);
        return liquidity.add(infrAmount, lowest, highest);
    }

    /// Somebody buys INFR for this much USDC.
    function buy(uint256 amount) internal {
        usdc.mint(address(pair), amount);
        pair.swap(address(usdc), stranger);
    }
}

contract LockedLiquidity_Constructor_Test is LiquidityFixture {
    function test_constructor_market_succeeds() external view {
        assertEq(liquidity.owner(), timelock, "owner");
        assertEq(liquidity.infr(), address(infr), "token");
        assertEq(liquidity.quote(), address(usdc), "quote");
        assertEq(liquidity.factory(), address(factory), "factory");
        assertEq(liquidity.pair(), address(pair), "pair");
    }

    function test_constructor_zeroAddress_reverts() external {
        bytes memory reason = abi.encodeWithSelector(ILockedLiquidity.LockedLiquidity_ZeroAddress.selector);
        expectRevert(reason);
        new LockedLiquidity(timelock, address(0), address(usdc), address(factory));
        expectRevert(reason);
        new LockedLiquidity(timelock, address(infr), address(0), address(factory));
        expectRevert(reason);
        new LockedLiquidity(timelock, address(infr), address(usdc), address(0));
    }
}

contract LockedLiquidity_Add_Test is LiquidityFixture {
    function test_add_emptyPair_setsThePrice() external {
        uint256 minted = add(10_000_000e18, 1_000_000e6, 1_000_000e6);
        assertEq(pair.balanceOf(address(liquidity)), minted, "its shares");
        assertEq(infr.balanceOf(address(pair)), 10_000_000e18, "INFR");
        assertEq(usdc.balanceOf(address(pair)), 1_000_000e6, "USDC");
    }

    function test_add_atThePrice_succeeds() external {
        add(10_000_000e18, 1_000_000e6, 1_000_000e6);
        buy(100_000e6);
        uint256 supply = pair.totalSupply();
        (uint256 held, uint256 quoteHeld) = (infr.balanceOf(address(pair)), usdc.balanceOf(address(pair)));
        uint256 minted = add(1_000_000e18, 100_000e6, 130_000e6);
        uint256 paid = usdc.balanceOf(address(pair)) - quoteHeld;
        assertEq(paid, (1_000_000e18 * quoteHeld + held - 1) / held, "as much as the price asks");
        assertEq(minted, 1_000_000e18 * supply / held, "and nothing given away");
    }

    /// Attack: bend the price, have the vote executed, bend it back.
    function test_add_bentPrice_reverts() external {
        add(10_000_000e18, 1_000_000e6, 1_000_000e6);
        buy(1_000_000e6);
        vm.prank(timelock);
        expectRevert(
            abi.encodeWithSelector(ILockedLiquidity.LockedLiquidity_QuoteOutOfBounds.selector, 400_000e6, 90_000e6, 110_000e6)
        );
        liquidity.add(1_000_000e18, 90_000e6, 110_000e6);
    }

    function test_add_noPair_reverts() external {
        LockedLiquidity another = new LockedLiquidity(timelock, address(infr), alice, address(factory));
        vm.prank(timelock);
        expectRevert(abi.encodeWithSelector(ILockedLiquidity.LockedLiquidity_NoPair.selector));
        another.add(1, 0, 1);
    }

    function test_add_byAnother_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        liquidity.add(1, 0, 1);
    }
}

contract LockedLiquidity_Remove_Test is LiquidityFixture {
    function test_remove_backIntoTheLock_succeeds() external {
        uint256 minted = add(10_000_000e18, 1_000_000e6, 1_000_000e6);
        vm.prank(timelock);
        (uint256 infrAmount, uint256 quoteAmount) = liquidity.remove(minted, 9_999_999e18, 999_999e6);
        assertEq(infr.balanceOf(address(liquidity)), AMOUNT - 10_000_000e18 + infrAmount, "INFR");
        assertEq(usdc.balanceOf(address(liquidity)), 9_000_000e6 + quoteAmount, "USDC");
        assertEq(infr.balanceOf(timelock), 0, "none of it to the owner");
    }

    function test_remove_tooLittle_reverts() external {
        uint256 minted = add(10_000_000e18, 1_000_000e6, 1_000_000e6);
        buy(1_000_000e6);
        vm.prank(timelock);
        (bool done, bytes memory reason) =
            address(liquidity).call(abi.encodeCall(liquidity.remove, (minted, 9_000_000e18, 900_000e6)));
        assertFalse(done, "the price is another");
        assertEq(bytes32(bytes4(reason)), bytes32(ILockedLiquidity.LockedLiquidity_TooLittle.selector), "reason");
    }

    function test_remove_byAnother_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        liquidity.remove(1, 0, 0);
    }
}

/// Whatever the owner does, INFR is in the lock or in the market.
contract LockedLiquidity_NoWayOut_Test is LiquidityFixture {
    function test_noWayOut_forTokensAndShares() external {
        uint256 minted = add(10_000_000e18, 1_000_000e6, 1_000_000e6);
        bytes[4] memory attempts = [
            abi.encodeWithSignature("withdraw(uint256)", 1),
            abi.encodeWithSignature("sweep(address,address)", address(infr), timelock),
            abi.encodeCall(infr.transfer, (timelock, 1)),
            abi.encodeWithSignature("release(address)", address(infr))
        ];
        for (uint256 i; i < 4; ++i) {
            vm.prank(timelock);
            (bool done,) = address(liquidity).call(attempts[i]);
            assertFalse(done, "no such way");
        }
        assertEq(infr.allowance(address(liquidity), timelock), 0, "no allowance");
        assertEq(pair.balanceOf(address(liquidity)), minted, "its shares");
    }

    function testFuzz_noWayOut_anySequence(uint256 seed) external {
        add(10_000_000e18, 1_000_000e6, 1_000_000e6);
        for (uint256 i; i < 10; ++i) {
            uint256 random = pick(seed, i);
            if (random & 1 == 0) {
                add(bound(random >> 8, 1e18, 1_000_000e18), 0, type(uint256).max);
            } else {
                uint256 shares = pair.balanceOf(address(liquidity));
                vm.prank(timelock);
                liquidity.remove(bound(random >> 8, shares / 1000, shares / 2), 0, 0);
            }
            assertEq(infr.balanceOf(address(liquidity)) + infr.balanceOf(address(pair)), AMOUNT, "in one of two places");
            assertEq(infr.balanceOf(timelock), 0, "and not with the owner");
        }
    }
}
