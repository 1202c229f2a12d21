"""Checkpoints: what loads is right, what does not is said."""

from __future__ import annotations

import json
import shutil
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from infera.errors import EngineError
from infera_ext.ca1 import Format, Session
from infera_plugins.engines.exact import reference
from infera_plugins.engines.exact.architecture import read_architecture
from infera_plugins.engines.exact.model import load_model
from infera_plugins.engines.exact.rope import frequencies
from infera_plugins.engines.exact.weights import load, map_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeFolder = Callable[..., Path]

QWEN = {"architectures": ["Qwen2ForCausalLM"]}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


def all_logits(folder: Path, tokens: list[int], twin: bool = False) -> np.ndarray:
    arch = read_architecture(folder)
    session = Session(load(arch, map_weights(folder), twin=twin), len(tokens))
    return np.array([session.forward([t]) for t in tokens], dtype=np.float64)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("F32", {}),
        ("F16", {"tie_word_embeddings": True}),
        ("BF16", {"num_key_value_heads": 1}),
        ("F32", QWEN),
        ("BF16", {**QWEN, "tie_word_embeddings": True}),
        ("F32", {"architectures": ["MistralForCausalLM"], "num_key_value_heads": 4}),
        ("F32", {"rope_scaling": LLAMA3}),
        ("F32", {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}),
        ("F32", {"rope_scaling": {"type": "linear", "factor": 2.0}}),
    ],
)
def test_logits_are_close_to_binary64(
    make_folder: MakeFolder, kind: str, config: dict[str, Any]
) -> None:
    folder = make_folder(kind, **config)
    tokens = [(7 * i * i + 3) % 260 for i in range(40)]
    arch = read_architecture(folder)
    wanted = reference.logits(arch, map_weights(folder), tokens)
    got = all_logits(folder, tokens)
    assert np.abs(got - wanted).max() < 2e-5 * np.abs(wanted).max()


def test_shards_equal_one_file(make_folder: MakeFolder) -> None:
    one, many = make_folder("F32"), make_folder("F32", shards=3)
    assert (all_logits(one, [1, 2, 3]) == all_logits(many, [1, 2, 3])).all()


def test_twin_equals_the_library(make_folder: MakeFolder) -> None:
    folder = make_folder("BF16", **QWEN)
    assert (all_logits(folder, [9, 8, 7]) == all_logits(folder, [9, 8, 7], twin=True)).all()


@pytest.mark.parametrize(("kind", "profile"), [("BF16", "ca1-bf16"), ("F16", "ca1-f32")])
def test_manifest_names_profile_and_content(
    make_folder: MakeFolder, tmp_path: Path, kind: str, profile: str
) -> None:
    folder = make_folder(kind)
    info = load_model(folder, "a").info
    assert info.manifest["profile"] == profile
    assert info.manifest["limits"] == {"context": 96}
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert load_model(moved, "b").info.model_id == info.model_id
    data = bytearray((moved / "model.safetensors").read_bytes())
    data[-2] ^= 1  # the lowest bit of one weight
    (moved / "model.safetensors").write_bytes(data)
    changed = load_model(moved, "b").info
    assert changed.model_id != info.model_id
    assert changed.manifest["weights"]["root"] != info.manifest["weights"]["root"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architectures": ["LlamaForCausaLM"]}, "LlamaForCausaLM is not supported"),
        ({"architectures": []}, "not supported"),
        ({"hidden_act": "gelu"}, "activation 'gelu'"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
        ({"attention_bias": True}, "attention_bias"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "'yarn' is not supported"),
        ({"rope_scaling": {"rope_type": "linear"}}, "positive factor"),
        ({"hidden_size": "32"}, "hidden_size must be a positive integer"),
        ({"partial_rotary_factor": 0.5}, "partial rotary"),
    ],
)
def test_unsupported_models_are_refused(
    make_folder: MakeFolder, config: dict[str, Any], message: str
) -> None:
    folder = make_folder()
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    with pytest.raises(EngineError, match=message):
        read_architecture(folder)


def test_odd_heads_are_refused(make_folder: MakeFolder) -> None:
    with pytest.raises(EngineError, match="multiple of 8"):
        read_architecture(make_folder(head_dim=12))


def test_sliding_window_ends_the_context(make_folder: MakeFolder) -> None:
    mistral = make_folder(architectures=["MistralForCausalLM"], sliding_window=64)
    assert read_architecture(mistral).context == 64
    qwen = make_folder(**QWEN, sliding_window=64, use_sliding_window=False)
    assert read_architecture(qwen).context == 96


def edit_header(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "model.safetensors"
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    edit(header)
    raw = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data[8 + size :])


def rename(header: dict[str, Any]) -> None:
    header["model.layers.0.self_attn.q_norm.weight"] = header.pop("model.norm.weight")


def add(header: dict[str, Any]) -> None:
    header["model.layers.0.self_attn.q_norm.weight"] = dict(header["model.norm.weight"])


def overrun(header: dict[str, Any]) -> None:
    header["model.norm.weight"]["data_offsets"][1] += 1 << 40


def quantise(header: dict[str, Any]) -> None:
    header["model.norm.weight"]["dtype"] = "I8"


def reshape(header: dict[str, Any]) -> None:
    entry = header["model.norm.weight"]
    entry["shape"], entry["data_offsets"][1] = [16], entry["data_offsets"][0] + 32


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (rename, "lacks model.norm.weight"),
        (add, "q_norm.weight that LlamaForCausalLM does not use"),
        (overrun, "outside the file"),
        (quantise, "type I8"),
        (reshape, r"model.norm.weight cannot be loaded.*\[16\]"),
    ],
)
def test_broken_checkpoints_are_named(
    make_folder: MakeFolder, edit: Callable[[dict[str, Any]], None], message: str
) -> None:
    folder = make_folder()
    edit_header(folder, edit)
    with pytest.raises(EngineError, match=message):
        load(read_architecture(folder), map_weights(folder))


def test_missing_and_garbled_files_are_named(make_folder: MakeFolder, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="is no folder"):
        load_model(tmp_path / "nowhere", "x")
    folder = make_folder()
    for content in (b"", b"\xff" * 64, struct.pack("<Q", 4) + b"oops"):
        (folder / "model.safetensors").write_bytes(content)
        with pytest.raises(EngineError, match="no safetensors file"):
            map_weights(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(EngineError, match="does not exist"):
        map_weights(folder)
    index = {"weight_map": {"a": "../outside.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(EngineError, match="outside its folder"):
        map_weights(folder)


def test_non_finite_weights_are_refused(make_folder: MakeFolder) -> None:
    folder = make_folder("F32")
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-4:] = struct.pack("<f", float("nan"))
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(EngineError, match="finite"):
        load(read_architecture(folder), map_weights(folder))


def test_frequencies_are_powers() -> None:
    got = frequencies(64, {"rope_theta": 500000.0})
    assert got[0] == 1.0
    assert got == pytest.approx([500000.0 ** (-2 * i / 64) for i in range(32)], rel=1e-15)
    assert frequencies(8, {"rope_theta": 16.0, "rope_type": "linear", "factor": 4}) == [
        0.25,
        0.125,
        0.0625,
        0.03125,
    ]


def test_formats(make_folder: MakeFolder) -> None:
    folder = make_folder("BF16")
    assert load(read_architecture(folder), map_weights(folder)).shape.format == Format.BF16
