// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { INFR } from "../../src/INFR.sol";
import { PaymentVault } from "../../src/PaymentVault.sol";
import { ClaimDesk } from "../../src/court/ClaimDesk.sol";
import { IClaimDesk } from "../../src/interfaces/IClaimDesk.sol";
import { JobReceipt, JobTicket, Role } from "../../src/libraries/Types.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { DeskFixture } from "./DeskFixture.sol";

/// A router and providers that answer in time, each in its way, and somebody who asks about everything again and again.
contract DeskHandler is DeskFixture {
    uint256 public constant JOBS = 40;

    struct Open {
        uint256 job;
        bool omission;
        uint64 dueAt;
    }

    Open[] private open;
    bytes private book;
    uint256 public asked;
    uint256 public included;
    uint256 public conceded;
    uint256 public shown;
    uint256 public paid;

    function setUp() public override {
        super.setUp();
        infr.transfer(challenger, 1_000_000e18);
        lockAs(alice, router, 1e9);
        Book memory none;
        Book memory made = build(none, JOBS);
        commitBook(made);
        book = abi.encode(made);
    }

    function network() external view returns (address, address, address) {
        return (address(desk), address(vault), address(infr));
    }

    function stakesNow() external view returns (uint256) {
        return stakeNow() + stakeOf(provider, Role.Provider) + stakeOf(second, Role.Provider);
    }

    function lockup() external view returns (uint256 active) {
        (active,,) = vault.lockupOf(alice, router);
    }

    function bond() external view returns (uint256 active) {
        (active,,,) = vault.bondOf(router);
    }

    function earned() external view returns (uint256) {
        return infr.balanceOf(router) + infr.balanceOf(provider) + infr.balanceOf(second);
    }

    function openClaims() external view returns (uint256) {
        return open.length;
    }

    function askAbout(uint256 which, bool omission) external {
        uint256 n = 1 + which % JOBS;
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(n);
        bytes memory ticketSignature = signTicket(ticket);
        bytes memory data = omission
            ? abi.encodeCall(IClaimDesk.claimJob, (ticket, ticketSignature, receipt, signReceipt(ticket, receipt)))
            : abi.encodeCall(IClaimDesk.claimSilence, (ticket, ticketSignature));
        vm.prank(challenger);
        (bool accepted,) = address(desk).call(data);
        if (!accepted) return;
        open.push(Open(n, omission, uint64(block.timestamp) + ANSWER));
        ++asked;
    }

    function answer(uint256 which, bool concede) external {
        if (open.length != 0) _answer(which % open.length, concede);
    }

    function _answer(uint256 which, bool concede) private {
        Open memory it = open[which];
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(it.job);
        if (!it.omission) {
            show(ticket, receipt);
            ++shown;
        } else if (concede) {
            vm.prank(router);
            paid += desk.concede(receipt.ticket);
            ++conceded;
        } else {
            desk.showIncluded(receipt.ticket, leafOf(abi.decode(book, (Book)), 0, it.job - 1));
            ++included;
        }
        open[which] = open[open.length - 1];
        open.pop();
    }

    function expire(uint256 which) external {
        bytes32 ticket = ticketOf(1 + which % JOBS);
        (bool passed,) = address(desk).call(abi.encodeCall(IClaimDesk.expireOmission, (ticket)));
        assertFalse(passed, "answered or in time");
        (passed,) = address(desk).call(abi.encodeCall(IClaimDesk.expireSilence, (ticket)));
        assertFalse(passed, "answered or in time");
    }

    function wait(uint256 time) external {
        uint256 until = block.timestamp + bound(time, 1, 2 hours);
        for (uint256 i = open.length; i > 0; --i) {
            if (open[i - 1].dueAt < until) _answer(i - 1, time % 2 == 0);
        }
        vm.warp(until);
    }
}

contract ClaimDesk_Invariant_Test is InvariantTest {
    DeskHandler private handler;
    ClaimDesk private desk;
    PaymentVault private vault;
    INFR private infr;
    uint256 private stakes;

    function setUp() external {
        handler = new DeskHandler();
        handler.setUp();
        (address desk_, address vault_, address infr_) = handler.network();
        (desk, vault, infr) = (ClaimDesk(desk_), PaymentVault(vault_), INFR(infr_));
        stakes = handler.stakesNow();
        target = address(handler);
        selectors = [
            handler.askAbout.selector,
            handler.askAbout.selector,
            handler.answer.selector,
            handler.expire.selector,
            handler.wait.selector
        ];
    }

    /// Operators that answer in time lose no stake.
    function invariant_operators_keepTheirStake() external view {
        assertEq(handler.stakesNow(), stakes, "stake");
    }

    /// The desk holds the bonds of the open claims; each of the others went to whoever was right.
    function invariant_bonds_areConserved() external view {
        (,,, uint256 bond) = desk.parameters();
        assertEq(infr.balanceOf(address(desk)), handler.openClaims() * bond, "open");
        assertEq(handler.earned(), (handler.included() + handler.shown()) * bond, "answered");
        uint256 closed = handler.included() + handler.shown() + handler.conceded();
        assertEq(handler.asked(), closed + handler.openClaims(), "each is one or the other");
    }

    /// Only the router's bond pays, and no developer's lockup.
    function invariant_money_isTheRouters() external view {
        assertEq(handler.bond() + handler.paid(), 1_000_000, "the bond");
        assertEq(handler.lockup(), 1e9, "the lockup");
    }
}
