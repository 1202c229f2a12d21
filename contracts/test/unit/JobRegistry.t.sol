// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobRegistry as JobRegistryImplementation } from "../../src/JobRegistry.sol";
import { IJobRegistry } from "../../src/interfaces/IJobRegistry.sol";
import {
    Batch,
    BatchHeader,
    CreditLeaf,
    JobLeaf,
    JobReceipt,
    JobTicket,
    KeyGrant,
    ProviderOffer,
    Verdict
} from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Trees } from "../utils/Trees.sol";

abstract contract JobRegistryFixture is Fixture {
    function head() internal view returns (BatchHeader memory) {
        return header(router, one(entry(openGrant(), "alice", 1_000_000)), one(CreditLeaf(provider, 970_000)), TEE);
    }

    function commitAs(address sender, BatchHeader memory batch) internal returns (uint64) {
        vm.prank(sender);
        return jobs.commitBatch(batch);
    }

    /// Commits an otherwise equal next batch of the given tiers.
    function commitTiers(uint8 tiers) internal returns (uint64 finalAt) {
        BatchHeader memory batch = head();
        batch.tiers = tiers;
        return commitAs(router, batch);
    }
}

contract JobRegistry_Initialize_Test is JobRegistryFixture {
    function test_initialize_parameters_succeeds() external view {
        assertEq(jobs.owner(), governor, "owner");
        assertEq(jobs.stakeRegistry(), address(stakes), "stakes");
        assertEq(jobs.challengeWindow(), WINDOW, "window");
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("INFERA"),
                keccak256("1"),
                block.chainid,
                address(jobs)
            )
        );
        assertEq(jobs.domainSeparator(), separator, "the domain is INFERA/1 at the proxy");
    }

    function test_initialize_again_reverts() external {
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        jobs.initialize(stranger, address(stakes), WINDOW);
    }

    function test_initialize_noStakes_reverts() external {
        address implementation = address(new JobRegistryImplementation());
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_ZeroAddress.selector));
        proxy(implementation, abi.encodeCall(jobs.initialize, (governor, address(0), WINDOW)));
    }
}

