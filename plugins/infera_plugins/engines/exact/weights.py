"""From a checkpoint folder to a CA-1 model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infera.errors import EngineError
from infera_ext.ca1 import Ca1Error, Format, Model, Shape, Slot, rope_table
from infera_plugins.engines.exact.safetensors_file import (
    Tensor,
    map_file,
    read_tensors,
    weight_files,
)

if TYPE_CHECKING:
    from pathlib import Path

    from infera_plugins.engines.exact.architecture import Architecture

_OUTER = {
    Slot.EMBED: "model.embed_tokens.weight",
    Slot.NORM: "model.norm.weight",
    Slot.HEAD: "lm_head.weight",
}
_LAYER = {
    Slot.ATTN_NORM: "input_layernorm.weight",
    Slot.MLP_NORM: "post_attention_layernorm.weight",
    Slot.Q: "self_attn.q_proj.weight",
    Slot.K: "self_attn.k_proj.weight",
    Slot.V: "self_attn.v_proj.weight",
    Slot.O: "self_attn.o_proj.weight",
    Slot.GATE: "mlp.gate_proj.weight",
    Slot.UP: "mlp.up_proj.weight",
    Slot.DOWN: "mlp.down_proj.weight",
}
_BIAS = {
    Slot.Q_BIAS: "self_attn.q_proj.bias",
    Slot.K_BIAS: "self_attn.k_proj.bias",
    Slot.V_BIAS: "self_attn.v_proj.bias",
}
_VECTORS = (Slot.NORM, Slot.ATTN_NORM, Slot.MLP_NORM, *_BIAS)


@dataclass(frozen=True, slots=True)
class Weights:
    """A folder's weight files, mapped, and the tensors in them."""

    files: dict[str, memoryview]
    tensors: dict[str, Tensor]


def map_weights(folder: Path) -> Weights:
    """Open all weight files; nothing is read yet."""
    files: dict[str, memoryview] = {}
    tensors: dict[str, Tensor] = {}
    for path in weight_files(folder):
        files[path.name] = map_file(path)
        for name, tensor in read_tensors(path, files[path.name]).items():
            if name in tensors:
                raise EngineError(f"tensor {name} is in two files")
            tensors[name] = tensor
    return Weights(files, tensors)


def layout(arch: Architecture) -> dict[str, tuple[Slot, int]]:
    """The tensors a model must have, by name."""
    wanted = {name: (slot, 0) for slot, name in _OUTER.items()}
    if arch.tied:
        del wanted[_OUTER[Slot.HEAD]]
    for layer in range(arch.layers):
        names = _LAYER | _BIAS if arch.qkv_bias else _LAYER
        for slot, name in names.items():
            wanted[f"model.layers.{layer}.{name}"] = (slot, layer)
    return wanted


def number_format(arch: Architecture, weights: Weights) -> Format:
    """bf16 if all matrices are; else binary32, which every supported type widens to exactly."""
    matrices = [
        weights.tensors[name].format
        for name, (slot, _) in layout(arch).items()
        if slot not in _VECTORS and name in weights.tensors
    ]
    return Format.BF16 if all(f == Format.BF16 for f in matrices) else Format.F32


def check_names(arch: Architecture, weights: Weights) -> None:
    """`EngineError` for missing and surplus tensors."""
    wanted = layout(arch)
    missing = sorted(wanted.keys() - weights.tensors.keys())
    if missing:
        raise EngineError(f"the checkpoint lacks {missing[0]} (and {len(missing) - 1} more)")
    surplus = sorted(name for name in weights.tensors.keys() - wanted.keys() if _matters(name))
    if surplus:
        raise EngineError(f"the checkpoint has a tensor {surplus[0]} that {arch.name} does not use")


def check_shapes(arch: Architecture, weights: Weights) -> None:
    """`EngineError` for tensors whose headers do not fit `config.json`; reads no weights."""
    check_names(arch, weights)
    heads, kv = arch.heads * arch.head_dim, arch.kv_heads * arch.head_dim
    matrices = {
        Slot.EMBED: (arch.vocab, arch.hidden),
        Slot.HEAD: (arch.vocab, arch.hidden),
        Slot.Q: (heads, arch.hidden),
        Slot.K: (kv, arch.hidden),
        Slot.V: (kv, arch.hidden),
        Slot.O: (arch.hidden, heads),
        Slot.GATE: (arch.intermediate, arch.hidden),
        Slot.UP: (arch.intermediate, arch.hidden),
        Slot.DOWN: (arch.hidden, arch.intermediate),
        Slot.Q_BIAS: (heads,),
        Slot.K_BIAS: (kv,),
        Slot.V_BIAS: (kv,),
    }
    for name, (slot, _) in layout(arch).items():
        wanted, got = matrices.get(slot, (arch.hidden,)), weights.tensors[name].shape
        if got != wanted:
            raise EngineError(f"tensor {name} has shape {list(got)}, not {list(wanted)}")


def load(arch: Architecture, weights: Weights, *, twin: bool = False) -> Model:
    """Pack the weights. `EngineError` for missing, surplus, misshapen or non-finite tensors."""
    wanted = layout(arch)
    check_names(arch, weights)
    shape = Shape(
        vocab=arch.vocab,
        hidden=arch.hidden,
        intermediate=arch.intermediate,
        layers=arch.layers,
        heads=arch.heads,
        kv_heads=arch.kv_heads,
        head_dim=arch.head_dim,
        context=arch.context,
        eps=arch.eps,
        tied=arch.tied,
        format=number_format(arch, weights),
    )
    try:
        model = Model(shape, twin=twin)
    except Ca1Error as error:
        raise EngineError(f"this model's sizes cannot be run: {error}") from error
    for name, (slot, layer) in wanted.items():
        tensor = weights.tensors[name]
        try:
            model.set(slot, layer, tensor.data, tensor.format)
        except Ca1Error as error:
            detail = f"{error} (shape {list(tensor.shape)})"
            raise EngineError(f"tensor {name} cannot be loaded: {detail}") from error
    cosines, sines = rope_table(arch.inv_freq, 0, arch.context)
    model.set_rope(cosines, sines)
    return model


def _matters(name: str) -> bool:
    """Old checkpoints carry rotary frequencies, and tied ones a copy of the head."""
    return not name.endswith("rotary_emb.inv_freq") and name != _OUTER[Slot.HEAD]
