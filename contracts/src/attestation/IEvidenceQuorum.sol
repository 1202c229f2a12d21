// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { EvidenceClaim } from "../interfaces/IAttestationVerifier.sol";

/// When a quorum has spoken, and what it costs to contradict oneself.
struct QuorumRule {
    uint96 stake;
    uint16 validators;
    uint32 period;
    uint16 slashBps;
}

/// A validator's word on evidence: the hash of the claim it bears out, or zero if it bears out none. Signed by the hot key.
struct EvidenceVote {
    bytes32 evidence;
    bytes32 claim;
    address validator;
    uint64 signedAt;
}

/// @title What validators make of evidence that is too dear to verify on-chain
/// @notice Votes on evidence are counted by stake; when enough stand behind one claim, its key is enrolled. Zero is the claim of
/// those who bear out none: when enough stand behind that, the evidence is shut out.
///
/// A validator speaks once on each piece of evidence. Evidence is public and its verification repeatable, so a validator that
/// signs two different words on it is slashed by whoever shows both.
interface IEvidenceQuorum {
    event Voted(bytes32 indexed evidence, bytes32 indexed claim, address indexed validator, uint256 stake);
    event Contradicted(bytes32 indexed evidence, address indexed validator, address indexed challenger, uint256 slashed);
    event RuleChanged(QuorumRule rule);

    error EvidenceQuorum_ZeroAddress();
    error EvidenceQuorum_RuleOutOfBounds();
    error EvidenceQuorum_RootNotLive(bytes32 root);
    error EvidenceQuorum_BlockNotRecent(uint64 blockNumber);
    error EvidenceQuorum_NoVotes();
    error EvidenceQuorum_WrongEvidence(bytes32 named, bytes32 expected);
    error EvidenceQuorum_WrongClaim(bytes32 named, bytes32 expected);
    error EvidenceQuorum_RoundClosed(bytes32 evidence, bytes32 claim);
    error EvidenceQuorum_AlreadyVoted(bytes32 evidence, address validator);
    error EvidenceQuorum_NotSignedBy(address validator);
    error EvidenceQuorum_ValidatorInactive(address validator);
    error EvidenceQuorum_NoContradiction();
    error EvidenceQuorum_AlreadySlashed(bytes32 evidence, address validator);

    /// @notice Counts votes for a claim, and enrols its key when the quorum is reached. Anyone may bring them.
    function vote(EvidenceClaim calldata claim, EvidenceVote[] calldata votes, bytes[] calldata signatures) external;

    /// @notice Counts votes that bear out no claim about the evidence, and shuts it out when the quorum is reached.
    function refuse(bytes32 evidence, EvidenceVote[] calldata votes, bytes[] calldata signatures) external;

    /// @notice Slashes a validator that signed two different words on the same evidence, once per evidence. The caller is the
    /// challenger.
    function slashContradiction(
        EvidenceVote calldata first,
        bytes calldata firstSignature,
        EvidenceVote calldata second,
        bytes calldata secondSignature
    ) external returns (uint256 slashed);

    /// @notice Sets when a quorum has spoken. By the governor.
    function setRule(QuorumRule calldata rule) external;

    function claimHash(EvidenceClaim calldata claim) external pure returns (bytes32);

    /// @notice What a validator's hot key signs.
    function voteDigest(EvidenceVote calldata vote) external view returns (bytes32);

    function round(bytes32 evidence, bytes32 claim) external view returns (uint96 stake, uint16 validators, uint64 closesAt);

    /// @notice What a validator was counted for on this evidence.
    function votedFor(bytes32 evidence, address validator) external view returns (bool voted, bytes32 claim);

    function rule() external view returns (QuorumRule memory);

    function attestationVerifier() external view returns (address);

    function stakeRegistry() external view returns (address);
}
