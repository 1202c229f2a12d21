// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IModelRegistry } from "../../src/interfaces/IModelRegistry.sol";
import { ModelRegistry } from "../../src/models/ModelRegistry.sol";
import { ModelsFixture } from "./ModelsFixture.sol";

contract ModelRegistry_Initialize_Test is ModelsFixture {
    function test_initialize_wiring_succeeds() external view {
        assertEq(registry.owner(), governor, "owner");
        assertEq(registry.hotPool(), address(pool), "pool");
        assertEq(registry.stakeRegistry(), address(stakes), "stakes");
    }

    function test_initialize_twice_reverts() external {
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        registry.initialize(stranger, address(stakes));
    }
}

contract ModelRegistry_ListModel_Test is ModelsFixture {
    bytes32 private constant OWN = keccak256("own manifest");

    function test_listModel_anyone_isUnofficial() external {
        expectEvent(address(registry));
        emit IModelRegistry.ModelListed(OWN, stranger);
        expectEvent(address(registry));
        emit IModelRegistry.ManifestAnnounced(OWN, stranger, "ipfs://manifest");
        vm.prank(stranger);
        registry.listModel(OWN, "ipfs://manifest");
        assertTrue(registry.isListed(OWN), "listed");
        assertFalse(registry.isOfficial(OWN), "unofficial");
        assertEq(registry.nameOf(OWN), "", "no name");
        assertEq(registry.uriOf(OWN, stranger), "ipfs://manifest", "uri");
        assertTrue(registry.withinCeilings(OWN, type(uint64).max, type(uint64).max), "no ceilings");
        assertEq(registry.stakeFor(OWN, 1_000), 0, "no coefficient");
        assertEq(registry.modelCount(), 2, "count");
    }

    /// Whoever lists a model first cannot keep others from saying where its manifest really is.
    function test_listModel_squatted_othersAnnounceTheirs() external {
        vm.prank(stranger);
        registry.listModel(OWN, "https://nowhere.example");
        vm.prank(alice);
        registry.listModel(OWN, "ipfs://manifest");
        assertEq(registry.uriOf(OWN, stranger), "https://nowhere.example", "the squatter's");
        assertEq(registry.uriOf(OWN, alice), "ipfs://manifest", "alice's");
        assertEq(registry.listerCount(OWN), 2, "listers");
        assertEq(registry.listers(OWN, 1, 5)[0], alice, "in order");
        assertEq(registry.modelCount(), 2, "listed once");
    }

    function test_listModel_again_replacesItsOwn() external {
        vm.startPrank(alice);
        registry.listModel(OWN, "a");
        registry.listModel(OWN, "b");
        vm.stopPrank();
        assertEq(registry.uriOf(OWN, alice), "b", "uri");
        assertEq(registry.listerCount(OWN), 1, "one lister");
    }

    function test_listModel_noModel_reverts() external {
        expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_NoModel.selector));
        registry.listModel(bytes32(0), "a");
    }

    function test_listModel_badUri_reverts() external {
        expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_BadUri.selector, 0, 256));
        registry.listModel(OWN, "");
        expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_BadUri.selector, 257, 256));
        registry.listModel(OWN, string(new bytes(257)));
        registry.listModel(OWN, string(new bytes(256)));
    }

    function testFuzz_listModel_pages_areTheWholeInOrder(uint8 count, uint8 size) external {
        count = uint8(bound(count, 0, 20));
        size = uint8(bound(size, 1, 7));
        for (uint256 i; i < count; ++i) {
            registry.listModel(bytes32(i + 1), "uri");
        }
        uint256 seen = 1;
        for (uint256 offset = 1; offset <= count; offset += size) {
            bytes32[] memory page = registry.models(offset, size);
            for (uint256 i; i < page.length; ++i) {
                assertEq(page[i], bytes32(seen++), "order");
            }
        }
        assertEq(seen, uint256(count) + 1, "all");
        assertEq(registry.models(0, type(uint256).max).length, uint256(count) + 1, "in one page");
        assertEq(registry.models(type(uint256).max, type(uint256).max).length, 0, "beyond the end");
    }
}

