// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Pricing } from "../libraries/Pricing.sol";
import { JobLeaf, JobReceipt, JobTicket, KeyGrant } from "../libraries/Types.sol";
import { Fault, Row, Tree } from "./Faults.sol";

/// @title Evidence
/// @notice What is wrong with leaves, rows and messages, once it is certain that they are what they claim to be.
/// @dev Each function answers for what is in front of it alone, and finds no fault in anything an honest router can have committed.
/// Sums are in 256 bits, so no total can wrap its way out.
library Evidence {
    /// @dev The highest fee there can be; see `PaymentVault.MAX_FEE_BPS`. Fees change over time, and a leaf does not say which applied.
    uint256 internal constant HIGHEST_FEE_BPS = 500;

    function key(Tree tree, JobLeaf calldata leaf) internal pure returns (bytes32) {
        return tree == Tree.Debits ? leaf.grant : bytes32(uint256(uint160(leaf.provider)));
    }

    function total(Tree tree, JobLeaf calldata leaf) internal pure returns (uint256) {
        return tree == Tree.Debits ? leaf.grantTotal : leaf.providerTotal;
    }

    /// @notice The least that a job adds to its total.
    function least(Tree tree, JobLeaf calldata leaf) internal pure returns (uint256) {
        return tree == Tree.Debits ? leaf.cost : leaf.cost - 2 * Pricing.fee(leaf.cost, HIGHEST_FEE_BPS);
    }

    /// @notice Whether a total that was `before` can be what `leaf` says right after the job.
    function follows(Tree tree, uint256 before, JobLeaf calldata leaf) internal pure returns (bool) {
        uint256 after_ = total(tree, leaf);
        return after_ >= before + least(tree, leaf) && after_ <= before + leaf.cost;
    }

    /// @notice Whether a total that was `before` some time before the job has grown too little at it.
    function shrank(Tree tree, uint256 before, JobLeaf calldata leaf) internal pure returns (bool) {
        return total(tree, leaf) < before + least(tree, leaf);
    }

    function ofPair(JobLeaf calldata earlier, JobLeaf calldata later) internal pure returns (Fault) {
        if (earlier.ticket == later.ticket) return Fault.Duplicate;
        if (earlier.grant == later.grant && shrank(Tree.Debits, earlier.grantTotal, later)) return Fault.GrantTotal;
        if (earlier.provider == later.provider && shrank(Tree.Credits, earlier.providerTotal, later)) return Fault.ProviderTotal;
        return Fault.None;
    }

    function ofTotal(Tree tree) internal pure returns (Fault) {
        return tree == Tree.Debits ? Fault.GrantTotal : Fault.ProviderTotal;
    }

    function ofRow(Tree tree) internal pure returns (Fault) {
        return tree == Tree.Debits ? Fault.Debit : Fault.Credit;
    }

    function ofTicket(address router, JobLeaf calldata leaf, JobTicket calldata ticket) internal pure returns (Fault) {
        bool agree = ticket.router == router && ticket.account == leaf.account && ticket.grant == leaf.grant
            && ticket.provider == leaf.provider && ticket.tier == leaf.tier && leaf.cost <= ticket.maxCost;
        return agree ? Fault.None : Fault.Ticket;
    }

    function ofCost(JobLeaf calldata leaf, JobTicket calldata ticket, JobReceipt calldata receipt) internal pure returns (Fault) {
        uint256 price = Pricing.cost(receipt.tokensIn, receipt.tokensOut, ticket.priceIn, ticket.priceOut, ticket.premiumBps);
        uint256 due = price < ticket.maxCost ? price : ticket.maxCost;
        bool right = receipt.ticket == leaf.ticket && receipt.cost == due && leaf.cost == due
            && receipt.tokensIn <= ticket.maxTokensIn && receipt.tokensOut <= ticket.maxTokensOut
            && receipt.completedAt >= ticket.issuedAt;
        return right ? Fault.None : Fault.Cost;
    }

    function ofGrant(JobTicket calldata ticket, KeyGrant calldata grant) internal pure returns (Fault) {
        bool within = ticket.account == grant.account && ticket.priceIn <= grant.maxPriceIn && ticket.priceOut <= grant.maxPriceOut
            && ticket.maxCost <= grant.perJobCap && ticket.issuedAt >= grant.notBefore && ticket.issuedAt <= grant.notAfter;
        if (!within) return Fault.Grant;
        bool found;
        for (uint256 i; i < grant.routers.length && !found; ++i) {
            found = grant.routers[i] == ticket.router;
        }
        if (!found) return Fault.Grant;
        found = grant.models.length == 0;
        for (uint256 i; i < grant.models.length && !found; ++i) {
            found = grant.models[i] == ticket.modelId;
        }
        return found ? Fault.None : Fault.Grant;
    }

    /// @notice What a first offence weighs, in basis points of the router's stake.
    function weight(Fault fault) internal pure returns (uint256) {
        if (fault == Fault.Equivocation) return 5_000;
        if (fault == Fault.Duplicate || fault >= Fault.Tier && fault <= Fault.Grant) return 2_500;
        return 1_000;
    }

    function encode(Tree tree, Row memory row) internal pure returns (bytes memory) {
        return tree == Tree.Debits ? abi.encode(row) : abi.encode(row.key, row.total);
    }
}
