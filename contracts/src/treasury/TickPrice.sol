// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title TickPrice
/// @notice What a tick of a Uniswap V3 pool is worth. A tick t stands for the price 1.0001^t of token 0 in token 1.
library TickPrice {
    int24 internal constant MAX_TICK = 887_272;
    uint160 internal constant LOWEST_SQRT_PRICE = 4_295_128_739;
    uint160 internal constant HIGHEST_SQRT_PRICE = 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_342;

    error TickPrice_OutOfRange(int24 tick);

    /// @notice The square root of the tick's price with 96 fractional bits, rounded up as the pool rounds.
    /// @dev Each line multiplies by 1.0001^(-2^i/2) with 128 fractional bits.
    function sqrtPriceX96(int24 tick) internal pure returns (uint160) {
        // INVARIANT: only ticks a pool can have are given a price.
        if (tick < -MAX_TICK || tick > MAX_TICK) revert TickPrice_OutOfRange(tick);
        uint256 size = uint256(int256(tick < 0 ? -tick : tick));
        uint256 ratio = 1 << 128;
        if (size & 0x1 != 0) ratio = (ratio * 0xfffcb933bd6fad37aa2d162d1a594001) >> 128;
        if (size & 0x2 != 0) ratio = (ratio * 0xfff97272373d413259a46990580e213a) >> 128;
        if (size & 0x4 != 0) ratio = (ratio * 0xfff2e50f5f656932ef12357cf3c7fdcc) >> 128;
        if (size & 0x8 != 0) ratio = (ratio * 0xffe5caca7e10e4e61c3624eaa0941cd0) >> 128;
        if (size & 0x10 != 0) ratio = (ratio * 0xffcb9843d60f6159c9db58835c926644) >> 128;
        if (size & 0x20 != 0) ratio = (ratio * 0xff973b41fa98c081472e6896dfb254c0) >> 128;
        if (size & 0x40 != 0) ratio = (ratio * 0xff2ea16466c96a3843ec78b326b52861) >> 128;
        if (size & 0x80 != 0) ratio = (ratio * 0xfe5dee046a99a2a811c461f1969c3053) >> 128;
        if (size & 0x100 != 0) ratio = (ratio * 0xfcbe86c7900a88aedcffc83b479aa3a4) >> 128;
        if (size & 0x200 != 0) ratio = (ratio * 0xf987a7253ac413176f2b074cf7815e54) >> 128;
        if (size & 0x400 != 0) ratio = (ratio * 0xf3392b0822b70005940c7a398e4b70f3) >> 128;
        if (size & 0x800 != 0) ratio = (ratio * 0xe7159475a2c29b7443b29c7fa6e889d9) >> 128;
        if (size & 0x1000 != 0) ratio = (ratio * 0xd097f3bdfd2022b8845ad8f792aa5825) >> 128;
        if (size & 0x2000 != 0) ratio = (ratio * 0xa9f746462d870fdf8a65dc1f90e061e5) >> 128;
        if (size & 0x4000 != 0) ratio = (ratio * 0x70d869a156d2a1b890bb3df62baf32f7) >> 128;
        if (size & 0x8000 != 0) ratio = (ratio * 0x31be135f97d08fd981231505542fcfa6) >> 128;
        if (size & 0x10000 != 0) ratio = (ratio * 0x9aa508b5b7a84e1c677de54f3e99bc9) >> 128;
        if (size & 0x20000 != 0) ratio = (ratio * 0x5d6af8dedb81196699c329225ee604) >> 128;
        if (size & 0x40000 != 0) ratio = (ratio * 0x2216e584f5fa1ea926041bedfe98) >> 128;
        if (size & 0x80000 != 0) ratio = (ratio * 0x48a170391f7dc42444e8fa2) >> 128;
        if (tick > 0) ratio = type(uint256).max / ratio;
        return uint160((ratio >> 32) + (ratio & type(uint32).max == 0 ? 0 : 1));
    }

    /// @notice What `amount` of one token is in the other at the tick's price.
    function convert(int24 tick, uint256 amount, bool fromToken0) internal pure returns (uint256) {
        uint256 sqrtPrice = sqrtPriceX96(tick);
        uint256 priceX128 = Math.mulDiv(sqrtPrice, sqrtPrice, 1 << 64);
        return fromToken0 ? Math.mulDiv(amount, priceX128, 1 << 128) : Math.mulDiv(amount, 1 << 128, priceX128);
    }

    /// @notice The mean of the ticks between two cumulative readings, rounded down as the price is.
    function mean(int56 earlier, int56 later, uint32 apart) internal pure returns (int24 tick) {
        int56 difference = later - earlier;
        tick = int24(difference / int56(uint56(apart)));
        if (difference < 0 && difference % int56(uint56(apart)) != 0) --tick;
    }
}
