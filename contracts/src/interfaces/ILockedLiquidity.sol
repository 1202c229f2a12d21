// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The part of a Uniswap V2 factory in use
interface IPairFactory {
    function getPair(address tokenA, address tokenB) external view returns (address);
}

/// @title The part of a Uniswap V2 pair in use
interface IPair {
    function token0() external view returns (address);
    function totalSupply() external view returns (uint256);
    function getReserves() external view returns (uint112 reserve0, uint112 reserve1, uint32 updatedAt);
    function transfer(address to, uint256 amount) external returns (bool);
    function mint(address to) external returns (uint256 liquidity);
    function burn(address to) external returns (uint256 amount0, uint256 amount1);
}

/// @title Protocol-owned liquidity
/// @notice Holds INFR, and USDC that the treasury adds, for one market: the pair of the two that the factory it was built with
/// knows. Governance moves both into that pair and takes them out again, back into this contract. There is no other way out, for
/// neither token nor for the pair's shares.
///
/// A vote fixes how much INFR goes in and between which amounts of USDC; execution comes a week later and can be timed by anyone, so
/// what the pair's price asks for outside these bounds is refused rather than given away.
interface ILockedLiquidity {
    event LiquidityAdded(address indexed pair, uint256 infrAmount, uint256 quoteAmount, uint256 liquidity);
    event LiquidityRemoved(address indexed pair, uint256 infrAmount, uint256 quoteAmount, uint256 liquidity);

    error LockedLiquidity_ZeroAddress();
    error LockedLiquidity_NoPair();
    error LockedLiquidity_QuoteOutOfBounds(uint256 quote, uint256 lowest, uint256 highest);
    error LockedLiquidity_TooLittle(uint256 infrAmount, uint256 quoteAmount);

    /// @notice Adds `infrAmount` and as much USDC as the pair's price asks for. For the owner.
    /// @param lowestQuote The least USDC that may be needed.
    /// @param highestQuote The most; an empty pair gets this much.
    function add(uint256 infrAmount, uint256 lowestQuote, uint256 highestQuote) external returns (uint256 liquidity);

    /// @notice Takes `liquidity` of the pair's shares back into this contract's tokens. For the owner.
    function remove(uint256 liquidity, uint256 leastInfr, uint256 leastQuote)
        external
        returns (uint256 infrAmount, uint256 quoteAmount);

    /// @notice The pair; zero while the factory has none.
    function pair() external view returns (address);

    function infr() external view returns (address);

    function quote() external view returns (address);

    function factory() external view returns (address);
}
