// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { ISlashTable } from "../interfaces/ISlashTable.sol";
import { Role } from "../libraries/Types.sol";

/// How often an operator committed an offence lately.
struct OffenceRecord {
    uint32 count;
    uint64 last;
}

/// The rules, and what is remembered of who broke them.
struct Offences {
    mapping(bytes32 reason => ISlashTable.Offence) rules;
    mapping(address operator => mapping(Role role => mapping(bytes32 reason => OffenceRecord))) records;
}

/// @title OffencesLib
/// @notice What an offence costs at most: little at first, twice as much every time it is repeated, and never more than its ceiling.
library OffencesLib {
    uint256 internal constant BPS = 10_000;
    uint256 internal constant LOWEST_FIRST = 100;
    uint256 internal constant SHORTEST_PERIOD = 1 days;
    uint256 internal constant LONGEST_PERIOD = 365 days;

    function set(Offences storage offences, bytes32 reason, ISlashTable.Offence memory rule) internal {
        bool leniency = rule.firstBps >= LOWEST_FIRST && rule.firstBps <= rule.ceilingBps && rule.ceilingBps <= BPS;
        // INVARIANT: every offence costs at least one per cent and at most everything, and is forgotten in the end.
        if (!leniency || rule.period < SHORTEST_PERIOD || rule.period > LONGEST_PERIOD) {
            revert ISlashTable.SlashTable_OutOfBounds(rule);
        }
        offences.rules[reason] = rule;
        emit ISlashTable.OffenceChanged(reason, rule);
    }

    /// @notice Counts one more offence and says what it costs at most.
    function count(Offences storage offences, address operator, Role role, bytes32 reason) internal returns (uint256 limitBps) {
        ISlashTable.Offence memory rule = ruleOf(offences, reason);
        if (rule.ceilingBps == 0) return BPS;
        OffenceRecord storage record = offences.records[operator][role][reason];
        uint256 earlier = _remembered(record, rule.period);
        limitBps = _limit(rule, earlier);
        (record.count, record.last) = (uint32(earlier + 1), uint64(block.timestamp));
        emit ISlashTable.OffenceCounted(operator, role, reason, earlier + 1, limitBps);
    }

    function limit(Offences storage offences, address operator, Role role, bytes32 reason) internal view returns (uint256) {
        ISlashTable.Offence memory rule = ruleOf(offences, reason);
        return rule.ceilingBps == 0 ? BPS : _limit(rule, _remembered(offences.records[operator][role][reason], rule.period));
    }

    function ruleOf(Offences storage offences, bytes32 reason) internal view returns (ISlashTable.Offence memory rule) {
        rule = offences.rules[reason];
        if (rule.ceilingBps == 0) rule = offences.rules[bytes32(0)];
    }

    function _remembered(OffenceRecord storage record, uint256 period) private view returns (uint256) {
        return block.timestamp <= record.last + period ? record.count : 0;
    }

    /// @dev Fourteen doublings take the least first offence beyond any ceiling.
    function _limit(ISlashTable.Offence memory rule, uint256 earlier) private pure returns (uint256) {
        return Math.min(rule.ceilingBps, uint256(rule.firstBps) << Math.min(earlier, 14));
    }
}
