// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { AttestationVerifier as AttestationVerifierImplementation } from "../../src/attestation/AttestationVerifier.sol";
import { ITdxVerifier } from "../../src/attestation/ITdxVerifier.sol";
import { TdxQuote } from "../../src/attestation/TdxQuote.sol";
import { IAttestationVerifier, QuotingEnclave, TcbFloor, TdxClaim, Vendor } from "../../src/interfaces/IAttestationVerifier.sol";
import { AttestationFixture } from "./AttestationFixture.sol";

contract AttestationVerifier_Initialize_Test is AttestationFixture {
    function test_initialize_parameters_succeeds() external view {
        assertEq(verifier.owner(), governor, "owner");
        assertEq(verifier.tdxVerifier(), address(tdx), "what checks quotes");
        assertEq(verifier.lifetime(), LIFETIME, "lifetime");
        assertTrue(verifier.development(), "development");
        assertFalse(production.development(), "production");
    }

    function test_initialize_again_reverts() external {
        expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        production.initialize(governor, address(tdx), LIFETIME, true);
    }

    function test_initialize_noTdxVerifier_reverts() external {
        address implementation = address(new AttestationVerifierImplementation());
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_ZeroAddress.selector));
        proxy(implementation, abi.encodeCall(verifier.initialize, (governor, stranger, LIFETIME, false)));
    }

    function test_initialize_developmentOnMainnet_reverts() external {
        address implementation = address(new AttestationVerifierImplementation());
        uint256[2] memory chains = [uint256(1), 8453];
        for (uint256 i; i < 2; ++i) {
            vm.chainId(chains[i]);
            expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_DevelopmentOnMainnet.selector, chains[i]));
            proxy(implementation, abi.encodeCall(verifier.initialize, (governor, address(tdx), LIFETIME, true)));
            proxy(implementation, abi.encodeCall(verifier.initialize, (governor, address(tdx), LIFETIME, false)));
        }
    }
}

