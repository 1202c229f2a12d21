// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { EIP712Upgradeable } from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { EnumerableSet } from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import { Governed } from "../Governed.sol";
import { IHotPool } from "../interfaces/IHotPool.sol";
import { IModelRegistry } from "../interfaces/IModelRegistry.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";
import { Pool, Pools, StoredSeat } from "./Pools.sol";

/// @title HotPoolBooks
/// @notice What the hot pool stores, and how it is read. See {IHotPool}.
abstract contract HotPoolBooks is IHotPool, Governed, EIP712Upgradeable {
    using EnumerableSet for EnumerableSet.AddressSet;
    using EnumerableSet for EnumerableSet.Bytes32Set;
    using Pools for Pool;
    using Pools for StoredSeat;

    bytes32 public constant DEMAND_SIGNAL_TYPEHASH =
        keccak256("DemandSignal(address router,bytes32 modelId,uint64 sequence,uint64 epoch,uint8 seats)");
    bytes32 public constant HEARTBEAT_TYPEHASH = keccak256("Heartbeat(address provider,bytes32 modelId,uint40 beatAt)");

    struct Account {
        uint256 balance;
        /// The stake that the throughput claimed in all seats asks for, beyond the minimum.
        uint128 committed;
        /// The minimum when the provider last took a seat: a later rise is the stake registry's to enforce, with its grace.
        uint128 minimum;
        EnumerableSet.Bytes32Set models;
    }

    struct Signalled {
        uint64 sequence;
        /// One more than the last epoch the router signalled in.
        uint64 epochs;
    }

    /// @custom:storage-location erc7201:infera.storage.HotPool
    struct Storage {
        IERC20 usdc;
        IModelRegistry models;
        IStakeRegistry stakes;
        Parameters parameters;
        /// Epoch `epoch` began at `epochSince`; the ones after it follow by length.
        uint64 epoch;
        uint40 epochSince;
        mapping(bytes32 modelId => Pool) pools;
        mapping(address provider => Account) accounts;
        mapping(address router => mapping(bytes32 modelId => Signalled)) signals;
    }

    // keccak256(abi.encode(uint256(keccak256("infera.storage.HotPool")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x45875a1408c2521325bb5f4a0c02246514d4f142e1f1acc26949489b1f1f3000;

    /// @inheritdoc IHotPool
    function poolOf(bytes32 modelId) external view returns (uint64 rate, uint8 minSeats, uint8 maxSeats, uint8 seats, uint8 taken) {
        Pool storage pool = _storage().pools[modelId];
        return (pool.rate, pool.minSeats, pool.maxSeats, pool.seats, uint8(pool.sitting.length()));
    }

    /// @inheritdoc IHotPool
    function accountOf(bytes32 modelId)
        external
        view
        returns (uint256 funded, uint256 withdrawn, uint256 budget, uint256 reserved, uint256 credited)
    {
        Pool storage pool = _storage().pools[modelId];
        (funded, withdrawn, budget, reserved) = (pool.funded, pool.withdrawn, pool.budget, pool.reserved);
        credited = funded - withdrawn - budget - reserved;
    }

    /// @inheritdoc IHotPool
    function seatsOf(bytes32 modelId) external view returns (Seat[] memory seats) {
        Pool storage pool = _storage().pools[modelId];
        seats = new Seat[](pool.sitting.length());
        for (uint256 i; i < seats.length; ++i) {
            address provider = pool.sitting.at(i);
            StoredSeat storage seat = pool.taken[provider];
            seats[i] = Seat({
                provider: provider,
                ask: seat.ask,
                loadout: Loadout(seat.tokensPerSecond, seat.capacity, seat.tiers),
                takenAt: seat.takenAt,
                leavesAt: seat.leavesAt,
                heartbeatAt: seat.heartbeatAt,
                backedUntil: seat.backedUntil,
                rate: seat.rate,
                settledAt: seat.settledAt,
                stake: seat.stake
            });
        }
    }

    /// @inheritdoc IHotPool
    function modelsOf(address provider) external view returns (bytes32[] memory) {
        return _storage().accounts[provider].models.values();
    }

    /// @inheritdoc IHotPool
    function isPresent(bytes32 modelId, address provider) external view returns (bool) {
        Storage storage $ = _storage();
        StoredSeat storage seat = $.pools[modelId].taken[provider];
        return seat.takenAt != 0 && block.timestamp <= uint256(seat.heartbeatAt) + $.parameters.freshness
            && (seat.leavesAt == 0 || block.timestamp < seat.leavesAt);
    }

    /// @inheritdoc IHotPool
    function balanceOf(address provider) external view returns (uint256) {
        return _storage().accounts[provider].balance;
    }

    /// @inheritdoc IHotPool
    function claimable(address provider, bytes32[] calldata modelIds) external view returns (uint256 amount) {
        Storage storage $ = _storage();
        amount = $.accounts[provider].balance;
        for (uint256 i; i < modelIds.length; ++i) {
            amount += $.pools[modelIds[i]].taken[provider].earned();
        }
    }

    /// @inheritdoc IHotPool
    function demandOf(bytes32 modelId) external view returns (uint64 epoch, uint256 more, uint256 fewer, uint256 total) {
        Pool storage pool = _storage().pools[modelId];
        return (pool.tally.epoch, pool.tally.more, pool.tally.fewer, pool.tally.total);
    }

    /// @inheritdoc IHotPool
    function currentEpoch() public view returns (uint64) {
        Storage storage $ = _storage();
        return $.epoch + uint64((block.timestamp - $.epochSince) / $.parameters.epochLength);
    }

    /// @inheritdoc IHotPool
    function highestAsk(bytes32 modelId) external view returns (uint64) {
        return _storage().pools[modelId].highestAsk();
    }

    /// @inheritdoc IHotPool
    function signalDigest(DemandSignal calldata signal) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(DEMAND_SIGNAL_TYPEHASH, signal)));
    }

    /// @inheritdoc IHotPool
    function heartbeatDigest(Heartbeat calldata beat) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(HEARTBEAT_TYPEHASH, beat)));
    }

    /// @inheritdoc IHotPool
    function parameters() external view returns (Parameters memory) {
        return _storage().parameters;
    }

    /// @inheritdoc IHotPool
    function usdc() external view returns (address) {
        return address(_storage().usdc);
    }

    /// @inheritdoc IHotPool
    function modelRegistry() external view returns (address) {
        return address(_storage().models);
    }

    /// @inheritdoc IHotPool
    function stakeRegistry() external view returns (address) {
        return address(_storage().stakes);
    }

    function _storage() internal pure returns (Storage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
