// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { INFR } from "../../src/INFR.sol";
import { DisputeManager } from "../../src/dispute/DisputeManager.sol";
import { IDisputeManager } from "../../src/interfaces/IDisputeManager.sol";
import { Role } from "../../src/libraries/Types.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { DisputeFixture } from "./DisputeFixture.sol";

/// An honest provider and a careless one, an honest validator and one that accuses the honest provider. The honest two move in
/// time.
contract DisputeHandler is DisputeFixture {
    struct Game {
        bytes32 id;
        uint256 which;
        bool honestProvider;
        uint256 openedAt;
    }

    bytes[] private cases;
    bytes[] private books;
    Game[] private games;

    function setUp() public override {
        super.setUp();
        stakeAs(rival, Role.Validator, 1_000_000e18, actor("rival hot key"));
        infr.transfer(rival, 10_000_000e18);
        infr.transfer(validator, 10_000_000e18);
    }

    function network() external view returns (address, address) {
        return (address(manager), address(infr));
    }

    function honestStakes() external view returns (uint256 ofProvider, uint256 ofValidator) {
        return (stakeOf(provider, Role.Provider), stakeOf(validator, Role.Validator));
    }

    function minimum() external pure returns (uint256) {
        return MINIMUM;
    }

    function gameCount() external view returns (uint256) {
        return games.length;
    }

    function game(uint256 i) external view returns (bytes32 id, uint256 openedAt, bool honestProvider) {
        return (games[i].id, games[i].openedAt, games[i].honestProvider);
    }

    function clock() external pure returns (uint256) {
        return CLOCK;
    }

    function setDepth(uint256 depth) external {
        useDepth(uint8(1 + depth % 5));
    }

    function commit(uint256 seed) external {
        while (books.length > jobs.batchCount(router)) books.pop();
        Book memory before;
        if (books.length != 0) before = abi.decode(books[books.length - 1], (Book));
        bool honest = pick(seed, 1) % 2 == 0;
        uint64 length = uint64(1 + pick(seed, 2) % 20);
        Case memory it = caseOf(honest ? provider : second, length, honest ? HONEST : pick(seed, 3) % (length + 1));
        books.push(abi.encode(commitWith(before, it)));
        cases.push(abi.encode(it));
    }

    function accuse(uint256 seed) external {
        if (cases.length == 0) return;
        uint256 which = cases.length - 1 - seed % (cases.length > 3 ? 3 : cases.length);
        Case memory it = abi.decode(cases[which], (Case));
        bool honest = it.ticket.provider == provider;
        vm.prank(honest ? rival : validator);
        try manager.open(router, it.job, it.ticket, it.receipt, it.signature, CLAIM) returns (bytes32 id) {
            games.push(Game(id, which, honest, block.timestamp));
        } catch { }
    }

    /// Somebody else disputes the careless provider too, without having computed anything.
    function join(uint256 seed) external {
        if (cases.length == 0) return;
        Case memory it = abi.decode(cases[cases.length - 1], (Case));
        if (it.ticket.provider == provider) return;
        vm.prank(rival);
        try manager.open(router, it.job, it.ticket, it.receipt, it.signature, bytes32(seed | 1)) returns (bytes32 id) {
            games.push(Game(id, cases.length - 1, false, block.timestamp));
        } catch { }
    }

    function move(uint256 seed) external {
        if (games.length != 0) _move(seed % games.length, seed);
    }

    function wait(uint256 time) external {
        uint256 until = block.timestamp + bound(time, 1, 40 minutes);
        for (uint256 i; i < games.length; ++i) {
            while (_honestTurn(i) && manager.dueAt(games[i].id) < until) _move(i, time);
        }
        vm.warp(until);
    }

    function end(uint256 seed) external {
        if (games.length == 0) return;
        bytes32 id = games[seed % games.length].id;
        try manager.timeout(id) { } catch { }
        try manager.dismiss(id) { } catch { }
    }

    function _honestTurn(uint256 i) private view returns (bool) {
        IDisputeManager.Dispute memory it = manager.disputeOf(games[i].id);
        if (it.stage == IDisputeManager.Stage.None || it.stage > IDisputeManager.Stage.Step) return false;
        if (manager.isRefuted(it.receipt)) return false;
        // The honest challenger does the step again itself, without waiting for the provider.
        if (it.stage == IDisputeManager.Stage.Step) return games[i].honestProvider || it.challenger == validator;
        return (it.stage == IDisputeManager.Stage.Select) != games[i].honestProvider
            && (games[i].honestProvider || it.challenger == validator);
    }

    function _move(uint256 i, uint256 seed) private {
        Game memory now_ = games[i];
        IDisputeManager.Dispute memory entry = manager.disputeOf(now_.id);
        if (entry.stage > IDisputeManager.Stage.Step || manager.isRefuted(entry.receipt)) return;
        if (block.timestamp > manager.dueAt(now_.id)) return;
        Case memory it = abi.decode(cases[now_.which], (Case));
        bytes32[] memory own;
        if (entry.challenger == validator) own = truth(it).leaves;
        else if (!now_.honestProvider && entry.stage == IDisputeManager.Stage.Step) return;
        advance(now_.id, it, own, pick(seed, i));
    }
}

contract DisputeManager_Invariant_Test is InvariantTest {
    DisputeHandler private handler;
    DisputeManager private manager;
    INFR private infr;

    function setUp() external {
        handler = new DisputeHandler();
        handler.setUp();
        (address manager_, address infr_) = handler.network();
        (manager, infr) = (DisputeManager(manager_), INFR(infr_));
        target = address(handler);
        selectors = [
            handler.commit.selector,
            handler.accuse.selector,
            handler.accuse.selector,
            handler.join.selector,
            handler.move.selector,
            handler.move.selector,
            handler.move.selector,
            handler.wait.selector,
            handler.end.selector,
            handler.setDepth.selector
        ];
    }

    function invariant_honestParties_neverLoseStake() external view {
        (uint256 ofProvider, uint256 ofValidator) = handler.honestStakes();
        assertEq(ofProvider, handler.minimum(), "provider");
        assertEq(ofValidator, handler.minimum(), "validator");
    }

    /// The manager holds the bonds of the disputes that run and nothing else.
    function invariant_bonds_areConserved() external view {
        uint256 sum;
        for (uint256 i; i < handler.gameCount(); ++i) {
            (bytes32 id,,) = handler.game(i);
            if (manager.dueAt(id) != 0) sum += manager.disputeOf(id).bond;
        }
        assertEq(infr.balanceOf(address(manager)), sum, "bonds");
    }

    /// A dispute is over, or can be ended by anyone, once both clocks could have run down.
    function invariant_disputes_endWithinTheSumOfClocks() external view {
        for (uint256 i; i < handler.gameCount(); ++i) {
            (bytes32 id, uint256 openedAt,) = handler.game(i);
            assertLe(manager.dueAt(id), openedAt + 2 * handler.clock(), "due");
        }
    }

    function invariant_honestProviders_areNotRefuted() external view {
        for (uint256 i; i < handler.gameCount(); ++i) {
            (bytes32 id,, bool honest) = handler.game(i);
            assertTrue(!honest || manager.disputeOf(id).stage != IDisputeManager.Stage.Overturned, "refuted");
        }
    }
}
