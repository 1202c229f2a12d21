// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Role } from "../libraries/Types.sol";

/// @title Stake of the network's operators
/// @notice An operator is a cold address. It stakes INFR per role (provider, router, validator) and names one hot key that signs
/// its messages. Stake that is being unbonded still answers for slashing until it has been withdrawn; it no longer counts
/// towards the minimum. Slashing divides what it takes: 40 % to the harmed developer, 40 % to the challenger, 20 % burned; a
/// share nobody is named for is burned too.
///
/// Nothing here can be paused. The governor sets parameters within fixed bounds and names slashers; it cannot move stake.
interface IStakeRegistry {
    /// @notice The operator staked for the first time.
    event OperatorRegistered(address indexed operator, Role indexed role);
    event Staked(address indexed operator, Role indexed role, uint256 amount, uint256 active);
    event Unbonding(address indexed operator, Role indexed role, uint256 amount, uint64 thawedAt);
    event Withdrawn(address indexed operator, Role indexed role, uint256 amount);
    event Slashed(
        address indexed operator,
        Role indexed role,
        bytes32 indexed reason,
        uint256 amount,
        address harmed,
        address challenger,
        uint256 burned
    );
    event Jailed(address indexed operator, uint64 until, bytes32 indexed reason);
    event HotKeyRotated(address indexed operator, address indexed hotKey, address indexed previous);
    event ProfileChanged(address indexed operator, string endpoint, string metadata);
    event MinimumStakeChanged(Role indexed role, uint256 minimum);
    event UnbondingPeriodChanged(uint64 period);
    event JobRegistryChanged(address indexed jobRegistry);
    event SlasherChanged(address indexed slasher, bool allowed);

    error StakeRegistry_UnknownRole();
    error StakeRegistry_NotSlasher(address caller);
    error StakeRegistry_BelowMinimum(uint256 active, uint256 minimum);
    error StakeRegistry_NoHotKey(address operator);
    error StakeRegistry_HotKeyTaken(address hotKey, address operator);
    error StakeRegistry_NotOperator(address caller);
    error StakeRegistry_ProfileTooLong(uint256 length, uint256 maximum);
    error StakeRegistry_BpsOutOfRange(uint256 bps);
    error StakeRegistry_JailTooLong(uint64 until, uint64 latest);
    error StakeRegistry_MinimumOutOfBounds(uint256 minimum, uint256 lowest, uint256 highest);
    error StakeRegistry_PeriodOutOfBounds(uint64 period, uint64 lowest, uint64 highest);
    error StakeRegistry_ZeroAddress();
    error StakeRegistry_ForeignJobRegistry(address jobRegistry);

    /// @notice Stakes `amount` for `role` and registers `hotKey`.
    /// @param hotKey The key that signs the operator's messages; zero keeps the present one. A different key rotates it.
    /// @dev The stake must reach the role's minimum. The caller must have approved the registry for `amount`.
    function stake(Role role, uint256 amount, address hotKey) external;

    /// @notice `stake` with an ERC-2612 permit instead of an approval.
    function stakeWithPermit(Role role, uint256 amount, address hotKey, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Names a new hot key. Any key an operator ever used stays that operator's and can never be registered by another.
    function rotateHotKey(address hotKey) external;

    /// @notice Where the operator is reached (a router's network URL) and where its description stands.
    function setProfile(string calldata endpoint, string calldata metadata) external;

    /// @notice Starts to unbond, for the unbonding period or, if that is longer, for as long as a batch of now can be open
    /// ({IJobRegistry.finalityBound}). A further unbonding of the same role restarts the clock of what is already unbonding.
    function unbond(Role role, uint256 amount) external returns (uint64 thawedAt);

    /// @notice Pays out what has finished unbonding.
    function withdraw(Role role) external returns (uint256 amount);

    /// @notice Takes `bps` basis points of the operator's stake in `role`, unbonding stake first.
    /// @param harmed Who was harmed; zero burns that share.
    /// @param challenger Who proved it; zero burns that share.
    function slash(address operator, Role role, uint256 bps, address harmed, address challenger, bytes32 reason)
        external
        returns (uint256 amount);

    /// @notice Takes `amount`, or all there is if that is less, from the operator's stake in `role`.
    function slashAmount(address operator, Role role, uint256 amount, address harmed, address challenger, bytes32 reason)
        external
        returns (uint256 taken);

    /// @notice Keeps the operator inactive in all roles until `until`; a time in the past releases it. Withdrawals go on.
    function jail(address operator, uint64 until, bytes32 reason) external;

    function setMinimumStake(Role role, uint256 minimum) external;

    function setUnbondingPeriod(uint64 period) external;

    /// @notice Names the log of the batches that stake answers for. Without it no court can be named there.
    function setJobRegistry(address jobRegistry_) external;

    function setSlasher(address slasher, bool allowed) external;

    /// @notice Whether the operator's active stake in `role` reaches the minimum and it is not jailed.
    function isActive(address operator, Role role) external view returns (bool);

    /// @notice The operator whose present hot key this is; zero if none.
    function operatorOf(address hotKey) external view returns (address);

    /// @notice The operator's present hot key; zero if it never registered.
    function hotKeyOf(address operator) external view returns (address);

    /// @notice Whether `signer` may have signed for `operator` at that time: whether it is a hot key of the operator not retired before.
    function isSigner(address operator, address signer, uint64 when) external view returns (bool);

    function stakeOf(address operator, Role role) external view returns (uint256 active, uint256 unbonding, uint64 thawedAt);

    function profileOf(address operator) external view returns (string memory endpoint, string memory metadata);

    function jailedUntil(address operator) external view returns (uint64);

    function isSlasher(address account) external view returns (bool);

    function minimumStake(Role role) external view returns (uint256);

    function unbondingPeriod() external view returns (uint64);

    /// @notice Zero while it has not been named.
    function jobRegistry() external view returns (address);

    /// @notice How many operators ever staked for `role`.
    function operatorCount(Role role) external view returns (uint256);

    /// @notice Operators that ever staked for `role`, in order of registration.
    function operators(Role role, uint256 offset, uint256 limit) external view returns (address[] memory);

    function infr() external view returns (address);
}
