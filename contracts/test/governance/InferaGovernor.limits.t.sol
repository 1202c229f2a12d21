// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { PaymentVault } from "../../src/PaymentVault.sol";
import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { IInferaGovernor } from "../../src/interfaces/IInferaGovernor.sol";
import { IPaymentVault } from "../../src/interfaces/IPaymentVault.sol";
import { IStakeRegistry } from "../../src/interfaces/IStakeRegistry.sol";
import { Role } from "../../src/libraries/Types.sol";
import { GovernanceFixture } from "./GovernanceFixture.sol";

/// What governance does not control (whitepaper §11.2). Each is tried by proposals that pass with every vote there is.
abstract contract Limits is GovernanceFixture {
    function tryAll(address target, bytes[] memory attempts) internal {
        for (uint256 i; i < attempts.length; ++i) {
            passAndFail(call(target, attempts[i]));
        }
    }
}

/// 1. The supply of INFR.
contract InferaGovernor_Supply_Test is Limits {
    function test_supply_cannotBeRaised() external {
        bytes[] memory attempts = new bytes[](5);
        attempts[0] = abi.encodeWithSignature("mint(address,uint256)", address(timelock), 1);
        attempts[1] = abi.encodeWithSignature("mint(uint256)", 1);
        attempts[2] = abi.encodeWithSignature("upgradeToAndCall(address,bytes)", address(vault), "");
        attempts[3] = abi.encodeWithSignature("grantRole(bytes32,address)", keccak256("MINTER_ROLE"), address(timelock));
        attempts[4] = abi.encodeWithSignature("initialize(address)", address(timelock));
        tryAll(address(infr), attempts);
        assertEq(infr.totalSupply(), 1_000_000_000e18, "one billion");
    }

    function test_supply_ofOthers_cannotBeTaken() external {
        infr.transfer(alice, 100e18);
        bytes[] memory attempts = new bytes[](2);
        attempts[0] = abi.encodeCall(infr.transferFrom, (alice, address(timelock), 100e18));
        attempts[1] = abi.encodeCall(infr.burnFrom, (alice, 100e18));
        tryAll(address(infr), attempts);
        assertEq(infr.balanceOf(alice), 100e18, "hers");
    }

    function test_supply_locked_cannotBeTaken() external {
        bytes[] memory attempts = new bytes[](3);
        attempts[0] = abi.encodeCall(ve.withdraw, ());
        attempts[1] = abi.encodeWithSignature("withdrawFor(address)", shark);
        attempts[2] = abi.encodeWithSignature("upgradeToAndCall(address,bytes)", address(vault), "");
        tryAll(address(ve), attempts);
        assertEq(infr.balanceOf(address(ve)), ve.totalLocked(), "locked it stays");
    }

    function test_supply_unvested_cannotBeTaken() external {
        bytes[] memory attempts = new bytes[](2);
        attempts[0] = abi.encodeWithSignature("revoke()");
        attempts[1] = abi.encodeWithSignature("upgradeToAndCall(address,bytes)", address(vault), "");
        tryAll(address(team), attempts);
        assertEq(infr.balanceOf(address(team)), 180_000_000e18, "the team's");
    }
}

/// A judge that slashes whom it was built to slash.
contract Hangman {
    uint64 public constant longestHold = 1 hours;

    function strike(StakeRegistry stakes, address operator) external returns (uint256) {
        return stakes.slash(operator, Role.Router, 10_000, address(0), address(0), "because");
    }
}

