// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Answers } from "../../src/adapter/Answers.sol";
import { Test } from "../utils/Test.sol";

contract AnswersHarness {
    function escape(bytes memory text) external pure returns (bytes memory) {
        return Answers.escape(text);
    }

    function responseHash(uint8 reason, bytes memory text) external pure returns (bytes32) {
        return Answers.responseHash(reason, text);
    }

    function store(bytes memory data) external returns (address) {
        return Answers.store(data);
    }

    function load(address kept) external view returns (bytes memory) {
        return Answers.load(kept);
    }
}

/// Canonical JSON, written down as RFC 8259 says it, a character at a time.
library NaiveJson {
    function escape(bytes memory text) internal pure returns (bytes memory escaped) {
        for (uint256 i; i < text.length; ++i) {
            escaped = bytes.concat(escaped, one(text[i]));
        }
    }

    function one(bytes1 character) internal pure returns (bytes memory) {
        uint8 code = uint8(character);
        if (code == 0x22) return hex"5c22";
        if (code == 0x5c) return hex"5c5c";
        if (code == 8) return "\\b";
        if (code == 9) return "\\t";
        if (code == 10) return "\\n";
        if (code == 12) return "\\f";
        if (code == 13) return "\\r";
        if (code >= 0x20) return abi.encodePacked(character);
        string[16] memory digits = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"];
        return abi.encodePacked("\\u00", digits[code / 16], digits[code % 16]);
    }
}

contract Answers_Escape_Test is Test {
    AnswersHarness private harness = new AnswersHarness();

    function testFuzz_escape_isTheNaiveTwin(bytes calldata text) external view {
        assertEq(keccak256(harness.escape(text)), keccak256(NaiveJson.escape(text)), "escaped");
    }

    /// Long plain runs with one odd byte anywhere: the path that copies words.
    function testFuzz_escape_oneOddByte_isTheNaiveTwin(uint256 size, uint256 where, uint8 odd) external view {
        bytes memory text = new bytes(bound(size, 1, 200));
        for (uint256 i; i < text.length; ++i) {
            text[i] = bytes1(uint8(0x20 + i % 2 + (i % 3) * 96));
        }
        text[where % text.length] = bytes1(odd);
        assertEq(keccak256(harness.escape(text)), keccak256(NaiveJson.escape(text)), "escaped");
    }

    function test_escape_everyByte_succeeds() external view {
        for (uint256 code; code < 256; ++code) {
            bytes memory text = abi.encodePacked(bytes1(uint8(code)));
            assertEq(keccak256(harness.escape(text)), keccak256(NaiveJson.escape(text)), "alone");
            text = new bytes(64);
            for (uint256 i; i < 64; ++i) {
                text[i] = bytes1(uint8(code));
            }
            assertEq(keccak256(harness.escape(text)), keccak256(NaiveJson.escape(text)), "in words");
        }
    }
}

contract Answers_ResponseHash_Test is Test {
    AnswersHarness private harness = new AnswersHarness();

    /// Against what the nodes' own JSON library writes.
    function test_responseHash_matchesTheNodes() external view {
        bytes memory text;
        for (uint256 code; code < 0x80; ++code) {
            text = abi.encodePacked(text, bytes1(uint8(code)));
        }
        text = bytes.concat(text, hex"c280c281");
        assertEq(
            harness.responseHash(1, text), 0x63d8e2735f6201a8167b7c4a47bfbb05102faf018f20b534256eb8444670bae9, "control characters"
        );
        assertEq(harness.responseHash(2, ""), 0x57c9514ddb25799e8a98e661f6a4683f8bb9bbb933a7d49e5af2b07c292bd825, "nothing");
        text = bytes(
            unicode"Grüße, 世界 🌍 \"\\/\u2028 and a line\nmore than thirty-two bytes long, twice over, to pass the word path."
        );
        assertEq(harness.responseHash(5, text), 0x2659091acdcde2c6e264050c1498e821c089bf40d86692807d7b32443d770542, "unicode");
    }

    function test_responseHash_namesEveryReason() external view {
        string[5] memory names = ["stop", "length", "cancelled", "error", "content_filter"];
        for (uint8 i; i < 5; ++i) {
            bytes32 expected = keccak256(abi.encodePacked('{"finish_reason":"', names[i], '","text":"x"}'));
            assertEq(harness.responseHash(i + 1, "x"), expected, names[i]);
        }
        assertEq(harness.responseHash(0, "x"), bytes32(0), "none");
        assertEq(harness.responseHash(6, "x"), bytes32(0), "nor this");
    }
}

contract Answers_Gas_Test is Test {
    AnswersHarness private harness = new AnswersHarness();

    function fill(bytes1 character) private pure returns (bytes memory text) {
        text = new bytes(16_384);
        for (uint256 i; i < text.length; ++i) {
            text[i] = character;
        }
    }

    function test_responseHash_gas() external {
        harness.responseHash(1, fill("a"));
        vm.snapshotGasLastCall("adapter", "Answers.responseHash, 16 KiB of letters");
        harness.responseHash(1, fill("\n"));
        vm.snapshotGasLastCall("adapter", "Answers.responseHash, 16 KiB of line ends");
    }
}

contract Answers_Store_Test is Test {
    AnswersHarness private harness = new AnswersHarness();

    function testFuzz_store_load_isWhatWasStored(bytes calldata data) external {
        assertEq(keccak256(harness.load(harness.store(data))), keccak256(data), "kept");
    }

    function test_store_largest_succeeds() external {
        bytes memory data = new bytes(24_575);
        data[24_574] = 0x01;
        assertEq(keccak256(harness.load(harness.store(data))), keccak256(data), "kept");
    }

    /// Nobody can run what is kept.
    function test_store_called_doesNothing() external {
        address kept = harness.store(hex"fe");
        (bool success, bytes memory data) = kept.call("");
        assertTrue(success && data.length == 0, "stops at once");
    }

    function test_store_tooLittleGas_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(Answers.Answers_NotStored.selector, 5_000));
        harness.store{ gas: 500_000 }(new bytes(5_000));
    }
}
