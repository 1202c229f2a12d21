// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { VeFixture } from "./VeFixture.sol";

/// Random histories against a reference that keeps every line there ever was and sums all of them at any time.
contract VeINFR_Differential_Test is VeFixture {
    /// What `voter` had from `since` (inclusive) to `until` (exclusive) by one lock: a line that falls to zero at `end`.
    struct Line {
        address voter;
        uint256 slope;
        uint256 end;
        uint256 since;
        uint256 until;
    }

    Line[] private lines;
    /// One more than the index of the account's open line.
    mapping(address account => uint256) private open;
    address[] private accounts;

    function setUp() public override {
        super.setUp();
        accounts = [alice, bob, carol];
        for (uint256 i; i < 3; ++i) {
            fund(accounts[i], 300_000_000e18);
        }
    }

    function testFuzz_history_matchesTheSum(uint256 seed) external {
        for (uint256 i; i < 24; ++i) {
            step(pick(seed, i));
        }
        vm.warp(block.timestamp + 1);
        uint256 span = block.timestamp - START;
        for (uint256 i; i < 12; ++i) {
            uint256 time = START + pick(seed, 1000 + i) % span;
            if (i & 1 == 1) time = time / WEEK * WEEK;
            check(time);
        }
        check(block.timestamp - 1);
    }

    function step(uint256 random) private {
        address account = accounts[random % 3];
        uint256 kind = (random >> 8) % 8;
        uint256 size = random >> 128;
        (uint256 amount, uint48 end) = ve.lockOf(account);
        if (kind == 0) vm.warp(block.timestamp + size % (2 * WEEK));
        if (kind == 1) vm.warp((block.timestamp / WEEK + 1 + size % 60) * WEEK);
        if (kind == 2 || kind == 3) {
            vm.prank(account);
            ve.delegate(accounts[size % 3]);
        } else if (amount == 0) {
            vm.prank(account);
            ve.lock(1 + size % 10_000_000e18, bound(size, block.timestamp + WEEK, block.timestamp + FOUR_YEARS));
        } else if (block.timestamp >= end) {
            vm.prank(account);
            ve.withdraw();
        } else if (kind == 4 || kind == 5) {
            vm.prank(account);
            ve.increaseAmount(1 + size % 10_000_000e18);
        } else if (kind == 6 && end + WEEK <= block.timestamp + FOUR_YEARS) {
            vm.prank(account);
            ve.extend(bound(size, end + WEEK, block.timestamp + FOUR_YEARS));
        }
        record(account);
    }

    /// Ends the account's line and begins the one it has now.
    function record(address account) private {
        if (open[account] != 0) lines[open[account] - 1].until = block.timestamp;
        (uint256 amount, uint48 end) = ve.lockOf(account);
        lines.push(Line(ve.delegates(account), amount / FOUR_YEARS, end, block.timestamp, type(uint256).max));
        open[account] = lines.length;
    }

    function check(uint256 time) private view {
        uint256 total;
        for (uint256 i; i < 3; ++i) {
            uint256 power;
            for (uint256 j; j < lines.length; ++j) {
                Line memory line = lines[j];
                if (line.voter != accounts[i] || time < line.since || time >= line.until || time >= line.end) continue;
                power += line.slope * (line.end - time);
            }
            assertEq(ve.getPastVotes(accounts[i], time), power, "votes");
            total += power;
        }
        assertEq(ve.getPastTotalSupply(time), total, "total");
    }
}
