// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Governed } from "../Governed.sol";
import { Finding, IReputation, ReputationRule } from "../interfaces/IReputation.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";
import { Role } from "../libraries/Types.sol";
import { Scores } from "./Scores.sol";

/// @title Reputation
/// @notice What checks of providers' work found, and how often they are checked. See {IReputation}, which is its specification.
contract Reputation is IReputation, Governed {
    uint32 public constant LOWEST_WEIGHT = 1_000;
    uint32 public constant HIGHEST_WEIGHT = 500_000;
    uint64 public constant SHORTEST_HALF_LIFE = 7 days;
    uint64 public constant LONGEST_HALF_LIFE = 730 days;

    struct Record {
        uint64 since;
        uint64 updatedAt;
        uint64 score;
        uint32 upheld;
        uint32 mismatches;
    }

    /// @custom:storage-location erc7201:infera.storage.Reputation
    struct Storage {
        IStakeRegistry stakes;
        ReputationRule rule;
        mapping(address provider => Record) records;
        mapping(address account => bool) writers;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.Reputation")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x4635b5331430d8a6fa49f621d229cd9c975d3c40bb5ecb8cec2b6bbf4e512800;

    function initialize(address governor, address stakeRegistry_, ReputationRule calldata rule_) external initializer {
        // INVARIANT: reputation always knows who the providers are.
        if (stakeRegistry_ == address(0)) revert Reputation_ZeroAddress();
        __Ownable_init(governor);
        _storage().stakes = IStakeRegistry(stakeRegistry_);
        _setRule(rule_);
    }

    /// @inheritdoc IReputation
    function register(address provider) external {
        Record storage entry = _storage().records[provider];
        // INVARIANT: tenure begins once and is never moved.
        if (entry.since != 0) revert Reputation_AlreadyRegistered(provider, entry.since);
        // INVARIANT: tenure is of providers, and begins with stake.
        if (!_storage().stakes.isActive(provider, Role.Provider)) revert Reputation_NotProvider(provider);
        entry.since = uint64(block.timestamp);
        emit Registered(provider, entry.since);
    }

    /// @inheritdoc IReputation
    function record(address provider, Finding finding) external returns (uint32 reputation) {
        Storage storage $ = _storage();
        // INVARIANT: only contracts that judge write.
        if (!$.writers[msg.sender]) revert Reputation_NotWriter(msg.sender);
        // INVARIANT: a finding finds something.
        if (finding == Finding.None) revert Reputation_UnknownFinding();
        Record storage entry = $.records[provider];
        if (finding == Finding.Upheld || finding == Finding.Mismatch) {
            bool up = finding == Finding.Upheld;
            uint256 weight = up ? $.rule.upheldWeight : $.rule.mismatchWeight;
            entry.score = uint64(Scores.move(_score(entry), up, weight));
            entry.updatedAt = uint64(block.timestamp);
            if (up) ++entry.upheld;
            else ++entry.mismatches;
        }
        reputation = reputationPpm(provider);
        emit Recorded(provider, finding, msg.sender, reputation);
    }

    /// @inheritdoc IReputation
    function setWriter(address writer, bool allowed) external onlyOwner {
        _storage().writers[writer] = allowed;
        emit WriterChanged(writer, allowed);
    }

    /// @inheritdoc IReputation
    function setRule(ReputationRule calldata rule_) external onlyOwner {
        _setRule(rule_);
    }

    // Views

    /// @inheritdoc IReputation
    function reputationPpm(address provider) public view returns (uint32) {
        return uint32(_score(_storage().records[provider]) * Scores.PPM / Scores.ONE);
    }

    /// @inheritdoc IReputation
    function tenure(address provider) public view returns (uint64) {
        uint64 since = _storage().records[provider].since;
        return since == 0 ? 0 : uint64(block.timestamp) - since;
    }

    /// @inheritdoc IReputation
    function samplingRatePpm(address provider) external view returns (uint32) {
        return samplingRate(tenure(provider), reputationPpm(provider), _storage().rule.baseRate);
    }

    /// @inheritdoc IReputation
    function samplingRate(uint64 tenure_, uint32 reputation, uint32 baseRate) public pure returns (uint32) {
        return uint32(Scores.samplingRate(tenure_, reputation, baseRate));
    }

    /// @inheritdoc IReputation
    function findings(address provider) external view returns (uint64 upheld, uint64 mismatches) {
        Record storage entry = _storage().records[provider];
        return (entry.upheld, entry.mismatches);
    }

    /// @inheritdoc IReputation
    function isWriter(address account) external view returns (bool) {
        return _storage().writers[account];
    }

    /// @inheritdoc IReputation
    function rule() external view returns (ReputationRule memory) {
        return _storage().rule;
    }

    /// @inheritdoc IReputation
    function stakeRegistry() external view returns (address) {
        return address(_storage().stakes);
    }

    // Internals

    function _score(Record storage entry) private view returns (uint256) {
        if (entry.updatedAt == 0) return Scores.NEUTRAL;
        return Scores.decay(entry.score, block.timestamp - entry.updatedAt, _storage().rule.halfLife);
    }

    function _setRule(ReputationRule memory rule_) private {
        // INVARIANT: no single finding decides alone, a mismatch weighs at least what an upheld check does, decay is slow, and the
        // rate stays in what governance may choose.
        if (
            rule_.upheldWeight < LOWEST_WEIGHT || rule_.mismatchWeight < rule_.upheldWeight || rule_.mismatchWeight > HIGHEST_WEIGHT
                || rule_.halfLife < SHORTEST_HALF_LIFE || rule_.halfLife > LONGEST_HALF_LIFE
                || rule_.baseRate < Scores.LOWEST_BASE_RATE || rule_.baseRate > Scores.HIGHEST_BASE_RATE
        ) revert Reputation_RuleOutOfBounds();
        _storage().rule = rule_;
        emit RuleChanged(rule_);
    }

    function _storage() private pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
