// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { Address } from "@openzeppelin/contracts/utils/Address.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import { Governed } from "../Governed.sol";
import { IBatchCourt } from "../interfaces/IBatchCourt.sol";
import { ICourt } from "../interfaces/ICourt.sol";
import { IJobRegistry } from "../interfaces/IJobRegistry.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";
import { Batch, JobReceipt, JobTicket, Role } from "../libraries/Types.sol";
import { BatchProofs } from "./BatchProofs.sol";
import { Evidence } from "./Evidence.sol";
import { Fault, Finding, LeafProof } from "./Faults.sol";

/// @title BatchCourt
/// @notice Judges batches and the routers that committed them. See {IBatchCourt}, which is its specification.
contract BatchCourt is IBatchCourt, ICourt, Governed, BatchProofs, ReentrancyGuardTransient {
    using Address for address;
    using SafeERC20 for IERC20;

    /// @custom:storage-location erc7201:infera.storage.BatchCourt
    struct Storage {
        IJobRegistry jobs;
        uint64 responseWindow;
        IStakeRegistry stakes;
        uint64 demandPeriod;
        uint256 demandBond;
        mapping(address router => mapping(uint256 id => Demand)) demands;
        mapping(address router => mapping(uint256 id => uint256)) holds;
        mapping(address router => mapping(uint256 id => bool)) convicted;
        mapping(address router => mapping(uint64 sequence => bool)) equivocated;
        mapping(address router => uint256) offences;
        mapping(address examiner => bool) examiners;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.BatchCourt")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0xfafa22ff11909bd95c94b241bee2bfc1ab17dee9aa1f097b8289135328eb9e00;

    uint256 private constant BPS = 10_000;
    uint64 public constant SHORTEST_RESPONSE = 1 minutes;
    uint64 public constant LONGEST_RESPONSE = 3 days;
    uint64 public constant SHORTEST_DEMAND = 1 minutes;
    uint64 public constant LONGEST_DEMAND = 30 days;
    uint256 public constant LOWEST_BOND = 1e18;
    uint256 public constant HIGHEST_BOND = 100_000e18;

    function initialize(address governor, address jobRegistry_, uint64 responseWindow, uint64 demandPeriod, uint256 demandBond)
        external
        initializer
    {
        // INVARIANT: the court always knows the batches it judges, and through them the stake.
        if (jobRegistry_ == address(0)) revert BatchCourt_ZeroAddress();
        __Ownable_init(governor);
        Storage storage $ = _storage();
        $.jobs = IJobRegistry(jobRegistry_);
        $.stakes = IStakeRegistry($.jobs.stakeRegistry());
        _setParameters(responseWindow, demandPeriod, demandBond);
    }

    // Evidence

    /// @inheritdoc IBatchCourt
    function prove(address examiner, bytes calldata evidence) external nonReentrant {
        // INVARIANT: only examiners named by the governor are believed.
        if (!_storage().examiners[examiner]) revert BatchCourt_UnknownExaminer(examiner);
        bytes memory found = examiner.functionStaticCall(evidence);
        // INVARIANT: what an examiner answers is a finding and nothing else.
        if (found.length != 128) revert BatchCourt_BadFinding();
        _convict(abi.decode(found, (Finding)));
    }

    /// @inheritdoc IBatchCourt
    function proveEquivocation(
        JobTicket calldata first,
        bytes calldata firstSignature,
        JobTicket calldata second,
        bytes calldata secondSignature
    ) external nonReentrant {
        bytes32 firstDigest = _ticketDigest(first);
        bytes32 secondDigest = _ticketDigest(second);
        address router = first.router;
        // INVARIANT: only one router's two tickets of one sequence number contradict each other.
        if (router != second.router || first.sequence != second.sequence || firstDigest == secondDigest) {
            revert BatchCourt_NotEquivocation();
        }
        _requireSigned(router, firstDigest, firstSignature, first.issuedAt);
        _requireSigned(router, secondDigest, secondSignature, second.issuedAt);
        Storage storage $ = _storage();
        // INVARIANT: one sequence number is paid for once.
        if ($.equivocated[router][first.sequence]) revert BatchCourt_AlreadyEquivocated(router, first.sequence);
        $.equivocated[router][first.sequence] = true;
        _slash(router, type(uint64).max, Fault.Equivocation, first.account, msg.sender);
    }

    // Demands

    /// @inheritdoc IBatchCourt
    function demand(address router, uint64 batch, uint32 position) external nonReentrant returns (uint64 dueAt) {
        Storage storage $ = _storage();
        Batch memory record = $.jobs.batch(router, batch);
        // INVARIANT: only a job there is can be demanded.
        if (position >= record.count) revert BatchCourt_NoSuchJob(router, batch, position);
        uint64 latest = uint64(record.committedAt) + $.demandPeriod;
        // INVARIANT: a router need not keep what it committed for ever.
        if (block.timestamp > latest) revert BatchCourt_TooLate(latest);
        uint16 epoch = $.jobs.epochOf(router, batch);
        Demand storage entry = $.demands[router][_id(batch, position, epoch)];
        // INVARIANT: a job is demanded once.
        if (entry.status != Status.None) revert BatchCourt_AlreadyDemanded(router, batch, position);
        dueAt = uint64(block.timestamp) + $.responseWindow;
        entry.challenger = msg.sender;
        entry.dueAt = dueAt;
        entry.status = Status.Open;
        entry.bond = uint96($.demandBond);
        entry.holding = $.jobs.hold(router, batch);
        if (entry.holding) ++$.holds[router][_id(batch, 0, epoch)];
        emit Demanded(router, batch, position, epoch, msg.sender, dueAt);
        IERC20($.stakes.infr()).safeTransferFrom(msg.sender, address(this), entry.bond);
    }

    /// @inheritdoc IBatchCourt
    function answer(
        address router,
        LeafProof calldata job,
        JobTicket calldata ticket,
        bytes calldata ticketSignature,
        JobReceipt calldata receipt,
        bytes calldata receiptSignature
    ) external nonReentrant {
        _leaf(router, job);
        _requireTicket(ticket, job.leaf.ticket);
        _requireReceipt(receipt, job.leaf.receipt);
        // INVARIANT: only a sound job answers a demand.
        if (Evidence.ofTicket(router, job.leaf, ticket) != Fault.None || Evidence.ofCost(job.leaf, ticket, receipt) != Fault.None) {
            revert BatchCourt_NotAnAnswer(router, job.batch, job.position);
        }
        // Any key that was ever theirs: nobody can spoil a message afterwards by retiring a key.
        _requireSigned(router, job.leaf.ticket, ticketSignature, 0);
        _requireSigned(ticket.provider, job.leaf.receipt, receiptSignature, 0);
        uint16 epoch = _storage().jobs.epochOf(router, job.batch);
        (uint96 bond,) = _close(router, job.batch, job.position, epoch, Status.Answered);
        emit Answered(router, job.batch, job.position, job.leaf.ticket, job.leaf.receipt);
        _letGo(router, job.batch, epoch);
        _pay(router, bond);
    }

    /// @inheritdoc IBatchCourt
    function expire(address router, uint64 batch, uint32 position) external nonReentrant {
        Storage storage $ = _storage();
        uint16 epoch = $.jobs.epochOf(router, batch);
        uint64 dueAt = $.demands[router][_id(batch, position, epoch)].dueAt;
        // INVARIANT: the router has the whole response window.
        if (block.timestamp <= dueAt) revert BatchCourt_StillTime(dueAt);
        (uint96 bond, address challenger) = _close(router, batch, position, epoch, Status.Expired);
        if (!$.convicted[router][_id(batch, 0, epoch)]) {
            _judge(router, batch, epoch, Fault.Unrevealed, address(0), challenger);
        }
        _letGo(router, batch, epoch);
        _pay(challenger, bond);
    }

    /// @inheritdoc IBatchCourt
    function dismiss(address router, uint64 batch, uint32 position, uint16 epoch) external nonReentrant {
        IJobRegistry jobs = _storage().jobs;
        // INVARIANT: a demand is dropped only when what it asks for is void.
        if (batch < jobs.batchCount(router) && jobs.epochOf(router, batch) == epoch) {
            revert BatchCourt_NotMoot(router, batch);
        }
        (uint96 bond, address challenger) = _close(router, batch, position, epoch, Status.Moot);
        _pay(challenger, bond);
    }

    /// @inheritdoc IBatchCourt
    function setExaminer(address examiner, bool allowed) external onlyOwner {
        _storage().examiners[examiner] = allowed;
        emit ExaminerChanged(examiner, allowed);
    }

    /// @inheritdoc IBatchCourt
    function setParameters(uint64 responseWindow, uint64 demandPeriod, uint256 demandBond) external onlyOwner {
        _setParameters(responseWindow, demandPeriod, demandBond);
    }

    // Views

    /// @inheritdoc IBatchCourt
    function demandOf(address router, uint64 batch, uint32 position, uint16 epoch) external view returns (Demand memory) {
        return _storage().demands[router][_id(batch, position, epoch)];
    }

    /// @inheritdoc IBatchCourt
    function offences(address router) external view returns (uint256) {
        return _storage().offences[router];
    }

    /// @inheritdoc IBatchCourt
    function isConvicted(address router, uint64 batch, uint16 epoch) external view returns (bool) {
        return _storage().convicted[router][_id(batch, 0, epoch)];
    }

    /// @inheritdoc IBatchCourt
    function isExaminer(address account) external view returns (bool) {
        return _storage().examiners[account];
    }

    /// @inheritdoc IBatchCourt
    function parameters() external view returns (uint64 responseWindow, uint64 demandPeriod, uint256 demandBond) {
        Storage storage $ = _storage();
        return ($.responseWindow, $.demandPeriod, $.demandBond);
    }

    /// @inheritdoc ICourt
    /// @dev The response window, and as long again for somebody to call {expire}.
    function longestHold() external view returns (uint64) {
        return 2 * _storage().responseWindow;
    }

    /// @inheritdoc IBatchCourt
    function jobRegistry() external view returns (address) {
        return address(_storage().jobs);
    }

    // Internals: judgement

    function _convict(Finding memory found) private {
        // INVARIANT: nobody is convicted without a fault.
        if (found.fault == Fault.None) revert BatchCourt_NoFault();
        Storage storage $ = _storage();
        uint16 epoch = $.jobs.epochOf(found.router, found.batch);
        // INVARIANT: one batch is judged once.
        if ($.convicted[found.router][_id(found.batch, 0, epoch)]) revert BatchCourt_AlreadyConvicted(found.router, found.batch);
        _judge(found.router, found.batch, epoch, found.fault, found.harmed, msg.sender);
    }

    function _judge(address router, uint64 batch, uint16 epoch, Fault fault, address harmed, address challenger) private {
        Storage storage $ = _storage();
        $.convicted[router][_id(batch, 0, epoch)] = true;
        if (!$.jobs.isFinal(router, batch)) $.jobs.rollback(router, batch);
        _slash(router, batch, fault, harmed, challenger);
    }

    function _slash(address router, uint64 batch, Fault fault, address harmed, address challenger) private {
        Storage storage $ = _storage();
        uint256 before = $.offences[router]++;
        uint256 bps = before > 4 ? BPS : Evidence.weight(fault) << before;
        if (bps > BPS) bps = BPS;
        uint256 slashed = $.stakes.slash(router, Role.Router, bps, harmed, challenger, bytes32(uint256(fault)));
        emit Convicted(router, batch, fault, challenger, harmed, bps, slashed);
    }

    // Internals: demands

    function _close(address router, uint64 batch, uint32 position, uint16 epoch, Status status)
        private
        returns (uint96 bond, address challenger)
    {
        Storage storage $ = _storage();
        Demand storage entry = $.demands[router][_id(batch, position, epoch)];
        // INVARIANT: a demand is closed once, and its bond paid out once.
        if (entry.status != Status.Open) revert BatchCourt_NotOpen(router, batch, position, epoch);
        entry.status = status;
        (bond, challenger) = (entry.bond, entry.challenger);
        if (entry.holding) --$.holds[router][_id(batch, 0, epoch)];
        emit DemandClosed(router, batch, position, epoch, status);
    }

    /// @dev Ends the court's hold if no open demand needs it; nothing if the batch is void.
    function _letGo(address router, uint64 batch, uint16 epoch) private {
        Storage storage $ = _storage();
        if ($.holds[router][_id(batch, 0, epoch)] == 0) $.jobs.release(router, batch, epoch);
    }

    function _pay(address recipient, uint256 amount) private {
        IERC20(_storage().stakes.infr()).safeTransfer(recipient, amount);
    }

    function _setParameters(uint64 responseWindow, uint64 demandPeriod, uint256 demandBond) private {
        // INVARIANT: a router has time to answer, and a batch is never held up for long.
        _requireWithin(responseWindow, SHORTEST_RESPONSE, LONGEST_RESPONSE);
        _requireWithin(demandPeriod, SHORTEST_DEMAND, LONGEST_DEMAND);
        _requireWithin(demandBond, LOWEST_BOND, HIGHEST_BOND);
        Storage storage $ = _storage();
        $.responseWindow = responseWindow;
        $.demandPeriod = demandPeriod;
        $.demandBond = demandBond;
        emit ParametersChanged(responseWindow, demandPeriod, demandBond);
    }

    function _requireWithin(uint256 value, uint256 lowest, uint256 highest) private pure {
        // INVARIANT: the governor moves parameters within fixed bounds.
        if (value < lowest || value > highest) revert BatchCourt_OutOfBounds(value, lowest, highest);
    }

    function _requireSigned(address operator, bytes32 digest, bytes calldata signature, uint64 when) private view {
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        // INVARIANT: nobody answers for what it did not sign.
        if (err != ECDSA.RecoverError.NoError || !_storage().stakes.isSigner(operator, signer, when)) {
            revert BatchCourt_BadSignature(operator, digest);
        }
    }

    /// @dev A batch (position zero) or a job of it, of one epoch.
    function _id(uint64 batch, uint32 position, uint16 epoch) private pure returns (uint256) {
        return uint256(epoch) << 96 | uint256(batch) << 32 | position;
    }

    function _jobs() internal view override returns (IJobRegistry) {
        return _storage().jobs;
    }

    function _storage() private pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
