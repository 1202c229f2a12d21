// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { VestingWallet } from "@openzeppelin/contracts/finance/VestingWallet.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { Checkpoints } from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

import { IEcosystemVesting } from "../interfaces/IEcosystemVesting.sol";
import { IJobRegistry } from "../interfaces/IJobRegistry.sol";
import { ILockedSupply } from "../interfaces/IVesting.sol";

/// @title EcosystemVesting
/// @notice Releases incentives as the network is used. See {IEcosystemVesting}, which is its specification.
contract EcosystemVesting is VestingWallet, IEcosystemVesting {
    using Checkpoints for Checkpoints.Trace208;

    uint64 public constant SHORTEST_DURATION = 1826 days;
    uint64 public constant LONGEST_DURATION = 3652 days;
    /// @notice From nothing to the target takes a year of reports at least.
    uint256 public constant FASTEST = 365 days;
    uint256 public constant LONGEST_PAUSE = 30 days;

    address private immutable INFR;
    IJobRegistry private immutable JOBS;
    uint256 private immutable ALLOCATION;
    uint256 private immutable TARGET;
    uint256 private _volume;
    uint64 private _reportedAt;
    address private _reporter;
    Checkpoints.Trace208 private _releases;

    constructor(Terms memory terms) VestingWallet(terms.owner, terms.start, terms.duration) {
        // INVARIANT: the wallet knows its token and where settled work is logged.
        if (terms.infr == address(0) || terms.jobRegistry == address(0)) revert EcosystemVesting_ZeroAddress();
        // INVARIANT: there is something to release, and a volume that releases all of it.
        if (terms.allocation == 0 || terms.target == 0) revert EcosystemVesting_ZeroAmount();
        // INVARIANT: the allocation lasts five years or more.
        if (terms.duration < SHORTEST_DURATION || terms.duration > LONGEST_DURATION) {
            revert EcosystemVesting_DurationOutOfBounds(terms.duration, SHORTEST_DURATION, LONGEST_DURATION);
        }
        (INFR, JOBS) = (terms.infr, IJobRegistry(terms.jobRegistry));
        (ALLOCATION, TARGET) = (terms.allocation, terms.target);
        _reportedAt = terms.start;
        _setReporter(terms.reporter);
    }

    /// @inheritdoc IEcosystemVesting
    function report(uint256 volume_, address[] calldata routers) external {
        // INVARIANT: only the governed reporter speaks for the network's volume.
        if (msg.sender != _reporter) revert EcosystemVesting_NotReporter(msg.sender);
        // INVARIANT: what was vested stays vested.
        if (volume_ < _volume) revert EcosystemVesting_VolumeDecreases(volume_, _volume);
        uint256 highest = highestVolume();
        // INVARIANT: no reporter releases in a day what takes a year.
        if (volume_ > highest) revert EcosystemVesting_VolumeTooFast(volume_, highest);
        uint256 committed = _committed(routers);
        // INVARIANT: volume is work that routers committed and that can no longer be challenged.
        if (volume_ > committed) revert EcosystemVesting_VolumeNotCommitted(volume_, committed);
        _volume = volume_;
        _reportedAt = uint64(block.timestamp);
        emit VolumeReported(volume_, committed);
    }

    /// @inheritdoc IEcosystemVesting
    function setReporter(address reporter_) external onlyOwner {
        _setReporter(reporter_);
    }

    /// @notice Pays the owner what is vested of `token`. Anyone may call this.
    function release(address token) public override {
        super.release(token);
        if (token == INFR) _releases.push(uint48(block.timestamp), uint208(released(token)));
    }

    /// @inheritdoc ILockedSupply
    function lockedAt(uint256 timepoint) external view returns (uint256) {
        uint256 free = _releases.upperLookup(uint48(timepoint));
        return free < ALLOCATION ? ALLOCATION - free : 0;
    }

    /// @inheritdoc IEcosystemVesting
    function highestVolume() public view returns (uint256) {
        if (block.timestamp <= _reportedAt) return _volume;
        return _volume + TARGET * Math.min(block.timestamp - _reportedAt, LONGEST_PAUSE) / FASTEST;
    }

    /// @inheritdoc IEcosystemVesting
    function volume() external view returns (uint256) {
        return _volume;
    }

    /// @inheritdoc IEcosystemVesting
    function reportedAt() external view returns (uint64) {
        return _reportedAt;
    }

    /// @inheritdoc IEcosystemVesting
    function reporter() external view returns (address) {
        return _reporter;
    }

    /// @inheritdoc IEcosystemVesting
    function allocation() external view returns (uint256) {
        return ALLOCATION;
    }

    /// @inheritdoc IEcosystemVesting
    function target() external view returns (uint256) {
        return TARGET;
    }

    /// @inheritdoc IEcosystemVesting
    function infr() external view returns (address) {
        return INFR;
    }

    /// @inheritdoc IEcosystemVesting
    function jobRegistry() external view returns (address) {
        return address(JOBS);
    }

    /// @dev The lesser of what time and what usage allow. For a time in the past it takes the present volume.
    function _vestingSchedule(uint256 total, uint64 timestamp) internal view override returns (uint256) {
        uint256 byTime = super._vestingSchedule(total, timestamp);
        if (_volume >= TARGET) return byTime;
        return Math.min(byTime, total * Math.sqrt(_volume * 1e36 / TARGET) / 1e18);
    }

    function _committed(address[] calldata routers) private view returns (uint256 sum) {
        address previous;
        for (uint256 i; i < routers.length; ++i) {
            address router = routers[i];
            // INVARIANT: no router's volume counts twice.
            if (router <= previous) revert EcosystemVesting_RoutersNotAscending(router);
            previous = router;
            (bool exists, uint64 index) = JOBS.newestFinal(router);
            if (exists) sum += JOBS.batch(router, index).debited;
        }
    }

    function _setReporter(address reporter_) private {
        _reporter = reporter_;
        emit ReporterChanged(reporter_);
    }
}
