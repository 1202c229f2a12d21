// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IJobRegistry } from "../../src/interfaces/IJobRegistry.sol";
import { IPaymentVault } from "../../src/interfaces/IPaymentVault.sol";
import { HoldLib } from "../../src/libraries/Hold.sol";
import { BatchHeader, CreditLeaf } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Judge } from "../utils/Judge.sol";
import { Trees } from "../utils/Trees.sol";

abstract contract PayoutFixture is Fixture {
    address internal second = actor("second provider");

    /// Debits alice under the router and commits these credits.
    function fill(address router_, uint128 debited, CreditLeaf[] memory credits) internal returns (uint64 batch) {
        lockAs(alice, router_, debited);
        (uint256 applied,,) = vault.appliedOf(digestOf(openGrant()), router_);
        Entry memory item = entry(openGrant(), "alice", uint128(applied) + debited);
        batch = commit(router_, one(item), credits);
        assertEq(applyOne(router_, batch, item), debited, "the pool fills");
    }

    function two(uint128 first_, uint128 second_) internal view returns (CreditLeaf[] memory credits) {
        credits = new CreditLeaf[](2);
        credits[0] = CreditLeaf(provider, first_);
        credits[1] = CreditLeaf(second, second_);
    }
}

contract PaymentVault_Claim_Test is PayoutFixture {
    function test_claim_paysTheProvider_succeeds() external {
        CreditLeaf[] memory credits = two(500, 470);
        uint64 batch = fill(router, 1_000, credits);
        assertEq(vault.poolOf(router), 970, "net of fees");
        expectEvent(address(vault));
        emit IPaymentVault.Claimed(router, provider, batch, 500, 0);
        vm.prank(stranger);
        assertEq(claimAs(router, batch, credits, 0), 500, "anyone may ask");
        assertEq(usdc.balanceOf(provider), 500, "the provider is paid");
        assertEq(vault.paidOf(router, provider), 500, "kept");
        assertEq(claimAs(router, batch, credits, 0), 0, "once");
        assertEq(claimAs(router, batch, credits, 1), 470, "the other too");
        assertEq(vault.poolOf(router), 0, "all of it");
    }

    function test_claim_increaseOnly_succeeds() external {
        CreditLeaf[] memory credits = two(970, 0);
        uint64 batch = fill(router, 1_000, credits);
        claimAs(router, batch, credits, 0);
        credits[0].credited = 1_940;
        uint64 next = fill(router, 1_000, credits);
        assertEq(claimAs(router, next, credits, 0), 970, "the increase");
        credits[0].credited = 970;
        assertEq(claimAs(router, batch, credits, 0), 0, "an older batch pays nothing");
    }

    function test_claim_poolShort_staysOwed() external {
        CreditLeaf[] memory credits = two(2_000, 0);
        uint64 batch = fill(router, 1_000, credits);
        bondAs(router, 10_000);
        expectEvent(address(vault));
        emit IPaymentVault.Claimed(router, provider, batch, 970, 1_030);
        assertEq(claimAs(router, batch, credits, 0), 970, "what the pool has, and nothing of the bond");
        fill(router, 1_000, credits);
        assertEq(claimAs(router, batch, credits, 0), 970, "later more of it");
    }

    function test_claim_inventedCredits_emptyNoOtherPool() external {
        fill(router, 1_000, two(970, 0));
        CreditLeaf[] memory invented = two(1e12, 0);
        invented[0].provider = stranger;
        uint64 batch = commit(other, one(entry(grantFor(stranger, "own"), "stranger", 2e12)), invented);
        assertEq(claimAs(other, batch, invented, 0), 0, "an empty pool pays nothing");
        assertEq(vault.poolOf(router), 970, "the other pool is untouched");
    }

    function test_claim_badProofs_revert() external {
        CreditLeaf[] memory credits = two(500, 470);
        uint64 batch = fill(router, 1_000, credits);
        bytes32[] memory proof = Trees.proof(creditLeaves(credits), 0);
        bytes memory reason = abi.encodeWithSelector(IPaymentVault.PaymentVault_BadCreditProof.selector, router, batch, provider);
        expectRevert(reason);
        vault.claim(router, batch, provider, 501, 0, proof);
        expectRevert(reason);
        vault.claim(router, batch, provider, 500, 1, proof);
        expectRevert(reason);
        vault.claim(router, batch, provider, 500, 0, new bytes32[](0));
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadCreditProof.selector, router, batch, stranger));
        vault.claim(router, batch, stranger, 500, 0, proof);
    }

    function test_claim_notFinal_reverts() external {
        CreditLeaf[] memory credits = two(500, 470);
        BatchHeader memory head = header(router, one(entry(openGrant(), "alice", 1_000)), credits, OPTIMISTIC);
        vm.prank(router);
        jobs.commitBatch(head);
        bytes32[] memory proof = Trees.proof(creditLeaves(credits), 0);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_NotFinal.selector, router, 0, START + WINDOW));
        vault.claim(router, 0, provider, 500, 0, proof);
    }

    function test_claim_gas_snapshot() external {
        CreditLeaf[] memory credits = new CreditLeaf[](1_000);
        for (uint256 i; i < credits.length; ++i) {
            credits[i] = CreditLeaf(address(uint160(uint256(keccak256(abi.encode("p", i))))), 100);
        }
        uint64 batch = fill(router, 1_000_000, credits);
        claimAs(router, batch, credits, 400);
        vm.snapshotGasLastCall("gas", "PaymentVault.claim, first of 1000 providers");
        for (uint256 i; i < credits.length; ++i) {
            credits[i].credited = 200;
        }
        batch = fill(router, 1_000_000, credits);
        claimAs(router, batch, credits, 400);
        vm.snapshotGasLastCall("gas", "PaymentVault.claim, again");
    }
}

