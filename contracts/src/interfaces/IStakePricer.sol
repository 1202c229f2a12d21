// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Role } from "../libraries/Types.sol";

/// What a claim to serve a model asks for. The model registry is one.
interface IClaimPricer {
    /// @notice The INFR that claiming `tokensPerSecond` of the model adds to the present minimum of providers.
    function stakeFor(bytes32 modelId, uint32 tokensPerSecond) external view returns (uint256);
}

/// @title What stake an operator needs
/// @notice A role's minimum may be set in USDC. Once a week anybody has it recalculated from a price feed; the rate moves by a factor
/// of two at most each time, and the minimum stays within the bounds of {StakeRegistry}. A price that is old, not positive or from the
/// future is refused, and until there is a good one the rate stays as it is.
///
/// A provider declares how fast it serves which model, and what these claims ask for is added to its minimum: whoever claims more always
/// needs more. Claims are kept as a multiple of the minimum, so they follow the price with it.
///
/// When the rate or a model's coefficient rises, who was in has a week to add stake before it counts as inactive; who
/// comes in, or claims more, has to meet the new minimum at once.
interface IStakePricer {
    event FeedChanged(address indexed feed, uint64 oldest);
    event Repriced(uint256 price, uint256 rate, uint256 earlierRate);
    event UsdcMinimumChanged(Role indexed role, uint256 minimum);
    event ClaimPricerChanged(address indexed pricer);
    event Declared(address indexed operator, bytes32 indexed modelId, uint32 tokensPerSecond);
    /// @param ppm What the operator's claims ask for, in millionths of the minimum of providers.
    event DemandChanged(address indexed operator, uint256 ppm);

    error StakePricer_NoFeed();
    error StakePricer_BadFeed(uint8 decimals, uint64 oldest);
    error StakePricer_NotPositive(int256 answer);
    error StakePricer_FromTheFuture(uint256 updatedAt);
    error StakePricer_Stale(uint256 updatedAt, uint64 oldest);
    error StakePricer_TooEarly(uint64 next);
    error StakePricer_UsdcMinimumTooHigh(uint256 minimum, uint256 highest);
    error StakePricer_NotOperator(address caller);
    error StakePricer_TooManyModels(uint256 most);
    error StakePricer_ClaimNotCovered(uint256 active, uint256 required);

    /// @notice Recalculates the rate from the feed. Once a week, by anybody.
    function reprice() external;

    /// @notice Says that the caller serves the model at this speed; zero withdraws the claim.
    /// @dev A higher claim than before must be covered by the caller's active stake. At most sixteen models at a time.
    function declare(bytes32 modelId, uint32 tokensPerSecond) external;

    /// @notice Measures an operator's claims by the present coefficients of its models.
    function remeasure(address operator) external;

    /// @notice Names the feed, and how old its answer may be. Zero goes back to minimums in INFR.
    /// @dev The first feed sets the rate as it is; a later one moves it by a factor of two a week at most, as any price does.
    function setFeed(address feed, uint64 oldest) external;

    /// @notice Sets a role's minimum in micro-USDC; zero goes back to its minimum in INFR.
    function setUsdcMinimum(Role role, uint256 minimum) external;

    /// @notice Names what claims are measured by; zero measures none.
    function setClaimPricer(address pricer) external;

    /// @notice The active stake the operator needs now to come in or to claim more: its role's minimum and what its claims add. Those already in may have a week left.
    function requiredStake(address operator, Role role) external view returns (uint256);

    /// @notice Wei of INFR per micro-USDC, what it was before the last change, and when that was.
    function rate() external view returns (uint256 current, uint256 earlier, uint64 repricedAt);

    function usdcMinimum(Role role) external view returns (uint256);

    function priceFeed() external view returns (address feed, uint64 oldest);

    function claimPricer() external view returns (address);

    function claimsOf(address operator)
        external
        view
        returns (bytes32[] memory models, uint32[] memory tokensPerSecond, uint256 ppm);
}
