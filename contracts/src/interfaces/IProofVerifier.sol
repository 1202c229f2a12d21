// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The verifying contract of one circuit
/// @notice The calling convention of every verifier that {IZkVerifier} registers. Verifiers that proving tools generate are wrapped
/// to it.
///
/// Inputs 0 to 5 are what a proof is bound to, each hash as its upper and its lower 128 bits, so that every input is below the
/// order of any curve in use:
///
///     0, 1  hash of the request
///     2, 3  hash of the response
///     4, 5  root of the model's weights
///     6 …   of the circuit's own
interface IProofVerifier {
    /// @notice Whether `proof` proves the circuit's statement about `publicInputs`. False or a revert if not.
    function verify(bytes calldata proof, bytes32[] calldata publicInputs) external view returns (bool);
}
