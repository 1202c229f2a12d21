// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Buyback and burn
/// @notice Receives the buyback third of the protocol fee in USDC and turns it into burned INFR, on the pair's own Uniswap V3 pool.
///
/// Once a week whatever has arrived becomes a round, and a round is spent in equal tranches evenly apart. Anybody may send each tranche;
/// nobody is paid for it. A tranche is bought whole or not at all, at no worse than the pool's own time-weighted price less a bounded
/// slippage, and only while the spot price is near that price. What was bought is burned in the same transaction. What a round
/// did not spend belongs to the next.
///
/// Nobody can pause it, and no function pays USDC or INFR to anyone but the pool and the burn. The governor tunes within fixed bounds and
/// moves to another fee tier of the same factory; the contract is not upgradeable.
interface IBuyback {
    struct Tuning {
        /// Into how many tranches a round is divided; they are a week divided by this apart.
        uint16 tranches;
        /// Over how many seconds the pool's price is averaged.
        uint32 window;
        /// How many observations the pool must be able to keep.
        uint16 cardinality;
        /// By how many ticks (hundredths of a per cent) the spot price may differ from the average.
        uint16 deviation;
        /// How much less than the average price buys a tranche may buy, the pool's fee included.
        uint16 slippageBps;
        /// The least USDC that make a round.
        uint128 leastRound;
        /// The most USDC in a tranche.
        uint128 mostPerTranche;
    }

    struct Round {
        uint64 startedAt;
        uint64 nextAt;
        uint128 tranche;
        uint128 left;
    }

    event RoundOpened(uint64 indexed startedAt, uint256 budget, uint256 tranche);
    event Bought(uint64 indexed startedAt, uint256 spent, uint256 burned, int24 meanTick);
    event TuningChanged(Tuning tuning);
    event PoolChanged(address indexed pool, uint24 fee);

    error Buyback_ZeroAddress();
    error Buyback_TooEarly(uint64 nextAt);
    error Buyback_RoundSpent(uint64 endsAt);
    error Buyback_TooLittle(uint256 budget, uint256 least);
    error Buyback_FewObservations(uint256 cardinality, uint256 least);
    error Buyback_PriceMoved(int24 spot, int24 mean, uint256 deviation);
    error Buyback_Incomplete(uint256 spent, uint256 tranche);
    error Buyback_TooExpensive(uint256 bought, uint256 least);
    error Buyback_NotPool(address caller);
    error Buyback_NoPool(uint24 fee);
    error Buyback_OutOfBounds(Tuning tuning);

    /// @notice Buys and burns the next tranche; opens a round first when a week has passed since the last was opened.
    /// @dev All INFR the contract holds is burned, also what somebody sent it.
    function buy() external returns (uint256 spent, uint256 burned);

    /// @notice The least INFR that `spent` USDC may buy now. Reverts whenever `buy` would because of the price.
    function leastFor(uint256 spent) external view returns (uint256 least, int24 meanTick);

    /// @notice Changes the tuning, within the bounds; a round that is open keeps its tranche.
    function setTuning(Tuning calldata tuning) external;

    /// @notice Buys on the pair's pool of this fee from now on. The pool has to exist in the factory named at construction.
    function setPool(uint24 fee) external;

    function tuning() external view returns (Tuning memory);

    function round() external view returns (Round memory);

    function pool() external view returns (address);
}
