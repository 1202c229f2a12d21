// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { AttestationVerifier } from "../../src/attestation/AttestationVerifier.sol";
import {
    IAttestationVerifier,
    QuotingEnclave,
    RootKind,
    TcbFloor,
    TdxClaim,
    Vendor
} from "../../src/interfaces/IAttestationVerifier.sol";
import { AttestationFixture } from "./AttestationFixture.sol";

contract AttestationVerifier_AddRoot_Test is AttestationFixture {
    function test_addRoot_intel_succeeds() external {
        bytes32 id = 0xa0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e;
        expectEvent(address(production));
        emit IAttestationVerifier.RootAdded(id, Vendor.Intel, RootKind.OnChain, 1);
        vm.prank(governor);
        assertEq(production.addRoot(Vendor.Intel, vector("IntelSGXRootCA.der")), id, "named by its key");
        (Vendor vendor, RootKind kind, bool live, uint32 generation) = production.rootOf(id);
        assertTrue(vendor == Vendor.Intel && kind == RootKind.OnChain && live && generation == 1, "whitelisted");
    }

    /// Whatever it calls itself and whatever the governor calls it.
    function test_addRoot_localInProduction_reverts() external {
        bytes memory local = certificate(rootSpec());
        vm.startPrank(governor);
        Vendor[4] memory vendors = [Vendor.Development, Vendor.None, Vendor.Amd, Vendor.Nvidia];
        for (uint256 i; i < vendors.length; ++i) {
            expectRevert(
                abi.encodeWithSelector(
                    IAttestationVerifier.AttestationVerifier_VendorNotHere.selector, vendors[i], RootKind.OnChain
                )
            );
            production.addRoot(vendors[i], local);
        }
        expectRevert(
            abi.encodeWithSelector(
                IAttestationVerifier.AttestationVerifier_NotOfVendor.selector, keccak256(named(rootSpec().subject))
            )
        );
        production.addRoot(Vendor.Intel, local);
        vm.stopPrank();
    }

    function test_addRoot_intelAsDevelopment_reverts() external {
        bytes memory intel = vector("IntelSGXRootCA.der");
        bytes32 name = verifier.INTEL_NAME();
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotOfVendor.selector, name));
        verifier.addRoot(Vendor.Development, intel);
    }

    function test_addRoot_issuedByAnother_reverts() external {
        Spec memory spec = rootSpec();
        (spec.subject, spec.subjectKey, spec.issuerKey) = ("Other", 0x77, 0x77);
        bytes memory der = certificate(spec);
        vm.prank(governor);
        expectRevert(
            abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotOfVendor.selector, keccak256(named("Other")))
        );
        verifier.addRoot(Vendor.Development, der);
    }

    function test_addRoot_noAuthority_reverts() external {
        Spec memory spec = rootSpec();
        bytes[2] memory wrong = [extension(hex"551d13", true, hex"30030101ff"), extension(hex"551d0f", true, hex"03020106")];
        for (uint256 i; i < 2; ++i) {
            spec.extensions = wrong[i];
            bytes memory der = certificate(spec);
            vm.prank(governor);
            expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotAuthority.selector));
            verifier.addRoot(Vendor.Development, der);
        }
    }

    function test_addRoot_expired_reverts() external {
        bytes memory der = certificate(rootSpec());
        AttestationVerifier fresh = deploy(true);
        vm.warp(2_524_608_000);
        vm.prank(governor);
        expectRevert(
            abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_OutOfTime.selector, 1_514_764_800, 2_524_607_999)
        );
        fresh.addRoot(Vendor.Development, der);
    }

    function test_addRoot_twice_reverts() external {
        bytes memory der = certificate(rootSpec());
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_RootLive.selector, root));
        verifier.addRoot(Vendor.Development, der);
    }

    function test_addRoot_notGovernor_reverts() external {
        bytes memory der = certificate(rootSpec());
        vm.prank(guardian);
        expectNotGovernor(guardian);
        verifier.addRoot(Vendor.Development, der);
    }
}

