// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IStakeRegistry } from "../../src/interfaces/IStakeRegistry.sol";
import { CreditLeaf, Role } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";

/// Many accounts with next to nothing, in the way of those with something.
contract DustAccounts_Attack_Test is Fixture {
    uint256 private constant DUST = 20;
    uint128 private constant DEBIT = 1_000;

    function name(uint256 i) private pure returns (string memory) {
        return string.concat("dust ", vm.toString(i));
    }

    function entries() private view returns (Entry[] memory list) {
        list = new Entry[](DUST + 1);
        for (uint256 i; i < DUST; ++i) {
            list[i] = entry(grantFor(actor(name(i)), "key"), name(i), DEBIT);
        }
        list[DUST] = entry(openGrant(), "alice", DEBIT);
    }

    /// One batch with all of them is settled in one transaction, and what cannot be debited stays owed.
    function test_attack_dustInABatch_holdsUpNobody() external {
        lockAs(alice, router, DEBIT);
        for (uint256 i; i < DUST; ++i) {
            lockAs(actor(name(i)), router, i % 3);
        }
        Entry[] memory list = entries();
        uint64 batch = commit(router, list, new CreditLeaf[](0));
        uint256 dust;
        for (uint256 i; i < DUST; ++i) {
            dust += i % 3;
        }
        assertEq(applyAll(router, batch, list), DEBIT + dust, "hers, and what dust there is");
    }

    /// Nor by withdrawing or revoking while the batch is on its way.
    function test_attack_dustThatLeaves_holdsUpNobody() external {
        lockAs(alice, router, DEBIT);
        Entry[] memory list = entries();
        for (uint256 i; i < DUST; ++i) {
            lockAs(actor(name(i)), router, DEBIT);
            bytes32 grant = digestOf(list[i].grant);
            vm.prank(actor(name(i)));
            if (i % 2 == 0) vault.unlock(router, DEBIT);
            else vault.revokeGrant(grant);
        }
        uint64 batch = commit(router, list, new CreditLeaf[](0));
        vm.warp(block.timestamp + THAW);
        for (uint256 i; i < DUST; i += 2) {
            vm.prank(actor(name(i)));
            vault.withdrawThawed(router);
        }
        assertEq(applyAll(router, batch, list), DEBIT, "hers");
    }

    /// Money sent to somebody else's books restarts no clock of theirs.
    function test_attack_dustDeposits_restartNoThaw() external {
        lockAs(alice, router, DEBIT);
        bondAs(router, DEBIT);
        vm.prank(alice);
        uint64 lockupThaws = vault.unlock(router, DEBIT);
        vm.prank(router);
        vault.thawBond(DEBIT);
        vm.warp(lockupThaws - 1);
        usdc.mint(stranger, 2);
        vm.startPrank(stranger);
        usdc.approve(address(vault), 2);
        vault.depositFor(alice, 1);
        vault.depositBond(router, 1);
        vm.stopPrank();
        vm.warp(lockupThaws);
        vm.prank(alice);
        assertEq(vault.withdrawThawed(router), DEBIT, "alice on time");
        vm.prank(router);
        assertEq(vault.withdrawBond(), DEBIT, "the router too");
    }

    /// Nobody fills the lists of operators for less than the minimum stake each.
    function test_attack_dustOperators_areNotListed() external {
        uint256 before = stakes.operatorCount(Role.Provider);
        infr.transfer(stranger, 1);
        vm.startPrank(stranger);
        infr.approve(address(stakes), 1);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_BelowMinimum.selector, 1, MINIMUM));
        stakes.stake(Role.Provider, 1, stranger);
        vm.stopPrank();
        assertEq(stakes.operatorCount(Role.Provider), before, "as many as before");
    }
}
