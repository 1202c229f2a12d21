// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IProofVerifier } from "../../src/interfaces/IProofVerifier.sol";

/// A Groth16 verifier over bn254, as the precompiles compute it, for the circuit of `make_groth16.py`. Returns false for whatever
/// does not hold, a point off the curve or an input above the field among it.
contract ToyModelVerifier is IProofVerifier {
    uint256 private constant ORDER = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    uint256 private constant FIELD = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;

    // alpha in G1; beta, gamma and delta in G2; a point in G1 for the one and for every input.
    uint256[] private key;

    constructor(uint256[] memory key_) {
        key = key_;
    }

    function verify(bytes calldata proof, bytes32[] calldata publicInputs) external view returns (bool) {
        if (proof.length != 256 || key.length != 14 + 2 * (publicInputs.length + 1)) return false;
        (uint256 x, uint256 y) = (key[14], key[15]);
        for (uint256 i; i < publicInputs.length; ++i) {
            if (uint256(publicInputs[i]) >= ORDER) return false;
            (x, y) = _add(x, y, _times(key[16 + 2 * i], key[17 + 2 * i], uint256(publicInputs[i])));
        }
        uint256[8] memory p = abi.decode(proof, (uint256[8]));
        if (p[0] >= FIELD || p[1] >= FIELD) return false;
        // e(-A, B) e(alpha, beta) e(inputs, gamma) e(C, delta) = 1
        bytes memory pairs = abi.encodePacked(p[0], (FIELD - p[1]) % FIELD, p[2], p[3], p[4], p[5]);
        pairs = abi.encodePacked(pairs, key[0], key[1], key[2], key[3], key[4], key[5]);
        pairs = abi.encodePacked(pairs, x, y, key[6], key[7], key[8], key[9]);
        pairs = abi.encodePacked(pairs, p[6], p[7], key[10], key[11], key[12], key[13]);
        (bool done, bytes memory answer) = address(8).staticcall(pairs);
        return done && answer.length == 32 && abi.decode(answer, (uint256)) == 1;
    }

    function _times(uint256 x, uint256 y, uint256 factor) private view returns (uint256[2] memory) {
        (bool done, bytes memory answer) = address(7).staticcall(abi.encode(x, y, factor));
        require(done, "key off the curve");
        return abi.decode(answer, (uint256[2]));
    }

    function _add(uint256 x, uint256 y, uint256[2] memory point) private view returns (uint256, uint256) {
        (bool done, bytes memory answer) = address(6).staticcall(abi.encode(x, y, point[0], point[1]));
        require(done, "key off the curve");
        return abi.decode(answer, (uint256, uint256));
    }
}
