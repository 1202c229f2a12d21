// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { LeafProof } from "../court/Faults.sol";
import { JobReceipt, JobTicket } from "../libraries/Types.sol";

/// @title The desk for jobs that got lost
/// @notice Two things can be missing from a job, and each side can ask for what the other owes:
///
/// - An *omission*: the provider delivered, and the router commits no batch with the job. The provider shows ticket and receipt. Within
///   the response window the router shows the job in a batch, also one it commits only now, or *concedes* and pays from its bond. If it
///   does neither, the provider is paid from the bond and the router slashed.
/// - A *silence*: the router sent a ticket, and the provider has signed nothing by its deadline. Within the response window the provider
///   shows a receipt, or it is slashed. A receipt over nothing delivered is an answer: the chain cannot see who failed, so what is
///   punished is silence alone, and the receipt is there for all to read.
///
/// Whoever asks leaves a bond; whoever answers gets it. One ticket is asked about once for each. A router or provider that keeps its messages and
/// answers in time loses no stake. No money of a developer is ever moved: what is paid is the router's bond.
interface IClaimDesk {
    enum Status {
        None,
        Open,
        Answered,
        Conceded,
        Expired,
        Refuted
    }

    struct Claim {
        address claimant;
        uint64 dueAt;
        Status status;
        address router;
        uint64 batch;
        uint16 epoch;
        address provider;
        uint96 bond;
        address account;
        uint64 net;
    }

    event OmissionClaimed(
        bytes32 indexed ticket, address indexed router, address indexed provider, bytes32 receipt, uint64 net, uint64 dueAt
    );
    event Included(bytes32 indexed ticket, uint64 batch, uint32 position);
    event Conceded(bytes32 indexed ticket, uint256 paid);
    event OmissionExpired(bytes32 indexed ticket, uint256 paid, uint256 slashed);
    event SilenceClaimed(bytes32 indexed ticket, address indexed router, address indexed provider, address account, uint64 dueAt);
    /// @notice The provider's answer: what it says it delivered and why it stopped.
    event Delivered(bytes32 indexed ticket, bytes32 receipt, uint64 cost, uint8 finishReason);
    event SilenceExpired(bytes32 indexed ticket, uint256 slashed);
    /// @notice The job was proved wrong in a dispute; nothing is owed for it.
    event Dismissed(bytes32 indexed ticket);
    event DisputeManagerChanged(address indexed manager);
    event ParametersChanged(uint64 inclusionPeriod, uint64 responseWindow, uint64 claimPeriod, uint256 claimBond);

    error ClaimDesk_ZeroAddress();
    error ClaimDesk_BadMessages(bytes32 ticket);
    error ClaimDesk_DeliveredLate(uint64 completedAt, uint64 deadline);
    error ClaimDesk_TooEarly(uint256 earliest);
    error ClaimDesk_TooLate(uint256 latest);
    error ClaimDesk_NothingDue(bytes32 ticket);
    error ClaimDesk_AlreadyClaimed(bytes32 ticket);
    error ClaimDesk_NotOpen(bytes32 ticket);
    error ClaimDesk_NotIncluded(bytes32 ticket);
    error ClaimDesk_NotRouter(address caller, address router);
    error ClaimDesk_BondTooSmall(uint256 paid, uint256 due);
    error ClaimDesk_StillTime(uint64 dueAt);
    error ClaimDesk_Refuted(bytes32 ticket);
    error ClaimDesk_NotRefuted(bytes32 ticket);
    error ClaimDesk_OutOfBounds(uint256 value, uint256 lowest, uint256 highest);

    /// @notice Claims that the router left this job out. Takes the claim bond from the caller, who need not be the provider.
    /// @dev From the inclusion period after the ticket's deadline on, and within the claim period. A claim that was answered with a batch which
    /// is void by now can be made again.
    function claimJob(
        JobTicket calldata ticket,
        bytes calldata ticketSignature,
        JobReceipt calldata receipt,
        bytes calldata receiptSignature
    ) external returns (uint64 dueAt);

    /// @notice Answers a claim with the job in a batch. Anyone may, for the router. Any receipt of the ticket will do: whether it is sound
    /// is for {IBatchCourt}.
    function showIncluded(bytes32 ticket, LeafProof calldata job) external;

    /// @notice The router pays what the job would have earned the provider from its bond, in full. Sent by its cold or hot key.
    function concede(bytes32 ticket) external returns (uint256 paid);

    /// @notice Closes a claim that was not answered in time: pays the provider from the bond as far as it reaches, and slashes the router.
    function expireOmission(bytes32 ticket) external returns (uint256 paid);

    /// @notice Closes a claim over a job of which a receipt was refuted in a dispute ({IDisputeManager.isRefuted}): the bond is the router's.
    /// Such a claim cannot be made, conceded or expired either. Anyone may call it.
    function dismiss(bytes32 ticket) external;

    /// @notice Claims that the provider never answered this ticket. Takes the claim bond from the caller.
    function claimSilence(JobTicket calldata ticket, bytes calldata ticketSignature) external returns (uint64 dueAt);

    /// @notice Answers with a receipt of the ticket. Anyone may, for the provider. Any key the provider ever used is good.
    function showReceipt(JobTicket calldata ticket, JobReceipt calldata receipt, bytes calldata receiptSignature) external;

    /// @notice Closes a claim that was not answered in time: slashes the provider, in favour of the ticket's account.
    function expireSilence(bytes32 ticket) external;

    /// @notice For claims made from now on.
    function setParameters(uint64 inclusionPeriod, uint64 responseWindow, uint64 claimPeriod, uint256 claimBond) external;

    /// @notice Names who says which jobs were proved wrong; nobody if zero.
    function setDisputeManager(address manager) external;

    function disputeManager() external view returns (address);

    function omissionOf(bytes32 ticket) external view returns (Claim memory);

    function silenceOf(bytes32 ticket) external view returns (Claim memory);

    /// @notice How often the operator failed to answer.
    function offences(address operator) external view returns (uint256);

    function parameters()
        external
        view
        returns (uint64 inclusionPeriod, uint64 responseWindow, uint64 claimPeriod, uint256 claimBond);

    function paymentVault() external view returns (address);
}
