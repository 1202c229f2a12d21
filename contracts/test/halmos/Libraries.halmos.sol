// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Grants } from "../../src/libraries/Grants.sol";
import { Hold, HoldLib } from "../../src/libraries/Hold.sol";
import { Pricing } from "../../src/libraries/Pricing.sol";
import { KeyGrant } from "../../src/libraries/Types.sol";
import { Vm } from "../utils/Test.sol";

/// Symbolic checks (`python3 noxfile.py halmos`): each holds for all values its arguments can have, not for a sample of them.
abstract contract Symbolic {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
}

/// What everything that thaws does, against the same rule written down plainly.
contract Hold_Symbolic is Symbolic {
    using HoldLib for Hold;

    Hold private hold;

    function given(uint96 active, uint96 thawing, uint64 thawedAt) private returns (uint256 total) {
        total = uint256(active) + thawing;
        vm.assume(total <= type(uint96).max);
        hold = Hold(active, thawing, thawedAt);
    }

    /// Never more than there is, the thawing part first, and the rest stays.
    function check_take(uint96 active, uint96 thawing, uint64 thawedAt, uint256 amount) external {
        uint256 total = given(active, thawing, thawedAt);
        uint256 taken = hold.take(amount);
        assert(taken == (amount < total ? amount : total));
        assert(hold.total() == total - taken);
        assert(hold.thawing == (taken < thawing ? thawing - taken : 0));
        assert(hold.thawing == 0 || hold.active == active);
        assert(hold.thawedAt == thawedAt);
    }

    /// Adds to the active part alone, or reverts because it does not fit.
    function check_add(uint96 active, uint96 thawing, uint64 thawedAt, uint96 amount) external {
        uint256 total = given(active, thawing, thawedAt);
        try this.add(amount) {
            assert(total + amount <= type(uint96).max);
            assert(hold.active == uint256(active) + amount);
        } catch {
            assert(total + amount > type(uint96).max);
            assert(hold.active == active);
        }
        assert(hold.thawing == thawing && hold.thawedAt == thawedAt);
    }

    /// Moves exactly the amount between the parts and restarts the clock, or reverts because the active part is less.
    function check_thaw(uint96 active, uint96 thawing, uint64 thawedAt, uint256 amount, uint64 period) external {
        uint256 total = given(active, thawing, thawedAt);
        vm.assume(period <= 90 days && block.timestamp < 2 ** 40);
        try this.thaw(amount, period) {
            assert(amount <= active);
            assert(hold.active == active - amount && hold.thawing == thawing + amount);
            assert(hold.total() == total);
            assert(hold.thawedAt == block.timestamp + period);
        } catch {
            assert(amount > active);
        }
    }

    /// Lets out the thawing part, all of it, and never before its time.
    function check_release(uint96 active, uint96 thawing, uint64 thawedAt) external {
        given(active, thawing, thawedAt);
        try this.release() returns (uint256 amount) {
            assert(block.timestamp >= thawedAt);
            assert(amount == thawing && hold.thawing == 0);
        } catch {
            assert(block.timestamp < thawedAt);
            assert(hold.thawing == thawing);
        }
        assert(hold.active == active);
    }

    /// Whatever began to thaw cannot be released within its period, whatever is thawed or taken after it.
    function check_thawOrder(uint96 active, uint96 thawing, uint96 first, uint96 second, uint256 taken, uint64 period) external {
        given(active, thawing, 0);
        vm.assume(period > 0 && period <= 90 days && block.timestamp < 2 ** 40);
        hold.thaw(first, period);
        hold.take(taken);
        hold.thaw(second, period);
        try this.release() {
            assert(false);
        } catch { }
    }

    function add(uint256 amount) external {
        hold.add(amount);
    }

    function thaw(uint256 amount, uint64 period) external {
        hold.thaw(amount, period);
    }

    function release() external returns (uint256) {
        return hold.release();
    }
}

contract Pricing_Symbolic is Symbolic {
    /// To the last micro-USDC, in parts that differ by two at most.
    function check_split(uint16 fee) external pure {
        (uint256 treasury, uint256 validators, uint256 buyback) = Pricing.split(fee);
        assert(treasury + validators + buyback == fee);
        assert(validators == buyback && treasury >= validators && treasury - validators <= 2);
    }
}

/// How far debits may go under a grant, whatever was debited and whenever the batch was committed.
contract Grants_Symbolic is Symbolic {
    using Grants for Grants.Grant;

    Grants.Grant private record;
    Grants.Account private account;
    KeyGrant private grant;

    function headroom(KeyGrant calldata grant_, uint64 committedAt, uint64 slack) external view returns (uint256) {
        return record.headroom(account, bytes32(0), grant_, committedAt, slack);
    }

    function given(uint64 debited, uint64 dailyCap, uint64 totalCap) private {
        record.debited = debited;
        (grant.dailyCap, grant.totalCap, grant.notAfter) = (dailyCap, totalCap, type(uint64).max);
    }

    /// With it, never beyond the total cap; before a day is over, never beyond the daily cap.
    function check_headroom_caps(uint64 debited, uint64 dailyCap, uint64 totalCap, uint64 committedAt) external {
        given(debited, dailyCap, totalCap);
        uint256 room = this.headroom(grant, committedAt, 0);
        assert(room == 0 || room + debited <= totalCap);
        assert(room == 0 || room + debited <= dailyCap);
    }

    /// None before a grant's time, after it, after its revocation, or after that of its generation.
    function check_headroom_times(uint64 notBefore, uint64 notAfter, uint64 slack, uint64 committedAt, uint64 revokedAt) external {
        given(0, type(uint64).max, type(uint64).max);
        (grant.notBefore, grant.notAfter) = (notBefore, notAfter);
        account.revokedAt[bytes32(0)] = revokedAt;
        uint256 room = this.headroom(grant, committedAt, slack);
        if (committedAt < notBefore || committedAt > uint256(notAfter) + slack) assert(room == 0);
        else if (revokedAt != 0 && committedAt >= revokedAt) assert(room == 0);
        else assert(room == type(uint64).max);
    }

    function check_headroom_generations(uint64 generation, uint64 current, uint64 endedAt, uint64 committedAt) external {
        given(0, type(uint64).max, type(uint64).max);
        grant.generation = generation;
        (account.generation, account.endedAt[generation]) = (current, endedAt);
        uint256 room = this.headroom(grant, committedAt, 0);
        assert((room == 0) == (generation < current && committedAt >= endedAt));
    }
}
