// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import { BatchProofs } from "../court/BatchProofs.sol";
import { LeafProof } from "../court/Faults.sol";
import { IDisputeManager } from "../interfaces/IDisputeManager.sol";
import { IJobRegistry } from "../interfaces/IJobRegistry.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";
import { IStepVerifier } from "../interfaces/IStepVerifier.sol";
import { Merkle } from "../libraries/Merkle.sol";
import { JobReceipt, JobTicket, Role } from "../libraries/Types.sol";
import { DisputeBooks } from "./DisputeBooks.sol";
import { Traces } from "./Traces.sol";

/// @title DisputeManager
/// @notice The game between a provider and a validator that says it computed wrongly. See {IDisputeManager}, which is its
/// specification.
contract DisputeManager is DisputeBooks, BatchProofs, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    function initialize(address governor, address jobRegistry_, Parameters calldata parameters_) external initializer {
        // INVARIANT: the manager always knows the batches it judges, and through them the stake.
        if (jobRegistry_ == address(0)) revert DisputeManager_ZeroAddress();
        __Ownable_init(governor);
        Storage storage $ = _storage();
        $.jobs = IJobRegistry(jobRegistry_);
        $.stakes = IStakeRegistry($.jobs.stakeRegistry());
        _setParameters(parameters_);
    }

    // The game

    /// @inheritdoc IDisputeManager
    function open(
        address router,
        LeafProof calldata job,
        JobTicket calldata ticket,
        JobReceipt calldata receipt,
        bytes calldata receiptSignature,
        bytes32 claim
    ) external nonReentrant returns (bytes32 id) {
        _requireDisputable(router, job, ticket, receipt, receiptSignature, claim);
        id = _enter(router, job.batch, job.position, ticket.provider);
        Dispute storage it = _storage().disputes[id];
        (it.provider, it.router, it.account, it.batch) = (ticket.provider, router, ticket.account, job.batch);
        (it.receipt, it.modelId, it.node) = (job.leaf.receipt, ticket.modelId, receipt.evidence);
        (it.input, it.output) = (Traces.input(ticket, receipt), Traces.output(receipt));
        it.verifier = _storage().verifiers[ticket.modelId];
        (it.leaf, it.ticket) = (Merkle.leafHash(abi.encode(job.leaf)), job.leaf.ticket);
        emit DisputeOpened(id, it.provider, it.challenger, router, it.batch, it.epoch, job.position, claim);
        IERC20(_storage().stakes.infr()).safeTransferFrom(msg.sender, address(this), it.bond);
    }

    /// @inheritdoc IDisputeManager
    function reveal(bytes32 id, uint64 steps, bytes32 root, bytes32[] calldata proof) external nonReentrant {
        Dispute storage it = _move(id, Stage.Reveal);
        // INVARIANT: a trace begins with the input, ends with the output, and is the one the provider signed.
        if (
            steps == 0 || steps > MOST_STEPS || it.node != Traces.evidence(steps, root)
                || !Merkle.verify(root, Traces.leaf(it.output), steps - 1, steps, proof)
        ) revert DisputeManager_WrongRoot(id);
        (it.steps, it.level, it.root, it.node) = (steps, Traces.height(steps), root, root);
        it.stage = it.level == 0 ? Stage.Step : Stage.Dissect;
        emit Revealed(id, steps, root);
    }

    /// @inheritdoc IDisputeManager
    function dissect(bytes32 id, bytes32[] calldata nodes) external nonReentrant {
        Dispute storage it = _move(id, Stage.Dissect);
        // INVARIANT: what is shown is what the provider committed to, and all of it.
        if (nodes.length != Traces.width(it.steps, it.level, it.place, _depth(it)) || Traces.fold(nodes) != it.node) {
            revert DisputeManager_WrongNodes(id);
        }
        it.stage = Stage.Select;
        emit Dissected(id, it.level, it.place);
    }

    /// @inheritdoc IDisputeManager
    function select(bytes32 id, uint256 child, bytes32 node, bytes32[] calldata siblings) external nonReentrant {
        Dispute storage it = _move(id, Stage.Select);
        uint8 depth = _depth(it);
        // INVARIANT: the game goes on below the disputed node.
        if (!Merkle.verify(it.node, node, child, Traces.width(it.steps, it.level, it.place, depth), siblings)) {
            revert DisputeManager_WrongNodes(id);
        }
        uint8 level = it.level - depth;
        uint64 place = uint64((uint256(it.place) << depth) + child);
        (it.level, it.place, it.node) = (level, place, node);
        it.stage = level == 0 ? Stage.Step : Stage.Dissect;
        emit Selected(id, level, place, node);
    }

    /// @inheritdoc IDisputeManager
    function adjudicate(
        bytes32 id,
        bytes32 stepKind,
        bytes calldata preState,
        bytes32[] calldata preProof,
        bytes calldata step,
        bytes calldata proof
    ) external nonReentrant {
        Dispute storage it = _running(id, Stage.Step);
        _requireState(id, it, keccak256(preState), preProof);
        bytes32 postState = IStepVerifier(it.verifier).verify(it.modelId, stepKind, preState, step, proof);
        if (Traces.leaf(postState) == it.node) _uphold(id, it);
        else _overturn(id, it);
    }

    /// @inheritdoc IDisputeManager
    function timeout(bytes32 id) external nonReentrant {
        Dispute storage it = _standing(id);
        // INVARIANT: each side has its whole clock.
        if (block.timestamp <= _dueAt(it)) revert DisputeManager_StillTime(id);
        if (it.stage == Stage.Select) _uphold(id, it);
        else _overturn(id, it);
    }

    /// @inheritdoc IDisputeManager
    function dismiss(bytes32 id) external nonReentrant {
        Dispute storage it = _storage().disputes[id];
        // INVARIANT: a dispute ends once, and its bond is paid out once.
        if (!_isRunning(it.stage)) revert DisputeManager_WrongStage(id, it.stage);
        // INVARIANT: a dispute is dropped only when there is nothing left to decide.
        if (!_storage().refuted[it.receipt]) revert DisputeManager_NotRefuted(it.receipt);
        it.stage = Stage.Moot;
        _letGo(it);
        emit DisputeClosed(id, Stage.Moot, 0);
        _pay(it.challenger, it.bond);
    }

    /// @inheritdoc IDisputeManager
    function strike(address router, LeafProof calldata job) external nonReentrant {
        _leaf(router, job);
        Storage storage $ = _storage();
        // INVARIANT: only what was proved wrong voids a batch.
        if (!$.refuted[job.leaf.receipt]) revert DisputeManager_NotRefuted(job.leaf.receipt);
        $.overturned[router][job.batch][Merkle.leafHash(abi.encode(job.leaf))] = true;
        $.jobs.rollback(router, job.batch);
        emit BatchStruck(router, job.batch, job.leaf.receipt);
    }

    // Internals: moves

    /// @dev Enters a new dispute of the caller's, with the batch held and the clocks wound up.
    function _enter(address router, uint64 batch, uint32 position, address provider) private returns (bytes32 id) {
        Storage storage $ = _storage();
        address challenger = _challenger(provider);
        uint16 epoch = $.jobs.epochOf(router, batch);
        id = disputeId(router, batch, epoch, position, challenger);
        Dispute storage it = $.disputes[id];
        // INVARIANT: a challenger disputes a leaf once.
        if (it.stage != Stage.None) revert DisputeManager_AlreadyDisputed(id);
        // INVARIANT: what is final stays; a batch that is disputed does not become final.
        if (!$.jobs.hold(router, batch)) revert DisputeManager_TooLate(router, batch);
        ++$.running[_batchId(router, batch, epoch)];
        Parameters memory terms = $.parameters;
        (it.challenger, it.epoch, it.since, it.stage) = (challenger, epoch, uint40(block.timestamp), Stage.Reveal);
        (it.providerClock, it.challengerClock) = (terms.clock, terms.clock);
        (it.depth, it.bond) = (terms.depth, terms.bond);
    }

    function _challenger(address provider) private view returns (address challenger) {
        IStakeRegistry stakes = _storage().stakes;
        challenger = stakes.operatorOf(msg.sender);
        if (challenger == address(0)) challenger = msg.sender;
        // INVARIANT: whoever accuses has something to lose.
        if (!stakes.isActive(challenger, Role.Validator)) revert DisputeManager_NotValidator(msg.sender);
        // INVARIANT: nobody plays against itself.
        if (challenger == provider) revert DisputeManager_OwnJob(provider);
    }

    function _requireDisputable(
        address router,
        LeafProof calldata job,
        JobTicket calldata ticket,
        JobReceipt calldata receipt,
        bytes calldata signature,
        bytes32 claim
    ) private view {
        Storage storage $ = _storage();
        _leaf(router, job);
        _requireTicket(ticket, job.leaf.ticket);
        _requireReceipt(receipt, job.leaf.receipt);
        // INVARIANT: a provider answers for the tier it served, and only in the optimistic one for a trace.
        if (ticket.tier != OPTIMISTIC_TIER) revert DisputeManager_NotOptimistic(job.leaf.ticket);
        // INVARIANT: leaf, ticket and receipt are of one job of this router.
        if (ticket.router != router || receipt.ticket != job.leaf.ticket) {
            revert DisputeManager_WrongMessages(router, job.batch, job.position);
        }
        // INVARIANT: nothing is disputed that cannot be decided.
        if ($.verifiers[ticket.modelId] == address(0)) revert DisputeManager_NoVerifier(ticket.modelId);
        // INVARIANT: a challenger came to something else.
        if (claim == receipt.evidence) revert DisputeManager_SameClaim(claim);
        // INVARIANT: a receipt is refuted once.
        if ($.refuted[job.leaf.receipt]) revert DisputeManager_AlreadyRefuted(job.leaf.receipt);
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(job.leaf.receipt, signature);
        // INVARIANT: nobody answers for what it did not sign, and nobody escapes by retiring the key it signed with.
        if (err != ECDSA.RecoverError.NoError || !$.stakes.isSigner(ticket.provider, signer, 0)) {
            revert DisputeManager_BadSignature(ticket.provider, job.leaf.receipt);
        }
    }

    /// @dev The dispute, once the caller is the one to move and the time it took is off its clock.
    function _move(bytes32 id, Stage stage) private returns (Dispute storage it) {
        it = _running(id, stage);
        address player = stage == Stage.Select ? it.challenger : it.provider;
        // INVARIANT: only the side whose turn it is moves, with its cold or its present hot key.
        if (msg.sender != player && _storage().stakes.operatorOf(msg.sender) != player) {
            revert DisputeManager_NotYourTurn(msg.sender, player);
        }
        uint32 left = uint32(_dueAt(it) - block.timestamp);
        if (stage == Stage.Select) it.challengerClock = left;
        else it.providerClock = left;
        it.since = uint40(block.timestamp);
    }

    function _running(bytes32 id, Stage stage) private view returns (Dispute storage it) {
        it = _standing(id);
        // INVARIANT: moves come in their order.
        if (it.stage != stage) revert DisputeManager_WrongStage(id, it.stage);
        // INVARIANT: whoever is out of time has lost, whether or not that was said yet.
        if (block.timestamp > _dueAt(it)) revert DisputeManager_OutOfTime(id);
    }

    function _standing(bytes32 id) private view returns (Dispute storage it) {
        it = _storage().disputes[id];
        // INVARIANT: a dispute ends once, and its bond is paid out once.
        if (!_isRunning(it.stage)) revert DisputeManager_WrongStage(id, it.stage);
        // INVARIANT: a receipt is refuted once.
        if (_storage().refuted[it.receipt]) revert DisputeManager_AlreadyRefuted(it.receipt);
    }

    function _requireState(bytes32 id, Dispute storage it, bytes32 state, bytes32[] calldata proof) private view {
        uint64 place = it.place;
        bool right = place == 0
            ? state == it.input && proof.length == 0
            : Merkle.verify(it.root, Traces.leaf(state), place - 1, it.steps, proof);
        // INVARIANT: a step starts from what both sides agree on.
        if (!right) revert DisputeManager_WrongState(id);
    }

    function _depth(Dispute storage it) private view returns (uint8) {
        return it.level < it.depth ? it.level : it.depth;
    }

    // Internals: outcomes

    function _uphold(bytes32 id, Dispute storage it) private {
        Storage storage $ = _storage();
        it.stage = Stage.Upheld;
        _letGo(it);
        uint256 slashed =
            $.stakes.slash(it.challenger, Role.Validator, $.parameters.challengerBps, it.provider, address(0), FALSE_DISPUTE);
        emit DisputeClosed(id, Stage.Upheld, slashed);
        _pay(it.provider, it.bond);
    }

    function _overturn(bytes32 id, Dispute storage it) private {
        Storage storage $ = _storage();
        it.stage = Stage.Overturned;
        ($.refuted[it.receipt], $.refuted[it.ticket]) = (true, true);
        $.overturned[it.router][it.batch][it.leaf] = true;
        if (_stands(it) && !$.jobs.isFinal(it.router, it.batch)) $.jobs.rollback(it.router, it.batch);
        _letGo(it);
        uint256 before = $.offences[it.provider]++;
        uint256 bps = before > 7 ? BPS : uint256($.parameters.providerBps) << before;
        if (bps > BPS) bps = BPS;
        uint256 slashed = $.stakes.slash(it.provider, Role.Provider, bps, it.account, it.challenger, LOST_DISPUTE);
        emit DisputeClosed(id, Stage.Overturned, slashed);
        _pay(it.challenger, it.bond);
    }

    /// @dev One dispute less over the batch, which no longer waits for the manager if it was the last.
    function _letGo(Dispute storage it) private {
        Storage storage $ = _storage();
        uint256 left = --$.running[_batchId(it.router, it.batch, it.epoch)];
        if (left == 0) $.jobs.release(it.router, it.batch, it.epoch);
    }

    /// @dev Whether the disputed batch has not been voided.
    function _stands(Dispute storage it) private view returns (bool) {
        IJobRegistry jobs = _storage().jobs;
        return it.batch < jobs.batchCount(it.router) && jobs.epochOf(it.router, it.batch) == it.epoch;
    }

    function _pay(address recipient, uint256 amount) private {
        IERC20(_storage().stakes.infr()).safeTransfer(recipient, amount);
    }

    function _jobs() internal view override returns (IJobRegistry) {
        return _storage().jobs;
    }
}