contract AttestationVerifier_AddCertificates_Test is AttestationFixture {
    function test_addCertificates_chain_succeeds() external {
        bytes[] memory list = chain();
        bytes32 ban = verifier.banOf(keyIdOf(AUTHORITY_KEY), platformSpec().serial);
        expectEvent(address(verifier));
        emit IAttestationVerifier.CertificateAdded(keccak256(list[0]), root, verifier.banOf(root, 2), bytes6(0), 2_051_222_400);
        expectEvent(address(verifier));
        emit IAttestationVerifier.CertificateAdded(platform, root, ban, FMSPC, 1_893_456_000);
        verifier.addCertificates(root, list);
        assertTrue(verifier.isLive(platform), "live");
        verifier.addCertificates(root, list);
    }

    function test_addCertificates_oneByOne_succeeds() external {
        bytes[] memory list = chain();
        bytes[] memory single = new bytes[](1);
        single[0] = list[0];
        verifier.addCertificates(root, single);
        single[0] = list[1];
        verifier.addCertificates(keccak256(list[0]), single);
        assertTrue(verifier.isLive(platform), "live");
        vm.warp(1_893_456_001);
        assertFalse(verifier.isLive(platform), "expired");
    }

    function _refused(Spec memory spec, bytes32 issuer, bytes memory data) private {
        bytes[] memory list = new bytes[](1);
        list[0] = certificate(spec);
        expectRevert(data);
        verifier.addCertificates(issuer, list);
    }

    function _authority() private returns (bytes32) {
        bytes[] memory list = new bytes[](1);
        list[0] = certificate(authoritySpec());
        verifier.addCertificates(root, list);
        return keccak256(list[0]);
    }

    function test_addCertificates_unknownRoot_reverts() external {
        _refused(
            authoritySpec(),
            QUORUM_ROOT,
            abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_UnknownIssuer.selector, QUORUM_ROOT)
        );
        bytes[] memory list = chain();
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_UnknownIssuer.selector, root));
        production.addCertificates(root, list);
    }

    /// The other way round, the platform's certificate is not the root's.
    function test_addCertificates_chainOrder_reverts() external {
        bytes[] memory list = chain();
        (list[0], list[1]) = (list[1], list[0]);
        expectRevert(abi.encodeWithSelector(ITdxVerifier.TdxVerifier_CertificateSignature.selector));
        verifier.addCertificates(root, list);
    }

    function test_addCertificates_platformAsIssuer_reverts() external {
        verifier.addCertificates(root, chain());
        Spec memory spec = platformSpec();
        (spec.issuerKey, spec.issuer, spec.serial) = (PLATFORM_KEY, "Development Platform", 9);
        _refused(spec, platform, abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_UnknownIssuer.selector, platform));
    }

    function test_addCertificates_otherIssuerName_reverts() external {
        bytes32 id = _authority();
        Spec memory spec = platformSpec();
        spec.issuer = "Somebody Else";
        _refused(
            spec,
            id,
            abi.encodeWithSelector(
                IAttestationVerifier.AttestationVerifier_WrongIssuer.selector,
                keccak256(named("Somebody Else")),
                keccak256(named("Development Platform CA"))
            )
        );
    }

    function test_addCertificates_platformUnderRoot_reverts() external {
        Spec memory spec = platformSpec();
        (spec.issuerKey, spec.issuer) = (ROOT_KEY, rootSpec().subject);
        _refused(spec, root, abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotAuthority.selector));
    }

    function test_addCertificates_authorityUnderAuthority_reverts() external {
        bytes32 id = _authority();
        Spec memory spec = platformSpec();
        spec.extensions = authorityExtensions();
        _refused(spec, id, abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotPlatform.selector));
        spec.extensions = extension(hex"551d13", true, hex"3000");
        _refused(spec, id, abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotPlatform.selector));
    }

    function test_addCertificates_outOfTime_reverts() external {
        bytes32 id = _authority();
        Spec memory spec = platformSpec();
        spec.validity = bytes.concat(tlv(0x17, "240101000000Z"), tlv(0x17, "250101000000Z"));
        _refused(
            spec,
            id,
            abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_OutOfTime.selector, 1_704_067_200, 1_735_689_600)
        );
        spec.validity = bytes.concat(tlv(0x17, "260101000000Z"), tlv(0x17, "270101000000Z"));
        _refused(
            spec,
            id,
            abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_OutOfTime.selector, 1_767_225_600, 1_798_761_600)
        );
    }

    function test_addCertificates_banned_reverts() external {
        bytes32 id = _authority();
        bytes32 ban = verifier.banOf(keyIdOf(AUTHORITY_KEY), platformSpec().serial);
        vm.prank(guardian);
        verifier.ban(ban);
        _refused(platformSpec(), id, abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_Banned.selector, ban));
    }
}

