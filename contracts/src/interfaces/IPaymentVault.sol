// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { KeyGrant } from "../libraries/Types.sol";

/// @title The money
/// @notice Holds developers' USDC and moves it only as far as they signed.
///
/// - An account deposits into its *free* balance, which it can withdraw at any time, and locks a part of it for a router. A
///   *lockup* answers for what that router settles. Unlocking thaws: the thawing part keeps answering, and is used first.
/// - An API key is a *grant* the account signed: which routers, which caps, until when. `applyDebits` moves what a final batch
///   says a grant owes from the account's lockup for that router, never beyond the grant's caps or the lockup. What does not
///   fit stays owed. A batch committed after the grant was revoked, or long after it expired, moves nothing.
/// - Of each debit the protocol fee goes to treasury, validators and buyback in equal parts (the remainder to the treasury), the
///   router's fee to the router, and the rest to the router's *pool*. Providers claim from the pool of the router they worked
///   for, so a router that invents credits empties no pool but its own. Its *bond* stands behind its pool.
///
/// Nobody, the governor included, can pause, redirect or speed up any of this: the governor sets fee ceilings, periods and fee
/// recipients within fixed bounds, for the future.
interface IPaymentVault {
    /// @notice What a final batch says about one grant.
    struct Debit {
        KeyGrant grant;
        /// The account's signature; may be empty once the grant is registered.
        bytes signature;
        /// The leaf's position in the debit tree.
        uint32 position;
        uint128 debited;
        uint128 routerFees;
        uint128 protocolFees;
    }

