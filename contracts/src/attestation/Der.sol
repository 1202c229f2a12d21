// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Der
/// @notice Reads DER, strictly: one way to write a length, nothing outside the bytes given.
/// @dev A node is the range [start, end) of its content. Every function reverts with an error of this library on bytes that are
/// not what it reads, whatever they are; it never panics.
library Der {
    uint8 internal constant BOOLEAN = 0x01;
    uint8 internal constant INTEGER = 0x02;
    uint8 internal constant BIT_STRING = 0x03;
    uint8 internal constant OCTET_STRING = 0x04;
    uint8 internal constant OBJECT_ID = 0x06;
    uint8 internal constant UTC_TIME = 0x17;
    uint8 internal constant GENERALIZED_TIME = 0x18;
    uint8 internal constant SEQUENCE = 0x30;
    uint8 internal constant CONTEXT_0 = 0xa0;
    uint8 internal constant CONTEXT_3 = 0xa3;

    error Der_Truncated(uint256 offset, uint256 limit);
    error Der_UnexpectedTag(uint256 offset, uint8 expected, uint8 found);
    error Der_LengthNotCanonical(uint256 offset);
    error Der_TrailingBytes(uint256 offset, uint256 limit);
    error Der_IntegerOutOfRange(uint256 offset, uint256 length);

    /// @notice The node at `offset`, which ends at or before `limit`.
    function read(bytes calldata data, uint256 offset, uint256 limit)
        internal
        pure
        returns (uint8 tag, uint256 start, uint256 end)
    {
        uint256 bound = limit < data.length ? limit : data.length;
        // INVARIANT: no byte outside the enclosing node is read.
        if (offset >= bound || bound - offset < 2) revert Der_Truncated(offset, bound);
        tag = uint8(data[offset]);
        uint256 length = uint8(data[offset + 1]);
        start = offset + 2;
        if (length >= 0x80) {
            uint256 size = length & 0x7f;
            // INVARIANT: a length is written in its shortest form; nothing here is longer than 64 KiB.
            if (size == 0 || size > 2) revert Der_LengthNotCanonical(offset);
            // INVARIANT: the length itself lies inside the enclosing node.
            if (bound - start < size) revert Der_Truncated(offset, bound);
            length = size == 1 ? uint8(data[start]) : uint256(uint8(data[start])) << 8 | uint8(data[start + 1]);
            // INVARIANT: a length is written in its shortest form, so equal values have equal bytes.
            if (length < (size == 1 ? 0x80 : 0x100)) revert Der_LengthNotCanonical(offset);
            start += size;
        }
        // INVARIANT: content ends inside the enclosing node.
        if (bound - start < length) revert Der_Truncated(offset, bound);
        end = start + length;
    }

    /// @notice The node at `offset`, which must have this tag.
    function expect(bytes calldata data, uint256 offset, uint256 limit, uint8 expected)
        internal
        pure
        returns (uint256 start, uint256 end)
    {
        uint8 tag;
        (tag, start, end) = read(data, offset, limit);
        // INVARIANT: a structure has the members its definition says, in order.
        if (tag != expected) revert Der_UnexpectedTag(offset, expected, tag);
    }

    /// @notice Whether a node with this tag follows; false at the end of the enclosing node.
    function follows(bytes calldata data, uint256 offset, uint256 limit, uint8 tag) internal pure returns (bool) {
        return offset < limit && offset < data.length && uint8(data[offset]) == tag;
    }

    /// @notice The non-negative INTEGER at `offset`, of 256 bits at most.
    function unsigned(bytes calldata data, uint256 offset, uint256 limit) internal pure returns (uint256 value, uint256 end) {
        uint256 start;
        (start, end) = expect(data, offset, limit, INTEGER);
        uint256 length = end - start;
        // INVARIANT: an integer is not negative and is written in its shortest form.
        if (length == 0 || uint8(data[start]) >= 0x80) revert Der_IntegerOutOfRange(offset, length);
        if (length > 1 && data[start] == 0) {
            // INVARIANT: a leading zero is there only to keep the number from being negative.
            if (uint8(data[start + 1]) < 0x80) revert Der_IntegerOutOfRange(offset, length);
            ++start;
            --length;
        }
        // INVARIANT: a number fits in a word.
        if (length > 32) revert Der_IntegerOutOfRange(offset, length);
        value = uint256(bytes32(data[start:end])) >> (8 * (32 - length));
    }

    /// @notice Holds when the enclosing node has been read to its end.
    function finish(uint256 offset, uint256 limit) internal pure {
        // INVARIANT: a structure holds nothing but the members that were read.
        if (offset != limit) revert Der_TrailingBytes(offset, limit);
    }

    /// @notice Whether the content [start, end) equals `expected`.
    function equals(bytes calldata data, uint256 start, uint256 end, bytes memory expected) internal pure returns (bool) {
        return end - start == expected.length && keccak256(data[start:end]) == keccak256(expected);
    }
}