contract AttestationVerifier_AddQuorumRoot_Test is AttestationFixture {
    function test_addQuorumRoot_vendors_succeeds() external {
        vm.startPrank(governor);
        production.addQuorumRoot(Vendor.Amd, keccak256("amd"));
        production.addQuorumRoot(Vendor.Nvidia, keccak256("nvidia"));
        verifier.addQuorumRoot(Vendor.Development, keccak256("development"));
        vm.stopPrank();
        (, RootKind kind, bool live,) = production.rootOf(keccak256("nvidia"));
        assertTrue(kind == RootKind.Quorum && live, "whitelisted");
    }

    function test_addQuorumRoot_others_revert() external {
        Vendor[3] memory vendors = [Vendor.Development, Vendor.None, Vendor.Intel];
        vm.startPrank(governor);
        for (uint256 i; i < vendors.length; ++i) {
            expectRevert(
                abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_VendorNotHere.selector, vendors[i], RootKind.Quorum)
            );
            production.addQuorumRoot(vendors[i], keccak256("root"));
        }
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_ZeroRoot.selector));
        production.addQuorumRoot(Vendor.Amd, 0);
        vm.stopPrank();
    }

    function test_addQuorumRoot_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        verifier.addQuorumRoot(Vendor.Amd, keccak256("root"));
    }
}

contract AttestationVerifier_RevokeRoot_Test is AttestationFixture {
    function test_revokeRoot_dropsEveryKey_succeeds() external {
        enrol(provider, enclave);
        enrol(otherProvider, stranger);
        expectEvent(address(verifier));
        emit IAttestationVerifier.RootRevoked(root, guardian);
        vm.prank(guardian);
        verifier.revokeRoot(root);
        assertFalse(verifier.isEnrolled(provider, enclave, START), "dropped");
        assertFalse(verifier.isEnrolled(otherProvider, stranger, START), "and so is every other");
        assertFalse(verifier.isLive(platform), "certificates too");
        (,,, bytes32 none,,) = verifier.enrolmentOf(enclave);
        assertEq(none, 0, "no root any more");
    }

    function test_revokeRoot_thenAddedAgain_bringsNothingBack() external {
        enrol(provider, enclave);
        vm.startPrank(governor);
        verifier.revokeRoot(root);
        verifier.addRoot(Vendor.Development, certificate(rootSpec()));
        vm.stopPrank();
        (,, bool live, uint32 generation) = verifier.rootOf(root);
        assertTrue(live && generation == 2, "a new lease");
        assertFalse(verifier.isEnrolled(provider, enclave, START), "old keys stay dropped");
        assertFalse(verifier.isLive(platform), "old certificates too");
        nextBlock(1);
        verifier.addCertificates(root, chain());
        TdxClaim memory claim = claimOf(provider, enclave);
        verifier.enrol(claim, assemble(parts(verifier.binding(provider, enclave, BLOCK), keccak256("fresh"))));
        assertTrue(verifier.isEnrolled(provider, enclave, START + 1), "fresh evidence counts");
        assertFalse(verifier.isEnrolled(provider, enclave, START), "from then on");
    }

    function test_revokeRoot_stopsEnrolment() external {
        verifier.addCertificates(root, chain());
        Parts memory p = honest(provider, enclave);
        vm.prank(guardian);
        verifier.revokeRoot(root);
        refuses(p, abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_PlatformNotLive.selector, platform));
        bytes[] memory list = chain();
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_UnknownIssuer.selector, root));
        verifier.addCertificates(root, list);
    }

    function test_revokeRoot_notLive_reverts() external {
        vm.startPrank(guardian);
        verifier.revokeRoot(root);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_RootNotLive.selector, root));
        verifier.revokeRoot(root);
        vm.stopPrank();
    }

    function test_revokeRoot_stranger_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotGuardian.selector, stranger));
        verifier.revokeRoot(root);
    }
}

contract AttestationVerifier_AllowMeasurement_Test is AttestationFixture {
    function test_allowMeasurement_readBack_succeeds() external {
        expectEvent(address(verifier));
        emit IAttestationVerifier.MeasurementAllowed("m", "code", "model");
        vm.prank(governor);
        verifier.allowMeasurement("m", "code", "model");
        (bool allowed, bytes32 codeId, bytes32 modelId) = verifier.measurementOf("m");
        assertTrue(allowed, "allowed");
        assertEq(codeId, "code", "code");
        assertEq(modelId, "model", "model");
    }

    function test_allowMeasurement_ofNothing_reverts() external {
        vm.startPrank(governor);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_ZeroModel.selector));
        verifier.allowMeasurement("m", 0, "model");
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_ZeroModel.selector));
        verifier.allowMeasurement("m", "code", 0);
        vm.stopPrank();
    }

    function test_allowMeasurement_byGuardian_reverts() external {
        vm.prank(guardian);
        expectNotGovernor(guardian);
        verifier.allowMeasurement("m", "code", "model");
    }
}

