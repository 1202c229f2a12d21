// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Vm } from "./Test.sol";

/// Writes the JSON of the test vectors. Integers of 64 bits and more are decimal strings: JSON readers cannot be trusted with them.
library Json {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function quote(string memory text) internal pure returns (string memory) {
        return string.concat('"', text, '"');
    }

    function hex_(bytes32 value) internal pure returns (string memory) {
        return quote(vm.toString(value));
    }

    function hex_(address value) internal pure returns (string memory) {
        return quote(vm.toString(value));
    }

    function hex_(bytes memory value) internal pure returns (string memory) {
        return quote(vm.toString(value));
    }

    function small(uint256 value) internal pure returns (string memory) {
        return vm.toString(value);
    }

    function big(uint256 value) internal pure returns (string memory) {
        return quote(vm.toString(value));
    }

    function field(string memory name, string memory value) internal pure returns (string memory) {
        return string.concat('"', name, '": ', value);
    }

    function list(bytes32[] memory values) internal pure returns (string memory) {
        string[] memory items = new string[](values.length);
        for (uint256 i; i < values.length; ++i) {
            items[i] = hex_(values[i]);
        }
        return string.concat("[", join(items, ", "), "]");
    }

    function list(address[] memory values) internal pure returns (string memory) {
        string[] memory items = new string[](values.length);
        for (uint256 i; i < values.length; ++i) {
            items[i] = hex_(values[i]);
        }
        return string.concat("[", join(items, ", "), "]");
    }

    function list(uint256[] memory values) internal pure returns (string memory) {
        string[] memory items = new string[](values.length);
        for (uint256 i; i < values.length; ++i) {
            items[i] = small(values[i]);
        }
        return string.concat("[", join(items, ", "), "]");
    }

    function list(string[] memory items) internal pure returns (string memory) {
        return string.concat("[\n", join(items, ",\n"), "\n]");
    }

    function object(string[] memory fields) internal pure returns (string memory) {
        return string.concat("{", join(fields, ", "), "}");
    }

    /// Doubling concatenation: the cost grows with n log n rather than with n squared.
    function join(string[] memory items, string memory separator) internal pure returns (string memory) {
        return items.length == 0 ? "" : _join(items, separator, 0, items.length);
    }

    function _join(string[] memory items, string memory separator, uint256 from, uint256 size)
        private
        pure
        returns (string memory)
    {
        if (size == 1) return items[from];
        uint256 half = size / 2;
        return string.concat(_join(items, separator, from, half), separator, _join(items, separator, from + half, size - half));
    }
}
