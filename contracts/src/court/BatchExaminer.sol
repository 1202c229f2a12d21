// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IBatchExaminer } from "../interfaces/IBatchExaminer.sol";
import { IJobRegistry } from "../interfaces/IJobRegistry.sol";
import { Batch, JobReceipt, JobTicket, KeyGrant } from "../libraries/Types.sol";
import { BatchProofs } from "./BatchProofs.sol";
import { Evidence } from "./Evidence.sol";
import { Fault, Finding, LeafProof, RowProof, RowsProof, RunProof, Tree } from "./Faults.sol";

/// @title BatchExaminer
/// @notice Finds what is wrong with a batch. See {IBatchExaminer}, which is its specification.
contract BatchExaminer is IBatchExaminer, BatchProofs {
    IJobRegistry private immutable JOBS;

    constructor(address jobRegistry_) {
        // INVARIANT: the examiner knows the batches it looks at.
        if (jobRegistry_ == address(0)) revert BatchExaminer_ZeroAddress();
        JOBS = IJobRegistry(jobRegistry_);
    }

    // Evidence of leaves

    /// @inheritdoc IBatchExaminer
    function examinePair(address router, LeafProof calldata earlier, LeafProof calldata later)
        external
        view
        returns (Finding memory)
    {
        _leaf(router, earlier);
        _leaf(router, later);
        // INVARIANT: the order of two jobs is that of their batches, then of their positions.
        if (later.batch < earlier.batch || (later.batch == earlier.batch && later.position <= earlier.position)) {
            revert BatchExaminer_NotNeighbours();
        }
        return Finding(router, later.batch, Evidence.ofPair(earlier.leaf, later.leaf), later.leaf.account);
    }

    /// @inheritdoc IBatchExaminer
    function examineRun(address router, Tree tree, RunProof calldata run) external view returns (Finding memory) {
        _run(router, run);
        uint256 last = run.leaves.length - 1;
        bytes32 key = Evidence.key(tree, run.leaves[0]);
        // INVARIANT: two jobs of one grant are judged as neighbours only where none between them has it.
        if (last == 0 || Evidence.key(tree, run.leaves[last]) != key || _among(tree, key, run, 1, last)) {
            revert BatchExaminer_NotTheRun();
        }
        bool sound = Evidence.follows(tree, Evidence.total(tree, run.leaves[0]), run.leaves[last]);
        return Finding(router, run.batch, sound ? Fault.None : Evidence.ofTotal(tree), run.leaves[last].account);
    }

    /// @inheritdoc IBatchExaminer
    function examineHead(address router, Tree tree, RunProof calldata run, RowProof[] calldata before)
        external
        view
        returns (Finding memory)
    {
        _run(router, run);
        uint256 last = run.leaves.length - 1;
        bytes32 key = Evidence.key(tree, run.leaves[last]);
        // INVARIANT: a job is judged as the first of its grant only where all before it are shown.
        if (run.position != 0 || _among(tree, key, run, 0, last)) revert BatchExaminer_NotTheRun();
        uint256 start = _totalBefore(router, tree, key, run.batch, before);
        bool sound = Evidence.follows(tree, start, run.leaves[last]);
        return Finding(router, run.batch, sound ? Fault.None : Evidence.ofTotal(tree), run.leaves[last].account);
    }

    /// @inheritdoc IBatchExaminer
    function examineTail(address router, Tree tree, RunProof calldata run, RowProof calldata row)
        external
        view
        returns (Finding memory)
    {
        Batch memory record = _run(router, run);
        _row(router, tree, row);
        bytes32 key = Evidence.key(tree, run.leaves[0]);
        // INVARIANT: a job is judged as the last of its grant only where all after it are shown, against the row of its own batch.
        if (
            run.position + run.leaves.length != record.count || _among(tree, key, run, 1, run.leaves.length)
                || row.batch != run.batch || row.row.key != key
        ) revert BatchExaminer_NotTheRun();
        bool sound = Evidence.total(tree, run.leaves[0]) == row.row.total;
        return Finding(router, run.batch, sound ? Fault.None : Evidence.ofRow(tree), run.leaves[0].account);
    }

    /// @inheritdoc IBatchExaminer
    function examineRow(address router, Tree tree, LeafProof calldata job, RowProof calldata row)
        external
        view
        returns (Finding memory)
    {
        _leaf(router, job);
        _row(router, tree, row);
        // INVARIANT: a job is compared with the row of its own grant.
        if (Evidence.key(tree, job.leaf) != row.row.key) revert BatchExaminer_NotNeighbours();
        if (row.batch < job.batch) {
            bool shrank = Evidence.shrank(tree, row.row.total, job.leaf);
            return Finding(router, job.batch, shrank ? Evidence.ofTotal(tree) : Fault.None, job.leaf.account);
        } else {
            bool less = row.row.total < Evidence.total(tree, job.leaf);
            return Finding(router, row.batch, less ? Evidence.ofRow(tree) : Fault.None, job.leaf.account);
        }
    }

    /// @inheritdoc IBatchExaminer
    function examineRows(address router, Tree tree, RowProof calldata earlier, RowProof calldata later)
        external
        view
        returns (Finding memory)
    {
        _row(router, tree, earlier);
        _row(router, tree, later);
        Fault fault;
        if (earlier.batch == later.batch) {
            if (earlier.position < later.position && earlier.row.key >= later.row.key) fault = Fault.Order;
        } else if (earlier.batch < later.batch && earlier.row.key == later.row.key) {
            bool less = later.row.total < earlier.row.total;
            if (tree == Tree.Debits) {
                less = less || later.row.routerFees < earlier.row.routerFees || later.row.protocolFees < earlier.row.protocolFees;
            }
            if (less) fault = Evidence.ofRow(tree);
        }
        return Finding(router, later.batch, fault, address(0));
    }

    /// @inheritdoc IBatchExaminer
    function examineMissing(address router, Tree tree, LeafProof calldata job, uint64 batch, RowProof[] calldata around)
        external
        view
        returns (Finding memory)
    {
        _leaf(router, job);
        // INVARIANT: a row is missed only from the job's own batch on.
        if (batch < job.batch) revert BatchExaminer_NotNeighbours();
        _requireAbsent(router, tree, Evidence.key(tree, job.leaf), batch, around);
        return Finding(router, batch, Fault.Missing, job.leaf.account);
    }

    /// @inheritdoc IBatchExaminer
    function examineSum(address router, Tree tree, RowsProof calldata rows) external view returns (Finding memory) {
        (uint256 sum, uint256 fees, bool all, Batch memory record) = _sum(router, tree, rows);
        bool wrong;
        if (tree == Tree.Debits) {
            wrong = _misses(sum, record.debited, all) || _misses(fees, record.debited - record.credited, all);
        } else {
            wrong = _misses(sum, record.credited, all);
        }
        return Finding(router, rows.batch, wrong ? Fault.Sum : Fault.None, address(0));
    }

    /// @inheritdoc IBatchExaminer
    function examineCosts(address router, RunProof calldata run) external view returns (Finding memory) {
        Batch memory record = _run(router, run);
        uint256 sum;
        for (uint256 i; i < run.leaves.length; ++i) {
            sum += run.leaves[i].cost;
        }
        uint256 grown = record.debited;
        if (run.batch != 0) grown -= _jobs().batch(router, run.batch - 1).debited;
        bool wrong = _misses(sum, grown, run.leaves.length == record.count);
        return Finding(router, run.batch, wrong ? Fault.Sum : Fault.None, run.leaves[0].account);
    }

    /// @inheritdoc IBatchExaminer
    function examineTier(address router, LeafProof calldata job) external view returns (Finding memory) {
        Batch memory record = _leaf(router, job);
        bool named = job.leaf.tier < 8 && record.tiers & (1 << job.leaf.tier) != 0;
        return Finding(router, job.batch, named ? Fault.None : Fault.Tier, job.leaf.account);
    }

    // Evidence of messages

    /// @inheritdoc IBatchExaminer
    function examineTicket(address router, LeafProof calldata job, JobTicket calldata ticket)
        external
        view
        returns (Finding memory)
    {
        _leaf(router, job);
        _requireTicket(ticket, job.leaf.ticket);
        return Finding(router, job.batch, Evidence.ofTicket(router, job.leaf, ticket), job.leaf.account);
    }

    /// @inheritdoc IBatchExaminer
    function examineCost(address router, LeafProof calldata job, JobTicket calldata ticket, JobReceipt calldata receipt)
        external
        view
        returns (Finding memory)
    {
        _leaf(router, job);
        _requireTicket(ticket, job.leaf.ticket);
        _requireReceipt(receipt, job.leaf.receipt);
        return Finding(router, job.batch, Evidence.ofCost(job.leaf, ticket, receipt), job.leaf.account);
    }

    /// @inheritdoc IBatchExaminer
    function examineGrant(address router, LeafProof calldata job, JobTicket calldata ticket, KeyGrant calldata grant)
        external
        view
        returns (Finding memory)
    {
        _leaf(router, job);
        _requireTicket(ticket, job.leaf.ticket);
        _requireGrant(grant, ticket.grant);
        return Finding(router, job.batch, Evidence.ofGrant(ticket, grant), job.leaf.account);
    }

    /// @inheritdoc IBatchExaminer
    function jobRegistry() external view returns (address) {
        return address(JOBS);
    }

    function _jobs() internal view override returns (IJobRegistry) {
        return JOBS;
    }
}
