// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { PaymentVault as PaymentVaultImplementation } from "../../src/PaymentVault.sol";
import { IPaymentVault } from "../../src/interfaces/IPaymentVault.sol";
import { HoldLib } from "../../src/libraries/Hold.sol";
import { KeyGrant } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Wallet } from "../utils/Wallet.sol";

contract PaymentVault_Initialize_Test is Fixture {
    function test_initialize_parameters_succeeds() external view {
        assertEq(vault.owner(), governor, "owner");
        assertEq(vault.usdc(), address(usdc), "token");
        assertEq(vault.jobRegistry(), address(jobs), "log");
        assertEq(vault.thawPeriod(), THAW, "thaw");
        assertEq(vault.expirySlack(), 1 hours, "slack");
        (uint16 routerFee, uint16 protocolFee) = vault.fees();
        assertEq(routerFee, 150, "1.5 %");
        assertEq(protocolFee, 150, "1.5 %");
        (address first, address second, address third) = vault.recipients();
        assertTrue(first == treasury && second == validators && third == buyback, "recipients");
    }

    function test_initialize_again_reverts() external {
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        vault.initialize(stranger, address(usdc), address(jobs), THAW, treasury, validators, buyback);
    }

    function test_initialize_noTokenOrLog_reverts() external {
        address implementation = address(new PaymentVaultImplementation());
        bytes memory reason = abi.encodeWithSelector(IPaymentVault.PaymentVault_ZeroAddress.selector);
        expectRevert(reason);
        proxy(
            implementation,
            abi.encodeCall(vault.initialize, (governor, address(0), address(jobs), THAW, treasury, validators, buyback))
        );
        expectRevert(reason);
        proxy(
            implementation,
            abi.encodeCall(vault.initialize, (governor, address(usdc), address(0), THAW, treasury, validators, buyback))
        );
    }
}

contract PaymentVault_Deposit_Test is Fixture {
    function test_deposit_becomesFree_succeeds() external {
        usdc.mint(alice, 100);
        vm.startPrank(alice);
        usdc.approve(address(vault), 100);
        expectEvent(address(vault));
        emit IPaymentVault.Deposited(alice, alice, 100);
        vault.deposit(100);
        vm.stopPrank();
        assertEq(vault.freeOf(alice), 100, "free");
        assertEq(usdc.balanceOf(address(vault)), 100, "held");
    }

    function test_deposit_unapproved_reverts() external {
        usdc.mint(alice, 100);
        vm.prank(alice);
        vm.expectRevert();
        vault.deposit(100);
    }
}

contract PaymentVault_DepositFor_Test is Fixture {
    function test_depositFor_another_succeeds() external {
        usdc.mint(stranger, 100);
        vm.startPrank(stranger);
        usdc.approve(address(vault), 100);
        vault.depositFor(alice, 100);
        vm.stopPrank();
        assertEq(vault.freeOf(alice), 100, "the account's");
        assertEq(vault.freeOf(stranger), 0, "not the payer's");
    }

    function test_depositFor_nobody_reverts() external {
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_ZeroAddress.selector));
        vault.depositFor(address(0), 1);
    }
}

contract PaymentVault_DepositWithPermit_Test is Fixture {
    bytes32 private constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    function _permit() private view returns (uint8, bytes32, bytes32) {
        bytes32 structHash = keccak256(abi.encode(PERMIT, alice, address(vault), 100, 0, START + 1));
        return vm.sign(keyOf("alice"), keccak256(abi.encodePacked(hex"1901", usdc.DOMAIN_SEPARATOR(), structHash)));
    }

    function test_depositWithPermit_oneTransaction_succeeds() external {
        usdc.mint(alice, 100);
        (uint8 v, bytes32 r, bytes32 s) = _permit();
        vm.prank(alice);
        vault.depositWithPermit(100, START + 1, v, r, s);
        assertEq(vault.freeOf(alice), 100, "free");
    }

    function test_depositWithPermit_permitSentAhead_succeeds() external {
        usdc.mint(alice, 100);
        (uint8 v, bytes32 r, bytes32 s) = _permit();
        usdc.permit(alice, address(vault), 100, START + 1, v, r, s);
        vm.prank(alice);
        vault.depositWithPermit(100, START + 1, v, r, s);
        assertEq(vault.freeOf(alice), 100, "free");
    }
}

