// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import { Governed } from "../Governed.sol";
import { IInferaAdapter } from "../interfaces/IInferaAdapter.sol";
import { IInferaCallback } from "../interfaces/IInferaCallback.sol";
import { IJobRegistry } from "../interfaces/IJobRegistry.sol";
import { IPaymentVault } from "../interfaces/IPaymentVault.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";
import { Pricing } from "../libraries/Pricing.sol";
import { JobReceipt, JobTicket, Role } from "../libraries/Types.sol";
import { Answers } from "./Answers.sol";

/// @title InferaAdapter
/// @notice Inference for contracts, paid per call. See {IInferaAdapter}, which is its specification.
contract InferaAdapter is IInferaAdapter, Governed, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    uint256 public constant LONGEST_PAYLOAD = 8_192;
    uint256 public constant LONGEST_TEXT = 16_384;
    uint32 public constant MOST_CALLBACK_GAS = 5_000_000;
    uint64 public constant LONGEST_WAIT = 7 days;
    uint64 public constant HIGHEST_MINIMUM = 1_000_000;
    /// @notice What is kept back from a callback, so that its answer can be stored if it fails.
    uint256 public constant STORE_GAS = 100_000;
    uint256 public constant STORE_GAS_PER_BYTE = 230;

    struct StoredRequest {
        address requester;
        Status status;
        uint8 tier;
        uint40 deadline;
        uint32 callbackGas;
        address router;
        uint64 maxCost;
        uint32 tip;
        bytes32 modelId;
        bytes32 requestHash;
        address answer;
        uint40 createdAt;
    }

    /// @custom:storage-location erc7201:infera.storage.InferaAdapter
    struct Storage {
        IERC20 usdc;
        IPaymentVault vault;
        IJobRegistry jobs;
        IStakeRegistry stakes;
        uint64 minimumCost;
        uint256 count;
        uint256 protocolFees;
        mapping(bytes32 id => StoredRequest) requests;
        mapping(address account => uint256) balances;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.InferaAdapter")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0xa0dcf04126685e13d1c3819df9addbd9a8cdf04611ad5c432bbbb69513c0e200;

    function initialize(address governor, address vault_, uint64 minimumCost_) external initializer {
        // INVARIANT: the adapter always knows how jobs are priced and proven.
        if (vault_ == address(0)) revert InferaAdapter_ZeroAddress();
        __Ownable_init(governor);
        Storage storage $ = _storage();
        $.vault = IPaymentVault(vault_);
        $.usdc = IERC20($.vault.usdc());
        $.jobs = IJobRegistry($.vault.jobRegistry());
        $.stakes = IStakeRegistry($.jobs.stakeRegistry());
        _setMinimumCost(minimumCost_);
    }

    /// @inheritdoc IInferaAdapter
    function request(Request calldata wanted, bytes calldata payload) external returns (bytes32 id) {
        _checkRequest(wanted, payload);
        Storage storage $ = _storage();
        id = keccak256(abi.encode(block.chainid, address(this), $.count++));
        $.requests[id] = StoredRequest({
            requester: msg.sender,
            status: Status.Open,
            tier: wanted.tier,
            deadline: wanted.deadline,
            callbackGas: wanted.callbackGas,
            router: wanted.router,
            maxCost: wanted.maxCost,
            tip: wanted.tip,
            modelId: wanted.modelId,
            requestHash: wanted.requestHash,
            answer: address(0),
            createdAt: uint40(block.timestamp)
        });
        emit Requested(id, msg.sender, wanted.router, wanted, payload);
        $.usdc.safeTransferFrom(msg.sender, address(this), uint256(wanted.maxCost) + wanted.tip);
    }

    /// @inheritdoc IInferaAdapter
    function fulfil(bytes32 id, Proof calldata proof, string calldata text) external nonReentrant returns (bool delivered) {
        StoredRequest storage stored = _open(id);
        // INVARIANT: until its deadline a request can be fulfilled, and after it refunded, never both.
        if (block.timestamp > stored.deadline) revert InferaAdapter_TooLate(id, stored.deadline);
        _checkTicket(id, stored, proof.ticket, proof.receipt);
        // INVARIANT: the text is what the provider signed.
        _checkText(proof.receipt, text);
        // INVARIANT: both signed, with keys that were theirs when they did, and the cost is the price of what was delivered.
        if (!_storage().jobs.verifyReceipt(proof.ticket, proof.ticketSignature, proof.receipt, proof.receiptSignature)) {
            revert InferaAdapter_BadReceipt(id);
        }
        stored.status = Status.Delivered;
        _pay(stored, proof.ticket, proof.receipt.cost);
        emit Fulfilled(id, proof.ticket.provider, proof.ticket.router, proof.receipt.cost, proof.receipt.finishReason, text);
        delivered = _deliver(id, stored, proof, text);
        if (delivered) {
            emit Delivered(id);
        } else {
            stored.status = Status.Stored;
            stored.answer = Answers.store(abi.encode(text, proof.receipt, proof.ticket.provider));
            emit AnswerStored(id, stored.answer);
        }
    }

    /// @inheritdoc IInferaAdapter
    function redeliver(bytes32 id) external nonReentrant {
        StoredRequest storage stored = _storage().requests[id];
        (string memory text, JobReceipt memory receipt, address provider) = answerOf(id);
        address requester = stored.requester;
        stored.status = Status.Delivered;
        // INVARIANT: an answer counts as delivered only if its requester took it.
        if (
            requester.code.length == 0
                || !_call(requester, gasleft(), abi.encodeCall(IInferaCallback.onInference, (id, text, receipt, provider)))
        ) {
            revert InferaAdapter_CallbackFailed(id);
        }
        emit Delivered(id);
    }

    /// @inheritdoc IInferaAdapter
    function refund(bytes32 id) external {
        StoredRequest storage stored = _open(id);
        // INVARIANT: until its deadline a request's escrow answers for the work.
        if (block.timestamp <= stored.deadline) revert InferaAdapter_NotYet(id, stored.deadline);
        stored.status = Status.Refunded;
        uint256 amount = uint256(stored.maxCost) + stored.tip;
        _storage().balances[stored.requester] += amount;
        emit Refunded(id, amount);
    }

    /// @inheritdoc IInferaAdapter
    function withdraw(address account) external nonReentrant returns (uint256 amount) {
        Storage storage $ = _storage();
        amount = $.balances[account];
        $.balances[account] = 0;
        emit Withdrawn(account, amount);
        $.usdc.safeTransfer(account, amount);
    }

    /// @inheritdoc IInferaAdapter
    function withdrawProtocolFees() external nonReentrant returns (uint256 treasury, uint256 validators, uint256 buyback) {
        Storage storage $ = _storage();
        (treasury, validators, buyback) = Pricing.split($.protocolFees);
        $.protocolFees = 0;
        (address toTreasury, address toValidators, address toBuyback) = $.vault.recipients();
        emit ProtocolFeesPaid(treasury, validators, buyback);
        $.usdc.safeTransfer(toTreasury, treasury);
        $.usdc.safeTransfer(toValidators, validators);
        $.usdc.safeTransfer(toBuyback, buyback);
    }

    /// @inheritdoc IInferaAdapter
    function setMinimumCost(uint64 minimum) external onlyOwner {
        _setMinimumCost(minimum);
    }

    // Views

    /// @inheritdoc IInferaAdapter
    function requestOf(bytes32 id)
        external
        view
        returns (Status status, address requester, uint40 createdAt, Request memory wanted)
    {
        StoredRequest storage stored = _storage().requests[id];
        wanted = Request({
            modelId: stored.modelId,
            requestHash: stored.requestHash,
            router: stored.router,
            tier: stored.tier,
            maxCost: stored.maxCost,
            tip: stored.tip,
            deadline: stored.deadline,
            callbackGas: stored.callbackGas
        });
        return (stored.status, stored.requester, stored.createdAt, wanted);
    }

    /// @inheritdoc IInferaAdapter
    function answerOf(bytes32 id) public view returns (string memory text, JobReceipt memory receipt, address provider) {
        StoredRequest storage stored = _storage().requests[id];
        // INVARIANT: only an answer its requester did not take is stored.
        if (stored.status != Status.Stored) revert InferaAdapter_NotStored(id);
        return abi.decode(Answers.load(stored.answer), (string, JobReceipt, address));
    }

    /// @inheritdoc IInferaAdapter
    function proves(Proof calldata proof, string calldata text) external view returns (bool) {
        bytes32 expected = Answers.responseHash(proof.receipt.finishReason, bytes(text));
        return expected != bytes32(0) && proof.receipt.responseHash == expected
            && _storage().jobs.verifyReceipt(proof.ticket, proof.ticketSignature, proof.receipt, proof.receiptSignature);
    }

    /// @inheritdoc IInferaAdapter
    function responseHash(uint8 finishReason, string calldata text) external pure returns (bytes32) {
        return Answers.responseHash(finishReason, bytes(text));
    }

    /// @inheritdoc IInferaAdapter
    function balanceOf(address account) external view returns (uint256) {
        return _storage().balances[account];
    }

    /// @inheritdoc IInferaAdapter
    function protocolFees() external view returns (uint256) {
        return _storage().protocolFees;
    }

    /// @inheritdoc IInferaAdapter
    function minimumCost() external view returns (uint64) {
        return _storage().minimumCost;
    }

    /// @inheritdoc IInferaAdapter
    function vault() external view returns (address) {
        return address(_storage().vault);
    }

    // Internals

    function _checkRequest(Request calldata wanted, bytes calldata payload) private view {
        Storage storage $ = _storage();
        // INVARIANT: a request says what it asks for.
        if (wanted.modelId == bytes32(0)) revert InferaAdapter_NoModel();
        // INVARIANT: a request asks for a tier there is.
        if (wanted.tier == 0 || wanted.tier > 3) revert InferaAdapter_UnknownTier(wanted.tier);
        // INVARIANT: a request is worth the attention it asks routers for.
        if (wanted.maxCost < $.minimumCost) revert InferaAdapter_CostTooLow(wanted.maxCost, $.minimumCost);
        // INVARIANT: escrow is back within a week.
        if (wanted.deadline <= block.timestamp || wanted.deadline > block.timestamp + LONGEST_WAIT) {
            revert InferaAdapter_DeadlineOutOfBounds(wanted.deadline, block.timestamp + 1, block.timestamp + LONGEST_WAIT);
        }
        // INVARIANT: a fulfilment fits into a block.
        if (wanted.callbackGas > MOST_CALLBACK_GAS) {
            revert InferaAdapter_CallbackGasTooHigh(wanted.callbackGas, MOST_CALLBACK_GAS);
        }
        // INVARIANT: a payload fits into a block with others.
        if (payload.length > LONGEST_PAYLOAD) revert InferaAdapter_PayloadTooLong(payload.length, LONGEST_PAYLOAD);
        // INVARIANT: the payload on chain is what the ticket will be about.
        if (payload.length != 0 && keccak256(payload) != wanted.requestHash) {
            revert InferaAdapter_PayloadMismatch(wanted.requestHash);
        }
        // INVARIANT: escrow does not wait for a router that cannot work.
        if (wanted.router != address(0) && !$.stakes.isActive(wanted.router, Role.Router)) {
            revert InferaAdapter_RouterInactive(wanted.router);
        }
    }

    function _checkTicket(bytes32 id, StoredRequest storage stored, JobTicket calldata ticket, JobReceipt calldata receipt)
        private
        view
    {
        // INVARIANT: a ticket is for one request of this adapter, and costs no more than its escrow.
        if (
            ticket.grant != id || ticket.account != address(this) || ticket.modelId != stored.modelId || ticket.tier != stored.tier
                || ticket.requestHash != stored.requestHash || ticket.maxCost > stored.maxCost
                || (stored.router != address(0) && ticket.router != stored.router)
        ) revert InferaAdapter_WrongTicket(id);
        // INVARIANT: the work was ordered after the request, so a key retired before it cannot have signed, and it is done.
        if (ticket.issuedAt < stored.createdAt || receipt.completedAt < ticket.issuedAt || receipt.completedAt > block.timestamp) {
            revert InferaAdapter_WrongTime(id);
        }
        IStakeRegistry stakes = _storage().stakes;
        // INVARIANT: whoever orders has something to lose.
        if (!stakes.isActive(ticket.router, Role.Router)) revert InferaAdapter_RouterInactive(ticket.router);
        // INVARIANT: so has whoever delivers.
        if (!stakes.isActive(ticket.provider, Role.Provider)) revert InferaAdapter_ProviderInactive(ticket.provider);
    }

    function _checkText(JobReceipt calldata receipt, string calldata text) private pure {
        uint8 reason = receipt.finishReason;
        // INVARIANT: only a finished answer is paid; a cancelled or broken one leaves the request open.
        if (reason != 1 && reason != 2 && reason != 5) revert InferaAdapter_NotFinished(reason);
        // INVARIANT: an answer can be stored.
        if (bytes(text).length > LONGEST_TEXT) revert InferaAdapter_TextTooLong(bytes(text).length, LONGEST_TEXT);
        bytes32 expected = Answers.responseHash(reason, bytes(text));
        // INVARIANT: the text is what the receipt is about.
        if (receipt.responseHash != expected) revert InferaAdapter_TextMismatch(receipt.responseHash, expected);
    }

    /// @dev Credits all of the escrow: to provider, router and protocol what the job cost, and the rest back.
    function _pay(StoredRequest storage stored, JobTicket calldata ticket, uint256 cost) private {
        Storage storage $ = _storage();
        (uint16 routerFeeBps, uint16 protocolFeeBps) = $.vault.fees();
        uint256 routerFee = Pricing.fee(cost, routerFeeBps);
        uint256 protocolFee = Pricing.fee(cost, protocolFeeBps);
        $.balances[ticket.provider] += cost - routerFee - protocolFee;
        $.balances[ticket.router] += routerFee + stored.tip;
        $.protocolFees += protocolFee;
        if (stored.maxCost != cost) $.balances[stored.requester] += stored.maxCost - cost;
    }

    function _deliver(bytes32 id, StoredRequest storage stored, Proof calldata proof, string calldata text) private returns (bool) {
        uint256 callbackGas = stored.callbackGas;
        address requester = stored.requester;
        if (callbackGas == 0 || requester.code.length == 0) return false;
        bytes memory data = abi.encodeCall(IInferaCallback.onInference, (id, text, proof.receipt, proof.ticket.provider));
        uint256 needed = callbackGas + callbackGas / 63 + STORE_GAS + STORE_GAS_PER_BYTE * bytes(text).length;
        // INVARIANT: a callback gets the gas it was promised; nobody makes it fail by sending less.
        if (gasleft() < needed) revert InferaAdapter_TooLittleGas(gasleft(), needed);
        return _call(requester, callbackGas, data);
    }

    /// @dev Takes no return data, however much there is.
    function _call(address to, uint256 gas_, bytes memory data) private returns (bool success) {
        assembly ("memory-safe") {
            success := call(gas_, to, 0, add(data, 0x20), mload(data), 0, 0)
        }
    }

    function _open(bytes32 id) private view returns (StoredRequest storage stored) {
        stored = _storage().requests[id];
        // INVARIANT: a request is settled once.
        if (stored.status != Status.Open) revert InferaAdapter_NotOpen(id);
    }

    function _setMinimumCost(uint64 minimum) private {
        // INVARIANT: the governor cannot price anybody out.
        if (minimum > HIGHEST_MINIMUM) revert InferaAdapter_MinimumTooHigh(minimum, HIGHEST_MINIMUM);
        _storage().minimumCost = minimum;
        emit MinimumCostChanged(minimum);
    }

    function _storage() private pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
