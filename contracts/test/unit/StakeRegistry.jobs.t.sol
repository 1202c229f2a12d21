// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { IStakeRegistry } from "../../src/interfaces/IStakeRegistry.sol";
import { Role } from "../../src/libraries/Types.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Judge } from "../utils/Judge.sol";

contract StakeRegistry_SetJobRegistry_Test is Fixture {
    function test_setJobRegistry_byGovernor_lengthensUnbonding() external {
        address judge = address(new Judge(14 days));
        vm.startPrank(governor);
        expectEvent(address(stakes));
        emit IStakeRegistry.JobRegistryChanged(address(jobs));
        stakes.setJobRegistry(address(jobs));
        jobs.setCourt(judge, true);
        vm.stopPrank();
        assertEq(stakes.jobRegistry(), address(jobs), "named");
        vm.prank(router);
        assertEq(stakes.unbond(Role.Router, 1), START + WINDOW + 14 days + 1, "longer than any batch of now is open");
    }

    function test_setJobRegistry_zero_reverts() external {
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_ZeroAddress.selector));
        stakes.setJobRegistry(address(0));
    }

    function test_setJobRegistry_ofAnotherStake_reverts() external {
        StakeRegistry others = StakeRegistry(proxy(address(new StakeRegistry()), _stakesData()));
        vm.prank(governor);
        expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_ForeignJobRegistry.selector, address(jobs)));
        others.setJobRegistry(address(jobs));
    }

    function test_setJobRegistry_notGovernor_reverts() external {
        vm.prank(stranger);
        expectNotGovernor(stranger);
        stakes.setJobRegistry(address(jobs));
    }
}
