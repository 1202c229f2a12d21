// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ILockedSupply } from "./IVesting.sol";

/// @title Ecosystem incentives
/// @notice Releases its allocation to the owner, the timelock, on a curve tied to how much the network is used:
///
///     vested(t, V) = allocation · min((t − start) / duration, √(V / target))
///
/// Time caps it: after half of the five years at most half is out, whatever the volume. Use earns it: `V` is the volume settled so
/// far, in micro-USDC, and `target` the volume at which usage holds nothing back. The root lets the first volume release most,
/// when providers need it most: at 1 % of the target, 10 % is out, if the time is. Both parts only grow, so what is vested does.
///
/// `V` is brought by a *reporter* that the owner names. Routers write whatever volume they like into their batches, so no contract
/// can tell use from theatre; the reporter can, and may only discount. Its figure never decreases, never exceeds what the named
/// routers' final batches debit, and grows by no more than `target / 365` per day, up to 30 days at once. The worst a reporter can
/// do is what time allows anyway, or nothing.
interface IEcosystemVesting is ILockedSupply {
    /// @param owner The timelock: beneficiary, and names reporters.
    struct Terms {
        address owner;
        address infr;
        address jobRegistry;
        address reporter;
        uint256 allocation;
        uint256 target;
        uint64 start;
        uint64 duration;
    }

    event VolumeReported(uint256 volume, uint256 committed);
    event ReporterChanged(address indexed reporter);

    error EcosystemVesting_ZeroAddress();
    error EcosystemVesting_ZeroAmount();
    error EcosystemVesting_DurationOutOfBounds(uint64 duration, uint64 lowest, uint64 highest);
    error EcosystemVesting_NotReporter(address caller);
    error EcosystemVesting_VolumeDecreases(uint256 volume, uint256 previous);
    error EcosystemVesting_VolumeTooFast(uint256 volume, uint256 highest);
    error EcosystemVesting_VolumeNotCommitted(uint256 volume, uint256 committed);
    error EcosystemVesting_RoutersNotAscending(address router);

    /// @notice Reports the volume settled so far.
    /// @param volume In micro-USDC, since the beginning.
    /// @param routers Those whose newest final batches bound it, in ascending order.
    function report(uint256 volume, address[] calldata routers) external;

    /// @notice Names who reports; the zero address is nobody. For the owner.
    function setReporter(address reporter) external;

    /// @notice The highest volume that can be reported now.
    function highestVolume() external view returns (uint256);

    /// @notice The volume last reported.
    function volume() external view returns (uint256);

    function reportedAt() external view returns (uint64);

    function reporter() external view returns (address);

    function allocation() external view returns (uint256);

    /// @notice The volume at which usage holds nothing back.
    function target() external view returns (uint256);

    function infr() external view returns (address);

    function jobRegistry() external view returns (address);
}
