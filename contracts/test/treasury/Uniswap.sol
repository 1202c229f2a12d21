// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import { Buyback } from "../../src/treasury/Buyback.sol";

interface Code {
    function getCode(string calldata path) external view returns (bytes memory);
}

interface Factory {
    function createPool(address tokenA, address tokenB, uint24 fee) external returns (address);
}

interface Pool {
    function initialize(uint160 sqrtPriceX96) external;
    function increaseObservationCardinalityNext(uint16 next) external;
    function mint(address recipient, int24 lower, int24 upper, uint128 amount, bytes calldata data) external;
    function burn(int24 lower, int24 upper, uint128 amount) external;
    function collect(address recipient, int24 lower, int24 upper, uint128 amount0, uint128 amount1) external;
    function swap(address recipient, bool zeroForOne, int256 amount, uint160 limit, bytes calldata data)
        external
        returns (int256, int256);
    function slot0() external view returns (uint160, int24, uint16, uint16, uint16, uint8, bool);
    function token0() external view returns (address);
    function token1() external view returns (address);
}

/// Somebody who trades on a Uniswap V3 pool and provides liquidity to it.
contract Trader {
    int24 private constant END = 887_220;
    uint160 private constant LOWEST = 4_295_128_740;
    uint160 private constant HIGHEST = 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_341;

    Pool private immutable _pool;

    constructor(Pool pool) {
        _pool = pool;
    }

    function provide(uint128 liquidity) external {
        _pool.mint(address(this), -END, END, liquidity, "");
    }

    function withdraw(uint128 liquidity) external {
        _pool.burn(-END, END, liquidity);
        _pool.collect(address(this), -END, END, type(uint128).max, type(uint128).max);
    }

    /// Sells `amount` of `token` and returns what it got.
    function sell(IERC20 token, uint256 amount) public returns (uint256) {
        bool zeroForOne = address(token) == _pool.token0();
        (int256 amount0, int256 amount1) = _pool.swap(address(this), zeroForOne, int256(amount), zeroForOne ? LOWEST : HIGHEST, "");
        return uint256(-(zeroForOne ? amount1 : amount0));
    }

    /// Buys INFR ahead of a tranche, lets it buy, and sells what it got: all in one transaction.
    function sandwich(Buyback buyback, uint256 amount) external {
        uint256 got = sell(buyback.usdc(), amount);
        buyback.buy();
        sell(IERC20(address(buyback.infr())), got);
    }

    function uniswapV3MintCallback(uint256 amount0, uint256 amount1, bytes calldata) external {
        _pay(int256(amount0), int256(amount1));
    }

    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        _pay(amount0, amount1);
    }

    function _pay(int256 amount0, int256 amount1) private {
        require(msg.sender == address(_pool), "not the pool");
        if (amount0 > 0) IERC20(_pool.token0()).transfer(msg.sender, uint256(amount0));
        if (amount1 > 0) IERC20(_pool.token1()).transfer(msg.sender, uint256(amount1));
    }
}
