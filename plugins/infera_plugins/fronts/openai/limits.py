"""How much one API key, or one address, may ask for: requests a minute (token bucket) and requests
at a time.
"""

from __future__ import annotations

import ipaddress
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infera.errors import ErrorType, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infera_plugins.fronts.openai.http import Headers, Scope

_SWEEP_AT = 4096


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """A token bucket per key: `per_minute` requests at once, refilled evenly. 0 switches it off.

    `whose` is what a client is told of its key. A bucket that has refilled equals no bucket, so
    those are dropped when there are many.
    """

    def __init__(
        self, per_minute: int, clock: Callable[[], float], whose: str = "this key"
    ) -> None:
        self._whose = whose
        self._capacity = per_minute
        self._rate = per_minute / 60
        self._clock = clock
        self._buckets: dict[bytes, _Bucket] = {}
        self._sweep_at = _SWEEP_AT

    def take(self, key: bytes) -> Headers:
        """Spend one request; returns the `x-ratelimit-*` headers. 429 if there is none."""
        if not self._capacity:
            return []
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._sweep_at:
                self._sweep(now)
            bucket = self._buckets[key] = _Bucket(self._capacity, now)
        tokens = min(self._capacity, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        if tokens < 1:
            bucket.tokens = tokens
            wait = math.ceil((1 - tokens) / self._rate)
            raise RequestError(
                f"Rate limit reached: {self._capacity} requests per minute for {self._whose}. "
                f"Try again in {wait} s.",
                code="rate_limit_exceeded",
                status=429,
                type=ErrorType.RATE_LIMIT,
                retry_after_s=wait,
            )
        bucket.tokens = tokens = tokens - 1
        reset = (self._capacity - tokens) / self._rate
        return [
            (b"x-ratelimit-limit-requests", b"%d" % self._capacity),
            (b"x-ratelimit-remaining-requests", b"%d" % int(tokens)),
            (b"x-ratelimit-reset-requests", b"%.3fs" % reset),
        ]

    def _sweep(self, now: float) -> None:
        self._buckets = {
            key: bucket
            for key, bucket in self._buckets.items()
            if bucket.tokens + (now - bucket.at) * self._rate < self._capacity
        }
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._buckets))


def client_network(scope: Scope) -> bytes:
    """Whom a request without a key counts for: an IPv4 address, or the /64 of an IPv6 address,
    which one host has for itself. Empty for a socket without addresses.
    """
    try:
        address = ipaddress.ip_address(scope["client"][0].partition("%")[0])
    except (TypeError, ValueError):
        return b""
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return mapped.packed if mapped else address.packed[:8]
    return address.packed


class Concurrency:
    """Requests running per key. 0 switches the limit off."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: dict[bytes, int] = {}

    @contextmanager
    def slot(self, key: bytes) -> Iterator[None]:
        """Hold one of the key's slots; 429 if all are taken."""
        running = self._running.get(key, 0)
        if self._most and running >= self._most:
            raise RequestError(
                f"This key already has {running} requests running, which is its limit. "
                "Wait for one to finish.",
                code="concurrency_limit_exceeded",
                status=429,
                type=ErrorType.RATE_LIMIT,
                retry_after_s=1,
            )
        self._running[key] = running + 1
        try:
            yield
        finally:
            left = self._running[key] - 1
            if left:
                self._running[key] = left
            else:
                del self._running[key]
