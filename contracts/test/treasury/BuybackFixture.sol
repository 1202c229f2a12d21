// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { DevUSDC } from "../../src/dev/DevUSDC.sol";
import { IBuyback } from "../../src/interfaces/IBuyback.sol";
import { Buyback } from "../../src/treasury/Buyback.sol";
import { IUniswapV3Factory } from "../../src/treasury/IUniswapV3.sol";
import { TickPrice } from "../../src/treasury/TickPrice.sol";
import { Fixture } from "../utils/Fixture.sol";
import { Code, Factory, Pool, Trader } from "./Uniswap.sol";

/// The network, and a Uniswap V3 pool (the published bytecode) with a million USDC and twenty million INFR at 0.05 USDC per INFR.
abstract contract BuybackFixture is Fixture {
    string private constant FACTORY =
        "node_modules/@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json";
    uint24 internal constant FEE = 3_000;
    uint128 internal constant LIQUIDITY = 4_472_135_954_999_579_392;
    int24 internal constant PRICE = 306_300;
    uint256 internal constant WEEKLY = 14_000e6;

    Factory internal factory;
    Pool internal pool;
    Trader internal maker;
    Trader internal trader;
    Buyback internal buyer;

    function usdcFirst() internal view virtual returns (bool) {
        return true;
    }

    function setUp() public virtual override {
        super.setUp();
        while ((address(usdc) < address(infr)) != usdcFirst()) {
            usdc = new DevUSDC(address(this));
        }
        factory = Factory(deployed(Code(address(vm)).getCode(FACTORY)));
        pool = Pool(factory.createPool(address(usdc), address(infr), FEE));
        pool.initialize(TickPrice.sqrtPriceX96(usdcFirst() ? PRICE : -PRICE));
        pool.increaseObservationCardinalityNext(200);
        maker = new Trader(pool);
        trader = new Trader(pool);
        fund(maker);
        fund(trader);
        maker.provide(LIQUIDITY);
        pass(1 hours);
        buyer = new Buyback(governor, usdc, infr, IUniswapV3Factory(address(factory)), FEE, tuned());
        usdc.mint(address(buyer), WEEKLY);
    }

    function tuned() internal pure returns (IBuyback.Tuning memory) {
        return IBuyback.Tuning({
            tranches: 14,
            window: 30 minutes,
            cardinality: 200,
            deviation: 100,
            slippageBps: 100,
            leastRound: 100e6,
            mostPerTranche: 5_000e6
        });
    }

    function deployed(bytes memory code) internal returns (address at_) {
        assembly {
            at_ := create(0, add(code, 0x20), mload(code))
        }
        assertTrue(at_ != address(0), "deployed");
    }

    function fund(Trader account) internal {
        usdc.mint(address(account), 100_000_000e6);
        infr.transfer(address(account), 100_000_000e18);
    }

    /// Lets time pass and has the pool note it down, as it does when liquidity comes, leaves or is moved to another tick.
    function pass(uint256 time) internal {
        vm.warp(block.timestamp + time);
        maker.provide(1);
    }

    function spot() internal view returns (int24 tick) {
        (, tick,,,,,) = pool.slot0();
    }

    /// What the trader's holdings are worth in USDC at the price of the pool before anybody moved it.
    function worth(Trader account) internal view returns (uint256) {
        return usdc.balanceOf(address(account))
            + TickPrice.convert(usdcFirst() ? PRICE : -PRICE, infr.balanceOf(address(account)), !usdcFirst());
    }
}
