"""Prices, API keys and the sampling rules at their edges."""

from __future__ import annotations

import math

import pytest

from infera.errors import ProtocolError
from infera.protocol import apikeys, pricing, sampling
from infera.protocol.abi import checksum_address
from infera_ext import keccak256


def test_cost_rounds_down_and_takes_the_premium() -> None:
    assert pricing.cost(1, 0, 999_999, 0, 0) == 0
    assert pricing.cost(1, 0, 1_000_000, 0, 0) == 1
    assert pricing.cost(1_000_000, 1_000_000, 150_000, 600_000, 500) == 787_500
    with pytest.raises(ProtocolError):
        pricing.cost(-1, 0, 1, 1, 0)


def test_fees_add_up_to_the_cost() -> None:
    assert pricing.fees(10_000) == (150, 150, 9_700)
    assert pricing.fees(66) == (0, 0, 66)
    assert sum(pricing.fees(123_457, 77, 33)) == 123_457


def test_api_keys_have_one_shape() -> None:
    key = apikeys.new_api_key()
    assert apikeys.is_api_key(key)
    assert key != apikeys.new_api_key()
    assert apikeys.key_hash(key) == keccak256(key.encode())
    assert key[12:-4] not in apikeys.redact(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk-infera-",
        "sk-infera-" + "a" * 42,
        "sk-infera-" + "a" * 44,
        "sk-infera-" + "=" * 43,
        "sk-infera-" + "+" * 42 + "A",
        "sk-infera-" + "A" * 42 + "B",  # stray bits: another spelling of 32 zero bytes
        "sk-other--" + "A" * 43,
        "sk-infera-" + "é" * 43,
        "sk-infera-" + "A" * 42 + "\n",
    ],
)
def test_what_is_no_key_is_refused_without_quoting_it(text: str) -> None:
    assert not apikeys.is_api_key(text)
    with pytest.raises(ProtocolError) as caught:
        apikeys.key_hash(text)
    assert text[10:] not in str(caught.value) or not text[10:]


def test_key_hashes_compare_in_constant_time() -> None:
    assert apikeys.same_hash(b"a" * 32, b"a" * 32)
    assert not apikeys.same_hash(b"a" * 32, b"b" * 32)


def test_the_rate_falls_with_tenure_and_rises_with_lost_reputation() -> None:
    day = sampling.DAY_S
    assert sampling.sampling_rate(0) == sampling.NEW_RATE
    assert sampling.sampling_rate(30 * day) == sampling.BASE_RATE
    assert sampling.sampling_rate(180 * day) == sampling.TENURED_RATE
    assert sampling.sampling_rate(-5) == sampling.NEW_RATE
    assert sampling.sampling_rate(999 * day, 0) == sampling.NEW_RATE
    assert sampling.sampling_rate(30 * day, base_ppm=10**9) == sampling.MAX_BASE_RATE
    assert sampling.sampling_rate(30 * day, base_ppm=0) == sampling.MIN_BASE_RATE


def test_the_logarithm_is_right_to_its_last_bits() -> None:
    assert sampling.negative_log2(0) == 64 << 64
    assert sampling.negative_log2((1 << 64) - 1) == 0
    for h in (1, 2, 3, 10**6, 10**12, 2**63, 2**64 - 2):
        exact = -math.log2((h + 1) / 2**64)
        assert sampling.negative_log2(h) / 2**64 == pytest.approx(exact, rel=1e-12)
    for bad in (-1, 1 << 64):
        with pytest.raises(ProtocolError):
            sampling.negative_log2(bad)


def test_nobody_is_elected_without_stake() -> None:
    one = checksum_address(b"\1" * 20)
    assert sampling.elect_checker(b"\0" * 32, 0, {}) is None
    assert sampling.elect_checker(b"\0" * 32, 0, {one: 0}) is None
    assert sampling.elect_checker(b"\0" * 32, 0, {one: 1}) == one
    with pytest.raises(ProtocolError):
        sampling.checker_score(b"\0" * 32, 0, one, 0)
    with pytest.raises(ProtocolError):
        sampling.batch_rand(b"", b"\0" * 32)
