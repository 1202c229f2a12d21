// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IAccessControl } from "@openzeppelin/contracts/access/IAccessControl.sol";
import { IGovernor } from "@openzeppelin/contracts/governance/IGovernor.sol";

import { VeINFR } from "../../src/governance/VeINFR.sol";
import { INFR } from "../../src/INFR.sol";
import { IInferaGovernor } from "../../src/interfaces/IInferaGovernor.sol";
import { IVeINFR } from "../../src/interfaces/IVeINFR.sol";
import { GovernanceFixture } from "./GovernanceFixture.sol";

/// Borrows, locks, votes and would like to give it back.
contract Borrower {
    function strike(INFR infr, VeINFR ve, IGovernor gov, uint256 id, uint256 amount) external returns (uint256 weight) {
        infr.approve(address(ve), amount);
        ve.lock(amount, block.timestamp + 1461 days);
        weight = gov.castVote(id, 1);
    }

    function giveBack(VeINFR ve) external {
        ve.withdraw();
    }
}

contract InferaGovernor_FlashLoan_Test is GovernanceFixture {
    function test_flashLoan_votes_weighNothing() external {
        uint256 id = openVote(feesTo(100));
        Borrower borrower = new Borrower();
        infr.transfer(address(borrower), 100_000_000e18);
        assertEq(borrower.strike(infr, ve, IGovernor(payable(address(gov))), id, 100_000_000e18), 0, "after the snapshot");
        assertEq(gov.participationOf(id), 0, "not there");
        (, uint48 end) = ve.lockOf(address(borrower));
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_NotEnded.selector, address(borrower), end));
        borrower.giveBack(ve);
    }

    /// What is locked in the second of the snapshot counts, but voting begins a second later: no loan lasts that long.
    function test_flashLoan_atTheSnapshot_cannotVote() external {
        uint256 id = propose(feesTo(100));
        vm.warp(gov.proposalSnapshot(id));
        Borrower borrower = new Borrower();
        infr.transfer(address(borrower), 100_000_000e18);
        vm.expectRevert();
        borrower.strike(infr, ve, IGovernor(payable(address(gov))), id, 100_000_000e18);
    }

    /// A proposer's power is read one second back.
    function test_flashLoan_toPropose_reverts() external {
        lockVotes(alice, 10_000_000e18, block.timestamp + FOUR_YEARS);
        Proposal memory p = feesTo(100);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorInsufficientProposerVotes.selector, alice, 0, THRESHOLD));
        vm.prank(alice);
        gov.propose(p.targets, p.values, p.calldatas, p.description);
    }
}

contract InferaGovernor_EndingLock_Test is GovernanceFixture {
    function test_endingLock_beforeTheSnapshot_hasNoVote() external {
        lockVotes(alice, 50_000_000e18, block.timestamp + 8 days);
        (, uint48 end) = ve.lockOf(alice);
        vm.warp(end - VOTING_DELAY);
        uint256 id = openVote(feesTo(100));
        assertEq(gov.proposalSnapshot(id), end, "ends with the snapshot");
        assertEq(vote(id, alice, FOR), 0, "nothing");
    }

    function test_endingLock_duringTheVote_hasWhatWasLeft() external {
        lockVotes(alice, 50_000_000e18, block.timestamp + 8 days);
        (, uint48 end) = ve.lockOf(alice);
        vm.warp(end - VOTING_DELAY - 1);
        uint256 id = openVote(upgradeOf(address(vault), address(0)));
        vm.warp(end + 2 days);
        vm.prank(alice);
        ve.withdraw();
        assertEq(vote(id, alice, FOR), uint256(50_000_000e18) / FOUR_YEARS, "one second of four years");
    }
}