contract PaymentVault_ClaimWithBond_Test is PayoutFixture {
    function test_claimWithBond_poolFirst_succeeds() external {
        CreditLeaf[] memory credits = two(2_000, 0);
        uint64 batch = fill(router, 1_000, credits);
        bondAs(router, 1_000);
        expectEvent(address(vault));
        emit IPaymentVault.BondUsed(router, provider, 1_000);
        expectEvent(address(vault));
        emit IPaymentVault.Claimed(router, provider, batch, 1_970, 30);
        assertEq(claimWithBondAs(router, batch, credits, 0), 1_970, "pool, then bond");
        (uint256 active,,, uint256 used) = vault.bondOf(router);
        assertEq(active, 0, "bond");
        assertEq(used, 1_000, "used");
    }

    function test_claimWithBond_restoredByDebits_succeeds() external {
        CreditLeaf[] memory credits = two(1_500, 0);
        uint64 batch = fill(router, 1_000, credits);
        bondAs(router, 1_000);
        claimWithBondAs(router, batch, credits, 0);
        (uint256 active,,, uint256 used) = vault.bondOf(router);
        assertEq(active, 470, "530 of the bond went to the provider");

        fill(router, 1_000, credits);
        (active,,, used) = vault.bondOf(router);
        assertEq(active, 1_000, "restored");
        assertEq(used, 0, "nothing outstanding");
        assertEq(vault.poolOf(router), 440, "the rest fills the pool");
        assertEq(claimWithBondAs(router, batch, credits, 0), 0, "the provider was paid once");
    }

    function test_claimWithBond_thawingBond_succeeds() external {
        CreditLeaf[] memory credits = two(500, 0);
        uint64 batch = commit(router, one(entry(openGrant(), "alice", 1_000)), credits);
        bondAs(router, 1_000);
        vm.prank(router);
        vault.thawBond(1_000);
        assertEq(claimWithBondAs(router, batch, credits, 0), 500, "a thawing bond answers");
        vm.warp(START + THAW);
        vm.prank(router);
        assertEq(vault.withdrawBond(), 500, "the rest comes back");
    }

    function test_claimWithBond_badProof_reverts() external {
        CreditLeaf[] memory credits = two(500, 0);
        uint64 batch = fill(router, 1_000, credits);
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadCreditProof.selector, router, batch, provider));
        vault.claimWithBond(router, batch, provider, 501, 0, new bytes32[](0));
    }
}