/// 2. Slashing a specific user after the fact.
contract InferaGovernor_Slashing_Test is Limits {
    function naming(address slasher_) private view returns (bytes memory) {
        return abi.encodeCall(stakes.setSlasher, (slasher_, true));
    }

    function expectNotAJudge(Proposal memory p, address account) private {
        expectRefusal(p, abi.encodeWithSelector(IInferaGovernor.InferaGovernor_NotAJudge.selector, account));
    }

    function test_slashing_directly_reverts() external {
        bytes memory reason = abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NotSlasher.selector, address(timelock));
        bytes32 why = "because";
        passAndFail(call(address(stakes), abi.encodeCall(stakes.slash, (router, Role.Router, 10_000, alice, alice, why))), reason);
        passAndFail(call(address(stakes), abi.encodeCall(stakes.slashAmount, (router, Role.Router, 1, alice, alice, why))), reason);
        passAndFail(call(address(stakes), abi.encodeCall(stakes.jail, (router, uint64(block.timestamp + 30 days), why))), reason);
        (uint256 active,,) = stakes.stakeOf(router, Role.Router);
        assertEq(active, MINIMUM, "untouched");
    }

    function test_slashing_byItself_cannotBeProposed() external {
        bytes memory blow = abi.encodeCall(stakes.slash, (router, Role.Router, 10_000, alice, alice, bytes32("because")));
        expectNotAJudge(calls(address(stakes), naming(address(timelock)), address(stakes), blow), address(timelock));
        expectNotAJudge(call(address(stakes), naming(address(gov))), address(gov));
    }

    function test_slashing_byAPerson_cannotBeProposed() external {
        expectNotAJudge(call(address(stakes), naming(alice)), alice);
        vm.etch(alice, abi.encodePacked(hex"ef0100", address(vault)));
        expectNotAJudge(call(address(stakes), naming(alice)), alice);
    }

    function test_slashing_byACourtThatIsAPerson_cannotBeProposed() external {
        expectNotAJudge(call(address(jobs), abi.encodeCall(jobs.setCourt, (alice, true))), alice);
        expectNotAJudge(call(address(jobs), abi.encodeCall(jobs.setCourt, (address(timelock), true))), address(timelock));
        enact(call(address(jobs), abi.encodeCall(jobs.setCourt, (address(new Hangman()), true))));
    }

    /// The call that goes with an upgrade has the same sender, so it is held to the same rules.
    function test_slashing_inTheShadowOfAnUpgrade_cannotBeProposed() external {
        address next = address(new StakeRegistry());
        bytes memory data = abi.encodeWithSignature("upgradeToAndCall(address,bytes)", next, naming(alice));
        expectNotAJudge(call(address(stakes), data), alice);
        data = abi.encodeWithSignature("upgradeToAndCall(address,bytes)", next, data);
        expectNotAJudge(call(address(stakes), data), alice);
    }

    function test_slashing_naming_takesTheStricterVote() external {
        Hangman hangman = new Hangman();
        uint256 id = enact(call(address(stakes), naming(address(hangman))));
        assertTrue(gov.kindOf(id) == IInferaGovernor.Kind.Upgrade, "8 %, flat, a week");
        assertTrue(stakes.isSlasher(address(hangman)), "a contract can be named");
        enact(call(address(stakes), abi.encodeCall(stakes.setSlasher, (address(hangman), false))));
        assertFalse(stakes.isSlasher(address(hangman)), "and dismissed");
    }

    /// The bound that remains where governance names an unjust judge: whoever sees it coming is gone before it sits.
    function test_slashing_byAnUnjustJudge_findsNobody() external {
        Hangman hangman = new Hangman();
        Proposal memory p = call(address(stakes), naming(address(hangman)));
        uint256 id = openVote(p);
        vm.prank(router);
        stakes.unbond(Role.Router, MINIMUM);
        vote(id, whale, FOR);
        closeVote(id);
        queue(p);
        vm.warp(block.timestamp + DELAY);
        vm.prank(router);
        stakes.withdraw(Role.Router);
        execute(p);
        assertEq(hangman.strike(stakes, router), 0, "nothing left to take");
        assertEq(infr.balanceOf(router), MINIMUM, "all of it out");
    }
}

