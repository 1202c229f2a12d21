# mypy: disable-error-code="import-not-found, misc, untyped-decorator"
"""Write and read the shipped folder in Hugging Face form (config.json, model.safetensors, ...)."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from .model import Llama, Shape
from .tokenizer import BEGIN, END, PAD, save

if TYPE_CHECKING:
    from pathlib import Path


def write(net: Llama, tok: Tokenizer, folder: Path) -> None:
    """Export weights (bfloat16), configuration and tokenizer."""
    s = net.s
    save(tok, folder, s.max_position_embeddings)
    ids = {
        "bos_token_id": tok.token_to_id(BEGIN),
        "eos_token_id": tok.token_to_id(END),
        "pad_token_id": tok.token_to_id(PAD),
    }
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **asdict(s),
        "rope_scaling": None,
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        **ids,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    generation = {**ids, "do_sample": False, "max_new_tokens": 160}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    tensors = {n: p.detach().to(torch.bfloat16).contiguous() for n, p in net.named_parameters()}
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})


def read(folder: Path) -> tuple[Llama, Tokenizer]:
    """The shipped model, in float32, and its tokenizer."""
    config = json.loads((folder / "config.json").read_text())
    net = Llama(Shape(**{f.name: config[f.name] for f in fields(Shape)}))
    tensors = load_file(str(folder / "model.safetensors"))
    net.load_state_dict({n: t.float() for n, t in tensors.items()})
    return net.eval(), Tokenizer.from_file(str(folder / "tokenizer.json"))
