// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Der } from "../../src/attestation/Der.sol";
import { ITdxVerifier } from "../../src/attestation/ITdxVerifier.sol";
import { Quote, TdxQuote } from "../../src/attestation/TdxQuote.sol";
import { TdxVerifier } from "../../src/attestation/TdxVerifier.sol";
import { Certificate, X509 } from "../../src/attestation/X509.sol";
import { Maker } from "./Maker.sol";

abstract contract TdxVerifierTest is Maker {
    TdxVerifier internal verifier;
    bytes internal root;
    bytes internal authority;
    bytes32 internal x;
    bytes32 internal y;

    function setUp() public virtual {
        verifier = new TdxVerifier();
        root = vector("IntelSGXRootCA.der");
        authority = vector("platform_ca.der");
        (uint256 x_, uint256 y_) = avm.publicKeyP256(PLATFORM_KEY);
        (x, y) = (bytes32(x_), bytes32(y_));
    }

    /// From Intel's root to the quote.
    function genuine(bytes memory platform, bytes memory quote)
        internal
        view
        returns (Certificate memory leaf, Quote memory result)
    {
        Certificate memory anchor = verifier.selfSigned(root);
        Certificate memory middle = verifier.certificate(authority, anchor.x, anchor.y);
        leaf = verifier.certificate(platform, middle.x, middle.y);
        assertEq(middle.issuer, anchor.subject, "the root's name");
        assertEq(leaf.issuer, middle.subject, "the authority's name");
        result = verifier.quote(quote, leaf.x, leaf.y);
    }

    function refuses(bytes memory quote, bytes memory data) internal {
        vm.expectRevert(data);
        verifier.quote(quote, x, y);
    }
}

