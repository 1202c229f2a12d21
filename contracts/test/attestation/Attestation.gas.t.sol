// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { EvidenceClaim, TdxClaim } from "../../src/interfaces/IAttestationVerifier.sol";
import { AttestationFixture } from "./AttestationFixture.sol";

/// What the sender of each transaction pays, and what a view costs as one. `snapshots/attestation.json` keeps the figures.
abstract contract AttestationGas is AttestationFixture {
    function _measure(string memory where) internal {
        bytes[] memory all = chain();
        bytes[] memory single = new bytes[](1);
        single[0] = all[0];
        verifier.addCertificates(root, single);
        vm.snapshotGasLastCall("attestation", string.concat("addCertificates, an authority, ", where));
        single[0] = all[1];
        verifier.addCertificates(keccak256(all[0]), single);
        vm.snapshotGasLastCall("attestation", string.concat("addCertificates, a platform, ", where));
        verifier.enrol(claimOf(provider, enclave), assemble(honest(provider, enclave)));
        vm.snapshotGasLastCall("attestation", string.concat("enrol, a key's first time, ", where));
        nextBlock(1 hours);
        TdxClaim memory claim = claimOf(provider, enclave);
        claim.blockNumber = BLOCK + 1;
        verifier.enrol(claim, assemble(parts(verifier.binding(provider, enclave, BLOCK + 1), 0)));
        vm.snapshotGasLastCall("attestation", string.concat("enrol, again, ", where));
    }
}

contract Attestation_GasInSolidity_Test is AttestationGas {
    function test_gas_inSolidity() external {
        _measure("in Solidity");
    }

    function test_gas_job() external {
        enrol(provider, enclave);
        verifier.verifyJob(provider, "receipt", sign("enclave", "receipt"));
        vm.snapshotGasLastCall("attestation", "verifyJob");
    }

    function test_gas_revokeRoot() external {
        enrol(provider, enclave);
        vm.prank(guardian);
        verifier.revokeRoot(root);
        vm.snapshotGasLastCall("attestation", "revokeRoot, any number of keys");
    }

    function test_gas_quorum() external {
        addValidators(3);
        EvidenceClaim memory claim = evidenceClaim();
        voteFor(claim, 0, 2);
        vm.snapshotGasLastCall("attestation", "vote, three votes that enrol");
    }
}

/// forge-config: default.evm_version = "osaka"
/// forge-config: deep.evm_version = "osaka"
contract Attestation_GasByPrecompile_Test is AttestationGas {
    function test_gas_byPrecompile() external {
        _measure("by precompile");
    }
}
