// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { CreditLeaf, KeyGrant } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";

/// Developers, routers and providers doing what they can in any order; routers say whatever they like in their trees.
contract VaultHandler is Fixture {
    uint256 public constant ACCOUNTS = 3;
    uint256 public constant ROUTERS = 2;
    uint256 public constant PROVIDERS = 2;

    /// A grant that was used, and what its account signed.
    struct Used {
        KeyGrant grant;
        bytes32 digest;
    }

    struct Committed {
        Entry[] entries;
        CreditLeaf[] credits;
    }

    string[3] private names = ["alice", "bob", "carol"];
    Used[] private used;
    mapping(bytes32 digest => bool) private known;
    mapping(address router => mapping(uint64 index => Committed)) private committed;
    mapping(address router => mapping(bytes32 grant => Entry)) private totals;
    mapping(address router => mapping(address provider => uint128)) public credited;

    mapping(address account => uint256) public deposited;
    mapping(address account => uint256) public withdrawn;
    mapping(address router => uint256) public bonded;
    mapping(address router => uint256) public unbonded;
    mapping(address router => uint256) public feesPaid;
    mapping(address router => uint256) public omitted;
    mapping(address provider => uint256) public compensated;
    mapping(string action => uint256) public done;

    function accountAt(uint256 i) public view returns (address) {
        return actor(names[i % ACCOUNTS]);
    }

    function routerAt(uint256 i) public view returns (address) {
        return i % ROUTERS == 0 ? router : other;
    }

    function providerAt(uint256 i) public view returns (address) {
        return i % PROVIDERS == 0 ? provider : actor("second provider");
    }

    function network() external view returns (address, address, address) {
        return (address(vault), address(usdc), address(jobs));
    }

    function usedGrants() external view returns (Used[] memory) {
        return used;
    }

    // Developers

    function deposit(uint256 who, uint256 amount) external {
        amount = bound(amount, 0, 1e12);
        depositAs(accountAt(who), amount);
        deposited[accountAt(who)] += amount;
    }

    function withdraw(uint256 who, uint256 amount) external {
        address account = accountAt(who);
        amount = bound(amount, 0, vault.freeOf(account));
        vm.prank(account);
        vault.withdraw(amount);
        withdrawn[account] += amount;
    }

    function lock(uint256 who, uint256 where, uint256 amount) external {
        address account = accountAt(who);
        amount = bound(amount, 0, vault.freeOf(account));
        vm.prank(account);
        vault.lock(routerAt(where), amount);
    }

    function unlock(uint256 who, uint256 where, uint256 amount) external {
        (uint256 active,,) = vault.lockupOf(accountAt(who), routerAt(where));
        vm.prank(accountAt(who));
        vault.unlock(routerAt(where), bound(amount, 0, active));
    }

    function withdrawThawed(uint256 who, uint256 where) external {
        (,, uint64 thawedAt) = vault.lockupOf(accountAt(who), routerAt(where));
        if (block.timestamp < thawedAt) return;
        vm.prank(accountAt(who));
        vault.withdrawThawed(routerAt(where));
    }

    function revoke(uint256 who, uint256 seed) external {
        if (seed % 4 != 0) return;
        vm.prank(accountAt(who));
        vault.revokeAll();
    }

    // Routers

    /// Commits the next batch: some grants owe more, some providers are credited more, the one regardless of the other.
    function commitBatch(uint256 where, uint256 seed) external {
        address at_ = routerAt(where);
        Entry[] memory entries = new Entry[](ACCOUNTS);
        uint256 count;
        for (uint256 i; i < ACCOUNTS; ++i) {
            if (pick(seed, i) % 3 == 0) continue;
            entries[count++] = _grow(at_, i, uint128(pick(seed, 10 + i) % 1e10));
        }
        // Enough for its fees, rounded on the sum, not to outgrow it: credited totals never decrease.
        if (count == 0) entries[count++] = _grow(at_, 0, 100);
        assembly ("memory-safe") {
            mstore(entries, count)
        }
        CreditLeaf[] memory credits = new CreditLeaf[](PROVIDERS);
        for (uint256 i; i < PROVIDERS; ++i) {
            credited[at_][providerAt(i)] += uint128(pick(seed, 20 + i) % 1e10);
            credits[i] = CreditLeaf(providerAt(i), credited[at_][providerAt(i)]);
        }
        // The header's own totals are the router's claim about all grants ever; the trees of a batch may hold some of them.
        _commit(at_, entries, credits);
    }

    function _grow(address at_, uint256 who, uint128 amount) private returns (Entry memory item) {
        KeyGrant memory grant = grantFor(accountAt(who), "key");
        (grant.dailyCap, grant.totalCap) = (2e10, 5e10);
        bytes32 digest = digestOf(grant);
        if (!known[digest]) {
            known[digest] = true;
            used.push(Used(grant, digest));
        }
        uint128 before = totals[at_][digest].debited;
        item = entry(grant, names[who], before + amount);
        totals[at_][digest] = item;
    }

    function _commit(address at_, Entry[] memory entries, CreditLeaf[] memory credits) private {
        uint64 index = jobs.batchCount(at_);
        Committed storage kept = committed[at_][index];
        for (uint256 i; i < entries.length; ++i) {
            kept.entries.push(entries[i]);
        }
        for (uint256 i; i < credits.length; ++i) {
            kept.credits.push(credits[i]);
        }
        BatchTotals memory sum = _totals(at_);
        commitWithTotals(at_, entries, credits, sum.debited, sum.fees);
    }

    struct BatchTotals {
        uint128 debited;
        uint128 fees;
    }

    function _totals(address at_) private view returns (BatchTotals memory sum) {
        for (uint256 i; i < used.length; ++i) {
            Entry storage item = totals[at_][used[i].digest];
            sum.debited += item.debited;
            sum.fees += item.routerFees + item.protocolFees;
        }
    }

    function applyDebits(uint256 where, uint256 which) external {
        address at_ = routerAt(where);
        uint64 batches = jobs.batchCount(at_);
        if (batches == 0) return;
        uint64 index = uint64(which % batches);
        if (applyAll(at_, index, committed[at_][index].entries) > 0) ++done["debited"];
    }

    function claim(uint256 where, uint256 which, uint256 who, bool useBond) external {
        address at_ = routerAt(where);
        uint64 batches = jobs.batchCount(at_);
        if (batches == 0) return;
        uint64 index = uint64(which % batches);
        CreditLeaf[] memory credits = committed[at_][index].credits;
        (,,, uint256 before) = vault.bondOf(at_);
        uint256 paid =
            useBond ? claimWithBondAs(at_, index, credits, who % PROVIDERS) : claimAs(at_, index, credits, who % PROVIDERS);
        if (paid > 0) ++done["claimed"];
        (,,, uint256 drawn) = vault.bondOf(at_);
        if (drawn > before) ++done["bond used"];
    }

    function bond(uint256 where, uint256 amount) external {
        amount = bound(amount, 0, 1e11);
        bondAs(routerAt(where), amount);
        bonded[routerAt(where)] += amount;
    }

    function thawBond(uint256 where, uint256 amount) external {
        (uint256 active,,,) = vault.bondOf(routerAt(where));
        vm.prank(routerAt(where));
        vault.thawBond(bound(amount, 0, active));
    }

    function withdrawBond(uint256 where) external {
        (,, uint64 thawedAt,) = vault.bondOf(routerAt(where));
        if (block.timestamp < thawedAt) return;
        vm.prank(routerAt(where));
        unbonded[routerAt(where)] += vault.withdrawBond();
    }

    /// The claim desk finds that a router left a job out.
    function payFromBond(uint256 where, uint256 who, uint256 amount) external {
        vm.prank(governor);
        vault.setClaimDesk(slasher);
        (uint256 active, uint256 thawing,, uint256 before) = vault.bondOf(routerAt(where));
        amount = bound(amount, 0, 1e10);
        vm.prank(slasher);
        uint256 paid = vault.payFromBond(routerAt(where), providerAt(who), amount);
        assertEq(paid, amount < active + thawing ? amount : active + thawing, "as far as the bond reaches");
        (,,, uint256 later) = vault.bondOf(routerAt(where));
        assertEq(later, before, "not to be restored");
        omitted[routerAt(where)] += paid;
        compensated[providerAt(who)] += paid;
        if (paid > 0) ++done["compensated"];
    }

    function withdrawFees(uint256 where) external {
        feesPaid[routerAt(where)] += vault.withdrawRouterFees(routerAt(where));
        vault.withdrawProtocolFees();
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 12 hours));
    }
}
