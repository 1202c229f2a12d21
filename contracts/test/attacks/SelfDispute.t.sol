// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { BatchExaminer } from "../../src/court/BatchExaminer.sol";
import { JobTicket, Role } from "../../src/libraries/Types.sol";
import { CourtFixture } from "../court/CourtFixture.sol";

/// An operator has itself convicted by an account of its own, for the bounty. Here the same hand also owns whoever was harmed.
contract SelfDispute_Attack_Test is CourtFixture {
    address private puppet = actor("puppet");

    function owned(Role role, address operator) private view returns (uint256) {
        return
            stakeOf(operator, role) + infr.balanceOf(operator) + infr.balanceOf(puppet) + infr.balanceOf(alice)
                + infr.balanceOf(bob);
    }

    /// Whatever a judge decides, and whoever is paid: at least a fifth of it is gone, and never nothing.
    function testFuzz_attack_anySlash_losesMoney(uint96 extra, uint16 bps, bool thawing, bool harmed, bool challenged) external {
        stakeAs(provider, Role.Provider, bound(extra, 0, 1_000_000e18), providerHot);
        if (thawing) {
            vm.prank(provider);
            stakes.unbond(Role.Provider, 1);
        }
        uint256 before = owned(Role.Provider, provider);
        uint256 supply = infr.totalSupply();
        vm.prank(slasher);
        uint256 slashed = stakes.slash(
            provider, Role.Provider, bound(bps, 1, 10_000), harmed ? puppet : address(0), challenged ? puppet : address(0), "own"
        );
        uint256 lost = before - owned(Role.Provider, provider);
        assertTrue(slashed > 0 && lost * 5 >= slashed, "a fifth at least");
        assertEq(infr.totalSupply(), supply - lost, "burned");
    }

    /// So does an amount as small as can be: no rounding is in the operator's favour.
    function test_attack_tinySlash_losesMoney() external {
        for (uint256 amount = 1; amount < 12; ++amount) {
            uint256 before = owned(Role.Provider, provider);
            vm.prank(slasher);
            stakes.slashAmount(provider, Role.Provider, amount, puppet, puppet, "own");
            assertTrue(owned(Role.Provider, provider) < before, "less than before");
        }
    }

    /// Through the court, by evidence against one's own batch.
    function test_attack_ownBatch_losesMoney() external {
        (, Book memory book) = commitTwo();
        book = build(book, 3);
        book.leaves[2].ticket = book.leaves[1].ticket;
        uint64 batch = commitBook(book);
        uint256 before = owned(Role.Router, router);
        bytes memory evidence = abi.encodeCall(BatchExaminer.examinePair, (router, leafOf(book, batch, 1), leafOf(book, batch, 2)));
        vm.prank(puppet);
        court.prove(address(examiner), evidence);
        assertEq(before - owned(Role.Router, router), MINIMUM / 4 / 5, "a fifth of a quarter");
    }

    /// And by two tickets of one number, which takes half of the stake.
    function test_attack_ownTickets_loseMoney() external {
        (JobTicket memory first,) = jobOf(1);
        (JobTicket memory next,) = jobOf(2);
        next.sequence = first.sequence;
        bytes memory firstSignature = signTicket(first);
        bytes memory nextSignature = signTicket(next);
        uint256 before = owned(Role.Router, router);
        vm.prank(puppet);
        court.proveEquivocation(first, firstSignature, next, nextSignature);
        assertEq(before - owned(Role.Router, router), MINIMUM / 2 / 5, "a fifth of half");
    }
}
