// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobRegistry } from "../../src/JobRegistry.sol";
import { PaymentVault } from "../../src/PaymentVault.sol";
import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { Fixture } from "../utils/Fixture.sol";

contract Governed_UpgradeToAndCall_Test is Fixture {
    function test_upgradeToAndCall_byGovernor_keepsState() external {
        lockAs(alice, router, 100);
        PaymentVault next = new PaymentVault();
        vm.prank(governor);
        vault.upgradeToAndCall(address(next), "");
        (uint256 active,,) = vault.lockupOf(alice, router);
        assertEq(active, 100, "the books stand");
    }

    function test_upgradeToAndCall_byAnother_reverts() external {
        address next = address(new PaymentVault());
        vm.startPrank(stranger);
        expectNotGovernor(stranger);
        vault.upgradeToAndCall(next, "");
        expectNotGovernor(stranger);
        jobs.upgradeToAndCall(next, "");
        expectNotGovernor(stranger);
        stakes.upgradeToAndCall(next, "");
        vm.stopPrank();
    }

    function test_upgradeToAndCall_toNoImplementation_reverts() external {
        vm.prank(governor);
        vm.expectRevert();
        vault.upgradeToAndCall(address(usdc), "");
    }
}

contract Governed_Implementation_Test is Fixture {
    function test_implementation_initialize_reverts() external {
        bytes memory reason = abi.encodeWithSignature("InvalidInitialization()");
        StakeRegistry first = new StakeRegistry();
        expectRevert(reason);
        first.initialize(stranger, address(infr), 1, MINIMUM, MINIMUM, MINIMUM);
        JobRegistry second = new JobRegistry();
        expectRevert(reason);
        second.initialize(stranger, address(stakes), WINDOW);
        PaymentVault third = new PaymentVault();
        expectRevert(reason);
        third.initialize(stranger, address(usdc), address(jobs), THAW, treasury, validators, buyback);
    }
}

contract Governed_Storage_Test is Fixture {
    /// ERC-7201: the first member of each contract's storage stands where its name says.
    function test_storage_namespaces_succeed() external view {
        assertEq(slotOf(address(stakes), "infera.storage.StakeRegistry"), address(infr), "StakeRegistry.infr");
        assertEq(slotOf(address(jobs), "infera.storage.JobRegistry"), address(stakes), "JobRegistry.stakes");
        assertEq(slotOf(address(vault), "infera.storage.PaymentVault"), address(usdc), "PaymentVault.usdc");
    }

    function slotOf(address target, string memory name) private view returns (address) {
        bytes32 slot = keccak256(abi.encode(uint256(keccak256(bytes(name))) - 1)) & ~bytes32(uint256(0xff));
        return address(uint160(uint256(vm.load(target, slot))));
    }
}

contract Governed_Ownership_Test is Fixture {
    function test_ownership_inTwoSteps_succeeds() external {
        vm.prank(governor);
        vault.transferOwnership(stranger);
        assertEq(vault.owner(), governor, "not yet");
        vm.prank(stranger);
        vault.acceptOwnership();
        assertEq(vault.owner(), stranger, "accepted");
    }
}
