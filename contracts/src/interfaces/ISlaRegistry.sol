// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What providers promise about their uptime
/// @notice A provider commits to be reachable for a share of every window of a length it chooses. Validators probe it, and each signs what it
/// found in one window. When enough of them, with enough stake, each found the promise broken, whoever gathered their reports has the provider
/// slashed: by a bounded share, once per cool-down. Nobody counts as harmed, so 60 % of it is burned, and a provider that accuses itself through others
/// loses that.
///
/// A promise can be changed at any time, but the old one holds for one more of its windows, and what happened under it can still be
/// claimed. A report is made out to who may use it, so that nobody can take a claim from the mempool.
interface ISlaRegistry {
    /// A promise: at least `uptimePpm` millionths of any `window` seconds from `since` on. A window of zero promises nothing.
    struct Sla {
        uint32 uptimePpm;
        uint32 window;
        uint64 since;
    }

    /// What one validator found between `start` and the end of the window.
    struct Report {
        address validator;
        uint32 probes;
        uint32 failed;
        /// Where the probes themselves can be looked up: the root of the validator's log.
        bytes32 evidence;
    }

    struct Rule {
        /// How much active stake the reporting validators need together.
        uint96 quorumStake;
        /// How many of them there must be.
        uint16 validators;
        /// How many probes a report must rest on.
        uint16 fewestProbes;
        /// What a broken promise costs, in basis points of the provider's stake.
        uint16 slashBps;
        /// How long after a window that was claimed the next one may begin.
        uint32 coolDown;
        /// How long after its end a window can be claimed.
        uint32 claimPeriod;
    }

    event Committed(address indexed provider, uint256 indexed index, Sla sla);
    event Broken(address indexed provider, uint64 indexed start, address indexed challenger, uint256 slashed);
    event RuleChanged(Rule rule);

    error SlaRegistry_ZeroAddress();
    error SlaRegistry_NotProvider(address caller);
    error SlaRegistry_BadSla(uint32 uptimePpm, uint32 window);
    error SlaRegistry_NotPromised(address provider, uint64 start);
    error SlaRegistry_OutOfTime(uint64 end, uint64 latest);
    error SlaRegistry_CoolingDown(address provider, uint64 earliest);
    error SlaRegistry_KeptOut(address provider, uint64 until);
    error SlaRegistry_Unordered(address validator);
    error SlaRegistry_BadReport(address validator);
    error SlaRegistry_Kept(address validator, uint32 probes, uint32 failed);
    error SlaRegistry_NoQuorum(uint256 validators, uint256 stake);
    error SlaRegistry_RuleOutOfBounds(Rule rule);

    /// @notice Promises an uptime of 50 % … 99.999 % over a window of 1 hour … 30 days; zeros promise nothing any more.
    /// @dev Holds at once if nothing was promised before, and otherwise one window of the promise before from now, or from when that began.
    function commit(uint32 uptimePpm, uint32 window) external returns (uint64 since);

    /// @notice Has the provider slashed for the window from `start` on, for which it gave its promise number `index`.
    /// @param reports Sorted by validator, strictly; all made out to the caller.
    /// @param signatures One of the hot key of each validator, over {reportDigest}.
    function claim(address provider, uint256 index, uint64 start, Report[] calldata reports, bytes[] calldata signatures)
        external
        returns (uint256 slashed);

    function setRule(Rule calldata rule) external;

    /// @notice What a validator signs (EIP-712, under this contract's domain):
    /// `Downtime(address provider,uint64 start,uint32 window,address challenger,address validator,uint32 probes,uint32 failed,bytes32 evidence)`.
    function reportDigest(address provider, uint64 start, uint32 window, address challenger, Report calldata report)
        external
        view
        returns (bytes32);

    /// @notice All promises of the provider, in order.
    function slasOf(address provider) external view returns (Sla[] memory);

    /// @notice The earliest start of a window that can be claimed next.
    function earliestClaim(address provider) external view returns (uint64);

    function rule() external view returns (Rule memory);

    function stakeRegistry() external view returns (address);
}
