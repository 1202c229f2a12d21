// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Der } from "./Der.sol";

/// What a certificate says. Names are the hashes of their DER encoding.
struct Certificate {
    bytes32 x;
    bytes32 y;
    bytes32 issuer;
    bytes32 subject;
    uint256 serial;
    uint64 notBefore;
    uint64 notAfter;
    bool authority;
    bool signsCertificates;
    bool platform;
    bytes6 fmspc;
    bytes16 sgxSvn;
    uint16 pceSvn;
}

/// A signature and the SHA-256 of what it is over.
struct Signed {
    bytes32 digest;
    bytes32 r;
    bytes32 s;
}

/// @title X509
/// @notice The part of RFC 5280 that Intel's certificates use: version 3, ECDSA with SHA-256 over P-256, and Intel's own
/// extension, which names the kind of platform and the versions its certificate was issued for.
/// @dev Extensions that are neither needed nor critical are passed over; an unknown critical one is refused. Reverts with errors
/// of this library or of {Der} on any other input; checks no signature and no time.
library X509 {
    // Everything in front of a P-256 key's coordinates in its SubjectPublicKeyInfo, the byte for "uncompressed" included.
    bytes internal constant SPKI_PREFIX = hex"3059301306072a8648ce3d020106082a8648ce3d03010703420004";
    bytes private constant ECDSA_SHA256 = hex"06082a8648ce3d040302";
    bytes private constant KEY_USAGE = hex"551d0f";
    bytes private constant BASIC_CONSTRAINTS = hex"551d13";
    bytes private constant INTEL_SGX = hex"2a864886f84d010d01";
    uint8 private constant KEY_CERT_SIGN = 0x04;

    error X509_NotVersion3();
    error X509_UnsupportedAlgorithm();
    error X509_UnsupportedKey();
    error X509_MalformedSignature();
    error X509_MalformedTime(uint256 offset);
    error X509_MalformedExtension(uint256 offset);
    error X509_UnknownCriticalExtension(uint256 offset);
    error X509_SvnOutOfRange(uint256 offset);

    /// @notice SHA-256 of a P-256 key's SubjectPublicKeyInfo: how keys are named.
    function keyId(bytes32 x, bytes32 y) internal pure returns (bytes32) {
        return sha256(bytes.concat(SPKI_PREFIX, x, y));
    }

    function parse(bytes calldata der) internal pure returns (Certificate memory certificate, Signed memory signed) {
        (uint256 start, uint256 end) = Der.expect(der, 0, der.length, Der.SEQUENCE);
        Der.finish(end, der.length);
        (uint256 bodyStart, uint256 bodyEnd) = Der.expect(der, start, end, Der.SEQUENCE);
        signed.digest = sha256(der[start:bodyEnd]);
        (uint256 from, uint256 to) = Der.expect(der, bodyEnd, end, Der.SEQUENCE);
        // INVARIANT: only signatures this contract can check are read.
        if (!Der.equals(der, from, to, ECDSA_SHA256)) revert X509_UnsupportedAlgorithm();
        (from, to) = Der.expect(der, to, end, Der.BIT_STRING);
        Der.finish(to, end);
        (signed.r, signed.s) = _signature(der, from, to);
        _body(der, bodyStart, bodyEnd, certificate);
    }

    function _signature(bytes calldata der, uint256 from, uint256 to) private pure returns (bytes32, bytes32) {
        // INVARIANT: a signature is whole bytes.
        if (from >= to || der[from] != 0) revert X509_MalformedSignature();
        (uint256 start, uint256 end) = Der.expect(der, from + 1, to, Der.SEQUENCE);
        Der.finish(end, to);
        uint256 r;
        uint256 s;
        (r, start) = Der.unsigned(der, start, end);
        (s, start) = Der.unsigned(der, start, end);
        Der.finish(start, end);
        return (bytes32(r), bytes32(s));
    }

    function _body(bytes calldata der, uint256 offset, uint256 limit, Certificate memory certificate) private pure {
        (uint256 from, uint256 to) = Der.expect(der, offset, limit, Der.CONTEXT_0);
        // INVARIANT: there are extensions only in version 3, and nothing without them says what a key may do.
        if (!Der.equals(der, from, to, hex"020102")) revert X509_NotVersion3();
        (certificate.serial, offset) = Der.unsigned(der, to, limit);
        (from, to) = Der.expect(der, offset, limit, Der.SEQUENCE);
        // INVARIANT: the algorithm inside what is signed is the one outside.
        if (!Der.equals(der, from, to, ECDSA_SHA256)) revert X509_UnsupportedAlgorithm();
        offset = to;
        (, to) = Der.expect(der, offset, limit, Der.SEQUENCE);
        certificate.issuer = keccak256(der[offset:to]);
        (from, to) = Der.expect(der, to, limit, Der.SEQUENCE);
        (certificate.notBefore, from) = _time(der, from, to);
        (certificate.notAfter, from) = _time(der, from, to);
        Der.finish(from, to);
        offset = to;
        (, to) = Der.expect(der, offset, limit, Der.SEQUENCE);
        certificate.subject = keccak256(der[offset:to]);
        offset = to;
        (, to) = Der.expect(der, offset, limit, Der.SEQUENCE);
        // INVARIANT: a key is an uncompressed point of P-256.
        if (to - offset != 91 || keccak256(der[offset:offset + 27]) != keccak256(SPKI_PREFIX)) revert X509_UnsupportedKey();
        certificate.x = bytes32(der[offset + 27:offset + 59]);
        certificate.y = bytes32(der[offset + 59:to]);
        (from, offset) = Der.expect(der, to, limit, Der.CONTEXT_3);
        Der.finish(offset, limit);
        (from, to) = Der.expect(der, from, offset, Der.SEQUENCE);
        Der.finish(to, offset);
        while (from < to) {
            from = _extension(der, from, to, certificate);
        }
    }

    function _extension(bytes calldata der, uint256 offset, uint256 limit, Certificate memory certificate)
        private
        pure
        returns (uint256 next)
    {
        uint256 from;
        (from, next) = Der.expect(der, offset, limit, Der.SEQUENCE);
        (uint256 idStart, uint256 idEnd) = Der.expect(der, from, next, Der.OBJECT_ID);
        bool critical;
        from = idEnd;
        if (Der.follows(der, from, next, Der.BOOLEAN)) {
            (uint256 start, uint256 end) = Der.expect(der, from, next, Der.BOOLEAN);
            // INVARIANT: the only boolean DER writes where the default is false is true.
            if (!Der.equals(der, start, end, hex"ff")) revert X509_MalformedExtension(from);
            critical = true;
            from = end;
        }
        uint256 to;
        (from, to) = Der.expect(der, from, next, Der.OCTET_STRING);
        Der.finish(to, next);
        if (Der.equals(der, idStart, idEnd, BASIC_CONSTRAINTS)) {
            certificate.authority = _basicConstraints(der, from, to);
        } else if (Der.equals(der, idStart, idEnd, KEY_USAGE)) {
            (uint256 start, uint256 end) = Der.expect(der, from, to, Der.BIT_STRING);
            Der.finish(end, to);
            // INVARIANT: uses of a key are read from bits that are there.
            if (end - start < 2) revert X509_MalformedExtension(from);
            certificate.signsCertificates = uint8(der[start + 1]) & KEY_CERT_SIGN != 0;
        } else if (Der.equals(der, idStart, idEnd, INTEL_SGX)) {
            _platform(der, from, to, certificate);
        } else {
            // INVARIANT: what the issuer calls critical is understood or the certificate is not used.
            if (critical) revert X509_UnknownCriticalExtension(offset);
        }
    }

    function _basicConstraints(bytes calldata der, uint256 offset, uint256 limit) private pure returns (bool authority) {
        (uint256 from, uint256 to) = Der.expect(der, offset, limit, Der.SEQUENCE);
        Der.finish(to, limit);
        if (Der.follows(der, from, to, Der.BOOLEAN)) {
            (uint256 start, uint256 end) = Der.expect(der, from, to, Der.BOOLEAN);
            // INVARIANT: who may issue certificates is said in the one way DER allows.
            if (!Der.equals(der, start, end, hex"ff")) revert X509_MalformedExtension(from);
            authority = true;
            from = end;
        }
        // How long a path may be is read and passed over: the verifier allows exactly root, authority, platform.
        if (from < to) (, from) = Der.unsigned(der, from, to);
        Der.finish(from, to);
    }

    /// Intel's extension: a sequence of (object id, value), of which 2 (the versions) and 4 (the FMSPC) matter.
    function _platform(bytes calldata der, uint256 offset, uint256 limit, Certificate memory certificate) private pure {
        (uint256 from, uint256 to) = Der.expect(der, offset, limit, Der.SEQUENCE);
        Der.finish(to, limit);
        uint256 found;
        while (from < to) {
            (uint256 start, uint256 end, uint256 number, uint256 next) = _member(der, from, to, INTEL_SGX);
            if (number == 2) {
                (start, end) = Der.expect(der, start, end, Der.SEQUENCE);
                _versions(der, start, end, certificate);
                found |= 1;
            } else if (number == 4) {
                (start, end) = Der.expect(der, start, end, Der.OCTET_STRING);
                // INVARIANT: a kind of platform has six bytes.
                if (end - start != 6) revert X509_MalformedExtension(from);
                certificate.fmspc = bytes6(der[start:end]);
                found |= 2;
            }
            from = next;
        }
        // INVARIANT: a platform's certificate says which kind it is and which versions it has.
        if (found != 3) revert X509_MalformedExtension(offset);
        certificate.platform = true;
    }

    /// The sixteen component versions and that of the provisioning enclave.
    function _versions(bytes calldata der, uint256 from, uint256 to, Certificate memory certificate) private pure {
        uint256 components;
        uint256 found;
        while (from < to) {
            (uint256 start, uint256 end, uint256 number, uint256 next) = _member(der, from, to, bytes.concat(INTEL_SGX, hex"02"));
            if (number >= 1 && number <= 17) {
                (uint256 value,) = Der.unsigned(der, start, end);
                // INVARIANT: a version fits where it is kept.
                if (value > (number == 17 ? type(uint16).max : type(uint8).max)) revert X509_SvnOutOfRange(start);
                if (number == 17) certificate.pceSvn = uint16(value);
                else components |= value << (8 * (16 - number));
                found |= 1 << number;
            }
            from = next;
        }
        // INVARIANT: a version that is not named is not taken for one.
        if (found != 0x3fffe) revert X509_MalformedExtension(from);
        certificate.sgxSvn = bytes16(uint128(components));
    }

    /// A pair of an object id, `prefix` and one more number below 128, and a value [start, end).
    function _member(bytes calldata der, uint256 offset, uint256 limit, bytes memory prefix)
        private
        pure
        returns (uint256 start, uint256 end, uint256 number, uint256 next)
    {
        (start, next) = Der.expect(der, offset, limit, Der.SEQUENCE);
        (start, end) = Der.expect(der, start, next, Der.OBJECT_ID);
        // INVARIANT: Intel's extension holds Intel's members.
        if (end - start != prefix.length + 1 || !Der.equals(der, start, end - 1, prefix)) revert X509_MalformedExtension(offset);
        number = uint8(der[end - 1]);
        start = end;
        end = next;
    }

    /// Seconds since 1970 of a UTCTime or GeneralizedTime in UTC.
    function _time(bytes calldata der, uint256 offset, uint256 limit) private pure returns (uint64, uint256 end) {
        (uint8 tag, uint256 start, uint256 stop) = Der.read(der, offset, limit);
        // INVARIANT: times are written as RFC 5280 has them: whole seconds, UTC.
        if ((tag != Der.UTC_TIME && tag != Der.GENERALIZED_TIME) || stop - start != (tag == Der.UTC_TIME ? 13 : 15)) {
            revert X509_MalformedTime(offset);
        }
        end = stop;
        uint256 year = _pair(der, start);
        if (tag == Der.UTC_TIME) {
            year += year < 50 ? 2000 : 1900;
        } else {
            start += 2;
            year = 100 * year + _pair(der, start);
        }
        return (uint64(_date(der, start + 2, year) + _clock(der, start + 6)), end);
    }

    function _date(bytes calldata der, uint256 offset, uint256 year) private pure returns (uint256) {
        uint256 month = _pair(der, offset);
        uint256 day = _pair(der, offset + 2);
        // INVARIANT: dates are of a calendar; before 1970 nothing was signed.
        if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) revert X509_MalformedTime(offset);
        // Days since a year that begins in March, so that the leap day is its last.
        if (month < 3) {
            --year;
            month += 12;
        }
        uint256 days_ = 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + day;
        return (days_ - 719_469) * 1 days;
    }

    function _clock(bytes calldata der, uint256 offset) private pure returns (uint256) {
        (uint256 hour, uint256 minute, uint256 second) = (_pair(der, offset), _pair(der, offset + 2), _pair(der, offset + 4));
        // INVARIANT: a time is of a day, in UTC.
        if (hour > 23 || minute > 59 || second > 59 || der[offset + 6] != "Z") revert X509_MalformedTime(offset);
        return hour * 3600 + minute * 60 + second;
    }

    function _pair(bytes calldata der, uint256 offset) private pure returns (uint256) {
        uint256 tens = uint256(uint8(der[offset])) ^ 0x30;
        uint256 ones = uint256(uint8(der[offset + 1])) ^ 0x30;
        // INVARIANT: a time is digits.
        if (tens > 9 || ones > 9) revert X509_MalformedTime(offset);
        return 10 * tens + ones;
    }
}
