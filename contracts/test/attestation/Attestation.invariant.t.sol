// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { AttestationVerifier } from "../../src/attestation/AttestationVerifier.sol";
import { EvidenceVote } from "../../src/attestation/IEvidenceQuorum.sol";
import { EvidenceClaim, TdxClaim, Vendor } from "../../src/interfaces/IAttestationVerifier.sol";
import { InvariantTest } from "../utils/InvariantTest.sol";
import { AttestationFixture } from "./AttestationFixture.sol";

/// Providers enrolling keys by either way while trust comes and goes, with a plain model of who ought to be enrolled.
contract AttestationHandler is AttestationFixture {
    uint256 public constant KEYS = 4;

    struct Expected {
        address provider;
        uint256 until;
        bytes32 root;
        uint256 generation;
        bytes32 platform;
    }

    mapping(address key => Expected) public expected;
    mapping(bytes32 root => uint256) public generations;
    mapping(bytes32 root => bool) public live;
    bool public allowed = true;
    bool public banned;
    uint256 public enrolments;
    uint256 private salt;

    function setUp() public override {
        super.setUp();
        verifier.addCertificates(root, chain());
        addValidators(3);
        (live[root], live[QUORUM_ROOT]) = (true, true);
    }

    function network() external view returns (AttestationVerifier) {
        return verifier;
    }

    function keyAt(uint256 i) public pure returns (address) {
        return actor(string.concat("enclave ", vm.toString(i % KEYS)));
    }

    function providerAt(uint256 i) public view returns (address) {
        return i % 2 == 0 ? provider : otherProvider;
    }

    function ought(address provider_, address key) public view returns (bool) {
        Expected memory e = expected[key];
        return e.provider == provider_ && block.timestamp < e.until && live[e.root] && generations[e.root] == e.generation
            && allowed && !(banned && e.platform == platform);
    }

    function enrolTdx(uint256 who, uint256 which) external {
        (address provider_, address key) = (providerAt(who), keyAt(which));
        TdxClaim memory claim = TdxClaim(provider_, key, platform, uint64(block.number - 1));
        bytes memory quote = assemble(parts(verifier.binding(provider_, key, claim.blockNumber), keccak256(abi.encode(++salt))));
        (bool done,) = address(verifier).call(abi.encodeCall(verifier.enrol, (claim, quote)));
        bool may = live[root] && verifier.isLive(platform) && allowed && !banned;
        _note(done, may, provider_, key, root, platform);
    }

    function enrolByVotes(uint256 who, uint256 which) external {
        EvidenceClaim memory claim = evidenceClaim();
        (claim.provider, claim.key) = (providerAt(who), keyAt(which));
        claim.evidence = keccak256(abi.encode(++salt));
        (claim.blockNumber, claim.blockHash) = (uint64(block.number - 1), blockhash(block.number - 1));
        (EvidenceVote[] memory votes, bytes[] memory signatures) = ballots(0, 2, claim.evidence, quorum.claimHash(claim));
        (bool done,) = address(quorum).call(abi.encodeCall(quorum.vote, (claim, votes, signatures)));
        _note(done, live[QUORUM_ROOT] && allowed, claim.provider, claim.key, QUORUM_ROOT, claim.platform);
    }

    function _note(bool done, bool may, address provider_, address key, bytes32 root_, bytes32 platform_) private {
        address owner = expected[key].provider;
        assertTrue(done == (may && (owner == address(0) || owner == provider_)), "enrolled exactly if it may");
        if (!done) return;
        expected[key] = Expected(provider_, block.timestamp + LIFETIME, root_, generations[root_], platform_);
        ++enrolments;
    }

    function toggleRoot(bool tdx_) external {
        bytes32 id = tdx_ ? root : QUORUM_ROOT;
        vm.startPrank(governor);
        if (live[id]) verifier.revokeRoot(id);
        else if (tdx_) verifier.addRoot(Vendor.Development, certificate(rootSpec()));
        else verifier.addQuorumRoot(Vendor.Amd, id);
        vm.stopPrank();
        live[id] = !live[id];
        if (live[id]) ++generations[id];
    }

    function certify() external {
        if (live[root]) verifier.addCertificates(root, chain());
    }

    function toggleMeasurement() external {
        vm.prank(governor);
        if (allowed) verifier.dropMeasurement(measurement);
        else verifier.allowMeasurement(measurement, CODE, MODEL);
        allowed = !allowed;
    }

    function toggleBan() external {
        vm.prank(governor);
        if (banned) verifier.unban(platform);
        else verifier.ban(platform);
        banned = !banned;
    }

    function wait(uint256 time) external {
        nextBlock(bound(time, 1, 12 hours));
    }
}

contract AttestationVerifier_Invariant_Test is InvariantTest {
    AttestationHandler private handler;
    AttestationVerifier private verifier;

    function setUp() external {
        handler = new AttestationHandler();
        handler.setUp();
        verifier = handler.network();
        target = address(handler);
        selectors = [
            handler.enrolTdx.selector,
            handler.enrolTdx.selector,
            handler.enrolByVotes.selector,
            handler.toggleRoot.selector,
            handler.certify.selector,
            handler.certify.selector,
            handler.toggleMeasurement.selector,
            handler.toggleBan.selector,
            handler.wait.selector
        ];
    }

    /// A key is enrolled for a provider exactly as long as the evidence it came by is good.
    function invariant_enrolled_exactlyWhileTrusted() external view {
        for (uint256 i; i < handler.KEYS(); ++i) {
            address key = handler.keyAt(i);
            for (uint256 j; j < 2; ++j) {
                address provider = handler.providerAt(j);
                bool is_ = verifier.isEnrolled(provider, key, uint64(block.timestamp));
                assertTrue(is_ == handler.ought(provider, key), "as the model has it");
            }
        }
    }
}
