// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Finding, LeafProof, RowProof, RowsProof, RunProof, Tree } from "../court/Faults.sol";
import { JobReceipt, JobTicket, KeyGrant } from "../libraries/Types.sol";

/// @title What is wrong with a batch
/// @notice Looks at evidence against a batch that stands and says which fault it shows, if any; reverts if it is no evidence. Changes
/// nothing and knows nobody: {IBatchCourt} acts on what it finds, and anyone can ask beforehand. Evidence is exact: leaves with their
/// proofs, and messages whose digests the leaves hold.
interface IBatchExaminer {
    error BatchExaminer_BadProof(address router, uint64 batch, uint32 position);
    error BatchExaminer_WrongMessage(bytes32 digest, bytes32 expected);
    error BatchExaminer_NotTheRun();
    error BatchExaminer_NotNeighbours();
    error BatchExaminer_ZeroAddress();

    // Evidence of leaves alone. `tree` says whether grants (Debits) or providers (Credits) are looked at. A job adds exactly its
    // cost to its grant's total; to its provider's it adds at most its cost, and at least its cost without the highest fees.

    /// @notice Two jobs of the router, the one committed before the other: the same ticket twice, or a running total that grew by less
    /// than the later job adds. The later one's batch is at fault.
    function examinePair(address router, LeafProof calldata earlier, LeafProof calldata later)
        external
        view
        returns (Finding memory);

    /// @notice A run of jobs whose first and last, and none between, have the same grant (or provider), and whose last total is not the
    /// first and what the last job adds.
    function examineRun(address router, Tree tree, RunProof calldata run) external view returns (Finding memory);

    /// @notice A run from the first job on, whose last is the first of its grant (or provider), and whose total there is not that of the
    /// batch before and what the job adds.
    /// @param before The row in the batch before; or the rows around the gap where it would be; or nothing where there is no tree.
    function examineHead(address router, Tree tree, RunProof calldata run, RowProof[] calldata before)
        external
        view
        returns (Finding memory);

    /// @notice A run to the last job, whose first is the last of its grant (or provider), and whose total is not the row's.
    function examineTail(address router, Tree tree, RunProof calldata run, RowProof calldata row)
        external
        view
        returns (Finding memory);

    /// @notice A job and a row of the same grant (or provider): a row of the same or a later batch that is less than the job's total, or a
    /// row of an earlier batch from which the job's total did not grow enough.
    function examineRow(address router, Tree tree, LeafProof calldata job, RowProof calldata row)
        external
        view
        returns (Finding memory);

    /// @notice Two rows: in one batch in the wrong order or twice; or of the same grant (or provider) and less in the later batch.
    function examineRows(address router, Tree tree, RowProof calldata earlier, RowProof calldata later)
        external
        view
        returns (Finding memory);

    /// @notice A job whose grant (or provider) has no row in its own or a later batch: the rows around the gap where it would be.
    function examineMissing(address router, Tree tree, LeafProof calldata job, uint64 batch, RowProof[] calldata around)
        external
        view
        returns (Finding memory);

    /// @notice Rows next to each other that add up to more than the header says; or all rows, and they add up to something else.
    function examineSum(address router, Tree tree, RowsProof calldata rows) external view returns (Finding memory);

    /// @notice Jobs next to each other that cost more than the header's total grew; or all jobs, and they cost something else.
    function examineCosts(address router, RunProof calldata run) external view returns (Finding memory);

    /// @notice A job of a tier the header does not name.
    function examineTier(address router, LeafProof calldata job) external view returns (Finding memory);

    // Evidence of messages whose digests the leaf holds

    /// @notice The ticket of the job is another router's, or says otherwise about account, grant, provider or tier, or allows less.
    function examineTicket(address router, LeafProof calldata job, JobTicket calldata ticket) external view returns (Finding memory);

    /// @notice The receipt of the job is for another ticket, or the job does not cost what ticket and receipt come to.
    function examineCost(address router, LeafProof calldata job, JobTicket calldata ticket, JobReceipt calldata receipt)
        external
        view
        returns (Finding memory);

    /// @notice The ticket of the job is outside its grant: account, router, model, prices, cap per job, validity.
    function examineGrant(address router, LeafProof calldata job, JobTicket calldata ticket, KeyGrant calldata grant)
        external
        view
        returns (Finding memory);

    function jobRegistry() external view returns (address);
}
