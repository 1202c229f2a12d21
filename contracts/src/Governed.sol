// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Ownable2StepUpgradeable } from "@openzeppelin/contracts-upgradeable/access/Ownable2StepUpgradeable.sol";
import { UUPSUpgradeable } from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

/// @title Governed
/// @notice What every upgradeable contract of the network shares: one owner, the governor, who sets parameters and upgrades.
/// @dev The implementation contract itself can never be initialised.
abstract contract Governed is Ownable2StepUpgradeable, UUPSUpgradeable {
    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    function _authorizeUpgrade(address) internal override onlyOwner { }
}
