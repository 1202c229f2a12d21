// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { EvidenceQuorum as EvidenceQuorumImplementation } from "../../src/attestation/EvidenceQuorum.sol";
import { EvidenceVote, IEvidenceQuorum, QuorumRule } from "../../src/attestation/IEvidenceQuorum.sol";
import { EvidenceClaim, IAttestationVerifier } from "../../src/interfaces/IAttestationVerifier.sol";
import { Role } from "../../src/libraries/Types.sol";
import { AttestationFixture } from "./AttestationFixture.sol";

abstract contract QuorumFixture is AttestationFixture {
    EvidenceClaim internal claim;
    bytes32 internal id;

    function setUp() public virtual override {
        super.setUp();
        addValidators(5);
        claim = evidenceClaim();
        id = quorum.claimHash(claim);
    }

    function _single(EvidenceVote memory vote, bytes memory signature)
        internal
        pure
        returns (EvidenceVote[] memory votes, bytes[] memory signatures)
    {
        votes = new EvidenceVote[](1);
        signatures = new bytes[](1);
        (votes[0], signatures[0]) = (vote, signature);
    }

    function _refused(EvidenceVote memory vote, bytes memory signature, bytes memory why) internal {
        (EvidenceVote[] memory votes, bytes[] memory signatures) = _single(vote, signature);
        expectRevert(why);
        quorum.vote(claim, votes, signatures);
    }
}

contract EvidenceQuorum_Initialize_Test is QuorumFixture {
    function test_initialize_parameters_succeeds() external view {
        assertEq(quorum.owner(), governor, "owner");
        assertEq(quorum.stakeRegistry(), address(stakes), "stakes");
        assertEq(quorum.attestationVerifier(), address(verifier), "verifier");
        QuorumRule memory rule = quorum.rule();
        assertTrue(rule.validators == 3 && rule.period == 1 hours && rule.slashBps == 5_000, "rule");
    }

    function test_initialize_nobody_reverts() external {
        address implementation = address(new EvidenceQuorumImplementation());
        expectRevert(abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_ZeroAddress.selector));
        proxy(implementation, abi.encodeCall(quorum.initialize, (governor, address(0), address(verifier), votingRule())));
        expectRevert(abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_ZeroAddress.selector));
        proxy(implementation, abi.encodeCall(quorum.initialize, (governor, address(stakes), address(0), votingRule())));
    }
}

