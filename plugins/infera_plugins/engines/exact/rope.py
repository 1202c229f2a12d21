"""Rotary frequencies: binary64 numbers that every machine computes alike."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from infera.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping


def frequencies(head_dim: int, parameters: Mapping[str, Any]) -> list[float]:
    """One frequency per pair of the head, scaled as config.json's rope settings ask."""
    theta = parameters.get("rope_theta", 10000.0)
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    if not isinstance(theta, (int, float)) or not 1.0 < theta < 1e12:
        raise EngineError(f"rope_theta {theta!r} is not a number above 1")
    plain = [_power(float(theta), i, head_dim) for i in range(head_dim // 2)]
    if kind == "default":
        return plain
    if kind == "linear":
        factor = _number(parameters, "factor")
        return [f / factor for f in plain]
    if kind == "llama3":
        return [_llama3(f, parameters) for f in plain]
    raise EngineError(
        f"rotary scaling {kind!r} is not supported", hint="supported: default, linear, llama3"
    )


def _power(theta: float, i: int, head_dim: int) -> float:
    """The binary64 nearest to theta^(-2i/head_dim); libm's pow may be off by a bit."""
    with localcontext(prec=50):
        exponent = Decimal(-2 * i) / Decimal(head_dim)
        return float((Decimal(theta).ln() * exponent).exp())


def _llama3(frequency: float, parameters: Mapping[str, Any]) -> float:
    factor = _number(parameters, "factor")
    low = _number(parameters, "low_freq_factor")
    high = _number(parameters, "high_freq_factor")
    original = _number(parameters, "original_max_position_embeddings")
    if low == high:
        raise EngineError("low_freq_factor and high_freq_factor must differ")
    length = 2.0 * math.pi / frequency
    if length < original / high:
        return frequency
    if length > original / low:
        return frequency / factor
    smooth = (original / length - low) / (high - low)
    return (1.0 - smooth) * frequency / factor + smooth * frequency


def _number(parameters: Mapping[str, Any], name: str) -> float:
    value = parameters.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
        raise EngineError(f"rotary scaling needs a positive {name}")
    return float(value)
