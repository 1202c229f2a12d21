// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// What an operator does in the network. Stake is held per operator and role.
enum Role {
    None,
    Provider,
    Router,
    Validator
}

/// An account's permission for one API key to be charged by the named routers, within caps. Signed by the account.
struct KeyGrant {
    address account;
    bytes32 keyHash;
    address[] routers;
    bytes32[] models;
    uint64 maxPriceIn;
    uint64 maxPriceOut;
    uint64 perJobCap;
    uint64 dailyCap;
    uint64 totalCap;
    uint64 notBefore;
    uint64 notAfter;
    uint64 generation;
}

/// A router's order to a provider, signed by the router's hot key before dispatch.
struct JobTicket {
    bytes32 jobId;
    uint64 sequence;
    address router;
    address account;
    bytes32 grant;
    address provider;
    bytes32 modelId;
    uint8 tier;
    bytes32 requestHash;
    bytes32 samplingHash;
    uint64 seed;
    uint64 priceIn;
    uint64 priceOut;
    uint32 premiumBps;
    uint32 maxTokensIn;
    uint32 maxTokensOut;
    uint64 maxCost;
    uint64 issuedAt;
    uint64 deadline;
}

/// A provider's statement of what it delivered for a ticket, signed by the provider's hot key.
struct JobReceipt {
    bytes32 ticket;
    bytes32 responseHash;
    uint32 tokensIn;
    uint32 tokensOut;
    uint64 cost;
    uint8 finishReason;
    bytes32 evidence;
    uint64 completedAt;
}

/// A validator's finding about one committed job, signed by the validator's hot key.
struct Verdict {
    bytes32 leaf;
    address validator;
    uint8 outcome;
    bytes32 evidence;
}

/// What a provider offers to serve, signed by the provider's hot key.
struct ProviderOffer {
    address provider;
    bytes32[] models;
    uint8[] tiers;
    uint64 priceIn;
    uint64 priceOut;
    uint32 premiumBps;
    uint32 tokensPerSecond;
    uint32 capacity;
    string region;
    uint64 notAfter;
}

/// A leaf of a batch's job tree.
struct JobLeaf {
    bytes32 ticket;
    bytes32 receipt;
    address account;
    bytes32 grant;
    address provider;
    uint64 cost;
    uint8 tier;
    uint128 grantTotal;
    uint128 providerTotal;
}

/// A leaf of a router's cumulative debit tree.
struct DebitLeaf {
    bytes32 grant;
    uint128 debited;
    uint128 routerFees;
    uint128 protocolFees;
}

/// A leaf of a router's cumulative credit tree.
struct CreditLeaf {
    address provider;
    uint128 credited;
}

/// What a router commits for one batch of jobs.
struct BatchHeader {
    address router;
    uint64 index;
    bytes32 jobsRoot;
    bytes32 debitsRoot;
    bytes32 creditsRoot;
    bytes32 decisionsRoot;
    uint32 count;
    uint32 grants;
    uint32 providers;
    uint8 tiers;
    uint128 debited;
    uint128 credited;
    uint128 fees;
}

/// What the registry keeps of a committed batch; `fees` is `debited - credited`.
struct Batch {
    bytes32 jobsRoot;
    bytes32 debitsRoot;
    bytes32 creditsRoot;
    bytes32 decisionsRoot;
    uint32 count;
    uint32 grants;
    uint32 providers;
    uint8 tiers;
    uint40 committedAt;
    uint40 finalAt;
    uint48 committedIn;
    uint128 debited;
    uint128 credited;
}
