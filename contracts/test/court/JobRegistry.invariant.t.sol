// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobRegistry } from "../../src/JobRegistry.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { TwoCourtsFixture } from "./JobRegistry.courts.t.sol";

/// Two courts that hold, let go, void and let go of what is void, while the router goes on. The handler keeps its own books of who holds what.
contract CourtsHandler is TwoCourtsFixture {
    struct Case {
        uint16 epoch;
        uint64 finalAt;
        uint64 latest;
        bool byFirst;
        bool bySecond;
    }

    Case[] private cases;
    uint64 private finals;
    uint16 private epoch;

    function network() external view returns (JobRegistry, address, address, address) {
        return (jobs, router, first, second);
    }

    function batches() external view returns (uint256) {
        return cases.length;
    }

    function caseAt(uint256 i) external view returns (Case memory) {
        return cases[i];
    }

    /// How many batches should be final: those whose window is over and that neither they nor one before them keeps from it, and
    /// those whose time is over in any case.
    function expected() public view returns (uint64 count) {
        bool held;
        for (uint64 i; i < cases.length; ++i) {
            Case storage it = cases[i];
            if ((it.byFirst || it.bySecond) && block.timestamp < it.latest) held = true;
            if (block.timestamp >= it.latest || (block.timestamp >= it.finalAt && !held)) count = i + 1;
        }
    }

    function commit(bool optimistic) external {
        uint64 finalAt = uint64(block.timestamp) + (optimistic ? WINDOW : 0);
        uint64 latest = finalAt + LONG;
        if (cases.length != 0) {
            Case storage last = cases[cases.length - 1];
            if (last.finalAt > finalAt) finalAt = last.finalAt;
            if (last.latest > latest) latest = last.latest;
        }
        commitTiers(optimistic ? OPTIMISTIC : TEE);
        cases.push(Case(epoch, finalAt, latest, false, false));
    }

    function holdBy(uint256 which, bool byFirst) external {
        if (cases.length == 0) return;
        uint64 index = uint64(which % cases.length);
        Case storage it = cases[index];
        bool open = block.timestamp < it.finalAt;
        assertTrue(hold(byFirst ? first : second, index) == open, "while the window runs");
        if (open && byFirst) it.byFirst = true;
        else if (open) it.bySecond = true;
    }

    /// Also of batches that are void, of batches that never were, and of what the court does not hold.
    function releaseBy(uint256 which, bool byFirst, uint16 epoch_) external {
        uint64 index = uint64(which % (cases.length + 2));
        uint16 named = uint16(uint256(epoch_) % (uint256(epoch) + 2));
        release(byFirst ? first : second, index, named);
        if (index >= cases.length || cases[index].epoch != named) return;
        if (byFirst) cases[index].byFirst = false;
        else cases[index].bySecond = false;
    }

    function rollbackBy(uint256 which, bool byFirst) external {
        uint64 from = finals;
        if (from >= cases.length) return;
        uint64 index = uint64(from + which % (cases.length - from));
        if (jobs.isFinal(router, index)) return;
        epoch = rollback(byFirst ? first : second, index);
        while (cases.length > index) {
            cases.pop();
        }
    }

    function lapse() external {
        jobs.lapse(router);
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, time % 4 == 0 ? LONG : WINDOW));
    }

    function note() external {
        (bool exists, uint64 newest) = jobs.newestFinal(router);
        uint64 now_ = exists ? newest + 1 : 0;
        assertGe(now_, finals, "what is final stays");
        finals = now_;
    }
}

contract JobRegistry_Courts_Invariant_Test is InvariantTest {
    CourtsHandler private handler;
    JobRegistry private jobs;
    address private router;
    address private first;
    address private second;

    function setUp() external {
        handler = new CourtsHandler();
        handler.setUp();
        (jobs, router, first, second) = handler.network();
        target = address(handler);
        selectors = [
            handler.commit.selector,
            handler.holdBy.selector,
            handler.holdBy.selector,
            handler.releaseBy.selector,
            handler.rollbackBy.selector,
            handler.lapse.selector,
            handler.wait.selector,
            handler.note.selector
        ];
    }

    /// A hold is its court's: there from its `hold` to its `release`, whatever the other does.
    function invariant_holds_belongToTheirCourts() external view {
        for (uint64 i; i < handler.batches(); ++i) {
            CourtsHandler.Case memory it = handler.caseAt(i);
            assertTrue(jobs.isHeldBy(first, router, i) == it.byFirst, "the first's");
            assertTrue(jobs.isHeldBy(second, router, i) == it.bySecond, "the second's");
            assertEq(jobs.epochOf(router, i), it.epoch, "epoch");
        }
        assertEq(jobs.batchCount(router), handler.batches(), "batches");
    }

    /// No batch is final while any court may hold it or one before it; every other whose window is over is, but for those behind a hold
    /// that lapsed and nobody dropped.
    function invariant_finality_waitsForEveryCourt() external view {
        (bool exists, uint64 newest) = jobs.newestFinal(router);
        uint64 count = exists ? newest + 1 : 0;
        assertLe(count, handler.expected(), "not before both are done");
        for (uint64 i; i < handler.batches(); ++i) {
            CourtsHandler.Case memory it = handler.caseAt(i);
            assertTrue(jobs.isFinal(router, i) == (i < count), "a prefix");
            assertTrue(jobs.finality(router, i) == it.finalAt || jobs.finality(router, i) == it.latest, "one of two times");
            if (block.timestamp >= it.latest) assertTrue(i < count, "lapsed");
        }
    }

    /// Once somebody dropped what lapsed, exactly these are final.
    function invariant_lapse_freesTheRest() external {
        jobs.lapse(router);
        (bool exists, uint64 newest) = jobs.newestFinal(router);
        assertEq(exists ? newest + 1 : 0, handler.expected(), "as the books say");
    }
}