contract TdxVerifier_Genuine_Test is TdxVerifierTest {
    /// Four quotes of four machines, each from its platform's certificate down.
    function _all() private view {
        (Certificate memory leaf, Quote memory quote) = genuine(vector("tdx_quote.pck.der"), vector("tdx_quote"));
        assertEq(quote.reportData, 0x9a9d48e7f6799642d3d1b34e1e5e1742d4bb02dd6ddd551862c1211d35c304f9, "report data");
        assertEq(quote.context, 0xeca3efdbb481601c163cf52493d6e44aed55d51ec39b7e518fadb92c2b523f20, "its second half");
        assertEq(quote.enclaveSigner, 0xdc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5, "quoting enclave");
        assertEq(quote.enclaveProduct, 2, "product");
        assertEq(quote.enclaveSvn, 6, "version");
        assertEq(bytes32(quote.tdxSvn), bytes32(bytes16(0x06010300000000000000000000000000)), "TDX versions");
        assertEq(bytes32(leaf.fmspc), bytes32(bytes6(0xb0c06f000000)), "kind of platform");
        assertEq(bytes32(leaf.sgxSvn), bytes32(bytes16(0x03030202040100050000000000000000)), "SGX versions");
        assertEq(leaf.pceSvn, 11, "version of the provisioning enclave");
        assertEq(leaf.serial, uint256(0x003C16ED54EACBB4CED072BE72630C85788CF46E36), "serial number");
        assertEq(leaf.notBefore, 1_738_884_351, "from 2025-02-06 23:25:51");
        assertEq(leaf.notAfter, 1_738_884_351 + (7 * 365 + 1) * 1 days, "for seven years");
        (, quote) = genuine(vector("near_quote.pck.der"), hexVector("near_quote.hex"));
        assertEq(quote.enclaveSvn, 6, "near");
        (, quote) = genuine(vector("automata_quotev4.pck.der"), hexVector("automata_quotev4.hex"));
        assertEq(quote.reportData, 0, "automata");
        (, quote) = genuine(vector("tdx-quote.pck.der"), hexVector("tdx-quote.hex"));
        assertEq(quote.enclaveProduct, 2, "tdx-quote");
    }

    function test_quote_genuineInSolidity_succeeds() external view {
        (, bytes memory answer) = address(0x100).staticcall(new bytes(160));
        assertEq(answer.length, 0, "no precompile");
        _all();
    }

    /// forge-config: default.evm_version = "osaka"
    /// forge-config: deep.evm_version = "osaka"
    function test_quote_genuineByPrecompile_succeeds() external view {
        uint256 before = gasleft();
        _all();
        assertLe(before - gasleft(), 3_000_000, "14 signatures in Solidity would take more");
    }

    /// forge-config: default.evm_version = "osaka"
    /// forge-config: deep.evm_version = "osaka"
    function test_quote_withoutCertificates_succeeds() external view {
        bytes memory quote = vector("tdx_quote");
        bytes memory short = new bytes(1258);
        for (uint256 i; i < short.length; ++i) {
            short[i] = quote[i];
        }
        (, Quote memory result) = genuine(vector("tdx_quote.pck.der"), short);
        assertEq(result.evidence, sha256(firstOf(quote, 632)), "named by what is signed");
    }

    function firstOf(bytes memory data, uint256 size) private pure returns (bytes memory part) {
        part = new bytes(size);
        for (uint256 i; i < size; ++i) {
            part[i] = data[i];
        }
    }

    function test_certificate_rootPin_succeeds() external view {
        Certificate memory anchor = verifier.selfSigned(root);
        assertEq(
            X509.keyId(anchor.x, anchor.y), 0xa0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e, "Intel's known root"
        );
        assertTrue(anchor.authority && anchor.signsCertificates && !anchor.platform, "it issues");
    }

    /// One bit in every byte that is signed or says how to read what is signed.
    /// forge-config: default.evm_version = "osaka"
    /// forge-config: deep.evm_version = "osaka"
    function test_quote_anyByteChanged_reverts() external {
        bytes memory quote = vector("tdx_quote");
        Certificate memory middle = verifier.certificate(authority, verifier.selfSigned(root).x, verifier.selfSigned(root).y);
        Certificate memory leaf = verifier.certificate(vector("tdx_quote.pck.der"), middle.x, middle.y);
        for (uint256 i; i < 1258; ++i) {
            uint8 bit = uint8(1 << (i % 8));
            (bool accepted, bytes memory why) =
                address(verifier).call(abi.encodeCall(verifier.quote, (flipped(quote, i, bit), leaf.x, leaf.y)));
            assertTrue(!accepted && why.length >= 4 && bytes4(why) != 0x4e487b71, "refused, with an error of its own");
        }
    }

    /// One bit in every byte of a certificate.
    /// forge-config: default.evm_version = "osaka"
    /// forge-config: deep.evm_version = "osaka"
    function test_certificate_anyByteChanged_reverts() external {
        bytes memory leaf = vector("tdx_quote.pck.der");
        Certificate memory middle = verifier.certificate(authority, verifier.selfSigned(root).x, verifier.selfSigned(root).y);
        for (uint256 i; i < leaf.length; ++i) {
            uint8 bit = uint8(1 << (i % 8));
            (bool accepted, bytes memory why) =
                address(verifier).call(abi.encodeCall(verifier.certificate, (flipped(leaf, i, bit), middle.x, middle.y)));
            assertTrue(!accepted && why.length >= 4 && bytes4(why) != 0x4e487b71, "refused, with an error of its own");
        }
    }

    function test_quote_otherVersions_revert() external {
        refuses(hexVector("automata_quotev3.hex"), abi.encodeWithSelector(TdxQuote.TdxQuote_UnsupportedVersion.selector, 3));
        refuses(vector("tdx_quote_v5.dat"), abi.encodeWithSelector(TdxQuote.TdxQuote_UnsupportedVersion.selector, 5));
    }

    function test_certificate_wrongIssuerKey_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(ITdxVerifier.TdxVerifier_CertificateSignature.selector));
        verifier.certificate(authority, x, y);
    }

    function test_certificate_selfSignedNot_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(ITdxVerifier.TdxVerifier_CertificateSignature.selector));
        verifier.selfSigned(authority);
    }
}

