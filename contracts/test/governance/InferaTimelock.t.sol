// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { TimelockController } from "@openzeppelin/contracts/governance/TimelockController.sol";

import { InferaTimelock } from "../../src/governance/InferaTimelock.sol";
import { GovernanceFixture } from "./GovernanceFixture.sol";

contract InferaTimelock_Constructor_Test is GovernanceFixture {
    uint256 private constant BASE = 8453;

    function build(uint256 delay) private returns (InferaTimelock) {
        return new InferaTimelock(delay, new address[](0), new address[](0), address(0));
    }

    function expectOutOfBounds(uint256 delay, uint256 lowest) private {
        vm.expectRevert(abi.encodeWithSelector(InferaTimelock.InferaTimelock_DelayOutOfBounds.selector, delay, lowest, 30 days));
    }

    function test_constructor_roles_succeeds() external view {
        assertTrue(timelock.hasRole(timelock.PROPOSER_ROLE(), address(gov)), "the governor proposes");
        assertTrue(timelock.hasRole(timelock.EXECUTOR_ROLE(), address(0)), "anybody executes");
        assertFalse(timelock.hasRole(timelock.DEFAULT_ADMIN_ROLE(), address(this)), "the deployer is out");
        assertEq(timelock.getMinDelay(), 7 days, "delay");
    }

    function test_constructor_production_sevenDaysAtLeast() external {
        vm.chainId(BASE);
        assertEq(build(7 days).LOWEST_DELAY(), 7 days, "lowest");
        expectOutOfBounds(7 days - 1, 7 days);
        build(7 days - 1);
        expectOutOfBounds(30 days + 1, 7 days);
        build(30 days + 1);
    }

    function test_constructor_development_aSecondAtLeast() external {
        uint256[3] memory chains = [uint256(31337), 1337, 84532];
        for (uint256 i; i < 3; ++i) {
            vm.chainId(chains[i]);
            assertEq(build(1).LOWEST_DELAY(), 1, "lowest");
            expectOutOfBounds(0, 1);
            build(0);
        }
    }

    /// Whatever a chain is called later, the bound is that of its birth.
    function test_constructor_bound_isFixed() external {
        vm.chainId(BASE);
        InferaTimelock real = build(7 days);
        vm.chainId(31337);
        expectOutOfBounds(1, 7 days);
        vm.prank(address(real));
        real.updateDelay(1);
    }
}

contract InferaTimelock_UpdateDelay_Test is GovernanceFixture {
    function test_updateDelay_byGovernance_succeeds() external {
        enact(call(address(timelock), abi.encodeCall(timelock.updateDelay, (10 days))));
        assertEq(timelock.getMinDelay(), 10 days, "longer");
    }

    function test_updateDelay_byAnother_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(TimelockController.TimelockUnauthorizedCaller.selector, stranger));
        vm.prank(stranger);
        timelock.updateDelay(8 days);
    }

    function test_updateDelay_tooLong_reverts() external {
        passAndFail(
            call(address(timelock), abi.encodeCall(timelock.updateDelay, (30 days + 1))),
            abi.encodeWithSelector(
                InferaTimelock.InferaTimelock_DelayOutOfBounds.selector, 30 days + 1, timelock.LOWEST_DELAY(), 30 days
            )
        );
    }
}

/// The attack: cut the delay first, then decide at leisure.
contract InferaTimelock_ShorterThanAWeek_Test is GovernanceFixture {
    function setUp() public override {
        vm.chainId(8453);
        super.setUp();
    }

    function test_updateDelay_belowSevenDays_reverts() external {
        passAndFail(
            call(address(timelock), abi.encodeCall(timelock.updateDelay, (7 days - 1))),
            abi.encodeWithSelector(InferaTimelock.InferaTimelock_DelayOutOfBounds.selector, 7 days - 1, 7 days, 30 days)
        );
        assertEq(timelock.getMinDelay(), 7 days, "a week it stays");
    }
}
