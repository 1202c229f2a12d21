// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { X509 } from "../../src/attestation/X509.sol";
import { Test } from "../utils/Test.sol";

/// More cheatcodes of Foundry.
interface AttestationVm {
    function parseBytes(string calldata text) external pure returns (bytes memory);
    function publicKeyP256(uint256 privateKey) external pure returns (uint256 x, uint256 y);
    function readFileBinary(string calldata path) external view returns (bytes memory);
    function signP256(uint256 privateKey, bytes32 digest) external pure returns (bytes32 r, bytes32 s);
}

/// Makes certificates and quotes of Intel's form under keys of one's own, well-formed or with one thing wrong.
abstract contract Maker is Test {
    AttestationVm internal constant avm = AttestationVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    string internal constant TEE_VECTORS = "../tests/vectors/tee/";

    uint256 internal constant ROOT_KEY = 0x1001;
    uint256 internal constant AUTHORITY_KEY = 0x1002;
    uint256 internal constant PLATFORM_KEY = 0x1003;
    uint256 internal constant ATTESTATION_KEY = 0x1004;
    bytes internal constant ECDSA_SHA256 = hex"06082a8648ce3d040302";
    bytes internal constant SGX = hex"2a864886f84d010d01";
    bytes6 internal constant FMSPC = 0xb0c06f000000;
    bytes32 internal constant QE_SIGNER = keccak256("quoting enclave");

    struct Spec {
        uint256 issuerKey;
        uint256 subjectKey;
        string issuer;
        string subject;
        uint256 serial;
        bytes validity;
        bytes extensions;
        bytes version;
        bytes algorithm;
    }

    struct Parts {
        bytes header;
        bytes body;
        bytes report;
        bytes data;
        bytes tail;
        uint256 attestationKey;
        uint256 platformKey;
        bool bound;
    }

    // DER

    function tlv(uint8 tag, bytes memory content) internal pure returns (bytes memory) {
        if (content.length < 0x80) return bytes.concat(bytes1(tag), bytes1(uint8(content.length)), content);
        if (content.length < 0x100) return bytes.concat(bytes1(tag), hex"81", bytes1(uint8(content.length)), content);
        return bytes.concat(bytes1(tag), hex"82", bytes2(uint16(content.length)), content);
    }

    function integer(uint256 value) internal pure returns (bytes memory) {
        bytes memory content = abi.encodePacked(value);
        uint256 skip;
        while (skip < 31 && content[skip] == 0) ++skip;
        bytes memory short = new bytes(32 - skip);
        for (uint256 i; i < short.length; ++i) {
            short[i] = content[skip + i];
        }
        return tlv(0x02, uint8(short[0]) >= 0x80 ? bytes.concat(hex"00", short) : short);
    }

    function named(string memory name) internal pure returns (bytes memory) {
        return tlv(0x30, tlv(0x31, tlv(0x30, bytes.concat(hex"0603550403", tlv(0x0c, bytes(name))))));
    }

    function extension(bytes memory id, bool critical, bytes memory value) internal pure returns (bytes memory) {
        return tlv(0x30, bytes.concat(tlv(0x06, id), critical ? bytes(hex"0101ff") : bytes(""), tlv(0x04, value)));
    }

    function member(bytes memory id, bytes memory value) internal pure returns (bytes memory) {
        return tlv(0x30, bytes.concat(tlv(0x06, id), value));
    }

    // Certificates

    function authorityExtensions() internal pure returns (bytes memory) {
        return bytes.concat(
            extension(hex"551d0f", true, hex"03020106"),
            extension(hex"551d13", true, hex"30060101ff020100"),
            extension(hex"551d0e", false, hex"0400")
        );
    }

    function platformExtensions(bytes memory fmspc, uint8 svn, uint16 pceSvn) internal pure returns (bytes memory) {
        return bytes.concat(
            extension(hex"551d0f", true, hex"030206c0"),
            extension(hex"551d13", true, hex"3000"),
            extension(SGX, false, platformValue(fmspc, svn, pceSvn))
        );
    }

    function platformValue(bytes memory fmspc, uint256 svn, uint256 pceSvn) internal pure returns (bytes memory) {
        return tlv(
            0x30,
            bytes.concat(
                member(bytes.concat(SGX, hex"01"), tlv(0x04, new bytes(16))),
                member(bytes.concat(SGX, hex"02"), tlv(0x30, versions(svn, pceSvn, 17))),
                member(bytes.concat(SGX, hex"03"), tlv(0x04, hex"0000")),
                member(bytes.concat(SGX, hex"04"), tlv(0x04, fmspc))
            )
        );
    }

    function versions(uint256 svn, uint256 pceSvn, uint256 count) internal pure returns (bytes memory list) {
        for (uint256 i = 1; i <= count; ++i) {
            list = bytes.concat(list, member(bytes.concat(SGX, hex"02", bytes1(uint8(i))), integer(i == 17 ? pceSvn : svn)));
        }
        list = bytes.concat(list, member(bytes.concat(SGX, hex"0212"), tlv(0x04, new bytes(16))));
    }

    function spki(uint256 key) internal pure returns (bytes memory) {
        (uint256 x, uint256 y) = avm.publicKeyP256(key);
        return bytes.concat(X509.SPKI_PREFIX, bytes32(x), bytes32(y));
    }

    function keyIdOf(uint256 key) internal pure returns (bytes32) {
        return sha256(spki(key));
    }

    function rootSpec() internal pure returns (Spec memory) {
        return Spec({
            issuerKey: ROOT_KEY,
            subjectKey: ROOT_KEY,
            issuer: "INFERA Development Root, NOT INTEL",
            subject: "INFERA Development Root, NOT INTEL",
            serial: 1,
            validity: bytes.concat(tlv(0x17, "180101000000Z"), tlv(0x18, "20491231235959Z")),
            extensions: authorityExtensions(),
            version: hex"020102",
            algorithm: ECDSA_SHA256
        });
    }

    function authoritySpec() internal pure returns (Spec memory spec) {
        spec = rootSpec();
        (spec.subjectKey, spec.subject, spec.serial) = (AUTHORITY_KEY, "Development Platform CA", 2);
        spec.validity = bytes.concat(tlv(0x17, "180101000000Z"), tlv(0x17, "350101000000Z"));
    }

    function platformSpec() internal pure returns (Spec memory spec) {
        spec = rootSpec();
        (spec.issuerKey, spec.issuer) = (AUTHORITY_KEY, "Development Platform CA");
        (spec.subjectKey, spec.subject, spec.serial) = (PLATFORM_KEY, "Development Platform", 0xd9 << 152 | 3);
        spec.validity = bytes.concat(tlv(0x17, "240101000000Z"), tlv(0x17, "300101000000Z"));
        spec.extensions = platformExtensions(abi.encodePacked(FMSPC), 5, 11);
    }

    function tbs(Spec memory spec) internal pure returns (bytes memory) {
        bytes memory names = bytes.concat(named(spec.issuer), tlv(0x30, spec.validity), named(spec.subject));
        bytes memory start = bytes.concat(tlv(0xa0, spec.version), integer(spec.serial), tlv(0x30, spec.algorithm));
        return tlv(0x30, bytes.concat(start, names, spki(spec.subjectKey), tlv(0xa3, tlv(0x30, spec.extensions))));
    }

    function certificate(Spec memory spec) internal pure returns (bytes memory) {
        return signedBy(spec.issuerKey, tbs(spec));
    }

    function signedBy(uint256 key, bytes memory body) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 s) = avm.signP256(key, sha256(body));
        bytes memory pair = tlv(0x30, bytes.concat(integer(uint256(r)), integer(uint256(s))));
        return tlv(0x30, bytes.concat(body, tlv(0x30, ECDSA_SHA256), tlv(0x03, bytes.concat(hex"00", pair))));
    }

    function chain() internal pure returns (bytes[] memory list) {
        list = new bytes[](2);
        list[0] = certificate(authoritySpec());
        list[1] = certificate(platformSpec());
    }

    // Quotes

    function put(bytes memory target, uint256 at_, bytes memory value) internal pure returns (bytes memory) {
        for (uint256 i; i < value.length; ++i) {
            target[at_ + i] = value[i];
        }
        return target;
    }

    function little(uint256 value, uint256 size) internal pure returns (bytes memory result) {
        result = new bytes(size);
        for (uint256 i; i < size; ++i) {
            result[i] = bytes1(uint8(value >> (8 * i)));
        }
    }

    function parts(bytes32 reportData, bytes32 context) internal pure returns (Parts memory result) {
        result.header =
            bytes.concat(hex"0400", hex"0200", hex"81000000", hex"00000000", hex"939a7233f79c4ca9940a0db3957f0607", new bytes(20));
        bytes memory body = new bytes(584);
        put(body, 0, hex"06010300000000000000000000000000");
        put(body, 120, hex"0000001000000000");
        put(body, 136, abi.encodePacked(keccak256("mrtd")));
        put(body, 328, abi.encodePacked(keccak256("rtmr0")));
        put(body, 472, abi.encodePacked(keccak256("rtmr3")));
        put(body, 520, abi.encodePacked(reportData, context));
        result.body = body;
        bytes memory report = new bytes(384);
        put(report, 48, hex"1500000000000000e700000000000000");
        put(report, 128, abi.encodePacked(QE_SIGNER));
        put(report, 256, hex"02000600");
        result.report = report;
        result.data = hex"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        (result.attestationKey, result.platformKey, result.bound) = (ATTESTATION_KEY, PLATFORM_KEY, true);
    }

    function measurementOf(Parts memory p) internal pure returns (bytes32) {
        bytes memory measured = new bytes(384);
        for (uint256 i; i < 384; ++i) {
            measured[i] = p.body[136 + i];
        }
        return keccak256(measured);
    }

    function assemble(Parts memory p) internal pure returns (bytes memory) {
        (uint256 x, uint256 y) = avm.publicKeyP256(p.attestationKey);
        if (p.bound) put(p.report, 320, abi.encodePacked(sha256(bytes.concat(bytes32(x), bytes32(y), p.data))));
        bytes memory tail = bytes.concat(hex"0500", little(p.tail.length, 4), p.tail);
        bytes memory inner = bytes.concat(p.report, sign256(p.platformKey, p.report), little(p.data.length, 2), p.data, tail);
        bytes memory outer = sign256(p.attestationKey, bytes.concat(p.header, p.body));
        outer = bytes.concat(outer, bytes32(x), bytes32(y), hex"0600", little(inner.length, 4), inner);
        return bytes.concat(p.header, p.body, little(outer.length, 4), outer);
    }

    function sign256(uint256 key, bytes memory data) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 s) = avm.signP256(key, sha256(data));
        return abi.encodePacked(r, s);
    }

    // Genuine evidence

    function vector(string memory name) internal view returns (bytes memory) {
        return avm.readFileBinary(string.concat(TEE_VECTORS, name));
    }

    function hexVector(string memory name) internal view returns (bytes memory) {
        return avm.parseBytes(vm.readFile(string.concat(TEE_VECTORS, name)));
    }

    function flipped(bytes memory data, uint256 at_, uint8 bits) internal pure returns (bytes memory copy) {
        copy = bytes.concat(data);
        copy[at_] = copy[at_] ^ bytes1(bits);
    }
}
