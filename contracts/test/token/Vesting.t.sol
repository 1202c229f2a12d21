// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IVesting } from "../../src/interfaces/IVesting.sol";
import { Vesting } from "../../src/token/Vesting.sol";
import { Fixture } from "../utils/Fixture.sol";

abstract contract VestingFixture is Fixture {
    uint256 internal constant AMOUNT = 180_000_000e18;
    uint64 internal constant CLIFF = START + 365 days;
    uint64 internal constant DURATION = 1095 days;

    Vesting internal wallet;

    function setUp() public override {
        super.setUp();
        wallet = new Vesting(alice, AMOUNT, CLIFF, DURATION);
        infr.transfer(address(wallet), AMOUNT);
    }
}

contract Vesting_Constructor_Test is VestingFixture {
    function test_constructor_terms_succeeds() external view {
        assertEq(wallet.owner(), alice, "beneficiary");
        assertEq(wallet.allocation(), AMOUNT, "allocation");
        assertEq(wallet.start(), CLIFF, "start");
        assertEq(wallet.end(), CLIFF + DURATION, "end");
    }

    function test_constructor_nothing_reverts() external {
        expectRevert(abi.encodeWithSelector(IVesting.Vesting_NoAllocation.selector));
        new Vesting(alice, 0, CLIFF, DURATION);
    }

    function test_constructor_nobody_reverts() external {
        expectRevert(abi.encodeWithSignature("OwnableInvalidOwner(address)", address(0)));
        new Vesting(address(0), AMOUNT, CLIFF, DURATION);
    }
}

contract Vesting_Release_Test is VestingFixture {
    function releasedAt(uint256 time) private returns (uint256) {
        vm.warp(time);
        vm.prank(stranger);
        wallet.release(address(infr));
        return infr.balanceOf(alice);
    }

    function test_release_cliffThenLine_succeeds() external {
        assertEq(releasedAt(START + 1), 0, "nothing at first");
        assertEq(releasedAt(CLIFF), 0, "nothing when the cliff passes");
        assertEq(releasedAt(CLIFF + 1095 days / 3), AMOUNT / 3, "a third");
        assertEq(releasedAt(CLIFF + DURATION), AMOUNT, "all");
        assertEq(releasedAt(CLIFF + 2 * DURATION), AMOUNT, "and no more");
    }

    function test_release_noDuration_allAtOnce() external {
        Vesting lock = new Vesting(treasury, 5e18, CLIFF, 0);
        infr.transfer(address(lock), 5e18);
        vm.warp(CLIFF - 1);
        lock.release(address(infr));
        assertEq(infr.balanceOf(treasury), 0, "locked");
        assertEq(lock.lockedAt(block.timestamp), 5e18, "locked");
        vm.warp(CLIFF);
        lock.release(address(infr));
        assertEq(infr.balanceOf(treasury), 5e18, "free");
        assertEq(lock.lockedAt(block.timestamp), 0, "free");
    }

    function testFuzz_release_neverMoreThanVested(uint256 seed) external {
        uint256 time = START;
        for (uint256 i; i < 8; ++i) {
            time += pick(seed, i) % 300 days;
            uint256 out = releasedAt(time);
            assertEq(out, wallet.vestedAmount(address(infr), uint64(time)), "released is vested");
            assertEq(out + wallet.lockedAt(time), AMOUNT, "and the rest is locked");
        }
    }
}

contract Vesting_LockedAt_Test is VestingFixture {
    function testFuzz_lockedAt_falls(uint256 time, uint256 later) external view {
        time = bound(time, 0, 1 << 47);
        later = bound(later, time, 1 << 47);
        assertLe(wallet.lockedAt(later), wallet.lockedAt(time), "never rises");
        assertLe(wallet.lockedAt(time), AMOUNT, "never above the allocation");
    }

    function test_lockedAt_donations_doNotCount() external {
        infr.transfer(address(wallet), 1e18);
        assertEq(wallet.lockedAt(START), AMOUNT, "the allocation alone");
    }
}
