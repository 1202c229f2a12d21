// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { PaymentVault } from "../../src/PaymentVault.sol";
import { DevUSDC } from "../../src/dev/DevUSDC.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { VaultHandler } from "./VaultHandler.sol";

contract PaymentVault_Invariant_Test is InvariantTest {
    VaultHandler private handler;
    PaymentVault private vault;
    DevUSDC private usdc;

    function setUp() external {
        handler = new VaultHandler();
        handler.setUp();
        (address vault_, address usdc_,) = handler.network();
        (vault, usdc) = (PaymentVault(vault_), DevUSDC(usdc_));
        target = address(handler);
        selectors = [
            handler.deposit.selector,
            handler.withdraw.selector,
            handler.lock.selector,
            handler.lock.selector,
            handler.unlock.selector,
            handler.withdrawThawed.selector,
            handler.revoke.selector,
            handler.commitBatch.selector,
            handler.applyDebits.selector,
            handler.applyDebits.selector,
            handler.claim.selector,
            handler.claim.selector,
            handler.bond.selector,
            handler.thawBond.selector,
            handler.withdrawBond.selector,
            handler.payFromBond.selector,
            handler.withdrawFees.selector,
            handler.wait.selector
        ];
    }

    /// Every micro-USDC in the vault stands in exactly one book.
    function invariant_books_addUp() external view {
        (uint256 treasury, uint256 validators, uint256 buyback) = vault.protocolFees();
        uint256 sum = treasury + validators + buyback;
        for (uint256 i; i < handler.ACCOUNTS(); ++i) {
            sum += _held(handler.accountAt(i));
        }
        for (uint256 j; j < handler.ROUTERS(); ++j) {
            address router = handler.routerAt(j);
            (uint256 active, uint256 thawing,,) = vault.bondOf(router);
            sum += vault.poolOf(router) + vault.routerFeesOf(router) + active + thawing;
        }
        assertEq(usdc.balanceOf(address(vault)), sum, "balance = free + lockups + pools + fees + bonds");
    }

    /// An account has what it deposited less what it withdrew and what its grants were debited: nothing else can take from it.
    function invariant_accounts_loseOnlyWhatTheySigned() external view {
        VaultHandler.Used[] memory used = handler.usedGrants();
        for (uint256 i; i < handler.ACCOUNTS(); ++i) {
            address account = handler.accountAt(i);
            uint256 debited;
            for (uint256 j; j < used.length; ++j) {
                if (used[j].grant.account != account) continue;
                (,, uint256 amount) = vault.grantOf(used[j].digest);
                debited += amount;
            }
            assertEq(_held(account) + debited + handler.withdrawn(account), handler.deposited(account), "nothing else is taken");
        }
    }

    /// No grant is debited beyond its caps, and what its routers debited is what it was debited.
    function invariant_grants_withinCaps() external view {
        VaultHandler.Used[] memory used = handler.usedGrants();
        for (uint256 i; i < used.length; ++i) {
            (, uint64 firstUse, uint256 debited) = vault.grantOf(used[i].digest);
            assertLe(debited, used[i].grant.totalCap, "total cap");
            if (debited > 0) {
                uint256 dayCount = (block.timestamp - firstUse) / 1 days + 1;
                assertLe(debited, used[i].grant.dailyCap * dayCount, "daily cap");
            }
            uint256 sum;
            for (uint256 j; j < handler.ROUTERS(); ++j) {
                (uint256 amount, uint256 routerFees, uint256 protocolFees) = vault.appliedOf(used[i].digest, handler.routerAt(j));
                assertLe(routerFees, amount * 150 / 10_000 + 1, "router fee");
                assertLe(protocolFees, amount * 150 / 10_000 + 1, "protocol fee");
                sum += amount;
            }
            assertEq(sum, debited, "routers together");
        }
    }

    /// A router's providers are paid from what it debited and from its bond, and from nowhere else.
    function invariant_routers_payFromTheirOwn() external view {
        VaultHandler.Used[] memory used = handler.usedGrants();
        for (uint256 i; i < handler.ROUTERS(); ++i) {
            address router = handler.routerAt(i);
            uint256 net;
            uint256 fees;
            for (uint256 j; j < used.length; ++j) {
                (uint256 debited, uint256 routerFees, uint256 protocolFees) = vault.appliedOf(used[j].digest, router);
                net += debited - routerFees - protocolFees;
                fees += routerFees;
            }
            uint256 paid;
            for (uint256 j; j < handler.PROVIDERS(); ++j) {
                address provider = handler.providerAt(j);
                paid += vault.paidOf(router, provider);
                assertLe(vault.paidOf(router, provider), handler.credited(router, provider), "no more than credited");
            }
            (uint256 active, uint256 thawing,, uint256 bondUsed) = vault.bondOf(router);
            assertEq(net + bondUsed, vault.poolOf(router) + paid, "debits and bond make pool and payouts");
            uint256 spent = handler.unbonded(router) + handler.omitted(router) + bondUsed;
            assertEq(handler.bonded(router), active + thawing + spent, "the bond is the router's");
            assertEq(fees, vault.routerFeesOf(router) + handler.feesPaid(router), "router fees");
        }
    }

    /// What providers hold is what they were paid.
    function invariant_providers_holdWhatTheyWerePaid() external view {
        for (uint256 i; i < handler.PROVIDERS(); ++i) {
            uint256 paid;
            for (uint256 j; j < handler.ROUTERS(); ++j) {
                paid += vault.paidOf(handler.routerAt(j), handler.providerAt(i));
            }
            paid += handler.compensated(handler.providerAt(i));
            assertEq(usdc.balanceOf(handler.providerAt(i)), paid, "paid");
        }
    }

    /// The handler gets somewhere: a long enough random walk debits, leaves debits owed, claims and draws on bonds.
    function test_handler_reachesTheBooks_succeeds() external {
        for (uint256 i; i < 400; ++i) {
            uint256 random = pick(7, i);
            (bool accepted,) = target.call(
                abi.encodePacked(selectors[random % selectors.length], random >> 8, random >> 16, random >> 24, random & 1)
            );
            assertTrue(accepted, "no action reverts");
        }
        assertGe(handler.done("debited"), 10, "debits");
        assertGe(handler.done("claimed"), 10, "claims");
        assertGe(handler.done("bond used"), 3, "bonds");
        assertGe(handler.done("compensated"), 3, "omissions");
        assertGe(handler.usedGrants().length, 4, "revocations");
    }

    function _held(address account) private view returns (uint256 sum) {
        sum = vault.freeOf(account);
        for (uint256 j; j < handler.ROUTERS(); ++j) {
            (uint256 active, uint256 thawing,) = vault.lockupOf(account, handler.routerAt(j));
            sum += active + thawing;
        }
    }
}
