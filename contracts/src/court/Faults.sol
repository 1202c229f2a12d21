// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobLeaf } from "../libraries/Types.sol";

/// What was proved against a router.
enum Fault {
    None,
    Duplicate,
    GrantTotal,
    ProviderTotal,
    Debit,
    Credit,
    Order,
    Missing,
    Sum,
    Tier,
    Ticket,
    Cost,
    Grant,
    Unrevealed,
    Equivocation
}

/// What an examiner found: the fault, the batch it is in, and the account the evidence names, if any.
struct Finding {
    address router;
    uint64 batch;
    Fault fault;
    address harmed;
}

/// The two cumulative trees of a batch.
enum Tree {
    Debits,
    Credits
}

/// A row of a cumulative tree: a grant's debit, or a provider's credit. `key` is the grant's digest, or the provider's address as
/// a number; a credit has no fees.
struct Row {
    bytes32 key;
    uint128 total;
    uint128 routerFees;
    uint128 protocolFees;
}

/// A job of a batch, with its proof.
struct LeafProof {
    uint64 batch;
    uint32 position;
    JobLeaf leaf;
    bytes32[] siblings;
}

/// Jobs of a batch that stand next to each other, the first at `position`, with their multi-proof.
struct RunProof {
    uint64 batch;
    uint32 position;
    JobLeaf[] leaves;
    bytes32[] siblings;
}

/// A row of one of a batch's cumulative trees, with its proof.
struct RowProof {
    uint64 batch;
    uint32 position;
    Row row;
    bytes32[] siblings;
}

/// Rows that stand next to each other, the first at `position`, with their multi-proof.
struct RowsProof {
    uint64 batch;
    uint32 position;
    Row[] rows;
    bytes32[] siblings;
}
