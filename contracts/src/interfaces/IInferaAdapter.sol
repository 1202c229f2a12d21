// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobReceipt, JobTicket } from "../libraries/Types.sol";

/// @title Inference for contracts, paid per call
/// @notice A contract (or anyone) requests an answer and puts its highest price in escrow. A router orders the job as any other, with a
/// ticket whose account is this adapter and whose grant is the request's id. Whoever holds ticket, receipt and text then fulfils the
/// request: the adapter checks both signatures and that the text is what the receipt is about, pays provider, router and protocol out of
/// the escrow as the vault would, returns the rest, and hands the answer to the requester.
///
/// **Paid once.** A ticket names the request it is for, and a request is settled once. The vault cannot charge for the same ticket: it
/// moves money only under a grant its account signed, and the adapter, which is the ticket's account, signs nothing: it does not
/// implement ERC-1271, and a request's id is the hash of no grant.
///
/// **Proven text.** `responseHash` in a receipt is the hash of the canonical JSON of finish reason and text. The adapter computes it from
/// the text that it is given, escaping as that JSON does, so what a callback receives is what the provider signed, byte for byte.
///
/// **Nothing is lost.** All money is credited before the callback, which runs with the gas the request named and no more, and cannot
/// keep the fulfilment from succeeding. An answer that was not taken is stored on chain. A request nobody fulfilled in time is returned
/// by anyone. What is credited is paid out by anyone to its owner; there is no pause.
interface IInferaAdapter {
    enum Status {
        None,
        Open,
        /// Answered, and the callback took it.
        Delivered,
        /// Answered and stored.
        Stored,
        Refunded
    }

    struct Request {
        bytes32 modelId;
        /// keccak256 of the canonical JSON of the job request.
        bytes32 requestHash;
        /// Who may order the job; zero for any active router.
        address router;
        uint8 tier;
        /// In micro-USDC.
        uint64 maxCost;
        /// What the router gets on top of its fee, for sending the answer.
        uint32 tip;
        uint40 deadline;
        /// The gas of the callback; zero stores the answer instead.
        uint32 callbackGas;
    }

    /// @notice What proves an answer: both messages with their signatures.
    struct Proof {
        JobTicket ticket;
        bytes ticketSignature;
        JobReceipt receipt;
        bytes receiptSignature;
    }

    /// @notice `payload` is the canonical JSON of the job request; empty if routers get it elsewhere.
    event Requested(bytes32 indexed id, address indexed requester, address indexed router, Request request, bytes payload);
    event Fulfilled(
        bytes32 indexed id, address indexed provider, address indexed router, uint256 cost, uint8 finishReason, string text
    );
    event Delivered(bytes32 indexed id);
    event AnswerStored(bytes32 indexed id, address answer);
    event Refunded(bytes32 indexed id, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    event ProtocolFeesPaid(uint256 treasury, uint256 validators, uint256 buyback);
    event MinimumCostChanged(uint64 minimum);

    error InferaAdapter_ZeroAddress();
    error InferaAdapter_NoModel();
    error InferaAdapter_UnknownTier(uint8 tier);
    error InferaAdapter_CostTooLow(uint64 maxCost, uint64 minimum);
    error InferaAdapter_DeadlineOutOfBounds(uint40 deadline, uint256 earliest, uint256 latest);
    error InferaAdapter_CallbackGasTooHigh(uint32 callbackGas, uint32 most);
    error InferaAdapter_PayloadTooLong(uint256 length, uint256 longest);
    error InferaAdapter_PayloadMismatch(bytes32 requestHash);
    error InferaAdapter_RouterInactive(address router);
    error InferaAdapter_ProviderInactive(address provider);
    error InferaAdapter_NotOpen(bytes32 id);
    error InferaAdapter_TooLate(bytes32 id, uint40 deadline);
    error InferaAdapter_NotYet(bytes32 id, uint40 deadline);
    error InferaAdapter_WrongTicket(bytes32 id);
    error InferaAdapter_WrongTime(bytes32 id);
    error InferaAdapter_NotFinished(uint8 finishReason);
    error InferaAdapter_BadReceipt(bytes32 id);
    error InferaAdapter_TextTooLong(uint256 length, uint256 longest);
    error InferaAdapter_TextMismatch(bytes32 responseHash, bytes32 expected);
    error InferaAdapter_TooLittleGas(uint256 gas, uint256 needed);
    error InferaAdapter_NotStored(bytes32 id);
    error InferaAdapter_CallbackFailed(bytes32 id);
    error InferaAdapter_MinimumTooHigh(uint64 minimum, uint64 highest);

    /// @notice Puts `maxCost + tip` of the caller's USDC in escrow and asks for an answer.
    /// @param payload The canonical JSON of the job request, at most 8192 bytes, of which `requestHash` must be the hash; or empty.
    function request(Request calldata wanted, bytes calldata payload) external returns (bytes32 id);

    /// @notice Answers a request. Anyone may call this; the money goes to those the proof names.
    /// @param text At most 16,384 bytes.
    /// @return delivered Whether the requester's callback took the answer.
    function fulfil(bytes32 id, Proof calldata proof, string calldata text) external returns (bool delivered);

    /// @notice Hands a stored answer to its requester again, with all the gas there is. Anyone may call this; it reverts if the callback does.
    function redeliver(bytes32 id) external;

    /// @notice Credits the escrow of a request whose deadline has passed to its requester. Anyone may call this.
    function refund(bytes32 id) external;

    /// @notice Pays `account` what it was credited. Anyone may call this.
    function withdraw(address account) external returns (uint256 amount);

    /// @notice Pays the protocol's fees to the vault's recipients. Anyone may call this.
    function withdrawProtocolFees() external returns (uint256 treasury, uint256 validators, uint256 buyback);

    /// @notice Sets the least that a request must offer.
    function setMinimumCost(uint64 minimum) external;

    function requestOf(bytes32 id) external view returns (Status status, address requester, uint40 createdAt, Request memory wanted);

    /// @notice A stored answer. Reverts if there is none.
    function answerOf(bytes32 id) external view returns (string memory text, JobReceipt memory receipt, address provider);

    /// @notice Whether the proof holds for this text: any contract can ask whether an output is real.
    function proves(Proof calldata proof, string calldata text) external view returns (bool);

    /// @notice keccak256 of the canonical JSON `{"finish_reason": …, "text": …}`; zero if there is no such finish reason.
    function responseHash(uint8 finishReason, string calldata text) external pure returns (bytes32);

    /// @notice What `account` was credited and not paid.
    function balanceOf(address account) external view returns (uint256);

    function protocolFees() external view returns (uint256);

    function minimumCost() external view returns (uint64);

    function vault() external view returns (address);
}
