"""The same decoder in numpy binary64: a yardstick for accuracy, no part of serving."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from infera_ext.ca1 import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infera_plugins.engines.exact.architecture import Architecture
    from infera_plugins.engines.exact.safetensors_file import Tensor
    from infera_plugins.engines.exact.weights import Weights

Doubles = npt.NDArray[np.float64]


def widen(tensor: Tensor) -> Doubles:
    """A tensor's exact values."""
    if tensor.format == Format.BF16:
        halves = np.frombuffer(tensor.data, dtype="<u2").astype(np.uint32) << 16
        values = halves.view(np.float32)
    else:
        kind = "<f4" if tensor.format == Format.F32 else "<f2"
        values = np.frombuffer(tensor.data, dtype=kind)
    return values.astype(np.float64).reshape(tensor.shape)


def logits(arch: Architecture, weights: Weights, tokens: Sequence[int]) -> Doubles:
    """Logits after every token, computed in binary64 from the widened weights."""
    get = {name: widen(tensor) for name, tensor in weights.tensors.items()}
    embed = get["model.embed_tokens.weight"]
    x = embed[list(tokens)]
    angles = np.outer(np.arange(len(tokens)), arch.inv_freq)
    cosines, sines = np.cos(angles), np.sin(angles)
    for layer in range(arch.layers):
        prefix = f"model.layers.{layer}."
        h = _norm(x, get[prefix + "input_layernorm.weight"], arch.eps)
        q, k, v = (_project(get, f"{prefix}self_attn.{n}_proj", h) for n in "qkv")
        mixed = _attention(arch, q, k, v, cosines, sines)
        x = x + mixed @ get[prefix + "self_attn.o_proj.weight"].T
        h = _norm(x, get[prefix + "post_attention_layernorm.weight"], arch.eps)
        gate = h @ get[prefix + "mlp.gate_proj.weight"].T
        up = h @ get[prefix + "mlp.up_proj.weight"].T
        x = x + (gate / (1.0 + np.exp(-gate)) * up) @ get[prefix + "mlp.down_proj.weight"].T
    head = embed if arch.tied else get["lm_head.weight"]
    result: Doubles = _norm(x, get["model.norm.weight"], arch.eps) @ head.T
    return result


def _norm(x: Doubles, weight: Doubles, eps: float) -> Doubles:
    result: Doubles = x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight
    return result


def _project(get: dict[str, Doubles], name: str, h: Doubles) -> Doubles:
    bias = get.get(name + ".bias")
    y = h @ get[name + ".weight"].T
    return y if bias is None else y + bias


def _attention(
    arch: Architecture, q: Doubles, k: Doubles, v: Doubles, cosines: Doubles, sines: Doubles
) -> Doubles:
    n = len(q)

    def rotate(heads: Doubles) -> Doubles:
        low, high = np.split(heads, 2, axis=-1)
        c, s = cosines[:, None], sines[:, None]
        return np.concatenate((low * c - high * s, high * c + low * s), axis=-1)

    group = arch.heads // arch.kv_heads
    queries = rotate(q.reshape(n, arch.heads, arch.head_dim))
    keys = rotate(k.reshape(n, arch.kv_heads, arch.head_dim)).repeat(group, axis=1)
    values = v.reshape(n, arch.kv_heads, arch.head_dim).repeat(group, axis=1)
    scores = np.einsum("ihd,jhd->hij", queries, keys) / np.sqrt(arch.head_dim)
    scores = np.where(np.tri(n, dtype=bool), scores, -np.inf)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    mixed: Doubles = np.einsum("hij,jhd->ihd", e / e.sum(-1, keepdims=True), values)
    return mixed.reshape(n, -1)
