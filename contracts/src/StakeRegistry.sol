// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { ERC20Burnable } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import { IERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import { IJobRegistry } from "./interfaces/IJobRegistry.sol";
import { IStakeRegistry } from "./interfaces/IStakeRegistry.sol";
import { Hold, HoldLib } from "./libraries/Hold.sol";
import { Role } from "./libraries/Types.sol";
import { StakeRules } from "./stake/StakeRules.sol";

/// @title StakeRegistry
/// @notice Stake, keys and whereabouts of the network's operators. See {IStakeRegistry}, which is its specification.
contract StakeRegistry is IStakeRegistry, StakeRules, ReentrancyGuardTransient {
    using HoldLib for Hold;
    using SafeERC20 for IERC20;

    uint256 public constant BPS = 10_000;
    uint256 public constant HARMED_BPS = 4_000;
    uint256 public constant CHALLENGER_BPS = 4_000;
    uint64 public constant SHORTEST_PERIOD = 1 seconds;
    uint64 public constant LONGEST_PERIOD = 90 days;
    uint64 public constant LONGEST_JAIL = 365 days;
    uint256 public constant LONGEST_PROFILE = 512;

    struct HotKey {
        address operator;
        uint64 retiredAt;
    }

    struct Operator {
        address hotKey;
        uint64 jailedUntil;
        string endpoint;
        string metadata;
        mapping(Role role => Hold) stakes;
    }

    struct RoleBook {
        uint256 minimum;
        address[] operators;
        mapping(address operator => bool) known;
    }

    /// @custom:storage-location erc7201:infera.storage.StakeRegistry
    struct Storage {
        IERC20 infr;
        uint64 unbondingPeriod;
        mapping(Role role => RoleBook) roles;
        mapping(address operator => Operator) operators;
        mapping(address hotKey => HotKey) hotKeys;
        mapping(address slasher => bool) slashers;
        IJobRegistry jobs;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.StakeRegistry")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0xd2e05168c0e2aae06a0d4d2e9a6ec49493d4885a293ab9372fc9c34977dfbc00;

    modifier knownRole(Role role) {
        // INVARIANT: stake is only ever held for one of the three roles.
        if (role == Role.None) revert StakeRegistry_UnknownRole();
        _;
    }

    modifier onlySlasher() {
        // INVARIANT: only a slasher named by the governor takes stake or jails; not the governor itself.
        if (!_storage().slashers[msg.sender]) revert StakeRegistry_NotSlasher(msg.sender);
        _;
    }

    function initialize(
        address governor,
        address infr_,
        uint64 unbondingPeriod_,
        uint256 minimumProvider,
        uint256 minimumRouter,
        uint256 minimumValidator
    ) external initializer {
        // INVARIANT: the registry always has a token to hold.
        if (infr_ == address(0)) revert StakeRegistry_ZeroAddress();
        __Ownable_init(governor);
        _storage().infr = IERC20(infr_);
        _setUnbondingPeriod(unbondingPeriod_);
        _setMinimumStake(Role.Provider, minimumProvider);
        _setMinimumStake(Role.Router, minimumRouter);
        _setMinimumStake(Role.Validator, minimumValidator);
    }

    // Operators

    /// @inheritdoc IStakeRegistry
    function stake(Role role, uint256 amount, address hotKey) public nonReentrant knownRole(role) {
        _stake(role, amount, hotKey);
    }

    /// @inheritdoc IStakeRegistry
    function stakeWithPermit(Role role, uint256 amount, address hotKey, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
        knownRole(role)
    {
        // Somebody may have sent the permit ahead of us; what counts is the allowance.
        try IERC20Permit(address(_storage().infr)).permit(msg.sender, address(this), amount, deadline, v, r, s) { } catch { }
        _stake(role, amount, hotKey);
    }

    /// @inheritdoc IStakeRegistry
    function rotateHotKey(address hotKey) external {
        // INVARIANT: only an operator has a hot key.
        if (_storage().operators[msg.sender].hotKey == address(0)) revert StakeRegistry_NotOperator(msg.sender);
        _setHotKey(msg.sender, hotKey);
    }

    /// @inheritdoc IStakeRegistry
    function setProfile(string calldata endpoint, string calldata metadata) external {
        Operator storage operator = _storage().operators[msg.sender];
        // INVARIANT: only an operator has a profile.
        if (operator.hotKey == address(0)) revert StakeRegistry_NotOperator(msg.sender);
        uint256 length = bytes(endpoint).length + bytes(metadata).length;
        // INVARIANT: a profile is small enough to be read in any call.
        if (length > LONGEST_PROFILE) revert StakeRegistry_ProfileTooLong(length, LONGEST_PROFILE);
        operator.endpoint = endpoint;
        operator.metadata = metadata;
        emit ProfileChanged(msg.sender, endpoint, metadata);
    }

    /// @inheritdoc IStakeRegistry
    function unbond(Role role, uint256 amount) external knownRole(role) returns (uint64 thawedAt) {
        Storage storage $ = _storage();
        uint64 shortest = address($.jobs) == address(0) ? 0 : $.jobs.finalityBound() + 1;
        uint64 period = $.unbondingPeriod;
        thawedAt = $.operators[msg.sender].stakes[role].thaw(amount, period < shortest ? shortest : period);
        emit Unbonding(msg.sender, role, amount, thawedAt);
    }

    /// @inheritdoc IStakeRegistry
    function withdraw(Role role) external nonReentrant knownRole(role) returns (uint256 amount) {
        Storage storage $ = _storage();
        amount = $.operators[msg.sender].stakes[role].release();
        emit Withdrawn(msg.sender, role, amount);
        $.infr.safeTransfer(msg.sender, amount);
    }

    // Slashers

    /// @inheritdoc IStakeRegistry
    function slash(address operator, Role role, uint256 bps, address harmed, address challenger, bytes32 reason)
        external
        nonReentrant
        onlySlasher
        knownRole(role)
        returns (uint256 amount)
    {
        // INVARIANT: at most the whole stake is slashed, and a slash is of something.
        if (bps == 0 || bps > BPS) revert StakeRegistry_BpsOutOfRange(bps);
        amount = _storage().operators[operator].stakes[role].total() * bps / BPS;
        amount = _slash(operator, role, amount, harmed, challenger, reason);
    }

    /// @inheritdoc IStakeRegistry
    function slashAmount(address operator, Role role, uint256 amount, address harmed, address challenger, bytes32 reason)
        external
        nonReentrant
        onlySlasher
        knownRole(role)
        returns (uint256 taken)
    {
        taken = _slash(operator, role, amount, harmed, challenger, reason);
    }

    /// @inheritdoc IStakeRegistry
    function jail(address operator, uint64 until, bytes32 reason) external onlySlasher {
        uint64 latest = uint64(block.timestamp) + LONGEST_JAIL;
        // INVARIANT: no single decision keeps an operator out for longer than a year.
        if (until > latest) revert StakeRegistry_JailTooLong(until, latest);
        _storage().operators[operator].jailedUntil = until;
        emit Jailed(operator, until, reason);
    }

    // Governor

    /// @inheritdoc IStakeRegistry
    function setMinimumStake(Role role, uint256 minimum) external onlyOwner knownRole(role) {
        _setMinimumStake(role, minimum);
    }

    /// @inheritdoc IStakeRegistry
    function setUnbondingPeriod(uint64 period) external onlyOwner {
        _setUnbondingPeriod(period);
    }

    /// @inheritdoc IStakeRegistry
    function setSlasher(address slasher, bool allowed) external onlyOwner {
        _storage().slashers[slasher] = allowed;
        emit SlasherChanged(slasher, allowed);
    }

    /// @inheritdoc IStakeRegistry
    function setJobRegistry(address jobRegistry_) external onlyOwner {
        // INVARIANT: once stake answers for batches, it never ceases to.
        if (jobRegistry_ == address(0)) revert StakeRegistry_ZeroAddress();
        // INVARIANT: it answers for the batches of operators that are listed here.
        if (IJobRegistry(jobRegistry_).stakeRegistry() != address(this)) revert StakeRegistry_ForeignJobRegistry(jobRegistry_);
        _storage().jobs = IJobRegistry(jobRegistry_);
        emit JobRegistryChanged(jobRegistry_);
    }

    // Views

    /// @inheritdoc IStakeRegistry
    function jobRegistry() external view returns (address) {
        return address(_storage().jobs);
    }

    /// @inheritdoc IStakeRegistry
    function isActive(address operator, Role role) external view returns (bool) {
        Operator storage record = _storage().operators[operator];
        return
            role != Role.None && block.timestamp >= record.jailedUntil
                && record.stakes[role].active >= _lenientStake(operator, role);
    }

    /// @inheritdoc IStakeRegistry
    function operatorOf(address hotKey) external view returns (address) {
        HotKey storage key = _storage().hotKeys[hotKey];
        return key.retiredAt == 0 ? key.operator : address(0);
    }

    /// @inheritdoc IStakeRegistry
    function hotKeyOf(address operator) external view returns (address) {
        return _storage().operators[operator].hotKey;
    }

    /// @inheritdoc IStakeRegistry
    function isSigner(address operator, address signer, uint64 when) external view returns (bool) {
        HotKey storage key = _storage().hotKeys[signer];
        return operator != address(0) && key.operator == operator && (key.retiredAt == 0 || when <= key.retiredAt);
    }

    /// @inheritdoc IStakeRegistry
    function stakeOf(address operator, Role role) external view returns (uint256 active, uint256 unbonding, uint64 thawedAt) {
        Hold storage hold = _storage().operators[operator].stakes[role];
        return (hold.active, hold.thawing, hold.thawedAt);
    }

    /// @inheritdoc IStakeRegistry
    function profileOf(address operator) external view returns (string memory endpoint, string memory metadata) {
        Operator storage record = _storage().operators[operator];
        return (record.endpoint, record.metadata);
    }

    /// @inheritdoc IStakeRegistry
    function jailedUntil(address operator) external view returns (uint64) {
        return _storage().operators[operator].jailedUntil;
    }

    /// @inheritdoc IStakeRegistry
    function isSlasher(address account) external view returns (bool) {
        return _storage().slashers[account];
    }

    /// @inheritdoc IStakeRegistry
    function minimumStake(Role role) external view returns (uint256) {
        return _minimum(role, false);
    }

    /// @inheritdoc IStakeRegistry
    function unbondingPeriod() external view returns (uint64) {
        return _storage().unbondingPeriod;
    }

    /// @inheritdoc IStakeRegistry
    function operatorCount(Role role) external view returns (uint256) {
        return _storage().roles[role].operators.length;
    }

    /// @inheritdoc IStakeRegistry
    function operators(Role role, uint256 offset, uint256 limit) external view returns (address[] memory page) {
        address[] storage all = _storage().roles[role].operators;
        uint256 left = offset < all.length ? all.length - offset : 0;
        page = new address[](left < limit ? left : limit);
        for (uint256 i; i < page.length; ++i) {
            page[i] = all[offset + i];
        }
    }

    /// @inheritdoc IStakeRegistry
    function infr() external view returns (address) {
        return address(_storage().infr);
    }

    // Internals

    function _stake(Role role, uint256 amount, address hotKey) private {
        Storage storage $ = _storage();
        Operator storage operator = $.operators[msg.sender];
        RoleBook storage book = $.roles[role];
        if (hotKey != address(0)) _setHotKey(msg.sender, hotKey);
        // INVARIANT: whoever has stake has a hot key.
        if (operator.hotKey == address(0)) revert StakeRegistry_NoHotKey(msg.sender);
        Hold storage hold = operator.stakes[role];
        hold.add(amount);
        uint256 minimum = _minimum(role, false);
        // INVARIANT: nobody enters the list of a role with less than its minimum.
        if (hold.active < minimum) revert StakeRegistry_BelowMinimum(hold.active, minimum);
        if (!book.known[msg.sender]) {
            book.known[msg.sender] = true;
            book.operators.push(msg.sender);
            emit OperatorRegistered(msg.sender, role);
        }
        emit Staked(msg.sender, role, amount, hold.active);
        $.infr.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _setHotKey(address operator, address hotKey) private {
        Storage storage $ = _storage();
        address previous = $.operators[operator].hotKey;
        if (previous == hotKey) return;
        // INVARIANT: an operator that has a hot key always has one.
        if (hotKey == address(0)) revert StakeRegistry_NoHotKey(operator);
        HotKey storage key = $.hotKeys[hotKey];
        // INVARIANT: one hot key belongs to one operator at most, for ever.
        if (key.operator != address(0) && key.operator != operator) {
            revert StakeRegistry_HotKeyTaken(hotKey, key.operator);
        }
        if (previous != address(0)) $.hotKeys[previous].retiredAt = uint64(block.timestamp);
        key.operator = operator;
        key.retiredAt = 0;
        $.operators[operator].hotKey = hotKey;
        emit HotKeyRotated(operator, hotKey, previous);
    }

    function _slash(address operator, Role role, uint256 wanted, address harmed, address challenger, bytes32 reason)
        private
        returns (uint256 amount)
    {
        Storage storage $ = _storage();
        Hold storage hold = $.operators[operator].stakes[role];
        uint256 most = hold.total() * _countOffence(operator, role, reason) / BPS;
        amount = hold.take(wanted < most ? wanted : most);
        uint256 toHarmed = harmed == address(0) ? 0 : amount * HARMED_BPS / BPS;
        uint256 toChallenger = challenger == address(0) ? 0 : amount * CHALLENGER_BPS / BPS;
        uint256 burned = amount - toHarmed - toChallenger;
        emit Slashed(operator, role, reason, amount, harmed, challenger, burned);
        if (toHarmed != 0) $.infr.safeTransfer(harmed, toHarmed);
        if (toChallenger != 0) $.infr.safeTransfer(challenger, toChallenger);
        ERC20Burnable(address($.infr)).burn(burned);
    }

    function _isOperator(address account) internal view override returns (bool) {
        return _storage().operators[account].hotKey != address(0);
    }

    function _activeStake(address operator, Role role) internal view override returns (uint256) {
        return _storage().operators[operator].stakes[role].active;
    }

    function _minimumInInfr(Role role) internal view override returns (uint256) {
        return _storage().roles[role].minimum;
    }

    function _setMinimumStake(Role role, uint256 minimum) private {
        // INVARIANT: the minimum is never nothing and never out of anyone's reach.
        if (minimum < LOWEST_MINIMUM || minimum > HIGHEST_MINIMUM) {
            revert StakeRegistry_MinimumOutOfBounds(minimum, LOWEST_MINIMUM, HIGHEST_MINIMUM);
        }
        _storage().roles[role].minimum = minimum;
        emit MinimumStakeChanged(role, minimum);
    }

    function _setUnbondingPeriod(uint64 period) private {
        // INVARIANT: stake can always be got back within a known time.
        if (period < SHORTEST_PERIOD || period > LONGEST_PERIOD) {
            revert StakeRegistry_PeriodOutOfBounds(period, SHORTEST_PERIOD, LONGEST_PERIOD);
        }
        _storage().unbondingPeriod = period;
        emit UnbondingPeriodChanged(period);
    }

    function _storage() private pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
