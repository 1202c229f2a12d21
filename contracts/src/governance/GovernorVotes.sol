// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { GovernorUpgradeable } from "@openzeppelin/contracts-upgradeable/governance/GovernorUpgradeable.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { IERC5805 } from "@openzeppelin/contracts/interfaces/IERC5805.sol";

import { IInferaGovernor } from "../interfaces/IInferaGovernor.sol";
import { IVeINFR } from "../interfaces/IVeINFR.sol";
import { ILockedSupply } from "../interfaces/IVesting.sol";

/// @title GovernorVotes
/// @notice Whose votes count, and how much INFR there is to vote with.
abstract contract GovernorVotes is IInferaGovernor, GovernorUpgradeable {
    uint256 public constant MOST_LOCKED = 16;

    /// @custom:storage-location erc7201:infera.storage.GovernorVotes
    struct VotesStorage {
        IVeINFR token;
        IERC5805 infr;
        address[] locked;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.GovernorVotes")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x37aa5f5109c5d06fdb69eb2e0f731b9bd85b5349c046d0e759c01103ef458200;

    // solhint-disable-next-line func-name-mixedcase
    function __GovernorVotes_init(address token_, address infr_, address[] calldata locked) internal onlyInitializing {
        // INVARIANT: there are always votes, and a supply to measure them by.
        if (token_ == address(0) || infr_ == address(0)) revert InferaGovernor_ZeroAddress();
        // INVARIANT: the circulating supply can be computed in any call.
        if (locked.length > MOST_LOCKED) revert InferaGovernor_TooManyLocked(locked.length, MOST_LOCKED);
        for (uint256 i; i < locked.length; ++i) {
            uint256 amount = ILockedSupply(locked[i]).lockedAt(block.timestamp);
            uint256 held = IERC20(infr_).balanceOf(locked[i]);
            // INVARIANT: what does not count as circulating is really held back.
            if (amount > held) revert InferaGovernor_LockedNotHeld(locked[i], amount, held);
        }
        VotesStorage storage $ = _votesStorage();
        ($.token, $.infr, $.locked) = (IVeINFR(token_), IERC5805(infr_), locked);
    }

    /// @inheritdoc IInferaGovernor
    function circulatingSupply(uint256 timepoint) public view returns (uint256 supply) {
        VotesStorage storage $ = _votesStorage();
        supply = $.infr.getPastTotalSupply(timepoint);
        for (uint256 i; i < $.locked.length; ++i) {
            supply -= ILockedSupply($.locked[i]).lockedAt(timepoint);
        }
    }

    /// @inheritdoc GovernorUpgradeable
    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    /// @inheritdoc GovernorUpgradeable
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @inheritdoc IInferaGovernor
    function token() external view returns (address) {
        return address(_votesStorage().token);
    }

    /// @inheritdoc IInferaGovernor
    function infr() external view returns (address) {
        return address(_votesStorage().infr);
    }

    /// @inheritdoc IInferaGovernor
    function lockedSupplies() external view returns (address[] memory) {
        return _votesStorage().locked;
    }

    function _getVotes(address account, uint256 timepoint, bytes memory) internal view override returns (uint256) {
        return _votesStorage().token.getPastVotes(account, timepoint);
    }

    function _votesStorage() private pure returns (VotesStorage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
