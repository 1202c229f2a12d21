// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IGovernor } from "@openzeppelin/contracts/governance/IGovernor.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { InferaGovernor } from "../../src/governance/InferaGovernor.sol";
import { IInferaGovernor } from "../../src/interfaces/IInferaGovernor.sol";
import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { PaymentVault } from "../../src/PaymentVault.sol";
import { Vesting } from "../../src/token/Vesting.sol";
import { GovernanceFixture } from "./GovernanceFixture.sol";

contract InferaGovernor_Initialize_Test is GovernanceFixture {
    function build(IInferaGovernor.Setup memory s) private {
        address implementation = address(new InferaGovernor());
        this.deploy(implementation, s);
    }

    function deploy(address implementation, IInferaGovernor.Setup calldata s) external {
        proxy(implementation, abi.encodeCall(InferaGovernor.initialize, (s)));
    }

    function expectBuildRevert(IInferaGovernor.Setup memory s, bytes memory reason) private {
        address implementation = address(new InferaGovernor());
        vm.expectRevert(reason);
        this.deploy(implementation, s);
    }

    function test_initialize_parameters_succeeds() external view {
        assertEq(gov.timelock(), address(timelock), "timelock");
        assertEq(gov.token(), address(ve), "votes");
        assertEq(gov.infr(), address(infr), "token");
        assertEq(gov.lockedSupplies().length, 2, "locked");
        assertEq(gov.votingDelay(), VOTING_DELAY, "delay");
        assertEq(gov.votingPeriod(), VOTING_PERIOD, "period");
        assertEq(gov.lateQuorumVoteExtension(), EXTENSION, "extension");
        assertEq(gov.proposalThreshold(), THRESHOLD, "threshold");
        assertEq(gov.CLOCK_MODE(), "mode=timestamp", "clock");
        assertEq(gov.clock(), block.timestamp, "clock");
        assertTrue(gov.isParameterCall(address(vault), PaymentVault.setFees.selector), "list");
        assertFalse(gov.isParameterCall(address(jobs), PaymentVault.setFees.selector), "by target");
    }

    function test_initialize_again_reverts() external {
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        gov.initialize(setup());
        InferaGovernor implementation = new InferaGovernor();
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        implementation.initialize(setup());
    }

    function test_initialize_zeroAddress_reverts() external {
        bytes memory reason = abi.encodeWithSelector(IInferaGovernor.InferaGovernor_ZeroAddress.selector);
        IInferaGovernor.Setup memory s = setup();
        s.timelock = address(0);
        expectBuildRevert(s, reason);
        s = setup();
        s.token = address(0);
        expectBuildRevert(s, reason);
        s = setup();
        s.infr = address(0);
        expectBuildRevert(s, reason);
    }

    function test_initialize_lockedButNotHeld_reverts() external {
        IInferaGovernor.Setup memory s = setup();
        s.locked[0] = address(new Vesting(alice, 5, START + 365 days, 1));
        expectBuildRevert(s, abi.encodeWithSelector(IInferaGovernor.InferaGovernor_LockedNotHeld.selector, s.locked[0], 5, 0));
    }

    function test_initialize_tooManyLocked_reverts() external {
        IInferaGovernor.Setup memory s = setup();
        s.locked = new address[](17);
        expectBuildRevert(s, abi.encodeWithSelector(IInferaGovernor.InferaGovernor_TooManyLocked.selector, 17, 16));
    }

    function test_initialize_hastyOnProduction_reverts() external {
        vm.chainId(8453);
        build(setup());
        IInferaGovernor.Setup memory s = setup();
        s.votingDelay = 1 days - 1;
        expectBuildRevert(s, outOfBounds(1 days - 1, 1 days, 30 days));
        s = setup();
        s.votingPeriod = 3 days - 1;
        expectBuildRevert(s, outOfBounds(3 days - 1, 3 days, 30 days));
        s = setup();
        s.voteExtension = 1 days - 1;
        expectBuildRevert(s, outOfBounds(1 days - 1, 1 days, VOTING_PERIOD));
    }

    function test_initialize_hastyOnDevelopment_succeeds() external {
        IInferaGovernor.Setup memory s = setup();
        (s.votingDelay, s.votingPeriod, s.voteExtension) = (1, 1, 1);
        build(s);
        s.votingPeriod = 0;
        expectBuildRevert(s, outOfBounds(0, 1, 30 days));
    }

    /// ERC-7201: the first member of each module's storage stands where its name says.
    function test_storage_namespaces_succeed() external view {
        bytes32 slot = keccak256(abi.encode(uint256(keccak256("infera.storage.GovernorVotes")) - 1)) & ~bytes32(uint256(0xff));
        assertEq(address(uint160(uint256(vm.load(address(gov), slot)))), address(ve), "GovernorVotes.token");
        slot = keccak256(abi.encode(uint256(keccak256("infera.storage.GovernorKinds")) - 1)) & ~bytes32(uint256(0xff));
        bytes32 inner = keccak256(abi.encode(address(vault), slot));
        bytes32 entry_ = keccak256(abi.encode(PaymentVault.setFees.selector, inner));
        assertEq(uint256(vm.load(address(gov), entry_)), 1, "GovernorKinds.parameterCalls");
    }

    function outOfBounds(uint256 value, uint256 lowest, uint256 highest) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IInferaGovernor.InferaGovernor_OutOfBounds.selector, value, lowest, highest);
    }
}

