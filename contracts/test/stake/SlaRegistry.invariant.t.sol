// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { INFR } from "../../src/INFR.sol";
import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { ISlaRegistry } from "../../src/interfaces/ISlaRegistry.sol";
import { Role } from "../../src/libraries/Types.sol";
import { SlaRegistry } from "../../src/stake/SlaRegistry.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { SlaFixture } from "./SlaFixture.sol";

/// A provider that promises, stakes and leaves, and quorums of validators that claim whatever windows they like.
contract SlaHandler is SlaFixture {
    /// What a claim was made of, to be made again.
    struct Attempt {
        uint256 index;
        uint64 start;
        uint32 window;
        ISlaRegistry.Report[] reports;
        bytes[] signatures;
    }

    struct Paid {
        uint64 start;
        uint64 end;
    }

    Paid[] private paid;
    uint256 public staked = MINIMUM;
    uint256 public withdrawn;
    uint256 public slashed;
    uint256 public bounties;
    uint256 public burned;

    function network() external view returns (StakeRegistry, SlaRegistry, INFR, address) {
        return (stakes, slas, infr, provider);
    }

    function claims() external view returns (uint256) {
        return paid.length;
    }

    function paidAt(uint256 i) external view returns (Paid memory) {
        return paid[i];
    }

    function _total() private view returns (uint256) {
        (uint256 bonded, uint256 unbonding,) = stakes.stakeOf(provider, Role.Provider);
        return bonded + unbonding;
    }

    function stake(uint256 amount) external {
        amount = bound(amount, MINIMUM, 1_000_000e18);
        if (infr.balanceOf(address(this)) < amount) return;
        stakeAs(provider, Role.Provider, amount, address(0));
        staked += amount;
    }

    function leave(uint256 amount) external {
        (uint256 bonded,,) = stakes.stakeOf(provider, Role.Provider);
        vm.prank(provider);
        stakes.unbond(Role.Provider, bound(amount, 0, bonded / 4));
    }

    function withdraw() external {
        (,, uint64 thawedAt) = stakes.stakeOf(provider, Role.Provider);
        if (block.timestamp < thawedAt) return;
        vm.prank(provider);
        withdrawn += stakes.withdraw(Role.Provider);
    }

    function commit(uint256 uptime, uint256 window) external {
        if (!stakes.isActive(provider, Role.Provider) || slas.slasOf(provider).length > 20) return;
        vm.prank(provider);
        slas.commit(uint32(bound(uptime, 500_000, 999_990)), uint32(bound(window, 1 hours, 2 days)));
    }

    function jail(uint256 time) external {
        vm.prank(slasher);
        stakes.jail(provider, uint64(block.timestamp + time % 1 days), "elsewhere");
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1 hours, 6 days));
    }

    /// Any promise, any window that is over by now or nearly, any quorum or less, good and bad reports.
    function claim(uint256 seed) external {
        Attempt memory it;
        ISlaRegistry.Sla[] memory promised = slas.slasOf(provider);
        it.index = pick(seed, 1) % promised.length;
        it.window = promised[it.index].window;
        it.start = uint64(block.timestamp - it.window + 10 - pick(seed, 2) % 1 days);
        it.reports = reports(2 + pick(seed, 3) % 3, uint32(pick(seed, 4) % 8 == 0 ? 0 : 100));
        it.signatures = new bytes[](it.reports.length);
        for (uint256 i; i < it.reports.length; ++i) {
            it.signatures[i] = sign(hot(i), slas.reportDigest(provider, it.start, it.window, stranger, it.reports[i]));
        }
        uint256 before = _total();
        uint256 balance = infr.balanceOf(stranger);
        uint256 supply = infr.totalSupply();
        (bool passed, uint256 taken) = _claim(it);
        uint256 bounty = infr.balanceOf(stranger) - balance;
        uint256 gone = supply - infr.totalSupply();
        assertEq(before - _total(), taken, "what is taken is the provider's");
        assertEq(bounty + gone, taken, "and is paid out or burned");
        assertEq(bounty, taken * 4_000 / 10_000, "two fifths to whoever gathered the reports");
        if (!passed) return;
        assertLe(taken, before * 200 / 10_000, "no more than the rule takes");
        paid.push(Paid(it.start, it.start + it.window));
        (slashed, bounties, burned) = (slashed + taken, bounties + bounty, burned + gone);
        (passed,) = _claim(it);
        assertFalse(passed, "paid once");
    }

    function _claim(Attempt memory it) private returns (bool passed, uint256 taken) {
        bytes memory answer;
        vm.prank(stranger);
        (passed, answer) = address(slas).call(abi.encodeCall(slas.claim, (provider, it.index, it.start, it.reports, it.signatures)));
        if (passed) taken = abi.decode(answer, (uint256));
    }
}

contract SlaRegistry_Invariant_Test is InvariantTest {
    SlaHandler private handler;
    StakeRegistry private stakes;
    SlaRegistry private slas;
    INFR private infr;
    address private provider;

    function setUp() external {
        handler = new SlaHandler();
        handler.setUp();
        (stakes, slas, infr, provider) = handler.network();
        target = address(handler);
        selectors = [
            handler.claim.selector,
            handler.claim.selector,
            handler.claim.selector,
            handler.wait.selector,
            handler.wait.selector,
            handler.commit.selector,
            handler.stake.selector,
            handler.leave.selector,
            handler.withdraw.selector,
            handler.jail.selector
        ];
    }

    /// Every INFR the provider staked is held, withdrawn or slashed; the registry of promises never holds any.
    function invariant_stake_isConserved() external view {
        (uint256 bonded, uint256 unbonding,) = stakes.stakeOf(provider, Role.Provider);
        assertEq(handler.staked(), bonded + unbonding + handler.withdrawn() + handler.slashed(), "conserved");
        assertEq(infr.balanceOf(address(stakes)), bonded + unbonding + 6_000e18, "held, with two routers' and four validators'");
        assertEq(infr.balanceOf(address(slas)), 0, "nothing kept back");
    }

    /// What challengers were paid, and what was burned, came out of slashes.
    function invariant_payouts_areWhatWasSlashed() external view {
        assertEq(handler.bounties() + handler.burned(), handler.slashed(), "divided without rest");
        assertLe(handler.bounties() * 5, handler.slashed() * 2, "two fifths at most");
    }

    /// No second of an outage is paid for twice, and a claim leaves the provider its time.
    function invariant_claims_arePaidOnce() external view {
        uint64 coolDown = slas.rule().coolDown;
        for (uint256 i = 1; i < handler.claims(); ++i) {
            assertGe(handler.paidAt(i).start, handler.paidAt(i - 1).end + coolDown, "apart");
        }
        if (handler.claims() != 0) {
            assertEq(slas.earliestClaim(provider), handler.paidAt(handler.claims() - 1).end + coolDown, "the next");
        }
    }
}
