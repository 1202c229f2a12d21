// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

/// A pair that mints, burns and swaps by the rules of Uniswap V2, without its fee and its oracle.
contract Pair is ERC20("Pair", "UNI-V2") {
    uint256 private constant MINIMUM = 1_000;

    address public immutable token0;
    address public immutable token1;
    uint112 private reserve0;
    uint112 private reserve1;

    constructor(address a, address b) {
        (token0, token1) = a < b ? (a, b) : (b, a);
    }

    function getReserves() public view returns (uint112, uint112, uint32) {
        return (reserve0, reserve1, uint32(block.timestamp));
    }

    function mint(address to) external returns (uint256 liquidity) {
        (uint256 balance0, uint256 balance1) = balances();
        (uint256 amount0, uint256 amount1) = (balance0 - reserve0, balance1 - reserve1);
        if (totalSupply() == 0) {
            liquidity = Math.sqrt(amount0 * amount1) - MINIMUM;
            _mint(address(0xdead), MINIMUM);
        } else {
            liquidity = Math.min(amount0 * totalSupply() / reserve0, amount1 * totalSupply() / reserve1);
        }
        require(liquidity > 0, "Pair: nothing minted");
        _mint(to, liquidity);
        sync();
    }

    function burn(address to) external returns (uint256 amount0, uint256 amount1) {
        (uint256 balance0, uint256 balance1) = balances();
        uint256 liquidity = balanceOf(address(this));
        (amount0, amount1) = (liquidity * balance0 / totalSupply(), liquidity * balance1 / totalSupply());
        _burn(address(this), liquidity);
        IERC20(token0).transfer(to, amount0);
        IERC20(token1).transfer(to, amount1);
        sync();
    }

    /// Takes what was sent of `token` and pays in the other.
    function swap(address token, address to) external {
        (uint256 balance0, uint256 balance1) = balances();
        uint256 product = uint256(reserve0) * reserve1;
        if (token == token0) IERC20(token1).transfer(to, balance1 - Math.ceilDiv(product, balance0));
        else IERC20(token0).transfer(to, balance0 - Math.ceilDiv(product, balance1));
        sync();
    }

    function sync() public {
        (uint256 balance0, uint256 balance1) = balances();
        (reserve0, reserve1) = (uint112(balance0), uint112(balance1));
    }

    function balances() private view returns (uint256, uint256) {
        return (IERC20(token0).balanceOf(address(this)), IERC20(token1).balanceOf(address(this)));
    }
}

contract PairFactory {
    mapping(address => mapping(address => address)) public getPair;

    function createPair(address a, address b) external returns (address pair) {
        pair = address(new Pair(a, b));
        getPair[a][b] = getPair[b][a] = pair;
    }
}
