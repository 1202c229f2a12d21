// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ICheckDesk } from "../interfaces/ICheckDesk.sol";
import { IJobRegistry } from "../interfaces/IJobRegistry.sol";
import { Finding, IReputation } from "../interfaces/IReputation.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";
import { Merkle } from "../libraries/Merkle.sol";
import { Batch, JobLeaf, Role } from "../libraries/Types.sol";

/// @title CheckDesk
/// @notice Takes validators' findings into reputation. See {ICheckDesk}, which is its specification.
contract CheckDesk is ICheckDesk {
    IJobRegistry private immutable _jobs;
    IReputation private immutable _reputation;
    IStakeRegistry private immutable _stakes;

    /// @inheritdoc ICheckDesk
    mapping(bytes32 ticket => address) public reporterOf;

    constructor(address jobRegistry_, address reputation_) {
        // INVARIANT: what was checked, and whose standing it moves, is known from the first block on and never changes.
        if (jobRegistry_ == address(0) || reputation_ == address(0)) revert CheckDesk_ZeroAddress();
        _jobs = IJobRegistry(jobRegistry_);
        _reputation = IReputation(reputation_);
        _stakes = IStakeRegistry(_jobs.stakeRegistry());
    }

    /// @inheritdoc ICheckDesk
    function report(Report[] calldata reports) external returns (uint256 counted) {
        address validator = _validator();
        for (uint256 i; i < reports.length; ++i) {
            counted += _take(validator, reports[i]);
        }
        // INVARIANT: a finding is told once; telling it again fails before it is paid for.
        if (counted == 0) revert CheckDesk_NothingNew();
    }

    /// @inheritdoc ICheckDesk
    function jobRegistry() external view returns (address) {
        return address(_jobs);
    }

    /// @inheritdoc ICheckDesk
    function reputation() external view returns (address) {
        return address(_reputation);
    }

    function _take(address validator, Report calldata entry) private returns (uint256 counted) {
        _requireCommitted(entry);
        for (uint256 i; i < entry.leaves.length; ++i) {
            (JobLeaf calldata leaf, Finding finding) = (entry.leaves[i], entry.findings[i]);
            // INVARIANT: only what decides moves anything.
            if (finding != Finding.Upheld && finding != Finding.Mismatch) revert CheckDesk_NothingDecided(finding);
            // INVARIANT: nobody reports on its own work.
            if (leaf.provider == validator) revert CheckDesk_OwnWork(validator);
            if (reporterOf[leaf.ticket] != address(0)) continue;
            reporterOf[leaf.ticket] = validator;
            ++counted;
            emit Checked(validator, leaf.provider, leaf.ticket, entry.router, entry.batch, finding);
            _reputation.record(leaf.provider, finding);
        }
    }

    function _requireCommitted(Report calldata entry) private view {
        uint256 size = entry.leaves.length;
        // INVARIANT: every finding is about one job.
        if (entry.positions.length != size || entry.findings.length != size) revert CheckDesk_LengthMismatch();
        Batch memory batch = _jobs.batch(entry.router, entry.batch);
        bytes32[] memory hashes = new bytes32[](size);
        uint256[] memory positions = new uint256[](size);
        for (uint256 i; i < size; ++i) {
            hashes[i] = Merkle.leafHash(abi.encode(entry.leaves[i]));
            positions[i] = entry.positions[i];
        }
        // INVARIANT: a provider is judged by jobs that a router committed as its.
        if (!Merkle.verifyMulti(batch.jobsRoot, hashes, positions, batch.count, entry.siblings)) {
            revert CheckDesk_BadProof(entry.router, entry.batch);
        }
    }

    function _validator() private view returns (address validator) {
        validator = _stakes.operatorOf(msg.sender);
        if (validator == address(0)) validator = msg.sender;
        // INVARIANT: whoever judges has something to lose.
        if (!_stakes.isActive(validator, Role.Validator)) revert CheckDesk_NotValidator(msg.sender);
    }
}
