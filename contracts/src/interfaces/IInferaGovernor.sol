// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Governance
/// @notice OpenZeppelin's Governor, with the power of veINFR and two kinds of proposals:
///
/// | | parameter | upgrade |
/// |---|---|---|
/// | what | only calls on the list of parameter calls, without ETH | everything else, and any mixture |
/// | a voter's weight | square root of its power (flat up to 100) | its power |
/// | quorum, of circulating INFR | 4 % | 8 % |
///
/// What a proposal *does* decides its kind when it is made, never what its proposer says. The list starts with the setters of
/// the settlement contracts; only an upgrade proposal changes it, and some calls can never be on it.
///
/// **Quorum** compares powers, undampened, for and abstaining, with the INFR that circulates at the snapshot: the supply (burned
/// INFR has left it) less what the vesting wallets have not set free. Counting undampened power means that a quorum cannot be met by
/// dividing a lock among accounts, and that it says how much of the token took part, whichever kind the proposal is of.
///
/// **Dampening** never makes a vote heavier than its power. Nothing on a chain tells one person's accounts from many persons', so a
/// holder who divides a lock in good time regains weight, up to its flat power; below a power of 100 dividing gains nothing.
///
/// Whatever passes waits in the timelock. Some calls cannot be proposed at all: those that would let others schedule, take something
/// out from behind the timelock, or let an account that is no contract judge: slash stake or void batches.
interface IInferaGovernor {
    /// The stricter kind is the one that a lack of information means.
    enum Kind {
        Upgrade,
        Parameter
    }

    struct ParameterCall {
        address target;
        bytes4 selector;
    }

    /// @param token VeINFR.
    /// @param locked Contracts whose `lockedAt` does not circulate.
    /// @param voteExtension How long voting goes on, at least, after the quorum was reached.
    struct Setup {
        address timelock;
        address token;
        address infr;
        address[] locked;
        uint48 votingDelay;
        uint32 votingPeriod;
        uint48 voteExtension;
        uint256 proposalThreshold;
        ParameterCall[] parameterCalls;
    }

    event ProposalClassified(uint256 indexed proposalId, Kind kind);
    event ParameterCallChanged(address indexed target, bytes4 indexed selector, bool allowed);

    error InferaGovernor_ZeroAddress();
    error InferaGovernor_TooManyLocked(uint256 count, uint256 highest);
    error InferaGovernor_LockedNotHeld(address wallet, uint256 locked, uint256 held);
    error InferaGovernor_OutOfBounds(uint256 value, uint256 lowest, uint256 highest);
    error InferaGovernor_NeverAParameter(address target, bytes4 selector);
    error InferaGovernor_ForbiddenCall(address target, bytes4 selector);
    error InferaGovernor_NotAJudge(address judge);

    /// @notice Puts calls of `selector` on `target` on or off the list of parameter calls. Only by an upgrade proposal.
    /// @dev Proposals that were already made keep their kind.
    function setParameterCall(address target, bytes4 selector, bool allowed) external;

    /// @notice Whether a proposal of this one call, without ETH, would be a parameter proposal.
    function isParameterCall(address target, bytes4 selector) external view returns (bool);

    /// @notice The kind a proposal of these calls would be of.
    function classify(address[] memory targets, uint256[] memory values, bytes[] memory calldatas) external view returns (Kind);

    /// @notice The kind a proposal is of.
    function kindOf(uint256 proposalId) external view returns (Kind);

    /// @notice The power, undampened, that has to take part in the proposal. Known from its snapshot on.
    function quorumOf(uint256 proposalId) external view returns (uint256);

    /// @notice The power, undampened, that voted for it or abstained.
    function participationOf(uint256 proposalId) external view returns (uint256);

    /// @notice What a vote with `power` weighs in a proposal of `kind`.
    function weightOf(Kind kind, uint256 power) external pure returns (uint256);

    /// @notice The supply at `timepoint` less what was locked then. For times in the past.
    function circulatingSupply(uint256 timepoint) external view returns (uint256);

    /// @notice VeINFR. Under this name voting front ends look for it.
    function token() external view returns (address);

    function infr() external view returns (address);

    function lockedSupplies() external view returns (address[] memory);
}
