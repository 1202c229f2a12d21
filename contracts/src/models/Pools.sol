// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { EnumerableSet } from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

/// A seat as it is stored; {IHotPool-Seat} says what the fields mean.
struct StoredSeat {
    uint64 ask;
    uint32 tokensPerSecond;
    uint32 capacity;
    uint8 tiers;
    uint40 takenAt;
    uint40 leavesAt;
    uint40 heartbeatAt;
    uint40 backedUntil;
    uint40 settledAt;
    uint64 rate;
    uint128 stake;
}

/// What routers signalled for a model in `epoch`, weighed by their stake and compared with the seats there are.
struct Tally {
    uint64 epoch;
    uint128 more;
    uint128 fewer;
    uint128 total;
}

struct Pool {
    uint64 rate;
    uint8 minSeats;
    uint8 maxSeats;
    uint8 seats;
    uint128 budget;
    uint128 reserved;
    uint128 funded;
    uint128 withdrawn;
    Tally tally;
    EnumerableSet.AddressSet sitting;
    mapping(address provider => StoredSeat) taken;
}

/// @title Pools
/// @notice How a model's budget becomes a provider's earnings: from the budget it is set aside for a seat, time earns it, and what
/// was not earned goes back. Money only ever moves between these three, so their sum changes by funding and withdrawing alone.
library Pools {
    using EnumerableSet for EnumerableSet.AddressSet;

    /// @notice The dearest ask: all seats at this price cost the rate.
    function highestAsk(Pool storage pool) internal view returns (uint64) {
        return pool.maxSeats == 0 ? 0 : pool.rate / pool.maxSeats;
    }

    /// @notice What time has earned the seat since it was last settled.
    function earned(StoredSeat storage seat) internal view returns (uint256) {
        uint256 end = block.timestamp < seat.backedUntil ? block.timestamp : seat.backedUntil;
        return end > seat.settledAt ? uint256(seat.rate) * (end - seat.settledAt) : 0;
    }

    /// @notice Takes what the seat earned out of the pool, and puts the rest of what was set aside for it back into the budget.
    /// @return amount What it earned.
    function settle(Pool storage pool, StoredSeat storage seat) internal returns (uint256 amount) {
        amount = earned(seat);
        uint256 aside = uint256(seat.rate) * (seat.backedUntil - seat.settledAt);
        pool.reserved -= uint128(aside);
        pool.budget += uint128(aside - amount);
        seat.settledAt = uint40(block.timestamp);
        seat.backedUntil = uint40(block.timestamp);
    }

    /// @notice Sets the settled seat's ask aside from now until its heartbeat is stale or its notice over, as far as the budget reaches.
    function back(Pool storage pool, StoredSeat storage seat, uint40 freshness) internal {
        uint64 rate = highestAsk(pool);
        if (seat.ask < rate) rate = seat.ask;
        uint256 end = uint256(seat.heartbeatAt) + freshness;
        if (seat.leavesAt != 0 && seat.leavesAt < end) end = seat.leavesAt;
        uint256 time = end > block.timestamp ? end - block.timestamp : 0;
        if (rate != 0 && pool.budget / rate < time) time = pool.budget / rate;
        uint128 aside = uint128(uint256(rate) * time);
        pool.budget -= aside;
        pool.reserved += aside;
        seat.rate = rate;
        seat.backedUntil = uint40(block.timestamp + time);
    }

    /// @notice The seat that goes first: one whose notice is over, or else the dearest, of equals the youngest.
    /// @return provider Zero if all seats have given notice.
    function dearest(Pool storage pool) internal view returns (address provider, uint64 ask, bool over) {
        uint40 takenAt;
        uint256 count = pool.sitting.length();
        for (uint256 i; i < count; ++i) {
            address sitter = pool.sitting.at(i);
            StoredSeat storage seat = pool.taken[sitter];
            if (seat.leavesAt != 0) {
                if (block.timestamp >= seat.leavesAt) return (sitter, seat.ask, true);
                continue;
            }
            if (provider == address(0) || seat.ask > ask || (seat.ask == ask && seat.takenAt >= takenAt)) {
                (provider, ask, takenAt) = (sitter, seat.ask, seat.takenAt);
            }
        }
    }

    /// @notice How many seats have not given notice.
    function staying(Pool storage pool) internal view returns (uint256 count) {
        uint256 length = pool.sitting.length();
        for (uint256 i; i < length; ++i) {
            if (pool.taken[pool.sitting.at(i)].leavesAt == 0) ++count;
        }
    }

    /// @notice Moves the seats by one towards the median of what was signalled, and clears the tally.
    function step(Pool storage pool) internal returns (bool moved) {
        Tally memory tally = pool.tally;
        delete pool.tally;
        if (uint256(tally.more) * 2 > tally.total && pool.seats < pool.maxSeats) {
            ++pool.seats;
            return true;
        }
        if (uint256(tally.fewer) * 2 > tally.total && pool.seats > pool.minSeats) {
            --pool.seats;
            return true;
        }
    }
}
