// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Providers paid for keeping models warm
/// @notice Every official model has a pool of *seats*. A provider takes a seat by bidding: what it asks for being present, in micro-USDC
/// per second, and what it can serve (its *loadout*, which thereby stands on chain). The model's subsidy rate divided by its most
/// seats is the dearest ask there is, so all seats together never cost more than the rate.
///
/// **Auction.** It never ends. A free seat goes to whoever bids for it. When all are taken, a bid that is cheaper than the dearest
/// seat by the margin takes that seat; of equally dear seats the youngest goes. Nobody can raise an ask, only lower it.
///
/// **Demand.** Active routers sign how many seats they want, one signal per model and epoch. When the epoch is over, the number of
/// seats moves by one towards the median weighted by the routers' stake, within the governed bounds. When it falls below the
/// seats taken, the dearest is given notice.
///
/// **Presence.** A heartbeat, sent by the provider or signed by its hot key and sent by anyone, sets aside the ask for one freshness
/// period from the model's budget; time earns it, second by second. What a leaving seat did not earn goes back to the budget. So
/// every second that is earned is already there: what was paid, earned and set aside never exceeds what was funded, and a budget
/// that runs dry ends the payment, not the seats. A heartbeat says that a key is alive. Whether the model is, routers measure.
///
/// **Leaving.** A provider gives notice, is paid until it ends, and frees its seat then. Anyone may evict a seat whose heartbeat is
/// stale or whose provider lost its stake, for a share of what the provider has earned.
interface IHotPool {
    /// @notice What a provider can serve from its seat. `tiers` is a bit set (bit t for tier t).
    struct Loadout {
        uint32 tokensPerSecond;
        uint32 capacity;
        uint8 tiers;
    }

    struct Seat {
        address provider;
        uint64 ask;
        Loadout loadout;
        uint40 takenAt;
        /// When the notice ends; zero if none was given.
        uint40 leavesAt;
        uint40 heartbeatAt;
        /// Until when the seat's payment is set aside, and at what rate.
        uint40 backedUntil;
        uint64 rate;
        /// Up to when it was earned and credited.
        uint40 settledAt;
        /// The stake this seat's throughput asks for, beyond the minimum.
        uint128 stake;
    }

    /// @notice A router's wish, signed with its hot key.
    struct DemandSignal {
        address router;
        bytes32 modelId;
        /// Increasing per router and model.
        uint64 sequence;
        uint64 epoch;
        /// How many seats the router wants the model to have.
        uint8 seats;
    }

    /// @notice A sign of life, signed with the provider's hot key. `beatAt` is increasing per seat, not in the future and still fresh.
    struct Heartbeat {
        address provider;
        bytes32 modelId;
        uint40 beatAt;
    }

    struct Parameters {
        /// For how long a heartbeat keeps a seat present.
        uint40 freshness;
        /// Between giving notice and leaving.
        uint40 notice;
        uint40 epochLength;
        /// By how much a challenger must be cheaper.
        uint16 marginBps;
        /// What of an evicted provider's earnings goes to who evicted it.
        uint16 rewardBps;
    }

    event PoolConfigured(bytes32 indexed modelId, uint64 rate, uint8 minSeats, uint8 maxSeats);
    event Funded(bytes32 indexed modelId, address indexed payer, uint256 amount);
    event BudgetWithdrawn(bytes32 indexed modelId, address indexed to, uint256 amount);
    event SeatTaken(bytes32 indexed modelId, address indexed provider, uint64 ask, Loadout loadout);
    event AskLowered(bytes32 indexed modelId, address indexed provider, uint64 ask);
    event NoticeGiven(bytes32 indexed modelId, address indexed provider, uint40 leavesAt);
    event SeatDisplaced(bytes32 indexed modelId, address indexed provider, address indexed challenger);
    event SeatLeft(bytes32 indexed modelId, address indexed provider);
    event SeatEvicted(bytes32 indexed modelId, address indexed provider, address indexed caller, uint256 reward);
    event HeartbeatSeen(bytes32 indexed modelId, address indexed provider, uint40 heartbeatAt, uint40 backedUntil, uint64 rate);
    event DemandSignalled(bytes32 indexed modelId, address indexed router, uint64 indexed epoch, uint8 seats, uint256 weight);
    event SeatsChanged(bytes32 indexed modelId, uint64 indexed epoch, uint8 seats);
    event Earned(bytes32 indexed modelId, address indexed provider, uint256 amount);
    event Claimed(address indexed provider, uint256 amount);
    event ParametersChanged(Parameters parameters);