contract PaymentVault_DepositBond_Test is PayoutFixture {
    function test_depositBond_byAnyone_succeeds() external {
        usdc.mint(stranger, 100);
        vm.startPrank(stranger);
        usdc.approve(address(vault), 100);
        expectEvent(address(vault));
        emit IPaymentVault.BondDeposited(router, stranger, 100);
        vault.depositBond(router, 100);
        vm.stopPrank();
        (uint256 active, uint256 thawing,, uint256 used) = vault.bondOf(router);
        assertEq(active, 100, "stands for the router");
        assertEq(thawing + used, 0, "all of it");
    }

    function test_depositBond_forNobody_reverts() external {
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_ZeroAddress.selector));
        vault.depositBond(address(0), 1);
    }
}

contract PaymentVault_ThawBond_Test is PayoutFixture {
    function test_thawBond_moreThanThereIs_reverts() external {
        vm.prank(router);
        expectRevert(abi.encodeWithSelector(HoldLib.Hold_InsufficientActive.selector, 1, 0));
        vault.thawBond(1);
    }
}

contract PaymentVault_WithdrawBond_Test is PayoutFixture {
    function test_withdrawBond_afterThaw_succeeds() external {
        bondAs(router, 100);
        vm.startPrank(router);
        expectEvent(address(vault));
        emit IPaymentVault.BondThawing(router, 60, START + THAW);
        vault.thawBond(60);
        expectRevert(abi.encodeWithSelector(HoldLib.Hold_NotThawed.selector, START + THAW));
        vault.withdrawBond();
        vm.warp(START + THAW);
        assertEq(vault.withdrawBond(), 60, "thawed");
        vm.stopPrank();
        assertEq(usdc.balanceOf(router), 60, "received");
    }
}

contract PaymentVault_WithdrawRouterFees_Test is PayoutFixture {
    function test_withdrawRouterFees_paysTheRouter_succeeds() external {
        fill(router, 1_000, two(0, 0));
        vm.prank(stranger);
        assertEq(vault.withdrawRouterFees(router), 15, "earned");
        assertEq(usdc.balanceOf(router), 15, "to the router");
        assertEq(vault.withdrawRouterFees(router), 0, "once");
    }
}

contract PaymentVault_WithdrawProtocolFees_Test is PayoutFixture {
    function test_withdrawProtocolFees_paysTheThree_succeeds() external {
        fill(router, 1_340, two(0, 0));
        vm.prank(stranger);
        (uint256 first, uint256 second_, uint256 third) = vault.withdrawProtocolFees();
        assertEq(first, 8, "20 in three, with the remainder");
        assertEq(second_, 6, "20 in three");
        assertEq(third, 6, "20 in three");
        assertEq(usdc.balanceOf(treasury), 8, "treasury");
        assertEq(usdc.balanceOf(validators), 6, "validators");
        assertEq(usdc.balanceOf(buyback), 6, "buyback");
        (first, second_, third) = vault.withdrawProtocolFees();
        assertEq(first + second_ + third, 0, "once");
    }
}

