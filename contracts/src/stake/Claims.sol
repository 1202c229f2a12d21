// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IClaimPricer, IStakePricer } from "../interfaces/IStakePricer.sol";

/// How fast an operator says it serves which models, and what that asks for in millionths of the minimum.
struct Claims {
    uint96 demand;
    uint96 earlierDemand;
    uint64 raisedAt;
    bytes32[] models;
    mapping(bytes32 modelId => uint32) speeds;
}

/// @title ClaimsLib
/// @notice The claims of one operator.
library ClaimsLib {
    uint256 internal constant MOST_MODELS = 16;
    uint256 internal constant PPM = 1_000_000;
    uint64 internal constant GRACE = 7 days;

    /// @notice Records a claim; zero takes it off the list.
    /// @return raised Whether it is more than was claimed before.
    function set(Claims storage claims, bytes32 modelId, uint32 speed) internal returns (bool raised) {
        uint32 before = claims.speeds[modelId];
        bytes32[] storage models = claims.models;
        if (before == 0 && speed != 0) {
            // INVARIANT: an operator's claims can be measured in one call.
            if (models.length == MOST_MODELS) revert IStakePricer.StakePricer_TooManyModels(MOST_MODELS);
            models.push(modelId);
        } else if (before != 0 && speed == 0) {
            uint256 i;
            while (models[i] != modelId) ++i;
            models[i] = models[models.length - 1];
            models.pop();
        }
        claims.speeds[modelId] = speed;
        return speed > before;
    }

    /// @notice Measures the claims by the pricer, of which `minimum` is the present minimum.
    /// @param grace Whether a rise may be met within the grace period.
    function measure(Claims storage claims, IClaimPricer pricer, uint256 minimum, bool grace) internal returns (uint256 demand) {
        if (address(pricer) != address(0)) {
            for (uint256 i; i < claims.models.length; ++i) {
                bytes32 modelId = claims.models[i];
                uint256 asked = Math.min(pricer.stakeFor(modelId, claims.speeds[modelId]), type(uint96).max);
                demand += Math.mulDiv(asked, PPM, minimum, Math.Rounding.Ceil);
            }
        }
        demand = Math.min(demand, type(uint96).max);
        if (!grace || demand <= claims.demand) {
            uint256 lenient = Math.min(lenientDemand(claims), demand);
            claims.earlierDemand = uint96(grace ? lenient : demand);
        } else {
            claims.earlierDemand = uint96(lenientDemand(claims));
            claims.raisedAt = uint64(block.timestamp);
        }
        claims.demand = uint96(demand);
    }

    function lenientDemand(Claims storage claims) internal view returns (uint256) {
        return block.timestamp < claims.raisedAt + GRACE ? Math.min(claims.demand, claims.earlierDemand) : claims.demand;
    }
}
