// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title How INFR comes into the world
/// @notice One deployment that builds the wallets, then INFR, whose constructor mints one billion to them. The amounts are constants
/// and add up to the supply; INFR refuses to exist otherwise.
///
/// | allocation | INFR | to |
/// |---|---|---|
/// | ecosystem incentives | 350,000,000 | `EcosystemVesting`, to the timelock over five years or more as the network is used |
/// | core team and future hires | 180,000,000 | `Vesting`: nothing for 12 months, then linearly over 36 |
/// | treasury | 150,000,000 | `Vesting`: all of it after 12 months, to the timelock |
/// | investors | 150,000,000 | `Vesting`: nothing for 12 months, then linearly over 24 |
/// | public launch | 80,000,000 | its seller, at once |
/// | liquidity and market making | 50,000,000 | `LockedLiquidity`, into the market and nowhere else |
/// | foundation operating reserve | 40,000,000 | the foundation, at once |
///
/// A month is a twelfth of 365 days. This contract keeps no rights over anything it built.
interface IDistribution {
    /// @param start When the clocks start: the token's launch.
    /// @param jobRegistry The registry's proxy; deployed later, so its address is computed beforehand.
    /// @param reporter Who reports volume to the ecosystem wallet; may be nobody until governance names one.
    /// @param quote USDC.
    /// @param factory The Uniswap V2 factory of the market.
    struct Plan {
        address timelock;
        address team;
        address investors;
        address publicLaunch;
        address foundation;
        address jobRegistry;
        address reporter;
        address quote;
        address factory;
        uint64 start;
        uint64 ecosystemDuration;
        uint256 ecosystemTarget;
    }

    event Distributed(
        address indexed infr, address ecosystem, address team, address treasury, address investors, address liquidity
    );

    error Distribution_ZeroAddress();
    error Distribution_StartOutOfBounds(uint64 start, uint256 lowest, uint256 highest);

    function infr() external view returns (address);

    function ecosystem() external view returns (address);

    function team() external view returns (address);

    function treasury() external view returns (address);

    function investors() external view returns (address);

    function liquidity() external view returns (address);

    /// @notice The wallets whose INFR does not circulate, as the governor's `initialize` takes them.
    function lockedSupplies() external view returns (address[] memory);
}
