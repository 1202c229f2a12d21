// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobRegistry } from "../../src/JobRegistry.sol";
import { PaymentVault } from "../../src/PaymentVault.sol";
import { ICourt } from "../../src/interfaces/ICourt.sol";
import { BatchHeader, CreditLeaf } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";

contract Court is ICourt {
    function longestHold() external pure returns (uint64) {
        return 5 hours;
    }
}

/// An upgrade whose storage lies elsewhere reads one thing where another was written. Every field that holds money or what money moves
/// by is looked for at its slot; the stake registry's are in `StakeRegistry_Upgrade_Test`. Fields may be added at the end only.
contract ClashingStorage_Attack_Test is Fixture {
    uint256 private constant VAULT = 0x5723806244f5fbebe314603ab416299fccd6650435e3d00066d648cbe1f4f000;
    uint256 private constant JOBS = 0x741a154c7ff241e39578f753d689fb67ae76df06aeaa42482c2e6fb02e97bd00;

    function test_attack_vault_layoutStands() external {
        lockAs(alice, router, 1_000);
        depositAs(alice, 77);
        bondAs(router, 50);
        vm.startPrank(governor);
        vault.setClaimDesk(stranger);
        vault.setExpirySlack(2 hours);
        vm.stopPrank();
        Entry memory item = entry(openGrant(), "alice", 600);
        CreditLeaf[] memory credits = one(CreditLeaf(provider, 11));
        uint64 batch = commit(router, one(item), credits);
        applyOne(router, batch, item);
        claimAs(router, batch, credits, 0);
        vm.startPrank(alice);
        vault.unlock(router, 30);
        vault.revokeGrant(bytes32("some"));
        vault.revokeAll();
        vm.stopPrank();
        vm.prank(router);
        vault.thawBond(20);

        expectParameters();
        expectBooks(digestOf(item.grant));
    }

    function expectParameters() private view {
        address at_ = address(vault);
        is_(at_, VAULT, word(address(usdc)), "usdc");
        is_(at_, VAULT + 1, word(address(jobs)) | uint256(THAW) << 160, "jobs, thawPeriod");
        is_(at_, VAULT + 2, 2 hours, "expirySlack");
        is_(at_, VAULT + 3, 150 | 150 << 16 | 150 << 32 | 150 << 48, "fees");
        is_(at_, VAULT + 4, word(treasury), "treasury");
        is_(at_, VAULT + 5, word(validators), "validators");
        is_(at_, VAULT + 6, word(buyback), "buyback");
        is_(at_, VAULT + 7, 3 | 3 << 128, "treasuryFees, validatorFees");
        is_(at_, VAULT + 8, 3, "buybackFees");
        is_(at_, VAULT + 14, word(stranger), "claimDesk");
    }

    function expectBooks(bytes32 digest) private view {
        address at_ = address(vault);
        is_(at_, map(word(alice), VAULT + 9), 77, "free");
        uint256 thawed = uint256(START + THAW) << 192;
        is_(at_, map(word(router), map(word(alice), VAULT + 10)), 370 | 30 << 96 | thawed, "lockups");
        uint256 account = map(word(alice), VAULT + 11);
        is_(at_, account, 1, "accounts[].generation");
        is_(at_, map(0, account + 1), START, "accounts[].endedAt");
        is_(at_, map(uint256(bytes32("some")), account + 2), START, "accounts[].revokedAt");
        uint256 grant = map(uint256(digest), VAULT + 12);
        is_(at_, grant, 1 | uint256(START) << 8 | 600 << 72, "grants[].registered, firstUse, debited");
        is_(at_, map(word(router), grant + 1), 600 | 9 << 64 | 9 << 128, "grants[].applied");
        uint256 book = map(word(router), VAULT + 13);
        is_(at_, book, 571 | 9 << 128, "routers[].pool, fees");
        is_(at_, book + 1, 0, "routers[].bondUsed");
        is_(at_, book + 2, 30 | 20 << 96 | thawed, "routers[].bond");
        is_(at_, map(word(provider), book + 3), 11, "routers[].paid");
    }

    function test_attack_jobs_layoutStands() external {
        Court court = new Court();
        vm.prank(governor);
        jobs.setCourt(address(court), true);
        vm.roll(1_234);
        Entry memory item = entry(openGrant(), "alice", 600);
        BatchHeader memory head = header(router, one(item), one(CreditLeaf(provider, 582)), OPTIMISTIC);
        head.grants = 3;
        vm.prank(router);
        jobs.commitBatch(head);
        vm.prank(address(court));
        jobs.hold(router, 0);

        uint256 patience = court.longestHold();
        expectRecord(head, patience);
        address at_ = address(jobs);
        uint256 first = word(address(stakes)) | uint256(WINDOW) << 160 | patience << 192;
        is_(at_, JOBS, first, "stakes, challengeWindow, longestHold");
        is_(at_, map(word(router), JOBS + 2), 1 << 16, "dockets[].epoch, heldFrom");
        is_(at_, map(word(address(court)), JOBS + 3), patience, "patience");
        is_(at_, JOBS + 4, 1, "courts");
        is_(at_, map(0, map(word(router), map(word(address(court)), JOBS + 5))), 1, "holds");
        is_(at_, JOBS + 6, WINDOW | uint256(START + WINDOW) << 64, "earlierBound, earlierUntil");
    }

    function expectRecord(BatchHeader memory head, uint256 patience) private view {
        address at_ = address(jobs);
        uint256 list = map(word(router), JOBS + 1);
        is_(at_, list, 1, "batches[]");
        uint256 record = uint256(keccak256(abi.encode(list)));
        is_(at_, record, uint256(head.jobsRoot), "batches[].jobsRoot");
        is_(at_, record + 1, uint256(head.debitsRoot), "batches[].debitsRoot");
        is_(at_, record + 2, uint256(head.creditsRoot), "batches[].creditsRoot");
        is_(at_, record + 3, uint256(head.decisionsRoot), "batches[].decisionsRoot");
        uint256 packed = 1 | 3 << 32 | 1 << 64 | uint256(OPTIMISTIC) << 96 | uint256(START) << 104;
        packed |= uint256(WINDOW) << 144 | patience << 168 | 1_234 << 192 | 1 << 248;
        is_(at_, record + 4, packed, "batches[].count ... holds");
        is_(at_, record + 5, 600 | 582 << 128, "batches[].debited, credited");
    }

    /// Code that does not say it lives in the same slot of the proxy is refused by the proxy itself.
    function test_attack_anotherKindOfCode_isRefused() external {
        vm.startPrank(governor);
        vm.expectRevert();
        vault.upgradeToAndCall(address(infr), "");
        address next = address(new PaymentVault());
        vault.upgradeToAndCall(next, "");
        next = address(new JobRegistry());
        jobs.upgradeToAndCall(next, "");
        vm.stopPrank();
    }

    function is_(address target, uint256 slot, uint256 expected, string memory field) private view {
        assertEq(vm.load(target, bytes32(slot)), bytes32(expected), field);
    }

    function word(address account) private pure returns (uint256) {
        return uint160(account);
    }

    function map(uint256 key, uint256 slot) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(key, slot)));
    }
}
