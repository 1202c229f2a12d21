// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { GovernorUpgradeable } from "@openzeppelin/contracts-upgradeable/governance/GovernorUpgradeable.sol";
import {
    GovernorCountingSimpleUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorCountingSimpleUpgradeable.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IInferaGovernor } from "../interfaces/IInferaGovernor.sol";
import { GovernorVotes } from "./GovernorVotes.sol";
import { ProposalRules } from "./ProposalRules.sol";

/// @title GovernorKinds
/// @notice Parameter and upgrade proposals: telling them apart, and counting each its way.
abstract contract GovernorKinds is GovernorVotes, GovernorCountingSimpleUpgradeable {
    uint256 public constant BPS = 10_000;
    uint256 public constant PARAMETER_QUORUM_BPS = 400;
    uint256 public constant UPGRADE_QUORUM_BPS = 800;
    /// @notice Up to this power a parameter vote is flat. Pure roots would make dust heavier than it is.
    uint256 public constant FLAT_POWER = 100e18;

    /// @custom:storage-location erc7201:infera.storage.GovernorKinds
    struct KindsStorage {
        mapping(address target => mapping(bytes4 selector => bool)) parameterCalls;
        mapping(uint256 proposalId => Kind) kinds;
        mapping(uint256 proposalId => uint256) participation;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.GovernorKinds")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x3167395191d8b7ca009414510b7bd243d16be7d21968647d51eecc6c43acd900;

    // solhint-disable-next-line func-name-mixedcase
    function __GovernorKinds_init(ParameterCall[] calldata calls) internal onlyInitializing {
        for (uint256 i; i < calls.length; ++i) {
            _setParameterCall(calls[i].target, calls[i].selector, true);
        }
    }

    /// @inheritdoc IInferaGovernor
    function setParameterCall(address target, bytes4 selector, bool allowed) external onlyGovernance {
        _setParameterCall(target, selector, allowed);
    }

    /// @inheritdoc IInferaGovernor
    function isParameterCall(address target, bytes4 selector) public view returns (bool) {
        return _kindsStorage().parameterCalls[target][selector] && !ProposalRules.isNeverAParameter(target, selector, _executor());
    }

    /// @inheritdoc IInferaGovernor
    function classify(address[] memory targets, uint256[] memory values, bytes[] memory calldatas) public view returns (Kind) {
        for (uint256 i; i < targets.length; ++i) {
            if (values[i] != 0 || calldatas[i].length < 4) return Kind.Upgrade;
            if (!isParameterCall(targets[i], bytes4(calldatas[i]))) return Kind.Upgrade;
        }
        return Kind.Parameter;
    }

    /// @inheritdoc IInferaGovernor
    function kindOf(uint256 proposalId) public view returns (Kind) {
        // INVARIANT: only what was proposed is of a kind.
        if (proposalSnapshot(proposalId) == 0) revert GovernorNonexistentProposal(proposalId);
        return _kindsStorage().kinds[proposalId];
    }

    /// @inheritdoc IInferaGovernor
    function quorumOf(uint256 proposalId) public view returns (uint256) {
        uint256 bps = kindOf(proposalId) == Kind.Parameter ? PARAMETER_QUORUM_BPS : UPGRADE_QUORUM_BPS;
        return circulatingSupply(proposalSnapshot(proposalId)) * bps / BPS;
    }

    /// @notice The quorum of upgrade proposals, the higher of the two. `quorumOf` is a given proposal's.
    function quorum(uint256 timepoint) public view override returns (uint256) {
        return circulatingSupply(timepoint) * UPGRADE_QUORUM_BPS / BPS;
    }

    /// @inheritdoc IInferaGovernor
    function participationOf(uint256 proposalId) external view returns (uint256) {
        return _kindsStorage().participation[proposalId];
    }

    /// @inheritdoc IInferaGovernor
    function weightOf(Kind kind, uint256 power) public pure returns (uint256) {
        return kind == Kind.Parameter && power > FLAT_POWER ? Math.sqrt(power * FLAT_POWER) : power;
    }

    function _propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description,
        address proposer
    ) internal virtual override returns (uint256 proposalId) {
        proposalId = super._propose(targets, values, calldatas, description, proposer);
        for (uint256 i; i < targets.length; ++i) {
            ProposalRules.requireAllowed(targets[i], calldatas[i], _executor());
        }
        Kind kind = classify(targets, values, calldatas);
        _kindsStorage().kinds[proposalId] = kind;
        emit ProposalClassified(proposalId, kind);
    }

    function _countVote(uint256 proposalId, address account, uint8 support, uint256 power, bytes memory params)
        internal
        override(GovernorUpgradeable, GovernorCountingSimpleUpgradeable)
        returns (uint256)
    {
        if (support != uint8(VoteType.Against)) _kindsStorage().participation[proposalId] += power;
        return super._countVote(proposalId, account, support, weightOf(kindOf(proposalId), power), params);
    }

    function _quorumReached(uint256 proposalId)
        internal
        view
        override(GovernorUpgradeable, GovernorCountingSimpleUpgradeable)
        returns (bool)
    {
        return _kindsStorage().participation[proposalId] >= quorumOf(proposalId);
    }

    function _setParameterCall(address target, bytes4 selector, bool allowed) private {
        // INVARIANT: what changes rules, code or judges takes the stricter vote for ever.
        if (ProposalRules.isNeverAParameter(target, selector, _executor())) {
            revert InferaGovernor_NeverAParameter(target, selector);
        }
        _kindsStorage().parameterCalls[target][selector] = allowed;
        emit ParameterCallChanged(target, selector, allowed);
    }

    function _kindsStorage() private pure returns (KindsStorage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
