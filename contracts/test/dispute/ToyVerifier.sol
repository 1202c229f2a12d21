// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Traces } from "../../src/dispute/Traces.sol";
import { IStepVerifier } from "../../src/interfaces/IStepVerifier.sol";

/// A computation small enough to follow: a chain of hashes as long as the seed says. A state is (place, length, hash).
contract ToyVerifier is IStepVerifier {
    bytes32 internal constant START = "start";
    bytes32 internal constant NEXT = "next";
    bytes32 internal constant END = "end";

    error ToyVerifier_NoSuchStep();

    function verify(bytes32 modelId, bytes32 stepKind, bytes calldata preState, bytes calldata, bytes calldata)
        external
        pure
        returns (bytes32)
    {
        if (stepKind == START && preState.length == 160) {
            (bytes32 kind, bytes32 request,, uint64 seed,) = abi.decode(preState, (bytes32, bytes32, bytes32, uint64, uint32));
            if (kind == Traces.INPUT_TYPEHASH) {
                return keccak256(abi.encode(uint64(0), seed, keccak256(abi.encode(modelId, request))));
            }
        }
        if (preState.length != 96) revert ToyVerifier_NoSuchStep();
        (uint64 place, uint64 length, bytes32 hash) = abi.decode(preState, (uint64, uint64, bytes32));
        if (stepKind == NEXT && place + 1 < length) return keccak256(abi.encode(place + 1, length, keccak256(abi.encode(hash))));
        if (stepKind == END && place + 1 == length) {
            return keccak256(abi.encode(Traces.OUTPUT_TYPEHASH, keccak256(abi.encode(hash)), uint32(1), uint32(2), uint8(1)));
        }
        revert ToyVerifier_NoSuchStep();
    }
}
