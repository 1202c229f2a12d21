// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { PaymentVault } from "../../src/PaymentVault.sol";
import { DevUSDC } from "../../src/dev/DevUSDC.sol";
import { CreditLeaf } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Trees } from "../utils/Trees.sol";

/// USDC that tells the receiver, as an upgrade of the real one could.
contract HookedUSDC is DevUSDC {
    Thief private _told;

    constructor(address owner) DevUSDC(owner) { }

    function tell(Thief thief) external {
        _told = thief;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (address(_told) != address(0) && (from == address(_told) || to == address(_told))) _told.moved();
    }
}

/// An account, router and provider that calls the vault again while it is being paid.
contract Thief {
    PaymentVault private immutable VAULT;
    bytes private _again;
    bool private _inside;
    uint256 public calls;
    uint256 public entered;
    bytes4 public reason;

    constructor(PaymentVault vault, DevUSDC usdc) {
        VAULT = vault;
        usdc.approve(address(vault), type(uint256).max);
    }

    function act(bytes calldata first, bytes calldata again) external {
        _again = again;
        (bool done, bytes memory why) = address(VAULT).call(first);
        require(done, string(why));
        delete _again;
    }

    function moved() external {
        if (_again.length == 0 || _inside) return;
        _inside = true;
        ++calls;
        (bool done, bytes memory why) = address(VAULT).call(_again);
        if (done) ++entered;
        else reason = bytes4(why);
        _inside = false;
    }
}

contract ReentrantToken_Attack_Test is Fixture {
    uint256 private constant OWN = 100;
    uint256 private constant OTHERS = 1_000_000;

    Thief private thief;
    uint64 private batch;

    function setUp() public override {
        super.setUp();
        HookedUSDC hooked = new HookedUSDC(address(this));
        usdc = hooked;
        vault = PaymentVault(proxy(address(new PaymentVault()), _vaultData()));
        thief = new Thief(vault, usdc);
        hooked.tell(thief);
        lockAs(alice, router, OTHERS);
        depositAs(alice, OTHERS);
        CreditLeaf[] memory credits = one(CreditLeaf(address(thief), uint128(OWN)));
        Entry[] memory entries = one(entry(openGrant(), "alice", uint128(OTHERS)));
        batch = commit(router, entries, credits);
        applyAll(router, batch, entries);
        usdc.mint(address(thief), 3 * OWN);
        thief.act(abi.encodeCall(vault.deposit, (OWN)), "");
        thief.act(abi.encodeCall(vault.depositBond, (address(thief), OWN)), "");
        thief.act(abi.encodeCall(vault.thawBond, (OWN)), "");
        vm.warp(block.timestamp + THAW);
    }

    /// Every function during which the token is moved.
    function moving() private view returns (bytes[] memory list) {
        list = new bytes[](9);
        list[0] = abi.encodeCall(vault.withdraw, (OWN));
        list[1] = abi.encodeCall(vault.withdrawBond, ());
        list[2] = claimData(true);
        list[3] = abi.encodeCall(vault.withdrawRouterFees, (address(thief)));
        list[4] = abi.encodeCall(vault.deposit, (OWN));
        list[5] = abi.encodeCall(vault.depositBond, (address(thief), OWN));
        list[6] = abi.encodeCall(vault.depositFor, (address(thief), OWN));
        list[7] = abi.encodeCall(vault.depositWithPermit, (OWN, 0, 0, 0, 0));
        list[8] = claimData(false);
    }

    function claimData(bool bond) private view returns (bytes memory) {
        CreditLeaf[] memory credits = one(CreditLeaf(address(thief), uint128(OWN)));
        bytes32[] memory proof = Trees.proof(creditLeaves(credits), 0);
        return bond
            ? abi.encodeCall(vault.claimWithBond, (router, batch, address(thief), uint128(OWN), 0, proof))
            : abi.encodeCall(vault.claim, (router, batch, address(thief), uint128(OWN), 0, proof));
    }

    /// No function that moves the token can be entered while it is being moved.
    function test_attack_callAgain_isKeptOut() external {
        bytes[] memory list = moving();
        for (uint256 i; i < list.length - 1; ++i) {
            for (uint256 j; j < list.length; ++j) {
                uint256 calls = thief.calls();
                this.attempt(list[i], list[j]);
                assertEq(thief.calls(), calls, "the attempt is undone");
            }
        }
    }

    /// Undone, so that each attempt starts from the same books.
    function attempt(bytes calldata first, bytes calldata again) external {
        try this.act(first, again) {
            assertTrue(false, "unreachable");
        } catch (bytes memory result) {
            (uint256 calls, uint256 entered, bytes4 reason) = abi.decode(result, (uint256, uint256, bytes4));
            assertEq(calls, 1, "called back");
            assertEq(entered, 0, "not entered");
            assertEq(bytes32(reason), bytes32(bytes4(keccak256("ReentrancyGuardReentrantCall()"))), "by the guard");
        }
    }

    function act(bytes calldata first, bytes calldata again) external {
        thief.act(first, again);
        bytes memory result = abi.encode(thief.calls(), thief.entered(), thief.reason());
        assembly {
            revert(add(result, 0x20), mload(result))
        }
    }

    /// Whatever the thief calls in between, it leaves with what was its own.
    function test_attack_takesNothing() external {
        thief.act(abi.encodeCall(vault.withdraw, (OWN)), abi.encodeCall(vault.withdraw, (OWN)));
        thief.act(abi.encodeCall(vault.withdrawBond, ()), abi.encodeCall(vault.withdrawBond, ()));
        thief.act(claimData(false), claimData(true));
        assertEq(usdc.balanceOf(address(thief)), 4 * OWN, "deposit, bond and pay, once each");
        assertEq(vault.freeOf(alice), OTHERS, "hers");
        assertEq(usdc.balanceOf(address(vault)), 2 * OTHERS - OWN, "all the rest is there");
    }

    /// What is not guarded moves no token, and cannot lock money that has not arrived.
    function test_attack_lockBeforePaying_isUndone() external {
        vm.prank(address(thief));
        usdc.approve(address(vault), 0);
        bytes memory lock = abi.encodeCall(vault.lock, (router, 1_000));
        vm.expectRevert();
        thief.act(abi.encodeCall(vault.deposit, (1_000)), lock);
        (uint256 active,,) = vault.lockupOf(address(thief), router);
        assertEq(active, 0, "nothing locked");
    }
}
