// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC6372 } from "@openzeppelin/contracts/interfaces/IERC6372.sol";
import { IVotes } from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { Nonces } from "@openzeppelin/contracts/utils/Nonces.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { EIP712 } from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import { IVeINFR } from "../interfaces/IVeINFR.sol";
import { VotingCurve } from "./VotingCurve.sol";

/// @title VeINFR
/// @notice INFR locked for votes. See {IVeINFR}, which is its specification.
contract VeINFR is IVeINFR, EIP712, Nonces {
    using SafeERC20 for IERC20;
    using VotingCurve for VotingCurve.Curve;

    string public constant name = "Vote-escrowed INFR";
    string public constant symbol = "veINFR";
    uint8 public constant decimals = 18;

    uint256 public constant LONGEST = VotingCurve.LONGEST;
    uint256 public constant WEEK = VotingCurve.WEEK;
    bytes32 private constant DELEGATION = keccak256("Delegation(address delegatee,uint256 nonce,uint256 expiry)");

    struct Lock {
        uint128 amount;
        uint48 end;
    }

    IERC20 private immutable INFR;
    uint256 private _totalLocked;
    mapping(address account => Lock) private _locks;
    mapping(address account => address) private _delegates;
    mapping(address account => VotingCurve.Curve) private _curves;
    VotingCurve.Curve private _total;

    constructor(address infr_) EIP712(name, "1") {
        // INVARIANT: there is always a token to hold.
        if (infr_ == address(0)) revert VeINFR_ZeroAddress();
        INFR = IERC20(infr_);
    }

    // Locks

    /// @inheritdoc IVeINFR
    function lock(uint256 amount, uint256 until) external returns (uint48 end) {
        Lock storage held = _locks[msg.sender];
        // INVARIANT: an account has one lock at most; an ended one is withdrawn before the next begins.
        if (held.amount != 0) revert VeINFR_LockExists(msg.sender);
        end = _endFor(until, block.timestamp + 1);
        held.end = end;
        _increase(held, amount);
    }

    /// @inheritdoc IVeINFR
    function increaseAmount(uint256 amount) external {
        Lock storage held = _running(msg.sender);
        _moveVotes(delegates(msg.sender), address(0), held.amount, held.end);
        _total.remove(_slope(held.amount), held.end);
        _increase(held, amount);
    }

    /// @inheritdoc IVeINFR
    function extend(uint256 until) external returns (uint48 end) {
        Lock storage held = _running(msg.sender);
        address delegatee = delegates(msg.sender);
        end = _endFor(until, held.end + 1);
        _total.remove(_slope(held.amount), held.end);
        _total.add(_slope(held.amount), end);
        _moveVotes(delegatee, address(0), held.amount, held.end);
        _moveVotes(address(0), delegatee, held.amount, end);
        held.end = end;
        emit Extended(msg.sender, end);
    }

    /// @inheritdoc IVeINFR
    function withdraw() external returns (uint256 amount) {
        Lock storage held = _locks[msg.sender];
        amount = held.amount;
        // INVARIANT: what is paid out was locked by the same account.
        if (amount == 0) revert VeINFR_NoLock(msg.sender);
        // INVARIANT: nothing leaves a lock before its end.
        if (block.timestamp < held.end) revert VeINFR_NotEnded(msg.sender, held.end);
        // Its power is zero since the end, so no curve changes.
        delete _locks[msg.sender];
        _totalLocked -= amount;
        emit Withdrawn(msg.sender, amount);
        INFR.safeTransfer(msg.sender, amount);
    }

    // Delegation

    /// @inheritdoc IVotes
    function delegate(address delegatee) external {
        _delegate(msg.sender, delegatee);
    }

    /// @inheritdoc IVotes
    function delegateBySig(address delegatee, uint256 nonce, uint256 expiry, uint8 v, bytes32 r, bytes32 s) external {
        // INVARIANT: a signature is good for the time its signer gave it.
        if (block.timestamp > expiry) revert VotesExpiredSignature(expiry);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(DELEGATION, delegatee, nonce, expiry)));
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecover(digest, v, r, s);
        // INVARIANT: only an account moves its own power.
        if (err != ECDSA.RecoverError.NoError) revert VeINFR_BadSignature();
        _useCheckedNonce(signer, nonce);
        _delegate(signer, delegatee);
    }

    /// @notice Who votes with the account's lock: itself unless it delegated.
    function delegates(address account) public view returns (address) {
        address delegatee = _delegates[account];
        return delegatee == address(0) ? account : delegatee;
    }

    // Power

    /// @inheritdoc IVotes
    function getVotes(address account) external view returns (uint256) {
        return _curves[account].valueAt(block.timestamp);
    }

    /// @inheritdoc IVotes
    function getPastVotes(address account, uint256 timepoint) external view returns (uint256) {
        _requirePast(timepoint);
        return _curves[account].valueAt(timepoint);
    }

    /// @inheritdoc IVotes
    function getPastTotalSupply(uint256 timepoint) external view returns (uint256) {
        _requirePast(timepoint);
        return _total.valueAt(timepoint);
    }

    /// @inheritdoc IVeINFR
    function balanceOf(address account) external view returns (uint256) {
        Lock storage held = _locks[account];
        return block.timestamp < held.end ? _slope(held.amount) * (held.end - block.timestamp) : 0;
    }

    /// @inheritdoc IVeINFR
    function totalSupply() external view returns (uint256) {
        return _total.valueAt(block.timestamp);
    }

    // Views

    /// @inheritdoc IVeINFR
    function lockOf(address account) external view returns (uint256 amount, uint48 end) {
        Lock storage held = _locks[account];
        return (held.amount, held.end);
    }

    /// @inheritdoc IVeINFR
    function totalLocked() external view returns (uint256) {
        return _totalLocked;
    }

    /// @inheritdoc IVeINFR
    function infr() external view returns (address) {
        return address(INFR);
    }

    /// @inheritdoc IERC6372
    function clock() public view returns (uint48) {
        return uint48(block.timestamp);
    }

    /// @inheritdoc IERC6372
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() external pure returns (string memory) {
        return "mode=timestamp";
    }

    // Internals

    /// @dev Adds `amount` to a lock whose present power is in no curve, and puts its power into them.
    function _increase(Lock storage held, uint256 amount) private {
        // INVARIANT: a lock is of something.
        if (amount == 0) revert VeINFR_NothingToLock();
        // First of all, so that no amount gets into the books that nobody has. INFR calls nobody back.
        INFR.safeTransferFrom(msg.sender, address(this), amount);
        held.amount += uint128(amount);
        _totalLocked += amount;
        _total.add(_slope(held.amount), held.end);
        _moveVotes(address(0), delegates(msg.sender), held.amount, held.end);
        emit Locked(msg.sender, amount, held.amount, held.end);
    }

    function _delegate(address account, address delegatee) private {
        address previous = delegates(account);
        _delegates[account] = delegatee;
        delegatee = delegates(account);
        emit DelegateChanged(account, previous, delegatee);
        Lock storage held = _locks[account];
        if (previous == delegatee || block.timestamp >= held.end) return;
        _moveVotes(previous, delegatee, held.amount, held.end);
    }

    /// @dev Moves a running lock's power; the zero address is nobody.
    function _moveVotes(address from, address to, uint256 amount, uint256 end) private {
        uint256 slope = _slope(amount);
        uint256 power = slope * (end - block.timestamp);
        if (from != address(0)) {
            _curves[from].remove(slope, end);
            uint256 left = _curves[from].valueAt(block.timestamp);
            emit DelegateVotesChanged(from, left + power, left);
        }
        if (to != address(0)) {
            _curves[to].add(slope, end);
            uint256 now_ = _curves[to].valueAt(block.timestamp);
            emit DelegateVotesChanged(to, now_ - power, now_);
        }
    }

    function _running(address account) private view returns (Lock storage held) {
        held = _locks[account];
        // INVARIANT: only what exists can change.
        if (held.amount == 0) revert VeINFR_NoLock(account);
        // INVARIANT: a lock that ended stays ended.
        if (block.timestamp >= held.end) revert VeINFR_LockEnded(account, held.end);
    }

    function _endFor(uint256 until, uint256 lowest) private view returns (uint48) {
        uint256 end = until / WEEK * WEEK;
        uint256 highest = block.timestamp + LONGEST;
        // INVARIANT: a lock ends at the start of a week, in the future, at most four years away, and never earlier than it did.
        if (end < lowest || end > highest) revert VeINFR_EndOutOfBounds(end, lowest, highest);
        return uint48(end);
    }

    function _requirePast(uint256 timepoint) private view {
        // INVARIANT: only what can no longer change is a vote.
        if (timepoint >= clock()) revert VeINFR_FutureLookup(timepoint, clock());
    }

    function _slope(uint256 amount) private pure returns (uint256) {
        return amount / LONGEST;
    }
}
