// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IJobRegistry } from "../../src/interfaces/IJobRegistry.sol";
import { IPaymentVault } from "../../src/interfaces/IPaymentVault.sol";
import { BatchHeader, CreditLeaf, KeyGrant } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Trees } from "../utils/Trees.sol";

contract PaymentVault_ApplyDebits_Test is Fixture {
    function test_applyDebits_divides_succeeds() external {
        lockAs(alice, router, 2_000_000);
        Entry memory item = entry(openGrant(), "alice", 1_000_067);
        uint64 batch = commit(router, item);
        expectEvent(address(vault));
        emit IPaymentVault.Debited(router, alice, digestOf(item.grant), batch, 1_000_067, 15_001, 15_001);
        assertEq(applyOne(router, batch, item), 1_000_067, "all of it");

        (uint256 active,,) = vault.lockupOf(alice, router);
        assertEq(active, 2_000_000 - 1_000_067, "from the lockup");
        assertEq(vault.routerFeesOf(router), 15_001, "router");
        (uint256 first, uint256 second, uint256 third) = vault.protocolFees();
        assertEq(first, 5_001, "treasury, with the remainder");
        assertEq(second, 5_000, "validators");
        assertEq(third, 5_000, "buyback");
        assertEq(vault.poolOf(router), 1_000_067 - 2 * 15_001, "the rest is the pool");
        (, uint64 firstUse, uint256 debited) = vault.grantOf(digestOf(item.grant));
        assertEq(firstUse, START, "used since");
        assertEq(debited, 1_000_067, "debited");
        (uint256 applied, uint256 routerFees, uint256 protocolFees) = vault.appliedOf(digestOf(item.grant), router);
        assertEq(applied, 1_000_067, "under this router");
        assertEq(routerFees, 15_001, "router fees");
        assertEq(protocolFees, 15_001, "protocol fees");
    }

    function test_applyDebits_increaseOnly_succeeds() external {
        lockAs(alice, router, 2_000_000);
        Entry memory item = entry(openGrant(), "alice", 1_000);
        uint64 batch = commit(router, item);
        assertEq(applyOne(router, batch, item), 1_000, "first");
        assertEq(applyOne(router, batch, item), 0, "the same again moves nothing");
        Entry memory more = entry(openGrant(), "alice", 1_500);
        more.signature = "";
        assertEq(settle(router, more), 500, "the increase, without a signature");
        assertEq(applyOne(router, batch, item), 0, "an older batch moves nothing");
    }

    function test_applyDebits_someOfTheTree_succeeds() external {
        lockAs(alice, router, 1_000_000);
        Entry[] memory entries = new Entry[](5);
        for (uint256 i; i < 5; ++i) {
            entries[i] = entry(grantFor(alice, vm.toString(i)), "alice", uint128(1_000 * (i + 1)));
        }
        uint64 batch = commit(router, entries, new CreditLeaf[](0));
        uint256[] memory positions = new uint256[](2);
        (positions[0], positions[1]) = (1, 4);
        bytes32[] memory proof = Trees.multiproof(debitLeaves(entries), positions);
        assertEq(vault.applyDebits(router, batch, debitsOf(entries, positions), proof), 7_000, "two of five");

        (positions[0], positions[1]) = (4, 1);
        IPaymentVault.Debit[] memory debits = debitsOf(entries, positions);
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadDebitProof.selector, router, batch));
        vault.applyDebits(router, batch, debits, proof);
    }

    function test_applyDebits_beyondLockup_staysOwed() external {
        lockAs(alice, router, 600);
        Entry memory item = entry(openGrant(), "alice", 1_000);
        uint64 batch = commit(router, item);
        expectEvent(address(vault));
        emit IPaymentVault.DebitOwed(router, alice, digestOf(item.grant), batch, 400);
        assertEq(applyOne(router, batch, item), 600, "as far as the lockup reaches");
        assertEq(applyOne(router, batch, item), 0, "no further");
        lockAs(alice, router, 1_000);
        assertEq(applyOne(router, batch, item), 400, "later the rest");
        (, uint256 routerFees, uint256 protocolFees) = vault.appliedOf(digestOf(item.grant), router);
        assertEq(routerFees, 15, "fees come out exact");
        assertEq(protocolFees, 15, "fees come out exact");
    }

    function testFuzz_applyDebits_inParts_isExact(uint128 debited, uint256 seed) external {
        debited = uint128(bound(debited, 1, 1e15));
        Entry memory item = entry(openGrant(), "alice", debited);
        uint64 batch = commit(router, item);
        uint256 left = debited;
        for (uint256 i; left > 0 && i < 6; ++i) {
            uint256 part = i == 5 ? left : bound(pick(seed, i), 1, left);
            lockAs(alice, router, part);
            assertEq(applyOne(router, batch, item), part, "the part");
            left -= part;
        }
        uint256 fee = uint256(debited) * 150 / 10_000;
        assertEq(vault.routerFeesOf(router), fee, "router fee to the last micro");
        (uint256 first, uint256 second, uint256 third) = vault.protocolFees();
        assertEq(first + second + third, fee, "protocol fee to the last micro");
        assertEq(vault.poolOf(router), debited - 2 * fee, "pool to the last micro");
    }

    function test_applyDebits_thawingFirst_succeeds() external {
        lockAs(alice, router, 1_000);
        vm.prank(alice);
        vault.unlock(router, 300);
        vm.warp(START + THAW);
        settle(router, entry(openGrant(), "alice", 400));
        (uint256 active, uint256 thawing,) = vault.lockupOf(alice, router);
        assertEq(thawing, 0, "what thaws answers first, even when it has thawed");
        assertEq(active, 600, "then the rest");
    }

    function test_applyDebits_otherLockups_untouched() external {
        lockAs(alice, other, 1_000);
        depositAs(alice, 1_000);
        assertEq(settle(router, entry(openGrant(), "alice", 500)), 0, "no lockup for this router");
        assertEq(vault.freeOf(alice), 1_000, "free balance untouched");
        (uint256 active,,) = vault.lockupOf(alice, other);
        assertEq(active, 1_000, "the other router's lockup untouched");
    }

    function test_applyDebits_notFinal_reverts() external {
        lockAs(alice, router, 1_000);
        Entry memory item = entry(openGrant(), "alice", 500);
        BatchHeader memory batch = header(router, one(item), new CreditLeaf[](0), OPTIMISTIC);
        vm.prank(router);
        jobs.commitBatch(batch);
        IPaymentVault.Debit[] memory debits = debitsOf(one(item), new uint256[](1));
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_NotFinal.selector, router, 0, START + WINDOW));
        vault.applyDebits(router, 0, debits, new bytes32[](0));
        vm.warp(START + WINDOW);
        assertEq(applyOne(router, 0, item), 500, "once it is final");
    }

    function test_applyDebits_notInTheTree_reverts() external {
        lockAs(alice, router, 10_000);
        Entry memory item = entry(openGrant(), "alice", 500);
        uint64 batch = commit(router, item);
        Entry memory more = entry(openGrant(), "alice", 501);
        IPaymentVault.Debit[] memory debits = debitsOf(one(more), new uint256[](1));
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadDebitProof.selector, router, batch));
        vault.applyDebits(router, batch, debits, new bytes32[](0));
    }

    function test_applyDebits_nothing_reverts() external {
        uint64 batch = commit(router, entry(openGrant(), "alice", 500));
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadDebitProof.selector, router, batch));
        vault.applyDebits(router, batch, new IPaymentVault.Debit[](0), new bytes32[](0));
    }

    function test_applyDebits_unsigned_reverts() external {
        lockAs(alice, router, 1_000);
        Entry memory item = entry(openGrant(), "router", 500);
        uint64 batch = commit(router, item);
        IPaymentVault.Debit[] memory debits = debitsOf(one(item), new uint256[](1));
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadSignature.selector, digestOf(item.grant), alice));
        vault.applyDebits(router, batch, debits, new bytes32[](0));
    }

    function test_applyDebits_routerNotGranted_reverts() external {
        lockAs(alice, router, 1_000);
        KeyGrant memory grant = openGrant();
        grant.routers[0] = stranger;
        Entry memory item = entry(grant, "alice", 500);
        uint64 batch = commit(router, item);
        IPaymentVault.Debit[] memory debits = debitsOf(one(item), new uint256[](1));
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_RouterNotGranted.selector, digestOf(grant), router));
        vault.applyDebits(router, batch, debits, new bytes32[](0));
        grant.routers = new address[](0);
        item = entry(grant, "alice", 600);
        batch = commit(router, item);
        debits = debitsOf(one(item), new uint256[](1));
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_RouterNotGranted.selector, digestOf(grant), router));
        vault.applyDebits(router, batch, debits, new bytes32[](0));
    }

    function test_applyDebits_feesAboveCeiling_revert() external {
        lockAs(alice, router, 10_000);
        for (uint256 i; i < 2; ++i) {
            Entry memory item = entry(openGrant(), "alice", 1_000);
            if (i == 0) item.routerFees = 16;
            else item.protocolFees = 16;
            uint64 batch = commit(router, item);
            IPaymentVault.Debit[] memory debits = debitsOf(one(item), new uint256[](1));
            expectRevert(
                abi.encodeWithSelector(
                    i == 0
                        ? IPaymentVault.PaymentVault_RouterFeeTooHigh.selector
                        : IPaymentVault.PaymentVault_ProtocolFeeTooHigh.selector,
                    digestOf(item.grant),
                    16,
                    15
                )
            );
            vault.applyDebits(router, batch, debits, new bytes32[](0));
        }
    }

    function test_applyDebits_feesOutOfStep_revert() external {
        lockAs(alice, router, 100_000);
        Entry memory item = entry(openGrant(), "alice", 10_000);
        (item.routerFees, item.protocolFees) = (10, 10);
        settle(router, item);
        uint128[2] memory routerFees = [uint128(9), 150];
        uint128[2] memory debited = [uint128(20_000), 10_100];
        for (uint256 i; i < 2; ++i) {
            // Fees that fall; fees of 140 on a debit of 100.
            (item.debited, item.routerFees) = (debited[i], routerFees[i]);
            uint64 batch = commitWithTotals(router, one(item), new CreditLeaf[](0), 1e12, 1e11);
            IPaymentVault.Debit[] memory debits = debitsOf(one(item), new uint256[](1));
            expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_FeesExceedDebit.selector, digestOf(item.grant)));
            vault.applyDebits(router, batch, debits, new bytes32[](0));
        }
    }

    function test_applyDebits_gas_snapshot() external {
        lockAs(alice, router, 1_000_000);
        Entry[] memory entries = new Entry[](50);
        for (uint256 i; i < 50; ++i) {
            entries[i] = entry(grantFor(alice, vm.toString(i)), "alice", 10_000);
        }
        uint64 batch = commit(router, entries, new CreditLeaf[](0));
        applyAll(router, batch, entries);
        vm.snapshotGasLastCall("gas", "PaymentVault.applyDebits, 50 grants for the first time");
        for (uint256 i; i < 50; ++i) {
            entries[i] = entry(entries[i].grant, "alice", 15_000);
        }
        for (uint256 i; i < 50; ++i) {
            entries[i].signature = "";
        }
        batch = commit(router, entries, new CreditLeaf[](0));
        applyAll(router, batch, entries);
        vm.snapshotGasLastCall("gas", "PaymentVault.applyDebits, 50 grants again");
        uint256[] memory positions = new uint256[](1);
        for (uint256 i; i < 50; ++i) {
            entries[i] = entry(entries[i].grant, "alice", 16_000);
        }
        batch = commit(router, entries, new CreditLeaf[](0));
        bytes32[] memory proof = Trees.multiproof(debitLeaves(entries), positions);
        vault.applyDebits(router, batch, debitsOf(entries, positions), proof);
        vm.snapshotGasLastCall("gas", "PaymentVault.applyDebits, 1 grant again");
    }
}

