// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Batch, BatchHeader, JobLeaf, JobReceipt, JobTicket, KeyGrant, ProviderOffer, Verdict } from "../libraries/Types.sol";

/// @title The log of settled work
/// @notice Routers commit batches of up to 10,000 jobs: the root of the jobs, and the roots of everything this router ever
/// debited and credited. `BatchCommitted` is the public usage log. A batch is final once its challenge window is over; windows
/// never end out of order, so the newest final batch covers all before it. Any single job can be proved against its batch.
///
/// The registry is also the `verifyingContract` of the INFERA/1 EIP-712 domain, and computes every message's digest.
interface IJobRegistry {
    /// @notice A batch was committed; `finalAt` is when it becomes final.
    event BatchCommitted(address indexed router, uint64 indexed index, BatchHeader header, uint64 finalAt);
    event ChallengeWindowChanged(uint64 window);

    error JobRegistry_NotRouter(address caller, address router);
    error JobRegistry_RouterInactive(address router);
    error JobRegistry_WrongIndex(uint64 index, uint64 expected);
    error JobRegistry_CountOutOfRange(uint32 count);
    error JobRegistry_UnknownTiers(uint8 tiers);
    error JobRegistry_Unbalanced(uint128 debited, uint128 credited, uint128 fees);
    error JobRegistry_TotalsDecrease();
    error JobRegistry_UnknownBatch(address router, uint64 index);
    error JobRegistry_NotFinal(address router, uint64 index, uint64 finalAt);
    error JobRegistry_WindowOutOfBounds(uint64 window, uint64 lowest, uint64 highest);
    error JobRegistry_ZeroAddress();

    /// @notice Commits the router's next batch. Sent by the router's hot key or its cold address.
    function commitBatch(BatchHeader calldata header) external returns (uint64 finalAt);

    function setChallengeWindow(uint64 window) external;

    /// @notice How many batches the router has committed; also the index of its next one.
    function batchCount(address router) external view returns (uint64);

    /// @notice A committed batch. Reverts if there is none.
    function batch(address router, uint64 index) external view returns (Batch memory);

    /// @notice When the batch becomes, or became, final.
    function finality(address router, uint64 index) external view returns (uint64 finalAt);

    /// @notice Whether the batch exists and its challenge window is over.
    function isFinal(address router, uint64 index) external view returns (bool);

    /// @notice The router's newest final batch, if any.
    function newestFinal(address router) external view returns (bool exists, uint64 index);

    /// @notice What a debit is proved against. Reverts unless the batch is final.
    function finalDebits(address router, uint64 index) external view returns (bytes32 debitsRoot, uint32 grants, uint64 committedAt);

    /// @notice What a credit is proved against. Reverts unless the batch is final.
    function finalCredits(address router, uint64 index) external view returns (bytes32 creditsRoot, uint32 providers);

    /// @notice Whether `leaf` is job number `position` of the batch.
    function verifyLeaf(address router, uint64 index, JobLeaf calldata leaf, uint32 position, bytes32[] calldata proof)
        external
        view
        returns (bool);

    /// @notice Whether the router signed the ticket, the provider signed the receipt for it, and the receipt charges the price.
    /// @dev Both signatures must be by keys that were not retired when the message says it was made.
    function verifyReceipt(
        JobTicket calldata ticket,
        bytes calldata ticketSignature,
        JobReceipt calldata receipt,
        bytes calldata receiptSignature
    ) external view returns (bool);

    function grantDigest(KeyGrant calldata grant) external view returns (bytes32);

    function ticketDigest(JobTicket calldata ticket) external view returns (bytes32);

    function receiptDigest(JobReceipt calldata receipt) external view returns (bytes32);

    function verdictDigest(Verdict calldata verdict) external view returns (bytes32);

    function offerDigest(ProviderOffer calldata offer) external view returns (bytes32);

    function leafHash(JobLeaf calldata leaf) external pure returns (bytes32);

    /// @notice Cost of a job before the ticket's `maxCost` is applied.
    function cost(uint32 tokensIn, uint32 tokensOut, uint64 priceIn, uint64 priceOut, uint32 premiumBps)
        external
        pure
        returns (uint256);

    function domainSeparator() external view returns (bytes32);

    function challengeWindow() external view returns (uint64);

    function stakeRegistry() external view returns (address);
}