contract JobRegistry_CommitBatch_Test is JobRegistryFixture {
    function test_commitBatch_byHotKey_succeeds() external {
        BatchHeader memory batch = head();
        expectEvent(address(jobs));
        emit IJobRegistry.BatchCommitted(router, 0, batch, START);
        vm.roll(77);
        commitAs(routerHot, batch);

        Batch memory kept = jobs.batch(router, 0);
        assertEq(kept.jobsRoot, batch.jobsRoot, "jobs");
        assertEq(kept.debitsRoot, batch.debitsRoot, "debits");
        assertEq(kept.creditsRoot, batch.creditsRoot, "credits");
        assertEq(kept.decisionsRoot, batch.decisionsRoot, "decisions");
        assertEq(kept.count, batch.count, "count");
        assertEq(kept.grants, batch.grants, "grants");
        assertEq(kept.providers, batch.providers, "providers");
        assertEq(kept.tiers, batch.tiers, "tiers");
        assertEq(kept.debited, batch.debited, "debited");
        assertEq(kept.credited, batch.credited, "credited");
        assertEq(kept.committedAt, START, "time");
        assertEq(kept.committedIn, 77, "block");
        assertEq(kept.finalAt, START, "final at once");
        assertEq(jobs.batchCount(router), 1, "counted");
    }

    function test_commitBatch_byColdKey_succeeds() external {
        commitAs(router, head());
        assertEq(jobs.batchCount(router), 1, "counted");
        assertEq(jobs.batchCount(other), 0, "for this router alone");
    }

    function test_commitBatch_anotherSender_reverts() external {
        BatchHeader memory batch = head();
        address[3] memory senders = [stranger, otherHot, governor];
        for (uint256 i; i < senders.length; ++i) {
            vm.prank(senders[i]);
            expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_NotRouter.selector, senders[i], router));
            jobs.commitBatch(batch);
        }
    }

    function test_commitBatch_noRouter_reverts() external {
        BatchHeader memory batch = head();
        batch.router = address(0);
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_RouterInactive.selector, address(0)));
        jobs.commitBatch(batch);
    }

    function test_commitBatch_retiredHotKey_reverts() external {
        vm.prank(router);
        stakes.rotateHotKey(stranger);
        BatchHeader memory batch = head();
        vm.prank(routerHot);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_NotRouter.selector, routerHot, router));
        jobs.commitBatch(batch);
    }

    function test_commitBatch_jailedRouter_reverts() external {
        vm.prank(slasher);
        stakes.jail(router, START + 1, "bias");
        BatchHeader memory batch = head();
        vm.prank(router);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_RouterInactive.selector, router));
        jobs.commitBatch(batch);
    }

    function test_commitBatch_providerOnly_reverts() external {
        BatchHeader memory batch = head();
        batch.router = provider;
        vm.prank(providerHot);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_RouterInactive.selector, provider));
        jobs.commitBatch(batch);
    }

    function test_commitBatch_wrongIndex_reverts() external {
        BatchHeader memory batch = head();
        commitAs(router, batch);
        uint64[2] memory wrong = [uint64(0), 2];
        for (uint256 i; i < wrong.length; ++i) {
            batch.index = wrong[i];
            vm.prank(router);
            expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_WrongIndex.selector, wrong[i], 1));
            jobs.commitBatch(batch);
        }
    }

    function test_commitBatch_countOutOfRange_reverts() external {
        uint32[2] memory wrong = [uint32(0), 10_001];
        for (uint256 i; i < wrong.length; ++i) {
            BatchHeader memory batch = head();
            batch.count = wrong[i];
            vm.prank(router);
            expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_CountOutOfRange.selector, wrong[i]));
            jobs.commitBatch(batch);
        }
    }

    function test_commitBatch_unknownTiers_reverts() external {
        uint8[4] memory wrong = [uint8(0), 0x01, 0x10, 0xff];
        for (uint256 i; i < wrong.length; ++i) {
            BatchHeader memory batch = head();
            batch.tiers = wrong[i];
            vm.prank(router);
            expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_UnknownTiers.selector, wrong[i]));
            jobs.commitBatch(batch);
        }
    }

    function testFuzz_commitBatch_unbalanced_reverts(uint128 debited, uint128 credited, uint128 fees) external {
        vm.assume(debited != uint256(credited) + fees);
        BatchHeader memory batch = head();
        (batch.debited, batch.credited, batch.fees) = (debited, credited, fees);
        vm.prank(router);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_Unbalanced.selector, debited, credited, fees));
        jobs.commitBatch(batch);
    }

    function test_commitBatch_totalsDecrease_reverts() external {
        commitAs(router, head());
        // credited and fees trade places, so that one falls while the sum stands; then all fall.
        uint128[3] memory credited = [uint128(970_001), 969_999, 969_999];
        uint128[3] memory fees = [uint128(29_999), 30_001, 30_000];
        for (uint256 i; i < credited.length; ++i) {
            BatchHeader memory batch = head();
            (batch.debited, batch.credited, batch.fees) = (credited[i] + fees[i], credited[i], fees[i]);
            vm.prank(router);
            expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_TotalsDecrease.selector));
            jobs.commitBatch(batch);
        }
    }

    function test_commitBatch_gas_snapshot() external {
        commitAs(routerHot, head());
        BatchHeader memory batch = head();
        batch.count = 10_000;
        batch.tiers = TEE | OPTIMISTIC;
        vm.prank(routerHot);
        jobs.commitBatch(batch);
        vm.snapshotGasLastCall("gas", "JobRegistry.commitBatch, any number of jobs");
    }
}

contract JobRegistry_Finality_Test is JobRegistryFixture {
    function test_finality_byTier_succeeds() external {
        assertEq(commitTiers(TEE), START, "tee: at once");
        assertEq(commitTiers(0x08), START, "zkml: at once");
        assertEq(commitTiers(OPTIMISTIC), START + WINDOW, "optimistic: after the window");
        assertEq(commitTiers(TEE), START + WINDOW, "and nothing overtakes it");
        vm.warp(START + 10);
        assertEq(commitTiers(TEE | OPTIMISTIC), START + WINDOW + 10, "the window of its own time");
        assertEq(jobs.finality(router, 4), START + WINDOW + 10, "kept");
    }

    function test_finality_windowShortened_keepsOrder() external {
        commitTiers(OPTIMISTIC);
        vm.prank(governor);
        jobs.setChallengeWindow(1);
        assertEq(commitTiers(OPTIMISTIC), START + WINDOW, "not before the batch ahead of it");
    }

    function test_finality_unknownBatch_reverts() external {
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_UnknownBatch.selector, router, 0));
        jobs.finality(router, 0);
    }

    function testFuzz_finality_neverDecreases(uint256 seed) external {
        uint64 last;
        for (uint256 i; i < 12; ++i) {
            uint256 random = pick(seed, i);
            vm.warp(block.timestamp + random % 120);
            vm.prank(governor);
            jobs.setChallengeWindow(uint64(bound(random >> 32, 1, 1 days)));
            uint64 finalAt = commitTiers(uint8(2 * (1 + (random >> 96) % 7)));
            assertGe(finalAt, last, "in order");
            assertGe(finalAt, block.timestamp, "not in the past");
            last = finalAt;
        }
        vm.warp(block.timestamp + seed % 2 days);
        (bool exists, uint64 newest) = jobs.newestFinal(router);
        for (uint64 i; i < 12; ++i) {
            assertTrue(jobs.isFinal(router, i) == (exists && i <= newest), "the final batches are those up to the newest");
        }
    }
}

