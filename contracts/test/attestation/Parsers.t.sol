// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Der } from "../../src/attestation/Der.sol";
import { Certificate, Signed, X509 } from "../../src/attestation/X509.sol";
import { Maker } from "./Maker.sol";

abstract contract ParserTest is Maker {
    function parse(bytes calldata der) external pure returns (Certificate memory result, Signed memory signed) {
        return X509.parse(der);
    }

    function read(bytes calldata data, uint256 offset, uint256 limit) external pure returns (uint8, uint256, uint256) {
        return Der.read(data, offset, limit);
    }

    function unsigned(bytes calldata data) external pure returns (uint256 value, uint256 end) {
        return Der.unsigned(data, 0, data.length);
    }

    function refuses(bytes memory call, bytes memory why) internal view {
        (bool accepted, bytes memory answer) = address(this).staticcall(call);
        assertTrue(!accepted, "refused");
        assertEq(keccak256(answer), keccak256(why), "for the right reason");
    }

    /// Refused with this error, wherever in the bytes it is found.
    function refusesFor(Spec memory spec, bytes4 why) internal view {
        (bool accepted, bytes memory answer) = address(this).staticcall(abi.encodeCall(this.parse, (certificate(spec))));
        assertTrue(!accepted, "refused");
        assertEq(bytes32(bytes4(answer)), bytes32(why), "for the right reason");
    }

    function onlyTyped(bytes memory call) internal view {
        (bool accepted, bytes memory answer) = address(this).staticcall(call);
        assertTrue(accepted || (answer.length >= 4 && bytes4(answer) != 0x4e487b71), "never a panic");
    }
}

contract Der_Test is ParserTest {
    function _read(bytes memory data, bytes memory why) private view {
        refuses(abi.encodeCall(this.read, (data, 0, data.length)), why);
    }

    function test_read_lengths_succeeds() external view {
        (uint8 tag, uint256 start, uint256 end) = this.read(hex"0403010203", 0, 5);
        assertTrue(tag == 4 && start == 2 && end == 5, "short form");
        (, start, end) = this.read(bytes.concat(hex"048180", new bytes(128)), 0, 131);
        assertTrue(start == 3 && end == 131, "one byte more");
        (, start, end) = this.read(bytes.concat(hex"04820100", new bytes(256)), 0, 260);
        assertTrue(start == 4 && end == 260, "two bytes more");
    }

    function test_read_truncated_reverts() external view {
        _read("", abi.encodeWithSelector(Der.Der_Truncated.selector, 0, 0));
        _read(hex"04", abi.encodeWithSelector(Der.Der_Truncated.selector, 0, 1));
        _read(hex"040201", abi.encodeWithSelector(Der.Der_Truncated.selector, 0, 3));
        _read(hex"0482ff", abi.encodeWithSelector(Der.Der_Truncated.selector, 0, 3));
        refuses(
            abi.encodeCall(this.read, (hex"0401ff", type(uint256).max, type(uint256).max)),
            abi.encodeWithSelector(Der.Der_Truncated.selector, type(uint256).max, 3)
        );
    }

    function test_read_lengthNotCanonical_reverts() external view {
        bytes memory why = abi.encodeWithSelector(Der.Der_LengthNotCanonical.selector, 0);
        _read(hex"0480", why);
        _read(hex"0483000001ff", why);
        _read(hex"04810100", why);
        _read(hex"0482000100", why);
        _read(bytes.concat(hex"048200ff", new bytes(255)), why);
    }

    function test_unsigned_range_reverts() external view {
        (uint256 value,) = this.unsigned(bytes.concat(hex"022100", abi.encode(type(uint256).max)));
        assertEq(value, type(uint256).max, "largest");
        bytes[5] memory wrong =
            [bytes(hex"0200"), hex"0201ff", hex"02020001", bytes.concat(hex"022101", new bytes(32)), hex"02020000"];
        uint8[5] memory lengths = [0, 1, 2, 33, 2];
        for (uint256 i; i < 5; ++i) {
            refuses(
                abi.encodeCall(this.unsigned, (wrong[i])), abi.encodeWithSelector(Der.Der_IntegerOutOfRange.selector, 0, lengths[i])
            );
        }
        refuses(abi.encodeCall(this.unsigned, (hex"0401ff")), abi.encodeWithSelector(Der.Der_UnexpectedTag.selector, 0, 2, 4));
    }

    function testFuzz_read_anyBytes_staysInside(bytes calldata data, uint256 offset, uint256 limit) external view {
        bytes memory call = abi.encodeCall(this.read, (data, offset, limit));
        (bool accepted, bytes memory answer) = address(this).staticcall(call);
        if (accepted) {
            (, uint256 start, uint256 end) = abi.decode(answer, (uint8, uint256, uint256));
            assertTrue(offset < start && start <= end && end <= data.length && end <= limit, "inside");
        } else {
            assertTrue(answer.length >= 4 && bytes4(answer) != 0x4e487b71, "an error of its own");
        }
    }

    function testFuzz_unsigned_anyNumber_roundTrips(uint256 number) external view {
        (uint256 value, uint256 end) = this.unsigned(integer(number));
        assertEq(value, number, "value");
        assertEq(end, integer(number).length, "all of it");
    }
}