contract ModelRegistry_AddModel_Test is ModelsFixture {
    bytes32 private constant NEW = keccak256("new manifest");

    function add(string memory name, IModelRegistry.Terms memory terms_) private {
        vm.prank(governor);
        registry.addModel(NEW, name, "uri", terms_);
    }

    /// One call, as one proposal carries it, and providers can take paid seats.
    function test_addModel_activatesEverything() external {
        expectEvent(address(registry));
        emit IModelRegistry.ModelAdded(NEW, "qwen2.5-7b", terms());
        add("qwen2.5-7b", terms());
        assertTrue(registry.isListed(NEW) && registry.isOfficial(NEW), "official");
        assertEq(registry.modelOf("qwen2.5-7b"), NEW, "name");
        assertEq(registry.nameOf(NEW), "qwen2.5-7b", "back");
        assertEq(registry.officialCount(), 2, "count");
        assertEq(registry.officialModels(1, 1)[0], NEW, "page");
        assertEq(registry.termsOf(NEW).subsidyRate, 400, "terms");
        (uint64 rate, uint8 minSeats, uint8 maxSeats, uint8 count,) = pool.poolOf(NEW);
        assertEq(rate, 400, "rate");
        assertEq(minSeats, 2, "min");
        assertEq(maxSeats, 4, "max");
        assertEq(count, 2, "starts with the fewest");
        vm.prank(providerAt(0));
        pool.bid(NEW, 100, loadout());
    }

    function test_addModel_listedBefore_succeeds() external {
        vm.prank(stranger);
        registry.listModel(NEW, "ipfs://other");
        add("qwen2.5-7b", terms());
        assertEq(registry.listerCount(NEW), 2, "both announce it");
        assertEq(registry.modelCount(), 2, "listed once");
    }

    function test_addModel_withoutIncentive_opensNoPool() external {
        IModelRegistry.Terms memory quiet = terms();
        quiet.incentive = false;
        add("qwen2.5-7b", quiet);
        (uint64 rate,,,,) = pool.poolOf(NEW);
        assertEq(rate, 0, "closed");
    }

    function test_addModel_ceilingsAndStake_hold() external {
        add("qwen2.5-7b", terms());
        assertTrue(registry.withinCeilings(NEW, 200_000, 600_000), "at them");
        assertFalse(registry.withinCeilings(NEW, 200_001, 0), "in");
        assertFalse(registry.withinCeilings(NEW, 0, 600_001), "out");
        assertEq(registry.stakeFor(NEW, 100), MINIMUM, "a hundredth of the minimum per token and second");
    }

    function test_addModel_twice_reverts() external {
        expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_AlreadyOfficial.selector, MODEL));
        vm.prank(governor);
        registry.addModel(MODEL, "other-name", "uri", terms());
    }

    function test_addModel_nameTaken_reverts() external {
        expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_NameTaken.selector, "llama-3.1-8b-instruct", MODEL));
        add("llama-3.1-8b-instruct", terms());
    }

    function test_addModel_badName_reverts() external {
        string[9] memory names = ["", "Llama", "a b", "-a", "a-", "a--b", unicode"lläma", "a/.b", string(new bytes(65))];
        for (uint256 i; i < names.length; ++i) {
            expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_BadName.selector, names[i]));
            add(names[i], terms());
        }
        add("meta/llama-3.1_8b:q4", terms());
    }

    function test_addModel_coefficientTooHigh_reverts() external {
        IModelRegistry.Terms memory greedy = terms();
        greedy.stakePpm = 1_000_001;
        expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_CoefficientTooHigh.selector, 1_000_001, 1_000_000));
        add("qwen2.5-7b", greedy);
    }

    function test_addModel_noHotPool_reverts() external {
        vm.prank(governor);
        registry.setHotPool(address(0));
        expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_NoHotPool.selector));
        add("qwen2.5-7b", terms());
        IModelRegistry.Terms memory quiet = terms();
        quiet.incentive = false;
        add("qwen2.5-7b", quiet);
    }

    function test_addModel_notGovernor_reverts() external {
        expectNotGovernor(stranger);
        vm.prank(stranger);
        registry.addModel(NEW, "qwen2.5-7b", "uri", terms());
    }
}

contract ModelRegistry_SetTerms_Test is ModelsFixture {
    function test_setTerms_reachesThePool_succeeds() external {
        IModelRegistry.Terms memory higher = terms();
        (higher.subsidyRate, higher.minSeats, higher.maxPriceIn) = (800, 3, 1);
        expectEvent(address(registry));
        emit IModelRegistry.TermsChanged(MODEL, higher);
        vm.prank(governor);
        registry.setTerms(MODEL, higher);
        assertEq(pool.highestAsk(MODEL), 200, "ask");
        assertEq(seats(), 3, "seats");
        assertEq(registry.termsOf(MODEL).maxPriceIn, 1, "ceiling");
    }

    function test_setTerms_notOfficial_reverts() external {
        expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_NotOfficial.selector, bytes32("x")));
        vm.prank(governor);
        registry.setTerms("x", terms());
    }

    function test_setTerms_notGovernor_reverts() external {
        expectNotGovernor(stranger);
        vm.prank(stranger);
        registry.setTerms(MODEL, terms());
    }
}

