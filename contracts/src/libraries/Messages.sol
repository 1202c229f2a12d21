// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobReceipt, JobTicket, KeyGrant, ProviderOffer, Verdict } from "./Types.sol";

/// @title Messages
/// @notice EIP-712 types of the messages that travel between developers, routers, providers and validators.
/// @dev A struct of value types is encoded by `abi.encode` exactly as EIP-712 asks (one padded word per member), so such
/// messages are hashed in one go; members of dynamic type are replaced by their hash.
library Messages {
    bytes32 internal constant KEY_GRANT_TYPEHASH = keccak256(
        "KeyGrant(address account,bytes32 keyHash,address[] routers,bytes32[] models,uint64 maxPriceIn,uint64 maxPriceOut,uint64 perJobCap,uint64 dailyCap,uint64 totalCap,uint64 notBefore,uint64 notAfter,uint64 generation)"
    );
    bytes32 internal constant JOB_TICKET_TYPEHASH = keccak256(
        "JobTicket(bytes32 jobId,uint64 sequence,address router,address account,bytes32 grant,address provider,bytes32 modelId,uint8 tier,bytes32 requestHash,bytes32 samplingHash,uint64 seed,uint64 priceIn,uint64 priceOut,uint32 premiumBps,uint32 maxTokensIn,uint32 maxTokensOut,uint64 maxCost,uint64 issuedAt,uint64 deadline)"
    );
    bytes32 internal constant JOB_RECEIPT_TYPEHASH = keccak256(
        "JobReceipt(bytes32 ticket,bytes32 responseHash,uint32 tokensIn,uint32 tokensOut,uint64 cost,uint8 finishReason,bytes32 evidence,uint64 completedAt)"
    );
    bytes32 internal constant VERDICT_TYPEHASH =
        keccak256("Verdict(bytes32 leaf,address validator,uint8 outcome,bytes32 evidence)");
    bytes32 internal constant PROVIDER_OFFER_TYPEHASH = keccak256(
        "ProviderOffer(address provider,bytes32[] models,uint8[] tiers,uint64 priceIn,uint64 priceOut,uint32 premiumBps,uint32 tokensPerSecond,uint32 capacity,string region,uint64 notAfter)"
    );

    function hash(KeyGrant memory grant) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                abi.encode(
                    KEY_GRANT_TYPEHASH,
                    grant.account,
                    grant.keyHash,
                    keccak256(abi.encodePacked(grant.routers)),
                    keccak256(abi.encodePacked(grant.models)),
                    grant.maxPriceIn,
                    grant.maxPriceOut
                ),
                abi.encode(grant.perJobCap, grant.dailyCap, grant.totalCap, grant.notBefore, grant.notAfter, grant.generation)
            )
        );
    }

    function hash(JobTicket memory ticket) internal pure returns (bytes32) {
        return keccak256(abi.encode(JOB_TICKET_TYPEHASH, ticket));
    }

    function hash(JobReceipt memory receipt) internal pure returns (bytes32) {
        return keccak256(abi.encode(JOB_RECEIPT_TYPEHASH, receipt));
    }

    function hash(Verdict memory verdict) internal pure returns (bytes32) {
        return keccak256(abi.encode(VERDICT_TYPEHASH, verdict));
    }

    function hash(ProviderOffer memory offer) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                abi.encode(
                    PROVIDER_OFFER_TYPEHASH,
                    offer.provider,
                    keccak256(abi.encodePacked(offer.models)),
                    keccak256(abi.encodePacked(offer.tiers)),
                    offer.priceIn,
                    offer.priceOut
                ),
                abi.encode(offer.premiumBps, offer.tokensPerSecond, offer.capacity, keccak256(bytes(offer.region)), offer.notAfter)
            )
        );
    }
}
