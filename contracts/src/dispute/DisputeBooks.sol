// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Governed } from "../Governed.sol";
import { ICourt } from "../interfaces/ICourt.sol";
import { IDisputeManager } from "../interfaces/IDisputeManager.sol";
import { IJobRegistry } from "../interfaces/IJobRegistry.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";

/// @title DisputeBooks
/// @notice What {DisputeManager} keeps, what of it anyone can read, and what the governor sets.
abstract contract DisputeBooks is IDisputeManager, ICourt, Governed {
    /// @custom:storage-location erc7201:infera.storage.DisputeManager
    struct Storage {
        IJobRegistry jobs;
        IStakeRegistry stakes;
        Parameters parameters;
        mapping(bytes32 id => Dispute) disputes;
        mapping(bytes32 batch => uint256) running;
        /// By digest of the receipt, and of its ticket.
        mapping(bytes32 digest => bool) refuted;
        mapping(address router => mapping(uint64 batch => mapping(bytes32 leaf => bool))) overturned;
        mapping(address provider => uint256) offences;
        mapping(bytes32 modelId => address) verifiers;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.DisputeManager")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x59bb631b2648f309bcc68dfdc52cd71fdc407f80d08ab961e9e2bb6fca079f00;

    uint256 internal constant BPS = 10_000;
    /// @notice What a slash is for, as the stake registry's rules name it: of a provider, and of a challenger.
    bytes32 public constant LOST_DISPUTE = "lost dispute";
    bytes32 public constant FALSE_DISPUTE = "false dispute";
    uint8 public constant OPTIMISTIC_TIER = 2;
    uint64 public constant MOST_STEPS = 1 << 48;
    uint8 public constant DEEPEST = 5;
    uint32 public constant SHORTEST_CLOCK = 1 minutes;
    uint32 public constant LONGEST_CLOCK = 3 days;
    uint96 public constant LOWEST_BOND = 1e18;
    uint96 public constant HIGHEST_BOND = 100_000e18;
    uint16 public constant LOWEST_BPS = 100;

    // Governor

    /// @inheritdoc IDisputeManager
    function setVerifier(bytes32 modelId, address verifier) external onlyOwner {
        _storage().verifiers[modelId] = verifier;
        emit VerifierChanged(modelId, verifier);
    }

    /// @inheritdoc IDisputeManager
    function setParameters(Parameters calldata parameters_) external onlyOwner {
        _setParameters(parameters_);
    }

    // Views

    /// @inheritdoc IDisputeManager
    function disputeId(address router, uint64 batch, uint16 epoch, uint32 position, address challenger)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(router, batch, epoch, position, challenger));
    }

    /// @inheritdoc IDisputeManager
    function disputeOf(bytes32 id) external view returns (Dispute memory) {
        return _storage().disputes[id];
    }

    /// @inheritdoc IDisputeManager
    function dueAt(bytes32 id) external view returns (uint256) {
        Dispute storage it = _storage().disputes[id];
        return _isRunning(it.stage) ? _dueAt(it) : 0;
    }

    /// @inheritdoc IDisputeManager
    function overturned(address router, uint64 batch, bytes32 leaf) external view returns (bool) {
        return _storage().overturned[router][batch][leaf];
    }

    /// @inheritdoc IDisputeManager
    function isRefuted(bytes32 digest) external view returns (bool) {
        return _storage().refuted[digest];
    }

    /// @inheritdoc IDisputeManager
    function runningOn(address router, uint64 batch, uint16 epoch) external view returns (uint256) {
        return _storage().running[_batchId(router, batch, epoch)];
    }

    /// @inheritdoc IDisputeManager
    function offences(address provider) external view returns (uint256) {
        return _storage().offences[provider];
    }

    /// @inheritdoc IDisputeManager
    function verifierOf(bytes32 modelId) external view returns (address) {
        return _storage().verifiers[modelId];
    }

    /// @inheritdoc IDisputeManager
    function parameters() external view returns (Parameters memory) {
        return _storage().parameters;
    }

    /// @inheritdoc IDisputeManager
    function jobRegistry() external view returns (address) {
        return address(_storage().jobs);
    }

    /// @inheritdoc ICourt
    /// @dev Both clocks, and as long as one of them for somebody to call {timeout}.
    function longestHold() external view returns (uint64) {
        return 3 * uint64(_storage().parameters.clock);
    }

    // Internals

    function _setParameters(Parameters calldata terms) internal {
        // INVARIANT: moves fit a block, disputes are never held up for long, and both sides have something to lose.
        _requireWithin(terms.depth, 1, DEEPEST);
        _requireWithin(terms.clock, SHORTEST_CLOCK, LONGEST_CLOCK);
        _requireWithin(terms.providerBps, LOWEST_BPS, BPS);
        _requireWithin(terms.challengerBps, LOWEST_BPS, BPS);
        _requireWithin(terms.bond, LOWEST_BOND, HIGHEST_BOND);
        _storage().parameters = terms;
        emit ParametersChanged(terms);
    }

    function _requireWithin(uint256 value, uint256 lowest, uint256 highest) private pure {
        // INVARIANT: the governor moves parameters within fixed bounds.
        if (value < lowest || value > highest) revert DisputeManager_OutOfBounds(value, lowest, highest);
    }

    function _batchId(address router, uint64 batch, uint16 epoch) internal pure returns (bytes32) {
        return keccak256(abi.encode(router, batch, epoch));
    }

    function _isRunning(Stage stage) internal pure returns (bool) {
        return stage >= Stage.Reveal && stage <= Stage.Step;
    }

    function _dueAt(Dispute storage it) internal view returns (uint256) {
        return uint256(it.since) + (it.stage == Stage.Select ? it.challengerClock : it.providerClock);
    }

    function _storage() internal pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
