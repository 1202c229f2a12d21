// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { EIP712Upgradeable } from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import { Governed } from "../Governed.sol";
import { EvidenceClaim, IAttestationVerifier, RootKind } from "../interfaces/IAttestationVerifier.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";
import { Role } from "../libraries/Types.sol";
import { EvidenceVote, IEvidenceQuorum, QuorumRule } from "./IEvidenceQuorum.sol";

/// @title EvidenceQuorum
/// @notice Counts validators' votes on evidence, and slashes whoever contradicts itself. See {IEvidenceQuorum}, which is its
/// specification.
/// @dev Stake is counted when the vote is. In production the period is shorter than unbonding takes, so the same stake cannot vote
/// again under another name.
contract EvidenceQuorum is IEvidenceQuorum, Governed, EIP712Upgradeable {
    uint96 public constant LOWEST_QUORUM = 1e18;
    uint96 public constant HIGHEST_QUORUM = 100_000_000e18;
    uint16 public constant FEWEST_VALIDATORS = 3;
    uint16 public constant MOST_VALIDATORS = 100;
    uint32 public constant SHORTEST_PERIOD = 1 minutes;
    uint32 public constant LONGEST_PERIOD = 1 days;
    uint16 public constant BPS = 10_000;
    bytes32 private constant REASON = "contradictory attestation";

    bytes32 private constant EVIDENCE_CLAIM_TYPEHASH = keccak256(
        "EvidenceClaim(bytes32 root,bytes32 evidence,address provider,address key,bytes32 measurement,bytes32 platform,uint64 blockNumber,bytes32 blockHash)"
    );
    bytes32 private constant EVIDENCE_VOTE_TYPEHASH =
        keccak256("EvidenceVote(bytes32 evidence,bytes32 claim,address validator,uint64 signedAt)");

    struct Round {
        uint96 stake;
        uint16 validators;
        uint64 closesAt;
    }

    struct Word {
        bool voted;
        bool slashed;
        bytes32 claim;
    }

    /// @custom:storage-location erc7201:infera.storage.EvidenceQuorum
    struct Storage {
        IStakeRegistry stakes;
        IAttestationVerifier verifier;
        QuorumRule rule;
        mapping(bytes32 evidence => mapping(bytes32 claim => Round)) rounds;
        mapping(bytes32 evidence => mapping(address validator => Word)) words;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.EvidenceQuorum")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x08a3add6bdce57e0d506cbafe60e8760260d02480168cd297819761d4a8eae00;

    function initialize(address governor, address stakeRegistry_, address attestationVerifier_, QuorumRule calldata rule_)
        external
        initializer
    {
        // INVARIANT: the quorum always knows who the validators are and whom to tell.
        if (stakeRegistry_ == address(0) || attestationVerifier_ == address(0)) revert EvidenceQuorum_ZeroAddress();
        __Ownable_init(governor);
        __EIP712_init("INFERA", "1");
        _storage().stakes = IStakeRegistry(stakeRegistry_);
        _storage().verifier = IAttestationVerifier(attestationVerifier_);
        _setRule(rule_);
    }

    /// @inheritdoc IEvidenceQuorum
    function vote(EvidenceClaim calldata claim, EvidenceVote[] calldata votes, bytes[] calldata signatures) external {
        Storage storage $ = _storage();
        bytes32 id = claimHash(claim);
        (, RootKind kind, bool live,) = $.verifier.rootOf(claim.root);
        // INVARIANT: votes are counted for evidence under a whitelisted root only, and not for what is verified on-chain.
        if (!live || kind != RootKind.Quorum) revert EvidenceQuorum_RootNotLive(claim.root);
        if ($.rounds[claim.evidence][id].closesAt == 0) {
            // INVARIANT: evidence was made for this enrolment a short while ago.
            if (claim.blockHash == 0 || blockhash(claim.blockNumber) != claim.blockHash) {
                revert EvidenceQuorum_BlockNotRecent(claim.blockNumber);
            }
        }
        if (_count(claim.evidence, id, votes, signatures)) $.verifier.enrolByQuorum(claim);
    }

    /// @inheritdoc IEvidenceQuorum
    function refuse(bytes32 evidence, EvidenceVote[] calldata votes, bytes[] calldata signatures) external {
        if (_count(evidence, bytes32(0), votes, signatures)) _storage().verifier.refuseEvidence(evidence);
    }

    /// @inheritdoc IEvidenceQuorum
    function slashContradiction(
        EvidenceVote calldata first,
        bytes calldata firstSignature,
        EvidenceVote calldata second,
        bytes calldata secondSignature
    ) external returns (uint256 slashed) {
        Storage storage $ = _storage();
        // INVARIANT: two words contradict each other only if one validator spoke twice on one thing.
        if (first.evidence != second.evidence || first.validator != second.validator || first.claim == second.claim) {
            revert EvidenceQuorum_NoContradiction();
        }
        _signer(first, firstSignature);
        _signer(second, secondSignature);
        Word storage word = $.words[first.evidence][first.validator];
        // INVARIANT: one contradiction costs once.
        if (word.slashed) revert EvidenceQuorum_AlreadySlashed(first.evidence, first.validator);
        word.slashed = true;
        slashed = $.stakes.slash(first.validator, Role.Validator, $.rule.slashBps, address(0), msg.sender, REASON);
        emit Contradicted(first.evidence, first.validator, msg.sender, slashed);
    }

    /// @inheritdoc IEvidenceQuorum
    function setRule(QuorumRule calldata rule_) external onlyOwner {
        _setRule(rule_);
    }

    /// @inheritdoc IEvidenceQuorum
    function claimHash(EvidenceClaim calldata claim) public pure returns (bytes32) {
        return keccak256(abi.encode(EVIDENCE_CLAIM_TYPEHASH, claim));
    }

    /// @inheritdoc IEvidenceQuorum
    function voteDigest(EvidenceVote calldata vote_) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(EVIDENCE_VOTE_TYPEHASH, vote_)));
    }

    /// @inheritdoc IEvidenceQuorum
    function round(bytes32 evidence, bytes32 claim) external view returns (uint96 stake, uint16 validators, uint64 closesAt) {
        Round storage record = _storage().rounds[evidence][claim];
        return (record.stake, record.validators, record.closesAt);
    }

    /// @inheritdoc IEvidenceQuorum
    function votedFor(bytes32 evidence, address validator) external view returns (bool voted, bytes32 claim) {
        Word storage word = _storage().words[evidence][validator];
        return (word.voted, word.claim);
    }

    /// @inheritdoc IEvidenceQuorum
    function rule() external view returns (QuorumRule memory) {
        return _storage().rule;
    }

    /// @inheritdoc IEvidenceQuorum
    function attestationVerifier() external view returns (address) {
        return address(_storage().verifier);
    }

    /// @inheritdoc IEvidenceQuorum
    function stakeRegistry() external view returns (address) {
        return address(_storage().stakes);
    }

    // Internals

    /// Counts votes for a claim; true if they reach the quorum.
    function _count(bytes32 evidence, bytes32 claim, EvidenceVote[] calldata votes, bytes[] calldata signatures)
        private
        returns (bool)
    {
        Storage storage $ = _storage();
        // INVARIANT: a round is opened by a vote.
        if (votes.length == 0) revert EvidenceQuorum_NoVotes();
        QuorumRule memory rule_ = $.rule;
        Round memory tally = $.rounds[evidence][claim];
        if (tally.closesAt == 0) tally.closesAt = uint64(block.timestamp) + rule_.period;
        // INVARIANT: nothing is counted after its time, or once the evidence has served.
        if (block.timestamp >= tally.closesAt || $.verifier.isUsed(evidence)) revert EvidenceQuorum_RoundClosed(evidence, claim);
        for (uint256 i; i < votes.length; ++i) {
            tally.stake += _take(evidence, claim, votes[i], i < signatures.length ? signatures[i] : msg.data[:0]);
            ++tally.validators;
        }
        $.rounds[evidence][claim] = tally;
        return tally.stake >= rule_.stake && tally.validators >= rule_.validators;
    }

    /// Takes note of one vote, and what stands behind it.
    function _take(bytes32 evidence, bytes32 claim, EvidenceVote calldata vote_, bytes calldata signature)
        private
        returns (uint96 stake)
    {
        Storage storage $ = _storage();
        // INVARIANT: a vote counts for the evidence it names.
        if (vote_.evidence != evidence) revert EvidenceQuorum_WrongEvidence(vote_.evidence, evidence);
        // INVARIANT: a vote counts for the claim it names.
        if (vote_.claim != claim) revert EvidenceQuorum_WrongClaim(vote_.claim, claim);
        address validator = vote_.validator;
        Word storage word = $.words[evidence][validator];
        // INVARIANT: a validator is counted once on each piece of evidence.
        if (word.voted) revert EvidenceQuorum_AlreadyVoted(evidence, validator);
        // INVARIANT: votes are counted while the key that signed them is the validator's.
        if ($.stakes.operatorOf(_signer(vote_, signature)) != validator) revert EvidenceQuorum_NotSignedBy(validator);
        // INVARIANT: who votes has something to lose.
        if (!$.stakes.isActive(validator, Role.Validator)) revert EvidenceQuorum_ValidatorInactive(validator);
        (uint256 active,,) = $.stakes.stakeOf(validator, Role.Validator);
        word.voted = true;
        word.claim = claim;
        emit Voted(evidence, claim, validator, active);
        return uint96(active);
    }

    /// Who signed a vote: a key that was the validator's hot key when the vote says it was signed.
    function _signer(EvidenceVote calldata vote_, bytes calldata signature) private view returns (address signer) {
        ECDSA.RecoverError err;
        (signer, err,) = ECDSA.tryRecoverCalldata(voteDigest(vote_), signature);
        // INVARIANT: nobody answers for what it did not sign.
        if (
            err != ECDSA.RecoverError.NoError || vote_.signedAt > block.timestamp
                || !_storage().stakes.isSigner(vote_.validator, signer, vote_.signedAt)
        ) revert EvidenceQuorum_NotSignedBy(vote_.validator);
    }

    function _setRule(QuorumRule memory rule_) private {
        Storage storage $ = _storage();
        bool development = $.verifier.development();
        // INVARIANT: a quorum is of several validators with stake, closes before its stake can have moved, and can be punished.
        if (
            rule_.stake < LOWEST_QUORUM || rule_.stake > HIGHEST_QUORUM || rule_.validators > MOST_VALIDATORS
                || rule_.validators < (development ? 1 : FEWEST_VALIDATORS) || rule_.period < SHORTEST_PERIOD
                || rule_.period > LONGEST_PERIOD || rule_.slashBps == 0 || rule_.slashBps > BPS
                || (!development && rule_.period >= $.stakes.unbondingPeriod())
        ) revert EvidenceQuorum_RuleOutOfBounds();
        $.rule = rule_;
        emit RuleChanged(rule_);
    }

    function _storage() private pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
