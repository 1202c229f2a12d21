// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { SafeCast } from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import { EnumerableSet } from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import { IHotPool } from "../interfaces/IHotPool.sol";
import { IModelRegistry } from "../interfaces/IModelRegistry.sol";
import { IStakeRegistry } from "../interfaces/IStakeRegistry.sol";
import { Role } from "../libraries/Types.sol";
import { HotPoolBooks } from "./HotPoolBooks.sol";
import { Pool, Pools, StoredSeat } from "./Pools.sol";

/// @title HotPool
/// @notice Seats for providers that keep models warm. See {IHotPool}, which is its specification.
contract HotPool is HotPoolBooks, ReentrancyGuardTransient {
    using EnumerableSet for EnumerableSet.AddressSet;
    using EnumerableSet for EnumerableSet.Bytes32Set;
    using Pools for Pool;
    using Pools for StoredSeat;
    using SafeERC20 for IERC20;

    uint256 public constant BPS = 10_000;
    uint8 public constant MOST_SEATS = 64;
    /// @notice In how many pools a provider can have a seat.
    uint256 public constant MOST_MODELS = 16;
    /// @notice Bits of the tiers there are: 1 tee, 2 optimistic, 3 zkml.
    uint8 public constant TIERS = 0x0e;

    function initialize(address governor, address usdc_, address modelRegistry_, Parameters calldata parameters_)
        external
        initializer
    {
        __Ownable_init(governor);
        __EIP712_init("INFERA", "1");
        Storage storage $ = _storage();
        $.usdc = IERC20(usdc_);
        $.models = IModelRegistry(modelRegistry_);
        $.stakes = IStakeRegistry(IModelRegistry(modelRegistry_).stakeRegistry());
        $.epochSince = uint40(block.timestamp);
        _setParameters(parameters_);
    }

    // Providers

    /// @inheritdoc IHotPool
    function bid(bytes32 modelId, uint64 ask, Loadout calldata loadout) external {
        Storage storage $ = _storage();
        Pool storage pool = $.pools[modelId];
        // INVARIANT: seats are taken only where they are paid.
        if (pool.rate == 0) revert HotPool_Closed(modelId);
        // INVARIANT: all seats together cost no more than the model's rate.
        if (ask > pool.highestAsk()) revert HotPool_AskTooHigh(ask, pool.highestAsk());
        // INVARIANT: a loadout says what is served, in tiers there are.
        if (loadout.tokensPerSecond == 0 || loadout.capacity == 0 || loadout.tiers == 0 || loadout.tiers & ~TIERS != 0) {
            revert HotPool_BadLoadout();
        }
        // INVARIANT: a provider has one seat per model.
        if (pool.taken[msg.sender].takenAt != 0) revert HotPool_AlreadySeated(modelId, msg.sender);
        if (pool.sitting.length() >= pool.seats) _displace(modelId, pool, ask);
        uint256 stake = _commit(modelId, loadout.tokensPerSecond);
        pool.sitting.add(msg.sender);
        StoredSeat storage seat = pool.taken[msg.sender];
        (seat.ask, seat.tokensPerSecond, seat.capacity, seat.tiers) =
        (ask, loadout.tokensPerSecond, loadout.capacity, loadout.tiers);
        (seat.takenAt, seat.heartbeatAt) = (uint40(block.timestamp), uint40(block.timestamp));
        (seat.settledAt, seat.backedUntil) = (uint40(block.timestamp), uint40(block.timestamp));
        seat.stake = SafeCast.toUint128(stake);
        emit SeatTaken(modelId, msg.sender, ask, loadout);
        _back(modelId, msg.sender, pool, seat);
    }

    /// @inheritdoc IHotPool
    function lowerAsk(bytes32 modelId, uint64 ask) external {
        (Pool storage pool, StoredSeat storage seat) = _seat(modelId, msg.sender);
        // INVARIANT: a seat won by a low bid cannot become dearer.
        if (ask >= seat.ask) revert HotPool_NotCheaper(ask, seat.ask);
        _settle(modelId, msg.sender, pool, seat);
        seat.ask = ask;
        emit AskLowered(modelId, msg.sender, ask);
        _back(modelId, msg.sender, pool, seat);
    }

    /// @inheritdoc IHotPool
    function giveNotice(bytes32 modelId) external returns (uint40) {
        (Pool storage pool, StoredSeat storage seat) = _seat(modelId, msg.sender);
        // INVARIANT: notice is given once, so that its end does not move.
        if (seat.leavesAt != 0) revert HotPool_NoticeGiven(modelId, msg.sender);
        _giveNotice(modelId, msg.sender, pool, seat);
        return seat.leavesAt;
    }

    /// @inheritdoc IHotPool
    function heartbeat(bytes32[] calldata modelIds) external {
        address operator = _storage().stakes.operatorOf(msg.sender);
        for (uint256 i; i < modelIds.length; ++i) {
            address provider =
                operator != address(0) && _storage().pools[modelIds[i]].taken[operator].takenAt != 0 ? operator : msg.sender;
            (Pool storage pool, StoredSeat storage seat) = _seat(modelIds[i], provider);
            _beat(modelIds[i], provider, pool, seat, uint40(block.timestamp));
        }
    }

    // Everybody

    /// @inheritdoc IHotPool
    function submitHeartbeats(Heartbeat[] calldata heartbeats, bytes[] calldata signatures) external returns (uint256 seen) {
        // INVARIANT: every heartbeat has its signature.
        if (heartbeats.length != signatures.length) revert HotPool_LengthMismatch();
        Storage storage $ = _storage();
        for (uint256 i; i < heartbeats.length; ++i) {
            Heartbeat calldata beat = heartbeats[i];
            _checkSigner(beat.provider, heartbeatDigest(beat), signatures[i]);
            Pool storage pool = $.pools[beat.modelId];
            StoredSeat storage seat = pool.taken[beat.provider];
            bool stale = uint256(beat.beatAt) + $.parameters.freshness <= block.timestamp;
            if (seat.takenAt == 0 || beat.beatAt <= seat.heartbeatAt || beat.beatAt > block.timestamp || stale) continue;
            _beat(beat.modelId, beat.provider, pool, seat, beat.beatAt);
            ++seen;
        }
    }

    /// @inheritdoc IHotPool
    function signalDemand(DemandSignal[] calldata signals, bytes[] calldata signatures) external returns (uint256 counted) {
        // INVARIANT: every signal has its signature.
        if (signals.length != signatures.length) revert HotPool_LengthMismatch();
        Storage storage $ = _storage();
        uint64 epoch = currentEpoch();
        for (uint256 i; i < signals.length; ++i) {
            DemandSignal calldata signal = signals[i];
            _checkSigner(signal.router, signalDigest(signal), signatures[i]);
            Signalled storage last = $.signals[signal.router][signal.modelId];
            Pool storage pool = $.pools[signal.modelId];
            if (signal.epoch != epoch || last.epochs > epoch || (last.epochs != 0 && signal.sequence <= last.sequence)) continue;
            if (pool.rate == 0 || !$.stakes.isActive(signal.router, Role.Router)) continue;
            _closeEpoch(signal.modelId, pool, epoch);
            (last.sequence, last.epochs) = (signal.sequence, epoch + 1);
            (uint256 weight,,) = $.stakes.stakeOf(signal.router, Role.Router);
            pool.tally.epoch = epoch;
            pool.tally.total += uint128(weight);
            if (signal.seats > pool.seats) pool.tally.more += uint128(weight);
            if (signal.seats < pool.seats) pool.tally.fewer += uint128(weight);
            emit DemandSignalled(signal.modelId, signal.router, epoch, signal.seats, weight);
            ++counted;
        }
    }

    /// @inheritdoc IHotPool
    function closeEpoch(bytes32 modelId) external {
        Pool storage pool = _storage().pools[modelId];
        _closeEpoch(modelId, pool, currentEpoch());
        if (pool.staying() > pool.seats) {
            (address provider,, bool over) = pool.dearest();
            if (!over) _giveNotice(modelId, provider, pool, pool.taken[provider]);
        }
    }

    /// @inheritdoc IHotPool
    function evict(bytes32 modelId, address provider) external nonReentrant returns (uint256 reward) {
        Storage storage $ = _storage();
        (Pool storage pool, StoredSeat storage seat) = _seat(modelId, provider);
        bool over = seat.leavesAt != 0 && block.timestamp >= seat.leavesAt;
        bool failed = block.timestamp > uint256(seat.heartbeatAt) + $.parameters.freshness || !_hasStake(provider);
        // INVARIANT: a present provider with its stake keeps its seat.
        if (!over && !failed) revert HotPool_NotEvictable(modelId, provider);
        _unseat(modelId, provider, pool, seat);
        if (over) {
            emit SeatLeft(modelId, provider);
            return 0;
        }
        Account storage account = $.accounts[provider];
        reward = account.balance * $.parameters.rewardBps / BPS;
        account.balance -= reward;
        emit SeatEvicted(modelId, provider, msg.sender, reward);
        if (reward != 0) $.usdc.safeTransfer(msg.sender, reward);
    }

    /// @inheritdoc IHotPool
    function claim(address provider, bytes32[] calldata modelIds) external nonReentrant returns (uint256 amount) {
        Storage storage $ = _storage();
        for (uint256 i; i < modelIds.length; ++i) {
            (Pool storage pool, StoredSeat storage seat) = _seat(modelIds[i], provider);
            _settle(modelIds[i], provider, pool, seat);
            _back(modelIds[i], provider, pool, seat);
        }
        Account storage account = $.accounts[provider];
        amount = account.balance;
        account.balance = 0;
        emit Claimed(provider, amount);
        if (amount != 0) $.usdc.safeTransfer(provider, amount);
    }

    /// @inheritdoc IHotPool
    function fund(bytes32 modelId, uint256 amount) external nonReentrant {
        Pool storage pool = _storage().pools[modelId];
        pool.funded += SafeCast.toUint128(amount);
        pool.budget += uint128(amount);
        emit Funded(modelId, msg.sender, amount);
        _storage().usdc.safeTransferFrom(msg.sender, address(this), amount);
    }

    // Governance

    /// @inheritdoc IHotPool
    function configure(bytes32 modelId, uint64 rate, uint8 minSeats, uint8 maxSeats) external {
        // INVARIANT: terms come with the model, from one passed proposal.
        if (msg.sender != address(_storage().models)) revert HotPool_NotRegistry(msg.sender);
        // INVARIANT: a pool that pays has seats, and never so many that walking them is too dear.
        if (minSeats > maxSeats || maxSeats > MOST_SEATS || (rate != 0 && maxSeats == 0)) {
            revert HotPool_SeatsOutOfBounds(minSeats, maxSeats, MOST_SEATS);
        }
        Pool storage pool = _storage().pools[modelId];
        (pool.rate, pool.minSeats, pool.maxSeats) = (rate, minSeats, maxSeats);
        if (pool.seats < minSeats) pool.seats = minSeats;
        if (pool.seats > maxSeats) pool.seats = maxSeats;
        delete pool.tally;
        emit PoolConfigured(modelId, rate, minSeats, maxSeats);
    }

    /// @inheritdoc IHotPool
    function withdrawBudget(bytes32 modelId, uint256 amount, address to) external onlyOwner nonReentrant {
        Pool storage pool = _storage().pools[modelId];
        // INVARIANT: what is set aside or earned stays the providers'.
        if (amount > pool.budget) revert HotPool_BudgetTooLow(amount, pool.budget);
        pool.budget -= uint128(amount);
        pool.withdrawn += uint128(amount);
        emit BudgetWithdrawn(modelId, to, amount);
        _storage().usdc.safeTransfer(to, amount);
    }

    /// @inheritdoc IHotPool
    function setParameters(Parameters calldata parameters_) external onlyOwner {
        // A new length starts a new epoch, so that epochs never repeat.
        (_storage().epoch, _storage().epochSince) = (currentEpoch() + 1, uint40(block.timestamp));
        _setParameters(parameters_);
    }

    // Internals

    /// @dev The seat of the dearest provider goes to a bid that is cheaper by the margin, or one whose notice is over to any.
    function _displace(bytes32 modelId, Pool storage pool, uint64 ask) private {
        (address provider, uint64 highest, bool over) = pool.dearest();
        uint256 margin = BPS - _storage().parameters.marginBps;
        // INVARIANT: whoever is displaced gives way to a bid that is cheaper by the margin.
        if (!over && (provider == address(0) || ask >= highest || uint256(ask) * BPS > highest * margin)) {
            revert HotPool_NotCheaper(ask, highest);
        }
        _unseat(modelId, provider, pool, pool.taken[provider]);
        if (over) emit SeatLeft(modelId, provider);
        else emit SeatDisplaced(modelId, provider, msg.sender);
    }

    /// @dev Takes the throughput up into what the caller's stake answers for.
    function _commit(bytes32 modelId, uint32 tokensPerSecond) private returns (uint256 stake) {
        Storage storage $ = _storage();
        Account storage account = $.accounts[msg.sender];
        // INVARIANT: whoever has a seat has something to lose.
        if (!$.stakes.isActive(msg.sender, Role.Provider)) revert HotPool_ProviderInactive(msg.sender);
        stake = $.models.stakeFor(modelId, tokensPerSecond);
        account.committed += SafeCast.toUint128(stake);
        account.minimum = SafeCast.toUint128($.stakes.minimumStake(Role.Provider));
        (uint256 active,,) = $.stakes.stakeOf(msg.sender, Role.Provider);
        uint256 needed = uint256(account.minimum) + account.committed;
        // INVARIANT: the stake grows with the throughput claimed in all seats together.
        if (active < needed) revert HotPool_StakeTooLow(msg.sender, active, needed);
        account.models.add(modelId);
        // INVARIANT: no provider sits in more pools than can be walked.
        if (account.models.length() > MOST_MODELS) revert HotPool_TooManySeats(msg.sender, MOST_MODELS);
    }

    function _hasStake(address provider) private view returns (bool) {
        Storage storage $ = _storage();
        Account storage account = $.accounts[provider];
        (uint256 active,,) = $.stakes.stakeOf(provider, Role.Provider);
        return $.stakes.isActive(provider, Role.Provider) && active >= uint256(account.minimum) + account.committed;
    }

    function _beat(bytes32 modelId, address provider, Pool storage pool, StoredSeat storage seat, uint40 beatAt) private {
        _settle(modelId, provider, pool, seat);
        seat.heartbeatAt = beatAt;
        _back(modelId, provider, pool, seat);
    }

    function _giveNotice(bytes32 modelId, address provider, Pool storage pool, StoredSeat storage seat) private {
        _settle(modelId, provider, pool, seat);
        seat.leavesAt = uint40(block.timestamp) + _storage().parameters.notice;
        emit NoticeGiven(modelId, provider, seat.leavesAt);
        _back(modelId, provider, pool, seat);
    }

    function _unseat(bytes32 modelId, address provider, Pool storage pool, StoredSeat storage seat) private {
        _settle(modelId, provider, pool, seat);
        Account storage account = _storage().accounts[provider];
        account.committed -= seat.stake;
        account.models.remove(modelId);
        pool.sitting.remove(provider);
        delete pool.taken[provider];
    }

    function _settle(bytes32 modelId, address provider, Pool storage pool, StoredSeat storage seat) private {
        uint256 amount = pool.settle(seat);
        if (amount == 0) return;
        _storage().accounts[provider].balance += amount;
        emit Earned(modelId, provider, amount);
    }

    function _back(bytes32 modelId, address provider, Pool storage pool, StoredSeat storage seat) private {
        pool.back(seat, _storage().parameters.freshness);
        emit HeartbeatSeen(modelId, provider, seat.heartbeatAt, seat.backedUntil, seat.rate);
    }

    function _closeEpoch(bytes32 modelId, Pool storage pool, uint64 epoch) private {
        uint64 last = pool.tally.epoch;
        if (pool.tally.total != 0 && last < epoch && pool.step()) emit SeatsChanged(modelId, last, pool.seats);
    }

    function _seat(bytes32 modelId, address provider) private view returns (Pool storage pool, StoredSeat storage seat) {
        pool = _storage().pools[modelId];
        seat = pool.taken[provider];
        // INVARIANT: only a seat that is taken can be kept, left or freed.
        if (seat.takenAt == 0) revert HotPool_NotSeated(modelId, provider);
    }

    function _checkSigner(address operator, bytes32 digest, bytes calldata signature) private view {
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        // INVARIANT: only the operator's present hot key speaks for it.
        if (err != ECDSA.RecoverError.NoError || operator == address(0) || _storage().stakes.operatorOf(signer) != operator) {
            revert HotPool_BadSignature(operator);
        }
    }

    function _setParameters(Parameters calldata values) private {
        // INVARIANT: presence, notice and epochs stay of a length that operators can live with, margin and reward stay small.
        if (
            values.freshness < 1 minutes || values.freshness > 1 days || values.notice > 7 days || values.epochLength < 1 minutes
                || values.epochLength > 7 days || values.marginBps == 0 || values.marginBps > 5_000 || values.rewardBps > 2_000
        ) revert HotPool_ParametersOutOfBounds();
        _storage().parameters = values;
        emit ParametersChanged(values);
    }
}
