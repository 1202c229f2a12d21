// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPaymentVault } from "../../src/interfaces/IPaymentVault.sol";
import { JobReceipt, JobTicket, KeyGrant } from "../../src/libraries/Types.sol";
import { CourtFixture } from "../court/CourtFixture.sol";

/// The other form of a valid signature: (r, n - s) with the other parity says the same to the curve.
contract SignatureMalleability_Attack_Test is CourtFixture {
    uint256 private constant N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function twin(bytes memory signature) private pure returns (bytes memory) {
        (bytes32 r, uint256 s, uint8 v) = parts(signature);
        return abi.encodePacked(r, N - s, v == 27 ? 28 : 27);
    }

    function parts(bytes memory signature) private pure returns (bytes32 r, uint256 s, uint8 v) {
        assembly {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
    }

    function test_attack_twinRecoversTheSigner() external view {
        bytes32 digest = digestOf(openGrant());
        (bytes32 r, uint256 s, uint8 v) = parts(twin(sign("alice", digest)));
        assertEq(ecrecover(digest, v, r, bytes32(s)), alice, "the twin is a signature to the curve");
    }

    function test_attack_twinOfAGrant_reverts() external {
        KeyGrant memory grant = openGrant();
        bytes32 digest = digestOf(grant);
        bytes memory genuine = sign("alice", digest);
        bytes memory other = twin(genuine);
        bytes memory reason = abi.encodeWithSelector(IPaymentVault.PaymentVault_BadSignature.selector, digest, alice);
        expectRevert(reason);
        vault.registerGrant(grant, other);
        (bytes32 r, uint256 s, uint8 v) = parts(genuine);
        expectRevert(reason);
        vault.registerGrant(grant, abi.encodePacked(r, s | uint256(v - 27) << 255));
        vault.registerGrant(grant, genuine);
    }

    function test_attack_twinOfAReceipt_fails() external view {
        (JobTicket memory ticket, JobReceipt memory receipt) = jobOf(1);
        bytes memory first = signTicket(ticket);
        bytes memory next = signReceipt(ticket, receipt);
        assertTrue(jobs.verifyReceipt(ticket, first, receipt, next), "genuine");
        assertFalse(jobs.verifyReceipt(ticket, twin(first), receipt, next), "the ticket's twin");
        assertFalse(jobs.verifyReceipt(ticket, first, receipt, twin(next)), "the receipt's twin");
    }

    /// A ticket contradicts another ticket, never another signature of itself.
    function test_attack_twinIsNoSecondTicket() external {
        (JobTicket memory ticket,) = jobOf(1);
        bytes memory first = signTicket(ticket);
        bytes memory other = twin(first);
        vm.expectRevert();
        court.proveEquivocation(ticket, first, ticket, other);
    }
}
