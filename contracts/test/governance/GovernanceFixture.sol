// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { InferaGovernor } from "../../src/governance/InferaGovernor.sol";
import { InferaTimelock } from "../../src/governance/InferaTimelock.sol";
import { VeINFR } from "../../src/governance/VeINFR.sol";
import { IInferaGovernor } from "../../src/interfaces/IInferaGovernor.sol";
import { JobRegistry } from "../../src/JobRegistry.sol";
import { PaymentVault } from "../../src/PaymentVault.sol";
import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { Vesting } from "../../src/token/Vesting.sol";
import { Fixture } from "../utils/Fixture.sol";

/// The network of `Fixture` in the hands of its governance, and holders who locked INFR.
abstract contract GovernanceFixture is Fixture {
    uint256 internal constant FOUR_YEARS = 1461 days;
    uint256 internal constant DELAY = 7 days;
    uint48 internal constant VOTING_DELAY = 1 days;
    uint32 internal constant VOTING_PERIOD = 5 days;
    uint48 internal constant EXTENSION = 2 days;
    uint256 internal constant THRESHOLD = 100_000e18;
    uint8 internal constant AGAINST = 0;
    uint8 internal constant FOR = 1;
    uint8 internal constant ABSTAIN = 2;

    struct Proposal {
        address[] targets;
        uint256[] values;
        bytes[] calldatas;
        string description;
    }

    address internal whale = actor("whale");
    address internal shark = actor("shark");
    address internal minnow = actor("minnow");

    InferaTimelock internal timelock;
    InferaGovernor internal gov;
    VeINFR internal ve;
    Vesting internal team;
    Vesting internal reserve;

    function setUp() public virtual override {
        super.setUp();
        timelock = new InferaTimelock(DELAY, new address[](0), new address[](1), address(this));
        ve = new VeINFR(address(infr));
        team = new Vesting(actor("team"), 180_000_000e18, START + 365 days, 1095 days);
        reserve = new Vesting(address(timelock), 150_000_000e18, START + 365 days, 0);
        infr.transfer(address(team), 180_000_000e18);
        infr.transfer(address(reserve), 150_000_000e18);
        gov = InferaGovernor(payable(proxy(address(new InferaGovernor()), abi.encodeCall(InferaGovernor.initialize, (setup())))));
        timelock.grantRole(timelock.PROPOSER_ROLE(), address(gov));
        timelock.grantRole(timelock.CANCELLER_ROLE(), address(gov));
        timelock.renounceRole(timelock.DEFAULT_ADMIN_ROLE(), address(this));

        vm.startPrank(governor);
        stakes.transferOwnership(address(timelock));
        jobs.transferOwnership(address(timelock));
        vault.transferOwnership(address(timelock));
        vm.stopPrank();
        vm.startPrank(address(timelock));
        stakes.acceptOwnership();
        jobs.acceptOwnership();
        vault.acceptOwnership();
        vm.stopPrank();

        lockVotes(whale, 80_000_000e18, START + FOUR_YEARS);
        lockVotes(shark, 40_000_000e18, START + FOUR_YEARS);
        lockVotes(minnow, 400_000e18, START + FOUR_YEARS);
        vm.warp(START + 1 days);
    }

    function setup() internal view returns (IInferaGovernor.Setup memory) {
        address[] memory locked = new address[](2);
        (locked[0], locked[1]) = (address(team), address(reserve));
        return IInferaGovernor.Setup({
            timelock: address(timelock),
            token: address(ve),
            infr: address(infr),
            locked: locked,
            votingDelay: VOTING_DELAY,
            votingPeriod: VOTING_PERIOD,
            voteExtension: EXTENSION,
            proposalThreshold: THRESHOLD,
            parameterCalls: parameterCalls()
        });
    }

    /// The setters that start as parameters.
    function parameterCalls() internal view returns (IInferaGovernor.ParameterCall[] memory list) {
        list = new IInferaGovernor.ParameterCall[](6);
        list[0] = IInferaGovernor.ParameterCall(address(stakes), StakeRegistry.setMinimumStake.selector);
        list[1] = IInferaGovernor.ParameterCall(address(stakes), StakeRegistry.setUnbondingPeriod.selector);
        list[2] = IInferaGovernor.ParameterCall(address(jobs), JobRegistry.setChallengeWindow.selector);
        list[3] = IInferaGovernor.ParameterCall(address(vault), PaymentVault.setThawPeriod.selector);
        list[4] = IInferaGovernor.ParameterCall(address(vault), PaymentVault.setExpirySlack.selector);
        list[5] = IInferaGovernor.ParameterCall(address(vault), PaymentVault.setFees.selector);
    }

    function lockVotes(address account, uint256 amount, uint256 until) internal {
        infr.transfer(account, amount);
        vm.startPrank(account);
        infr.approve(address(ve), amount);
        ve.lock(amount, until);
        vm.stopPrank();
    }

    // Proposals

    function call(address target, bytes memory data) internal pure returns (Proposal memory p) {
        p.targets = new address[](1);
        p.values = new uint256[](1);
        p.calldatas = new bytes[](1);
        (p.targets[0], p.calldatas[0]) = (target, data);
        p.description = "a proposal";
    }

    function calls(address target, bytes memory data, address target2, bytes memory data2)
        internal
        pure
        returns (Proposal memory p)
    {
        p.targets = new address[](2);
        p.values = new uint256[](2);
        p.calldatas = new bytes[](2);
        (p.targets[0], p.calldatas[0]) = (target, data);
        (p.targets[1], p.calldatas[1]) = (target2, data2);
        p.description = "a proposal";
    }

    /// A parameter proposal.
    function feesTo(uint16 bps) internal view returns (Proposal memory) {
        return call(address(vault), abi.encodeCall(PaymentVault.setFees, (bps, bps)));
    }

    /// An upgrade proposal.
    function upgradeOf(address target, address implementation) internal pure returns (Proposal memory) {
        return call(target, abi.encodeWithSignature("upgradeToAndCall(address,bytes)", implementation, ""));
    }

    function propose(Proposal memory p) internal returns (uint256) {
        vm.prank(whale);
        return gov.propose(p.targets, p.values, p.calldatas, p.description);
    }

    function expectRefusal(Proposal memory p, bytes memory reason) internal {
        vm.expectRevert(reason);
        vm.prank(whale);
        gov.propose(p.targets, p.values, p.calldatas, p.description);
    }

    function openVote(Proposal memory p) internal returns (uint256 id) {
        id = propose(p);
        vm.warp(gov.proposalSnapshot(id) + 1);
    }

    function vote(uint256 id, address account, uint8 support) internal returns (uint256) {
        vm.prank(account);
        return gov.castVote(id, support);
    }

    function closeVote(uint256 id) internal {
        vm.warp(gov.proposalDeadline(id) + 1);
    }

    function queue(Proposal memory p) internal {
        gov.queue(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
    }

    function execute(Proposal memory p) internal {
        gov.execute(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
    }

    /// Everything up to execution, with all votes in favour.
    function pass(Proposal memory p) internal returns (uint256 id) {
        id = openVote(p);
        vote(id, whale, FOR);
        vote(id, shark, FOR);
        closeVote(id);
        queue(p);
        vm.warp(block.timestamp + DELAY);
    }

    function enact(Proposal memory p) internal returns (uint256 id) {
        id = pass(p);
        execute(p);
    }

    /// Passes with every vote there is, and fails all the same.
    function passAndFail(Proposal memory p) internal {
        pass(p);
        vm.expectRevert();
        this.executeOutside(p);
    }

    function passAndFail(Proposal memory p, bytes memory reason) internal {
        pass(p);
        vm.expectRevert(reason);
        this.executeOutside(p);
    }

    function executeOutside(Proposal calldata p) external {
        gov.execute(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
    }
}