contract PaymentVault_Withdraw_Test is Fixture {
    function test_withdraw_anyTime_succeeds() external {
        depositAs(alice, 100);
        expectEvent(address(vault));
        emit IPaymentVault.Withdrawn(alice, 60);
        vm.prank(alice);
        vault.withdraw(60);
        assertEq(usdc.balanceOf(alice), 60, "paid out");
        assertEq(vault.freeOf(alice), 40, "left");
    }

    function test_withdraw_moreThanFree_reverts() external {
        depositAs(alice, 100);
        vm.startPrank(alice);
        vault.lock(router, 50);
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_InsufficientFree.selector, alice, 51, 50));
        vault.withdraw(51);
        vm.stopPrank();
    }
}

contract PaymentVault_Lock_Test is Fixture {
    function test_lock_forOneRouter_succeeds() external {
        depositAs(alice, 100);
        expectEvent(address(vault));
        emit IPaymentVault.Locked(alice, router, 70);
        vm.prank(alice);
        vault.lock(router, 70);
        (uint256 active, uint256 thawing,) = vault.lockupOf(alice, router);
        assertEq(active, 70, "locked");
        assertEq(thawing, 0, "nothing thaws");
        assertEq(vault.freeOf(alice), 30, "free");
        (active,,) = vault.lockupOf(alice, other);
        assertEq(active, 0, "not for the other router");
    }

    function test_lock_moreThanFree_reverts() external {
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_InsufficientFree.selector, alice, 1, 0));
        vault.lock(router, 1);
    }

    function test_lock_forNobody_reverts() external {
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_ZeroAddress.selector));
        vault.lock(address(0), 0);
    }
}

contract PaymentVault_Unlock_Test is Fixture {
    function test_unlock_thaws_succeeds() external {
        lockAs(alice, router, 100);
        expectEvent(address(vault));
        emit IPaymentVault.Unlocking(alice, router, 40, START + THAW);
        vm.prank(alice);
        vault.unlock(router, 40);
        (uint256 active, uint256 thawing, uint64 thawedAt) = vault.lockupOf(alice, router);
        assertEq(active, 60, "still locked");
        assertEq(thawing, 40, "thawing");
        assertEq(thawedAt, START + THAW, "until");
    }

    function test_unlock_moreThanLocked_reverts() external {
        lockAs(alice, router, 100);
        vm.startPrank(alice);
        vault.unlock(router, 60);
        expectRevert(abi.encodeWithSelector(HoldLib.Hold_InsufficientActive.selector, 41, 40));
        vault.unlock(router, 41);
        vm.stopPrank();
    }
}

contract PaymentVault_WithdrawThawed_Test is Fixture {
    function test_withdrawThawed_becomesFree_succeeds() external {
        lockAs(alice, router, 100);
        vm.startPrank(alice);
        vault.unlock(router, 40);
        vm.warp(START + THAW);
        expectEvent(address(vault));
        emit IPaymentVault.Unlocked(alice, router, 40);
        assertEq(vault.withdrawThawed(router), 40, "amount");
        assertEq(vault.freeOf(alice), 40, "free");
        assertEq(vault.withdrawThawed(router), 0, "once");
        vm.stopPrank();
    }

    function test_withdrawThawed_early_reverts() external {
        lockAs(alice, router, 100);
        vm.startPrank(alice);
        vault.unlock(router, 40);
        vm.warp(START + THAW - 1);
        expectRevert(abi.encodeWithSelector(HoldLib.Hold_NotThawed.selector, START + THAW));
        vault.withdrawThawed(router);
        vm.stopPrank();
    }
}

