# mypy: disable-error-code="import-not-found, misc, no-any-return, untyped-decorator"
"""A Llama decoder in plain torch, with the tensor names and semantics of Hugging Face Llama.

Sources: Touvron et al. 2023 (Llama), Su et al. 2021 (RoPE), Zhang and Sennrich 2019 (RMSNorm),
Shazeer 2020 (SwiGLU), Ainslie et al. 2023 (grouped-query attention). The rotary embedding uses
the rotate_half layout of the Hugging Face implementation, so exported weights load there as is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """Sizes of the network; field names follow `config.json`."""

    vocab_size: int = 2048
    hidden_size: int = 192
    intermediate_size: int = 512
    num_hidden_layers: int = 6
    num_attention_heads: int = 6
    num_key_value_heads: int = 2
    head_dim: int = 32
    max_position_embeddings: int = 1024
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5


class RMSNorm(nn.Module):
    """x / rms(x) * weight."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


def rotary(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine tables of shape (len, head_dim), the two halves holding equal angles."""
    inverse = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    angles = positions.float()[:, None] * inverse[None, :]
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate (batch, heads, len, head_dim) by the tables, rotate_half layout."""
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin


class Attention(nn.Module):
    """Causal grouped-query attention."""

    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.s = s
        wide, narrow = s.num_attention_heads * s.head_dim, s.num_key_value_heads * s.head_dim
        self.q_proj = nn.Linear(s.hidden_size, wide, bias=False)
        self.k_proj = nn.Linear(s.hidden_size, narrow, bias=False)
        self.v_proj = nn.Linear(s.hidden_size, narrow, bias=False)
        self.o_proj = nn.Linear(wide, s.hidden_size, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, past: Past | None) -> Tensor:
        batch, length, _ = x.shape
        s = self.s

        def heads(y: Tensor, count: int) -> Tensor:
            return y.view(batch, length, count, s.head_dim).transpose(1, 2)

        q = rotate(heads(self.q_proj(x), s.num_attention_heads), cos, sin)
        k = rotate(heads(self.k_proj(x), s.num_key_value_heads), cos, sin)
        v = heads(self.v_proj(x), s.num_key_value_heads)
        if past is not None:
            k, v = past.extend(self, k, v)
        group = s.num_attention_heads // s.num_key_value_heads
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        with torch.autocast("cpu", enabled=False):  # the float32 kernel is the faster one
            out = functional.scaled_dot_product_attention(
                q.float(), k.float(), v.float(), is_causal=length > 1
            )
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, -1))


class Past:
    """Keys and values of the tokens already seen, per attention layer."""

    def __init__(self) -> None:
        self.length = 0
        self._kv: dict[int, tuple[Tensor, Tensor]] = {}

    def extend(self, layer: Attention, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append this step's keys and values and return all of them."""
        old = self._kv.get(id(layer))
        if old is not None:
            k, v = torch.cat((old[0], k), dim=2), torch.cat((old[1], v), dim=2)
        self._kv[id(layer)] = (k, v)
        return k, v


class MLP(nn.Module):
    """SwiGLU: down(silu(gate(x)) * up(x))."""

    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(s.hidden_size, s.intermediate_size, bias=False)
        self.up_proj = nn.Linear(s.hidden_size, s.intermediate_size, bias=False)
        self.down_proj = nn.Linear(s.intermediate_size, s.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """Pre-norm decoder layer."""

    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(s.hidden_size, s.rms_norm_eps)
        self.self_attn = Attention(s)
        self.post_attention_layernorm = RMSNorm(s.hidden_size, s.rms_norm_eps)
        self.mlp = MLP(s)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, past: Past | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, past)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Embedding, layers and final norm (the `model.` prefix of the checkpoint)."""

    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.s = s
        self.embed_tokens = nn.Embedding(s.vocab_size, s.hidden_size)
        self.layers = nn.ModuleList(Layer(s) for _ in range(s.num_hidden_layers))
        self.norm = RMSNorm(s.hidden_size, s.rms_norm_eps)

    def forward(self, ids: Tensor, past: Past | None = None) -> Tensor:
        start = past.length if past is not None else 0
        positions = torch.arange(start, start + ids.shape[1])
        cos, sin = rotary(positions, self.s.head_dim, self.s.rope_theta)
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, sin, past)
        if past is not None:
            past.length += ids.shape[1]
        return self.norm(x)


class Llama(nn.Module):
    """Decoder with the output projection tied to the embedding."""

    def __init__(self, s: Shape) -> None:
        super().__init__()
        self.s = s
        self.model = Decoder(s)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                std = 0.02
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    std /= (2 * s.num_hidden_layers) ** 0.5
                elif "embed" not in name:
                    std = 0.6 / weight.shape[1] ** 0.5
                nn.init.normal_(weight, 0.0, std)

    def forward(self, ids: Tensor, past: Past | None = None) -> Tensor:
        return functional.linear(self.model(ids, past), self.model.embed_tokens.weight)

    def parameters_count(self) -> int:
        """Number of distinct weights."""
        return sum(p.numel() for p in self.parameters())


@torch.inference_mode()
def generate(net: Llama, ids: list[int], stop: set[int], limit: int = 120) -> list[int]:
    """Greedy continuation of `ids` until a stop token or `limit` tokens."""
    past, out = Past(), []
    step = torch.tensor([ids])
    for _ in range(limit):
        token = int(net(step, past)[0, -1].argmax())
        if token in stop:
            break
        out.append(token)
        step = torch.tensor([[token]])
    return out
