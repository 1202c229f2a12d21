// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title VotingCurve
/// @notice A sum of lines that each fall to zero at the start of some week and stay there, readable at every second since the
/// first was added.
/// @dev What changed is kept as points; the slope that ends with each week's start beside them. The value at a time is that of
/// the last point before, carried on week by week. Two facts make this exact and bounded:
/// - what ends at a week's start can change only before it, and every change leaves a point. So the ends between a point and the
///   next are those that counted there, however much later they are read;
/// - a line is at most `LONGEST` long. So a point whose slope is not zero has all its ends within 209 weeks.
/// `ends` marks the weeks in which something ends, 256 to a word: carrying on costs a read of storage per such week, not per week.
library VotingCurve {
    uint256 internal constant WEEK = 7 days;
    uint256 internal constant LONGEST = 1461 days;

    /// The value at a time, and what it falls by per second from there.
    struct Point {
        uint48 time;
        uint96 slope;
        uint112 value;
    }

    struct Curve {
        Point[] points;
        mapping(uint256 week => uint256) endingSlope;
        mapping(uint256 word => uint256) ends;
    }

    /// @notice The curve's value at `time`, which must not be in the future.
    function valueAt(Curve storage self, uint256 time) internal view returns (uint256) {
        uint256 index = _pointsUntil(self, time);
        return index == 0 ? 0 : _carry(self, self.points[index - 1], time).value;
    }

    /// @notice Adds a line that falls by `slope` per second until `end`: the start of a week, later than now.
    function add(Curve storage self, uint256 slope, uint256 end) internal {
        Point memory point = _now(self);
        point.value += uint112(slope * (end - block.timestamp));
        point.slope += uint96(slope);
        uint256 week = end / WEEK;
        self.endingSlope[week] += slope;
        self.ends[week >> 8] |= 1 << (week & 0xff);
        _write(self, point);
    }

    /// @notice Takes out a line that was added and has not ended.
    function remove(Curve storage self, uint256 slope, uint256 end) internal {
        Point memory point = _now(self);
        point.value -= uint112(slope * (end - block.timestamp));
        point.slope -= uint96(slope);
        self.endingSlope[end / WEEK] -= slope;
        _write(self, point);
    }

    /// @dev How many points there are up to and including `time`.
    function _pointsUntil(Curve storage self, uint256 time) private view returns (uint256 low) {
        uint256 high = self.points.length;
        // Most reads are of recent times.
        if (high != 0 && self.points[high - 1].time <= time) return high;
        while (low < high) {
            uint256 middle = (low + high) >> 1;
            if (self.points[middle].time <= time) low = middle + 1;
            else high = middle;
        }
    }

    function _carry(Curve storage self, Point memory point, uint256 time) private view returns (Point memory) {
        uint256 week = point.time / WEEK + 1;
        uint256 last = time / WEEK;
        uint256 word = self.ends[week >> 8];
        for (; week <= last && point.slope != 0; ++week) {
            if (week & 0xff == 0) word = self.ends[week >> 8];
            if ((word >> (week & 0xff)) & 1 == 0) continue;
            _fall(point, week * WEEK);
            point.slope -= uint96(self.endingSlope[week]);
        }
        _fall(point, time);
        return point;
    }

    function _fall(Point memory point, uint256 time) private pure {
        point.value -= uint112(point.slope * (time - point.time));
        point.time = uint48(time);
    }

    function _now(Curve storage self) private view returns (Point memory point) {
        uint256 length = self.points.length;
        if (length == 0) point.time = uint48(block.timestamp);
        else point = _carry(self, self.points[length - 1], block.timestamp);
    }

    function _write(Curve storage self, Point memory point) private {
        uint256 length = self.points.length;
        if (length != 0 && self.points[length - 1].time == point.time) self.points[length - 1] = point;
        else self.points.push(point);
    }
}