/// forge-config: default.evm_version = "osaka"
/// forge-config: deep.evm_version = "osaka"
contract TdxVerifier_Quote_Test is TdxVerifierTest {
    function _parts() private pure returns (Parts memory) {
        return parts(keccak256("report"), keccak256("context"));
    }

    function test_quote_ownMake_succeeds() external view {
        Parts memory p = _parts();
        p.tail = "certificates";
        Quote memory quote = verifier.quote(bytes.concat(assemble(p), new bytes(70)), x, y);
        assertEq(quote.reportData, keccak256("report"), "report data");
        assertEq(quote.measurement, measurementOf(p), "measurement");
        assertEq(quote.enclaveSigner, QE_SIGNER, "quoting enclave");
    }

    /// Vendors sign with either of the two values of s.
    function test_quote_eitherHalf_succeeds() external view {
        uint256 n = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551;
        bytes memory quote = assemble(_parts());
        uint256 s;
        assembly {
            s := mload(add(quote, 700))
        }
        put(quote, 668, abi.encodePacked(n - s));
        verifier.quote(quote, x, y);
    }

    function test_quote_tooShort_reverts() external {
        refuses("", abi.encodeWithSelector(TdxQuote.TdxQuote_TooShort.selector, 0, 1220));
        refuses(new bytes(1219), abi.encodeWithSelector(TdxQuote.TdxQuote_TooShort.selector, 1219, 1220));
        Parts memory p = _parts();
        bytes memory quote = assemble(p);
        put(quote, 1218, hex"ffff");
        refuses(quote, abi.encodeWithSelector(TdxQuote.TdxQuote_TooShort.selector, quote.length, 1220 + 65_535 + 6));
    }

    function test_quote_header_reverts() external {
        Parts memory p = _parts();
        put(p.header, 0, hex"0300");
        refuses(assemble(p), abi.encodeWithSelector(TdxQuote.TdxQuote_UnsupportedVersion.selector, 3));
        p = _parts();
        put(p.header, 2, hex"0300");
        refuses(assemble(p), abi.encodeWithSelector(TdxQuote.TdxQuote_UnsupportedKeyType.selector, 3));
        p = _parts();
        put(p.header, 4, hex"00000000");
        refuses(assemble(p), abi.encodeWithSelector(TdxQuote.TdxQuote_NotTrustDomain.selector, 0));
        p = _parts();
        put(p.header, 12, hex"00");
        refuses(
            assemble(p),
            abi.encodeWithSelector(TdxQuote.TdxQuote_UnknownQuotingVendor.selector, bytes16(0x009a7233f79c4ca9940a0db3957f0607))
        );
    }

    function test_quote_lengths_revert() external {
        bytes memory quote = assemble(_parts());
        uint256 size = quote.length;
        refuses(
            put(bytes.concat(quote), 632, little(size - 635, 4)),
            abi.encodeWithSelector(TdxQuote.TdxQuote_LengthMismatch.selector, 632, size - 635, size - 636)
        );
        refuses(
            put(bytes.concat(quote), 766, little(size - 769, 4)),
            abi.encodeWithSelector(TdxQuote.TdxQuote_LengthMismatch.selector, 766, size - 769, size - 770)
        );
        refuses(
            put(bytes.concat(quote), 764, hex"05"),
            abi.encodeWithSelector(TdxQuote.TdxQuote_UnsupportedCertification.selector, 764, 5)
        );
        refuses(
            put(bytes.concat(quote), 1252, hex"04"),
            abi.encodeWithSelector(TdxQuote.TdxQuote_UnsupportedCertification.selector, 1252, 4)
        );
    }

    function test_quote_debuggable_reverts() external {
        Parts memory p = _parts();
        put(p.body, 120, hex"01");
        refuses(assemble(p), abi.encodeWithSelector(TdxQuote.TdxQuote_Debuggable.selector, bytes8(0x0100001000000000)));
        p = _parts();
        put(p.body, 123, hex"00");
        refuses(assemble(p), abi.encodeWithSelector(TdxQuote.TdxQuote_Debuggable.selector, bytes8(0)));
    }

    function test_quote_otherModule_reverts() external {
        uint256[3] memory places = [uint256(64), 111, 119];
        for (uint256 i; i < 3; ++i) {
            Parts memory p = _parts();
            put(p.body, places[i], hex"01");
            refuses(assemble(p), abi.encodeWithSelector(TdxQuote.TdxQuote_WrongModule.selector));
        }
    }

    function test_quote_enclaveDebuggable_reverts() external {
        Parts memory p = _parts();
        put(p.report, 48, hex"17");
        refuses(assemble(p), abi.encodeWithSelector(TdxQuote.TdxQuote_EnclaveDebuggable.selector));
    }

    function test_quote_keyNotBound_reverts() external {
        Parts memory p = _parts();
        p.bound = false;
        refuses(assemble(p), abi.encodeWithSelector(TdxQuote.TdxQuote_KeyNotBound.selector));
        p = _parts();
        put(p.report, 383, hex"01");
        refuses(assemble(p), abi.encodeWithSelector(TdxQuote.TdxQuote_KeyNotBound.selector));
    }

    function test_quote_wrongPlatform_reverts() external {
        Parts memory p = _parts();
        p.platformKey = AUTHORITY_KEY;
        refuses(assemble(p), abi.encodeWithSelector(ITdxVerifier.TdxVerifier_EnclaveSignature.selector));
    }

    function test_quote_bodyChangedAfterSigning_reverts() external {
        bytes memory quote = assemble(_parts());
        refuses(flipped(quote, 600, 1), abi.encodeWithSelector(ITdxVerifier.TdxVerifier_QuoteSignature.selector));
    }

    function testFuzz_quote_anyBytes_onlyTypedErrors(bytes calldata noise, uint256 where, bool deep) external {
        bytes memory quote = noise;
        if (deep) {
            quote = assemble(_parts());
            for (uint256 i; i < noise.length && i < 40; ++i) {
                quote[pick(where, i) % quote.length] ^= noise[i];
            }
            uint256 size = bound(where, 0, quote.length);
            if (where % 3 == 0) {
                assembly {
                    mstore(quote, size)
                }
            }
        }
        (bool accepted, bytes memory why) = address(verifier).call(abi.encodeCall(verifier.quote, (quote, x, y)));
        assertTrue(accepted || (why.length >= 4 && bytes4(why) != 0x4e487b71), "never a panic");
    }
}
