"""Safetensors files, mapped into memory.

The `safetensors` package has no bfloat16 for numpy, and views cost no copy.
"""

from __future__ import annotations

import json
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infera.errors import EngineError
from infera_ext.ca1 import Format

_FORMATS = {"F32": (Format.F32, 4), "BF16": (Format.BF16, 2), "F16": (Format.F16, 2)}
_MAX_HEADER = 100 << 20


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's bytes inside a mapped file."""

    format: Format
    shape: tuple[int, ...]
    data: memoryview


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a model's weights, by name."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        try:
            names = set(json.loads(index.read_bytes())["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise EngineError(f"{index} is no index of safetensors files") from error
        if not all(isinstance(n, str) and n == Path(n).name for n in names):
            raise EngineError(f"{index} names files outside its folder")
        files = [folder / name for name in sorted(names)]
    else:
        files = [folder / "model.safetensors"]
    for file in files:
        if not file.is_file():
            raise EngineError(
                f"{file} does not exist", hint="the exact engine reads safetensors checkpoints"
            )
    return files


def map_file(path: Path) -> memoryview:
    """The whole file, read-only; closed when the last view of it goes away."""
    with path.open("rb") as file:
        if path.stat().st_size < 8:
            raise EngineError(f"{path} is no safetensors file")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def read_tensors(path: Path, data: memoryview) -> dict[str, Tensor]:
    """All tensors of one mapped file."""
    size = int.from_bytes(data[:8], "little")
    if not 2 <= size <= min(_MAX_HEADER, len(data) - 8):
        raise EngineError(f"{path} is no safetensors file: its header does not fit")
    try:
        header = json.loads(bytes(data[8 : 8 + size]))
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        return {name: _tensor(entry, data[8 + size :]) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{path} is no safetensors file: {error}") from error


def _tensor(entry: dict[str, Any], body: memoryview) -> Tensor:
    if entry["dtype"] not in _FORMATS:
        raise EngineError(
            f"weights of type {entry['dtype']} are not supported", hint="use bf16, fp16 or fp32"
        )
    number_format, width = _FORMATS[entry["dtype"]]
    shape = tuple(int(n) for n in entry["shape"])
    start, end = entry["data_offsets"]
    count = 1
    for n in shape:
        count *= n
    if min(shape, default=0) < 0 or not 0 <= start <= end <= len(body):
        raise ValueError("a tensor lies outside the file")
    if end - start != count * width:
        raise ValueError("a tensor's size does not match its shape")
    return Tensor(number_format, shape, body[start:end])
