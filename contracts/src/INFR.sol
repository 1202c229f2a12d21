// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import { ERC20Burnable } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import { ERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import { ERC20Votes } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import { Nonces } from "@openzeppelin/contracts/utils/Nonces.sol";

/// @title INFR
/// @notice The network's stake and voting token. One billion are minted once; there is no way to mint more, only to burn.
/// Voting power is kept by timestamp (ERC-6372).
contract INFR is ERC20, ERC20Burnable, ERC20Permit, ERC20Votes {
    struct Allocation {
        address to;
        uint256 amount;
    }

    uint256 public constant SUPPLY = 1_000_000_000e18;

    error INFR_AllocationsDoNotAddUp(uint256 allocated, uint256 supply);

    constructor(Allocation[] memory allocations) ERC20("INFERA", "INFR") ERC20Permit("INFERA") {
        for (uint256 i; i < allocations.length; ++i) {
            _mint(allocations[i].to, allocations[i].amount);
        }
        // INVARIANT: the supply is exactly one billion from the first block on.
        if (totalSupply() != SUPPLY) revert INFR_AllocationsDoNotAddUp(totalSupply(), SUPPLY);
    }

    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}
