// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { SignatureChecker } from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import { IPaymentVault } from "../interfaces/IPaymentVault.sol";
import { Pricing } from "./Pricing.sol";
import { DebitLeaf, KeyGrant } from "./Types.sol";

/// @title Grants
/// @notice What an account signed for its API keys, and how far debits may go under it.
/// @dev All times are those of the commitment of the batch a debit is proved against, not of the debit itself: settling late
/// neither widens a cap nor loses what was earned in time.
library Grants {
    /// An account's revocations.
    struct Account {
        uint64 generation;
        mapping(uint64 generation => uint64) endedAt;
        mapping(bytes32 grant => uint64) revokedAt;
    }

    /// What has been applied of one router's cumulative debit under a grant.
    struct Applied {
        uint64 debited;
        uint64 routerFees;
        uint64 protocolFees;
    }

    struct Grant {
        bool registered;
        uint64 firstUse;
        uint64 debited;
        mapping(address router => Applied) applied;
    }

    function revoke(Account storage account, bytes32 grant) internal {
        if (account.revokedAt[grant] == 0) account.revokedAt[grant] = uint64(block.timestamp);
    }

    function revokeAll(Account storage account) internal returns (uint64) {
        account.endedAt[account.generation] = uint64(block.timestamp);
        return ++account.generation;
    }

    function register(
        Grant storage record,
        Account storage account,
        bytes32 digest,
        KeyGrant calldata grant,
        bytes calldata signature
    ) internal {
        uint64 current = account.generation;
        // INVARIANT: a grant counts from its generation on; one cannot be kept ready for after a revocation.
        if (grant.generation > current) {
            revert IPaymentVault.PaymentVault_FutureGeneration(digest, grant.generation, current);
        }
        // INVARIANT: no account is ever debited without its signature.
        if (!_isSigned(grant.account, digest, signature)) {
            revert IPaymentVault.PaymentVault_BadSignature(digest, grant.account);
        }
        record.registered = true;
    }

    /// @dev The key of an account's address always signs for it, also where the account delegates to code (EIP-7702) that knows no
    /// ERC-1271; a contract account answers for itself.
    function _isSigned(address account, bytes32 digest, bytes calldata signature) private view returns (bool) {
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (err == ECDSA.RecoverError.NoError && signer == account) return true;
        return account.code.length != 0 && SignatureChecker.isValidERC1271SignatureNowCalldata(account, digest, signature);
    }

    function requireRouter(bytes32 digest, KeyGrant calldata grant, address router) internal pure {
        for (uint256 i; i < grant.routers.length; ++i) {
            if (grant.routers[i] == router) return;
        }
        // INVARIANT: only a router the account named debits it.
        revert IPaymentVault.PaymentVault_RouterNotGranted(digest, router);
    }

    /// @notice How much more all routers together may debit under the grant by a batch committed at `committedAt`.
    function headroom(
        Grant storage record,
        Account storage account,
        bytes32 digest,
        KeyGrant calldata grant,
        uint64 committedAt,
        uint64 expirySlack
    ) internal view returns (uint256) {
        if (committedAt < grant.notBefore) return 0;
        if (committedAt > uint256(grant.notAfter) + expirySlack) return 0;
        if (grant.generation < account.generation && committedAt >= account.endedAt[grant.generation]) return 0;
        uint64 revokedAt = account.revokedAt[digest];
        if (revokedAt != 0 && committedAt >= revokedAt) return 0;

        uint64 firstUse = record.firstUse;
        uint256 dayCount = firstUse == 0 || committedAt < firstUse ? 1 : (committedAt - firstUse) / 1 days + 1;
        uint256 allowed = grant.dailyCap * dayCount;
        if (allowed > grant.totalCap) allowed = grant.totalCap;
        return allowed > record.debited ? allowed - record.debited : 0;
    }

    /// @notice Records `amount` of what `leaf` adds to `applied`, and returns the fees that fall due with it.
    /// @dev `amount` is within the headroom and so within 64 bits. Fees of a part are proportional, and exact once all is applied.
    function apply_(
        Grant storage record,
        bytes32 digest,
        Applied memory applied,
        DebitLeaf memory leaf,
        address router,
        uint256 amount,
        uint64 committedAt
    ) internal returns (uint256 routerFee, uint256 protocolFee) {
        uint256 wanted = leaf.debited - applied.debited;
        // INVARIANT: cumulative fees never decrease, and never grow by more than the debit they are part of.
        if (
            leaf.routerFees < applied.routerFees || leaf.protocolFees < applied.protocolFees
                || uint256(leaf.routerFees) - applied.routerFees + leaf.protocolFees - applied.protocolFees > wanted
        ) revert IPaymentVault.PaymentVault_FeesExceedDebit(digest);
        (routerFee, protocolFee) =
            Pricing.share(leaf.routerFees - applied.routerFees, leaf.protocolFees - applied.protocolFees, amount, wanted);

        if (record.firstUse == 0) record.firstUse = committedAt;
        record.debited += uint64(amount);
        record.applied[router] = Applied({
            debited: applied.debited + uint64(amount),
            routerFees: applied.routerFees + uint64(routerFee),
            protocolFees: applied.protocolFees + uint64(protocolFee)
        });
    }
}
