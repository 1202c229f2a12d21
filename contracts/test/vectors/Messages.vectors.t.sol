// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { MessageHashUtils } from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import { Messages } from "../../src/libraries/Messages.sol";
import { Pricing } from "../../src/libraries/Pricing.sol";
import { JobReceipt, JobTicket, KeyGrant, ProviderOffer, Verdict } from "../../src/libraries/Types.sol";
import { Json } from "../utils/Json.sol";
import { Vectors } from "./Vectors.sol";

contract MessagesVectors_Test is Vectors {
    uint256 private constant CHAIN = 31_337;
    address private constant REGISTRY = address(0x1Afe4A0000000000000000000000000000000001);
    uint256 private constant KEY = uint256(keccak256("a key of the vectors"));

    function test_messages_json_succeeds() external {
        string[] memory fields = new string[](5);
        fields[0] = Json.field("domain", _domain());
        fields[1] = Json.field("typehashes", _typehashes());
        fields[2] = Json.field("messages", _messages());
        fields[3] = Json.field("costs", _costs());
        fields[4] = Json.field("fees", _fees());
        settle("messages.json", string.concat("{", Json.join(fields, ",\n"), "}\n"));
    }

    function _separator() private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("INFERA"),
                keccak256("1"),
                CHAIN,
                REGISTRY
            )
        );
    }

    function _domain() private pure returns (string memory) {
        return string.concat(
            '{"name": "INFERA", "version": "1", "chainId": ',
            Json.small(CHAIN),
            ', "verifyingContract": ',
            Json.hex_(REGISTRY),
            ', "separator": ',
            Json.hex_(_separator()),
            "}"
        );
    }

    function _typehashes() private pure returns (string memory) {
        string[] memory fields = new string[](5);
        fields[0] = Json.field("KeyGrant", Json.hex_(Messages.KEY_GRANT_TYPEHASH));
        fields[1] = Json.field("JobTicket", Json.hex_(Messages.JOB_TICKET_TYPEHASH));
        fields[2] = Json.field("JobReceipt", Json.hex_(Messages.JOB_RECEIPT_TYPEHASH));
        fields[3] = Json.field("Verdict", Json.hex_(Messages.VERDICT_TYPEHASH));
        fields[4] = Json.field("ProviderOffer", Json.hex_(Messages.PROVIDER_OFFER_TYPEHASH));
        return Json.object(fields);
    }

    function _messages() private pure returns (string memory) {
        string[] memory items = new string[](10);
        items[0] = _grant(0, 1);
        items[1] = _grant(3, 2);
        items[2] = _ticket(false);
        items[3] = _ticket(true);
        items[4] = _receipt(false);
        items[5] = _receipt(true);
        items[6] = _verdict(1);
        items[7] = _verdict(3);
        items[8] = _offer(0, "");
        items[9] = _offer(3, unicode"eu-west/zürich");
        return Json.list(items);
    }

    function _signed(string memory kind, string[] memory fields, bytes32 structHash) private pure returns (string memory) {
        bytes32 digest = MessageHashUtils.toTypedDataHash(_separator(), structHash);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        string[] memory parts = new string[](7);
        parts[0] = Json.field("type", Json.quote(kind));
        parts[1] = Json.field("message", Json.object(fields));
        parts[2] = Json.field("structHash", Json.hex_(structHash));
        parts[3] = Json.field("digest", Json.hex_(digest));
        parts[4] = Json.field("privateKey", Json.hex_(bytes32(KEY)));
        parts[5] = Json.field("signer", Json.hex_(vm.addr(KEY)));
        parts[6] = Json.field("signature", Json.hex_(abi.encodePacked(r, s, v)));
        return string.concat("{", Json.join(parts, ",\n "), "}");
    }

    function _grant(uint256 models, uint256 routers) private pure returns (string memory) {
        KeyGrant memory grant = KeyGrant({
            account: vm.addr(KEY),
            keyHash: keccak256("sk-infera-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            routers: new address[](routers),
            models: new bytes32[](models),
            maxPriceIn: 250_000,
            maxPriceOut: 1_000_000,
            perJobCap: 500_000,
            dailyCap: 20_000_000,
            totalCap: models == 0 ? type(uint64).max : 100_000_000,
            notBefore: 1_700_000_000,
            notAfter: 1_800_000_000,
            generation: uint64(models)
        });
        for (uint256 i; i < routers; ++i) {
            grant.routers[i] = address(uint160(uint256(keccak256(abi.encode("router", i)))));
        }
        for (uint256 i; i < models; ++i) {
            grant.models[i] = keccak256(abi.encode("model", i));
        }
        string[] memory fields = new string[](12);
        fields[0] = Json.field("account", Json.hex_(grant.account));
        fields[1] = Json.field("keyHash", Json.hex_(grant.keyHash));
        fields[2] = Json.field("routers", Json.list(grant.routers));
        fields[3] = Json.field("models", Json.list(grant.models));
        fields[4] = Json.field("maxPriceIn", Json.big(grant.maxPriceIn));
        fields[5] = Json.field("maxPriceOut", Json.big(grant.maxPriceOut));
        fields[6] = Json.field("perJobCap", Json.big(grant.perJobCap));
        fields[7] = Json.field("dailyCap", Json.big(grant.dailyCap));
        fields[8] = Json.field("totalCap", Json.big(grant.totalCap));
        fields[9] = Json.field("notBefore", Json.big(grant.notBefore));
        fields[10] = Json.field("notAfter", Json.big(grant.notAfter));
        fields[11] = Json.field("generation", Json.big(grant.generation));
        return _signed("KeyGrant", fields, Messages.hash(grant));
    }

    function _ticket(bool extreme) private pure returns (string memory) {
        JobTicket memory ticket = JobTicket({
            jobId: keccak256("job"),
            sequence: extreme ? type(uint64).max : 42,
            router: address(0x3333333333333333333333333333333333333333),
            account: address(0x1111111111111111111111111111111111111111),
            grant: keccak256("grant"),
            provider: address(0x2222222222222222222222222222222222222222),
            modelId: keccak256("model"),
            tier: extreme ? 3 : 2,
            requestHash: keccak256("request"),
            samplingHash: keccak256("sampling"),
            seed: extreme ? type(uint64).max : 7,
            priceIn: extreme ? type(uint64).max : 200_000,
            priceOut: extreme ? type(uint64).max : 600_000,
            premiumBps: extreme ? type(uint32).max : 1_000,
            maxTokensIn: extreme ? type(uint32).max : 4_096,
            maxTokensOut: extreme ? type(uint32).max : 1_024,
            maxCost: extreme ? type(uint64).max : 2_000,
            issuedAt: 1_750_000_000,
            deadline: 1_750_000_120
        });
        string[] memory fields = new string[](19);
        fields[0] = Json.field("jobId", Json.hex_(ticket.jobId));
        fields[1] = Json.field("sequence", Json.big(ticket.sequence));
        fields[2] = Json.field("router", Json.hex_(ticket.router));
        fields[3] = Json.field("account", Json.hex_(ticket.account));
        fields[4] = Json.field("grant", Json.hex_(ticket.grant));
        fields[5] = Json.field("provider", Json.hex_(ticket.provider));
        fields[6] = Json.field("modelId", Json.hex_(ticket.modelId));
        fields[7] = Json.field("tier", Json.small(ticket.tier));
        fields[8] = Json.field("requestHash", Json.hex_(ticket.requestHash));
        fields[9] = Json.field("samplingHash", Json.hex_(ticket.samplingHash));
        fields[10] = Json.field("seed", Json.big(ticket.seed));
        fields[11] = Json.field("priceIn", Json.big(ticket.priceIn));
        fields[12] = Json.field("priceOut", Json.big(ticket.priceOut));
        fields[13] = Json.field("premiumBps", Json.small(ticket.premiumBps));
        fields[14] = Json.field("maxTokensIn", Json.small(ticket.maxTokensIn));
        fields[15] = Json.field("maxTokensOut", Json.small(ticket.maxTokensOut));
        fields[16] = Json.field("maxCost", Json.big(ticket.maxCost));
        fields[17] = Json.field("issuedAt", Json.big(ticket.issuedAt));
        fields[18] = Json.field("deadline", Json.big(ticket.deadline));
        return _signed("JobTicket", fields, Messages.hash(ticket));
    }

    function _receipt(bool extreme) private pure returns (string memory) {
        JobReceipt memory receipt = JobReceipt({
            ticket: keccak256("ticket"),
            responseHash: keccak256("response"),
            tokensIn: extreme ? type(uint32).max : 321,
            tokensOut: extreme ? type(uint32).max : 123,
            cost: extreme ? type(uint64).max : 151,
            finishReason: extreme ? 5 : 1,
            evidence: extreme ? bytes32(0) : keccak256("evidence"),
            completedAt: 1_750_000_009
        });
        string[] memory fields = new string[](8);
        fields[0] = Json.field("ticket", Json.hex_(receipt.ticket));
        fields[1] = Json.field("responseHash", Json.hex_(receipt.responseHash));
        fields[2] = Json.field("tokensIn", Json.small(receipt.tokensIn));
        fields[3] = Json.field("tokensOut", Json.small(receipt.tokensOut));
        fields[4] = Json.field("cost", Json.big(receipt.cost));
        fields[5] = Json.field("finishReason", Json.small(receipt.finishReason));
        fields[6] = Json.field("evidence", Json.hex_(receipt.evidence));
        fields[7] = Json.field("completedAt", Json.big(receipt.completedAt));
        return _signed("JobReceipt", fields, Messages.hash(receipt));
    }

    function _verdict(uint8 outcome) private pure returns (string memory) {
        Verdict memory verdict = Verdict({
            leaf: keccak256("leaf"),
            validator: address(0x4444444444444444444444444444444444444444),
            outcome: outcome,
            evidence: keccak256("evidence")
        });
        string[] memory fields = new string[](4);
        fields[0] = Json.field("leaf", Json.hex_(verdict.leaf));
        fields[1] = Json.field("validator", Json.hex_(verdict.validator));
        fields[2] = Json.field("outcome", Json.small(verdict.outcome));
        fields[3] = Json.field("evidence", Json.hex_(verdict.evidence));
        return _signed("Verdict", fields, Messages.hash(verdict));
    }

    function _offer(uint256 models, string memory region) private pure returns (string memory) {
        ProviderOffer memory offer = ProviderOffer({
            provider: address(0x2222222222222222222222222222222222222222),
            models: new bytes32[](models),
            tiers: new uint8[](models),
            priceIn: 200_000,
            priceOut: 600_000,
            premiumBps: 1_000,
            tokensPerSecond: 95,
            capacity: 16,
            region: region,
            notAfter: 1_800_000_000
        });
        uint256[] memory tiers = new uint256[](models);
        for (uint256 i; i < models; ++i) {
            offer.models[i] = keccak256(abi.encode("model", i));
            offer.tiers[i] = uint8(i + 1);
            tiers[i] = i + 1;
        }
        string[] memory fields = new string[](10);
        fields[0] = Json.field("provider", Json.hex_(offer.provider));
        fields[1] = Json.field("models", Json.list(offer.models));
        fields[2] = Json.field("tiers", Json.list(tiers));
        fields[3] = Json.field("priceIn", Json.big(offer.priceIn));
        fields[4] = Json.field("priceOut", Json.big(offer.priceOut));
        fields[5] = Json.field("premiumBps", Json.small(offer.premiumBps));
        fields[6] = Json.field("tokensPerSecond", Json.small(offer.tokensPerSecond));
        fields[7] = Json.field("capacity", Json.small(offer.capacity));
        fields[8] = Json.field("region", Json.quote(offer.region));
        fields[9] = Json.field("notAfter", Json.big(offer.notAfter));
        return _signed("ProviderOffer", fields, Messages.hash(offer));
    }

    function _costs() private pure returns (string memory) {
        string[] memory items = new string[](7);
        items[0] = _cost(0, 0, 200_000, 600_000, 0);
        items[1] = _cost(1, 0, 999_999, 0, 0);
        items[2] = _cost(321, 123, 200_000, 600_000, 0);
        items[3] = _cost(321, 123, 200_000, 600_000, 1_000);
        items[4] = _cost(4_096, 1_024, 150_001, 449_999, 333);
        items[5] = _cost(type(uint32).max, type(uint32).max, 1_000_000, 1_000_000, 50_000);
        items[6] = _cost(type(uint32).max, type(uint32).max, type(uint64).max, type(uint64).max, type(uint32).max);
        return Json.list(items);
    }

    function _cost(uint32 tokensIn, uint32 tokensOut, uint64 priceIn, uint64 priceOut, uint32 premiumBps)
        private
        pure
        returns (string memory)
    {
        string[] memory fields = new string[](6);
        fields[0] = Json.field("tokensIn", Json.small(tokensIn));
        fields[1] = Json.field("tokensOut", Json.small(tokensOut));
        fields[2] = Json.field("priceIn", Json.big(priceIn));
        fields[3] = Json.field("priceOut", Json.big(priceOut));
        fields[4] = Json.field("premiumBps", Json.small(premiumBps));
        fields[5] = Json.field("cost", Json.big(Pricing.cost(tokensIn, tokensOut, priceIn, priceOut, premiumBps)));
        return Json.object(fields);
    }

    /// Fees of single jobs, and how the protocol fee divides.
    function _fees() private pure returns (string memory) {
        uint64[8] memory costs = [0, 1, 66, 67, 151, 200, 1_000_003, type(uint64).max];
        string[] memory items = new string[](costs.length);
        for (uint256 i; i < costs.length; ++i) {
            uint256 fee = Pricing.fee(costs[i], 150);
            (uint256 treasury, uint256 validators, uint256 buyback) = Pricing.split(fee);
            string[] memory fields = new string[](7);
            fields[0] = Json.field("cost", Json.big(costs[i]));
            fields[1] = Json.field("routerFee", Json.big(fee));
            fields[2] = Json.field("protocolFee", Json.big(fee));
            fields[3] = Json.field("net", Json.big(costs[i] - 2 * fee));
            fields[4] = Json.field("treasury", Json.big(treasury));
            fields[5] = Json.field("validators", Json.big(validators));
            fields[6] = Json.field("buyback", Json.big(buyback));
            items[i] = Json.object(fields);
        }
        return Json.list(items);
    }
}
