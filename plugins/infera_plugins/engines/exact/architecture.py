"""What `config.json` of a Hugging Face folder says, and whether CA-1 defines it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infera.errors import EngineError, did_you_mean
from infera_plugins.engines.exact.rope import frequencies

if TYPE_CHECKING:
    from pathlib import Path

SUPPORTED = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM")


@dataclass(frozen=True, slots=True)
class Architecture:
    """The decoder of a folder. `context` is the number of positions it may use."""

    name: str
    vocab: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int
    eps: float
    tied: bool
    qkv_bias: bool
    inv_freq: tuple[float, ...]
    eos: tuple[int, ...]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of a model folder."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise EngineError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise EngineError(f"{path} is not a JSON object")
    return value


def read_architecture(folder: Path) -> Architecture:
    """Raises `EngineError` naming the first thing CA-1 does not define."""
    config = read_json(folder / "config.json")
    names = config.get("architectures") or ["(none)"]
    name = str(names[0])
    if name not in SUPPORTED:
        raise EngineError(
            f"architecture {name} is not supported", hint=did_you_mean(name, SUPPORTED)
        )
    _refuse_extras(config, name)
    heads = _size(config, "num_attention_heads")
    hidden = _size(config, "hidden_size")
    head_dim = config.get("head_dim") or hidden // heads
    rope = config.get("rope_parameters") or {
        "rope_theta": config.get("rope_theta", 10000.0),
        **(config.get("rope_scaling") or {}),
    }
    if head_dim % 8:
        raise EngineError(f"head_dim {head_dim} is not a multiple of 8")
    return Architecture(
        name=name,
        vocab=_size(config, "vocab_size"),
        hidden=hidden,
        intermediate=_size(config, "intermediate_size"),
        layers=_size(config, "num_hidden_layers"),
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_dim=head_dim,
        context=_context(config, name),
        eps=float(config.get("rms_norm_eps", 1e-6)),
        tied=bool(config.get("tie_word_embeddings", False)),
        qkv_bias=name.startswith("Qwen2"),
        inv_freq=tuple(frequencies(head_dim, rope)),
        eos=_eos(folder, config),
    )


def _size(config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    if type(value) is not int or value < 1:
        raise EngineError(f"config.json: {key} must be a positive integer (got {value!r})")
    return value


def _refuse_extras(config: dict[str, Any], name: str) -> None:
    activation = config.get("hidden_act", "silu")
    if activation not in ("silu", "swish"):
        raise EngineError(f"activation {activation!r} is not supported; CA-1 defines silu")
    if config.get("quantization_config"):
        raise EngineError(
            "quantised checkpoints are not supported", hint="use a bf16, fp16 or fp32 checkpoint"
        )
    for key in ("attention_bias", "mlp_bias"):
        if config.get(key) and not name.startswith("Qwen2"):
            raise EngineError(f"{key} is not supported for {name}")
    if config.get("partial_rotary_factor", 1.0) != 1.0:
        raise EngineError("partial rotary embeddings are not supported")


def _context(config: dict[str, Any], name: str) -> int:
    """Sliding-window attention equals full attention up to the window: there the context ends."""
    context = _size(config, "max_position_embeddings")
    window = config.get("sliding_window")
    sliding = config.get("use_sliding_window", not name.startswith("Qwen2"))
    return min(context, window) if window and sliding else context


def _eos(folder: Path, config: dict[str, Any]) -> tuple[int, ...]:
    found: set[int] = set()
    sources = [config]
    if (folder / "generation_config.json").exists():
        sources.append(read_json(folder / "generation_config.json"))
    for source in sources:
        value = source.get("eos_token_id")
        found.update(value if isinstance(value, list) else [] if value is None else [value])
    return tuple(sorted(found))