contract InferaGovernor_SetParameterCall_Test is GovernanceFixture {
    bytes4 private constant RECIPIENTS = PaymentVault.setRecipients.selector;

    function test_setParameterCall_byUpgradeVote_succeeds() external {
        Proposal memory p = call(address(gov), abi.encodeCall(gov.setParameterCall, (address(vault), RECIPIENTS, true)));
        uint256 id = pass(p);
        assertTrue(gov.kindOf(id) == IInferaGovernor.Kind.Upgrade, "the stricter vote");
        vm.expectEmit(true, true, true, true, address(gov));
        emit IInferaGovernor.ParameterCallChanged(address(vault), RECIPIENTS, true);
        execute(p);
        assertTrue(gov.isParameterCall(address(vault), RECIPIENTS), "on the list");
        enact(call(address(gov), abi.encodeCall(gov.setParameterCall, (address(vault), RECIPIENTS, false))));
        assertFalse(gov.isParameterCall(address(vault), RECIPIENTS), "and off again");
    }

    function test_setParameterCall_byAnother_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, stranger));
        vm.prank(stranger);
        gov.setParameterCall(address(vault), RECIPIENTS, true);
    }

    function test_setParameterCall_neverAParameter_reverts() external {
        bytes4 upgrade = bytes4(keccak256("upgradeToAndCall(address,bytes)"));
        bytes4[4] memory selectors =
            [upgrade, StakeRegistry.setSlasher.selector, gov.setParameterCall.selector, timelock.updateDelay.selector];
        address[4] memory targets = [address(vault), address(stakes), address(gov), address(timelock)];
        for (uint256 i; i < 4; ++i) {
            Proposal memory p = call(address(gov), abi.encodeCall(gov.setParameterCall, (targets[i], selectors[i], true)));
            passAndFail(
                p, abi.encodeWithSelector(IInferaGovernor.InferaGovernor_NeverAParameter.selector, targets[i], selectors[i])
            );
        }
    }

    function test_setParameterCall_madeProposals_keepTheirKind() external {
        Proposal memory p = call(address(vault), abi.encodeCall(vault.setRecipients, (treasury, validators, buyback)));
        p.description = "made before";
        uint256 id = openVote(p);
        enact(call(address(gov), abi.encodeCall(gov.setParameterCall, (address(vault), RECIPIENTS, true))));
        assertTrue(gov.kindOf(id) == IInferaGovernor.Kind.Upgrade, "as it was made");
    }
}