contract EvidenceQuorum_Vote_Test is QuorumFixture {
    function test_vote_quorum_enrols() external {
        voteFor(claim, 0, 1);
        assertFalse(verifier.isEnrolled(provider, enclave, START), "two are too few");
        (uint96 stake, uint16 count, uint64 closesAt) = quorum.round(claim.evidence, id);
        assertEq(stake, 2 * MINIMUM, "stake");
        assertEq(count, 2, "validators");
        assertEq(closesAt, START + 1 hours, "closes");
        expectEvent(address(quorum));
        emit IEvidenceQuorum.Voted(claim.evidence, id, actor(validator(2)), MINIMUM);
        expectEvent(address(verifier));
        emit IAttestationVerifier.Enrolled(
            provider, enclave, measurement, QUORUM_ROOT, claim.platform, claim.evidence, bytes32(0), START + LIFETIME
        );
        voteFor(claim, 2, 2);
        assertTrue(verifier.isEnrolled(provider, enclave, START), "enrolled");
        assertTrue(verifier.verifyJob(provider, "receipt", sign("enclave", "receipt")), "and signs jobs");
        (bool voted, bytes32 what) = quorum.votedFor(claim.evidence, actor(validator(2)));
        assertTrue(voted && what == id, "on record");
    }

    function test_vote_enoughValidatorsTooLittleStake_waits() external {
        QuorumRule memory rule = votingRule();
        rule.stake = uint96(4 * MINIMUM);
        vm.prank(governor);
        quorum.setRule(rule);
        voteFor(claim, 0, 2);
        assertFalse(verifier.isEnrolled(provider, enclave, START), "three of four");
        voteFor(claim, 3, 3);
        assertTrue(verifier.isEnrolled(provider, enclave, START), "four");
    }

    function test_vote_enoughStakeTooFewValidators_waits() external {
        stakeAs(actor(validator(0)), Role.Validator, 10 * MINIMUM, address(0));
        voteFor(claim, 0, 1);
        assertFalse(verifier.isEnrolled(provider, enclave, START), "nobody decides alone");
    }

    function test_vote_platformBannedLater_drops() external {
        voteFor(claim, 0, 2);
        vm.prank(guardian);
        verifier.ban(claim.platform);
        assertFalse(verifier.isEnrolled(provider, enclave, START), "dropped");
    }

    function test_vote_bannedPlatform_reverts() external {
        vm.prank(guardian);
        verifier.ban(claim.platform);
        (EvidenceVote[] memory votes, bytes[] memory signatures) = ballots(0, 2, claim.evidence, id);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_Banned.selector, claim.platform));
        quorum.vote(claim, votes, signatures);
    }

    function test_vote_rootRevokedLater_drops() external {
        voteFor(claim, 0, 2);
        vm.prank(guardian);
        verifier.revokeRoot(QUORUM_ROOT);
        assertFalse(verifier.isEnrolled(provider, enclave, START), "dropped");
    }

    function test_vote_twice_reverts() external {
        voteFor(claim, 0, 0);
        EvidenceVote memory vote = word(0, claim.evidence, id);
        _refused(
            vote,
            signed(0, vote),
            abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_AlreadyVoted.selector, claim.evidence, actor(validator(0)))
        );
    }

    function test_vote_onAnotherReading_reverts() external {
        voteFor(claim, 0, 0);
        claim.key = stranger;
        EvidenceVote memory vote = word(0, claim.evidence, quorum.claimHash(claim));
        _refused(
            vote,
            signed(0, vote),
            abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_AlreadyVoted.selector, claim.evidence, actor(validator(0)))
        );
    }

    function test_vote_afterItServed_reverts() external {
        voteFor(claim, 0, 2);
        EvidenceVote memory vote = word(3, claim.evidence, id);
        _refused(
            vote, signed(3, vote), abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_RoundClosed.selector, claim.evidence, id)
        );
    }

    function test_vote_late_reverts() external {
        voteFor(claim, 0, 0);
        vm.warp(START + 1 hours);
        EvidenceVote memory vote = word(1, claim.evidence, id);
        _refused(
            vote, signed(1, vote), abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_RoundClosed.selector, claim.evidence, id)
        );
    }

    function test_vote_none_reverts() external {
        expectRevert(abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_NoVotes.selector));
        quorum.vote(claim, new EvidenceVote[](0), new bytes[](0));
    }

    function test_vote_oldBlock_reverts() external {
        EvidenceVote memory vote = word(0, claim.evidence, id);
        bytes memory signature = signed(0, vote);
        vm.roll(BLOCK + 257);
        _refused(vote, signature, abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_BlockNotRecent.selector, BLOCK));
        claim.blockHash = 0;
        _refused(vote, signature, abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_BlockNotRecent.selector, BLOCK));
    }

    /// The round was opened in time; votes may come later.
    function test_vote_oldBlockOpenRound_succeeds() external {
        voteFor(claim, 0, 1);
        vm.roll(BLOCK + 257);
        voteFor(claim, 2, 2);
        assertTrue(verifier.isEnrolled(provider, enclave, START), "enrolled");
    }

    function test_vote_wrongRoot_reverts() external {
        bytes32[2] memory wrong = [root, keccak256("none")];
        for (uint256 i; i < 2; ++i) {
            claim.root = wrong[i];
            EvidenceVote memory vote = word(0, claim.evidence, quorum.claimHash(claim));
            _refused(vote, signed(0, vote), abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_RootNotLive.selector, wrong[i]));
        }
    }

    function test_vote_onOtherThings_reverts() external {
        EvidenceVote memory vote = word(0, "other", id);
        _refused(
            vote,
            signed(0, vote),
            abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_WrongEvidence.selector, bytes32("other"), claim.evidence)
        );
        vote = word(0, claim.evidence, "other");
        _refused(
            vote, signed(0, vote), abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_WrongClaim.selector, bytes32("other"), id)
        );
    }

    function test_vote_notSigned_reverts() external {
        bytes memory why = abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_NotSignedBy.selector, actor(validator(0)));
        EvidenceVote memory vote = word(0, claim.evidence, id);
        _refused(vote, signed(1, vote), why);
        _refused(vote, "nonsense", why);
        (EvidenceVote[] memory votes,) = _single(vote, "");
        expectRevert(why);
        quorum.vote(claim, votes, new bytes[](0));
        vote.signedAt = START + 1;
        _refused(vote, signed(0, vote), why);
        vote.signedAt = START;
        bytes memory signature = signed(0, vote);
        vm.prank(actor(validator(0)));
        stakes.rotateHotKey(stranger);
        _refused(vote, signature, why);
    }

    function test_vote_inactive_reverts() external {
        vm.prank(actor(validator(0)));
        stakes.unbond(Role.Validator, 1);
        EvidenceVote memory vote = word(0, claim.evidence, id);
        _refused(
            vote,
            signed(0, vote),
            abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_ValidatorInactive.selector, actor(validator(0)))
        );
    }
}

