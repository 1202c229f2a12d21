// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Quote } from "./TdxQuote.sol";
import { Certificate } from "./X509.sol";

/// @title What is true of certificates and quotes without asking whom to trust
interface ITdxVerifier {
    error TdxVerifier_CertificateSignature();
    error TdxVerifier_EnclaveSignature();
    error TdxVerifier_QuoteSignature();

    /// @notice What a certificate says, signed by the key (x, y).
    function certificate(bytes calldata der, bytes32 x, bytes32 y) external view returns (Certificate memory);

    /// @notice What a certificate says that is signed by its own key.
    function selfSigned(bytes calldata der) external view returns (Certificate memory);

    /// @notice What the quote of a trust domain nobody can look into says, whose quoting enclave is certified by the key (x, y).
    function quote(bytes calldata data, bytes32 x, bytes32 y) external view returns (Quote memory);
}
