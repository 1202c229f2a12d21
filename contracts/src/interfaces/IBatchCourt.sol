// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Fault, LeafProof } from "../court/Faults.sol";
import { JobReceipt, JobTicket } from "../libraries/Types.sol";

/// @title The court of batches
/// @notice Anyone can show that a router's batch is wrong. What counts as evidence is for *examiners* to say, contracts that look and
/// change nothing ({IBatchExaminer}). Nothing may pass there that an honest router could be shown as well, so that
///
/// - no batch that follows the protocol can be voided, and
/// - no router that follows it, and answers demands in time, loses stake.
///
/// A proved fault voids the batch and all after it if it is not final yet, and slashes the router either way: a first offence by
/// what the fault weighs, each further one by twice as much as the one before. Of what is slashed 40 % goes to the account the
/// evidence names (burned where it names none), 40 % to whoever proved it, the rest is burned. One batch is judged once.
///
/// What no evidence can show, since the router keeps it to itself, is *demanded*: the router has to publish a leaf with ticket,
/// receipt and both signatures within the response window, or it is slashed and the batch is void. Both sides have something
/// to lose: the demand takes a bond, which the router gets if it answers.
interface IBatchCourt {
    enum Status {
        None,
        Open,
        Answered,
        Expired,
        Moot
    }

    struct Demand {
        address challenger;
        uint64 dueAt;
        Status status;
        /// Whether it keeps the batch from becoming final.
        bool holding;
        uint96 bond;
    }

    event Convicted(
        address indexed router,
        uint64 indexed batch,
        Fault indexed fault,
        address challenger,
        address harmed,
        uint256 bps,
        uint256 slashed
    );
    event Demanded(
        address indexed router, uint64 indexed batch, uint32 indexed position, uint16 epoch, address challenger, uint64 dueAt
    );
    /// @notice The leaf, its messages and signatures are in the call's data.
    event Answered(address indexed router, uint64 indexed batch, uint32 indexed position, bytes32 ticket, bytes32 receipt);
    event DemandClosed(address indexed router, uint64 indexed batch, uint32 indexed position, uint16 epoch, Status status);
    event ExaminerChanged(address indexed examiner, bool allowed);
    event ParametersChanged(uint64 responseWindow, uint64 demandPeriod, uint256 demandBond);

    error BatchCourt_ZeroAddress();
    error BatchCourt_NoFault();
    error BatchCourt_UnknownExaminer(address examiner);
    error BatchCourt_BadFinding();
    error BatchCourt_NotAnAnswer(address router, uint64 batch, uint32 position);
    error BatchCourt_AlreadyConvicted(address router, uint64 batch);
    error BatchCourt_AlreadyEquivocated(address router, uint64 sequence);
    error BatchCourt_NotEquivocation();
    error BatchCourt_BadSignature(address operator, bytes32 digest);
    error BatchCourt_NoSuchJob(address router, uint64 batch, uint32 position);
    error BatchCourt_TooLate(uint64 lastMoment);
    error BatchCourt_AlreadyDemanded(address router, uint64 batch, uint32 position);
    error BatchCourt_NotOpen(address router, uint64 batch, uint32 position, uint16 epoch);
    error BatchCourt_StillTime(uint64 dueAt);
    error BatchCourt_NotMoot(address router, uint64 batch);
    error BatchCourt_OutOfBounds(uint256 value, uint256 lowest, uint256 highest);

    /// @notice Acts on what a named examiner finds in the evidence: the encoded call of one of its functions (see {IBatchExaminer}).
    function prove(address examiner, bytes calldata evidence) external;

    /// @notice Two different tickets of one sequence number, both signed by the router. Needs no batch.
    function proveEquivocation(
        JobTicket calldata first,
        bytes calldata firstSignature,
        JobTicket calldata second,
        bytes calldata secondSignature
    ) external;

    // Demands

    /// @notice Demands that the router publish a job. Takes the bond from the caller. Within the demand period of a batch, each job
    /// can be demanded once.
    function demand(address router, uint64 batch, uint32 position) external returns (uint64 dueAt);

    /// @notice Answers a demand, as long as it has not been closed. Anyone may, for the router; the bond goes to the router.
    /// @dev Any key that router and provider ever used is good here: a provider must not be able to spoil a receipt by retiring its key.
    function answer(
        address router,
        LeafProof calldata job,
        JobTicket calldata ticket,
        bytes calldata ticketSignature,
        JobReceipt calldata receipt,
        bytes calldata receiptSignature
    ) external;

    /// @notice Closes a demand that was not answered in time: the router is convicted and the challenger has its bond back.
    function expire(address router, uint64 batch, uint32 position) external;

    /// @notice Closes a demand for a batch that is void by now: the challenger has its bond back.
    function dismiss(address router, uint64 batch, uint32 position, uint16 epoch) external;

    /// @notice Names a contract whose findings the court acts on, or dismisses it.
    function setExaminer(address examiner, bool allowed) external;

    /// @notice For demands made from now on. The registry waits as long as the window was when it named the court: have it named again.
    function setParameters(uint64 responseWindow, uint64 demandPeriod, uint256 demandBond) external;

    // Views

    function demandOf(address router, uint64 batch, uint32 position, uint16 epoch) external view returns (Demand memory);

    /// @notice How often the router was convicted.
    function offences(address router) external view returns (uint256);

    function isConvicted(address router, uint64 batch, uint16 epoch) external view returns (bool);

    function isExaminer(address account) external view returns (bool);

    function parameters() external view returns (uint64 responseWindow, uint64 demandPeriod, uint256 demandBond);

    function jobRegistry() external view returns (address);
}
