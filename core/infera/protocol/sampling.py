"""Which leaves are checked, and by whom (docs/protocol.md §6). Integers only: bit-reproducible.

Anyone recomputes both answers from the commit block, the batch and the registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infera.errors import ProtocolError
from infera.protocol.abi import address_bytes
from infera_ext import keccak256, keccak256_equal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infera.types import Address

PPM = 1_000_000
NEW_RATE = 100_000
TENURED_RATE = 5_000
BASE_RATE = 20_000
MIN_BASE_RATE = 10_000
MAX_BASE_RATE = 50_000
DAY_S = 86_400
PROBATION_S = 30 * DAY_S
TENURE_S = 180 * DAY_S


def batch_rand(prevrandao: bytes, jobs_root: bytes) -> bytes:
    """keccak256(prevrandao ‖ jobsRoot); `prevrandao` is that of the block after the commit."""
    if len(prevrandao) != 32 or len(jobs_root) != 32:
        raise ProtocolError("prevrandao and jobsRoot have 32 bytes")
    return keccak256(prevrandao + jobs_root)


def is_sampled(rand: bytes, index: int, rate_ppm: int) -> bool:
    """Whether leaf `index` is checked, at a rate in parts per million (1,000,000: always)."""
    draw = keccak256(rand + index.to_bytes(4, "big"))
    return int.from_bytes(draw[:8], "big") * PPM < rate_ppm << 64


def sampled(rand: bytes, rates_ppm: Sequence[int]) -> list[int]:
    """Indices of the sampled leaves; `rates_ppm[i]` is leaf i's rate. `is_sampled` for a batch."""
    packed = b"".join([rand + i.to_bytes(4, "big") for i in range(len(rates_ppm))])
    draws = keccak256_equal(packed, 36)
    return [
        i
        for i, rate in enumerate(rates_ppm)
        if int.from_bytes(draws[32 * i : 32 * i + 8], "big") * PPM < rate << 64
    ]


def sampling_rate(tenure_s: int, reputation_ppm: int = PPM, base_ppm: int = BASE_RATE) -> int:
    """A provider's rate in ppm, from the seconds since it registered and its reputation.

    Falls linearly from 100,000 to the governed base over 30 days, then to 5,000 at 180 days. Lost
    reputation (below 1,000,000) moves it back towards 100,000 in proportion.
    """
    base = min(max(base_ppm, MIN_BASE_RATE), MAX_BASE_RATE)
    tenure = max(tenure_s, 0)
    if tenure < PROBATION_S:
        rate = NEW_RATE - (NEW_RATE - base) * tenure // PROBATION_S
    elif tenure < TENURE_S:
        done = tenure - PROBATION_S
        rate = base - (base - TENURED_RATE) * done // (TENURE_S - PROBATION_S)
    else:
        rate = TENURED_RATE
    lost = PPM - min(max(reputation_ppm, 0), PPM)
    return rate + (NEW_RATE - rate) * lost // PPM


def negative_log2(h: int) -> int:
    """-log2((h + 1)/2^64) in units of 2^-64, for 0 ≤ h < 2^64: exact integer steps, truncated.

    Bit by bit on a 128-bit mantissa that is squared 64 times; every product stays below 2^256, so
    the same loop runs in Solidity.
    """
    if not 0 <= h < 1 << 64:
        raise ProtocolError("the draw is a uint64")
    x = h + 1
    whole = x.bit_length() - 1
    mantissa = x << (127 - whole)
    fraction = 0
    for _ in range(64):
        mantissa = mantissa * mantissa >> 127
        fraction <<= 1
        if mantissa >> 128:
            mantissa >>= 1
            fraction |= 1
    return ((64 - whole) << 64) - fraction


def checker_score(rand: bytes, index: int, validator: Address, stake: int) -> int:
    """floor(-log2(u)·2^192/stake) of a validator for a leaf; the smallest one checks."""
    if stake <= 0:
        raise ProtocolError("a checker has stake")
    draw = keccak256(rand + index.to_bytes(4, "big") + address_bytes(validator))
    return (negative_log2(int.from_bytes(draw[:8], "big")) << 128) // stake


def rank_checkers(rand: bytes, index: int, stakes: Mapping[Address, int]) -> list[Address]:
    """Validators with stake, the elected one first, then who stands in for it, in order.

    Equal scores are decided by the numerically smaller address.
    """
    return sorted(
        (v for v, stake in stakes.items() if stake > 0),
        key=lambda v: (checker_score(rand, index, v, stakes[v]), address_bytes(v)),
    )


def elect_checker(rand: bytes, index: int, stakes: Mapping[Address, int]) -> Address | None:
    """The validator that must check leaf `index`; None if nobody has stake (INFR wei)."""
    ranked = rank_checkers(rand, index, stakes)
    return ranked[0] if ranked else None
