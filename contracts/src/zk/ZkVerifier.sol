// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Governed } from "../Governed.sol";
import { IProofVerifier } from "../interfaces/IProofVerifier.sol";
import { Circuit, IZkVerifier, ModelProof } from "../interfaces/IZkVerifier.sol";

/// @title ZkVerifier
/// @notice Verifying contracts of models' circuits, and what they found proven. See {IZkVerifier}, which is its specification.
contract ZkVerifier is IZkVerifier, Governed {
    uint32 public constant LOWEST_GAS = 50_000;
    uint32 public constant HIGHEST_GAS = 10_000_000;
    uint16 public constant MOST_INPUTS = 256;
    uint256 private constant BOUND_INPUTS = 6;
    // What is kept back for all that follows the call to a verifier.
    uint256 private constant RESERVE = 60_000;

    /// @custom:storage-location erc7201:infera.storage.ZkVerifier
    struct Storage {
        mapping(bytes32 modelId => mapping(bytes32 circuitId => Circuit[])) circuits;
        mapping(bytes32 statement => uint64) provenAt;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.ZkVerifier")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x0abd59ea25d0062e3517bac4fd4d8de10e3aea925ffec2c16794cc71aa7cb600;

    function initialize(address governor) external initializer {
        __Ownable_init(governor);
    }

    /// @inheritdoc IZkVerifier
    function register(
        bytes32 modelId,
        bytes32 circuitId,
        address verifier,
        bytes32 weightsRoot,
        uint16 extraInputs,
        uint32 gasLimit
    ) external onlyOwner returns (uint32 version) {
        // INVARIANT: a circuit is of a model, and bound to weights.
        if (modelId == 0 || circuitId == 0 || weightsRoot == 0) revert ZkVerifier_ZeroId();
        // INVARIANT: what is asked can answer.
        if (verifier.code.length == 0) revert ZkVerifier_NoCode(verifier);
        // INVARIANT: a verifier's code is its own: an account that delegates can change its mind.
        if (bytes3(verifier.code) == 0xef0100) revert ZkVerifier_Delegates(verifier);
        // INVARIANT: a verification fits in a block.
        if (gasLimit < LOWEST_GAS || gasLimit > HIGHEST_GAS) {
            revert ZkVerifier_GasOutOfBounds(gasLimit, LOWEST_GAS, HIGHEST_GAS);
        }
        // INVARIANT: putting the inputs together is cheap.
        if (extraInputs > MOST_INPUTS) revert ZkVerifier_TooManyInputs(extraInputs, MOST_INPUTS);
        Circuit[] storage all = _storage().circuits[modelId][circuitId];
        version = uint32(all.length);
        all.push(
            Circuit({
                verifier: verifier,
                registeredAt: uint64(block.timestamp),
                gasLimit: gasLimit,
                codeHash: verifier.codehash,
                weightsRoot: weightsRoot,
                retiredAt: 0,
                extraInputs: extraInputs
            })
        );
        emit CircuitRegistered(modelId, circuitId, version, verifier, weightsRoot);
    }

    /// @inheritdoc IZkVerifier
    function retire(bytes32 modelId, bytes32 circuitId, uint32 version) external onlyOwner {
        Circuit storage record = _circuit(modelId, circuitId, version);
        // INVARIANT: a version is retired once, for good.
        if (record.retiredAt != 0) revert ZkVerifier_Retired(record.retiredAt);
        record.retiredAt = uint64(block.timestamp);
        emit CircuitRetired(modelId, circuitId, version);
    }

    /// @inheritdoc IZkVerifier
    function prove(ModelProof calldata proof) external returns (bytes32 statement) {
        // INVARIANT: nothing is remembered as proven that was not.
        if (!verify(proof)) revert ZkVerifier_NotProven();
        bytes32 weightsRoot = _circuit(proof.modelId, proof.circuitId, proof.version).weightsRoot;
        statement = statementOf(proof.modelId, weightsRoot, proof.requestHash, proof.responseHash);
        Storage storage $ = _storage();
        if ($.provenAt[statement] == 0) $.provenAt[statement] = uint64(block.timestamp);
        emit Proven(statement, proof.modelId, proof.circuitId, proof.version, msg.sender);
    }

    /// @inheritdoc IZkVerifier
    function verify(ModelProof calldata proof) public view returns (bool) {
        Circuit memory record = _circuit(proof.modelId, proof.circuitId, proof.version);
        // INVARIANT: a retired version proves nothing more.
        if (record.retiredAt != 0) revert ZkVerifier_Retired(record.retiredAt);
        // INVARIANT: the code that answers is the code that was registered.
        if (record.verifier.codehash != record.codeHash) revert ZkVerifier_CodeChanged(record.verifier);
        // INVARIANT: a proof is about all of a circuit's inputs and nothing else.
        if (proof.extraInputs.length != record.extraInputs) {
            revert ZkVerifier_WrongInputs(proof.extraInputs.length, record.extraInputs);
        }
        bytes memory input = abi.encodeCall(
            IProofVerifier.verify,
            (proof.proof, publicInputs(proof.requestHash, proof.responseHash, record.weightsRoot, proof.extraInputs))
        );
        uint256 needed = uint256(record.gasLimit) * 64 / 63 + RESERVE;
        // INVARIANT: a good proof is never called bad because the caller was short of gas.
        if (gasleft() < needed) revert ZkVerifier_InsufficientGas(gasleft(), needed);
        return _ask(record.verifier, record.gasLimit, input);
    }

    /// @inheritdoc IZkVerifier
    function provenAt(bytes32 statement) external view returns (uint64) {
        return _storage().provenAt[statement];
    }

    /// @inheritdoc IZkVerifier
    function statementOf(bytes32 modelId, bytes32 weightsRoot, bytes32 requestHash, bytes32 responseHash)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(modelId, weightsRoot, requestHash, responseHash));
    }

    /// @inheritdoc IZkVerifier
    function publicInputs(bytes32 requestHash, bytes32 responseHash, bytes32 weightsRoot, bytes32[] calldata extraInputs)
        public
        pure
        returns (bytes32[] memory inputs)
    {
        inputs = new bytes32[](BOUND_INPUTS + extraInputs.length);
        (inputs[0], inputs[1]) = _halves(requestHash);
        (inputs[2], inputs[3]) = _halves(responseHash);
        (inputs[4], inputs[5]) = _halves(weightsRoot);
        for (uint256 i; i < extraInputs.length; ++i) {
            inputs[BOUND_INPUTS + i] = extraInputs[i];
        }
    }

    /// @inheritdoc IZkVerifier
    function circuit(bytes32 modelId, bytes32 circuitId, uint32 version) external view returns (Circuit memory) {
        return _circuit(modelId, circuitId, version);
    }

    /// @inheritdoc IZkVerifier
    function versions(bytes32 modelId, bytes32 circuitId) external view returns (uint32) {
        return uint32(_storage().circuits[modelId][circuitId].length);
    }

    // Internals

    /// True only for the word 1. What else comes back, and however much of it, is no.
    function _ask(address verifier, uint256 gasLimit, bytes memory input) private view returns (bool answer) {
        assembly ("memory-safe") {
            let done := staticcall(gasLimit, verifier, add(input, 0x20), mload(input), 0, 0x20)
            answer := and(done, and(eq(returndatasize(), 0x20), eq(mload(0), 1)))
        }
    }

    function _halves(bytes32 value) private pure returns (bytes32 upper, bytes32 lower) {
        return (value >> 128, bytes32(uint256(uint128(uint256(value)))));
    }

    function _circuit(bytes32 modelId, bytes32 circuitId, uint32 version) private view returns (Circuit storage) {
        Circuit[] storage all = _storage().circuits[modelId][circuitId];
        // INVARIANT: only what was registered is asked.
        if (version >= all.length) revert ZkVerifier_UnknownVersion(modelId, circuitId, version);
        return all[version];
    }

    function _storage() private pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
