// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// One version of a model's circuit. Nothing in it changes but the time it is retired.
struct Circuit {
    address verifier;
    uint64 registeredAt;
    uint32 gasLimit;
    bytes32 codeHash;
    bytes32 weightsRoot;
    uint64 retiredAt;
    uint16 extraInputs;
}

/// A proof that a model gave this response to this request. Hashes are those of the job's ticket and receipt.
struct ModelProof {
    bytes32 modelId;
    bytes32 circuitId;
    uint32 version;
    bytes32 requestHash;
    bytes32 responseHash;
    bytes32[] extraInputs;
    bytes proof;
}

/// @title Proofs of inference
/// @notice A registry of verifying contracts, one for every version of a model's circuit, and the place where proofs of jobs of
/// tier 3 are checked. The public inputs are put together here, from the request, the response and the registered root of the
/// weights: who brings a proof cannot choose what it is about.
///
/// A version is added by the governor and never changes; a new one does not end the old. The governor retires a version whose
/// circuit or verifier turns out to be unsound: from then on it proves nothing, but what it proved stays proven.
interface IZkVerifier {
    event CircuitRegistered(
        bytes32 indexed modelId, bytes32 indexed circuitId, uint32 version, address verifier, bytes32 weightsRoot
    );
    event CircuitRetired(bytes32 indexed modelId, bytes32 indexed circuitId, uint32 version);
    event Proven(bytes32 indexed statement, bytes32 indexed modelId, bytes32 indexed circuitId, uint32 version, address by);

    error ZkVerifier_NoCode(address verifier);
    error ZkVerifier_Delegates(address verifier);
    error ZkVerifier_ZeroId();
    error ZkVerifier_GasOutOfBounds(uint32 gasLimit, uint32 lowest, uint32 highest);
    error ZkVerifier_TooManyInputs(uint256 inputs, uint256 most);
    error ZkVerifier_UnknownVersion(bytes32 modelId, bytes32 circuitId, uint32 version);
    error ZkVerifier_Retired(uint64 retiredAt);
    error ZkVerifier_CodeChanged(address verifier);
    error ZkVerifier_WrongInputs(uint256 given, uint256 expected);
    error ZkVerifier_InsufficientGas(uint256 left, uint256 needed);
    error ZkVerifier_NotProven();

    /// @notice Registers the next version of a circuit. By the governor.
    /// @param weightsRoot The weights the circuit was compiled with.
    /// @param extraInputs How many public inputs of its own it has.
    /// @param gasLimit What its verification may use.
    function register(
        bytes32 modelId,
        bytes32 circuitId,
        address verifier,
        bytes32 weightsRoot,
        uint16 extraInputs,
        uint32 gasLimit
    ) external returns (uint32 version);

    /// @notice Ends a version for good. By the governor.
    function retire(bytes32 modelId, bytes32 circuitId, uint32 version) external;

    /// @notice Checks a proof and remembers what it proved. Reverts unless it holds.
    function prove(ModelProof calldata proof) external returns (bytes32 statement);

    /// @notice Whether a proof holds. Reverts on a version that cannot be asked and on the wrong number of inputs.
    function verify(ModelProof calldata proof) external view returns (bool);

    /// @notice When a statement was first proven; zero if never.
    function provenAt(bytes32 statement) external view returns (uint64);

    /// @notice What a proof is about: model, weights, request and response, whichever circuit shows it.
    function statementOf(bytes32 modelId, bytes32 weightsRoot, bytes32 requestHash, bytes32 responseHash)
        external
        pure
        returns (bytes32);

    /// @notice The inputs a verifier is given.
    function publicInputs(bytes32 requestHash, bytes32 responseHash, bytes32 weightsRoot, bytes32[] calldata extraInputs)
        external
        pure
        returns (bytes32[] memory);

    function circuit(bytes32 modelId, bytes32 circuitId, uint32 version) external view returns (Circuit memory);

    /// @notice How many versions there are; they are numbered from zero.
    function versions(bytes32 modelId, bytes32 circuitId) external view returns (uint32);
}
