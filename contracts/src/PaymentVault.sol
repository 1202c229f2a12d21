// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { IERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { MessageHashUtils } from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import { PaymentVaultBooks } from "./PaymentVaultBooks.sol";
import { IJobRegistry } from "./interfaces/IJobRegistry.sol";
import { IPaymentVault } from "./interfaces/IPaymentVault.sol";
import { Grants } from "./libraries/Grants.sol";
import { Hold, HoldLib } from "./libraries/Hold.sol";
import { Merkle } from "./libraries/Merkle.sol";
import { Messages } from "./libraries/Messages.sol";
import { Pricing } from "./libraries/Pricing.sol";
import { CreditLeaf, DebitLeaf, KeyGrant } from "./libraries/Types.sol";

/// @title PaymentVault
/// @notice Holds developers' USDC and moves it only as far as they signed. See {IPaymentVault}, which is its specification.
contract PaymentVault is PaymentVaultBooks, ReentrancyGuardTransient {
    using Grants for Grants.Account;
    using Grants for Grants.Grant;
    using HoldLib for Hold;
    using SafeERC20 for IERC20;

    uint16 public constant MAX_FEE_BPS = 500;
    uint64 public constant SHORTEST_THAW = 1 seconds;
    uint64 public constant LONGEST_THAW = 30 days;
    uint64 public constant LONGEST_SLACK = 7 days;

    /// One batch while its debits are applied.
    struct Settlement {
        address router;
        uint64 batch;
        uint64 committedAt;
        bytes32 grant;
    }

    function initialize(
        address governor,
        address usdc_,
        address jobRegistry_,
        uint64 thawPeriod_,
        address treasury,
        address validators,
        address buyback
    ) external initializer {
        // INVARIANT: the vault always knows its token and the log it settles by; neither can be changed.
        if (usdc_ == address(0) || jobRegistry_ == address(0)) revert PaymentVault_ZeroAddress();
        __Ownable_init(governor);
        Storage storage $ = _storage();
        $.usdc = IERC20(usdc_);
        $.jobs = IJobRegistry(jobRegistry_);
        _setThawPeriod(thawPeriod_);
        _setExpirySlack(1 hours);
        _setFees(150, 150);
        _setRecipients(treasury, validators, buyback);
    }

    // Developers

    /// @inheritdoc IPaymentVault
    function deposit(uint256 amount) external nonReentrant {
        _deposit(msg.sender, amount);
    }

    /// @inheritdoc IPaymentVault
    function depositFor(address account, uint256 amount) external nonReentrant {
        // INVARIANT: every micro-USDC in the vault belongs to somebody.
        if (account == address(0)) revert PaymentVault_ZeroAddress();
        _deposit(account, amount);
    }

    /// @inheritdoc IPaymentVault
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external nonReentrant {
        // Somebody may have sent the permit ahead of us; what counts is the allowance.
        try IERC20Permit(address(_storage().usdc)).permit(msg.sender, address(this), amount, deadline, v, r, s) { } catch { }
        _deposit(msg.sender, amount);
    }

    /// @inheritdoc IPaymentVault
    function withdraw(uint256 amount) external nonReentrant {
        _takeFree(msg.sender, amount);
        emit Withdrawn(msg.sender, amount);
        _storage().usdc.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IPaymentVault
    function lock(address router, uint256 amount) external {
        // INVARIANT: a lockup answers to a router.
        if (router == address(0)) revert PaymentVault_ZeroAddress();
        _takeFree(msg.sender, amount);
        _storage().lockups[msg.sender][router].add(amount);
        emit Locked(msg.sender, router, amount);
    }

    /// @inheritdoc IPaymentVault
    function unlock(address router, uint256 amount) external returns (uint64 thawedAt) {
        Storage storage $ = _storage();
        thawedAt = $.lockups[msg.sender][router].thaw(amount, _thaw());
        emit Unlocking(msg.sender, router, amount, thawedAt);
    }

    /// @inheritdoc IPaymentVault
    function withdrawThawed(address router) external returns (uint256 amount) {
        Storage storage $ = _storage();
        amount = $.lockups[msg.sender][router].release();
        $.free[msg.sender] += amount;
        emit Unlocked(msg.sender, router, amount);
    }

    /// @inheritdoc IPaymentVault
    function registerGrant(KeyGrant calldata grant, bytes calldata signature) external returns (bytes32 digest) {
        Storage storage $ = _storage();
        digest = MessageHashUtils.toTypedDataHash($.jobs.domainSeparator(), Messages.hash(grant));
        _register(digest, grant, signature);
    }

    /// @inheritdoc IPaymentVault
    function revokeGrant(bytes32 grant) external {
        _storage().accounts[msg.sender].revoke(grant);
        emit GrantRevoked(grant, msg.sender);
    }

    /// @inheritdoc IPaymentVault
    function revokeAll() external returns (uint64 generation) {
        generation = _storage().accounts[msg.sender].revokeAll();
        emit AllRevoked(msg.sender, generation);
    }

    // Settlement

    /// @inheritdoc IPaymentVault
    function applyDebits(address router, uint64 batch, Debit[] calldata debits, bytes32[] calldata proof)
        external
        nonReentrant
        returns (uint256 applied)
    {
        Settlement memory settlement = Settlement({ router: router, batch: batch, committedAt: 0, grant: 0 });
        bytes32[] memory grants;
        (settlement.committedAt, grants) = _proveDebits(router, batch, debits, proof);
        for (uint256 i; i < debits.length; ++i) {
            settlement.grant = grants[i];
            applied += _applyDebit(settlement, debits[i]);
        }
    }

    /// @inheritdoc IPaymentVault
    function claim(address router, uint64 batch, address provider, uint128 credited, uint32 position, bytes32[] calldata proof)
        external
        nonReentrant
        returns (uint256 paid)
    {
        _proveCredit(router, batch, provider, credited, position, proof);
        paid = _claim(router, batch, provider, credited, false);
    }

    /// @inheritdoc IPaymentVault
    function claimWithBond(
        address router,
        uint64 batch,
        address provider,
        uint128 credited,
        uint32 position,
        bytes32[] calldata proof
    ) external nonReentrant returns (uint256 paid) {
        _proveCredit(router, batch, provider, credited, position, proof);
        paid = _claim(router, batch, provider, credited, true);
    }

    // Routers

    /// @inheritdoc IPaymentVault
    function depositBond(address router, uint256 amount) external nonReentrant {
        // INVARIANT: a bond stands for a router.
        if (router == address(0)) revert PaymentVault_ZeroAddress();
        Storage storage $ = _storage();
        $.routers[router].bond.add(amount);
        emit BondDeposited(router, msg.sender, amount);
        $.usdc.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IPaymentVault
    function thawBond(uint256 amount) external returns (uint64 thawedAt) {
        Storage storage $ = _storage();
        thawedAt = $.routers[msg.sender].bond.thaw(amount, _thaw());
        emit BondThawing(msg.sender, amount, thawedAt);
    }

    /// @inheritdoc IPaymentVault
    function withdrawBond() external nonReentrant returns (uint256 amount) {
        Storage storage $ = _storage();
        amount = $.routers[msg.sender].bond.release();
        emit BondWithdrawn(msg.sender, amount);
        $.usdc.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IPaymentVault
    function payFromBond(address router, address provider, uint256 amount) external nonReentrant returns (uint256 paid) {
        Storage storage $ = _storage();
        // INVARIANT: a bond answers for its router's omissions alone, and only where the claim desk found one.
        if (msg.sender != $.claimDesk) revert PaymentVault_NotClaimDesk(msg.sender);
        paid = $.routers[router].bond.take(amount);
        emit BondPaid(router, provider, paid);
        $.usdc.safeTransfer(provider, paid);
    }

    /// @inheritdoc IPaymentVault
    function withdrawRouterFees(address router) external nonReentrant returns (uint256 amount) {
        Storage storage $ = _storage();
        amount = $.routers[router].fees;
        $.routers[router].fees = 0;
        emit RouterFeesPaid(router, amount);
        $.usdc.safeTransfer(router, amount);
    }

    // Protocol

    /// @inheritdoc IPaymentVault
    function withdrawProtocolFees() external nonReentrant returns (uint256 treasury, uint256 validators, uint256 buyback) {
        Storage storage $ = _storage();
        (treasury, validators, buyback) = ($.treasuryFees, $.validatorFees, $.buybackFees);
        ($.treasuryFees, $.validatorFees, $.buybackFees) = (0, 0, 0);
        _payFees($.treasury, treasury);
        _payFees($.validators, validators);
        _payFees($.buyback, buyback);
    }

    /// @inheritdoc IPaymentVault
    function setThawPeriod(uint64 period) external onlyOwner {
        _setThawPeriod(period);
    }

    /// @inheritdoc IPaymentVault
    function setExpirySlack(uint64 slack) external onlyOwner {
        _setExpirySlack(slack);
    }

    /// @inheritdoc IPaymentVault
    function setFees(uint16 routerFeeBps, uint16 protocolFeeBps) external onlyOwner {
        _setFees(routerFeeBps, protocolFeeBps);
    }

    /// @inheritdoc IPaymentVault
    function setClaimDesk(address desk) external onlyOwner {
        _storage().claimDesk = desk;
        emit ClaimDeskChanged(desk);
    }

    /// @inheritdoc IPaymentVault
    function setRecipients(address treasury, address validators, address buyback) external onlyOwner {
        _setRecipients(treasury, validators, buyback);
    }

    // Internals: developers

    function _deposit(address account, uint256 amount) private {
        Storage storage $ = _storage();
        $.free[account] += amount;
        emit Deposited(account, msg.sender, amount);
        $.usdc.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _takeFree(address account, uint256 amount) private {
        Storage storage $ = _storage();
        uint256 free = $.free[account];
        // INVARIANT: an account disposes of its free balance and of nothing else.
        if (amount > free) revert PaymentVault_InsufficientFree(account, amount, free);
        $.free[account] = free - amount;
    }

    function _register(bytes32 digest, KeyGrant calldata grant, bytes calldata signature) private {
        Storage storage $ = _storage();
        Grants.Grant storage record = $.grants[digest];
        if (record.registered) return;
        record.register($.accounts[grant.account], digest, grant, signature);
        emit GrantRegistered(digest, grant.account, grant.keyHash);
    }

    // Internals: settlement

    /// @dev Checks the debits against the batch and returns when it was committed and the grants' digests.
    function _proveDebits(address router, uint64 batch, Debit[] calldata debits, bytes32[] calldata proof)
        private
        view
        returns (uint64, bytes32[] memory)
    {
        IJobRegistry jobs = _storage().jobs;
        (bytes32 root, uint32 count, uint64 committedAt) = jobs.finalDebits(router, batch);
        (bytes32[] memory grants, bytes32[] memory leaves, uint256[] memory positions) =
            _debitLeaves(jobs.domainSeparator(), debits);
        // INVARIANT: nothing is debited that a final batch of this router does not say.
        if (!Merkle.verifyMulti(root, leaves, positions, count, proof)) {
            revert PaymentVault_BadDebitProof(router, batch);
        }
        return (committedAt, grants);
    }

    function _debitLeaves(bytes32 domain, Debit[] calldata debits)
        private
        pure
        returns (bytes32[] memory grants, bytes32[] memory leaves, uint256[] memory positions)
    {
        grants = new bytes32[](debits.length);
        leaves = new bytes32[](debits.length);
        positions = new uint256[](debits.length);
        for (uint256 i; i < debits.length; ++i) {
            Debit calldata debit = debits[i];
            grants[i] = MessageHashUtils.toTypedDataHash(domain, Messages.hash(debit.grant));
            leaves[i] = Merkle.leafHash(abi.encode(DebitLeaf(grants[i], debit.debited, debit.routerFees, debit.protocolFees)));
            positions[i] = debit.position;
        }
    }

    function _applyDebit(Settlement memory settlement, Debit calldata debit) private returns (uint256 amount) {
        Storage storage $ = _storage();
        Grants.Grant storage record = $.grants[settlement.grant];
        _register(settlement.grant, debit.grant, debit.signature);
        Grants.requireRouter(settlement.grant, debit.grant, settlement.router);
        _requireFeesWithinCeilings(settlement.grant, debit);

        Grants.Applied memory applied = record.applied[settlement.router];
        if (debit.debited <= applied.debited) return 0;
        uint256 wanted = debit.debited - applied.debited;
        Hold storage lockup = $.lockups[debit.grant.account][settlement.router];
        amount = record.headroom(
            $.accounts[debit.grant.account], settlement.grant, debit.grant, settlement.committedAt, $.expirySlack
        );
        amount = lockup.take(amount < wanted ? amount : wanted);
        if (amount < wanted) {
            emit DebitOwed(settlement.router, debit.grant.account, settlement.grant, settlement.batch, wanted - amount);
        }
        if (amount == 0) return 0;

        (uint256 routerFee, uint256 protocolFee) = record.apply_(
            settlement.grant,
            applied,
            DebitLeaf(settlement.grant, debit.debited, debit.routerFees, debit.protocolFees),
            settlement.router,
            amount,
            settlement.committedAt
        );
        _book(settlement.router, amount, routerFee, protocolFee);
        emit Debited(settlement.router, debit.grant.account, settlement.grant, settlement.batch, amount, routerFee, protocolFee);
    }

    function _requireFeesWithinCeilings(bytes32 grant, Debit calldata debit) private view {
        FeeBook storage book = _storage().fees;
        uint256 ceiling = Pricing.fee(debit.debited, book.routerCeilingBps);
        // INVARIANT: a router never takes more than the router fee of what it debits.
        if (debit.routerFees > ceiling) revert PaymentVault_RouterFeeTooHigh(grant, debit.routerFees, ceiling);
        ceiling = Pricing.fee(debit.debited, book.protocolCeilingBps);
        // INVARIANT: the protocol never takes more than its fee of what is debited.
        if (debit.protocolFees > ceiling) {
            revert PaymentVault_ProtocolFeeTooHigh(grant, debit.protocolFees, ceiling);
        }
    }

    /// @dev Divides a debit among fees and pool to the last micro-USDC, and restores what was used of the bond.
    function _book(address router, uint256 amount, uint256 routerFee, uint256 protocolFee) private {
        Storage storage $ = _storage();
        (uint256 treasury, uint256 validators, uint256 buyback) = Pricing.split(protocolFee);
        $.treasuryFees += uint128(treasury);
        $.validatorFees += uint128(validators);
        $.buybackFees += uint128(buyback);

        RouterBook storage book = $.routers[router];
        book.fees += uint128(routerFee);
        uint256 net = amount - routerFee - protocolFee;
        uint256 used = book.bondUsed;
        if (used != 0) {
            uint256 restored = used < net ? used : net;
            book.bondUsed = uint128(used - restored);
            book.bond.add(restored);
            net -= restored;
            emit BondRestored(router, restored);
        }
        book.pool += uint128(net);
    }

    function _proveCredit(
        address router,
        uint64 batch,
        address provider,
        uint128 credited,
        uint32 position,
        bytes32[] calldata proof
    ) private view {
        (bytes32 root, uint32 count) = _storage().jobs.finalCredits(router, batch);
        bytes32 leaf = Merkle.leafHash(abi.encode(CreditLeaf(provider, credited)));
        // INVARIANT: nothing is paid that a final batch of this router does not credit.
        if (!Merkle.verify(root, leaf, position, count, proof)) {
            revert PaymentVault_BadCreditProof(router, batch, provider);
        }
    }

    function _claim(address router, uint64 batch, address provider, uint128 credited, bool useBond)
        private
        returns (uint256 amount)
    {
        Storage storage $ = _storage();
        RouterBook storage book = $.routers[router];
        uint256 paid = book.paid[provider];
        if (credited <= paid) return 0;
        uint256 due = credited - paid;
        uint256 pool = book.pool;
        amount = due < pool ? due : pool;
        book.pool = uint128(pool - amount);
        if (useBond && amount < due) {
            uint256 used = book.bond.take(due - amount);
            book.bondUsed += uint128(used);
            amount += used;
            emit BondUsed(router, provider, used);
        }
        book.paid[provider] = uint128(paid + amount);
        emit Claimed(router, provider, batch, amount, due - amount);
        $.usdc.safeTransfer(provider, amount);
    }

    function _payFees(address recipient, uint256 amount) private {
        if (amount == 0) return;
        emit ProtocolFeesPaid(recipient, amount);
        _storage().usdc.safeTransfer(recipient, amount);
    }

    // Internals: parameters

    /// @dev How long what starts to thaw now answers. Courts and windows may have come to take longer since the period was set.
    function _thaw() private view returns (uint64) {
        Storage storage $ = _storage();
        uint64 shortest = $.jobs.finalityBound() + 1;
        return $.thawPeriod < shortest ? shortest : $.thawPeriod;
    }

    function _setThawPeriod(uint64 period) private {
        Storage storage $ = _storage();
        uint64 bound = $.jobs.finalityBound();
        uint64 shortest = bound < SHORTEST_THAW ? SHORTEST_THAW : bound + 1;
        // INVARIANT: thawing outlasts what keeps a batch from being final, and money can always be got back within a known time.
        if (period < shortest || period > LONGEST_THAW) {
            revert PaymentVault_PeriodOutOfBounds(period, shortest, LONGEST_THAW);
        }
        $.thawPeriod = period;
        emit ThawPeriodChanged(period);
    }

    function _setExpirySlack(uint64 slack) private {
        // INVARIANT: an expired grant is dead within a week.
        if (slack > LONGEST_SLACK) revert PaymentVault_PeriodOutOfBounds(slack, 0, LONGEST_SLACK);
        _storage().expirySlack = slack;
        emit ExpirySlackChanged(slack);
    }

    function _setFees(uint16 routerFeeBps, uint16 protocolFeeBps) private {
        uint16 higher = routerFeeBps > protocolFeeBps ? routerFeeBps : protocolFeeBps;
        // INVARIANT: neither fee is ever above five per cent.
        if (higher > MAX_FEE_BPS) revert PaymentVault_FeeOutOfBounds(higher, MAX_FEE_BPS);
        FeeBook storage book = _storage().fees;
        book.routerFeeBps = routerFeeBps;
        book.protocolFeeBps = protocolFeeBps;
        if (routerFeeBps > book.routerCeilingBps) book.routerCeilingBps = routerFeeBps;
        if (protocolFeeBps > book.protocolCeilingBps) book.protocolCeilingBps = protocolFeeBps;
        emit FeesChanged(routerFeeBps, protocolFeeBps);
    }

    function _setRecipients(address treasury, address validators, address buyback) private {
        // INVARIANT: every part of the protocol fee has somewhere to go.
        if (treasury == address(0) || validators == address(0) || buyback == address(0)) {
            revert PaymentVault_ZeroAddress();
        }
        Storage storage $ = _storage();
        $.treasury = treasury;
        $.validators = validators;
        $.buyback = buyback;
        emit RecipientsChanged(treasury, validators, buyback);
    }
}