contract InferaGovernor_DoubleVote_Test is GovernanceFixture {
    function test_doubleVote_sameAccount_reverts() external {
        uint256 id = openVote(feesTo(100));
        vote(id, whale, FOR);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorAlreadyCastVote.selector, whale));
        vm.prank(whale);
        gov.castVote(id, FOR);
    }

    function test_doubleVote_byTransfer_isImpossible() external {
        (bool moved,) = address(ve).call(abi.encodeCall(infr.transfer, (alice, 1)));
        assertFalse(moved, "no transfer");
        (moved,) = address(ve).call(abi.encodeCall(infr.approve, (alice, 1)));
        assertFalse(moved, "no approval");
        (moved,) = address(ve).call(abi.encodeCall(infr.transferFrom, (whale, alice, 1)));
        assertFalse(moved, "no transfer for another");
    }

    function test_doubleVote_byDelegation_weighsNothing() external {
        uint256 id = openVote(feesTo(100));
        vote(id, whale, FOR);
        uint256 before = gov.participationOf(id);
        vm.prank(whale);
        ve.delegate(alice);
        vm.warp(block.timestamp + 1);
        assertEq(vote(id, alice, FOR), 0, "the snapshot knows whose it was");
        assertEq(gov.participationOf(id), before, "once");
    }

    function test_doubleVote_byLockingAgain_weighsNothing() external {
        lockVotes(alice, 50_000_000e18, block.timestamp + 8 days);
        (, uint48 end) = ve.lockOf(alice);
        vm.warp(end - VOTING_DELAY - 1 hours);
        uint256 id = openVote(feesTo(100));
        vote(id, alice, FOR);
        vm.warp(end);
        vm.prank(alice);
        ve.withdraw();
        vm.prank(alice);
        infr.transfer(minnow, 50_000_000e18);
        vm.startPrank(minnow);
        infr.approve(address(ve), 50_000_000e18);
        ve.increaseAmount(50_000_000e18);
        vm.stopPrank();
        vote(id, minnow, FOR);
        uint256 snapshot = gov.proposalSnapshot(id);
        assertEq(
            gov.participationOf(id),
            ve.getPastVotes(alice, snapshot) + uint256(400_000e18) / FOUR_YEARS * leftOf(minnow, snapshot),
            "only what each had at the snapshot"
        );
    }

    function leftOf(address account, uint256 time) private view returns (uint256) {
        (, uint48 end) = ve.lockOf(account);
        return end - time;
    }
}

contract InferaGovernor_LateQuorum_Test is GovernanceFixture {
    /// Attack: keep still until the last second, then carry it alone.
    function test_lateQuorum_extendsTheVote_succeeds() external {
        uint256 id = openVote(upgradeOf(address(vault), address(0)));
        vote(id, minnow, FOR);
        uint256 deadline = gov.proposalDeadline(id);
        vm.warp(deadline);
        vote(id, whale, FOR);
        assertEq(gov.proposalDeadline(id), deadline + EXTENSION, "two days to answer");
        vm.warp(deadline + EXTENSION);
        lockVotes(alice, 1e18, block.timestamp + 30 days);
        vote(id, shark, AGAINST);
        assertEq(gov.proposalDeadline(id), deadline + EXTENSION, "once");
        vm.warp(deadline + EXTENSION + 1);
        assertTrue(gov.state(id) == IGovernor.ProposalState.Succeeded, "and then it is over");
    }

    function test_lateQuorum_inGoodTime_extendsNothing() external {
        uint256 id = openVote(feesTo(100));
        uint256 deadline = gov.proposalDeadline(id);
        vote(id, whale, FOR);
        assertEq(gov.proposalDeadline(id), deadline, "as it was");
    }
}

/// Attacks on the rules themselves: who schedules, and what the timelock owns.
contract InferaGovernor_ForbiddenCalls_Test is GovernanceFixture {
    function expectForbidden(address target, bytes memory data) private {
        expectRefusal(
            call(target, data), abi.encodeWithSelector(IInferaGovernor.InferaGovernor_ForbiddenCall.selector, target, bytes4(data))
        );
    }

    function test_forbidden_roles_cannotBeProposed() external {
        bytes32 role = timelock.PROPOSER_ROLE();
        expectForbidden(address(timelock), abi.encodeCall(timelock.grantRole, (role, whale)));
        expectForbidden(address(timelock), abi.encodeCall(timelock.revokeRole, (role, address(gov))));
        expectForbidden(address(timelock), abi.encodeCall(timelock.cancel, (bytes32(0))));
    }

    function test_forbidden_waysAround_cannotBeProposed() external {
        expectForbidden(address(gov), abi.encodeCall(gov.relay, (address(timelock), 0, "")));
        expectForbidden(address(gov), abi.encodeWithSignature("updateTimelock(address)", whale));
    }

    function test_forbidden_ownership_cannotBeProposed() external {
        expectForbidden(address(vault), abi.encodeCall(vault.transferOwnership, (whale)));
        expectForbidden(address(vault), abi.encodeCall(vault.renounceOwnership, ()));
        expectForbidden(address(reserve), abi.encodeCall(reserve.transferOwnership, (whale)));
        bytes memory data = abi.encodeWithSignature(
            "upgradeToAndCall(address,bytes)", address(vault), abi.encodeCall(vault.transferOwnership, (whale))
        );
        expectRefusal(
            call(address(vault), data),
            abi.encodeWithSelector(
                IInferaGovernor.InferaGovernor_ForbiddenCall.selector, address(vault), vault.transferOwnership.selector
            )
        );
    }

    function test_forbidden_scheduling_isTheGovernorsAlone() external {
        bytes32 role = timelock.PROPOSER_ROLE();
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, whale, role));
        vm.prank(whale);
        timelock.schedule(address(vault), 0, "", 0, 0, DELAY);
    }
}