contract EvidenceQuorum_Refuse_Test is QuorumFixture {
    function test_refuse_quorum_shutsOut() external {
        voteFor(claim, 3, 3);
        (EvidenceVote[] memory votes, bytes[] memory signatures) = ballots(0, 2, claim.evidence, 0);
        expectEvent(address(verifier));
        emit IAttestationVerifier.EvidenceRefused(claim.evidence);
        quorum.refuse(claim.evidence, votes, signatures);
        assertTrue(verifier.isUsed(claim.evidence), "shut out");
        EvidenceVote memory vote = word(4, claim.evidence, id);
        _refused(
            vote, signed(4, vote), abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_RoundClosed.selector, claim.evidence, id)
        );
    }

    function test_refuse_few_waits() external {
        (EvidenceVote[] memory votes, bytes[] memory signatures) = ballots(0, 1, claim.evidence, 0);
        quorum.refuse(claim.evidence, votes, signatures);
        assertFalse(verifier.isUsed(claim.evidence), "not yet");
    }
}

contract EvidenceQuorum_SlashContradiction_Test is QuorumFixture {
    function _pair(bytes32 second) private view returns (EvidenceVote memory a, EvidenceVote memory b) {
        (a, b) = (word(0, claim.evidence, id), word(0, claim.evidence, second));
    }

    function test_slashContradiction_twoWords_succeeds() external {
        (EvidenceVote memory a, EvidenceVote memory b) = _pair(0);
        (bytes memory first, bytes memory second) = (signed(0, a), signed(0, b));
        expectEvent(address(quorum));
        emit IEvidenceQuorum.Contradicted(claim.evidence, actor(validator(0)), stranger, MINIMUM / 2);
        vm.prank(stranger);
        assertEq(quorum.slashContradiction(a, first, b, second), MINIMUM / 2, "half");
        assertEq(infr.balanceOf(stranger), MINIMUM / 5, "40 % of it to whoever showed it");
        assertFalse(stakes.isActive(actor(validator(0)), Role.Validator), "and no more votes");
        expectRevert(
            abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_AlreadySlashed.selector, claim.evidence, actor(validator(0)))
        );
        quorum.slashContradiction(b, second, a, first);
    }

    function test_slashContradiction_none_reverts() external {
        (EvidenceVote memory a, EvidenceVote memory b) = _pair(id);
        b.signedAt -= 1;
        bytes memory why = abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_NoContradiction.selector);
        (bytes memory first, bytes memory second) = (signed(0, a), signed(0, b));
        expectRevert(why);
        quorum.slashContradiction(a, first, b, second);
        b = word(0, "other evidence", 0);
        second = signed(0, b);
        expectRevert(why);
        quorum.slashContradiction(a, first, b, second);
        b = word(1, claim.evidence, 0);
        second = signed(1, b);
        expectRevert(why);
        quorum.slashContradiction(a, first, b, second);
    }

    function test_slashContradiction_forged_reverts() external {
        (EvidenceVote memory a, EvidenceVote memory b) = _pair(0);
        (bytes memory first, bytes memory second) = (signed(0, a), signed(1, b));
        bytes memory why = abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_NotSignedBy.selector, actor(validator(0)));
        expectRevert(why);
        quorum.slashContradiction(a, first, b, second);
        expectRevert(why);
        quorum.slashContradiction(b, second, a, first);
    }

    /// What a key signed while it was the validator's counts, whatever became of the key.
    function test_slashContradiction_rotatedKey_succeeds() external {
        (EvidenceVote memory a, EvidenceVote memory b) = _pair(0);
        (bytes memory first, bytes memory second) = (signed(0, a), signed(0, b));
        vm.prank(actor(validator(0)));
        stakes.rotateHotKey(stranger);
        vm.warp(START + 1 hours);
        assertEq(quorum.slashContradiction(a, first, b, second), MINIMUM / 2, "slashed");
    }
}

