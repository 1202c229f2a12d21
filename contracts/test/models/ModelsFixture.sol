// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IHotPool } from "../../src/interfaces/IHotPool.sol";
import { IModelRegistry } from "../../src/interfaces/IModelRegistry.sol";
import { Role } from "../../src/libraries/Types.sol";
import { HotPool } from "../../src/models/HotPool.sol";
import { ModelRegistry } from "../../src/models/ModelRegistry.sol";
import { Fixture } from "../utils/Fixture.sol";

/// The deployed network with a model registry, a hot pool and one official model of two to four seats that pays up to 100 per seat.
abstract contract ModelsFixture is Fixture {
    uint40 internal constant FRESHNESS = 1 hours;
    uint40 internal constant NOTICE = 2 hours;
    uint40 internal constant EPOCH = 6 hours;
    bytes32 internal constant MODEL = keccak256("manifest");

    ModelRegistry internal registry;
    HotPool internal pool;

    function setUp() public virtual override {
        super.setUp();
        registry = ModelRegistry(
            proxy(address(new ModelRegistry()), abi.encodeCall(ModelRegistry.initialize, (governor, address(stakes))))
        );
        pool = HotPool(
            proxy(
                address(new HotPool()), abi.encodeCall(HotPool.initialize, (governor, address(usdc), address(registry), defaults()))
            )
        );
        vm.prank(governor);
        registry.setHotPool(address(pool));
        vm.prank(governor);
        registry.addModel(MODEL, "llama-3.1-8b-instruct", "https://models.example/llama", terms());
    }

    function defaults() internal pure returns (IHotPool.Parameters memory) {
        return IHotPool.Parameters(FRESHNESS, NOTICE, EPOCH, 500, 500);
    }

    function terms() internal pure returns (IModelRegistry.Terms memory) {
        return IModelRegistry.Terms({
            maxPriceIn: 200_000, maxPriceOut: 600_000, stakePpm: 10_000, incentive: true, subsidyRate: 400, minSeats: 2, maxSeats: 4
        });
    }

    /// As many seats as there can be.
    function wide() internal pure returns (IModelRegistry.Terms memory most) {
        most = terms();
        (most.subsidyRate, most.minSeats, most.maxSeats) = (6_400, 64, 64);
    }

    function loadout() internal pure returns (IHotPool.Loadout memory) {
        return IHotPool.Loadout(50, 8, 0x06);
    }

    function nameOf(uint256 i) internal pure returns (string memory) {
        return string.concat("provider ", vm.toString(i));
    }

    function hotNameOf(uint256 i) internal pure returns (string memory) {
        return string.concat(nameOf(i), " hot key");
    }

    /// The i-th further provider, staked for 100 tokens per second of the model.
    function providerAt(uint256 i) internal returns (address operator) {
        operator = actor(nameOf(i));
        if (stakes.hotKeyOf(operator) == address(0)) stakeAs(operator, Role.Provider, 2 * MINIMUM, actor(hotNameOf(i)));
    }

    function bidAs(uint256 i, uint64 ask) internal returns (address operator) {
        operator = providerAt(i);
        vm.prank(operator);
        pool.bid(MODEL, ask, loadout());
    }

    function fundPool(uint256 amount) internal {
        usdc.mint(address(this), amount);
        usdc.approve(address(pool), amount);
        pool.fund(MODEL, amount);
    }

    function beatAs(uint256 i) internal {
        vm.prank(actor(hotNameOf(i)));
        pool.heartbeat(list(MODEL));
    }

    function wait(uint256 time) internal {
        vm.warp(block.timestamp + time);
    }

    function list(bytes32 item) internal pure returns (bytes32[] memory items) {
        items = new bytes32[](1);
        items[0] = item;
    }

    function signalOf(address router_, uint8 wanted, uint64 sequence) internal view returns (IHotPool.DemandSignal memory) {
        return IHotPool.DemandSignal(router_, MODEL, sequence, pool.currentEpoch(), wanted);
    }

    function send(IHotPool.DemandSignal memory signal, string memory signer) internal returns (uint256) {
        IHotPool.DemandSignal[] memory signals = new IHotPool.DemandSignal[](1);
        bytes[] memory signatures = new bytes[](1);
        (signals[0], signatures[0]) = (signal, sign(signer, pool.signalDigest(signal)));
        return pool.signalDemand(signals, signatures);
    }

    function send(IHotPool.Heartbeat memory beat, string memory signer) internal returns (uint256) {
        IHotPool.Heartbeat[] memory beats = new IHotPool.Heartbeat[](1);
        bytes[] memory signatures = new bytes[](1);
        (beats[0], signatures[0]) = (beat, sign(signer, pool.heartbeatDigest(beat)));
        return pool.submitHeartbeats(beats, signatures);
    }

    function seatOf(address operator) internal view returns (IHotPool.Seat memory seat) {
        IHotPool.Seat[] memory all = pool.seatsOf(MODEL);
        for (uint256 i; i < all.length; ++i) {
            if (all[i].provider == operator) return all[i];
        }
    }

    function seats() internal view returns (uint8 count) {
        (,,, count,) = pool.poolOf(MODEL);
    }

    function taken() internal view returns (uint8 count) {
        (,,,, count) = pool.poolOf(MODEL);
    }
}
