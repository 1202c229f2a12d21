// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IGovernor } from "@openzeppelin/contracts/governance/IGovernor.sol";

import { PaymentVault } from "../../src/PaymentVault.sol";
import { GovernanceFixture } from "./GovernanceFixture.sol";

contract InferaGovernor_Propose_Test is GovernanceFixture {
    function test_propose_belowTheThreshold_reverts() external {
        lockVotes(alice, THRESHOLD / 2, block.timestamp + FOUR_YEARS);
        vm.warp(block.timestamp + 1);
        Proposal memory p = feesTo(100);
        uint256 power = ve.getPastVotes(alice, block.timestamp - 1);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorInsufficientProposerVotes.selector, alice, power, THRESHOLD));
        vm.prank(alice);
        gov.propose(p.targets, p.values, p.calldatas, p.description);
    }

    function test_propose_unequalLengths_reverts() external {
        Proposal memory p = feesTo(100);
        p.values = new uint256[](2);
        expectRefusal(p, abi.encodeWithSelector(IGovernor.GovernorInvalidProposalLength.selector, 1, 1, 2));
    }

    function test_propose_gas_succeeds() external {
        propose(feesTo(100));
        vm.snapshotGasLastCall("governance", "InferaGovernor.propose, one call");
    }
}

contract InferaGovernor_CastVote_Test is GovernanceFixture {
    function test_castVote_parameter_isDampened() external {
        uint256 id = openVote(feesTo(100));
        uint256 power = ve.getPastVotes(whale, gov.proposalSnapshot(id));
        uint256 weight = vote(id, whale, FOR);
        vm.snapshotGasLastCall("governance", "InferaGovernor.castVote, reaching the quorum");
        assertEq(weight, gov.weightOf(gov.kindOf(id), power), "root");
        assertLe(weight, power / 800, "far below its power");
        assertEq(gov.participationOf(id), power, "but all of it took part");
        vote(id, shark, FOR);
        vm.snapshotGasLastCall("governance", "InferaGovernor.castVote, after the quorum");
    }

    /// Half the power in more hands prevails over a parameter, and does not over an upgrade.
    function test_castVote_manyAgainstOne_dependsOnTheKind() external {
        for (uint160 i = 1; i <= 6; ++i) {
            lockVotes(address(0xfeed00 + i), 400_000e18, START + FOUR_YEARS);
        }
        uint256 parameter = openVote(feesTo(100));
        uint256 upgrade = openVote(upgradeOf(address(vault), address(new PaymentVault())));
        uint256[2] memory ids = [parameter, upgrade];
        vm.warp(gov.proposalSnapshot(upgrade) + 1);
        for (uint256 i; i < 2; ++i) {
            vote(ids[i], whale, FOR);
            vote(ids[i], shark, AGAINST);
            for (uint160 j = 1; j <= 6; ++j) {
                vote(ids[i], address(0xfeed00 + j), AGAINST);
            }
        }
        closeVote(upgrade);
        assertTrue(gov.state(parameter) == IGovernor.ProposalState.Defeated, "40 and six times 0.4 million prevail over 80");
        assertTrue(gov.state(upgrade) == IGovernor.ProposalState.Succeeded, "not here");
    }

    function test_castVote_quorum_dependsOnTheKind() external {
        uint256 parameter = openVote(feesTo(100));
        uint256 upgrade = openVote(upgradeOf(address(vault), address(new PaymentVault())));
        assertEq(gov.quorumOf(parameter), 26_800_000e18, "4 % of 670 million");
        assertEq(gov.quorumOf(upgrade), 53_600_000e18, "8 %");
        vote(parameter, shark, FOR);
        vote(upgrade, shark, FOR);
        closeVote(upgrade);
        assertTrue(gov.state(parameter) == IGovernor.ProposalState.Succeeded, "40 million are enough");
        assertTrue(gov.state(upgrade) == IGovernor.ProposalState.Defeated, "and are not");
    }

    /// Dividing a lock among accounts changes what a vote weighs, never who was there.
    function test_castVote_quorum_isOfUndampenedPower() external {
        uint256 id = openVote(feesTo(100));
        vote(id, minnow, FOR);
        closeVote(id);
        assertTrue(gov.state(id) == IGovernor.ProposalState.Defeated, "400,000 are no quorum");
    }

    function test_castVote_abstaining_countsForTheQuorum() external {
        uint256 id = openVote(feesTo(100));
        vote(id, minnow, FOR);
        vote(id, whale, ABSTAIN);
        closeVote(id);
        assertTrue(gov.state(id) == IGovernor.ProposalState.Succeeded, "present, and one in favour");
    }

    function test_castVote_against_doesNotCountForTheQuorum() external {
        uint256 id = openVote(feesTo(100));
        vote(id, minnow, FOR);
        vote(id, shark, AGAINST);
        assertEq(gov.participationOf(id), ve.getPastVotes(minnow, gov.proposalSnapshot(id)), "only those in favour");
    }

    function test_castVote_delegated_succeeds() external {
        vm.prank(shark);
        ve.delegate(minnow);
        uint256 id = openVote(feesTo(100));
        assertEq(vote(id, shark, FOR), 0, "given away");
        vote(id, minnow, FOR);
        assertGe(gov.participationOf(id), gov.quorumOf(id), "and used");
    }
}

