// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { INFR } from "../../src/INFR.sol";
import { Fixture } from "../utils/Fixture.sol";

contract INFR_Constructor_Test is Fixture {
    function test_constructor_mintsOnce_succeeds() external view {
        assertEq(infr.totalSupply(), 1_000_000_000e18, "one billion");
        assertEq(infr.symbol(), "INFR", "symbol");
        assertEq(infr.decimals(), 18, "decimals");
        assertEq(infr.CLOCK_MODE(), "mode=timestamp", "clock");
        assertEq(infr.clock(), block.timestamp, "clock");
    }

    function test_constructor_notTheSupply_reverts() external {
        uint256 supply = infr.SUPPLY();
        INFR.Allocation[] memory allocations = new INFR.Allocation[](2);
        allocations[0] = INFR.Allocation(alice, supply - 2);
        allocations[1] = INFR.Allocation(stranger, 1);
        expectRevert(abi.encodeWithSelector(INFR.INFR_AllocationsDoNotAddUp.selector, supply - 1, supply));
        new INFR(allocations);
        allocations[1].amount = 3;
        expectRevert(abi.encodeWithSelector(INFR.INFR_AllocationsDoNotAddUp.selector, supply + 1, supply));
        new INFR(allocations);
    }
}

contract INFR_Votes_Test is Fixture {
    function test_votes_byTimestamp_succeeds() external {
        infr.transfer(alice, 100);
        vm.prank(alice);
        infr.delegate(alice);
        vm.warp(START + 10);
        vm.prank(alice);
        infr.transfer(stranger, 40);
        vm.warp(START + 20);
        assertEq(infr.getPastVotes(alice, START + 9), 100, "before");
        assertEq(infr.getPastVotes(alice, START + 10), 60, "after");
        assertEq(infr.getPastTotalSupply(START), 1_000_000_000e18, "supply");
    }
}

contract INFR_Burn_Test is Fixture {
    function test_burn_lowersTheSupply_succeeds() external {
        infr.burn(5);
        assertEq(infr.totalSupply(), 1_000_000_000e18 - 5, "burned");
    }
}

contract DevUSDC_Mint_Test is Fixture {
    function test_mint_byOwner_succeeds() external {
        usdc.mint(alice, 7);
        assertEq(usdc.balanceOf(alice), 7, "minted");
        assertEq(usdc.decimals(), 6, "like USDC");
    }

    function test_mint_byAnother_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        usdc.mint(stranger, 7);
    }
}
