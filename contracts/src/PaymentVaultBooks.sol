// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import { Governed } from "./Governed.sol";
import { IJobRegistry } from "./interfaces/IJobRegistry.sol";
import { IPaymentVault } from "./interfaces/IPaymentVault.sol";
import { Grants } from "./libraries/Grants.sol";
import { Hold } from "./libraries/Hold.sol";

/// @title PaymentVaultBooks
/// @notice The vault's books, and what anyone can read in them. {PaymentVault} writes them.
abstract contract PaymentVaultBooks is IPaymentVault, Governed {
    /// Everything held for one router.
    struct RouterBook {
        uint128 pool;
        uint128 fees;
        uint128 bondUsed;
        Hold bond;
        mapping(address provider => uint128) paid;
    }

    /// What of each debit is a fee at most. The ceilings are the highest fees there ever were: debits are cumulative, and jobs of
    /// a dearer time stay in them.
    struct FeeBook {
        uint16 routerFeeBps;
        uint16 protocolFeeBps;
        uint16 routerCeilingBps;
        uint16 protocolCeilingBps;
    }

    /// @custom:storage-location erc7201:infera.storage.PaymentVault
    struct Storage {
        IERC20 usdc;
        IJobRegistry jobs;
        uint64 thawPeriod;
        uint64 expirySlack;
        FeeBook fees;
        address treasury;
        address validators;
        address buyback;
        uint128 treasuryFees;
        uint128 validatorFees;
        uint128 buybackFees;
        mapping(address account => uint256) free;
        mapping(address account => mapping(address router => Hold)) lockups;
        mapping(address account => Grants.Account) accounts;
        mapping(bytes32 grant => Grants.Grant) grants;
        mapping(address router => RouterBook) routers;
        address claimDesk;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.PaymentVault")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x5723806244f5fbebe314603ab416299fccd6650435e3d00066d648cbe1f4f000;

    // Views

    /// @inheritdoc IPaymentVault
    function freeOf(address account) external view returns (uint256) {
        return _storage().free[account];
    }

    /// @inheritdoc IPaymentVault
    function lockupOf(address account, address router) external view returns (uint256 active, uint256 thawing, uint64 thawedAt) {
        Hold storage hold = _storage().lockups[account][router];
        return (hold.active, hold.thawing, hold.thawedAt);
    }

    /// @inheritdoc IPaymentVault
    function generationOf(address account) external view returns (uint64) {
        return _storage().accounts[account].generation;
    }

    /// @inheritdoc IPaymentVault
    function generationEndedAt(address account, uint64 generation) external view returns (uint64) {
        return _storage().accounts[account].endedAt[generation];
    }

    /// @inheritdoc IPaymentVault
    function grantRevokedAt(address account, bytes32 grant) external view returns (uint64) {
        return _storage().accounts[account].revokedAt[grant];
    }

    /// @inheritdoc IPaymentVault
    function grantOf(bytes32 grant) external view returns (bool registered, uint64 firstUse, uint256 debited) {
        Grants.Grant storage record = _storage().grants[grant];
        return (record.registered, record.firstUse, record.debited);
    }

    /// @inheritdoc IPaymentVault
    function appliedOf(bytes32 grant, address router)
        external
        view
        returns (uint256 debited, uint256 routerFees, uint256 protocolFees_)
    {
        Grants.Applied storage applied = _storage().grants[grant].applied[router];
        return (applied.debited, applied.routerFees, applied.protocolFees);
    }

    /// @inheritdoc IPaymentVault
    function paidOf(address router, address provider) external view returns (uint256) {
        return _storage().routers[router].paid[provider];
    }

    /// @inheritdoc IPaymentVault
    function poolOf(address router) external view returns (uint256) {
        return _storage().routers[router].pool;
    }

    /// @inheritdoc IPaymentVault
    function bondOf(address router) external view returns (uint256 active, uint256 thawing, uint64 thawedAt, uint256 used) {
        RouterBook storage book = _storage().routers[router];
        return (book.bond.active, book.bond.thawing, book.bond.thawedAt, book.bondUsed);
    }

    /// @inheritdoc IPaymentVault
    function routerFeesOf(address router) external view returns (uint256) {
        return _storage().routers[router].fees;
    }

    /// @inheritdoc IPaymentVault
    function protocolFees() external view returns (uint256 treasury, uint256 validators, uint256 buyback) {
        Storage storage $ = _storage();
        return ($.treasuryFees, $.validatorFees, $.buybackFees);
    }

    /// @inheritdoc IPaymentVault
    function fees() external view returns (uint16 routerFeeBps, uint16 protocolFeeBps) {
        FeeBook storage book = _storage().fees;
        return (book.routerFeeBps, book.protocolFeeBps);
    }

    /// @inheritdoc IPaymentVault
    function recipients() external view returns (address treasury, address validators, address buyback) {
        Storage storage $ = _storage();
        return ($.treasury, $.validators, $.buyback);
    }

    /// @inheritdoc IPaymentVault
    function thawPeriod() external view returns (uint64) {
        return _storage().thawPeriod;
    }

    /// @inheritdoc IPaymentVault
    function expirySlack() external view returns (uint64) {
        return _storage().expirySlack;
    }

    /// @inheritdoc IPaymentVault
    function claimDesk() external view returns (address) {
        return _storage().claimDesk;
    }

    /// @inheritdoc IPaymentVault
    function usdc() external view returns (address) {
        return address(_storage().usdc);
    }

    /// @inheritdoc IPaymentVault
    function jobRegistry() external view returns (address) {
        return address(_storage().jobs);
    }

    function _storage() internal pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
