// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { LeafProof } from "../court/Faults.sol";
import { JobReceipt, JobTicket } from "../libraries/Types.sol";

/// @title Disputes over computations
/// @notice A provider of the optimistic tier signs, with its answer, a commitment to every state its computation went through
/// (`JobReceipt.evidence`, see {Traces}). A validator that computed the job again and found something else disputes it here while
/// the batch's challenge window runs. The provider opens its commitment from the root downwards, the challenger says each
/// time which of the shown nodes is the first that differs from its own, and what is left in the end is one step, which a
/// verifier registered for the model does again on the chain.
///
/// - A provider that computed what it was asked for, and moves in time, loses no dispute.
/// - A challenger that computed the job, and moves in time, loses none against a provider that did not.
/// - Each side has one clock for all its moves, and whoever lets it run out has lost. So a dispute ends, by anyone's call if
/// need be, within twice the clock.
///
/// Each challenger plays its own game: several can dispute one leaf at once. A queue, or refusing the second, would let a
/// provider's puppet dispute the leaf first, with the right claim, and lose on purpose. The first that wins has the bounty; the
/// others get their bonds back.
///
/// The batch is held while a dispute over it runs. A leaf that is lost is not paid: the batch is void with all after it, and
/// its router commits them again without the leaf. The receipt stays refuted for ever, and a batch that brings it back can be
/// struck.
///
/// A provider that loses is slashed, the first time by `providerBps` of its stake, each further time by twice as much; 40 %
/// goes to the developer, 40 % to the challenger, the rest is burned. A challenger that loses leaves its bond to the provider,
/// and `challengerBps` of its validator stake is slashed, 40 % of it to the provider, the rest burned.
interface IDisputeManager {
    enum Stage {
        None,
        /// The provider has to show the root.
        Reveal,
        /// The provider has to show nodes below the disputed one.
        Dissect,
        /// The challenger has to say which is the first that differs.
        Select,
        /// The step has to be done again; the provider's clock runs.
        Step,
        Upheld,
        Overturned,
        Moot
    }

    struct Parameters {
        /// How many levels of the tree a move goes down: 1 … 5, which shows 2 … 32 nodes.
        uint8 depth;
        /// Seconds each side has for all its moves.
        uint32 clock;
        uint16 providerBps;
        uint16 challengerBps;
        uint96 bond;
    }

    struct Dispute {
        address provider;
        /// When the turn began.
        uint40 since;
        uint32 providerClock;
        Stage stage;
        uint8 depth;
        uint8 level;
        address challenger;
        uint96 bond;
        address verifier;
        uint64 batch;
        uint32 challengerClock;
        address router;
        uint16 epoch;
        uint64 steps;
        address account;
        /// The disputed node: its place in its level.
        uint64 place;
        bytes32 leaf;
        bytes32 receipt;
        bytes32 modelId;
        bytes32 input;
        bytes32 output;
        bytes32 root;
        /// What is disputed: the receipt's evidence, then a node of the provider's tree.
        bytes32 node;
        bytes32 ticket;
    }

    event DisputeOpened(
        bytes32 indexed id,
        address indexed provider,
        address indexed challenger,
        address router,
        uint64 batch,
        uint16 epoch,
        uint32 position,
        bytes32 claim
    );
    event Revealed(bytes32 indexed id, uint64 steps, bytes32 root);
    /// @notice The nodes are in the call's data.
    event Dissected(bytes32 indexed id, uint8 level, uint64 place);
    event Selected(bytes32 indexed id, uint8 level, uint64 place, bytes32 node);
    event DisputeClosed(bytes32 indexed id, Stage stage, uint256 slashed);
    event BatchStruck(address indexed router, uint64 indexed batch, bytes32 indexed receipt);
    event VerifierChanged(bytes32 indexed modelId, address verifier);
    event ParametersChanged(Parameters parameters);

