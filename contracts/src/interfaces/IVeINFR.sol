// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC5805 } from "@openzeppelin/contracts/interfaces/IERC5805.sol";

/// @title Vote-escrowed INFR
/// @notice INFR locked until the start of a week at most 1461 days away. A lock's *power* is `amount / 1461 days` for every second
/// it still has to run: a four-year lock starts with a power of its amount, and every lock ends with none. The division is
/// done once per lock and rounds down, so powers add up exactly: the total is the sum of the accounts' at every second.
///
/// There is one lock per account. It can grow and be extended, never shortened; it cannot be transferred, and its INFR comes back to
/// the account that locked it, after its end and not before. Nobody has a say in any of this: the contract has no owner.
///
/// Power can be read at any past second (ERC-6372, by timestamp), never at the present or a future one: what is borrowed and
/// returned within a transaction never shows.
///
/// Wallets and voting front ends show it as a token that no one can transfer: `balanceOf` is power and decays.
///
/// **Delegation** moves the power of a whole lock, present and future, to one account; an account that never delegated votes for
/// itself, because whoever locks INFR wants to vote. Whole locks only: a delegate's power is then the sum of straight lines, as the
/// total is, and both are kept by the same code. Delegated power cannot be passed on.
interface IVeINFR is IERC5805 {
    event Locked(address indexed account, uint256 amount, uint256 locked, uint48 end);
    event Extended(address indexed account, uint48 end);
    event Withdrawn(address indexed account, uint256 amount);

    error VeINFR_ZeroAddress();
    error VeINFR_NothingToLock();
    error VeINFR_LockExists(address account);
    error VeINFR_NoLock(address account);
    error VeINFR_LockEnded(address account, uint48 end);
    error VeINFR_NotEnded(address account, uint48 end);
    error VeINFR_EndOutOfBounds(uint256 end, uint256 lowest, uint256 highest);
    error VeINFR_FutureLookup(uint256 timepoint, uint48 clock);
    error VeINFR_BadSignature();

    /// @notice Locks `amount` of the caller's INFR until the last start of a week not after `until`.
    /// @dev The caller must have approved this contract for `amount`, and have no lock.
    function lock(uint256 amount, uint256 until) external returns (uint48 end);

    /// @notice Adds `amount` of the caller's INFR to its lock, which must not have ended.
    function increaseAmount(uint256 amount) external;

    /// @notice Moves the end of the caller's lock, which must not have passed, to the last start of a week not after `until`.
    function extend(uint256 until) external returns (uint48 end);

    /// @notice Pays the caller's lock out, after its end.
    function withdraw() external returns (uint256 amount);

    /// @notice What the account has locked and until when; zeros if nothing.
    function lockOf(address account) external view returns (uint256 amount, uint48 end);

    /// @notice The present power of the account's own lock, whoever votes with it.
    function balanceOf(address account) external view returns (uint256);

    /// @notice The present power of all locks.
    function totalSupply() external view returns (uint256);

    /// @notice All INFR under lock, ended ones included until they are withdrawn.
    function totalLocked() external view returns (uint256);

    function infr() external view returns (address);

    function name() external view returns (string memory);

    function symbol() external view returns (string memory);

    /// @notice As INFR's: a power is an amount of it.
    function decimals() external view returns (uint8);
}
