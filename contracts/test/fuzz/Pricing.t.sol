// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Pricing } from "../../src/libraries/Pricing.sol";
import { Test } from "../utils/Test.sol";

contract Pricing_Cost_Test is Test {
    function testFuzz_cost_payersFavour_succeeds(uint32 tokensIn, uint32 tokensOut, uint64 priceIn, uint64 priceOut, uint32 premium)
        external
        pure
    {
        uint256 cost = Pricing.cost(tokensIn, tokensOut, priceIn, priceOut, premium);
        uint256 exact = (uint256(tokensIn) * priceIn + uint256(tokensOut) * priceOut) * (10_000 + uint256(premium));
        assertLe(cost * 1e10, exact, "never rounded up");
        assertGe(cost * 1e10 + 1e10 - 1, exact, "by less than a micro-USDC");
    }
}

contract Pricing_Split_Test is Test {
    function testFuzz_split_toTheLast_succeeds(uint128 fee) external pure {
        (uint256 treasury, uint256 validators, uint256 buyback) = Pricing.split(fee);
        assertEq(treasury + validators + buyback, fee, "exact");
        assertEq(validators, buyback, "equal");
        assertLe(treasury - validators, 2, "the treasury has the remainder");
    }
}

contract Pricing_Share_Test is Test {
    /// What is left of the fees never exceeds what is left to pay, however a debit is cut up: or a debit could never be completed.
    function testFuzz_share_inParts_isExact(uint64 wanted, uint64 routerFee, uint64 protocolFee, uint256 seed) external pure {
        uint256 left = bound(wanted, 1, type(uint64).max);
        uint256 routerLeft = bound(routerFee, 0, left);
        uint256 protocolLeft = bound(protocolFee, 0, left - routerLeft);
        for (uint256 i; left > 0; ++i) {
            uint256 part = i == 8 ? left : bound(pick(seed, i), 1, left);
            (uint256 routerPart, uint256 protocolPart) = Pricing.share(routerLeft, protocolLeft, part, left);
            assertLe(routerPart + protocolPart, part, "fees are part of what is paid");
            (routerLeft, protocolLeft, left) = (routerLeft - routerPart, protocolLeft - protocolPart, left - part);
            assertLe(routerLeft + protocolLeft, left, "and what is left of them is part of the rest");
        }
        assertEq(routerLeft + protocolLeft, 0, "exact in the end");
    }
}