contract AttestationVerifier_DropMeasurement_Test is AttestationFixture {
    function test_dropMeasurement_dropsItsKeys_succeeds() external {
        enrol(provider, enclave);
        vm.prank(guardian);
        verifier.dropMeasurement(measurement);
        assertFalse(verifier.isEnrolled(provider, enclave, START), "dropped");
        refuses(
            parts(verifier.binding(provider, enclave, BLOCK), "fresh"),
            abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_MeasurementNotAllowed.selector, measurement)
        );
    }

    function test_dropMeasurement_stranger_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotGuardian.selector, stranger));
        verifier.dropMeasurement(measurement);
    }
}

contract AttestationVerifier_Ban_Test is AttestationFixture {
    /// A platform by its serial number, its authority, or the hash of its certificate.
    function test_ban_dropsItsKeys_succeeds() external {
        enrol(provider, enclave);
        bytes32[3] memory ids = [verifier.banOf(keyIdOf(AUTHORITY_KEY), platformSpec().serial), verifier.banOf(root, 2), platform];
        for (uint256 i; i < 3; ++i) {
            vm.prank(guardian);
            verifier.ban(ids[i]);
            assertTrue(verifier.isBanned(ids[i]), "banned");
            assertFalse(verifier.isEnrolled(provider, enclave, START), "dropped");
            refuses(
                parts(verifier.binding(provider, enclave, BLOCK), "fresh"),
                abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_PlatformNotLive.selector, platform)
            );
            vm.prank(governor);
            verifier.unban(ids[i]);
            assertTrue(verifier.isEnrolled(provider, enclave, START), "back");
        }
    }

    function test_ban_stranger_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotGuardian.selector, stranger));
        verifier.ban(platform);
    }
}

contract AttestationVerifier_Unban_Test is AttestationFixture {
    function test_unban_byGuardian_reverts() external {
        vm.startPrank(guardian);
        verifier.ban("id");
        expectNotGovernor(guardian);
        verifier.unban("id");
        vm.stopPrank();
    }

    function test_unban_byGovernor_succeeds() external {
        vm.prank(guardian);
        verifier.ban("id");
        expectEvent(address(verifier));
        emit IAttestationVerifier.BanChanged("id", false, governor);
        vm.prank(governor);
        verifier.unban("id");
        assertFalse(verifier.isBanned("id"), "unbanned");
    }
}

contract AttestationVerifier_SetTcbFloor_Test is AttestationFixture {
    function test_setTcbFloor_guardianRaises_succeeds() external {
        TcbFloor memory floor = lowest();
        floor.pceSvn = 12;
        expectEvent(address(verifier));
        emit IAttestationVerifier.TcbFloorChanged(FMSPC, floor, guardian);
        vm.prank(guardian);
        verifier.setTcbFloor(FMSPC, floor);
        (bool known, TcbFloor memory kept) = verifier.tcbFloor(FMSPC);
        assertTrue(known && kept.pceSvn == 12 && kept.sgxSvn == floor.sgxSvn && kept.tdxSvn == floor.tdxSvn, "kept");
    }

    function test_setTcbFloor_guardianLowers_reverts() external {
        TcbFloor[3] memory floors = [lowest(), lowest(), lowest()];
        floors[0].pceSvn = 10;
        floors[1].sgxSvn = hex"06060606060606060606060606060604";
        floors[2].tdxSvn = hex"07000300000000000000000000000000";
        vm.startPrank(guardian);
        for (uint256 i; i < 3; ++i) {
            expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_FloorLowered.selector, FMSPC));
            verifier.setTcbFloor(FMSPC, floors[i]);
        }
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_FloorLowered.selector, bytes6(0x010101010101)));
        verifier.setTcbFloor(0x010101010101, lowest());
        vm.stopPrank();
    }

    function test_setTcbFloor_stranger_reverts() external {
        vm.prank(stranger);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotGuardian.selector, stranger));
        verifier.setTcbFloor(FMSPC, lowest());
    }
}

contract AttestationVerifier_SetQuotingEnclave_Test is AttestationFixture {
    function test_setQuotingEnclave_readBack_succeeds() external {
        vm.prank(governor);
        verifier.setQuotingEnclave(root, QuotingEnclave("signer", 3, 4));
        QuotingEnclave memory kept = verifier.quotingEnclave(root);
        assertTrue(kept.signer == "signer" && kept.product == 3 && kept.minimumSvn == 4, "kept");
    }

    function test_setQuotingEnclave_notGovernor_reverts() external {
        vm.prank(guardian);
        expectNotGovernor(guardian);
        verifier.setQuotingEnclave(root, QuotingEnclave("signer", 3, 4));
    }
}

