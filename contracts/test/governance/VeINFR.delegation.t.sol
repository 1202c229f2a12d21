// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IVotes } from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import { Nonces } from "@openzeppelin/contracts/utils/Nonces.sol";

import { IVeINFR } from "../../src/interfaces/IVeINFR.sol";
import { VeFixture } from "./VeFixture.sol";

contract VeINFR_Delegate_Test is VeFixture {
    function test_delegate_movesTheWholeLock_succeeds() external {
        uint48 end = lockAs(alice, 10e18, START + 10 * WEEK);
        lockAs(bob, 30e18, START + 20 * WEEK);
        assertEq(ve.delegates(alice), alice, "one votes for oneself");
        uint256 power = ve.getVotes(alice);
        vm.expectEmit(true, true, true, true, address(ve));
        emit IVotes.DelegateChanged(alice, alice, bob);
        vm.expectEmit(true, true, true, true, address(ve));
        emit IVotes.DelegateVotesChanged(alice, power, 0);
        vm.prank(alice);
        ve.delegate(bob);
        assertEq(ve.getVotes(alice), 0, "gone");
        assertEq(ve.getVotes(bob), power + ve.balanceOf(bob), "arrived");
        assertEq(ve.balanceOf(alice), power, "still its own");
        vm.warp(end);
        assertEq(ve.getVotes(bob), worth(30e18, START + 20 * WEEK), "and ends when it ends");
        assertEq(ve.totalSupply(), ve.getVotes(bob), "total");
    }

    function test_delegate_changesFollow_succeeds() external {
        lockAs(alice, 10e18, START + 10 * WEEK);
        vm.prank(alice);
        ve.delegate(bob);
        wait(3 days);
        fund(alice, 5e18);
        vm.prank(alice);
        ve.increaseAmount(5e18);
        vm.prank(alice);
        ve.extend(START + 50 * WEEK);
        assertEq(ve.getVotes(bob), worth(15e18, START + 50 * WEEK), "to the delegate");
        assertEq(ve.getVotes(alice), 0, "not to the account");
    }

    function test_delegate_isNotPassedOn_succeeds() external {
        lockAs(alice, 10e18, START + 10 * WEEK);
        vm.prank(alice);
        ve.delegate(bob);
        vm.prank(bob);
        ve.delegate(carol);
        assertEq(ve.getVotes(bob), ve.balanceOf(alice), "bob keeps what alice gave");
        assertEq(ve.getVotes(carol), 0, "carol gets only bob's own");
    }

    function test_delegate_backAndBeforeLocking_succeeds() external {
        vm.prank(alice);
        ve.delegate(bob);
        lockAs(alice, 10e18, START + 10 * WEEK);
        assertEq(ve.getVotes(bob), ve.balanceOf(alice), "named before there was a lock");
        vm.prank(alice);
        ve.delegate(address(0));
        assertEq(ve.delegates(alice), alice, "nobody means oneself");
        assertEq(ve.getVotes(alice), ve.balanceOf(alice), "back");
        assertEq(ve.getVotes(bob), 0, "gone");
    }

    function test_delegate_endedLock_movesNothing() external {
        uint48 end = lockAs(alice, 10e18, START + WEEK);
        vm.warp(end + 1);
        vm.prank(alice);
        ve.delegate(bob);
        assertEq(ve.getVotes(bob), 0, "nothing");
        assertEq(ve.delegates(alice), bob, "but named for the next");
    }
}

contract VeINFR_DelegateBySig_Test is VeFixture {
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    function signed(uint256 key, address delegatee, uint256 nonce, uint256 expiry)
        private
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        bytes32 domain = keccak256(abi.encode(DOMAIN, keccak256("Vote-escrowed INFR"), keccak256("1"), block.chainid, address(ve)));
        bytes32 message = keccak256(
            abi.encode(keccak256("Delegation(address delegatee,uint256 nonce,uint256 expiry)"), delegatee, nonce, expiry)
        );
        return vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, message)));
    }

    function test_delegateBySig_once_succeeds() external {
        lockAs(alice, 10e18, START + 10 * WEEK);
        (uint8 v, bytes32 r, bytes32 s) = signed(0xa11ce, bob, 0, START);
        ve.delegateBySig(bob, 0, START, v, r, s);
        assertEq(ve.getVotes(bob), ve.balanceOf(alice), "moved");
        vm.expectRevert(abi.encodeWithSelector(Nonces.InvalidAccountNonce.selector, alice, 1));
        ve.delegateBySig(bob, 0, START, v, r, s);
    }

    function test_delegateBySig_expired_reverts() external {
        (uint8 v, bytes32 r, bytes32 s) = signed(0xa11ce, bob, 0, START - 1);
        vm.expectRevert(abi.encodeWithSelector(IVotes.VotesExpiredSignature.selector, START - 1));
        ve.delegateBySig(bob, 0, START - 1, v, r, s);
    }

    function test_delegateBySig_noSignature_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IVeINFR.VeINFR_BadSignature.selector));
        ve.delegateBySig(bob, 0, START, 27, 0, 0);
    }
}
