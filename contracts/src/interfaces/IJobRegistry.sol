// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Batch, BatchHeader, JobLeaf, JobReceipt, JobTicket, KeyGrant, ProviderOffer, Verdict } from "../libraries/Types.sol";

/// @title The log of settled work
/// @notice Routers commit batches of up to 10,000 jobs: the root of the jobs, and the roots of everything this router ever
/// debited and credited. `BatchCommitted` is the public usage log. A batch is final once its challenge window is over; windows
/// never end out of order, so the newest final batch covers all before it. Any single job can be proved against its batch.
///
/// Until a batch is final, a *court* can stop it. `hold` keeps the batch and all after it from becoming final until `release`.
/// `rollback` voids the batch and all after it: they cease to exist, the router goes on from the last sound one, and the
/// indices are committed anew. Every rollback starts an *epoch* of the router; index and epoch together name one batch for ever.
/// What is final is never touched.
///
/// The registry is also the `verifyingContract` of the INFERA/1 EIP-712 domain, and computes every message's digest.
interface IJobRegistry {
    /// @notice A batch was committed; `finalAt` is when it becomes final.
    event BatchCommitted(address indexed router, uint64 indexed index, BatchHeader header, uint64 finalAt);
    event ChallengeWindowChanged(uint64 window);
    event CourtChanged(address indexed court, bool allowed);
    /// @notice The batch, and every later one, does not become final before it is released.
    event BatchHeld(address indexed router, uint64 indexed index);
    event BatchReleased(address indexed router, uint64 indexed index);
    /// @notice `count` batches from `index` on are void. The router's next batch has this index, in the new epoch.
    event BatchesVoided(address indexed router, uint64 indexed index, uint64 count, uint16 epoch);

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
    error JobRegistry_NotCourt(address caller);
    error JobRegistry_AlreadyFinal(address router, uint64 index);

    /// @notice Commits the router's next batch. Sent by the router's hot key or its cold address.
    function commitBatch(BatchHeader calldata header) external returns (uint64 finalAt);

    function setChallengeWindow(uint64 window) external;

    /// @notice Names a contract that judges batches, or dismisses it. What a dismissed court holds stays held until another releases it.
    function setCourt(address court, bool allowed) external;

    /// @notice Keeps the batch and all after it from becoming final. Only a batch whose own window is running can be held, so
    /// nothing that is final ever ceases to be, and no batch is held twice in a row.
    /// @return held False if the window is over; nothing was done then.
    function hold(address router, uint64 index) external returns (bool held);

    /// @notice Ends a hold. Batches whose windows are over by then become final at once, unless one before them is held.
    function release(address router, uint64 index) external;

    /// @notice Voids the batch and all after it. Reverts if the batch is final.
    /// @return epoch The epoch in which the router goes on.
    function rollback(address router, uint64 index) external returns (uint16 epoch);

    function isCourt(address account) external view returns (bool);

    /// @notice How often the router had been rolled back when the batch was committed. Reverts if there is no such batch.
    function epochOf(address router, uint64 index) external view returns (uint16);

    /// @notice How many batches of the router stand; also the index of its next one.
    function batchCount(address router) external view returns (uint64);

    /// @notice A committed batch. Reverts if there is none.
    function batch(address router, uint64 index) external view returns (Batch memory);

    /// @notice When the batch becomes, or became, final; the largest number while it is held.
    function finality(address router, uint64 index) external view returns (uint64 finalAt);

    /// @notice Whether the batch exists, its challenge window is over and nothing holds it.
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