contract AttestationVerifier_Enrol_Test is AttestationFixture {
    function setUp() public override {
        super.setUp();
        verifier.addCertificates(root, chain());
    }

    function test_enrol_honest_succeeds() external {
        bytes memory quote = assemble(honest(provider, enclave));
        bytes32 evidence = tdxEvidence(quote);
        _expectEnrolled(evidence);
        verifier.enrol(claimOf(provider, enclave), quote);
        assertTrue(verifier.isEnrolled(provider, enclave, START), "from now");
        assertFalse(verifier.isEnrolled(provider, enclave, START - 1), "not before");
        assertTrue(verifier.isEnrolled(provider, enclave, START + LIFETIME - 1), "to the last second");
        assertFalse(verifier.isEnrolled(provider, enclave, START + LIFETIME), "not after");
        assertFalse(verifier.isEnrolled(otherProvider, enclave, START), "not for another");
        assertFalse(verifier.isEnrolled(provider, stranger, START), "nor any key");
        assertTrue(verifier.isUsed(evidence), "served");
    }

    function test_enrol_record_succeeds() external {
        verifier.enrol(claimOf(provider, enclave), assemble(honest(provider, enclave)));
        (bool done, bytes memory answer) = address(verifier).call(abi.encodeCall(verifier.enrolmentOf, (enclave)));
        assertTrue(done, "read");
        bytes memory expected = abi.encode(provider, START, START + LIFETIME, root, measurement, platform);
        assertEq(keccak256(answer), keccak256(expected), "provider, from, until, root, measurement, platform");
    }

    function _expectEnrolled(bytes32 evidence) private {
        expectEvent(address(verifier));
        emit IAttestationVerifier.Enrolled(
            provider, enclave, measurement, root, platform, evidence, keccak256("transport key"), START + LIFETIME
        );
    }

    function tdxEvidence(bytes memory quote) private pure returns (bytes32) {
        bytes memory part = new bytes(632);
        for (uint256 i; i < 632; ++i) {
            part[i] = quote[i];
        }
        return sha256(part);
    }

    function test_enrol_withChainInOneCall_succeeds() external {
        AttestationVerifierImplementation fresh = deploy(true);
        vm.startPrank(governor);
        fresh.addRoot(Vendor.Development, certificate(rootSpec()));
        fresh.setQuotingEnclave(root, QuotingEnclave(QE_SIGNER, 2, 6));
        fresh.setTcbFloor(FMSPC, lowest());
        fresh.allowMeasurement(measurement, CODE, MODEL);
        vm.stopPrank();
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(fresh.addCertificates, (root, chain()));
        calls[1] = abi.encodeCall(
            fresh.enrol, (claimOf(provider, enclave), assemble(parts(fresh.binding(provider, enclave, BLOCK), 0)))
        );
        fresh.multicall(calls);
        assertTrue(fresh.isEnrolled(provider, enclave, START), "enrolled");
    }

    function test_enrol_again_keepsItsBeginning() external {
        verifier.enrol(claimOf(provider, enclave), assemble(honest(provider, enclave)));
        nextBlock(LIFETIME - 1);
        TdxClaim memory claim = claimOf(provider, enclave);
        claim.blockNumber = BLOCK + 1;
        verifier.enrol(claim, assemble(parts(verifier.binding(provider, enclave, BLOCK + 1), 0)));
        (, uint64 from, uint64 until,,,) = verifier.enrolmentOf(enclave);
        assertEq(from, START, "without a gap");
        assertEq(until, START + 2 * LIFETIME - 1, "for another while");
    }

    function test_enrol_afterAGap_beginsAnew() external {
        verifier.enrol(claimOf(provider, enclave), assemble(honest(provider, enclave)));
        nextBlock(LIFETIME);
        TdxClaim memory claim = claimOf(provider, enclave);
        claim.blockNumber = BLOCK + 1;
        verifier.enrol(claim, assemble(parts(verifier.binding(provider, enclave, BLOCK + 1), 0)));
        assertFalse(verifier.isEnrolled(provider, enclave, START + LIFETIME - 1), "what lies before a gap is not claimed");
    }

    function test_enrol_lastsNoLongerThanItsCertificate() external {
        vm.warp(1_893_456_000 - 1 hours);
        verifier.enrol(claimOf(provider, enclave), assemble(honest(provider, enclave)));
        (,, uint64 until,,,) = verifier.enrolmentOf(enclave);
        assertEq(until, 1_893_456_000, "the platform's certificate ends first");
    }

    function test_enrol_expiredCertificate_reverts() external {
        vm.warp(1_893_456_001);
        refuses(
            honest(provider, enclave),
            abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_PlatformNotLive.selector, platform)
        );
    }

    function test_enrol_unknownPlatform_reverts() external {
        bytes memory quote = assemble(honest(provider, enclave));
        TdxClaim memory claim = claimOf(provider, enclave);
        bytes32[2] memory wrong = [keccak256("none"), keccak256(certificate(authoritySpec()))];
        for (uint256 i; i < 2; ++i) {
            claim.platform = wrong[i];
            expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_PlatformNotLive.selector, wrong[i]));
            verifier.enrol(claim, quote);
        }
    }

    function test_enrol_replay_reverts() external {
        bytes memory quote = assemble(honest(provider, enclave));
        verifier.enrol(claimOf(provider, enclave), quote);
        bytes32 evidence = tdxEvidence(quote);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_Replayed.selector, evidence));
        verifier.enrol(claimOf(provider, enclave), bytes.concat(quote, "padding changes nothing"));
    }

    function test_enrol_reportDataOfAnother_reverts() external {
        bytes32 expected = verifier.binding(provider, enclave, BLOCK);
        bytes32[5] memory wrong = [
            verifier.binding(otherProvider, enclave, BLOCK),
            verifier.binding(provider, stranger, BLOCK),
            verifier.binding(provider, enclave, BLOCK - 1),
            production.binding(provider, enclave, BLOCK),
            bytes32(0)
        ];
        for (uint256 i; i < wrong.length; ++i) {
            refuses(
                parts(wrong[i], 0),
                abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_WrongReportData.selector, wrong[i], expected)
            );
        }
    }

    function test_enrol_otherChain_reverts() external {
        Parts memory p = honest(provider, enclave);
        bytes32 here = verifier.binding(provider, enclave, BLOCK);
        vm.chainId(10);
        refuses(
            p,
            abi.encodeWithSelector(
                IAttestationVerifier.AttestationVerifier_WrongReportData.selector, here, verifier.binding(provider, enclave, BLOCK)
            )
        );
    }

    function test_enrol_oldBlock_reverts() external {
        Parts memory p = honest(provider, enclave);
        vm.roll(BLOCK + 257);
        refuses(p, abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_BlockNotRecent.selector, BLOCK));
    }

    function test_enrol_futureBlock_reverts() external {
        bytes memory quote = assemble(honest(provider, enclave));
        TdxClaim memory claim = claimOf(provider, enclave);
        claim.blockNumber = type(uint64).max;
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_BlockNotRecent.selector, type(uint64).max));
        verifier.enrol(claim, quote);
    }

    function test_enrol_keyOfAnother_reverts() external {
        verifier.enrol(claimOf(provider, enclave), assemble(honest(provider, enclave)));
        bytes memory quote = assemble(honest(otherProvider, enclave));
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_KeyTaken.selector, enclave, provider));
        verifier.enrol(claimOf(otherProvider, enclave), quote);
    }

    function test_enrol_nobody_reverts() external {
        bytes memory quote = assemble(honest(provider, address(0)));
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_KeyTaken.selector, address(0), address(0)));
        verifier.enrol(claimOf(provider, address(0)), quote);
        quote = assemble(honest(address(0), enclave));
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_KeyTaken.selector, enclave, address(0)));
        verifier.enrol(claimOf(address(0), enclave), quote);
    }

    function test_enrol_otherMeasurement_reverts() external {
        uint256[5] memory places = [uint256(136), 184, 328, 471, 519];
        for (uint256 i; i < places.length; ++i) {
            Parts memory p = honest(provider, enclave);
            p.body[places[i]] ^= 0x01;
            refuses(
                p, abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_MeasurementNotAllowed.selector, measurementOf(p))
            );
        }
    }

    function test_enrol_debugDomain_reverts() external {
        Parts memory p = honest(provider, enclave);
        p.body[120] = 0x01;
        refuses(p, abi.encodeWithSelector(TdxQuote.TdxQuote_Debuggable.selector, bytes8(0x0100001000000000)));
    }

    function test_enrol_otherQuotingEnclave_reverts() external {
        bytes[4] memory changes = [bytes(hex"00"), hex"03", hex"05", hex"00"];
        uint256[4] memory places = [uint256(128), 256, 258, 0];
        for (uint256 i; i < 4; ++i) {
            Parts memory p = honest(provider, enclave);
            put(p.report, places[i], changes[i]);
            if (i == 3) {
                vm.prank(governor);
                verifier.setQuotingEnclave(root, QuotingEnclave(0, 0, 0));
            }
            bytes32 signer = i == 0 ? bytes32(uint256(QE_SIGNER) << 8 >> 8) : QE_SIGNER;
            refuses(
                p,
                abi.encodeWithSelector(
                    IAttestationVerifier.AttestationVerifier_WrongQuotingEnclave.selector, signer, i == 1 ? 3 : 2, i == 2 ? 5 : 6
                )
            );
        }
    }

    function test_enrol_tcbOutOfDate_reverts() external {
        TcbFloor[3] memory floors = [lowest(), lowest(), lowest()];
        floors[0].sgxSvn = hex"05050505050505050505050505050506";
        floors[1].pceSvn = 12;
        floors[2].tdxSvn = hex"06020300000000000000000000000000";
        for (uint256 i; i < 3; ++i) {
            vm.prank(guardian);
            verifier.setTcbFloor(FMSPC, floors[i]);
            refuses(
                honest(provider, enclave),
                abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_TcbOutOfDate.selector, FMSPC)
            );
            vm.prank(governor);
            verifier.setTcbFloor(FMSPC, lowest());
        }
    }

    function test_enrol_tcbUnknown_reverts() external {
        Spec memory spec = platformSpec();
        (spec.serial, spec.extensions) = (77, platformExtensions(hex"010203040506", 5, 11));
        bytes[] memory list = chain();
        list[1] = certificate(spec);
        verifier.addCertificates(root, list);
        platform = keccak256(list[1]);
        refuses(
            honest(provider, enclave),
            abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_TcbUnknown.selector, bytes6(0x010203040506))
        );
    }

    function test_enrol_quoteOfAnotherPlatform_reverts() external {
        Parts memory p = honest(provider, enclave);
        p.platformKey = 0x999;
        refuses(p, abi.encodeWithSelector(ITdxVerifier.TdxVerifier_EnclaveSignature.selector));
    }
}

