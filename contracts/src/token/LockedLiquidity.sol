// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { ILockedLiquidity, IPair, IPairFactory } from "../interfaces/ILockedLiquidity.sol";

/// @title LockedLiquidity
/// @notice Liquidity that stays in the market. See {ILockedLiquidity}, which is its specification.
contract LockedLiquidity is ILockedLiquidity, Ownable {
    using SafeERC20 for IERC20;

    IERC20 private immutable INFR;
    IERC20 private immutable QUOTE;
    IPairFactory private immutable FACTORY;

    constructor(address owner, address infr_, address quote_, address factory_) Ownable(owner) {
        // INVARIANT: the market is fixed from the start.
        if (infr_ == address(0) || quote_ == address(0) || factory_ == address(0)) revert LockedLiquidity_ZeroAddress();
        (INFR, QUOTE, FACTORY) = (IERC20(infr_), IERC20(quote_), IPairFactory(factory_));
    }

    /// @inheritdoc ILockedLiquidity
    function add(uint256 infrAmount, uint256 lowestQuote, uint256 highestQuote) external onlyOwner returns (uint256 liquidity) {
        IPair market = _market();
        uint256 quoteAmount = _needed(market, infrAmount, highestQuote);
        // INVARIANT: liquidity is added at a price that was voted for, or not at all.
        if (quoteAmount < lowestQuote || quoteAmount > highestQuote) {
            revert LockedLiquidity_QuoteOutOfBounds(quoteAmount, lowestQuote, highestQuote);
        }
        INFR.safeTransfer(address(market), infrAmount);
        QUOTE.safeTransfer(address(market), quoteAmount);
        liquidity = market.mint(address(this));
        emit LiquidityAdded(address(market), infrAmount, quoteAmount, liquidity);
    }

    /// @inheritdoc ILockedLiquidity
    function remove(uint256 liquidity, uint256 leastInfr, uint256 leastQuote)
        external
        onlyOwner
        returns (uint256 infrAmount, uint256 quoteAmount)
    {
        IPair market = _market();
        IERC20(address(market)).safeTransfer(address(market), liquidity);
        (infrAmount, quoteAmount) = market.burn(address(this));
        if (market.token0() != address(INFR)) (infrAmount, quoteAmount) = (quoteAmount, infrAmount);
        // INVARIANT: liquidity is removed at a price that was voted for, or not at all.
        if (infrAmount < leastInfr || quoteAmount < leastQuote) revert LockedLiquidity_TooLittle(infrAmount, quoteAmount);
        emit LiquidityRemoved(address(market), infrAmount, quoteAmount, liquidity);
    }

    /// @inheritdoc ILockedLiquidity
    function pair() public view returns (address) {
        return FACTORY.getPair(address(INFR), address(QUOTE));
    }

    /// @inheritdoc ILockedLiquidity
    function infr() external view returns (address) {
        return address(INFR);
    }

    /// @inheritdoc ILockedLiquidity
    function quote() external view returns (address) {
        return address(QUOTE);
    }

    /// @inheritdoc ILockedLiquidity
    function factory() external view returns (address) {
        return address(FACTORY);
    }

    function _market() private view returns (IPair market) {
        market = IPair(pair());
        // INVARIANT: nothing is sent but to the factory's own pair.
        if (address(market) == address(0)) revert LockedLiquidity_NoPair();
    }

    /// @dev The USDC that goes with `infrAmount` at the pair's price, rounded up: too little would leave INFR to the others.
    function _needed(IPair market, uint256 infrAmount, uint256 highestQuote) private view returns (uint256) {
        if (market.totalSupply() == 0) return highestQuote;
        (uint256 infrReserve, uint256 quoteReserve,) = market.getReserves();
        if (market.token0() != address(INFR)) (infrReserve, quoteReserve) = (quoteReserve, infrReserve);
        return Math.mulDiv(infrAmount, quoteReserve, infrReserve, Math.Rounding.Ceil);
    }
}