contract JobRegistry_IsFinal_Test is JobRegistryFixture {
    function test_isFinal_atTheSecond_succeeds() external {
        assertFalse(jobs.isFinal(router, 0), "there is none");
        commitTiers(OPTIMISTIC);
        vm.warp(START + WINDOW - 1);
        assertFalse(jobs.isFinal(router, 0), "window open");
        vm.warp(START + WINDOW);
        assertTrue(jobs.isFinal(router, 0), "window over");
        assertFalse(jobs.isFinal(router, type(uint64).max), "there is none");
    }
}

contract JobRegistry_NewestFinal_Test is JobRegistryFixture {
    function test_newestFinal_amongOpenOnes_succeeds() external {
        (bool exists,) = jobs.newestFinal(router);
        assertFalse(exists, "none");
        commitTiers(OPTIMISTIC);
        (exists,) = jobs.newestFinal(router);
        assertFalse(exists, "none final");
        vm.warp(START + WINDOW);
        commitTiers(TEE);
        commitTiers(OPTIMISTIC);
        uint64 index;
        (exists, index) = jobs.newestFinal(router);
        assertTrue(exists, "one");
        assertEq(index, 1, "the second");
    }
}

contract JobRegistry_FinalDebits_Test is JobRegistryFixture {
    function test_finalDebits_andCredits_succeeds() external {
        BatchHeader memory batch = head();
        commitAs(router, batch);
        (bytes32 debits, uint32 grants, uint64 committedAt) = jobs.finalDebits(router, 0);
        assertEq(debits, batch.debitsRoot, "debits");
        assertEq(grants, batch.grants, "grants");
        assertEq(committedAt, START, "when");
        (bytes32 credits, uint32 providers) = jobs.finalCredits(router, 0);
        assertEq(credits, batch.creditsRoot, "credits");
        assertEq(providers, batch.providers, "providers");
    }

    function test_finalDebits_windowOpen_reverts() external {
        commitTiers(OPTIMISTIC);
        bytes memory reason = abi.encodeWithSelector(IJobRegistry.JobRegistry_NotFinal.selector, router, 0, START + WINDOW);
        expectRevert(reason);
        jobs.finalDebits(router, 0);
        expectRevert(reason);
        jobs.finalCredits(router, 0);
    }

    function test_batch_unknown_reverts() external {
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_UnknownBatch.selector, router, 0));
        jobs.batch(router, 0);
    }
}

contract JobRegistry_VerifyLeaf_Test is JobRegistryFixture {
    function leafAt(uint256 i) internal view returns (JobLeaf memory) {
        return JobLeaf({
            ticket: keccak256(abi.encode("ticket", i)),
            receipt: keccak256(abi.encode("receipt", i)),
            account: alice,
            grant: keccak256("grant"),
            provider: provider,
            cost: uint64(i),
            tier: 1,
            grantTotal: uint128(i * i),
            providerTotal: uint128(i)
        });
    }

    function test_verifyLeaf_everyPosition_succeeds() external {
        bytes32[] memory leaves = new bytes32[](7);
        for (uint256 i; i < 7; ++i) {
            leaves[i] = Trees.leafHash(abi.encode(leafAt(i)));
        }
        BatchHeader memory batch = head();
        (batch.jobsRoot, batch.count) = (Trees.root(leaves), 7);
        commitAs(router, batch);
        for (uint32 i; i < 7; ++i) {
            bytes32[] memory proof = Trees.proof(leaves, i);
            assertTrue(jobs.verifyLeaf(router, 0, leafAt(i), i, proof), "in its place");
            assertFalse(jobs.verifyLeaf(router, 0, leafAt(i), i == 0 ? 1 : 0, proof), "not in another");
            assertFalse(jobs.verifyLeaf(router, 0, leafAt(i + 1), i, proof), "not another leaf");
        }
    }

    function test_verifyLeaf_unknownBatch_reverts() external {
        JobLeaf memory leaf = leafAt(0);
        expectRevert(abi.encodeWithSelector(IJobRegistry.JobRegistry_UnknownBatch.selector, router, 3));
        jobs.verifyLeaf(router, 3, leaf, 0, new bytes32[](0));
    }
}

