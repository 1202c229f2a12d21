// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import { Governed } from "../Governed.sol";
import { IClaimDesk } from "../interfaces/IClaimDesk.sol";
import { IDisputeManager } from "../interfaces/IDisputeManager.sol";
import { IJobRegistry } from "../interfaces/IJobRegistry.sol";
import { IPaymentVault } from "../interfaces/IPaymentVault.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";
import { Pricing } from "../libraries/Pricing.sol";
import { JobReceipt, JobTicket, Role } from "../libraries/Types.sol";
import { LeafProof } from "./Faults.sol";

/// @title ClaimDesk
/// @notice Where providers claim jobs that routers left out, and anyone the receipts that providers did not sign. See {IClaimDesk}, which
/// is its specification.
contract ClaimDesk is IClaimDesk, Governed, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice What a first unanswered claim costs, in basis points of the stake; each further one twice as much, up to sixteen times.
    uint256 public constant LIGHT_BPS = 100;
    uint256 private constant MOST_DOUBLINGS = 4;
    uint64 public constant SHORTEST_INCLUSION = 1 minutes;
    uint64 public constant LONGEST_INCLUSION = 1 days;
    /// @dev Long enough to commit a batch.
    uint64 public constant SHORTEST_RESPONSE = 5 minutes;
    uint64 public constant LONGEST_RESPONSE = 3 days;
    uint64 public constant LONGEST_CLAIM = 30 days;
    uint256 public constant LOWEST_BOND = 1e18;
    uint256 public constant HIGHEST_BOND = 100_000e18;

    /// @custom:storage-location erc7201:infera.storage.ClaimDesk
    struct Storage {
        IPaymentVault vault;
        uint64 inclusionPeriod;
        IJobRegistry jobs;
        uint64 responseWindow;
        IStakeRegistry stakes;
        uint64 claimPeriod;
        uint256 claimBond;
        mapping(bytes32 ticket => Claim) omissions;
        mapping(bytes32 ticket => Claim) silences;
        mapping(address operator => uint256) offences;
        IDisputeManager disputes;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.ClaimDesk")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x55f6b29f7882ec6eb67baa5e6c0fccfdc908eb3d18bbe9c516958b67d8c0dd00;

    function initialize(
        address governor,
        address paymentVault_,
        uint64 inclusionPeriod,
        uint64 responseWindow,
        uint64 claimPeriod,
        uint256 claimBond
    ) external initializer {
        // INVARIANT: the desk always knows the vault, and through it batches and stake.
        if (paymentVault_ == address(0)) revert ClaimDesk_ZeroAddress();
        __Ownable_init(governor);
        Storage storage $ = _storage();
        $.vault = IPaymentVault(paymentVault_);
        $.jobs = IJobRegistry($.vault.jobRegistry());
        $.stakes = IStakeRegistry($.jobs.stakeRegistry());
        _setParameters(inclusionPeriod, responseWindow, claimPeriod, claimBond);
    }

    // Omissions

    /// @inheritdoc IClaimDesk
    function claimJob(
        JobTicket calldata ticket,
        bytes calldata ticketSignature,
        JobReceipt calldata receipt,
        bytes calldata receiptSignature
    ) external nonReentrant returns (uint64 dueAt) {
        Storage storage $ = _storage();
        bytes32 digest = $.jobs.ticketDigest(ticket);
        // INVARIANT: a router pays only for a job it ordered, and the provider signed for, at its price.
        if (!_isWithin(ticket, receipt) || !$.jobs.verifyReceipt(ticket, ticketSignature, receipt, receiptSignature)) {
            revert ClaimDesk_BadMessages(digest);
        }
        // INVARIANT: what came too late need not be paid.
        if (receipt.completedAt > ticket.deadline) revert ClaimDesk_DeliveredLate(receipt.completedAt, ticket.deadline);
        _requireSeason(ticket.deadline);
        _requireUnrefuted(digest);
        uint64 net = _net(receipt.cost);
        // INVARIANT: nobody is held to account over nothing.
        if (net == 0) revert ClaimDesk_NothingDue(digest);
        Claim storage entry = $.omissions[digest];
        // INVARIANT: a ticket is claimed once, unless the batch that answered is void.
        if (entry.status != Status.None && !_wasVoided(entry)) revert ClaimDesk_AlreadyClaimed(digest);
        dueAt = _open(entry, ticket);
        entry.net = net;
        emit OmissionClaimed(digest, ticket.router, ticket.provider, $.jobs.receiptDigest(receipt), net, dueAt);
    }

    /// @inheritdoc IClaimDesk
    function showIncluded(bytes32 ticket, LeafProof calldata job) external nonReentrant {
        Storage storage $ = _storage();
        Claim storage entry = $.omissions[ticket];
        _close(entry, ticket, Status.Answered);
        // INVARIANT: only the job itself, in a batch of this router that stands, answers for it.
        if (job.leaf.ticket != ticket || !$.jobs.verifyLeaf(entry.router, job.batch, job.leaf, job.position, job.siblings)) {
            revert ClaimDesk_NotIncluded(ticket);
        }
        entry.batch = job.batch;
        entry.epoch = $.jobs.epochOf(entry.router, job.batch);
        emit Included(ticket, job.batch, job.position);
        _pay(entry.router, entry.bond);
    }

    /// @inheritdoc IClaimDesk
    function concede(bytes32 ticket) external nonReentrant returns (uint256 paid) {
        Storage storage $ = _storage();
        Claim storage entry = $.omissions[ticket];
        _close(entry, ticket, Status.Conceded);
        _requireUnrefuted(ticket);
        // INVARIANT: only the router spends its bond without being made to.
        if (msg.sender != entry.router && $.stakes.operatorOf(msg.sender) != entry.router) {
            revert ClaimDesk_NotRouter(msg.sender, entry.router);
        }
        paid = $.vault.payFromBond(entry.router, entry.provider, entry.net);
        // INVARIANT: a router buys itself off only by paying in full.
        if (paid != entry.net) revert ClaimDesk_BondTooSmall(paid, entry.net);
        emit Conceded(ticket, paid);
        _pay(entry.claimant, entry.bond);
    }

    /// @inheritdoc IClaimDesk
    function expireOmission(bytes32 ticket) external nonReentrant returns (uint256 paid) {
        Storage storage $ = _storage();
        Claim storage entry = $.omissions[ticket];
        _close(entry, ticket, Status.Expired);
        _requireOver(entry);
        _requireUnrefuted(ticket);
        paid = $.vault.payFromBond(entry.router, entry.provider, entry.net);
        uint256 slashed = _slash(entry.router, Role.Router, entry.provider, entry.claimant, "omission");
        emit OmissionExpired(ticket, paid, slashed);
        _pay(entry.claimant, entry.bond);
    }

    /// @inheritdoc IClaimDesk
    function dismiss(bytes32 ticket) external nonReentrant {
        Claim storage entry = _storage().omissions[ticket];
        _close(entry, ticket, Status.Refuted);
        // INVARIANT: a claim is dropped only when nothing is owed for the job.
        if (!_isRefuted(ticket)) revert ClaimDesk_NotRefuted(ticket);
        emit Dismissed(ticket);
        _pay(entry.router, entry.bond);
    }

    // Silences

    /// @inheritdoc IClaimDesk
    function claimSilence(JobTicket calldata ticket, bytes calldata ticketSignature) external nonReentrant returns (uint64 dueAt) {
        Storage storage $ = _storage();
        bytes32 digest = $.jobs.ticketDigest(ticket);
        // INVARIANT: a provider answers only for what a router ordered.
        if (!_isSigned(ticket.router, digest, ticketSignature, ticket.issuedAt)) revert ClaimDesk_BadMessages(digest);
        _requireSeason(ticket.deadline);
        Claim storage entry = $.silences[digest];
        // INVARIANT: a provider answers for a ticket once.
        if (entry.status != Status.None) revert ClaimDesk_AlreadyClaimed(digest);
        dueAt = _open(entry, ticket);
        emit SilenceClaimed(digest, ticket.router, ticket.provider, ticket.account, dueAt);
    }

    /// @inheritdoc IClaimDesk
    function showReceipt(JobTicket calldata ticket, JobReceipt calldata receipt, bytes calldata receiptSignature)
        external
        nonReentrant
    {
        Storage storage $ = _storage();
        bytes32 digest = $.jobs.ticketDigest(ticket);
        bytes32 receipt_ = $.jobs.receiptDigest(receipt);
        Claim storage entry = $.silences[digest];
        _close(entry, digest, Status.Answered);
        uint256 price = Pricing.cost(receipt.tokensIn, receipt.tokensOut, ticket.priceIn, ticket.priceOut, ticket.premiumBps);
        // INVARIANT: only a receipt of this ticket, at its price and signed by its provider, answers.
        if (
            receipt.ticket != digest || receipt.cost != (price < ticket.maxCost ? price : ticket.maxCost)
                || !_isWithin(ticket, receipt) || !_isSigned(ticket.provider, receipt_, receiptSignature, 0)
        ) revert ClaimDesk_BadMessages(digest);
        emit Delivered(digest, receipt_, receipt.cost, receipt.finishReason);
        _pay(entry.provider, entry.bond);
    }

    /// @inheritdoc IClaimDesk
    function expireSilence(bytes32 ticket) external nonReentrant {
        Claim storage entry = _storage().silences[ticket];
        _close(entry, ticket, Status.Expired);
        _requireOver(entry);
        uint256 slashed = _slash(entry.provider, Role.Provider, entry.account, entry.claimant, "silence");
        emit SilenceExpired(ticket, slashed);
        _pay(entry.claimant, entry.bond);
    }

    // Governor

    /// @inheritdoc IClaimDesk
    function setParameters(uint64 inclusionPeriod, uint64 responseWindow, uint64 claimPeriod, uint256 claimBond)
        external
        onlyOwner
    {
        _setParameters(inclusionPeriod, responseWindow, claimPeriod, claimBond);
    }

    /// @inheritdoc IClaimDesk
    function setDisputeManager(address manager) external onlyOwner {
        _storage().disputes = IDisputeManager(manager);
        emit DisputeManagerChanged(manager);
    }

    // Views

    /// @inheritdoc IClaimDesk
    function disputeManager() external view returns (address) {
        return address(_storage().disputes);
    }

    /// @inheritdoc IClaimDesk
    function omissionOf(bytes32 ticket) external view returns (Claim memory) {
        return _storage().omissions[ticket];
    }

    /// @inheritdoc IClaimDesk
    function silenceOf(bytes32 ticket) external view returns (Claim memory) {
        return _storage().silences[ticket];
    }

    /// @inheritdoc IClaimDesk
    function offences(address operator) external view returns (uint256) {
        return _storage().offences[operator];
    }

    /// @inheritdoc IClaimDesk
    function parameters()
        external
        view
        returns (uint64 inclusionPeriod, uint64 responseWindow, uint64 claimPeriod, uint256 claimBond)
    {
        Storage storage $ = _storage();
        return ($.inclusionPeriod, $.responseWindow, $.claimPeriod, $.claimBond);
    }

    /// @inheritdoc IClaimDesk
    function paymentVault() external view returns (address) {
        return address(_storage().vault);
    }

    // Internals

    function _open(Claim storage entry, JobTicket calldata ticket) private returns (uint64 dueAt) {
        Storage storage $ = _storage();
        dueAt = uint64(block.timestamp) + $.responseWindow;
        (entry.claimant, entry.dueAt, entry.status) = (msg.sender, dueAt, Status.Open);
        (entry.router, entry.provider, entry.account) = (ticket.router, ticket.provider, ticket.account);
        entry.bond = uint96($.claimBond);
        IERC20($.stakes.infr()).safeTransferFrom(msg.sender, address(this), entry.bond);
    }

    function _close(Claim storage entry, bytes32 ticket, Status status) private {
        // INVARIANT: a claim is closed once, and its bond paid out once.
        if (entry.status != Status.Open) revert ClaimDesk_NotOpen(ticket);
        entry.status = status;
    }

    function _slash(address operator, Role role, address harmed, address challenger, bytes32 reason) private returns (uint256) {
        Storage storage $ = _storage();
        uint256 before = $.offences[operator]++;
        uint256 bps = LIGHT_BPS << (before < MOST_DOUBLINGS ? before : MOST_DOUBLINGS);
        return $.stakes.slash(operator, role, bps, harmed, challenger, reason);
    }

    function _pay(address recipient, uint256 amount) private {
        IERC20(_storage().stakes.infr()).safeTransfer(recipient, amount);
    }

    /// @dev What is left of a job's cost for the provider.
    function _net(uint64 cost) private view returns (uint64) {
        (uint16 routerFeeBps, uint16 protocolFeeBps) = _storage().vault.fees();
        return uint64(cost - Pricing.fee(cost, routerFeeBps) - Pricing.fee(cost, protocolFeeBps));
    }

    function _wasVoided(Claim storage entry) private view returns (bool) {
        IJobRegistry jobs = _storage().jobs;
        return entry.status == Status.Answered
            && (entry.batch >= jobs.batchCount(entry.router) || jobs.epochOf(entry.router, entry.batch) != entry.epoch);
    }

    function _isWithin(JobTicket calldata ticket, JobReceipt calldata receipt) private pure returns (bool) {
        return receipt.tokensIn <= ticket.maxTokensIn && receipt.tokensOut <= ticket.maxTokensOut
            && receipt.completedAt >= ticket.issuedAt;
    }

    function _isSigned(address operator, bytes32 digest, bytes calldata signature, uint64 when) private view returns (bool) {
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        return err == ECDSA.RecoverError.NoError && _storage().stakes.isSigner(operator, signer, when);
    }

    function _isRefuted(bytes32 ticket) private view returns (bool) {
        IDisputeManager disputes = _storage().disputes;
        return address(disputes) != address(0) && disputes.isRefuted(ticket);
    }

    function _requireUnrefuted(bytes32 ticket) private view {
        // INVARIANT: no router pays for a job that was proved wrong.
        if (_isRefuted(ticket)) revert ClaimDesk_Refuted(ticket);
    }

    function _requireSeason(uint64 deadline) private view {
        Storage storage $ = _storage();
        uint256 earliest = uint256(deadline) + $.inclusionPeriod;
        // INVARIANT: both sides first have the time to do it by themselves.
        if (block.timestamp <= earliest) revert ClaimDesk_TooEarly(earliest);
        uint256 latest = uint256(deadline) + $.claimPeriod;
        // INVARIANT: nobody has to keep messages for ever.
        if (block.timestamp > latest) revert ClaimDesk_TooLate(latest);
    }

    function _requireOver(Claim storage entry) private view {
        // INVARIANT: whoever is asked has the whole response window.
        if (block.timestamp <= entry.dueAt) revert ClaimDesk_StillTime(entry.dueAt);
    }

    function _setParameters(uint64 inclusionPeriod, uint64 responseWindow, uint64 claimPeriod, uint256 claimBond) private {
        _requireWithin(inclusionPeriod, SHORTEST_INCLUSION, LONGEST_INCLUSION);
        _requireWithin(responseWindow, SHORTEST_RESPONSE, LONGEST_RESPONSE);
        _requireWithin(claimPeriod, uint256(inclusionPeriod) + 1, LONGEST_CLAIM);
        _requireWithin(claimBond, LOWEST_BOND, HIGHEST_BOND);
        Storage storage $ = _storage();
        ($.inclusionPeriod, $.responseWindow, $.claimPeriod) = (inclusionPeriod, responseWindow, claimPeriod);
        $.claimBond = claimBond;
        emit ParametersChanged(inclusionPeriod, responseWindow, claimPeriod, claimBond);
    }

    function _requireWithin(uint256 value, uint256 lowest, uint256 highest) private pure {
        // INVARIANT: the governor moves parameters within fixed bounds.
        if (value < lowest || value > highest) revert ClaimDesk_OutOfBounds(value, lowest, highest);
    }

    function _storage() private pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