contract AttestationVerifier_SetGuardian_Test is AttestationFixture {
    function test_setGuardian_andBack_succeeds() external {
        assertTrue(verifier.isGuardian(guardian), "named");
        vm.prank(governor);
        verifier.setGuardian(guardian, false);
        assertFalse(verifier.isGuardian(guardian), "no more");
        vm.prank(guardian);
        expectRevert(abi.encodeWithSelector(IAttestationVerifier.AttestationVerifier_NotGuardian.selector, guardian));
        verifier.ban("id");
    }

    function test_setGuardian_notGovernor_reverts() external {
        vm.prank(guardian);
        expectNotGovernor(guardian);
        verifier.setGuardian(stranger, true);
    }
}

contract AttestationVerifier_SetLifetime_Test is AttestationFixture {
    function test_setLifetime_withinBounds_succeeds() external {
        vm.startPrank(governor);
        verifier.setLifetime(1 hours);
        verifier.setLifetime(30 days);
        vm.stopPrank();
        assertEq(verifier.lifetime(), 30 days, "kept");
    }

    function test_setLifetime_outOfBounds_reverts() external {
        uint64[2] memory wrong = [uint64(1 hours - 1), 30 days + 1];
        vm.startPrank(governor);
        for (uint256 i; i < 2; ++i) {
            expectRevert(
                abi.encodeWithSelector(
                    IAttestationVerifier.AttestationVerifier_LifetimeOutOfBounds.selector, wrong[i], 1 hours, 30 days
                )
            );
            verifier.setLifetime(wrong[i]);
        }
        vm.stopPrank();
    }

    function test_setLifetime_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        verifier.setLifetime(1 days);
    }
}

contract AttestationVerifier_UpgradeToAndCall_Test is AttestationFixture {
    function test_upgradeToAndCall_keepsState() external {
        enrol(provider, enclave);
        AttestationVerifier next = new AttestationVerifier();
        vm.prank(governor);
        verifier.upgradeToAndCall(address(next), "");
        assertTrue(verifier.isEnrolled(provider, enclave, START), "still enrolled");
    }

    function test_upgradeToAndCall_byAnother_reverts() external {
        address next = address(new AttestationVerifier());
        vm.prank(guardian);
        expectNotGovernor(guardian);
        verifier.upgradeToAndCall(next, "");
    }
}

contract AttestationVerifier_VerifyJob_Test is AttestationFixture {
    bytes32 private constant RECEIPT = keccak256("receipt");

    function setUp() public override {
        super.setUp();
        enrol(provider, enclave);
    }

    function test_verifyJob_enrolledKey_succeeds() external {
        bytes memory signature = sign("enclave", RECEIPT);
        assertTrue(verifier.verifyJob(provider, RECEIPT, signature), "signed");
        assertFalse(verifier.verifyJob(otherProvider, RECEIPT, signature), "for its provider only");
        assertFalse(verifier.verifyJob(provider, keccak256("other"), signature), "that receipt only");
        assertFalse(verifier.verifyJob(provider, RECEIPT, sign("stranger", RECEIPT)), "by that key only");
        assertFalse(verifier.verifyJob(provider, RECEIPT, "nonsense"), "a signature only");
        assertFalse(verifier.verifyJob(address(0), RECEIPT, "nonsense"), "nobody for nobody");
        vm.warp(START + LIFETIME);
        assertFalse(verifier.verifyJob(provider, RECEIPT, signature), "in time only");
    }

    function test_verifyJobAt_timeAndModel_succeeds() external {
        bytes memory signature = sign("enclave", RECEIPT);
        vm.warp(START + 2 * LIFETIME);
        assertTrue(verifier.verifyJobAt(provider, MODEL, START + 5, RECEIPT, signature), "then");
        assertFalse(verifier.verifyJobAt(provider, MODEL, START + LIFETIME, RECEIPT, signature), "not later");
        assertFalse(verifier.verifyJobAt(provider, "other", START + 5, RECEIPT, signature), "this model only");
        vm.prank(guardian);
        verifier.revokeRoot(root);
        assertFalse(verifier.verifyJobAt(provider, MODEL, START + 5, RECEIPT, signature), "nothing under a revoked root");
    }
}
