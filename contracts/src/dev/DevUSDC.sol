// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import { ERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title DevUSDC
/// @notice Stands in for USDC on development chains: six decimals, permit, and an owner who mints. Never deploy it to a public chain.
contract DevUSDC is ERC20, ERC20Permit, Ownable {
    constructor(address owner) ERC20("USD Coin (development)", "USDC") ERC20Permit("USD Coin (development)") Ownable(owner) { }

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
