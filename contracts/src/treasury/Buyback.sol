// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Ownable, Ownable2Step } from "@openzeppelin/contracts/access/Ownable2Step.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { ERC20Burnable } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import { IBuyback } from "../interfaces/IBuyback.sol";
import { IUniswapV3Factory, IUniswapV3Pool } from "./IUniswapV3.sol";
import { TickPrice } from "./TickPrice.sol";

/// @title Buyback
/// @notice Turns the buyback share of the protocol fee into burned INFR. See {IBuyback}, which is its specification.
contract Buyback is IBuyback, Ownable2Step, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    uint64 public constant ROUND = 7 days;
    uint256 public constant BPS = 10_000;

    IERC20 public immutable usdc;
    ERC20Burnable public immutable infr;
    IUniswapV3Factory public immutable factory;
    bool private immutable _usdcFirst;

    IUniswapV3Pool private _pool;
    Tuning private _tuning;
    Round private _round;

    constructor(address governor, IERC20 usdc_, ERC20Burnable infr_, IUniswapV3Factory factory_, uint24 fee, Tuning memory tuning_)
        Ownable(governor)
    {
        // INVARIANT: what is bought, with what and where is known from the first block on and never changes.
        if (address(usdc_) == address(0) || address(infr_) == address(0) || address(factory_) == address(0)) {
            revert Buyback_ZeroAddress();
        }
        (usdc, infr, factory) = (usdc_, infr_, factory_);
        _usdcFirst = address(usdc_) < address(infr_);
        _setTuning(tuning_);
        _setPool(fee);
    }

    /// @inheritdoc IBuyback
    function buy() external nonReentrant returns (uint256 spent, uint256 burned) {
        spent = _takeTranche();
        (uint256 least, int24 meanTick) = leastFor(spent);
        _swap(spent, least);
        burned = IERC20(address(infr)).balanceOf(address(this));
        infr.burn(burned);
        emit Bought(_round.startedAt, spent, burned, meanTick);
    }

    /// @notice Pays the pool for the swap under way. Only `buy` swaps, and a pool calls back nobody but who swaps.
    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        // INVARIANT: USDC leaves for the pool alone.
        if (msg.sender != address(_pool)) revert Buyback_NotPool(msg.sender);
        usdc.safeTransfer(msg.sender, uint256(_usdcFirst ? amount0 : amount1));
    }

    // Governor

    /// @inheritdoc IBuyback
    function setTuning(Tuning calldata tuning_) external onlyOwner {
        _setTuning(tuning_);
    }

    /// @inheritdoc IBuyback
    function setPool(uint24 fee) external onlyOwner {
        _setPool(fee);
    }

    // Views

    /// @inheritdoc IBuyback
    function leastFor(uint256 spent) public view returns (uint256 least, int24 meanTick) {
        Tuning memory bounds = _tuning;
        (, int24 spot,, uint16 cardinality,,,) = _pool.slot0();
        // INVARIANT: nobody can push the averaged past out of the pool's memory by trading dust in every block.
        if (cardinality < bounds.cardinality) revert Buyback_FewObservations(cardinality, bounds.cardinality);
        uint32[] memory ago = new uint32[](2);
        ago[0] = bounds.window;
        // A pool younger than the window refuses this.
        (int56[] memory cumulative,) = _pool.observe(ago);
        meanTick = TickPrice.mean(cumulative[0], cumulative[1], bounds.window);
        uint256 distance = uint256(int256(spot > meanTick ? spot - meanTick : meanTick - spot));
        // INVARIANT: nothing is bought while the price stands away from its average, in whichever direction.
        if (distance > bounds.deviation) revert Buyback_PriceMoved(spot, meanTick, bounds.deviation);
        least = TickPrice.convert(meanTick, spent, _usdcFirst) * (BPS - bounds.slippageBps) / BPS;
    }

    /// @inheritdoc IBuyback
    function tuning() external view returns (Tuning memory) {
        return _tuning;
    }

    /// @inheritdoc IBuyback
    function round() external view returns (Round memory) {
        return _round;
    }

    /// @inheritdoc IBuyback
    function pool() external view returns (address) {
        return address(_pool);
    }

    // Internals

    function _takeTranche() private returns (uint256 spent) {
        Round memory current = _round;
        // INVARIANT: tranches keep their distance, across rounds too; one that was missed is not made up for in haste.
        if (block.timestamp < current.nextAt) revert Buyback_TooEarly(current.nextAt);
        uint64 endsAt = current.startedAt + ROUND;
        if (block.timestamp >= endsAt) {
            current = _openRound();
        } else if (current.left == 0) {
            // INVARIANT: what arrives during a round waits for the next.
            revert Buyback_RoundSpent(endsAt);
        }
        spent = current.tranche < current.left ? current.tranche : current.left;
        current.left -= uint128(spent);
        current.nextAt = uint64(block.timestamp) + ROUND / _tuning.tranches;
        _round = current;
    }

    function _openRound() private returns (Round memory opened) {
        Tuning memory bounds = _tuning;
        uint256 budget = usdc.balanceOf(address(this));
        // INVARIANT: nobody starts a week for dust and makes what arrives a moment later wait for the next.
        if (budget < bounds.leastRound) revert Buyback_TooLittle(budget, bounds.leastRound);
        uint256 most = uint256(bounds.mostPerTranche) * bounds.tranches;
        if (budget > most) budget = most;
        uint256 tranche = (budget + bounds.tranches - 1) / bounds.tranches;
        opened = Round(uint64(block.timestamp), 0, uint128(tranche), uint128(budget));
        emit RoundOpened(opened.startedAt, budget, tranche);
    }

    function _swap(uint256 tranche, uint256 least) private {
        uint160 limit = _usdcFirst ? TickPrice.LOWEST_SQRT_PRICE + 1 : TickPrice.HIGHEST_SQRT_PRICE - 1;
        (int256 amount0, int256 amount1) = _pool.swap(address(this), _usdcFirst, int256(tranche), limit, "");
        (int256 paid, int256 received) = _usdcFirst ? (amount0, -amount1) : (amount1, -amount0);
        // INVARIANT: a tranche is bought whole or not at all; one that was pushed out of the way can be sent again.
        if (paid != int256(tranche)) revert Buyback_Incomplete(uint256(paid), tranche);
        // INVARIANT: whoever trades around a tranche gains at most the bounded slippage.
        if (received < int256(least)) revert Buyback_TooExpensive(uint256(received), least);
    }

    function _setTuning(Tuning memory next) private {
        bool schedule = next.tranches >= 7 && next.tranches <= 168 && next.leastRound >= 1e6 && next.leastRound <= 10_000e6
            && next.mostPerTranche >= 100e6 && next.mostPerTranche <= 1_000_000e6;
        bool price = next.window >= 15 minutes && next.window <= 1 days && next.cardinality >= 100 && next.cardinality <= 7200
            && next.deviation >= 10 && next.deviation <= 500 && next.slippageBps >= 10 && next.slippageBps <= 500;
        // INVARIANT: no tuning pauses the buyback, empties it in an hour, or lets it buy at whatever price.
        if (!schedule || !price) revert Buyback_OutOfBounds(next);
        _tuning = next;
        emit TuningChanged(next);
    }

    function _setPool(uint24 fee) private {
        address next = factory.getPool(address(usdc), address(infr), fee);
        // INVARIANT: INFR is bought on the factory's own pool of the pair and nowhere else.
        if (next == address(0)) revert Buyback_NoPool(fee);
        _pool = IUniswapV3Pool(next);
        emit PoolChanged(next, fee);
    }
}