contract EvidenceQuorum_SetRule_Test is QuorumFixture {
    function test_setRule_withinBounds_succeeds() external {
        QuorumRule memory rule = QuorumRule(1e18, 1, 1 days, 10_000);
        expectEvent(address(quorum));
        emit IEvidenceQuorum.RuleChanged(rule);
        vm.prank(governor);
        quorum.setRule(rule);
    }

    function test_setRule_outOfBounds_reverts() external {
        QuorumRule[8] memory rules;
        for (uint256 i; i < rules.length; ++i) {
            rules[i] = votingRule();
        }
        rules[0].stake = 1e18 - 1;
        rules[1].stake = 100_000_000e18 + 1;
        rules[2].validators = 0;
        rules[3].validators = 101;
        rules[4].period = 59;
        rules[5].period = 1 days + 1;
        rules[6].slashBps = 0;
        rules[7].slashBps = 10_001;
        vm.startPrank(governor);
        for (uint256 i; i < rules.length; ++i) {
            expectRevert(abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_RuleOutOfBounds.selector));
            quorum.setRule(rules[i]);
        }
        vm.stopPrank();
    }

    function test_setRule_production_needsThreeAndUnbonding() external {
        address implementation = address(new EvidenceQuorumImplementation());
        QuorumRule memory rule = votingRule();
        rule.validators = 2;
        expectRevert(abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_RuleOutOfBounds.selector));
        proxy(implementation, abi.encodeCall(quorum.initialize, (governor, address(stakes), address(production), rule)));
        vm.prank(governor);
        stakes.setUnbondingPeriod(1 hours);
        expectRevert(abi.encodeWithSelector(IEvidenceQuorum.EvidenceQuorum_RuleOutOfBounds.selector));
        proxy(implementation, abi.encodeCall(quorum.initialize, (governor, address(stakes), address(production), votingRule())));
    }

    function test_setRule_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        quorum.setRule(votingRule());
    }
}

contract AttestationVerifier_SetQuorum_Test is QuorumFixture {
    function test_setQuorum_notGovernor_reverts() external {
        vm.prank(guardian);
        expectNotGovernor(guardian);
        verifier.setQuorum(stranger);
    }

    function test_setQuorum_none_stopsEnrolment() external {
        vm.prank(governor);
        verifier.setQuorum(address(0));
        assertEq(verifier.quorum(), address(0), "none");
        (EvidenceVote[] memory votes, bytes[] memory signatures) = ballots(0, 2, claim.evidence, id);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotQuorum.selector, address(quorum)));
        quorum.vote(claim, votes, signatures);
    }
}

contract AttestationVerifier_EnrolByQuorum_Test is QuorumFixture {
    function test_enrolByQuorum_byAnother_reverts() external {
        address[3] memory callers = [stranger, governor, guardian];
        for (uint256 i; i < 3; ++i) {
            vm.prank(callers[i]);
            expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotQuorum.selector, callers[i]));
            verifier.enrolByQuorum(claim);
        }
    }

    function test_enrolByQuorum_rootVerifiedHere_reverts() external {
        claim.root = root;
        vm.prank(address(quorum));
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_RootNotLive.selector, root));
        verifier.enrolByQuorum(claim);
    }
}

contract AttestationVerifier_RefuseEvidence_Test is QuorumFixture {
    function test_refuseEvidence_byAnother_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotQuorum.selector, stranger));
        verifier.refuseEvidence("evidence");
    }
}
