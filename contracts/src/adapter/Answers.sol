// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Answers
/// @notice Hashes an answer as a receipt does, and keeps bytes as the code of a contract, a fifth of what storage costs.
library Answers {
    error Answers_NotStored(uint256 length);

    bytes16 private constant HEX = "0123456789abcdef";
    uint256 private constant ONES = 0x0101010101010101010101010101010101010101010101010101010101010101;

    /// @notice The name of a finish reason in the protocol; empty if there is none.
    function reason(uint8 finishReason) internal pure returns (bytes memory) {
        if (finishReason == 1) return "stop";
        if (finishReason == 2) return "length";
        if (finishReason == 3) return "cancelled";
        if (finishReason == 4) return "error";
        if (finishReason == 5) return "content_filter";
        return "";
    }

    /// @notice keccak256 of the canonical JSON of finish reason and text.
    function responseHash(uint8 finishReason, bytes memory text) internal pure returns (bytes32) {
        bytes memory name = reason(finishReason);
        if (name.length == 0) return bytes32(0);
        return keccak256(bytes.concat('{"finish_reason":"', name, '","text":"', escape(text), '"}'));
    }

    /// @notice The text as it stands between the quotes of canonical JSON: quote, backslash and control characters are escaped, in
    /// the short form where there is one; everything else stays as it is.
    /// @dev Different texts stay different. Copies 32 bytes at a time and goes on from the first of them that has to be escaped, so
    /// what is written beyond it is overwritten next.
    function escape(bytes memory text) internal pure returns (bytes memory escaped) {
        uint256 size = text.length;
        escaped = new bytes(6 * size + 32);
        uint256 written;
        uint256 read;
        // Nothing can overflow: all is bounded by the length of memory.
        unchecked {
            while (read < size) {
                uint256 word = _load(text, read);
                _store(escaped, written, word);
                uint256 plain = _plain(word);
                if (plain > size - read) plain = size - read;
                read += plain;
                written += plain;
                if (plain == 32 || read == size) continue;
                uint256 code = uint8(word >> (248 - 8 * plain));
                uint256 letter = _short(code);
                ++read;
                if (letter != 0) {
                    _store(escaped, written, (0x5c << 248) | (letter << 240));
                    written += 2;
                } else {
                    uint256 digits = uint256(uint16(bytes2(bytes.concat(HEX[code >> 4], HEX[code & 15]))));
                    _store(escaped, written, (uint256(bytes32("\\u00"))) | (digits << 208));
                    written += 6;
                }
            }
        }
        assembly ("memory-safe") {
            // Shorter than what was allocated.
            mstore(escaped, written)
        }
    }

    /// @notice Keeps `data` as the code of a new contract, behind a STOP so that nobody can run it.
    function store(bytes memory data) internal returns (address kept) {
        // 61 size+1, 80, 60 0a, 3d, 39, 3d, f3: PUSH2 size DUP1 PUSH1 10 RETURNDATASIZE CODECOPY RETURNDATASIZE RETURN.
        bytes memory code = bytes.concat(hex"61", bytes2(uint16(data.length + 1)), hex"80600a3d393df3", hex"00", data);
        assembly ("memory-safe") {
            kept := create(0, add(code, 0x20), mload(code))
        }
        // INVARIANT: what counts as stored is stored.
        if (kept == address(0)) revert Answers_NotStored(data.length);
    }

    /// @notice What `store` kept.
    function load(address kept) internal view returns (bytes memory data) {
        uint256 size = kept.code.length - 1;
        data = new bytes(size);
        assembly ("memory-safe") {
            extcodecopy(kept, add(data, 0x20), 1, size)
        }
    }

    /// @dev The letter of a short escape; zero if the character has none.
    function _short(uint256 code) private pure returns (uint256) {
        if (code == 0x0a) return 0x6e;
        if (code == 0x22 || code == 0x5c) return code;
        if (code == 0x09) return 0x74;
        if (code == 0x0d) return 0x72;
        if (code == 0x08) return 0x62;
        if (code == 0x0c) return 0x66;
        return 0;
    }

    /// @dev How many bytes come before the first that is a quote, a backslash or below 0x20. No byte carries into another: the high
    /// bit is taken out before the addition, which sets it unless the byte is below 0x20 or, with the character taken out, zero.
    function _plain(uint256 word) private pure returns (uint256) {
        unchecked {
            uint256 low = ONES * 0x7f;
            uint256 quote = word ^ (ONES * 0x22);
            uint256 backslash = word ^ (ONES * 0x5c);
            uint256 plain =
                (((word & low) + ONES * 0x60) | word) & (((quote & low) + low) | quote) & (((backslash & low) + low) | backslash);
            uint256 found = ~plain & (ONES * 0x80);
            if (found >> 255 != 0) return 0;
            return found == 0 ? 32 : 31 - Math.log2(found) / 8;
        }
    }

    function _load(bytes memory data, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x20), offset))
        }
    }

    function _store(bytes memory data, uint256 offset, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(data, 0x20), offset), word)
        }
    }
}