    error DisputeManager_ZeroAddress();
    error DisputeManager_OutOfBounds(uint256 value, uint256 lowest, uint256 highest);
    error DisputeManager_NotValidator(address caller);
    error DisputeManager_OwnJob(address provider);
    error DisputeManager_NotOptimistic(bytes32 ticket);
    error DisputeManager_WrongMessages(address router, uint64 batch, uint32 position);
    error DisputeManager_NoVerifier(bytes32 modelId);
    error DisputeManager_SameClaim(bytes32 claim);
    error DisputeManager_BadSignature(address provider, bytes32 receipt);
    error DisputeManager_AlreadyRefuted(bytes32 receipt);
    error DisputeManager_AlreadyDisputed(bytes32 id);
    error DisputeManager_TooLate(address router, uint64 batch);
    error DisputeManager_WrongStage(bytes32 id, Stage stage);
    error DisputeManager_NotYourTurn(address caller, address player);
    error DisputeManager_OutOfTime(bytes32 id);
    error DisputeManager_StillTime(bytes32 id);
    error DisputeManager_WrongRoot(bytes32 id);
    error DisputeManager_WrongNodes(bytes32 id);
    error DisputeManager_WrongState(bytes32 id);
    error DisputeManager_NotRefuted(bytes32 receipt);

    /// @notice Disputes the job. Sent by an active validator's cold address or present hot key, which pays the bond.
    /// @param claim The evidence the challenger came to; must not be the receipt's.
    /// @return id Names the dispute: {disputeId} of batch, epoch, position and challenger.
    function open(
        address router,
        LeafProof calldata job,
        JobTicket calldata ticket,
        JobReceipt calldata receipt,
        bytes calldata receiptSignature,
        bytes32 claim
    ) external returns (bytes32 id);

    /// @notice The provider shows what its evidence is made of, and that its last state is the output it signed.
    /// @param proof Shows the last leaf under `root`.
    function reveal(bytes32 id, uint64 steps, bytes32 root, bytes32[] calldata proof) external;

    /// @notice The provider shows all nodes `depth` levels below the disputed one, or the leaves if they are nearer.
    function dissect(bytes32 id, bytes32[] calldata nodes) external;

    /// @notice The challenger names the first of the shown nodes that differs from its own.
    /// @param child Which of them, from zero.
    /// @param siblings Shows `node` under the disputed one.
    function select(bytes32 id, uint256 child, bytes32 node, bytes32[] calldata siblings) external;

    /// @notice Does the disputed step again; anyone may call it. The provider has won if it comes to what the provider
    /// committed to.
    /// @param preState The state before the step, in the clear.
    /// @param preProof Shows its hash under the provider's root; empty for the first step, which starts from the input.
    function adjudicate(
        bytes32 id,
        bytes32 stepKind,
        bytes calldata preState,
        bytes32[] calldata preProof,
        bytes calldata step,
        bytes calldata proof
    ) external;

    /// @notice Ends a dispute whose next move is overdue, against who had to make it. Anyone may call it.
    function timeout(bytes32 id) external;

    /// @notice Returns the bond of a dispute over a receipt that another dispute refuted. Anyone may call it.
    function dismiss(bytes32 id) external;

    /// @notice Voids a batch that is not final and holds a job whose receipt was refuted. Anyone may call it.
    function strike(address router, LeafProof calldata job) external;

    /// @notice Names who does the model's steps again; nobody if zero. Disputes that run keep theirs.
    function setVerifier(bytes32 modelId, address verifier) external;

    /// @notice For disputes opened from now on; what a lost dispute costs changes at once. The registry waits as long as the clock was when
    /// it named the manager: have it named again.
    function setParameters(Parameters calldata parameters_) external;

    function disputeId(address router, uint64 batch, uint16 epoch, uint32 position, address challenger)
        external
        pure
        returns (bytes32);

    function disputeOf(bytes32 id) external view returns (Dispute memory);

    /// @notice When the side whose turn it is has lost; zero if the dispute is over, or never was.
    function dueAt(bytes32 id) external view returns (uint256);

    /// @notice Whether the leaf of that hash, when it stood in the router's batch of that index, was lost in a dispute.
    function overturned(address router, uint64 batch, bytes32 leaf) external view returns (bool);

    /// @notice Whether the receipt of that digest, or a receipt of the ticket of that digest, was lost in a dispute, in whatever batch. By
    /// the ticket, since a provider can sign as many receipts of it as it likes.
    function isRefuted(bytes32 digest) external view returns (bool);

    /// @notice How many disputes over the batch run.
    function runningOn(address router, uint64 batch, uint16 epoch) external view returns (uint256);

    /// @notice How many receipts of the provider were refuted.
    function offences(address provider) external view returns (uint256);

    function verifierOf(bytes32 modelId) external view returns (address);

    function parameters() external view returns (Parameters memory);

    function jobRegistry() external view returns (address);
}
