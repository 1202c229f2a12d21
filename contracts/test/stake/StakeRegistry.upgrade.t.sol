// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { JobRegistry } from "../../src/JobRegistry.sol";
import { StakeRegistry } from "../../src/StakeRegistry.sol";
import { Role } from "../../src/libraries/Types.sol";
import { StakeFixture } from "./StakeFixture.sol";

interface Code {
    function getCode(string calldata path) external view returns (bytes memory);
}

interface Upgradeable {
    function upgradeToAndCall(address implementation, bytes calldata data) external payable;
}

/// The registry as it was first deployed (`StakeRegistryV1.json` is its creation code), used, and upgraded to what it is now.
contract StakeRegistry_Upgrade_Test is StakeFixture {
    bytes32 private constant STORAGE = 0xd2e05168c0e2aae06a0d4d2e9a6ec49493d4885a293ab9372fc9c34977dfbc00;

    function setUp() public override {
        super.setUp();
        bytes memory code = Code(address(vm)).getCode("test/stake/StakeRegistryV1.json");
        address first;
        assembly {
            first := create(0, add(code, 0x20), mload(code))
        }
        stakes = StakeRegistry(proxy(first, _stakesData()));
        vm.prank(governor);
        stakes.setSlasher(slasher, true);
        stakeAs(router, Role.Router, 2 * MINIMUM, routerHot);
        stakeAs(provider, Role.Provider, 3 * MINIMUM, providerHot);
        vm.startPrank(provider);
        stakes.unbond(Role.Provider, MINIMUM);
        stakes.setProfile("https://provider.example", "ipfs://profile");
        stakes.rotateHotKey(alice);
        vm.stopPrank();
        vm.startPrank(slasher);
        stakes.slash(provider, Role.Provider, 1_000, address(0), address(0), "fraud");
        stakes.jail(router, START + 10, "bias");
        vm.stopPrank();
    }

    function _everything() private view returns (bytes32) {
        bytes memory seen = abi.encode(
            stakes.owner(), stakes.infr(), stakes.unbondingPeriod(), stakes.isSlasher(slasher), stakes.isSlasher(stranger)
        );
        address[3] memory accounts = [router, provider, stranger];
        for (uint256 i; i < accounts.length; ++i) {
            (string memory endpoint, string memory metadata) = stakes.profileOf(accounts[i]);
            seen = abi.encode(seen, endpoint, metadata, stakes.hotKeyOf(accounts[i]), stakes.jailedUntil(accounts[i]));
            for (uint8 role = 1; role <= 3; ++role) {
                (uint256 bonded, uint256 unbonding, uint64 thawedAt) = stakes.stakeOf(accounts[i], Role(role));
                seen = abi.encode(seen, bonded, unbonding, thawedAt, stakes.isActive(accounts[i], Role(role)));
                seen = abi.encode(seen, stakes.minimumStake(Role(role)), stakes.operators(Role(role), 0, 10));
            }
        }
        address[3] memory keys = [routerHot, providerHot, alice];
        for (uint256 i; i < keys.length; ++i) {
            seen = abi.encode(seen, stakes.operatorOf(keys[i]), stakes.isSigner(provider, keys[i], START));
        }
        return keccak256(seen);
    }

    function test_upgrade_keepsEverything_succeeds() external {
        bytes32 before = _everything();
        address next = address(new StakeRegistry());
        vm.prank(governor);
        Upgradeable(address(stakes)).upgradeToAndCall(next, "");
        assertEq(_everything(), before, "all that could be read reads the same");

        priced();
        measured();
        vm.prank(provider);
        stakes.declare(SMALL, 1_000);
        vm.warp(START + UNBONDING);
        vm.startPrank(provider);
        stakes.withdraw(Role.Provider);
        stakes.unbond(Role.Provider, 2 * MINIMUM);
        vm.warp(START + 2 * UNBONDING);
        stakes.withdraw(Role.Provider);
        vm.stopPrank();
        assertEq(infr.balanceOf(provider), 3 * MINIMUM - 3 * MINIMUM / 10, "and goes on");
    }

    /// Where each field lies. A field that moves would be read from where another was written.
    function test_upgrade_layout_isAppendOnly() external {
        address next = address(new StakeRegistry());
        vm.prank(governor);
        Upgradeable(address(stakes)).upgradeToAndCall(next, "");
        uint256 base = uint256(STORAGE);
        assertEq(uint256(_at(base)), uint256(UNBONDING) << 160 | uint160(address(infr)), "infr, unbondingPeriod");
        uint256 book = _slot(bytes32(uint256(Role.Router)), base + 1);
        assertEq(uint256(_at(book)), MINIMUM, "roles[].minimum");
        assertEq(uint256(_at(book + 1)), 1, "roles[].operators");
        assertEq(uint256(_at(_slot(_key(router), book + 2))), 1, "roles[].known");
        uint256 operator = _slot(_key(router), base + 2);
        assertEq(uint256(_at(operator)), uint256(START + 10) << 160 | uint160(routerHot), "operators[].hotKey, jailedUntil");
        operator = _slot(_key(provider), base + 2);
        assertEq(uint256(_at(operator + 1)) & 0xff, 48, "operators[].endpoint");
        assertEq(uint256(_at(operator + 2)) & 0xff, 28, "operators[].metadata");
        uint256 hold = uint256(_at(_slot(bytes32(uint256(Role.Provider)), operator + 3)));
        assertEq(uint96(hold), 2 * MINIMUM, "operators[].stakes[].active");
        assertEq(uint96(hold >> 96), MINIMUM - 3 * MINIMUM / 10, "operators[].stakes[].thawing");
        uint256 hotKey = uint256(_at(_slot(_key(providerHot), base + 3)));
        assertEq(hotKey, uint256(START) << 160 | uint160(provider), "hotKeys[].operator, retiredAt");
        assertEq(uint256(_at(_slot(_key(slasher), base + 4))), 1, "slashers");
        bytes memory data = abi.encodeCall(JobRegistry.initialize, (governor, address(stakes), WINDOW));
        address ours = proxy(address(new JobRegistry()), data);
        vm.prank(governor);
        stakes.setJobRegistry(ours);
        assertEq(uint256(_at(base + 5)), uint160(ours), "jobs");
    }

    function _at(uint256 slot) private view returns (bytes32) {
        return vm.load(address(stakes), bytes32(slot));
    }

    function _slot(bytes32 key, uint256 map) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(key, map)));
    }

    function _key(address account) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }
}
