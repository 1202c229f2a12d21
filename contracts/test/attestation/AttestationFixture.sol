// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { AttestationVerifier } from "../../src/attestation/AttestationVerifier.sol";
import { EvidenceQuorum } from "../../src/attestation/EvidenceQuorum.sol";
import { EvidenceVote, QuorumRule } from "../../src/attestation/IEvidenceQuorum.sol";
import { TdxVerifier } from "../../src/attestation/TdxVerifier.sol";
import { EvidenceClaim, QuotingEnclave, TcbFloor, TdxClaim, Vendor } from "../../src/interfaces/IAttestationVerifier.sol";
import { Role } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Maker } from "./Maker.sol";

/// A development deployment that trusts a locally made root, and one of production that trusts Intel's.
abstract contract AttestationFixture is Fixture, Maker {
    uint64 internal constant LIFETIME = 1 days;
    uint64 internal constant BLOCK = 1_000;
    bytes32 internal constant MODEL = keccak256("model");
    bytes32 internal constant CODE = keccak256("code");
    bytes32 internal constant QUORUM_ROOT = keccak256("root of another vendor");

    address internal guardian = actor("guardian");
    address internal enclave = actor("enclave");
    address internal otherProvider = actor("other provider");

    TdxVerifier internal tdx;
    AttestationVerifier internal verifier;
    AttestationVerifier internal production;
    EvidenceQuorum internal quorum;
    bytes32 internal root;
    bytes32 internal measurement;
    bytes32 internal platform;

    function setUp() public virtual override {
        super.setUp();
        vm.roll(BLOCK + 1);
        tdx = new TdxVerifier();
        verifier = deploy(true);
        production = deploy(false);
        quorum = EvidenceQuorum(proxy(address(new EvidenceQuorum()), _quorumData(votingRule())));
        measurement = measurementOf(parts(0, 0));
        platform = keccak256(certificate(platformSpec()));

        vm.startPrank(governor);
        root = verifier.addRoot(Vendor.Development, certificate(rootSpec()));
        verifier.addQuorumRoot(Vendor.Amd, QUORUM_ROOT);
        verifier.setQuorum(address(quorum));
        verifier.setGuardian(guardian, true);
        verifier.setQuotingEnclave(root, QuotingEnclave(QE_SIGNER, 2, 6));
        verifier.setTcbFloor(FMSPC, lowest());
        verifier.allowMeasurement(measurement, CODE, MODEL);
        stakes.setSlasher(address(quorum), true);
        vm.stopPrank();
    }

    function _quorumData(QuorumRule memory rule) internal view returns (bytes memory) {
        return abi.encodeCall(EvidenceQuorum.initialize, (governor, address(stakes), address(verifier), rule));
    }

    function deploy(bool development) internal returns (AttestationVerifier) {
        return AttestationVerifier(
            proxy(
                address(new AttestationVerifier()),
                abi.encodeCall(AttestationVerifier.initialize, (governor, address(tdx), LIFETIME, development))
            )
        );
    }

    function lowest() internal pure returns (TcbFloor memory) {
        return TcbFloor(hex"05050505050505050505050505050505", 11, hex"06010300000000000000000000000000");
    }

    function votingRule() internal pure returns (QuorumRule memory) {
        return QuorumRule(uint96(3 * MINIMUM), 3, 1 hours, 5_000);
    }

    function claimOf(address provider_, address key) internal view returns (TdxClaim memory) {
        return TdxClaim(provider_, key, platform, BLOCK);
    }

    function honest(address provider_, address key) internal view returns (Parts memory) {
        return parts(verifier.binding(provider_, key, BLOCK), keccak256("transport key"));
    }

    /// Enrols a key the way an honest provider does.
    function enrol(address provider_, address key) internal {
        verifier.addCertificates(root, chain());
        verifier.enrol(claimOf(provider_, key), assemble(honest(provider_, key)));
    }

    /// A later block, with a new hash.
    function nextBlock(uint256 time) internal {
        vm.warp(block.timestamp + time);
        vm.roll(block.number + 1);
    }

    function refuses(Parts memory p, bytes memory data) internal {
        bytes memory quote = assemble(p);
        expectRevert(data);
        verifier.enrol(claimOf(provider, enclave), quote);
    }

    // Validators

    function validator(uint256 i) internal pure returns (string memory) {
        return string.concat("validator ", vm.toString(i));
    }

    function hotKey(uint256 i) internal pure returns (string memory) {
        return string.concat(validator(i), " hot key");
    }

    function addValidators(uint256 count) internal {
        for (uint256 i; i < count; ++i) {
            stakeAs(actor(validator(i)), Role.Validator, MINIMUM, actor(hotKey(i)));
        }
    }

    function evidenceClaim() internal view returns (EvidenceClaim memory) {
        return EvidenceClaim({
            root: QUORUM_ROOT,
            evidence: sha256("report"),
            provider: provider,
            key: enclave,
            measurement: measurement,
            platform: keccak256("chip"),
            blockNumber: BLOCK,
            blockHash: blockhash(BLOCK)
        });
    }

    function word(uint256 i, bytes32 evidence, bytes32 claim) internal view returns (EvidenceVote memory) {
        return EvidenceVote(evidence, claim, actor(validator(i)), uint64(block.timestamp));
    }

    function signed(uint256 i, EvidenceVote memory vote) internal view returns (bytes memory) {
        return sign(hotKey(i), quorum.voteDigest(vote));
    }

    /// Votes of validators `first` to `last`.
    function ballots(uint256 first, uint256 last, bytes32 evidence, bytes32 claim)
        internal
        view
        returns (EvidenceVote[] memory votes, bytes[] memory signatures)
    {
        votes = new EvidenceVote[](last - first + 1);
        signatures = new bytes[](votes.length);
        for (uint256 i; i < votes.length; ++i) {
            votes[i] = word(first + i, evidence, claim);
            signatures[i] = signed(first + i, votes[i]);
        }
    }

    function voteFor(EvidenceClaim memory claim, uint256 first, uint256 last) internal {
        (EvidenceVote[] memory votes, bytes[] memory signatures) = ballots(first, last, claim.evidence, quorum.claimHash(claim));
        quorum.vote(claim, votes, signatures);
    }
}