contract X509_Test is ParserTest {
    function test_parse_ownMake_succeeds() external view {
        (Certificate memory made,) = this.parse(certificate(platformSpec()));
        assertEq(made.serial, platformSpec().serial, "serial number");
        assertEq(made.notBefore, 1_704_067_200, "2024-01-01");
        assertEq(made.notAfter, 1_893_456_000, "2030-01-01");
        assertTrue(made.platform && !made.authority && !made.signsCertificates, "a platform's");
        assertEq(made.pceSvn, 11, "provisioning enclave");
        assertEq(bytes32(made.sgxSvn), bytes32(bytes16(0x05050505050505050505050505050505)), "components");
    }

    function test_parse_leapDays_succeeds() external view {
        Spec memory spec = rootSpec();
        spec.validity = bytes.concat(tlv(0x17, "000229000000Z"), tlv(0x18, "21000301000000Z"));
        (Certificate memory made,) = this.parse(certificate(spec));
        assertEq(made.notBefore, 951_782_400, "2000 has a leap day");
        assertEq(made.notAfter, 4_107_542_400, "2100 has none");
        spec.validity = bytes.concat(tlv(0x17, "700101000000Z"), tlv(0x17, "491231235959Z"));
        (made,) = this.parse(certificate(spec));
        assertEq(made.notBefore, 0, "the beginning");
        assertEq(made.notAfter, 2_524_607_999, "the last second of two digits");
    }

    function test_parse_notVersion3_reverts() external view {
        Spec memory spec = rootSpec();
        spec.version = hex"020101";
        refusesFor(spec, X509.X509_NotVersion3.selector);
    }

    function test_parse_otherAlgorithm_reverts() external view {
        Spec memory spec = rootSpec();
        spec.algorithm = hex"06082a8648ce3d040303";
        refusesFor(spec, X509.X509_UnsupportedAlgorithm.selector);
        bytes memory der = certificate(rootSpec());
        for (uint256 i = der.length - 100; i < der.length; ++i) {
            if (der[i] == 0x2a && der[i + 1] == 0x86) der[i + 7] = 0x03;
        }
        refuses(abi.encodeCall(this.parse, (der)), abi.encodeWithSelector(X509.X509_UnsupportedAlgorithm.selector));
    }

    function test_parse_otherKey_reverts() external view {
        bytes memory der = tbs(rootSpec());
        bytes memory mark = X509.SPKI_PREFIX;
        for (uint256 i; i + 27 < der.length; ++i) {
            bytes32 here;
            bytes32 wanted;
            assembly {
                here := shr(48, mload(add(add(der, 32), i)))
                wanted := shr(48, mload(add(mark, 32)))
            }
            if (here == wanted) der[i + 26] = 0x02;
        }
        refuses(abi.encodeCall(this.parse, (signedBy(ROOT_KEY, der))), abi.encodeWithSelector(X509.X509_UnsupportedKey.selector));
    }

    function test_parse_signatureBits_reverts() external view {
        bytes memory body = tbs(rootSpec());
        bytes memory start = bytes.concat(body, tlv(0x30, ECDSA_SHA256));
        bytes[2] memory wrong = [tlv(0x03, ""), tlv(0x03, hex"013006020101020101")];
        for (uint256 i; i < 2; ++i) {
            refuses(
                abi.encodeCall(this.parse, (tlv(0x30, bytes.concat(start, wrong[i])))),
                abi.encodeWithSelector(X509.X509_MalformedSignature.selector)
            );
        }
    }

    function test_parse_trailingBytes_reverts() external view {
        bytes memory der = certificate(rootSpec());
        refuses(
            abi.encodeCall(this.parse, (bytes.concat(der, hex"00"))),
            abi.encodeWithSelector(Der.Der_TrailingBytes.selector, der.length, der.length + 1)
        );
    }

    function test_parse_times_revert() external view {
        Spec memory spec = rootSpec();
        bytes[10] memory wrong = [
            bytes("2401010000Z"),
            "240101000000+",
            "241301000000Z",
            "240001000000Z",
            "240132000000Z",
            "240100000000Z",
            "240101240000Z",
            "240101006000Z",
            "240101000060Z",
            "2401010000x0Z"
        ];
        for (uint256 i; i < wrong.length; ++i) {
            spec.validity = bytes.concat(tlv(0x17, wrong[i]), tlv(0x17, "350101000000Z"));
            refusesFor(spec, X509.X509_MalformedTime.selector);
        }
        spec.validity = bytes.concat(tlv(0x18, "19691231235959Z"), tlv(0x17, "350101000000Z"));
        refusesFor(spec, X509.X509_MalformedTime.selector);
        spec.validity = bytes.concat(tlv(0x16, "240101000000Z"), tlv(0x17, "350101000000Z"));
        refusesFor(spec, X509.X509_MalformedTime.selector);
        spec.validity = bytes.concat(tlv(0x17, "240101000000Z"), tlv(0x17, "350101000000Z"), hex"0500");
        refusesFor(spec, Der.Der_TrailingBytes.selector);
    }

    function test_parse_unknownCritical_reverts() external view {
        Spec memory spec = rootSpec();
        spec.extensions = bytes.concat(authorityExtensions(), extension(hex"551d1e", true, hex"3000"));
        refusesFor(spec, X509.X509_UnknownCriticalExtension.selector);
    }

    function test_parse_extensions_revert() external view {
        Spec memory spec = platformSpec();
        bytes[9] memory wrong = [
            tlv(0x30, hex"0603551d1301010004023000"),
            extension(hex"551d13", true, hex"3003010100"),
            extension(hex"551d0f", true, hex"030100"),
            extension(SGX, false, tlv(0x30, "")),
            extension(SGX, false, tlv(0x30, member(hex"551d13", hex"0500"))),
            extension(SGX, false, platformValue(hex"0102030405", 1, 1)),
            extension(SGX, false, tlv(0x30, member(bytes.concat(SGX, hex"02"), tlv(0x30, versions(1, 1, 16))))),
            extension(SGX, false, platformValue(hex"01020304050607", 1, 1)),
            extension(SGX, false, tlv(0x30, member(bytes.concat(SGX, hex"0204"), tlv(0x04, hex"010203040506"))))
        ];
        for (uint256 i; i < wrong.length; ++i) {
            spec.extensions = wrong[i];
            refusesFor(spec, X509.X509_MalformedExtension.selector);
        }
    }

    function test_parse_svnOutOfRange_reverts() external view {
        Spec memory spec = platformSpec();
        spec.extensions = extension(SGX, false, platformValue(abi.encodePacked(FMSPC), 256, 1));
        refusesFor(spec, X509.X509_SvnOutOfRange.selector);
        spec.extensions = extension(SGX, false, platformValue(abi.encodePacked(FMSPC), 1, 65_536));
        refusesFor(spec, X509.X509_SvnOutOfRange.selector);
    }

    function testFuzz_parse_anyBytes_onlyTypedErrors(bytes calldata data) external view {
        onlyTyped(abi.encodeCall(this.parse, (data)));
    }

    function testFuzz_parse_changedCertificate_onlyTypedErrors(bytes calldata noise, uint256 where, bool cut) external view {
        bytes memory der = vector("tdx_quote.pck.der");
        for (uint256 i; i < noise.length && i < 12; ++i) {
            der[pick(where, i) % der.length] ^= noise[i];
        }
        uint256 size = where % der.length;
        if (cut) {
            assembly {
                mstore(der, size)
            }
        }
        onlyTyped(abi.encodeCall(this.parse, (der)));
    }
}
