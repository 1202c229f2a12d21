// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Pricing
/// @notice What a job costs and how the cost is divided, in micro-USDC. All divisions round down, in the payer's favour.
library Pricing {
    uint256 internal constant BPS = 10_000;
    uint256 internal constant TOKENS_PER_PRICE = 1_000_000;

    /// @notice Cost of a job before the ticket's `maxCost` is applied. Prices are micro-USDC per million tokens.
    /// @dev Cannot overflow: (2^32 * 2^64 * 2) * 2^33 < 2^131.
    function cost(uint32 tokensIn, uint32 tokensOut, uint64 priceIn, uint64 priceOut, uint32 premiumBps)
        internal
        pure
        returns (uint256)
    {
        uint256 base = uint256(tokensIn) * priceIn + uint256(tokensOut) * priceOut;
        return base * (BPS + premiumBps) / (BPS * TOKENS_PER_PRICE);
    }

    /// @notice A fee of `bps` basis points on `amount`.
    function fee(uint256 amount, uint256 bps) internal pure returns (uint256) {
        return amount * bps / BPS;
    }

    /// @notice The protocol fee in three equal parts; what does not divide goes to the treasury.
    function split(uint256 protocolFee) internal pure returns (uint256 treasury, uint256 validators, uint256 buyback) {
        validators = protocolFee / 3;
        buyback = validators;
        treasury = protocolFee - validators - buyback;
    }

    /// @notice The fees that fall due when `applied` of `wanted` is paid, of the fees that all of `wanted` carries.
    /// @dev Exact once all is paid. Their sum is rounded, not each: so what is left of the fees never exceeds what is left to pay.
    function share(uint256 routerFee, uint256 protocolFee, uint256 applied, uint256 wanted)
        internal
        pure
        returns (uint256 routerPart, uint256 protocolPart)
    {
        routerPart = routerFee * applied / wanted;
        protocolPart = (routerFee + protocolFee) * applied / wanted - routerPart;
    }
}
