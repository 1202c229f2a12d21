// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Merkle } from "../../src/libraries/Merkle.sol";
import { CreditLeaf, DebitLeaf, JobLeaf } from "../../src/libraries/Types.sol";
import { Json } from "../utils/Json.sol";
import { Trees } from "../utils/Trees.sol";
import { Vectors } from "./Vectors.sol";

contract MerkleVectors_Test is Vectors {
    function test_merkle_json_succeeds() external {
        string[] memory fields = new string[](3);
        fields[0] = Json.field("leaves", _leaves());
        fields[1] = Json.field("trees", _trees());
        fields[2] = Json.field("roots", _roots());
        settle("merkle.json", string.concat("{", Json.join(fields, ",\n"), "}\n"));
    }

    function verify(bytes32 root, bytes32 leaf, uint256 index, uint256 count, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return Merkle.verify(root, leaf, index, count, proof);
    }

    function verifyMulti(bytes32 root, bytes32[] memory leaves, uint256[] memory indices, uint256 count, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return Merkle.verifyMulti(root, leaves, indices, count, proof);
    }

    /// One leaf of each tree: its members, their encoding and its hash.
    function _leaves() private pure returns (string memory) {
        string[] memory items = new string[](4);
        items[0] = _job(
            JobLeaf({
                ticket: keccak256("ticket"),
                receipt: keccak256("receipt"),
                account: address(0x1111111111111111111111111111111111111111),
                grant: keccak256("grant"),
                provider: address(0x2222222222222222222222222222222222222222),
                cost: 1_234_567,
                tier: 2,
                grantTotal: 98_765_432_109,
                providerTotal: 87_654_321_098
            })
        );
        items[1] = _job(
            JobLeaf({
                ticket: bytes32(type(uint256).max),
                receipt: bytes32(0),
                account: address(type(uint160).max),
                grant: bytes32(uint256(1)),
                provider: address(0),
                cost: type(uint64).max,
                tier: 3,
                grantTotal: type(uint128).max,
                providerTotal: type(uint128).max
            })
        );
        DebitLeaf memory debit = DebitLeaf(keccak256("grant"), 98_765_432_109, 1_481_481_481, 1_481_481_480);
        items[2] = string.concat(
            '{"tree": "debits", "grant": ',
            Json.hex_(debit.grant),
            ', "debited": ',
            Json.big(debit.debited),
            ', "routerFees": ',
            Json.big(debit.routerFees),
            ', "protocolFees": ',
            Json.big(debit.protocolFees),
            _encoded(abi.encode(debit))
        );
        CreditLeaf memory credit = CreditLeaf(address(0x2222222222222222222222222222222222222222), 87_654_321_098);
        items[3] = string.concat(
            '{"tree": "credits", "provider": ',
            Json.hex_(credit.provider),
            ', "credited": ',
            Json.big(credit.credited),
            _encoded(abi.encode(credit))
        );
        return Json.list(items);
    }

    function _job(JobLeaf memory leaf) private pure returns (string memory) {
        string[] memory fields = new string[](10);
        fields[0] = '"tree": "jobs"';
        fields[1] = Json.field("ticket", Json.hex_(leaf.ticket));
        fields[2] = Json.field("receipt", Json.hex_(leaf.receipt));
        fields[3] = Json.field("account", Json.hex_(leaf.account));
        fields[4] = Json.field("grant", Json.hex_(leaf.grant));
        fields[5] = Json.field("provider", Json.hex_(leaf.provider));
        fields[6] = Json.field("cost", Json.big(leaf.cost));
        fields[7] = Json.field("tier", Json.small(leaf.tier));
        fields[8] = Json.field("grantTotal", Json.big(leaf.grantTotal));
        fields[9] = Json.field("providerTotal", Json.big(leaf.providerTotal));
        return string.concat("{", Json.join(fields, ", "), _encoded(abi.encode(leaf)));
    }

    function _encoded(bytes memory data) private pure returns (string memory) {
        return string.concat(', "data": ', Json.hex_(data), ', "leafHash": ', Json.hex_(Merkle.leafHash(data)), "}");
    }

    /// Small trees with every proof and a few multi-proofs. The data of leaf i is `keccak256(uint256 i)`, of i bytes modulo 33.
    function _trees() private view returns (string memory) {
        uint8[17] memory counts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 16, 17, 21, 33];
        string[] memory items = new string[](counts.length);
        for (uint256 i; i < counts.length; ++i) {
            items[i] = _tree(counts[i]);
        }
        return Json.list(items);
    }

    function _tree(uint256 count) private view returns (string memory) {
        bytes32[] memory leaves = new bytes32[](count);
        string[] memory data = new string[](count);
        for (uint256 i; i < count; ++i) {
            bytes memory content = new bytes(i % 33);
            for (uint256 j; j < content.length; ++j) {
                content[j] = keccak256(abi.encode(i))[j];
            }
            data[i] = Json.hex_(content);
            leaves[i] = Merkle.leafHash(content);
        }
        bytes32 root = Trees.root(leaves);
        string[] memory fields = new string[](5);
        fields[0] = Json.field("count", Json.small(count));
        fields[1] = Json.field("data", string.concat("[", Json.join(data, ", "), "]"));
        fields[2] = Json.field("root", Json.hex_(root));
        fields[3] = Json.field("proofs", _proofs(leaves, root));
        fields[4] = Json.field("multiproofs", _multiproofs(leaves, root));
        return string.concat("{", Json.join(fields, ",\n "), "}");
    }

    function _proofs(bytes32[] memory leaves, bytes32 root) private view returns (string memory) {
        string[] memory items = new string[](leaves.length);
        for (uint256 i; i < leaves.length; ++i) {
            bytes32[] memory proof = Trees.proof(leaves, i);
            assertTrue(this.verify(root, leaves[i], i, leaves.length, proof), "the contracts accept the proof");
            items[i] = Json.list(proof);
        }
        return string.concat("[", Json.join(items, ",\n  "), "]");
    }

    function _multiproofs(bytes32[] memory leaves, bytes32 root) private view returns (string memory) {
        uint256 count = leaves.length;
        if (count == 0) return "[]";
        string[] memory items = new string[](8);
        for (uint256 round; round < items.length; ++round) {
            uint256[] memory indices = _subset(count, round);
            bytes32[] memory chosen = new bytes32[](indices.length);
            for (uint256 i; i < indices.length; ++i) {
                chosen[i] = leaves[indices[i]];
            }
            bytes32[] memory proof = Trees.multiproof(leaves, indices);
            assertTrue(this.verifyMulti(root, chosen, indices, count, proof), "the contracts accept the multi-proof");
            items[round] = string.concat('{"indices": ', Json.list(indices), ', "proof": ', Json.list(proof), "}");
        }
        return string.concat("[", Json.join(items, ",\n  "), "]");
    }

    /// All, the first, the last, and some chosen by hash.
    function _subset(uint256 count, uint256 round) private pure returns (uint256[] memory indices) {
        bool[] memory chosen = new bool[](count);
        uint256 size;
        for (uint256 i; i < count; ++i) {
            chosen[i] = round == 0 || (round == 1 && i == 0) || (round == 2 && i == count - 1)
                || (round > 2 && (i == round % count || pick(round, i) % round == 0));
            if (chosen[i]) ++size;
        }
        indices = new uint256[](size);
        size = 0;
        for (uint256 i; i < count; ++i) {
            if (chosen[i]) indices[size++] = i;
        }
    }

    /// Roots of larger trees; the data of leaf i is `uint256 i`.
    function _roots() private pure returns (string memory) {
        uint16[6] memory counts = [100, 255, 256, 1000, 4097, 10_000];
        string[] memory items = new string[](counts.length);
        for (uint256 i; i < counts.length; ++i) {
            bytes32[] memory leaves = new bytes32[](counts[i]);
            for (uint256 j; j < leaves.length; ++j) {
                leaves[j] = Merkle.leafHash(abi.encode(j));
            }
            items[i] = string.concat('{"count": ', Json.small(counts[i]), ', "root": ', Json.hex_(Trees.root(leaves)), "}");
        }
        return Json.list(items);
    }
}