contract PaymentVault_SetThawPeriod_Test is PayoutFixture {
    function test_setThawPeriod_forTheFuture_succeeds() external {
        lockAs(alice, router, 100);
        vm.prank(alice);
        vault.unlock(router, 100);
        vm.prank(governor);
        vault.setThawPeriod(30 days);
        vm.warp(START + THAW);
        vm.prank(alice);
        assertEq(vault.withdrawThawed(router), 100, "what thaws already keeps its time");
    }

    function test_setThawPeriod_shorterThanCourtsTake_isLengthened() external {
        address judge = address(new Judge(THAW));
        vm.prank(governor);
        jobs.setCourt(judge, true);
        lockAs(alice, router, 100);
        bondAs(router, 100);
        vm.prank(alice);
        assertEq(vault.unlock(router, 100), START + WINDOW + THAW + 1, "a lockup");
        vm.prank(router);
        assertEq(vault.thawBond(100), START + WINDOW + THAW + 1, "a bond");
    }

    function test_setThawPeriod_outOfBounds_reverts() external {
        vm.startPrank(governor);
        bytes4 selector = IPaymentVault.PaymentVault_PeriodOutOfBounds.selector;
        expectRevert(abi.encodeWithSelector(selector, WINDOW, WINDOW + 1, uint64(30 days)));
        vault.setThawPeriod(WINDOW);
        expectRevert(abi.encodeWithSelector(selector, uint64(30 days + 1), WINDOW + 1, uint64(30 days)));
        vault.setThawPeriod(30 days + 1);
        vm.stopPrank();
    }
}

contract PaymentVault_SetExpirySlack_Test is PayoutFixture {
    function test_setExpirySlack_outOfBounds_reverts() external {
        vm.startPrank(governor);
        vault.setExpirySlack(7 days);
        assertEq(vault.expirySlack(), 7 days, "the longest");
        expectRevert(
            abi.encodeWithSelector(
                IPaymentVault.PaymentVault_PeriodOutOfBounds.selector, uint64(7 days + 1), uint64(0), uint64(7 days)
            )
        );
        vault.setExpirySlack(7 days + 1);
        vm.stopPrank();
    }
}

contract PaymentVault_SetFees_Test is PayoutFixture {
    function test_setFees_lowered_oldDebitsStand() external {
        lockAs(alice, router, 10_000);
        Entry memory item = entry(openGrant(), "alice", 1_000);
        uint64 batch = commit(router, item);
        vm.prank(governor);
        vault.setFees(100, 100);
        assertEq(applyOne(router, batch, item), 1_000, "fees of the time the jobs were done");
    }

    function test_setFees_outOfBounds_reverts() external {
        vm.startPrank(governor);
        bytes4 selector = IPaymentVault.PaymentVault_FeeOutOfBounds.selector;
        expectRevert(abi.encodeWithSelector(selector, 501, 500));
        vault.setFees(501, 0);
        expectRevert(abi.encodeWithSelector(selector, 501, 500));
        vault.setFees(0, 501);
        vault.setFees(500, 500);
        vm.stopPrank();
    }
}

contract PaymentVault_SetRecipients_Test is PayoutFixture {
    function test_setRecipients_nobody_reverts() external {
        vm.startPrank(governor);
        for (uint256 i; i < 3; ++i) {
            expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_ZeroAddress.selector));
            vault.setRecipients(i == 0 ? address(0) : treasury, i == 1 ? address(0) : validators, i == 2 ? address(0) : buyback);
        }
        vault.setRecipients(stranger, stranger, stranger);
        vm.stopPrank();
        fill(router, 1_000, two(0, 0));
        vault.withdrawProtocolFees();
        assertEq(usdc.balanceOf(stranger), 15, "the new recipient");
    }
}

contract PaymentVault_EverySetter_Test is PayoutFixture {
    function test_everySetter_notGovernor_reverts() external {
        vm.startPrank(stranger);
        expectNotGovernor(stranger);
        vault.setThawPeriod(1 hours);
        expectNotGovernor(stranger);
        vault.setExpirySlack(1);
        expectNotGovernor(stranger);
        vault.setFees(1, 1);
        expectNotGovernor(stranger);
        vault.setRecipients(stranger, stranger, stranger);
        vm.stopPrank();
    }
}
