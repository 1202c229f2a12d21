"""Times people type and read where votes are locked and counted: UTC dates, durations, weeks."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from infera.errors import InferaError

WEEK = 7 * 86_400
"""VeINFR's locks end at the start of one, counted from 1970-01-01, a Thursday."""

LONGEST_LOCK = 1461 * 86_400
_SECONDS = {"y": LONGEST_LOCK // 4, "w": WEEK, "d": 86_400, "h": 3_600}


def parse_duration(text: str) -> int:
    """Seconds of `2y`, `26w`, `180d`, `12h`, `1.5y`. A year is a quarter of the longest lock."""
    match = re.fullmatch(r"(\d{1,6})(?:\.(\d{1,6}))?\s*(y|w|d|h)", text.strip().lower())
    if match is None:
        raise InferaError(
            f"{text!r} is no duration",
            code="time_invalid",
            hint="such as 2y, 26w, 180d or 12h",
        )
    whole, fraction, unit = match.groups()
    scale = 10 ** len(fraction or "")
    seconds: int = int(whole + (fraction or "")) * _SECONDS[unit] // scale
    return seconds


def parse_time(text: str, now: int) -> int:
    """UTC seconds of a date (`2028-01-06`, `2028-01-06T12:00Z`) or a time from now (`+26w`)."""
    if text.startswith("+"):
        return now + parse_duration(text[1:])
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InferaError(
            f"{text!r} is no date",
            code="time_invalid",
            hint="such as 2028-01-06, 2028-01-06T12:00 (UTC) or +26w",
        ) from None
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())


def week_start(seconds: int) -> int:
    """The last start of a week not after this."""
    return seconds // WEEK * WEEK


def date(seconds: int) -> str:
    """A time in full."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span(seconds: int) -> str:
    """A duration in its two largest units."""
    parts, left = [], seconds
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def when(seconds: int, now: int) -> str:
    """A time, and how far off it is."""
    if seconds > now:
        return f"{date(seconds)} (in {span(seconds - now)})"
    return f"{date(seconds)} ({span(now - seconds)} ago)" if seconds < now else date(seconds)