contract InferaGovernor_Classify_Test is GovernanceFixture {
    function kind(Proposal memory p) private view returns (bool parameter) {
        return gov.classify(p.targets, p.values, p.calldatas) == IInferaGovernor.Kind.Parameter;
    }

    function test_classify_setters_areParameters() external view {
        assertTrue(kind(feesTo(100)), "fees");
        assertTrue(
            kind(
                calls(
                    address(stakes),
                    abi.encodeWithSelector(StakeRegistry.setUnbondingPeriod.selector, 1 days),
                    address(jobs),
                    abi.encodeCall(jobs.setChallengeWindow, (60))
                )
            ),
            "two at once"
        );
    }

    function test_classify_unknownCalls_areUpgrades() external view {
        assertFalse(kind(call(address(vault), abi.encodeCall(vault.setRecipients, (alice, alice, alice)))), "recipients");
        assertFalse(kind(call(address(stakes), abi.encodeCall(stakes.setSlasher, (slasher, true)))), "slasher");
        assertFalse(kind(call(address(infr), abi.encodeCall(infr.transfer, (alice, 1)))), "treasury");
        assertFalse(kind(upgradeOf(address(vault), address(0))), "code");
        assertFalse(kind(call(address(gov), abi.encodeCall(gov.setVotingPeriod, (4 days)))), "the governor itself");
        assertFalse(kind(call(address(timelock), abi.encodeCall(timelock.updateDelay, (8 days)))), "the timelock");
        assertFalse(kind(call(address(vault), "")), "no selector");
        assertFalse(kind(call(address(vault), hex"010203")), "half a selector");
    }

    function test_classify_withEther_isAnUpgrade() external view {
        Proposal memory p = feesTo(100);
        p.values[0] = 1;
        assertFalse(kind(p), "money goes along");
    }

    /// Attack: an upgrade in the shadow of a parameter.
    function test_classify_mixed_takesTheStricter() external {
        bytes memory upgrade = abi.encodeWithSignature("upgradeToAndCall(address,bytes)", address(vault), "");
        bytes memory fees = abi.encodeCall(vault.setFees, (1, 1));
        assertFalse(kind(calls(address(vault), fees, address(vault), upgrade)), "last");
        assertFalse(kind(calls(address(vault), upgrade, address(vault), fees)), "first");
        Proposal memory p = calls(address(vault), fees, address(vault), upgrade);
        p.description = "only a small change of parameters";
        uint256 id = openVote(p);
        assertTrue(gov.kindOf(id) == IInferaGovernor.Kind.Upgrade, "whatever it is called");
        assertEq(vote(id, whale, FOR), ve.getPastVotes(whale, gov.proposalSnapshot(id)), "flat");
        assertEq(gov.quorumOf(id), gov.quorum(gov.proposalSnapshot(id)), "8 %");
    }

    function testFuzz_classify_anythingElse_isAnUpgrade(address target, bytes calldata data) external view {
        bool listed;
        IInferaGovernor.ParameterCall[] memory list = parameterCalls();
        for (uint256 i; i < list.length && data.length >= 4; ++i) {
            listed = listed || (list[i].target == target && list[i].selector == bytes4(data[:4]));
        }
        assertTrue(kind(call(target, data)) == listed, "the list and nothing else");
    }
}

contract InferaGovernor_KindOf_Test is GovernanceFixture {
    function test_kindOf_announced_succeeds() external {
        Proposal memory p = feesTo(100);
        uint256 id = gov.hashProposal(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
        vm.expectEmit(true, true, true, true, address(gov));
        emit IInferaGovernor.ProposalClassified(id, IInferaGovernor.Kind.Parameter);
        propose(p);
        assertTrue(gov.kindOf(id) == IInferaGovernor.Kind.Parameter, "kind");
    }

    function test_kindOf_unknown_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorNonexistentProposal.selector, 1));
        gov.kindOf(1);
    }
}

contract InferaGovernor_CirculatingSupply_Test is GovernanceFixture {
    function test_circulatingSupply_subtractsWhatIsLocked_succeeds() external view {
        assertEq(gov.circulatingSupply(block.timestamp - 1), 670_000_000e18, "1000 less 180 and 150");
        assertEq(gov.quorum(block.timestamp - 1), 53_600_000e18, "8 %");
    }

    function test_circulatingSupply_growsAsWalletsVest_succeeds() external {
        vm.warp(START + 365 days + 1095 days / 2);
        assertEq(gov.circulatingSupply(block.timestamp - 1) / 1e18, 909_999_998, "half the team's and all the treasury's");
        vm.warp(START + 2000 days);
        assertEq(gov.circulatingSupply(block.timestamp - 1), 1_000_000_000e18, "all");
        assertEq(gov.circulatingSupply(START + 1), 670_000_000e18, "the past stands");
    }

    function test_circulatingSupply_fallsWithBurns_succeeds() external {
        infr.burn(70_000_000e18);
        vm.warp(block.timestamp + 1);
        assertEq(gov.circulatingSupply(block.timestamp - 1), 600_000_000e18, "burned");
    }

    /// Attack: lower the quorum by parking INFR where it does not count.
    function test_circulatingSupply_donations_doNotLowerIt() external {
        infr.transfer(address(team), 100_000_000e18);
        vm.warp(block.timestamp + 1);
        assertEq(gov.circulatingSupply(block.timestamp - 1), 670_000_000e18, "unmoved");
    }
}