contract ModelRegistry_SetName_Test is ModelsFixture {
    function test_setName_freesTheOld_keepsVersions() external {
        vm.prank(governor);
        registry.setName(MODEL, "llama-3.1-8b");
        assertEq(registry.modelOf("llama-3.1-8b"), MODEL, "new");
        assertEq(registry.modelOf("llama-3.1-8b-instruct"), bytes32(0), "old");
        assertEq(registry.versionOf("llama-3.1-8b-instruct"), 2, "versions");
        assertEq(registry.modelAt("llama-3.1-8b-instruct", 1), MODEL, "what it was");
        assertEq(registry.modelAt("llama-3.1-8b-instruct", 2), bytes32(0), "what it is");
        assertEq(registry.modelAt("llama-3.1-8b-instruct", 0), bytes32(0), "no version 0");
        assertEq(registry.modelAt("llama-3.1-8b-instruct", 3), bytes32(0), "no version 3");
    }

    /// New weights take over a name: retire, then add under the same one.
    function test_setName_newWeights_takeTheName() external {
        vm.startPrank(governor);
        registry.retireModel(MODEL);
        expectEvent(address(registry));
        emit IModelRegistry.NameAssigned("llama-3.1-8b-instruct", bytes32("b"), 3);
        registry.addModel("b", "llama-3.1-8b-instruct", "uri", terms());
        vm.stopPrank();
        assertEq(registry.modelOf("llama-3.1-8b-instruct"), bytes32("b"), "now");
        assertEq(registry.modelAt("llama-3.1-8b-instruct", 1), MODEL, "then");
    }

    function test_setName_notOfficial_reverts() external {
        expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_NotOfficial.selector, bytes32("x")));
        vm.prank(governor);
        registry.setName("x", "name");
    }

    function test_setName_notGovernor_reverts() external {
        expectNotGovernor(stranger);
        vm.prank(stranger);
        registry.setName(MODEL, "name");
    }
}

contract ModelRegistry_RetireModel_Test is ModelsFixture {
    function test_retireModel_staysListed_paysNoMore() external {
        fundPool(1e9);
        address operator = bidAs(0, 100);
        expectEvent(address(registry));
        emit IModelRegistry.ModelRetired(MODEL);
        vm.prank(governor);
        registry.retireModel(MODEL);
        assertTrue(registry.isListed(MODEL), "still listed");
        assertFalse(registry.isOfficial(MODEL), "unofficial");
        assertEq(registry.modelOf("llama-3.1-8b-instruct"), bytes32(0), "name freed");
        assertEq(registry.termsOf(MODEL).maxPriceIn, 0, "no terms");
        wait(FRESHNESS);
        beatAs(0);
        wait(FRESHNESS);
        beatAs(0);
        assertEq(pool.balanceOf(operator), uint256(100) * FRESHNESS, "only what was set aside before");
    }

    function test_retireModel_withoutPool_succeeds() external {
        vm.startPrank(governor);
        registry.setHotPool(address(0));
        registry.retireModel(MODEL);
        vm.stopPrank();
        assertEq(registry.officialCount(), 0, "none");
    }

    function test_retireModel_notOfficial_reverts() external {
        expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_NotOfficial.selector, bytes32("x")));
        vm.prank(governor);
        registry.retireModel("x");
    }

    function test_retireModel_notGovernor_reverts() external {
        expectNotGovernor(stranger);
        vm.prank(stranger);
        registry.retireModel(MODEL);
    }
}

contract ModelRegistry_SetHotPool_Test is ModelsFixture {
    function test_setHotPool_announced_succeeds() external {
        expectEvent(address(registry));
        emit IModelRegistry.HotPoolChanged(alice);
        vm.prank(governor);
        registry.setHotPool(alice);
        assertEq(registry.hotPool(), alice, "pool");
    }

    function test_setHotPool_notGovernor_reverts() external {
        expectNotGovernor(stranger);
        vm.prank(stranger);
        registry.setHotPool(alice);
    }
}
