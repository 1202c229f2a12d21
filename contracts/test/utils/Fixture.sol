// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ERC1967Proxy } from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";

import { INFR } from "../../src/INFR.sol";
import { JobRegistry } from "../../src/JobRegistry.sol";
import { PaymentVault } from "../../src/PaymentVault.sol";
import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { DevUSDC } from "../../src/dev/DevUSDC.sol";
import { IPaymentVault } from "../../src/interfaces/IPaymentVault.sol";
import { BatchHeader, CreditLeaf, DebitLeaf, KeyGrant, Role } from "../../src/libraries/Types.sol";
import { Test } from "./Test.sol";
import { Trees } from "./Trees.sol";

/// A deployed network with two routers, a provider and a developer.
abstract contract Fixture is Test {
    uint64 internal constant WINDOW = 90;
    uint64 internal constant THAW = 1 hours;
    uint64 internal constant UNBONDING = 7 days;
    uint256 internal constant MINIMUM = 1_000e18;
    uint8 internal constant TEE = 0x02;
    uint8 internal constant OPTIMISTIC = 0x04;
    uint64 internal constant START = 1_750_000_000;

    address internal governor = actor("governor");
    address internal slasher = actor("slasher");
    address internal treasury = actor("treasury");
    address internal validators = actor("validators");
    address internal buyback = actor("buyback");
    address internal router = actor("router");
    address internal routerHot = actor("router hot key");
    address internal other = actor("other router");
    address internal otherHot = actor("other router hot key");
    address internal provider = actor("provider");
    address internal providerHot = actor("provider hot key");
    address internal alice = actor("alice");
    address internal stranger = actor("stranger");

    INFR internal infr;
    DevUSDC internal usdc;
    StakeRegistry internal stakes;
    JobRegistry internal jobs;
    PaymentVault internal vault;

    /// What a router's debit tree says about a grant, with what it takes to apply it.
    struct Entry {
        KeyGrant grant;
        bytes signature;
        uint128 debited;
        uint128 routerFees;
        uint128 protocolFees;
    }

    function setUp() public virtual {
        vm.warp(START);
        INFR.Allocation[] memory allocations = new INFR.Allocation[](1);
        allocations[0] = INFR.Allocation(address(this), 1_000_000_000e18);
        infr = new INFR(allocations);
        usdc = new DevUSDC(address(this));
        stakes = StakeRegistry(proxy(address(new StakeRegistry()), _stakesData()));
        jobs = JobRegistry(
            proxy(address(new JobRegistry()), abi.encodeCall(JobRegistry.initialize, (governor, address(stakes), WINDOW)))
        );
        vault = PaymentVault(proxy(address(new PaymentVault()), _vaultData()));
        vm.startPrank(governor);
        stakes.setSlasher(slasher, true);
        stakes.setJobRegistry(address(jobs));
        vm.stopPrank();

        stakeAs(router, Role.Router, MINIMUM, routerHot);
        stakeAs(other, Role.Router, MINIMUM, otherHot);
        stakeAs(provider, Role.Provider, MINIMUM, providerHot);
    }

    function proxy(address implementation, bytes memory data) internal returns (address) {
        return address(new ERC1967Proxy(implementation, data));
    }

    function _stakesData() internal view returns (bytes memory) {
        return abi.encodeCall(StakeRegistry.initialize, (governor, address(infr), UNBONDING, MINIMUM, MINIMUM, MINIMUM));
    }

    function _vaultData() internal view returns (bytes memory) {
        return
            abi.encodeCall(PaymentVault.initialize, (governor, address(usdc), address(jobs), THAW, treasury, validators, buyback));
    }

    // Actors

    function keyOf(string memory name) internal pure returns (uint256) {
        return uint256(keccak256(bytes(name)));
    }

    function actor(string memory name) internal pure returns (address) {
        return vm.addr(keyOf(name));
    }

    function sign(string memory name, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(name), digest);
        return abi.encodePacked(r, s, v);
    }

    function stakeAs(address operator, Role role, uint256 amount, address hotKey) internal {
        infr.transfer(operator, amount);
        vm.startPrank(operator);
        infr.approve(address(stakes), amount);
        stakes.stake(role, amount, hotKey);
        vm.stopPrank();
    }

    function depositAs(address account, uint256 amount) internal {
        usdc.mint(account, amount);
        vm.startPrank(account);
        usdc.approve(address(vault), amount);
        vault.deposit(amount);
        vm.stopPrank();
    }

    function lockAs(address account, address router_, uint256 amount) internal {
        depositAs(account, amount);
        vm.prank(account);
        vault.lock(router_, amount);
    }

    function bondAs(address router_, uint256 amount) internal {
        usdc.mint(router_, amount);
        vm.startPrank(router_);
        usdc.approve(address(vault), amount);
        vault.depositBond(router_, amount);
        vm.stopPrank();
    }

    // Grants

    /// A grant of alice for both routers that never gets in the way.
    function openGrant() internal view returns (KeyGrant memory grant) {
        grant = grantFor(alice, "key");
    }

    function grantFor(address account, string memory key) internal view returns (KeyGrant memory grant) {
        grant.account = account;
        grant.keyHash = keccak256(bytes(key));
        grant.routers = new address[](2);
        (grant.routers[0], grant.routers[1]) = (router, other);
        grant.models = new bytes32[](0);
        (grant.maxPriceIn, grant.maxPriceOut, grant.perJobCap) = (type(uint64).max, type(uint64).max, type(uint64).max);
        (grant.dailyCap, grant.totalCap) = (type(uint64).max, type(uint64).max);
        (grant.notBefore, grant.notAfter) = (0, type(uint64).max);
        grant.generation = vault.generationOf(account);
    }

    function digestOf(KeyGrant memory grant) internal view returns (bytes32) {
        return jobs.grantDigest(grant);
    }

    // Batches

    /// An entry with the fees of one job that cost `debited`.
    function entry(KeyGrant memory grant, string memory signer, uint128 debited) internal view returns (Entry memory) {
        uint128 fee = debited * 150 / 10_000;
        return Entry(grant, sign(signer, digestOf(grant)), debited, fee, fee);
    }

    function one(Entry memory item) internal pure returns (Entry[] memory list) {
        list = new Entry[](1);
        list[0] = item;
    }

    function one(CreditLeaf memory item) internal pure returns (CreditLeaf[] memory list) {
        list = new CreditLeaf[](1);
        list[0] = item;
    }

    function debitLeaves(Entry[] memory entries) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](entries.length);
        for (uint256 i; i < entries.length; ++i) {
            Entry memory item = entries[i];
            leaves[i] =
                Trees.leafHash(abi.encode(DebitLeaf(digestOf(item.grant), item.debited, item.routerFees, item.protocolFees)));
        }
    }

    function creditLeaves(CreditLeaf[] memory credits) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](credits.length);
        for (uint256 i; i < credits.length; ++i) {
            leaves[i] = Trees.leafHash(abi.encode(credits[i]));
        }
    }

    function header(address router_, Entry[] memory entries, CreditLeaf[] memory credits, uint8 tiers)
        internal
        view
        returns (BatchHeader memory result)
    {
        result.router = router_;
        result.index = jobs.batchCount(router_);
        result.jobsRoot = keccak256(abi.encode("jobs", router_, result.index));
        result.debitsRoot = Trees.root(debitLeaves(entries));
        result.creditsRoot = Trees.root(creditLeaves(credits));
        result.decisionsRoot = keccak256("decisions");
        result.count = 1;
        result.grants = uint32(entries.length);
        result.providers = uint32(credits.length);
        result.tiers = tiers;
        for (uint256 i; i < entries.length; ++i) {
            result.debited += entries[i].debited;
            result.fees += entries[i].routerFees + entries[i].protocolFees;
        }
        result.credited = result.debited - result.fees;
    }

    function commit(address router_, Entry[] memory entries, CreditLeaf[] memory credits) internal returns (uint64 index) {
        BatchHeader memory head = header(router_, entries, credits, TEE);
        vm.prank(router_);
        jobs.commitBatch(head);
        return head.index;
    }

    function commit(address router_, Entry memory item) internal returns (uint64) {
        return commit(router_, one(item), new CreditLeaf[](0));
    }

    /// Commits these trees under totals of the router's own choosing.
    function commitWithTotals(address router_, Entry[] memory entries, CreditLeaf[] memory credits, uint128 debited, uint128 fees)
        internal
        returns (uint64 index)
    {
        BatchHeader memory head = header(router_, entries, credits, TEE);
        (head.debited, head.fees, head.credited) = (debited, fees, debited - fees);
        vm.prank(router_);
        jobs.commitBatch(head);
        return head.index;
    }

    // Settlement

    function debitsOf(Entry[] memory entries, uint256[] memory positions)
        internal
        pure
        returns (IPaymentVault.Debit[] memory debits)
    {
        debits = new IPaymentVault.Debit[](positions.length);
        for (uint256 i; i < positions.length; ++i) {
            Entry memory item = entries[positions[i]];
            debits[i] = IPaymentVault.Debit(
                item.grant, item.signature, uint32(positions[i]), item.debited, item.routerFees, item.protocolFees
            );
        }
    }

    function applyAll(address router_, uint64 batch, Entry[] memory entries) internal returns (uint256) {
        uint256[] memory positions = new uint256[](entries.length);
        for (uint256 i; i < positions.length; ++i) {
            positions[i] = i;
        }
        return vault.applyDebits(router_, batch, debitsOf(entries, positions), new bytes32[](0));
    }

    function applyOne(address router_, uint64 batch, Entry memory item) internal returns (uint256) {
        return applyAll(router_, batch, one(item));
    }

    /// Commits a batch with this one grant and applies it.
    function settle(address router_, Entry memory item) internal returns (uint256) {
        return applyOne(router_, commit(router_, item), item);
    }

    function claimAs(address router_, uint64 batch, CreditLeaf[] memory credits, uint256 position) internal returns (uint256) {
        bytes32[] memory proof = Trees.proof(creditLeaves(credits), position);
        return vault.claim(router_, batch, credits[position].provider, credits[position].credited, uint32(position), proof);
    }

    function claimWithBondAs(address router_, uint64 batch, CreditLeaf[] memory credits, uint256 position)
        internal
        returns (uint256)
    {
        bytes32[] memory proof = Trees.proof(creditLeaves(credits), position);
        return vault.claimWithBond(router_, batch, credits[position].provider, credits[position].credited, uint32(position), proof);
    }

    // Reverts

    function expectRevert(bytes memory data) internal {
        vm.expectRevert(data);
    }

    function expectNotGovernor(address caller) internal {
        vm.expectRevert(abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", caller));
    }

    function expectEvent(address emitter) internal {
        vm.expectEmit(true, true, true, true, emitter);
    }
}
