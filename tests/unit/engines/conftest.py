"""Tiny random checkpoints in Hugging Face form."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPECIAL = ("<s>", "</s>", "<|user|>", "<|assistant|>")
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}"
    "<|user|>{{ m['content'] }}{% endfor %}<|assistant|>"
)


def write_tokenizer(folder: Path) -> int:
    """All 256 bytes, some merges, and the markers; returns the vocabulary's size."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {piece: i for i, piece in enumerate((*SPECIAL, *alphabet))}
    merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("Ġ", "w"), ("Ã", "¤"), ("ð", "Ł")]
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(folder / "tokenizer.json"))
    side = {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(side))
    return len(vocab)


def write_safetensors(path: Path, tensors: dict[str, tuple[str, list[int], bytes]]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, (kind, shape, data) in tensors.items():
        end = len(body) + len(data)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(body), end]}
        body += data
    raw = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + body)


def random_tensors(config: dict[str, Any], kind: str) -> dict[str, tuple[str, list[int], bytes]]:
    rng = np.random.default_rng(7)
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    q = config["num_attention_heads"] * config["head_dim"]
    kv = config["num_key_value_heads"] * config["head_dim"]
    shapes = {"model.embed_tokens.weight": [config["vocab_size"], hidden]}
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = [config["vocab_size"], hidden]
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        shapes |= {
            p + "input_layernorm.weight": [hidden],
            p + "post_attention_layernorm.weight": [hidden],
            p + "self_attn.q_proj.weight": [q, hidden],
            p + "self_attn.k_proj.weight": [kv, hidden],
            p + "self_attn.v_proj.weight": [kv, hidden],
            p + "self_attn.o_proj.weight": [hidden, q],
            p + "mlp.gate_proj.weight": [inner, hidden],
            p + "mlp.up_proj.weight": [inner, hidden],
            p + "mlp.down_proj.weight": [hidden, inner],
        }
        if config["architectures"] == ["Qwen2ForCausalLM"]:
            shapes |= {p + f"self_attn.{n}_proj.bias": [q if n == "q" else kv] for n in "qkv"}
    shapes["model.norm.weight"] = [hidden]
    tensors = {}
    for name, shape in shapes.items():
        values = rng.standard_normal(shape).astype(np.float32) * np.float32(0.4)
        if "norm" in name:
            values = values + np.float32(1)
        if kind == "F16":
            data = values.astype("<f2").tobytes()
        elif kind == "BF16":
            data = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
        else:
            data = values.tobytes()
        tensors[name] = (kind, shape, data)
    return tensors


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """`make_folder(kind="BF16", shards=1, **config)` writes a checkpoint and returns its folder."""

    def make(kind: str = "BF16", shards: int = 1, **changes: Any) -> Path:
        folder = tmp_path / f"tiny{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        vocab = write_tokenizer(folder)
        config: dict[str, Any] = {
            "architectures": ["LlamaForCausalLM"],
            "vocab_size": vocab,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "max_position_embeddings": 96,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False,
            "eos_token_id": 1,
            "hidden_act": "silu",
            **changes,
        }
        (folder / "config.json").write_text(json.dumps(config))
        tensors = random_tensors(config, kind)
        if shards == 1:
            write_safetensors(folder / "model.safetensors", tensors)
            return folder
        names = list(tensors)
        where = {}
        for i in range(shards):
            file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
            part = {name: tensors[name] for name in names[i::shards]}
            write_safetensors(folder / file, part)
            where |= dict.fromkeys(part, file)
        index = {"metadata": {}, "weight_map": where}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        return folder

    return make
