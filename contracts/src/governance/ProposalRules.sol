// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { GovernorUpgradeable } from "@openzeppelin/contracts-upgradeable/governance/GovernorUpgradeable.sol";
import {
    GovernorTimelockControlUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorTimelockControlUpgradeable.sol";
import { UUPSUpgradeable } from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import { TimelockController } from "@openzeppelin/contracts/governance/TimelockController.sol";
import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";

import { IInferaGovernor } from "../interfaces/IInferaGovernor.sol";
import { IJobRegistry } from "../interfaces/IJobRegistry.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";

/// @title ProposalRules
/// @notice What can never be proposed, and what can never count as a parameter.
/// @dev The timelock acts only on what this governor schedules, so a rule about proposals is a rule about everything the timelock
/// will ever do, until the governor itself is upgraded.
library ProposalRules {
    /// @notice Reverts if `data` may not be sent to `target`.
    function requireAllowed(address target, bytes memory data, address timelock) internal view {
        if (data.length < 4) return;
        bytes4 selector = bytes4(data);
        if (
            // Roles: somebody else could schedule, or nobody cancel.
            (target == timelock && selector != TimelockController.updateDelay.selector)
                // The governor speaking for itself, where it is the timelock's proposer.
                || (target == address(this) && selector == GovernorUpgradeable.relay.selector)
                || (target == address(this) && selector == GovernorTimelockControlUpgradeable.updateTimelock.selector)
                || selector == Ownable.transferOwnership.selector || selector == Ownable.renounceOwnership.selector
        ) {
            // INVARIANT: only the governor schedules, and what stands behind the timelock stays behind it.
            revert IInferaGovernor.InferaGovernor_ForbiddenCall(target, selector);
        }
        if (_namesAJudge(selector)) {
            (address judge, bool allowed) = abi.decode(_arguments(data), (address, bool));
            // INVARIANT: judges are contracts with rules of their own; neither a person nor governance itself ever judges.
            if (allowed && (judge == timelock || judge == address(this) || !_isContract(judge))) {
                revert IInferaGovernor.InferaGovernor_NotAJudge(judge);
            }
        }
        if (selector == UUPSUpgradeable.upgradeToAndCall.selector) {
            // The call that goes with an upgrade is made with the timelock as its sender, too.
            (, bytes memory call_) = abi.decode(_arguments(data), (address, bytes));
            requireAllowed(target, call_, timelock);
        }
    }

    /// @notice Whether such a call changes the rules, code or judges, however the list of parameter calls reads.
    function isNeverAParameter(address target, bytes4 selector, address timelock) internal view returns (bool) {
        return target == timelock || target == address(this) || selector == UUPSUpgradeable.upgradeToAndCall.selector
            || _namesAJudge(selector);
    }

    /// @dev Slashers take stake, courts void batches. Both setters take the account and whether it may.
    function _namesAJudge(bytes4 selector) private pure returns (bool) {
        return selector == IStakeRegistry.setSlasher.selector || selector == IJobRegistry.setCourt.selector;
    }

    function _isContract(address account) private view returns (bool) {
        bytes memory code = account.code;
        // An account that delegates to code (EIP-7702) is still somebody's key.
        return code.length != 0 && !(code.length == 23 && bytes3(code) == 0xef0100);
    }

    function _arguments(bytes memory data) private pure returns (bytes memory arguments) {
        arguments = new bytes(data.length - 4);
        for (uint256 i; i < arguments.length; ++i) {
            arguments[i] = data[i + 4];
        }
    }
}
