// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Batch, BatchHeader, JobLeaf, JobReceipt, JobTicket, KeyGrant, ProviderOffer, Verdict } from "../libraries/Types.sol";

/// @title The log of settled work
/// @notice Routers commit batches of up to 10,000 jobs: the root of the jobs, and the roots of everything this router ever
/// debited and credited. `BatchCommitted` is the public usage log. A batch is final once its challenge window is over; windows
/// never end out of order, so the newest final batch covers all before it. Any single job can be proved against its batch.
///
/// Until a batch is final, a *court* can stop it. `hold` keeps the batch and all after it from becoming final until `release`. Holds
/// belong to the court that placed them: a batch waits for every court that holds it, and none ends another's hold. A hold lapses by itself when
/// the longest hold that any court declared when the batch was committed has passed since the end of its window: every batch is final, or void, within
/// `finalityBound` of its commit.
/// `rollback` voids the batch and all after it: they cease to exist, the router goes on from the last sound one, and the
/// indices are committed anew; what anyone held among them is void too. Every rollback starts an *epoch* of the router; index and epoch together name one batch for ever.
/// What is final is never touched.
///
/// The registry is also the `verifyingContract` of the INFERA/1 EIP-712 domain, and computes every message's digest.
interface IJobRegistry {
    /// @notice A batch was committed; `finalAt` is when it becomes final.
    event BatchCommitted(address indexed router, uint64 indexed index, BatchHeader header, uint64 finalAt);
    event ChallengeWindowChanged(uint64 window);
    event CourtChanged(address indexed court, bool allowed);
    /// @notice The batch, and every later one, does not become final before this court releases it, or its patience is over.
    event BatchHeld(address indexed router, uint64 indexed index, address indexed court);
    event BatchReleased(address indexed router, uint64 indexed index, address indexed court);
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
    error JobRegistry_HoldOutOfBounds(address court, uint64 longest, uint64 highest);
    error JobRegistry_StakeUnaware(address stakeRegistry);
    error JobRegistry_AlreadyFinal(address router, uint64 index);

    /// @notice Commits the router's next batch. Sent by the router's hot key or its cold address.
    function commitBatch(BatchHeader calldata header) external returns (uint64 finalAt);

    function setChallengeWindow(uint64 window) external;

    /// @notice Names a contract that judges batches, or dismisses it. A court says how long it holds ({ICourt}); name it again after its
    /// parameters changed. What a dismissed court holds stays held until it releases it, or until the hold lapses.
    /// @dev Batches keep the longest hold under which they were committed. Needs a stake registry that knows this registry.
    function setCourt(address court, bool allowed) external;

    /// @notice Keeps the batch and all after it from becoming final. Only a batch whose own window is running can be held, so
    /// nothing that is final ever ceases to be. A court holds a batch once, however often it says so.
    /// @return held False if the window is over; nothing was done then.
    function hold(address router, uint64 index) external returns (bool held);

    /// @notice Ends the caller's hold of the batch of that index and epoch; does nothing if there is none, or the batch is void. Batches
    /// whose windows are over by then become final at once, unless they or one before them is held, by whomever.
    function release(address router, uint64 index, uint16 epoch) external;

    /// @notice Frees the router's later batches of holds that have lapsed. Anyone may call it; a lapsed batch itself is final without it.
    function lapse(address router) external;

    /// @notice Voids the batch and all after it. Reverts if the batch is final.
    /// @return epoch The epoch in which the router goes on.
    function rollback(address router, uint64 index) external returns (uint16 epoch);

    function isCourt(address account) external view returns (bool);

    function courts() external view returns (address[] memory);

    /// @notice Whether this court placed a hold on the batch and has not released it. Reverts if there is no such batch.
    function isHeldBy(address court, address router, uint64 index) external view returns (bool);

    /// @notice How often the router had been rolled back when the batch was committed. Reverts if there is no such batch.
    function epochOf(address router, uint64 index) external view returns (uint16);

    /// @notice How many batches of the router stand; also the index of its next one.
    function batchCount(address router) external view returns (uint64);

    /// @notice A committed batch. Reverts if there is none.
    function batch(address router, uint64 index) external view returns (Batch memory);

    /// @notice When the batch becomes, or became, final: the end of its window; while it is held, when holds of it lapse.
    function finality(address router, uint64 index) external view returns (uint64 finalAt);

    /// @notice Whether the batch exists, its challenge window is over and nothing holds it any more.
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

    /// @notice The longest that a court may hold a batch beyond its window; zero without courts.
    function longestHold() external view returns (uint64);

    /// @notice Within what time of its commit any batch is final or void: challenge window and longest hold. What they were before still
    /// counts for as long as a batch from that time can be open. What leaves the vault or the stake registry takes longer.
    function finalityBound() external view returns (uint64);

    function stakeRegistry() external view returns (address);
}