contract PaymentVault_Caps_Test is Fixture {
    function capped(uint64 dailyCap, uint64 totalCap) internal view returns (KeyGrant memory grant) {
        grant = openGrant();
        (grant.dailyCap, grant.totalCap) = (dailyCap, totalCap);
    }

    function test_caps_total_holds() external {
        lockAs(alice, router, 10_000);
        KeyGrant memory grant = capped(10_000, 1_000);
        assertEq(settle(router, entry(grant, "alice", 900)), 900, "within");
        assertEq(settle(router, entry(grant, "alice", 2_000)), 100, "up to the cap");
        vm.warp(START + 365 days);
        assertEq(settle(router, entry(grant, "alice", 3_000)), 0, "for ever");
    }

    function test_caps_total_acrossRouters_holds() external {
        lockAs(alice, router, 10_000);
        lockAs(alice, other, 10_000);
        KeyGrant memory grant = capped(10_000, 1_000);
        assertEq(settle(router, entry(grant, "alice", 700)), 700, "one");
        assertEq(settle(other, entry(grant, "alice", 700)), 300, "the other gets the rest");
        (,, uint256 debited) = vault.grantOf(digestOf(grant));
        assertEq(debited, 1_000, "both together");
        assertEq(settle(router, entry(grant, "alice", 900)), 0, "and the first no more");
    }

    function test_caps_daily_growsWithUse_holds() external {
        lockAs(alice, router, 100_000);
        KeyGrant memory grant = capped(1_000, 100_000);
        vm.warp(START + 50 days);
        assertEq(settle(router, entry(grant, "alice", 5_000)), 1_000, "the first day starts with the first use");
        vm.warp(START + 51 days - 1);
        assertEq(settle(router, entry(grant, "alice", 5_100)), 0, "one day");
        vm.warp(START + 51 days);
        assertEq(settle(router, entry(grant, "alice", 5_200)), 1_000, "two days");
        vm.warp(START + 60 days);
        assertEq(settle(router, entry(grant, "alice", 5_300)), 3_300, "eleven days allow more than is owed");
    }

    function test_caps_daily_countsCommitment_holds() external {
        lockAs(alice, router, 100_000);
        KeyGrant memory grant = capped(1_000, 100_000);
        Entry memory item = entry(grant, "alice", 5_000);
        uint64 batch = commit(router, item);
        assertEq(applyOne(router, batch, item), 1_000, "one day");
        vm.warp(START + 100 days);
        assertEq(applyOne(router, batch, item), 0, "waiting does not widen what an old batch may take");
        assertEq(settle(router, item), 4_000, "a batch of today takes what today allows");
    }

    function test_caps_daily_lateSettlement_losesNothing() external {
        lockAs(alice, router, 100_000);
        KeyGrant memory grant = capped(1_000, 100_000);
        Entry memory first = entry(grant, "alice", 1_000);
        uint64 early = commit(router, first);
        vm.warp(START + 1 days);
        Entry memory second = entry(grant, "alice", 2_000);
        uint64 late = commit(router, second);
        vm.warp(START + 30 days);
        assertEq(applyOne(router, early, first), 1_000, "first day");
        assertEq(applyOne(router, late, second), 1_000, "second day");
    }

    function test_caps_zero_allowsNothing() external {
        lockAs(alice, router, 1_000);
        assertEq(settle(router, entry(capped(0, 1_000), "alice", 10)), 0, "no daily cap is no allowance");
        assertEq(settle(other, entry(capped(1_000, 0), "alice", 20)), 0, "no total cap is no allowance");
    }

    function test_caps_notBefore_holds() external {
        lockAs(alice, router, 1_000);
        KeyGrant memory grant = openGrant();
        grant.notBefore = START + 100;
        Entry memory item = entry(grant, "alice", 10);
        uint64 early = commit(router, item);
        vm.warp(START + 100);
        assertEq(applyOne(router, early, item), 0, "committed too early");
        assertEq(settle(router, item), 10, "in time");
    }

    function test_caps_notAfter_holds() external {
        lockAs(alice, router, 1_000);
        KeyGrant memory grant = openGrant();
        grant.notAfter = START + 100;
        vm.warp(START + 100 + 1 hours);
        Entry memory item = entry(grant, "alice", 10);
        uint64 inTime = commit(router, item);
        vm.warp(START + 100 + 1 hours + 1);
        assertEq(settle(router, entry(grant, "alice", 20)), 0, "committed after the slack");
        assertEq(applyOne(router, inTime, item), 10, "committed within, applied later");
    }

    function test_caps_revokeAll_holds() external {
        lockAs(alice, router, 1_000);
        KeyGrant memory grant = openGrant();
        Entry memory item = entry(grant, "alice", 10);
        uint64 before = commit(router, item);
        vm.warp(START + 10);
        vm.prank(alice);
        vault.revokeAll();
        assertEq(settle(router, entry(grant, "alice", 20)), 0, "the second of the revocation is too late");
        vm.warp(START + 11);
        assertEq(settle(router, entry(grant, "alice", 30)), 0, "after it");
        assertEq(applyOne(router, before, item), 10, "before it, though first seen now");
        assertEq(settle(router, entry(grantFor(alice, "new key"), "alice", 40)), 40, "grants of the new generation work");
    }

    function test_caps_revokeGrant_holds() external {
        lockAs(alice, router, 1_000);
        KeyGrant memory grant = openGrant();
        Entry memory item = entry(grant, "alice", 10);
        uint64 before = commit(router, item);
        vm.warp(START + 10);
        bytes32 digest = digestOf(grant);
        vm.prank(alice);
        vault.revokeGrant(digest);
        assertEq(settle(router, entry(grant, "alice", 20)), 0, "no more");
        assertEq(applyOne(router, before, item), 10, "but what was committed");
        assertEq(settle(router, entry(grantFor(alice, "second"), "alice", 40)), 40, "other keys go on");
    }

    /// Whatever a router commits, one grant never loses more than its caps and its lockup.
    function testFuzz_caps_neverExceeded(uint256 seed) external {
        uint64 dailyCap = uint64(bound(pick(seed, 1), 1, 10_000));
        uint64 totalCap = uint64(bound(pick(seed, 2), 1, 50_000));
        uint256 lockup = bound(pick(seed, 3), 0, 60_000);
        lockAs(alice, router, lockup);
        KeyGrant memory grant = capped(dailyCap, totalCap);
        uint128 total;
        uint256 firstUse;
        for (uint256 i; i < 8; ++i) {
            vm.warp(block.timestamp + pick(seed, 100 + i) % 2 days);
            total += uint128(1 + pick(seed, 200 + i) % 20_000);
            uint256 applied = settle(router, entry(grant, "alice", total));
            if (firstUse == 0 && applied > 0) firstUse = block.timestamp;
            (,, uint256 debited) = vault.grantOf(digestOf(grant));
            assertLe(debited, totalCap, "total cap");
            assertLe(debited, lockup, "lockup");
            if (debited > 0) {
                assertLe(debited, dailyCap * ((block.timestamp - firstUse) / 1 days + 1), "daily cap");
            }
            assertLe(debited, total, "what the router said");
        }
    }
}