contract JobRegistry_VerifyReceipt_Test is JobRegistryFixture {
    JobTicket private ticket;
    JobReceipt private receipt;

    function setUp() public override {
        super.setUp();
        ticket.router = router;
        ticket.provider = provider;
        (ticket.priceIn, ticket.priceOut, ticket.premiumBps) = (200_000, 600_000, 1_000);
        (ticket.maxCost, ticket.issuedAt) = (2_000, START);
        (receipt.tokensIn, receipt.tokensOut, receipt.cost, receipt.completedAt) = (321, 123, 151, START + 9);
        receipt.ticket = jobs.ticketDigest(ticket);
    }

    function verified(string memory routerKey, string memory providerKey) private view returns (bool) {
        return jobs.verifyReceipt(
            ticket, sign(routerKey, jobs.ticketDigest(ticket)), receipt, sign(providerKey, jobs.receiptDigest(receipt))
        );
    }

    function test_verifyReceipt_bothSigned_succeeds() external view {
        assertTrue(verified("router hot key", "provider hot key"), "both hot keys");
    }

    function test_verifyReceipt_wrongSigner_fails() external view {
        assertFalse(verified("other router hot key", "provider hot key"), "another router's key");
        assertFalse(verified("router hot key", "router hot key"), "the router's for the provider's");
        assertFalse(verified("router", "provider hot key"), "a cold key signs no message");
    }

    function test_verifyReceipt_brokenSignature_fails() external view {
        assertFalse(
            jobs.verifyReceipt(ticket, hex"00", receipt, sign("provider hot key", jobs.receiptDigest(receipt))), "not a signature"
        );
    }

    function test_verifyReceipt_anotherTicket_fails() external {
        ticket.seed = 1;
        assertFalse(verified("router hot key", "provider hot key"), "the receipt is for another ticket");
    }

    function test_verifyReceipt_wrongCost_fails() external {
        receipt.cost = 150;
        assertFalse(verified("router hot key", "provider hot key"), "not the price");
    }

    function test_verifyReceipt_costAtMaximum_succeeds() external {
        ticket.maxCost = 100;
        receipt.ticket = jobs.ticketDigest(ticket);
        receipt.cost = 100;
        assertTrue(verified("router hot key", "provider hot key"), "never more than the ticket allows");
    }

    function test_verifyReceipt_keyRetired_byTime() external {
        vm.warp(START + 9);
        vm.prank(provider);
        stakes.rotateHotKey(stranger);
        assertTrue(verified("router hot key", "provider hot key"), "signed before the key retired");
        receipt.completedAt = START + 10;
        assertFalse(verified("router hot key", "provider hot key"), "signed after");
    }
}

contract JobRegistry_Digests_Test is JobRegistryFixture {
    /// The type strings of docs/protocol.md §2, hashed member by member; the JSON vectors compare the values with other languages.
    function test_digests_bindTheDomain_succeeds() external view {
        KeyGrant memory grant = openGrant();
        JobTicket memory ticket;
        JobReceipt memory receipt;
        Verdict memory verdict;
        ProviderOffer memory offer;
        bytes32[5] memory digests = [
            jobs.grantDigest(grant),
            jobs.ticketDigest(ticket),
            jobs.receiptDigest(receipt),
            jobs.verdictDigest(verdict),
            jobs.offerDigest(offer)
        ];
        bytes32 verdictHash = keccak256(
            abi.encode(
                keccak256("Verdict(bytes32 leaf,address validator,uint8 outcome,bytes32 evidence)"),
                bytes32(0),
                address(0),
                0,
                bytes32(0)
            )
        );
        assertEq(digests[3], keccak256(abi.encodePacked(hex"1901", jobs.domainSeparator(), verdictHash)), "prefix, domain, struct");
        for (uint256 i; i < digests.length; ++i) {
            for (uint256 j; j < i; ++j) {
                assertTrue(digests[i] != digests[j], "types do not collide");
            }
        }
    }

    function test_cost_roundsDown_succeeds() external view {
        assertEq(jobs.cost(321, 123, 200_000, 600_000, 1_000), 151, "151.8");
    }
}

contract JobRegistry_SetChallengeWindow_Test is JobRegistryFixture {
    function test_setChallengeWindow_forTheFuture_succeeds() external {
        commitTiers(OPTIMISTIC);
        expectEvent(address(jobs));
        emit IJobRegistry.ChallengeWindowChanged(30 minutes);
        vm.prank(governor);
        jobs.setChallengeWindow(30 minutes);
        assertEq(jobs.finality(router, 0), START + WINDOW, "committed batches keep theirs");
    }

    function test_setChallengeWindow_outOfBounds_reverts() external {
        vm.startPrank(governor);
        bytes4 selector = IJobRegistry.JobRegistry_WindowOutOfBounds.selector;
        expectRevert(abi.encodeWithSelector(selector, uint64(0), uint64(1), uint64(1 days)));
        jobs.setChallengeWindow(0);
        expectRevert(abi.encodeWithSelector(selector, uint64(1 days + 1), uint64(1), uint64(1 days)));
        jobs.setChallengeWindow(1 days + 1);
        vm.stopPrank();
    }

    function test_setChallengeWindow_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        jobs.setChallengeWindow(1);
    }
}
