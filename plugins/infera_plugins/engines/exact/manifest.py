"""A model's manifest: all that decides which bits it computes. Its hash is the model's id."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any

from infera.errors import EngineError
from infera.protocol.jobs import canonical_json
from infera_ext import MerkleTree, keccak256
from infera_ext.ca1 import VERSION, Format, rope_table

if TYPE_CHECKING:
    from pathlib import Path

    from infera_plugins.engines.exact.architecture import Architecture

CHUNK = 1 << 20
PROFILES = {Format.F32: f"ca{VERSION}-f32", Format.BF16: f"ca{VERSION}-bf16"}


def build_manifest(
    folder: Path,
    arch: Architecture,
    files: dict[str, memoryview],
    number_format: Format,
    template: str | None,
) -> dict[str, Any]:
    """Reads every weight byte once. Independent of the folder's name and place."""
    hashes, leaves = [], bytearray()
    for name in sorted(files):
        data = files[name]
        hashes.append({"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        offsets = [*range(0, len(data), CHUNK), len(data)]
        tree = MerkleTree.from_offsets(data, offsets)
        for i in range(len(offsets) - 1):
            leaves += tree.leaf_hash(i)
    root = MerkleTree.from_hashed(leaves).root
    return {
        "format": "infera-model/1",
        "profile": PROFILES[number_format],
        "architecture": {
            "name": arch.name,
            "vocab": arch.vocab,
            "hidden": arch.hidden,
            "intermediate": arch.intermediate,
            "layers": arch.layers,
            "heads": arch.heads,
            "kv_heads": arch.kv_heads,
            "head_dim": arch.head_dim,
            "eps": arch.eps.hex(),
            "tied": arch.tied,
            "qkv_bias": arch.qkv_bias,
        },
        "rotary": {
            "frequencies": keccak256(_doubles(arch.inv_freq)).hex(),
            "table": keccak256(_table(arch)).hex(),
        },
        "weights": {"files": hashes, "chunk": CHUNK, "root": root.hex()},
        "tokenizer": {
            "sha256": _file_hash(folder / "tokenizer.json"),
            "template": hashlib.sha256(template.encode()).hexdigest() if template else None,
            "eos": list(arch.eos),
        },
        "limits": {"context": arch.context},
    }


def model_id(manifest: dict[str, Any]) -> bytes:
    """keccak256 of the manifest's canonical JSON (docs/protocol.md §1)."""
    return keccak256(canonical_json(manifest))


def _file_hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from error


def _doubles(values: tuple[float, ...]) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def _table(arch: Architecture) -> bytes:
    """The first rows of the rotary table and its last one, as this machine computes them."""
    rows = min(64, arch.context)
    parts = [rope_table(arch.inv_freq, 0, rows), rope_table(arch.inv_freq, arch.context - 1, 1)]
    return b"".join(struct.pack(f"<{len(half)}f", *half) for part in parts for half in part)