/// A deployment of production with Intel's root and a genuine quote.
/// forge-config: default.evm_version = "osaka"
/// forge-config: deep.evm_version = "osaka"
contract AttestationVerifier_EnrolGenuine_Test is AttestationFixture {
    function setUp() public override {
        super.setUp();
        vm.startPrank(governor);
        root = production.addRoot(Vendor.Intel, vector("IntelSGXRootCA.der"));
        production.setQuotingEnclave(root, QuotingEnclave(0xdc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5, 2, 4));
        production.setTcbFloor(FMSPC, TcbFloor(hex"03030202040100050000000000000000", 11, hex"06010300000000000000000000000000"));
        vm.stopPrank();
        bytes[] memory list = new bytes[](2);
        (list[0], list[1]) = (vector("platform_ca.der"), vector("tdx_quote.pck.der"));
        production.addCertificates(root, list);
        platform = keccak256(list[1]);
    }

    /// All that can be checked of a quote somebody else asked for holds; that it was not made for this network is what is found.
    function test_enrol_genuineOfAnother_reverts() external {
        bytes memory quote = vector("tdx_quote");
        bytes32 expected = production.binding(provider, enclave, BLOCK);
        expectRevert(
            abi.encodeWithSelector(
                IAttestationVerifier.AttestationVerifier_WrongReportData.selector,
                bytes32(0x9a9d48e7f6799642d3d1b34e1e5e1742d4bb02dd6ddd551862c1211d35c304f9),
                expected
            )
        );
        production.enrol(claimOf(provider, enclave), quote);
    }

    function test_enrol_genuineOutOfDate_reverts() external {
        vm.prank(governor);
        production.setTcbFloor(FMSPC, TcbFloor(0, 0, hex"06010400000000000000000000000000"));
        bytes memory quote = vector("tdx_quote");
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_TcbOutOfDate.selector, FMSPC));
        production.enrol(claimOf(provider, enclave), quote);
    }
}