    error HotPool_NotRegistry(address caller);
    error HotPool_SeatsOutOfBounds(uint8 minSeats, uint8 maxSeats, uint8 most);
    error HotPool_ParametersOutOfBounds();
    error HotPool_Closed(bytes32 modelId);
    error HotPool_ProviderInactive(address provider);
    error HotPool_StakeTooLow(address provider, uint256 stake, uint256 needed);
    error HotPool_BadLoadout();
    error HotPool_AskTooHigh(uint64 ask, uint64 highest);
    error HotPool_AlreadySeated(bytes32 modelId, address provider);
    error HotPool_NotSeated(bytes32 modelId, address provider);
    error HotPool_TooManySeats(address provider, uint256 most);
    error HotPool_NotCheaper(uint64 ask, uint64 highest);
    error HotPool_NoticeGiven(bytes32 modelId, address provider);
    error HotPool_NotEvictable(bytes32 modelId, address provider);
    error HotPool_BadSignature(address operator);
    error HotPool_LengthMismatch();
    error HotPool_BudgetTooLow(uint256 wanted, uint256 budget);

    // Providers

    /// @notice Takes a seat of the model, the dearest one's if none is free. The bid counts as the seat's first heartbeat.
    function bid(bytes32 modelId, uint64 ask, Loadout calldata loadout) external;

    /// @notice Asks for less from now on.
    function lowerAsk(bytes32 modelId, uint64 ask) external;

    /// @notice Gives notice.
    function giveNotice(bytes32 modelId) external returns (uint40 leavesAt);

    /// @notice The caller's heartbeat, by its cold address or its hot key, for its seats in these models.
    function heartbeat(bytes32[] calldata modelIds) external;

    // Everybody

    /// @notice Heartbeats of any providers. Anyone may send them.
    /// @dev One that is out of date or of a seat there is no more is passed over, so that nobody can spoil a batch by sending part of
    /// it first. A wrong signature reverts.
    /// @return seen How many counted.
    function submitHeartbeats(Heartbeat[] calldata heartbeats, bytes[] calldata signatures) external returns (uint256 seen);

    /// @notice Routers' demand signals. Anyone may send them.
    /// @dev One of another epoch, of a router that is not active or has signalled in this epoch, or with a sequence that is not higher
    /// than its last, is passed over. A wrong signature reverts.
    /// @return counted How many counted.
    function signalDemand(DemandSignal[] calldata signals, bytes[] calldata signatures) external returns (uint256 counted);

    /// @notice Ends the model's last epoch with signals, if it is over: moves the seats and gives notice where there are too many.
    function closeEpoch(bytes32 modelId) external;

    /// @notice Frees a seat whose notice is over, whose heartbeat is stale or whose provider lost its stake. The last two pay the
    /// caller a share of what the provider has earned and not yet claimed.
    function evict(bytes32 modelId, address provider) external returns (uint256 reward);

    /// @notice Pays the provider what it has earned, in these models' seats and before. Anyone may call this.
    function claim(address provider, bytes32[] calldata modelIds) external returns (uint256 amount);

    /// @notice Adds `amount` of the caller's USDC to the model's budget.
    function fund(bytes32 modelId, uint256 amount) external;

    // Governance

    /// @notice Sets what a model's seats may cost and how many there may be. A rate of zero closes the pool: nobody takes a seat, no
    /// payment is set aside any more. Called by the model registry alone.
    function configure(bytes32 modelId, uint64 rate, uint8 minSeats, uint8 maxSeats) external;

    /// @notice Pays budget that is not set aside out.
    function withdrawBudget(bytes32 modelId, uint256 amount, address to) external;

    function setParameters(Parameters calldata parameters) external;

    // Views

    /// @notice The model's terms, the seats there are and the seats taken.
    function poolOf(bytes32 modelId) external view returns (uint64 rate, uint8 minSeats, uint8 maxSeats, uint8 seats, uint8 taken);

    /// @notice Where the model's money is: `funded = withdrawn + budget + reserved + credited`. Some of `reserved` may be earned.
    function accountOf(bytes32 modelId)
        external
        view
        returns (uint256 funded, uint256 withdrawn, uint256 budget, uint256 reserved, uint256 credited);

    /// @notice The model's seats, warm or not; a router prefers those for which `isPresent` holds.
    function seatsOf(bytes32 modelId) external view returns (Seat[] memory);

    /// @notice The models the provider has seats for.
    function modelsOf(address provider) external view returns (bytes32[] memory);

    /// @notice Whether the provider has a seat, its heartbeat is fresh and its notice, if any, not over.
    function isPresent(bytes32 modelId, address provider) external view returns (bool);

    /// @notice What the provider was credited and has not been paid.
    function balanceOf(address provider) external view returns (uint256);

    /// @notice What `claim` would pay.
    function claimable(address provider, bytes32[] calldata modelIds) external view returns (uint256);

    /// @notice The signals of the epoch: stake that wants more seats, stake that wants fewer, and all stake that signalled.
    function demandOf(bytes32 modelId) external view returns (uint64 epoch, uint256 more, uint256 fewer, uint256 total);

    function currentEpoch() external view returns (uint64);

    /// @notice The dearest ask the model's terms allow.
    function highestAsk(bytes32 modelId) external view returns (uint64);

    function signalDigest(DemandSignal calldata signal) external view returns (bytes32);

    function heartbeatDigest(Heartbeat calldata beat) external view returns (bytes32);

    function parameters() external view returns (Parameters memory);

    function usdc() external view returns (address);

    function modelRegistry() external view returns (address);

    function stakeRegistry() external view returns (address);
}
