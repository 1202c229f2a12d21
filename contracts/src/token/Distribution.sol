// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { INFR } from "../INFR.sol";
import { IDistribution } from "../interfaces/IDistribution.sol";
import { IEcosystemVesting } from "../interfaces/IEcosystemVesting.sol";
import { EcosystemVesting } from "./EcosystemVesting.sol";
import { LockedLiquidity } from "./LockedLiquidity.sol";
import { Vesting } from "./Vesting.sol";

/// @title Distribution
/// @notice Builds INFR and the wallets it is minted to. See {IDistribution}, which is its specification.
contract Distribution is IDistribution {
    uint256 public constant ECOSYSTEM = 350_000_000e18;
    uint256 public constant TEAM = 180_000_000e18;
    uint256 public constant TREASURY = 150_000_000e18;
    uint256 public constant INVESTORS = 150_000_000e18;
    uint256 public constant PUBLIC_LAUNCH = 80_000_000e18;
    uint256 public constant LIQUIDITY = 50_000_000e18;
    uint256 public constant FOUNDATION = 40_000_000e18;

    uint64 public constant CLIFF = 365 days;
    uint64 public constant TEAM_VESTING = 1095 days;
    uint64 public constant INVESTOR_VESTING = 730 days;
    uint64 public constant LARGEST_OFFSET = 90 days;

    address public immutable infr;
    address public immutable ecosystem;
    address public immutable team;
    address public immutable treasury;
    address public immutable investors;
    address public immutable liquidity;

    constructor(Plan memory plan) {
        // INVARIANT: every allocation has somewhere to go. The wallets check theirs.
        if (plan.publicLaunch == address(0) || plan.foundation == address(0)) revert Distribution_ZeroAddress();
        // INVARIANT: no clock was started long ago, so no cliff is over before it began.
        if (plan.start + LARGEST_OFFSET < block.timestamp || plan.start > block.timestamp + LARGEST_OFFSET) {
            revert Distribution_StartOutOfBounds(plan.start, block.timestamp - LARGEST_OFFSET, block.timestamp + LARGEST_OFFSET);
        }
        address token = _created(6);
        team = address(new Vesting(plan.team, TEAM, plan.start + CLIFF, TEAM_VESTING));
        investors = address(new Vesting(plan.investors, INVESTORS, plan.start + CLIFF, INVESTOR_VESTING));
        treasury = address(new Vesting(plan.timelock, TREASURY, plan.start + CLIFF, 0));
        ecosystem = address(new EcosystemVesting(_ecosystemTerms(plan, token)));
        liquidity = address(new LockedLiquidity(plan.timelock, token, plan.quote, plan.factory));

        INFR.Allocation[] memory allocations = new INFR.Allocation[](7);
        allocations[0] = INFR.Allocation(ecosystem, ECOSYSTEM);
        allocations[1] = INFR.Allocation(team, TEAM);
        allocations[2] = INFR.Allocation(treasury, TREASURY);
        allocations[3] = INFR.Allocation(investors, INVESTORS);
        allocations[4] = INFR.Allocation(plan.publicLaunch, PUBLIC_LAUNCH);
        allocations[5] = INFR.Allocation(liquidity, LIQUIDITY);
        allocations[6] = INFR.Allocation(plan.foundation, FOUNDATION);
        infr = address(new INFR(allocations));
        // The sixth contract this one creates: its nonce says so, and EIP-161 starts it at one.
        assert(infr == token);
        emit Distributed(infr, ecosystem, team, treasury, investors, liquidity);
    }

    /// @inheritdoc IDistribution
    function lockedSupplies() external view returns (address[] memory list) {
        list = new address[](4);
        (list[0], list[1], list[2], list[3]) = (ecosystem, team, treasury, investors);
    }

    function _ecosystemTerms(Plan memory plan, address token) private pure returns (IEcosystemVesting.Terms memory) {
        return IEcosystemVesting.Terms({
            owner: plan.timelock,
            infr: token,
            jobRegistry: plan.jobRegistry,
            reporter: plan.reporter,
            allocation: ECOSYSTEM,
            target: plan.ecosystemTarget,
            start: plan.start,
            duration: plan.ecosystemDuration
        });
    }

    /// @dev Where this contract's creation number `nonce` (below 128) will stand.
    function _created(uint8 nonce) private view returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", address(this), nonce)))));
    }
}
