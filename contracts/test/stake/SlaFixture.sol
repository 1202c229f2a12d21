// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ISlaRegistry } from "../../src/interfaces/ISlaRegistry.sol";
import { ISlashTable } from "../../src/interfaces/ISlashTable.sol";
import { Role } from "../../src/libraries/Types.sol";
import { SlaRegistry } from "../../src/stake/SlaRegistry.sol";
import { Fixture } from "../utils/Fixture.sol";

/// The network with four validators and a provider that promised 99 % of every day.
abstract contract SlaFixture is Fixture {
    uint32 internal constant WINDOW_OF_SLA = 1 days;
    uint32 internal constant UPTIME = 990_000;

    SlaRegistry internal slas;
    /// Names of the validators, in the order of their addresses.
    string[] internal names;

    function setUp() public virtual override {
        super.setUp();
        slas = SlaRegistry(
            proxy(address(new SlaRegistry()), abi.encodeCall(SlaRegistry.initialize, (governor, address(stakes), ruled())))
        );
        vm.startPrank(governor);
        stakes.setSlasher(address(slas), true);
        stakes.setOffence(slas.REASON(), ISlashTable.Offence(100, 1_000, 30 days));
        vm.stopPrank();
        string[4] memory sorted = ["validator 0", "validator 1", "validator 2", "validator 3"];
        for (uint256 i; i < 4; ++i) {
            for (uint256 j = i + 1; j < 4; ++j) {
                if (actor(sorted[j]) < actor(sorted[i])) (sorted[i], sorted[j]) = (sorted[j], sorted[i]);
            }
            names.push(sorted[i]);
        }
        for (uint256 i; i < names.length; ++i) {
            stakeAs(actor(names[i]), Role.Validator, MINIMUM, actor(hot(i)));
        }
        vm.prank(provider);
        slas.commit(UPTIME, WINDOW_OF_SLA);
        vm.warp(START + WINDOW_OF_SLA);
    }

    function ruled() internal pure returns (ISlaRegistry.Rule memory) {
        return ISlaRegistry.Rule({
            quorumStake: uint96(3 * MINIMUM), validators: 3, fewestProbes: 100, slashBps: 200, coolDown: 7 days, claimPeriod: 3 days
        });
    }

    function hot(uint256 i) internal view returns (string memory) {
        return string.concat(names[i], " hot key");
    }

    function report(uint256 i, uint32 failed) internal view returns (ISlaRegistry.Report memory) {
        return ISlaRegistry.Report(actor(names[i]), 144, failed, keccak256(bytes(names[i])));
    }

    function reports(uint256 count, uint32 failed) internal view returns (ISlaRegistry.Report[] memory list) {
        list = new ISlaRegistry.Report[](count);
        for (uint256 i; i < count; ++i) {
            list[i] = report(i, failed);
        }
    }

    function signatures(ISlaRegistry.Report[] memory list, address challenger, uint64 start)
        internal
        view
        returns (bytes[] memory signed)
    {
        signed = new bytes[](list.length);
        for (uint256 i; i < list.length; ++i) {
            signed[i] = sign(hot(i), slas.reportDigest(provider, start, WINDOW_OF_SLA, challenger, list[i]));
        }
    }

    function claimAs(address challenger, uint64 start, ISlaRegistry.Report[] memory list) internal returns (uint256) {
        bytes[] memory signed = signatures(list, challenger, start);
        vm.prank(challenger);
        return slas.claim(provider, 0, start, list, signed);
    }

    function refused(bytes memory data, uint64 start, ISlaRegistry.Report[] memory list) internal {
        bytes[] memory signed = signatures(list, stranger, start);
        vm.prank(stranger);
        expectRevert(data);
        slas.claim(provider, 0, start, list, signed);
    }
}
