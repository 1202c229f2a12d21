// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPaymentVault } from "../../src/interfaces/IPaymentVault.sol";
import { Fixture } from "../utils/Fixture.sol";

contract PaymentVault_SetClaimDesk_Test is Fixture {
    function test_setClaimDesk_byGovernor_succeeds() external {
        assertEq(vault.claimDesk(), address(0), "none at first");
        vm.prank(governor);
        expectEvent(address(vault));
        emit IPaymentVault.ClaimDeskChanged(stranger);
        vault.setClaimDesk(stranger);
        assertEq(vault.claimDesk(), stranger, "named");
    }

    function test_setClaimDesk_byAnother_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        vault.setClaimDesk(stranger);
    }
}

contract PaymentVault_PayFromBond_Test is Fixture {
    address private desk = actor("desk");

    function setUp() public override {
        super.setUp();
        vm.prank(governor);
        vault.setClaimDesk(desk);
        bondAs(router, 1_000);
        bondAs(other, 1_000);
        lockAs(alice, router, 1_000);
        depositAs(alice, 500);
    }

    function test_payFromBond_partOfIt_succeeds() external {
        vm.prank(desk);
        expectEvent(address(vault));
        emit IPaymentVault.BondPaid(router, provider, 400);
        assertEq(vault.payFromBond(router, provider, 400), 400, "paid");
        assertEq(usdc.balanceOf(provider), 400, "to the provider");
        (uint256 active,,, uint256 used) = vault.bondOf(router);
        assertEq(active, 600, "from the bond");
        assertEq(used, 0, "for good");
        assertEq(vault.paidOf(router, provider), 0, "beside what batches credit");
    }

    /// The bond and nothing else: no other router's, no lockup, no free balance.
    function test_payFromBond_moreThanThereIs_takesTheBondAlone() external {
        vm.prank(router);
        vault.thawBond(300);
        vm.prank(desk);
        assertEq(vault.payFromBond(router, provider, type(uint256).max), 1_000, "thawing part included");
        (uint256 active,,,) = vault.bondOf(other);
        assertEq(active, 1_000, "the other router's");
        (active,,) = vault.lockupOf(alice, router);
        assertEq(active, 1_000, "the lockup");
        assertEq(vault.freeOf(alice), 500, "the free balance");
        vm.prank(desk);
        assertEq(vault.payFromBond(router, provider, 1), 0, "nothing left");
    }

    function test_payFromBond_byAnother_reverts() external {
        address[3] memory callers = [governor, provider, router];
        for (uint256 i; i < callers.length; ++i) {
            vm.prank(callers[i]);
            expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_NotClaimDesk.selector, callers[i]));
            vault.payFromBond(router, provider, 1);
        }
        vm.prank(governor);
        vault.setClaimDesk(address(0));
        vm.prank(desk);
        expectRevert(abi.encodeWithSelector(IPaymentVault.PaymentVault_NotClaimDesk.selector, desk));
        vault.payFromBond(router, provider, 1);
    }
}
