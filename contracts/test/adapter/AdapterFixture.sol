// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { InferaAdapter } from "../../src/adapter/InferaAdapter.sol";
import { IInferaAdapter } from "../../src/interfaces/IInferaAdapter.sol";
import { JobReceipt, JobTicket } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Agent } from "./Agent.sol";

/// The deployed network with an adapter and a contract that asks.
abstract contract AdapterFixture is Fixture {
    bytes32 internal constant MODEL = keccak256("manifest");
    bytes internal constant PAYLOAD = '{"kind":"completion","prompt":"2+2="}';
    uint64 internal constant MINIMUM_COST = 1_000;
    uint64 internal constant MAX_COST = 100_000;
    uint32 internal constant TIP = 5_000;

    InferaAdapter internal adapter;
    Agent internal agent;

    function setUp() public virtual override {
        super.setUp();
        adapter = InferaAdapter(
            proxy(address(new InferaAdapter()), abi.encodeCall(InferaAdapter.initialize, (governor, address(vault), MINIMUM_COST)))
        );
        agent = new Agent(adapter);
        usdc.mint(address(agent), 10_000_000);
    }

    function wanted() internal view returns (IInferaAdapter.Request memory) {
        return IInferaAdapter.Request({
            modelId: MODEL,
            requestHash: keccak256(PAYLOAD),
            router: router,
            tier: 1,
            maxCost: MAX_COST,
            tip: TIP,
            deadline: uint40(block.timestamp + 1 hours),
            callbackGas: 300_000
        });
    }

    function ask() internal returns (bytes32) {
        return agent.ask(wanted(), PAYLOAD);
    }

    /// A ticket for the request, as an honest router writes it.
    function ticketFor(bytes32 id) internal view returns (JobTicket memory ticket) {
        (,,, IInferaAdapter.Request memory request) = adapter.requestOf(id);
        ticket.jobId = keccak256(abi.encode("job", id));
        (ticket.router, ticket.provider, ticket.account, ticket.grant) = (router, provider, address(adapter), id);
        (ticket.modelId, ticket.tier, ticket.requestHash) = (request.modelId, request.tier, request.requestHash);
        (ticket.priceIn, ticket.priceOut, ticket.maxCost) = (1_000_000, 2_000_000, request.maxCost);
        (ticket.issuedAt, ticket.deadline) = (uint64(block.timestamp), uint64(block.timestamp + 60));
    }

    /// The receipt for 10,000 tokens in and 20,000 out: 50,000 in all.
    function receiptFor(JobTicket memory ticket, string memory text) internal view returns (JobReceipt memory receipt) {
        receipt.ticket = jobs.ticketDigest(ticket);
        receipt.responseHash = adapter.responseHash(1, text);
        (receipt.tokensIn, receipt.tokensOut, receipt.cost) = (10_000, 20_000, 50_000);
        (receipt.finishReason, receipt.completedAt) = (1, uint64(block.timestamp));
    }

    function proofOf(JobTicket memory ticket, JobReceipt memory receipt) internal view returns (IInferaAdapter.Proof memory proof) {
        proof.ticket = ticket;
        proof.receipt = receipt;
        proof.ticketSignature = sign("router hot key", jobs.ticketDigest(ticket));
        proof.receiptSignature = sign("provider hot key", jobs.receiptDigest(receipt));
    }

    function proofFor(bytes32 id, string memory text) internal view returns (IInferaAdapter.Proof memory) {
        JobTicket memory ticket = ticketFor(id);
        return proofOf(ticket, receiptFor(ticket, text));
    }

    function fulfil(bytes32 id, string memory text) internal returns (bool) {
        return adapter.fulfil(id, proofFor(id, text), text);
    }

    function statusOf(bytes32 id) internal view returns (uint256) {
        (IInferaAdapter.Status status,,,) = adapter.requestOf(id);
        return uint256(status);
    }

    function is_(bytes32 id, IInferaAdapter.Status status) internal view {
        assertEq(statusOf(id), uint256(status), "status");
    }

    function filled(uint256 size) internal pure returns (string memory) {
        bytes memory text = new bytes(size);
        for (uint256 i; i < size; ++i) {
            text[i] = bytes1(uint8(97 + i % 26));
        }
        return string(text);
    }
}
