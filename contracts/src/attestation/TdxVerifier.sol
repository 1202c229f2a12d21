// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { P256 } from "@openzeppelin/contracts/utils/cryptography/P256.sol";

import { ITdxVerifier } from "./ITdxVerifier.sol";
import { Proof, Quote, TdxQuote } from "./TdxQuote.sol";
import { Certificate, Signed, X509 } from "./X509.sol";

/// @title TdxVerifier
/// @notice Checks signatures of certificates and quotes. It has no state, no owner and no opinion of whom to trust.
/// See {ITdxVerifier}, which is its specification.
contract TdxVerifier is ITdxVerifier {
    uint256 private constant HALF_N = P256.N / 2;

    /// @inheritdoc ITdxVerifier
    function certificate(bytes calldata der, bytes32 x, bytes32 y) external view returns (Certificate memory result) {
        Signed memory signed;
        (result, signed) = X509.parse(der);
        // INVARIANT: a certificate is read only if its issuer signed it.
        if (!_verify(signed, x, y)) revert TdxVerifier_CertificateSignature();
    }

    /// @inheritdoc ITdxVerifier
    function selfSigned(bytes calldata der) external view returns (Certificate memory result) {
        Signed memory signed;
        (result, signed) = X509.parse(der);
        // INVARIANT: whoever proposes a root shows that the key exists.
        if (!_verify(signed, result.x, result.y)) revert TdxVerifier_CertificateSignature();
    }

    /// @inheritdoc ITdxVerifier
    function quote(bytes calldata data, bytes32 x, bytes32 y) external view returns (Quote memory result) {
        Proof memory proof;
        (result, proof) = TdxQuote.parse(data);
        // INVARIANT: the quoting enclave ran on the platform whose certificate is shown.
        if (!_verify(proof.enclave, x, y)) revert TdxVerifier_EnclaveSignature();
        // INVARIANT: header and body are what the attestation key signed.
        if (!_verify(proof.quote, proof.x, proof.y)) revert TdxVerifier_QuoteSignature();
    }

    /// @dev OpenZeppelin takes only the lower of the two values of s; vendors sign with either. The precompile is used where
    /// there is one.
    function _verify(Signed memory signed, bytes32 x, bytes32 y) private view returns (bool) {
        uint256 s = uint256(signed.s);
        if (s > HALF_N && s < P256.N) s = P256.N - s;
        return P256.verify(signed.digest, signed.r, bytes32(s), x, y);
    }
}
