// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Signed } from "./X509.sol";

/// What a version 4 quote of a trust domain says.
struct Quote {
    bytes32 evidence;
    bytes32 measurement;
    bytes32 reportData;
    bytes32 context;
    bytes16 tdxSvn;
    bytes32 enclaveSigner;
    uint16 enclaveProduct;
    uint16 enclaveSvn;
}

/// Who says so: the attestation key (x, y), and the platform's key for the quoting enclave the attestation key is of.
struct Proof {
    Signed quote;
    Signed enclave;
    bytes32 x;
    bytes32 y;
}

/// @title TdxQuote
/// @notice The layout of Intel's version 4 quote of a trust domain (TD 1.0), read with strict bounds.
/// @dev Whatever follows the length of the certificates is not read: certificates are given apart, so a quote may be sent without
/// them. Every length that is read must agree with the others. Integers are little-endian.
///
///     0    header 48            version, key type, TEE type, vendor of the quoting enclave
///     48   body 584             what is measured and the report data
///     632  length               of all that follows
///     636  signature 64         over [0, 632) by the key at 700
///     700  attestation key 64
///     764  type 6, length
///     770  report 384           of the quoting enclave, whose report data is SHA-256 of key and data
///     1154 signature 64         over the report by the platform's certified key
///     1218 length, data         of the quoting enclave's choice
///     …    type 5, length       certificates in PEM
library TdxQuote {
    uint256 internal constant SIGNED = 632;
    uint256 private constant REPORT = 770;
    uint256 private constant DATA = 1220;
    bytes16 private constant INTEL_QUOTING_ENCLAVE = 0x939a7233f79c4ca9940a0db3957f0607;

    // The first byte of a trust domain's attributes is not zero if it can be debugged; bit 28 keeps its memory from being swapped.
    bytes8 private constant DEBUG = 0xff00000000000000;
    bytes8 private constant SEPT_VE_DISABLE = 0x0000001000000000;
    bytes1 private constant ENCLAVE_DEBUG = 0x02;

    error TdxQuote_WrongModule();
    error TdxQuote_Debuggable(bytes8 attributes);
    error TdxQuote_EnclaveDebuggable();
    error TdxQuote_KeyNotBound();
    error TdxQuote_TooShort(uint256 length, uint256 needed);
    error TdxQuote_UnsupportedVersion(uint256 version);
    error TdxQuote_UnsupportedKeyType(uint256 keyType);
    error TdxQuote_NotTrustDomain(uint256 teeType);
    error TdxQuote_UnknownQuotingVendor(bytes16 vendor);
    error TdxQuote_UnsupportedCertification(uint256 offset, uint256 kind);
    error TdxQuote_LengthMismatch(uint256 offset, uint256 stated, uint256 expected);

    /// @notice What the quote says, after everything but its signatures has been checked.
    function parse(bytes calldata quote) internal pure returns (Quote memory result, Proof memory proof) {
        _need(quote, DATA);
        _header(quote);
        uint256 rest = DATA + _little(quote, 1218, 2);
        _need(quote, rest + 6);
        _lengths(quote, rest);
        _isolation(quote);
        _binding(quote, rest);

        bytes calldata report = quote[REPORT:REPORT + 384];
        proof.quote = Signed(sha256(quote[:SIGNED]), bytes32(quote[636:668]), bytes32(quote[668:700]));
        proof.enclave = Signed(sha256(report), bytes32(quote[1154:1186]), bytes32(quote[1186:1218]));
        proof.x = bytes32(quote[700:732]);
        proof.y = bytes32(quote[732:764]);

        result.evidence = proof.quote.digest;
        // MRTD, MRCONFIGID, MROWNER, MROWNERCONFIG, RTMR 0 to 3: everything a trust domain is measured by.
        result.measurement = keccak256(quote[184:568]);
        result.reportData = bytes32(quote[568:600]);
        result.context = bytes32(quote[600:632]);
        result.tdxSvn = bytes16(quote[48:64]);
        result.enclaveSigner = bytes32(report[128:160]);
        result.enclaveProduct = uint16(_little(report, 256, 2));
        result.enclaveSvn = uint16(_little(report, 258, 2));
    }

    /// Nobody looks into the trust domain or into the quoting enclave.
    function _isolation(bytes calldata quote) private pure {
        // INVARIANT: the module that isolates trust domains is Intel's: it has no other signer and no attributes.
        if (bytes32(quote[112:144]) != 0 || bytes16(quote[144:160]) != 0 || bytes8(quote[160:168]) != 0) {
            revert TdxQuote_WrongModule();
        }
        bytes8 attributes = bytes8(quote[168:176]);
        // INVARIANT: nobody outside the trust domain can read it or steer it.
        if (attributes & DEBUG != 0 || attributes & SEPT_VE_DISABLE == 0) revert TdxQuote_Debuggable(attributes);
        // INVARIANT: nobody debugs the quoting enclave.
        if (quote[REPORT + 48] & ENCLAVE_DEBUG != 0) revert TdxQuote_EnclaveDebuggable();
    }

    function _binding(bytes calldata quote, uint256 rest) private pure {
        // INVARIANT: the attestation key is the quoting enclave's own.
        if (
            bytes32(quote[REPORT + 320:REPORT + 352]) != sha256(bytes.concat(quote[700:764], quote[DATA:rest]))
                || bytes32(quote[REPORT + 352:REPORT + 384]) != 0
        ) revert TdxQuote_KeyNotBound();
    }

    function _header(bytes calldata quote) private pure {
        uint256 version = _little(quote, 0, 2);
        // INVARIANT: versions 3 (SGX) and 5 (TD 1.5) have other layouts and are not read as if they were 4.
        if (version != 4) revert TdxQuote_UnsupportedVersion(version);
        uint256 keyType = _little(quote, 2, 2);
        // INVARIANT: the attestation key is of P-256.
        if (keyType != 2) revert TdxQuote_UnsupportedKeyType(keyType);
        uint256 teeType = _little(quote, 4, 4);
        // INVARIANT: an SGX enclave's quote is never read as a trust domain's.
        if (teeType != 0x81) revert TdxQuote_NotTrustDomain(teeType);
        bytes16 vendor = bytes16(quote[12:28]);
        // INVARIANT: the layout is that of Intel's quoting enclave.
        if (vendor != INTEL_QUOTING_ENCLAVE) revert TdxQuote_UnknownQuotingVendor(vendor);
    }

    function _lengths(bytes calldata quote, uint256 rest) private pure {
        uint256 kind = _little(quote, 764, 2);
        // INVARIANT: the attestation key is certified by a quoting enclave's report.
        if (kind != 6) revert TdxQuote_UnsupportedCertification(764, kind);
        kind = _little(quote, rest, 2);
        // INVARIANT: that report is signed by a key with a certificate of the platform.
        if (kind != 5) revert TdxQuote_UnsupportedCertification(rest, kind);
        uint256 size = rest + 6 + _little(quote, rest + 2, 4);
        uint256 stated = _little(quote, 632, 4);
        // INVARIANT: the outer length is that of its parts.
        if (stated != size - 636) revert TdxQuote_LengthMismatch(632, stated, size - 636);
        stated = _little(quote, 766, 4);
        // INVARIANT: the inner length is that of its parts.
        if (stated != size - 770) revert TdxQuote_LengthMismatch(766, stated, size - 770);
    }

    function _need(bytes calldata quote, uint256 needed) private pure {
        // INVARIANT: no byte outside the quote is read.
        if (quote.length < needed) revert TdxQuote_TooShort(quote.length, needed);
    }

    function _little(bytes calldata data, uint256 offset, uint256 size) private pure returns (uint256 value) {
        for (uint256 i; i < size; ++i) {
            value |= uint256(uint8(data[offset + i])) << (8 * i);
        }
    }
}
