// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { GovernorUpgradeable } from "@openzeppelin/contracts-upgradeable/governance/GovernorUpgradeable.sol";
import { TimelockControllerUpgradeable } from "@openzeppelin/contracts-upgradeable/governance/TimelockControllerUpgradeable.sol";
import {
    GovernorPreventLateQuorumUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorPreventLateQuorumUpgradeable.sol";
import {
    GovernorSettingsUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorSettingsUpgradeable.sol";
import {
    GovernorTimelockControlUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorTimelockControlUpgradeable.sol";
import { UUPSUpgradeable } from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

import { Chains } from "./Chains.sol";
import { GovernorKinds } from "./GovernorKinds.sol";

/// @title InferaGovernor
/// @notice Decides what the timelock does. See {IInferaGovernor}, which is its specification.
contract InferaGovernor is
    GovernorKinds,
    GovernorSettingsUpgradeable,
    GovernorPreventLateQuorumUpgradeable,
    GovernorTimelockControlUpgradeable,
    UUPSUpgradeable
{
    uint256 public constant LONGEST_VOTING_DELAY = 30 days;
    uint256 public constant LONGEST_VOTING_PERIOD = 30 days;
    uint256 public constant LOWEST_THRESHOLD = 1e18;
    uint256 public constant HIGHEST_THRESHOLD = 5_000_000e18;

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    function initialize(Setup calldata setup) external initializer {
        // INVARIANT: nothing is decided without a timelock to carry it out.
        if (setup.timelock == address(0)) revert InferaGovernor_ZeroAddress();
        __Governor_init("INFERA Governor");
        __GovernorTimelockControl_init(TimelockControllerUpgradeable(payable(setup.timelock)));
        __GovernorVotes_init(setup.token, setup.infr, setup.locked);
        __GovernorSettings_init(setup.votingDelay, setup.votingPeriod, setup.proposalThreshold);
        __GovernorPreventLateQuorum_init(setup.voteExtension);
        __GovernorKinds_init(setup.parameterCalls);
    }

    function _authorizeUpgrade(address) internal override onlyGovernance { }

    // Bounds

    function _setVotingDelay(uint48 delay) internal override {
        _requireInBounds(delay, Chains.atLeast(1 days), LONGEST_VOTING_DELAY);
        super._setVotingDelay(delay);
    }

    function _setVotingPeriod(uint32 period) internal override {
        _requireInBounds(period, Chains.atLeast(3 days), LONGEST_VOTING_PERIOD);
        super._setVotingPeriod(period);
    }

    function _setProposalThreshold(uint256 threshold) internal override {
        _requireInBounds(threshold, LOWEST_THRESHOLD, HIGHEST_THRESHOLD);
        super._setProposalThreshold(threshold);
    }

    function _setLateQuorumVoteExtension(uint48 extension) internal override {
        _requireInBounds(extension, Chains.atLeast(1 days), votingPeriod());
        super._setLateQuorumVoteExtension(extension);
    }

    function _requireInBounds(uint256 value, uint256 lowest, uint256 highest) private pure {
        // INVARIANT: no decision leaves the next one without time to see it coming, to vote, and to answer a late quorum, or
        // without anybody who may propose it.
        if (value < lowest || value > highest) revert InferaGovernor_OutOfBounds(value, lowest, highest);
    }

    // What more than one part of the Governor defines

    function state(uint256 proposalId)
        public
        view
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (ProposalState)
    {
        return super.state(proposalId);
    }

    function proposalNeedsQueuing(uint256 proposalId)
        public
        view
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (bool)
    {
        return super.proposalNeedsQueuing(proposalId);
    }

    function proposalThreshold() public view override(GovernorUpgradeable, GovernorSettingsUpgradeable) returns (uint256) {
        return super.proposalThreshold();
    }

    function proposalDeadline(uint256 proposalId)
        public
        view
        override(GovernorUpgradeable, GovernorPreventLateQuorumUpgradeable)
        returns (uint256)
    {
        return super.proposalDeadline(proposalId);
    }

    function _propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description,
        address proposer
    ) internal override(GovernorUpgradeable, GovernorKinds) returns (uint256) {
        return super._propose(targets, values, calldatas, description, proposer);
    }

    function _tallyUpdated(uint256 proposalId) internal override(GovernorUpgradeable, GovernorPreventLateQuorumUpgradeable) {
        super._tallyUpdated(proposalId);
    }

    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(GovernorUpgradeable, GovernorTimelockControlUpgradeable) returns (uint48) {
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(GovernorUpgradeable, GovernorTimelockControlUpgradeable) {
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _cancel(address[] memory targets, uint256[] memory values, bytes[] memory calldatas, bytes32 descriptionHash)
        internal
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (uint256)
    {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    function _executor() internal view override(GovernorUpgradeable, GovernorTimelockControlUpgradeable) returns (address) {
        return super._executor();
    }
}
