"""Canonical sampling: logits, parameters and a seed give the same token everywhere.

docs/arithmetic.md §5 is the definition.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from infera_ext import keccak256
from infera_ext.ca1 import exp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infera.types import Sampling

_DOMAIN = b"infera/sample/1"
_ONE = float(1 << 40)

Floats = npt.NDArray[np.float32]


def random_word(seed: int, position: int) -> int:
    """64 random bits for one output position: a counter-based generator needs no state."""
    message = _DOMAIN + seed.to_bytes(8, "big") + position.to_bytes(4, "big")
    return int.from_bytes(keccak256(message)[:8], "big")


class Sampler:
    """Draws tokens for one request."""

    def __init__(self, sampling: Sampling, seed: int) -> None:
        self._sampling = sampling
        self._seed = seed

    def pick(self, logits: Floats, position: int, counts: Mapping[int, int]) -> int:
        """The token at an output position; `counts` says how often each token was drawn before."""
        sampling = self._sampling
        if not sampling.temperature and not self._penalises(counts):
            return int(logits.argmax())  # the first of equals: the smallest id
        scores = logits.astype(np.float64)
        if self._penalises(counts):
            for token, count in counts.items():
                scores[token] -= count * sampling.frequency_penalty + sampling.presence_penalty
        if not sampling.temperature:
            return int(scores.argmax())
        ids, weights = _weights(scores, sampling.temperature)
        if sampling.top_k or sampling.top_p < 1.0:
            ids, weights = _truncate(scores, ids, weights, sampling)
        cumulative = np.cumsum(weights)
        target = (random_word(self._seed, position) * int(cumulative[-1])) >> 64
        return int(ids[int(np.searchsorted(cumulative, target, side="right"))])

    def _penalises(self, counts: Mapping[int, int]) -> bool:
        s = self._sampling
        return bool(counts) and bool(s.frequency_penalty or s.presence_penalty)


def _weights(
    scores: npt.NDArray[np.float64], temperature: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint64]]:
    """Tokens that can be drawn, ascending, with whole weights: their sums have no rounding."""
    scaled = np.maximum((scores - scores.max()) / temperature, -86.0).astype(np.float32)
    raised = np.empty_like(scaled)
    exp(scaled, raised)
    weights = (raised.astype(np.float64) * _ONE).astype(np.uint64)
    ids = np.flatnonzero(weights)
    return ids, weights[ids]


def _truncate(
    scores: npt.NDArray[np.float64],
    ids: npt.NDArray[np.intp],
    weights: npt.NDArray[np.uint64],
    sampling: Sampling,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint64]]:
    """The `top_k` best, and of those the fewest that weigh `top_p` of them; equals by id."""
    order = np.argsort(-scores[ids], kind="stable")
    if sampling.top_k:
        order = order[: sampling.top_k]
    if sampling.top_p < 1.0:
        cumulative = np.cumsum(weights[order])
        wanted = math.ceil(Fraction(sampling.top_p) * int(cumulative[-1]))
        order = order[: int(np.searchsorted(cumulative, max(wanted, 1), side="left")) + 1]
    order = np.sort(order)
    return ids[order], weights[order]


def log_probabilities(
    logits: Floats, token: int, best: int
) -> tuple[float, list[tuple[int, float]]]:
    """Log-probability of `token` and the `best` likeliest ones, from raw logits, six decimals."""
    top = logits.max()
    raised = np.empty_like(logits)
    exp(np.maximum(logits - top, np.float32(-86.0)), raised)
    total = int((raised.astype(np.float64) * _ONE).astype(np.uint64).sum())
    base = float(top) + math.log(total / _ONE)
    likeliest: list[int] = []
    if best:
        size = min(best, len(logits))
        edge = np.partition(logits, len(logits) - size)[len(logits) - size]
        near = np.flatnonzero(logits >= edge)
        likeliest = near[np.argsort(-logits[near], kind="stable")][:size].tolist()
    return (
        round(float(logits[token]) - base, 6),
        [(i, round(float(logits[i]) - base, 6)) for i in likeliest],
    )
