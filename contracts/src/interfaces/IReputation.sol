// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// What came of a check. The first three are the outcomes of a `Verdict`; a refusal is a provider that declined a request.
enum Finding {
    None,
    Upheld,
    Mismatch,
    Undecided,
    Refused
}

/// How reputation moves. Weights and rates are in parts per million.
struct ReputationRule {
    uint32 upheldWeight;
    uint32 mismatchWeight;
    uint32 baseRate;
    uint64 halfLife;
}

/// @title Reputation of providers
/// @notice An exponentially weighted average of what checks of a provider's work found, between 0 and 1,000,000. Half way is
/// neutral: where everybody starts and where everybody slowly returns, because old findings say little about today. A finding moves
/// the average towards 1,000,000 (upheld) or 0 (mismatch) by its weight. What decides nothing changes nothing: neither an
/// undecided check nor a refusal.
///
/// With the time since the provider registered it gives the rate at which the provider's jobs are checked.
interface IReputation {
    event Registered(address indexed provider, uint64 since);
    event Recorded(address indexed provider, Finding indexed finding, address indexed writer, uint32 reputationPpm);
    event WriterChanged(address indexed writer, bool allowed);
    event RuleChanged(ReputationRule rule);

    error Reputation_ZeroAddress();
    error Reputation_NotWriter(address caller);
    error Reputation_UnknownFinding();
    error Reputation_AlreadyRegistered(address provider, uint64 since);
    error Reputation_NotProvider(address provider);
    error Reputation_RuleOutOfBounds();

    /// @notice Starts a provider's tenure. Anyone may call it for a provider with stake.
    function register(address provider) external;

    /// @notice Takes a finding into a provider's reputation. By contracts the governor named.
    function record(address provider, Finding finding) external returns (uint32 reputationPpm);

    function setWriter(address writer, bool allowed) external;

    function setRule(ReputationRule calldata rule) external;

    /// @notice The reputation at this moment, decay included.
    function reputationPpm(address provider) external view returns (uint32);

    /// @notice Seconds since the provider registered; zero if it has not.
    function tenure(address provider) external view returns (uint64);

    /// @notice How many of a million of the provider's jobs are checked: 100,000 at first, `baseRate` after 30 days, 5,000 from 180
    /// days on, moved back towards 100,000 in proportion to the reputation that is missing.
    function samplingRatePpm(address provider) external view returns (uint32);

    /// @notice The same for any tenure, reputation and base rate.
    function samplingRate(uint64 tenure_, uint32 reputation, uint32 baseRate) external pure returns (uint32);

    /// @notice How many findings of each kind that counts there were.
    function findings(address provider) external view returns (uint64 upheld, uint64 mismatches);

    function isWriter(address account) external view returns (bool);

    function rule() external view returns (ReputationRule memory);

    function stakeRegistry() external view returns (address);
}