    event Deposited(address indexed account, address indexed payer, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    event Locked(address indexed account, address indexed router, uint256 amount);
    event Unlocking(address indexed account, address indexed router, uint256 amount, uint64 thawedAt);
    event Unlocked(address indexed account, address indexed router, uint256 amount);
    event GrantRegistered(bytes32 indexed grant, address indexed account, bytes32 indexed keyHash);
    event GrantRevoked(bytes32 indexed grant, address indexed account);
    event AllRevoked(address indexed account, uint64 generation);
    event Debited(
        address indexed router,
        address indexed account,
        bytes32 indexed grant,
        uint64 batch,
        uint256 amount,
        uint256 routerFee,
        uint256 protocolFee
    );
    /// @notice Part of a grant's debit could not be applied: a cap, the lockup or a revocation is in the way.
    event DebitOwed(address indexed router, address indexed account, bytes32 indexed grant, uint64 batch, uint256 owed);
    event Claimed(address indexed router, address indexed provider, uint64 batch, uint256 amount, uint256 owed);
    event BondUsed(address indexed router, address indexed provider, uint256 amount);
    event BondRestored(address indexed router, uint256 amount);
    event BondDeposited(address indexed router, address indexed payer, uint256 amount);
    event BondThawing(address indexed router, uint256 amount, uint64 thawedAt);
    event BondWithdrawn(address indexed router, uint256 amount);
    event BondPaid(address indexed router, address indexed provider, uint256 amount);
    event ClaimDeskChanged(address desk);
    event RouterFeesPaid(address indexed router, uint256 amount);
    event ProtocolFeesPaid(address indexed recipient, uint256 amount);
    event ThawPeriodChanged(uint64 period);
    event ExpirySlackChanged(uint64 slack);
    event FeesChanged(uint16 routerFeeBps, uint16 protocolFeeBps);
    event RecipientsChanged(address treasury, address validators, address buyback);

    error PaymentVault_ZeroAddress();
    error PaymentVault_InsufficientFree(address account, uint256 wanted, uint256 free);
    error PaymentVault_BadDebitProof(address router, uint64 batch);
    error PaymentVault_BadCreditProof(address router, uint64 batch, address provider);
    error PaymentVault_RouterNotGranted(bytes32 grant, address router);
    error PaymentVault_BadSignature(bytes32 grant, address account);
    error PaymentVault_FutureGeneration(bytes32 grant, uint64 generation, uint64 current);
    error PaymentVault_RouterFeeTooHigh(bytes32 grant, uint256 fee, uint256 ceiling);
    error PaymentVault_ProtocolFeeTooHigh(bytes32 grant, uint256 fee, uint256 ceiling);
    error PaymentVault_FeesExceedDebit(bytes32 grant);
    error PaymentVault_NotClaimDesk(address caller);
    error PaymentVault_FeeOutOfBounds(uint256 bps, uint256 maximum);
    error PaymentVault_PeriodOutOfBounds(uint64 period, uint64 lowest, uint64 highest);

    // Developers

    /// @notice Adds `amount` of the caller's USDC to the caller's free balance.
    function deposit(uint256 amount) external;

    /// @notice Adds `amount` of the caller's USDC to the free balance of `account`.
    function depositFor(address account, uint256 amount) external;

    /// @notice `deposit` with an ERC-2612 permit instead of an approval.
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Pays out of the caller's free balance.
    function withdraw(uint256 amount) external;

    /// @notice Moves free balance into the lockup for `router`.
    function lock(address router, uint256 amount) external;

    /// @notice Starts to thaw part of a lockup, for the thaw period or, if that is longer, for as long as a batch of now can be open
    /// ({IJobRegistry.finalityBound}). Thawing more restarts the clock of what is already thawing.
    function unlock(address router, uint256 amount) external returns (uint64 thawedAt);

    /// @notice Moves the thawed part of a lockup back to the free balance.
    function withdrawThawed(address router) external returns (uint256 amount);

    /// @notice Verifies and records a grant, so that later debits need not carry its signature. Anyone may call this.
    /// @dev A contract account can change its mind about its signature (ERC-1271) until the grant is registered: a router that serves
    /// one registers its grants first.
    function registerGrant(KeyGrant calldata grant, bytes calldata signature) external returns (bytes32 digest);

    /// @notice Ends one grant of the caller: batches committed from now on move nothing under it.
    function revokeGrant(bytes32 grant) external;

    /// @notice Ends every grant of the caller's present generation, whoever holds its key.
    function revokeAll() external returns (uint64 generation);

    // Settlement

    /// @notice Applies debits of a final batch of `router`. Anyone may call this.
    /// @param debits In strictly increasing order of position.
    /// @param proof The multi-proof of all of them in the batch's debit tree.
    /// @return applied What was moved in all.
    function applyDebits(address router, uint64 batch, Debit[] calldata debits, bytes32[] calldata proof)
        external
        returns (uint256 applied);

    /// @notice Pays the provider what a final batch credits it beyond what it was paid, as far as the router's pool reaches.
    /// Anyone may call this; the money goes to the provider.
    function claim(address router, uint64 batch, address provider, uint128 credited, uint32 position, bytes32[] calldata proof)
        external
        returns (uint256 paid);

    /// @notice `claim`, and what the pool does not reach is paid from the router's bond. Debits that come in later restore the bond.
    function claimWithBond(
        address router,
        uint64 batch,
        address provider,
        uint128 credited,
        uint32 position,
        bytes32[] calldata proof
    ) external returns (uint256 paid);

    // Routers

    /// @notice Adds `amount` of the caller's USDC to the bond of `router`.
    function depositBond(address router, uint256 amount) external;

    /// @notice Starts to thaw part of the caller's bond, for as long as a lockup takes.
    function thawBond(uint256 amount) external returns (uint64 thawedAt);

    /// @notice Pays out the thawed part of the caller's bond.
    function withdrawBond() external returns (uint256 amount);

    /// @notice Pays the provider up to `amount` from the router's bond, for a job the router kept out of its batches. Only the claim
    /// desk may call this. No later debit restores what was paid, and it does not count as part of what batches credit.
    function payFromBond(address router, address provider, uint256 amount) external returns (uint256 paid);

    /// @notice Pays the router the fees it earned. Anyone may call this.
    function withdrawRouterFees(address router) external returns (uint256 amount);

    // Protocol

    /// @notice Pays the protocol's fees to the governed recipients. Anyone may call this.
    function withdrawProtocolFees() external returns (uint256 treasury, uint256 validators, uint256 buyback);

    function setThawPeriod(uint64 period) external;

    function setExpirySlack(uint64 slack) external;

    function setFees(uint16 routerFeeBps, uint16 protocolFeeBps) external;

    /// @notice Names the contract that decides about jobs kept out of batches; zero for none.
    function setClaimDesk(address desk) external;

    function setRecipients(address treasury, address validators, address buyback) external;

    // Views

    function freeOf(address account) external view returns (uint256);

    function lockupOf(address account, address router) external view returns (uint256 active, uint256 thawing, uint64 thawedAt);

    function generationOf(address account) external view returns (uint64);

    /// @notice When the account ended a generation; zero while it has not.
    function generationEndedAt(address account, uint64 generation) external view returns (uint64);

    function grantRevokedAt(address account, bytes32 grant) external view returns (uint64);

    /// @notice A grant's record: whether its signature was verified, when the first batch debited it, and how much all routers
    /// together have debited under it.
    function grantOf(bytes32 grant) external view returns (bool registered, uint64 firstUse, uint256 debited);

    /// @notice What has been applied of the cumulative debit of `grant` under `router`.
    function appliedOf(bytes32 grant, address router)
        external
        view
        returns (uint256 debited, uint256 routerFees, uint256 protocolFees);

    /// @notice What `provider` has been paid, cumulatively, under `router`.
    function paidOf(address router, address provider) external view returns (uint256);

    function poolOf(address router) external view returns (uint256);

    /// @notice The router's bond, and how much of it was used and is to be restored from later debits.
    function bondOf(address router) external view returns (uint256 active, uint256 thawing, uint64 thawedAt, uint256 used);

    function routerFeesOf(address router) external view returns (uint256);

    function protocolFees() external view returns (uint256 treasury, uint256 validators, uint256 buyback);

    function fees() external view returns (uint16 routerFeeBps, uint16 protocolFeeBps);

    function recipients() external view returns (address treasury, address validators, address buyback);

    function thawPeriod() external view returns (uint64);

    function expirySlack() external view returns (uint64);

    function claimDesk() external view returns (address);

    function usdc() external view returns (address);

    function jobRegistry() external view returns (address);
}
