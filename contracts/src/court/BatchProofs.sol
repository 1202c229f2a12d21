// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { MessageHashUtils } from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import { IBatchExaminer } from "../interfaces/IBatchExaminer.sol";
import { IJobRegistry } from "../interfaces/IJobRegistry.sol";
import { Merkle } from "../libraries/Merkle.sol";
import { Messages } from "../libraries/Messages.sol";
import { Batch, JobReceipt, JobTicket, KeyGrant } from "../libraries/Types.sol";
import { Evidence } from "./Evidence.sol";
import { LeafProof, RowProof, RowsProof, RunProof, Tree } from "./Faults.sol";

/// @title BatchProofs
/// @notice Makes sure that what is shown of a batch is what its router committed.
abstract contract BatchProofs {
    // Leaves

    function _leaf(address router, LeafProof calldata job) internal view returns (Batch memory record) {
        record = _jobs().batch(router, job.batch);
        bytes32 leaf = Merkle.leafHash(abi.encode(job.leaf));
        // INVARIANT: only what the router committed is held against it.
        if (!Merkle.verify(record.jobsRoot, leaf, job.position, record.count, job.siblings)) {
            revert IBatchExaminer.BatchExaminer_BadProof(router, job.batch, job.position);
        }
    }

    function _run(address router, RunProof calldata run) internal view returns (Batch memory record) {
        record = _jobs().batch(router, run.batch);
        bytes32[] memory leaves = new bytes32[](run.leaves.length);
        for (uint256 i; i < leaves.length; ++i) {
            leaves[i] = Merkle.leafHash(abi.encode(run.leaves[i]));
        }
        _requireAll(router, run.batch, run.position, record.jobsRoot, leaves, record.count, run.siblings);
    }

    /// @dev Whether one of the run's jobs from `from` on and before `to` has this key.
    function _among(Tree tree, bytes32 key, RunProof calldata run, uint256 from, uint256 to) internal pure returns (bool) {
        for (uint256 i = from; i < to; ++i) {
            if (Evidence.key(tree, run.leaves[i]) == key) return true;
        }
        return false;
    }

    // Rows

    function _row(address router, Tree tree, RowProof calldata row) internal view {
        (bytes32 root, uint32 count) = _treeOf(_jobs().batch(router, row.batch), tree);
        // INVARIANT: only what the router committed is held against it.
        if (!Merkle.verify(root, Merkle.leafHash(Evidence.encode(tree, row.row)), row.position, count, row.siblings)) {
            revert IBatchExaminer.BatchExaminer_BadProof(router, row.batch, row.position);
        }
    }

    function _sum(address router, Tree tree, RowsProof calldata rows)
        internal
        view
        returns (uint256 sum, uint256 fees, bool all, Batch memory record)
    {
        record = _jobs().batch(router, rows.batch);
        (bytes32 root, uint32 count) = _treeOf(record, tree);
        bytes32[] memory leaves = new bytes32[](rows.rows.length);
        for (uint256 i; i < leaves.length; ++i) {
            leaves[i] = Merkle.leafHash(Evidence.encode(tree, rows.rows[i]));
            sum += rows.rows[i].total;
            fees += uint256(rows.rows[i].routerFees) + rows.rows[i].protocolFees;
        }
        _requireAll(router, rows.batch, rows.position, root, leaves, count, rows.siblings);
        all = leaves.length == count;
    }

    /// @dev What the batch before says of this key.
    function _totalBefore(address router, Tree tree, bytes32 key, uint64 batch, RowProof[] calldata before)
        internal
        view
        returns (uint256)
    {
        if (batch == 0) return 0;
        if (before.length == 1 && before[0].row.key == key) {
            _row(router, tree, before[0]);
            // INVARIANT: a batch goes on from the one before it.
            if (before[0].batch != batch - 1) revert IBatchExaminer.BatchExaminer_NotNeighbours();
            return before[0].row.total;
        }
        _requireAbsent(router, tree, key, batch - 1, before);
        return 0;
    }

    /// @dev Whether there is a gap where the row would be. In an honest tree, which is sorted, there is none then.
    function _requireAbsent(address router, Tree tree, bytes32 key, uint64 batch, RowProof[] calldata around) internal view {
        (, uint32 count) = _treeOf(_jobs().batch(router, batch), tree);
        bool gap = count == 0 && around.length == 0;
        for (uint256 i; i < around.length; ++i) {
            _row(router, tree, around[i]);
        }
        if (around.length == 1 && around[0].batch == batch) {
            gap = key < around[0].row.key ? around[0].position == 0 : around[0].row.key < key && around[0].position == count - 1;
        } else if (around.length == 2 && around[0].batch == batch && around[1].batch == batch) {
            gap = around[0].row.key < key && key < around[1].row.key && around[0].position + 1 == around[1].position;
        }
        // INVARIANT: nothing is missing unless its place is shown to be empty.
        if (!gap) revert IBatchExaminer.BatchExaminer_NotNeighbours();
    }

    /// @dev Whether a sum is not what it should be; of some of the terms, whether it is more.
    function _misses(uint256 sum, uint256 right, bool all) internal pure returns (bool) {
        return sum > right || (all && sum != right);
    }

    // Messages

    function _ticketDigest(JobTicket calldata ticket) internal view returns (bytes32) {
        return _digest(Messages.hash(ticket));
    }

    function _requireTicket(JobTicket calldata ticket, bytes32 expected) internal view {
        _requireDigest(_ticketDigest(ticket), expected);
    }

    function _requireReceipt(JobReceipt calldata receipt, bytes32 expected) internal view {
        _requireDigest(_digest(Messages.hash(receipt)), expected);
    }

    function _requireGrant(KeyGrant calldata grant, bytes32 expected) internal view {
        _requireDigest(_digest(Messages.hash(grant)), expected);
    }

    // Helpers

    function _jobs() internal view virtual returns (IJobRegistry);

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_jobs().domainSeparator(), structHash);
    }

    function _requireDigest(bytes32 digest, bytes32 expected) private pure {
        // INVARIANT: a message is what its digest says.
        if (digest != expected) revert IBatchExaminer.BatchExaminer_WrongMessage(digest, expected);
    }

    function _treeOf(Batch memory record, Tree tree) private pure returns (bytes32 root, uint32 count) {
        return tree == Tree.Debits ? (record.debitsRoot, record.grants) : (record.creditsRoot, record.providers);
    }

    function _requireAll(
        address router,
        uint64 batch,
        uint32 position,
        bytes32 root,
        bytes32[] memory leaves,
        uint256 count,
        bytes32[] calldata siblings
    ) private pure {
        uint256[] memory positions = new uint256[](leaves.length);
        for (uint256 i; i < positions.length; ++i) {
            positions[i] = position + i;
        }
        // INVARIANT: only what the router committed is held against it.
        if (!Merkle.verifyMulti(root, leaves, positions, count, siblings)) {
            revert IBatchExaminer.BatchExaminer_BadProof(router, batch, position);
        }
    }
}