contract InferaGovernor_Queue_Test is GovernanceFixture {
    function test_queue_defeated_reverts() external {
        Proposal memory p = feesTo(100);
        uint256 id = openVote(p);
        vote(id, whale, AGAINST);
        closeVote(id);
        vm.expectRevert();
        this.queueOutside(p);
    }

    function queueOutside(Proposal calldata p) external {
        queue(p);
    }

    function test_queue_byAnyone_succeeds() external {
        Proposal memory p = feesTo(100);
        uint256 id = openVote(p);
        vote(id, whale, FOR);
        closeVote(id);
        vm.prank(stranger);
        gov.queue(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
        vm.snapshotGasLastCall("governance", "InferaGovernor.queue");
        assertEq(gov.proposalEta(id), block.timestamp + DELAY, "in a week");
    }
}

contract InferaGovernor_Execute_Test is GovernanceFixture {
    function test_execute_setsTheParameter_succeeds() external {
        Proposal memory p = feesTo(123);
        pass(p);
        vm.prank(stranger);
        gov.execute(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
        vm.snapshotGasLastCall("governance", "InferaGovernor.execute, PaymentVault.setFees");
        (uint16 routerFee, uint16 protocolFee) = vault.fees();
        assertEq(routerFee, 123, "router's");
        assertEq(protocolFee, 123, "protocol's");
    }

    function test_execute_upgradesTheVault_succeeds() external {
        lockAs(alice, router, 100);
        enact(upgradeOf(address(vault), address(new PaymentVault())));
        (uint256 active,,) = vault.lockupOf(alice, router);
        assertEq(active, 100, "the books stand");
    }

    function test_execute_early_reverts() external {
        Proposal memory p = feesTo(123);
        pass(p);
        vm.warp(block.timestamp - 1);
        vm.expectRevert();
        this.executeOutside(p);
    }

    /// What a passed proposal does to the governor cannot be taken to the timelock on its own, without the governor's word.
    function test_execute_governorsOwnCalls_onlyThroughTheGovernor() external {
        Proposal memory p = call(address(gov), abi.encodeCall(gov.setVotingPeriod, (4 days)));
        pass(p);
        bytes32 salt = bytes20(address(gov)) ^ keccak256(bytes(p.description));
        vm.expectRevert();
        timelock.executeBatch(p.targets, p.values, p.calldatas, 0, salt);
        execute(p);
        assertEq(gov.votingPeriod(), 4 days, "as it should be");
    }
}

contract InferaGovernor_Cancel_Test is GovernanceFixture {
    function test_cancel_byTheProposerBeforeTheVote_succeeds() external {
        Proposal memory p = feesTo(100);
        uint256 id = propose(p);
        vm.prank(whale);
        gov.cancel(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
        assertTrue(gov.state(id) == IGovernor.ProposalState.Canceled, "canceled");
    }

    function test_cancel_byAnotherOrLater_reverts() external {
        Proposal memory p = feesTo(100);
        uint256 id = propose(p);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorUnableToCancel.selector, id, shark));
        vm.prank(shark);
        gov.cancel(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
        vm.warp(gov.proposalSnapshot(id) + 1);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorUnableToCancel.selector, id, whale));
        vm.prank(whale);
        gov.cancel(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
    }
}

/// What only a check of the gas bill would notice.
contract InferaGovernor_Gas_Test is GovernanceFixture {
    function test_gas_locks_succeeds() external {
        infr.transfer(alice, 3_000e18);
        vm.prank(alice);
        infr.approve(address(ve), 3_000e18);
        vm.prank(alice);
        ve.lock(1_000e18, block.timestamp + FOUR_YEARS / 2);
        vm.snapshotGasLastCall("governance", "VeINFR.lock");
        vm.warp(block.timestamp + 90 days);
        vm.prank(alice);
        ve.increaseAmount(1_000e18);
        vm.snapshotGasLastCall("governance", "VeINFR.increaseAmount");
        vm.prank(alice);
        ve.extend(block.timestamp + FOUR_YEARS);
        vm.snapshotGasLastCall("governance", "VeINFR.extend");
        vm.prank(alice);
        ve.delegate(minnow);
        vm.snapshotGasLastCall("governance", "VeINFR.delegate");
        vm.warp(block.timestamp + FOUR_YEARS);
        vm.prank(alice);
        ve.withdraw();
        vm.snapshotGasLastCall("governance", "VeINFR.withdraw");
    }

    /// The longest walk of the total: every week of four years something ends.
    function test_gas_longestWalk_isBounded() external {
        for (uint160 i = 1; i <= 208; ++i) {
            lockVotes(address(0xfeed0000 + i), 1_000e18, block.timestamp + i * 7 days);
        }
        vm.warp(block.timestamp + FOUR_YEARS - 14 days);
        lockVotes(alice, 1_000e18, block.timestamp + FOUR_YEARS);
        assertLe(vm.snapshotGasLastCall("governance", "VeINFR.lock, after four years of silence"), 1_200_000, "bounded");
    }
}
