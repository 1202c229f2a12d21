// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Role } from "../libraries/Types.sol";

/// @title How much may be slashed for what
/// @notice An offence is the `reason` a slasher gives. Its rule says what the first offence costs at most, doubles that with every
/// further one within a period, and ends at a ceiling. Whatever a slasher asks for beyond that is not taken. An offence without a rule of its own
/// follows the rule of offence zero; while there is none either, it has no limit.
interface ISlashTable {
    struct Offence {
        /// The most the first offence costs, in basis points of the stake; 1 % or more.
        uint16 firstBps;
        /// The most any offence costs.
        uint16 ceilingBps;
        /// How long an offence is remembered; one that is repeated is remembered from then on.
        uint32 period;
    }

    event OffenceChanged(bytes32 indexed reason, Offence offence);
    event OffenceCounted(address indexed operator, Role indexed role, bytes32 indexed reason, uint256 count, uint256 limitBps);

    error SlashTable_OutOfBounds(Offence offence);

    /// @notice Sets the rule of an offence. A rule can be changed but not taken away.
    function setOffence(bytes32 reason, Offence calldata offence) external;

    /// @notice The rule an offence follows; zeros while it has no limit.
    function offenceOf(bytes32 reason) external view returns (Offence memory);

    /// @notice The most the operator's next offence of this kind would cost now, in basis points of its stake in `role`.
    function slashLimit(address operator, Role role, bytes32 reason) external view returns (uint256);
}