contract InferaGovernor_WeightOf_Test is GovernanceFixture {
    function test_weightOf_upgrade_isFlat() external view {
        assertEq(gov.weightOf(IInferaGovernor.Kind.Upgrade, 12_345e18), 12_345e18, "flat");
    }

    function test_weightOf_parameter_isTheRoot() external view {
        assertEq(gov.weightOf(IInferaGovernor.Kind.Parameter, 100e18), 100e18, "flat up to 100");
        assertEq(gov.weightOf(IInferaGovernor.Kind.Parameter, 10_000e18), 1_000e18, "100 times the power, 10 times the weight");
        assertEq(gov.weightOf(IInferaGovernor.Kind.Parameter, 1_000_000e18), 10_000e18, "and so on");
        assertEq(gov.weightOf(IInferaGovernor.Kind.Parameter, 1), 1, "dust weighs what it is");
    }

    function testFuzz_weightOf_never_morePower(uint256 power, uint256 more) external view {
        power = bound(power, 0, 1_000_000_000e18);
        more = bound(more, power, 1_000_000_000e18);
        uint256 weight = gov.weightOf(IInferaGovernor.Kind.Parameter, power);
        assertLe(weight, power, "dampened");
        assertLe(weight, gov.weightOf(IInferaGovernor.Kind.Parameter, more), "monotone");
        if (power > 100e18) assertEq(weight, Math.sqrt(power * 100e18), "root");
    }

    /// Dividing a lock among accounts regains at most its flat power, and nothing below the floor.
    function testFuzz_weightOf_divided_isBounded(uint256 power, uint256 parts) external view {
        power = bound(power, 1, 100_000_000e18);
        parts = bound(parts, 1, 1_000_000);
        uint256 weight = gov.weightOf(IInferaGovernor.Kind.Parameter, power / parts) * parts;
        assertLe(weight, power, "never beyond flat voting");
    }
}

contract InferaGovernor_Settings_Test is GovernanceFixture {
    function outOfBounds(uint256 value, uint256 lowest, uint256 highest) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IInferaGovernor.InferaGovernor_OutOfBounds.selector, value, lowest, highest);
    }

    function test_setVotingDelay_bounded_succeeds() external {
        enact(call(address(gov), abi.encodeCall(gov.setVotingDelay, (3 days))));
        assertEq(gov.votingDelay(), 3 days, "set");
        vm.chainId(8453);
        passAndFail(call(address(gov), abi.encodeCall(gov.setVotingDelay, (1 hours))), outOfBounds(1 hours, 1 days, 30 days));
    }

    function test_setVotingPeriod_bounded_succeeds() external {
        enact(call(address(gov), abi.encodeCall(gov.setVotingPeriod, (10 days))));
        assertEq(gov.votingPeriod(), 10 days, "set");
        vm.chainId(8453);
        passAndFail(call(address(gov), abi.encodeCall(gov.setVotingPeriod, (1 days))), outOfBounds(1 days, 3 days, 30 days));
    }

    function test_setProposalThreshold_bounded_succeeds() external {
        enact(call(address(gov), abi.encodeCall(gov.setProposalThreshold, (1e18))));
        assertEq(gov.proposalThreshold(), 1e18, "set");
        passAndFail(
            call(address(gov), abi.encodeCall(gov.setProposalThreshold, (5_000_001e18))),
            outOfBounds(5_000_001e18, 1e18, 5_000_000e18)
        );
    }

    function test_setLateQuorumVoteExtension_bounded_succeeds() external {
        enact(call(address(gov), abi.encodeCall(gov.setLateQuorumVoteExtension, (3 days))));
        assertEq(gov.lateQuorumVoteExtension(), 3 days, "set");
        passAndFail(call(address(gov), abi.encodeCall(gov.setLateQuorumVoteExtension, (0))), outOfBounds(0, 1, VOTING_PERIOD));
    }

    function test_setVotingPeriod_byAnother_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, whale));
        vm.prank(whale);
        gov.setVotingPeriod(4 days);
    }
}

contract InferaGovernor_UpgradeToAndCall_Test is GovernanceFixture {
    function test_upgradeToAndCall_byGovernance_keepsState() external {
        uint256 before = propose(feesTo(77));
        enact(upgradeOf(address(gov), address(new InferaGovernor())));
        assertTrue(gov.kindOf(before) == IInferaGovernor.Kind.Parameter, "what was proposed stands");
        assertEq(gov.token(), address(ve), "and what was set");
    }

    function test_upgradeToAndCall_byAnother_reverts() external {
        address next = address(new InferaGovernor());
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, whale));
        vm.prank(whale);
        gov.upgradeToAndCall(next, "");
    }
}