contract PaymentVault_RegisterGrant_Test is Fixture {
    function test_registerGrant_byAnyone_succeeds() external {
        KeyGrant memory grant = openGrant();
        bytes32 digest = digestOf(grant);
        bytes memory signature = sign("alice", digest);
        expectEvent(address(vault));
        emit IPaymentVault.GrantRegistered(digest, alice, grant.keyHash);
        vm.prank(stranger);
        assertEq(vault.registerGrant(grant, signature), digest, "digest");
        (bool registered, uint64 firstUse, uint256 debited) = vault.grantOf(digest);
        assertTrue(registered, "registered");
        assertEq(firstUse, 0, "not used");
        assertEq(debited, 0, "nothing debited");
    }

    function test_registerGrant_again_isFree() external {
        KeyGrant memory grant = openGrant();
        vault.registerGrant(grant, sign("alice", digestOf(grant)));
        vault.registerGrant(grant, "");
    }

    function test_registerGrant_contractAccount_succeeds() external {
        Wallet wallet = new Wallet(alice);
        KeyGrant memory grant = grantFor(address(wallet), "key");
        bytes32 digest = digestOf(grant);
        vault.registerGrant(grant, sign("alice", digest));
        (bool registered,,) = vault.grantOf(digest);
        assertTrue(registered, "ERC-1271");
    }

    function test_registerGrant_contractAccount_refuses_reverts() external {
        Wallet wallet = new Wallet(alice);
        KeyGrant memory grant = grantFor(address(wallet), "key");
        bytes32 digest = digestOf(grant);
        bytes memory signature = sign("stranger", digest);
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadSignature.selector, digest, address(wallet)));
        vault.registerGrant(grant, signature);
    }

    function test_registerGrant_delegatingAccount_succeeds() external {
        // An EIP-7702 delegation to code without ERC-1271.
        vm.etch(alice, abi.encodePacked(hex"ef0100", address(usdc)));
        KeyGrant memory grant = openGrant();
        bytes32 digest = vault.registerGrant(grant, sign("alice", digestOf(grant)));
        (bool registered,,) = vault.grantOf(digest);
        assertTrue(registered, "the account's own key signs for it");
    }

    function test_registerGrant_badSignatures_revert() external {
        KeyGrant memory grant = openGrant();
        bytes32 digest = digestOf(grant);
        bytes memory good = sign("alice", digest);
        bytes memory short = new bytes(64);
        bytes memory lowV = bytes.concat(good);
        for (uint256 i; i < 64; ++i) {
            short[i] = good[i];
        }
        lowV[64] = bytes1(uint8(lowV[64]) - 27);
        bytes[4] memory bad = [sign("stranger", digest), short, lowV, highS(good)];
        for (uint256 i; i < bad.length; ++i) {
            expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadSignature.selector, digest, alice));
            vault.registerGrant(grant, bad[i]);
        }
    }

    /// The other signature of the same digest, which ECDSA cannot tell apart and the protocol forbids.
    function highS(bytes memory signature) private pure returns (bytes memory) {
        (bytes32 r, bytes32 s) = abi.decode(bytes.concat(signature, new bytes(31)), (bytes32, bytes32));
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        return abi.encodePacked(r, bytes32(order - uint256(s)), uint8(signature[64]) == 27 ? uint8(28) : uint8(27));
    }

    function test_registerGrant_changedMember_reverts() external {
        KeyGrant memory grant = openGrant();
        bytes memory signature = sign("alice", digestOf(grant));
        grant.totalCap -= 1;
        bytes32 digest = digestOf(grant);
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_BadSignature.selector, digest, alice));
        vault.registerGrant(grant, signature);
    }

    function test_registerGrant_futureGeneration_reverts() external {
        KeyGrant memory grant = openGrant();
        grant.generation = 1;
        bytes32 digest = digestOf(grant);
        bytes memory signature = sign("alice", digest);
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_FutureGeneration.selector, digest, uint64(1), uint64(0)));
        vault.registerGrant(grant, signature);
    }
}

contract PaymentVault_RevokeGrant_Test is Fixture {
    function test_revokeGrant_firstTimeCounts_succeeds() external {
        bytes32 digest = digestOf(openGrant());
        expectEvent(address(vault));
        emit IPaymentVault.GrantRevoked(digest, alice);
        vm.prank(alice);
        vault.revokeGrant(digest);
        vm.warp(START + 1);
        vm.prank(alice);
        vault.revokeGrant(digest);
        assertEq(vault.grantRevokedAt(alice, digest), START, "cannot be moved");
    }

    function test_revokeGrant_ofAnother_changesNothing() external {
        bytes32 digest = digestOf(openGrant());
        vm.prank(stranger);
        vault.revokeGrant(digest);
        assertEq(vault.grantRevokedAt(alice, digest), 0, "not alice's word");
    }
}

contract PaymentVault_RevokeAll_Test is Fixture {
    function test_revokeAll_endsTheGeneration_succeeds() external {
        expectEvent(address(vault));
        emit IPaymentVault.AllRevoked(alice, 1);
        vm.prank(alice);
        assertEq(vault.revokeAll(), 1, "next generation");
        assertEq(vault.generationOf(alice), 1, "kept");
        assertEq(vault.generationEndedAt(alice, 0), START, "ended");
        assertEq(vault.generationEndedAt(alice, 1), 0, "not ended");
        assertEq(vault.generationOf(stranger), 0, "others untouched");
    }
}
