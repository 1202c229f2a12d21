// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ERC1967Proxy } from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";

import { JobRegistry } from "../../src/JobRegistry.sol";
import { PaymentVault } from "../../src/PaymentVault.sol";
import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { InferaAdapter } from "../../src/adapter/InferaAdapter.sol";
import { AttestationVerifier } from "../../src/attestation/AttestationVerifier.sol";
import { EvidenceQuorum } from "../../src/attestation/EvidenceQuorum.sol";
import { BatchCourt } from "../../src/court/BatchCourt.sol";
import { ClaimDesk } from "../../src/court/ClaimDesk.sol";
import { DisputeManager } from "../../src/dispute/DisputeManager.sol";
import { InferaGovernor } from "../../src/governance/InferaGovernor.sol";
import { HotPool } from "../../src/models/HotPool.sol";
import { ModelRegistry } from "../../src/models/ModelRegistry.sol";
import { Reputation } from "../../src/reputation/Reputation.sol";
import { SlaRegistry } from "../../src/stake/SlaRegistry.sol";
import { ZkVerifier } from "../../src/zk/ZkVerifier.sol";
import { Fixture } from "../utils/Fixture.sol";

/// Somebody else initialises what its deployer left uninitialised, and is its governor.
contract UninitialisedProxy_Attack_Test is Fixture {
    /// Where OpenZeppelin's `Initializable` counts (ERC-7201, `openzeppelin.storage.Initializable`).
    bytes32 private constant COUNT = 0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00;

    /// No implementation can ever be initialised: not by its deployer, not in any version.
    function test_attack_implementations_areSealed() external {
        address[14] memory all = [
            address(new StakeRegistry()),
            address(new JobRegistry()),
            address(new PaymentVault()),
            address(new InferaAdapter()),
            address(new AttestationVerifier()),
            address(new EvidenceQuorum()),
            address(new BatchCourt()),
            address(new ClaimDesk()),
            address(new DisputeManager()),
            address(new InferaGovernor()),
            address(new HotPool()),
            address(new ModelRegistry()),
            address(new Reputation()),
            address(new SlaRegistry())
        ];
        for (uint256 i; i < all.length; ++i) {
            assertEq(vm.load(all[i], COUNT), bytes32(uint256(type(uint64).max)), vm.toString(all[i]));
        }
        ZkVerifier last = new ZkVerifier();
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        last.initialize(stranger);
    }

    /// A proxy comes into being initialised or not at all.
    function test_attack_proxyWithoutData_cannotBeMade() external {
        address implementation = address(new PaymentVault());
        expectRevert(abi.encodeWithSelector(ERC1967Proxy.ERC1967ProxyUninitialized.selector));
        new ERC1967Proxy(implementation, "");
    }

    /// And is never initialised again.
    function test_attack_initialiseAgain_reverts() external {
        bytes[3] memory data =
            [_stakesData(), abi.encodeCall(JobRegistry.initialize, (stranger, address(stakes), WINDOW)), _vaultData()];
        address[3] memory proxies = [address(stakes), address(jobs), address(vault)];
        for (uint256 i; i < proxies.length; ++i) {
            vm.prank(stranger);
            (bool done, bytes memory why) = proxies[i].call(data[i]);
            assertFalse(done, "once");
            assertEq(bytes32(bytes4(why)), bytes32(bytes4(keccak256("InvalidInitialization()"))), "already initialised");
        }
    }
}