/// 3. Developers' money.
contract InferaGovernor_Custody_Test is Limits {
    uint256 private constant FREE = 70e6;
    uint256 private constant LOCKED = 30e6;

    function setUp() public override {
        super.setUp();
        depositAs(alice, FREE);
        lockAs(alice, router, LOCKED);
    }

    function test_custody_depositsCannotBeTaken() external {
        bytes[] memory attempts = new bytes[](6);
        attempts[0] = abi.encodeCall(vault.withdraw, (FREE));
        attempts[1] = abi.encodeCall(vault.unlock, (router, LOCKED));
        attempts[2] = abi.encodeCall(vault.lock, (router, FREE));
        attempts[3] = abi.encodeCall(vault.thawBond, (1));
        attempts[4] = abi.encodeWithSignature("sweep(address,address)", address(usdc), address(timelock));
        attempts[5] = abi.encodeWithSignature("withdrawFor(address,address,uint256)", alice, address(timelock), FREE);
        tryAll(address(vault), attempts);
        passAndFail(call(address(usdc), abi.encodeCall(usdc.transferFrom, (address(vault), address(timelock), FREE))));
        assertWhole();
    }

    /// Debits need a grant the account signed; a governed router has none.
    function test_custody_debitsCannotBeInvented() external {
        Entry memory item = entry(openGrant(), "stranger", uint128(LOCKED));
        uint64 batch = commit(router, item);
        bytes memory data =
            abi.encodeCall(vault.applyDebits, (router, batch, debitsOf(one(item), new uint256[](1)), new bytes32[](0)));
        bytes memory reason = abi.encodeWithSelector(IPaymentVault.PaymentVault_BadSignature.selector, digestOf(item.grant), alice);
        passAndFail(call(address(vault), data), reason);
        assertWhole();
    }

    /// Recipients are of fees, earned and agreed to; not of deposits.
    function test_custody_redirectedFees_areNotDeposits() external {
        enact(call(address(vault), abi.encodeCall(vault.setRecipients, (stranger, stranger, stranger))));
        vault.withdrawProtocolFees();
        assertEq(usdc.balanceOf(stranger), 0, "nothing earned, nothing paid");
        assertWhole();
        vm.prank(alice);
        vault.withdraw(FREE);
        assertEq(usdc.balanceOf(alice), FREE, "out as ever");
    }

    /// New code could do anything, which is why it comes a week after the vote at the earliest: time to leave.
    function test_custody_anUpgrade_leavesTimeToLeave() external {
        Proposal memory p = upgradeOf(address(vault), address(new PaymentVault()));
        uint256 id = openVote(p);
        vote(id, whale, FOR);
        closeVote(id);
        queue(p);
        vm.prank(alice);
        vault.unlock(router, LOCKED);
        vm.warp(block.timestamp + DELAY - 1);
        vm.prank(alice);
        vault.withdrawThawed(router);
        vm.prank(alice);
        vault.withdraw(FREE + LOCKED);
        assertEq(usdc.balanceOf(alice), FREE + LOCKED, "gone before the code changed");
    }

    function assertWhole() private view {
        (uint256 active,,) = vault.lockupOf(alice, router);
        assertEq(vault.freeOf(alice), FREE, "free");
        assertEq(active, LOCKED, "locked");
        assertEq(usdc.balanceOf(address(vault)), FREE + LOCKED, "held");
    }
}

/// 4. Censorship.
contract InferaGovernor_Censorship_Test is Limits {
    function test_censorship_thereAreNoLists() external {
        address[4] memory targets = [address(stakes), address(jobs), address(vault), address(infr)];
        bytes[] memory attempts = new bytes[](6);
        attempts[0] = abi.encodeWithSignature("ban(address)", provider);
        attempts[1] = abi.encodeWithSignature("setAllowed(address,bool)", provider, false);
        attempts[2] = abi.encodeWithSignature("blacklist(address)", alice);
        attempts[3] = abi.encodeWithSignature("setModelAllowed(bytes32,bool)", bytes32("model"), false);
        attempts[4] = abi.encodeWithSignature("removeOperator(address)", provider);
        attempts[5] = abi.encodeWithSignature("pause()");
        for (uint256 i; i < targets.length; ++i) {
            tryAll(targets[i], attempts);
        }
        assertTrue(stakes.isActive(provider, Role.Provider), "in business");
    }

    /// A minimum nobody reaches would be a list by another name.
    function test_censorship_byMinimum_isBounded() external {
        uint256 highest = stakes.HIGHEST_MINIMUM();
        passAndFail(
            call(address(stakes), abi.encodeCall(stakes.setMinimumStake, (Role.Provider, highest + 1))),
            abi.encodeWithSelector(
                IStakeRegistry.StakeRegistry_MinimumOutOfBounds.selector, highest + 1, stakes.LOWEST_MINIMUM(), highest
            )
        );
    }
}
