"""Canonical sampling: reproducible, ordered, and distributed as it should be."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infera.types import Sampling
from infera_ext import ca1
from infera_plugins.engines.exact.sampler import Sampler, log_probabilities, random_word

logit_lists = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=60)
quick = settings(max_examples=60, deadline=None)


def array(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float32)


@given(logit_lists)
@quick
def test_greedy_takes_the_first_of_the_best(values: list[float]) -> None:
    token = Sampler(Sampling(temperature=0.0), 1).pick(array(values), 0, {})
    assert values[token] == max(values)
    assert max(values) not in values[:token]


@given(logit_lists, st.integers(0, 2**64 - 1), st.floats(0.05, 2.0), st.integers(0, 4000))
@quick
def test_draws_depend_on_seed_and_position_alone(
    values: list[float], seed: int, temperature: float, position: int
) -> None:
    first, second = (Sampler(Sampling(temperature=temperature), seed) for _ in range(2))
    second.pick(array(values), position + 1, {})
    assert first.pick(array(values), position, {}) == second.pick(array(values), position, {})


@given(logit_lists, st.integers(0, 1000), st.integers(1, 70))
@quick
def test_top_k_draws_one_of_the_k_best(values: list[float], seed: int, k: int) -> None:
    token = Sampler(Sampling(temperature=1.5, top_k=k), seed).pick(array(values), 0, {})
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    assert token in order[:k]


@given(logit_lists, st.integers(0, 1000), st.floats(0.0, 0.999))
@quick
def test_top_p_draws_from_the_smallest_nucleus(
    values: list[float], seed: int, top_p: float
) -> None:
    token = Sampler(Sampling(temperature=1.0, top_p=top_p), seed).pick(array(values), 0, {})
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    weights = [math.exp(values[i] - max(values)) for i in order]
    before = sum(weights[: order.index(token)]) / sum(weights)
    assert before < top_p + 1e-5 or token == order[0]


def test_top_p_zero_is_greedy() -> None:
    sampler = Sampler(Sampling(temperature=1.0, top_p=0.0), 5)
    assert {sampler.pick(array([0.0, 2.0, 2.0]), i, {}) for i in range(50)} == {1}


def test_frequencies_follow_the_softmax() -> None:
    logits = array([0.0, 1.0, 2.0, -50.0])
    sampler = Sampler(Sampling(temperature=1.0), 42)
    seen = Counter(sampler.pick(logits, i, {}) for i in range(20_000))
    total = sum(math.exp(x) for x in (0, 1, 2))
    assert seen[3] == 0
    for token in range(3):
        assert seen[token] / 20_000 == pytest.approx(math.exp(token) / total, abs=0.012)


def test_tiny_temperature_does_not_overflow() -> None:
    sampler = Sampler(Sampling(temperature=1e-9), 1)
    assert sampler.pick(array([1.0, 3.0, -30.0]), 0, {}) == 1


def test_penalties_count_what_was_drawn() -> None:
    logits = array([1.0, 0.9, 0.0])
    presence = Sampler(Sampling(temperature=0.0, presence_penalty=0.5), 0)
    assert presence.pick(logits, 0, {}) == 0
    assert presence.pick(logits, 1, {0: 1}) == 1
    frequency = Sampler(Sampling(temperature=0.0, frequency_penalty=0.06), 0)
    assert frequency.pick(logits, 1, {0: 1}) == 0
    assert frequency.pick(logits, 2, {0: 2}) == 1
    assert presence.pick(logits, 2, {0: 1, 1: 1}) == 0


def test_generator_is_the_published_one() -> None:
    assert random_word(0, 0) != random_word(0, 1) != random_word(1, 0)
    assert random_word(7, 3) == 0x64FE69ED2789C4AD
    assert random_word(2**64 - 1, 2**32 - 1) == 0x488F0490CA678ECC


@given(logit_lists, st.integers(0, 20))
@quick
def test_log_probabilities_are_the_log_softmax(values: list[float], best: int) -> None:
    logits = array(values)
    wide = logits.astype(np.float64)
    wanted = wide - wide.max() - math.log(np.exp(wide - wide.max()).sum())
    chosen, likeliest = log_probabilities(logits, len(values) - 1, best)
    assert chosen == pytest.approx(wanted[-1], abs=2e-6)
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    assert [token for token, _ in likeliest] == order[:best]
    for token, p in likeliest:
        assert p == pytest.approx(wanted[token], abs=2e-6)


def test_twin_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = array([math.sin(i) * 4 for i in range(50)])
    sampler = Sampler(Sampling(temperature=0.8, top_p=0.9), 3)
    drawn = [sampler.pick(logits, i, {}) for i in range(40)]
    monkeypatch.setattr(ca1, "lib", None)
    assert [sampler.pick(logits, i, {}) for i in range(40)] == drawn
