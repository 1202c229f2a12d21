// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { Governed } from "../Governed.sol";
import { IPriceFeed } from "../interfaces/IPriceFeed.sol";
import { ISlashTable } from "../interfaces/ISlashTable.sol";
import { IClaimPricer, IStakePricer } from "../interfaces/IStakePricer.sol";
import { Role } from "../libraries/Types.sol";
import { Claims, ClaimsLib } from "./Claims.sol";
import { Offences, OffencesLib } from "./Offences.sol";
import { StakePrice, StakePriceLib } from "./StakePrice.sol";

/// @title StakeRules
/// @notice The rules of {StakeRegistry} that can change with the price of INFR, with what is claimed, and with what was done before.
/// @dev They have storage of their own, so the registry's layout is what it was without them.
abstract contract StakeRules is IStakePricer, ISlashTable, Governed {
    using ClaimsLib for Claims;
    using OffencesLib for Offences;
    using StakePriceLib for StakePrice;

    uint256 public constant LOWEST_MINIMUM = 1e18;
    uint256 public constant HIGHEST_MINIMUM = 10_000_000e18;

    /// @custom:storage-location erc7201:infera.storage.StakeRules
    struct RulesStorage {
        StakePrice price;
        IClaimPricer claimPricer;
        mapping(address operator => Claims) claims;
        Offences offences;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.StakeRules")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant RULES = 0x05963c75e1aa52082b8a3516af6939bb6f8887214aa0a662a7def91b9e61bd00;

    /// @inheritdoc IStakePricer
    function reprice() external {
        _rules().price.reprice();
    }

    /// @inheritdoc IStakePricer
    function declare(bytes32 modelId, uint32 tokensPerSecond) external {
        // INVARIANT: only an operator claims to serve.
        if (!_isOperator(msg.sender)) revert StakePricer_NotOperator(msg.sender);
        bool raised = _rules().claims[msg.sender].set(modelId, tokensPerSecond);
        emit Declared(msg.sender, modelId, tokensPerSecond);
        _measure(msg.sender, !raised);
        if (!raised) return;
        (uint256 active, uint256 required) = (_activeStake(msg.sender, Role.Provider), requiredStake(msg.sender, Role.Provider));
        // INVARIANT: nobody claims more than its stake answers for.
        if (active < required) revert StakePricer_ClaimNotCovered(active, required);
    }

    /// @inheritdoc IStakePricer
    function remeasure(address operator) external {
        _measure(operator, true);
    }

    // Governor

    /// @inheritdoc IStakePricer
    function setFeed(address feed, uint64 oldest) external onlyOwner {
        _rules().price.setFeed(IPriceFeed(feed), oldest);
    }

    /// @inheritdoc IStakePricer
    function setUsdcMinimum(Role role, uint256 minimum) external onlyOwner {
        _rules().price.setUsdcMinimum(role, minimum);
    }

    /// @inheritdoc IStakePricer
    function setClaimPricer(address pricer) external onlyOwner {
        _rules().claimPricer = IClaimPricer(pricer);
        emit ClaimPricerChanged(pricer);
    }

    /// @inheritdoc ISlashTable
    function setOffence(bytes32 reason, Offence calldata offence) external onlyOwner {
        _rules().offences.set(reason, offence);
    }

    // Views

    /// @inheritdoc IStakePricer
    function requiredStake(address operator, Role role) public view returns (uint256) {
        return _scaled(_minimum(role, false), role, _rules().claims[operator].demand);
    }

    /// @inheritdoc IStakePricer
    function rate() external view returns (uint256 current, uint256 earlier, uint64 repricedAt) {
        StakePrice storage price = _rules().price;
        return (price.rate, price.earlierRate, price.repricedAt);
    }

    /// @inheritdoc IStakePricer
    function usdcMinimum(Role role) external view returns (uint256) {
        return _rules().price.usdcMinimums[role];
    }

    /// @inheritdoc IStakePricer
    function priceFeed() external view returns (address feed, uint64 oldest) {
        StakePrice storage price = _rules().price;
        return (address(price.feed), price.oldest);
    }

    /// @inheritdoc IStakePricer
    function claimPricer() external view returns (address) {
        return address(_rules().claimPricer);
    }

    /// @inheritdoc IStakePricer
    function claimsOf(address operator)
        external
        view
        returns (bytes32[] memory models, uint32[] memory tokensPerSecond, uint256 ppm)
    {
        Claims storage claims = _rules().claims[operator];
        (models, ppm) = (claims.models, claims.demand);
        tokensPerSecond = new uint32[](models.length);
        for (uint256 i; i < models.length; ++i) {
            tokensPerSecond[i] = claims.speeds[models[i]];
        }
    }

    /// @inheritdoc ISlashTable
    function offenceOf(bytes32 reason) external view returns (Offence memory) {
        return _rules().offences.ruleOf(reason);
    }

    /// @inheritdoc ISlashTable
    function slashLimit(address operator, Role role, bytes32 reason) external view returns (uint256) {
        return _rules().offences.limit(operator, role, reason);
    }

    // For the registry

    function _isOperator(address account) internal view virtual returns (bool);

    function _activeStake(address operator, Role role) internal view virtual returns (uint256);

    /// @dev The role's minimum as the governor set it in INFR.
    function _minimumInInfr(Role role) internal view virtual returns (uint256);

    function _minimum(Role role, bool lenient) internal view returns (uint256) {
        if (role == Role.None) return 0;
        uint256 wanted = _rules().price.minimum(role, _minimumInInfr(role), lenient);
        return Math.max(LOWEST_MINIMUM, Math.min(HIGHEST_MINIMUM, wanted));
    }

    /// @dev What who is already in needs to count as active.
    function _lenientStake(address operator, Role role) internal view returns (uint256) {
        uint256 minimum = _minimum(role, true);
        return role == Role.Provider ? _scaled(minimum, role, _rules().claims[operator].lenientDemand()) : minimum;
    }

    function _countOffence(address operator, Role role, bytes32 reason) internal returns (uint256 limitBps) {
        return _rules().offences.count(operator, role, reason);
    }

    function _measure(address operator, bool grace) private {
        RulesStorage storage $ = _rules();
        uint256 demand = $.claims[operator].measure($.claimPricer, _minimum(Role.Provider, false), grace);
        emit DemandChanged(operator, demand);
    }

    function _scaled(uint256 minimum, Role role, uint256 demand) private pure returns (uint256) {
        if (role != Role.Provider) return minimum;
        return Math.min(HIGHEST_MINIMUM, minimum + minimum * demand / ClaimsLib.PPM);
    }

    function _rules() private pure returns (RulesStorage storage $) {
        assembly {
            $.slot := RULES
        }
    }
}
