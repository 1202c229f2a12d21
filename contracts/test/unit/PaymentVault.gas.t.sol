// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { KeyGrant } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";

/// What a developer pays who comes with USDC and an allowance.
contract PaymentVault_Gas_Test is Fixture {
    function test_deposit_gas_snapshot() external {
        usdc.mint(alice, 2_000_000);
        vm.startPrank(alice);
        usdc.approve(address(vault), type(uint256).max);
        vault.deposit(1_000_000);
        vm.snapshotGasLastCall("gas", "PaymentVault.deposit, an account's first");
        vault.deposit(1_000_000);
        vm.snapshotGasLastCall("gas", "PaymentVault.deposit, again");
        vault.lock(router, 1_000_000);
        vm.snapshotGasLastCall("gas", "PaymentVault.lock, an account's first under a router");
        vm.stopPrank();
        assertEq(vault.freeOf(alice), 1_000_000, "free");
    }

    function test_registerGrant_gas_snapshot() external {
        KeyGrant memory grant = openGrant();
        bytes memory signature = sign("alice", digestOf(grant));
        bytes32 digest = vault.registerGrant(grant, signature);
        vm.snapshotGasLastCall("gas", "PaymentVault.registerGrant");
        (bool registered,,) = vault.grantOf(digest);
        assertTrue(registered, "registered");
        vm.prank(alice);
        vault.revokeGrant(digest);
        vm.snapshotGasLastCall("gas", "PaymentVault.revokeGrant");
    }
}
