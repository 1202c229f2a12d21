"""What `infera doctor` says about the exact engine."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infera.checks import CheckContext
from infera.errors import NeedsOperatorError
from infera_ext import BackendInfo
from infera_plugins.engines.exact import checks
from infera_plugins.engines.exact.config import ExactConfig

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS, NATIVE = checks.CHECKS


async def says(*entries: Any) -> str | None:
    entries = tuple({"path": str(e)} if not isinstance(e, dict) else e for e in entries)
    block = ExactConfig.model_validate({"models": entries})
    return await MODELS.run(CheckContext(Path("/nowhere"), {"engines": [block]}))


async def test_good_folders(make_folder: Callable[..., Path]) -> None:
    qwen = make_folder(architectures=["Qwen2ForCausalLM"])
    tied = make_folder(kind="F32", tie_word_embeddings=True)
    assert await says(make_folder(), make_folder(shards=3), qwen, tied) is None
    assert await says("builtin:first_light") is None


async def test_bad_folders(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    assert f"{tmp_path / 'none'} is no folder" in (await says(tmp_path / "none") or "")
    with pytest.raises(NeedsOperatorError, match="nothing"):
        await says("builtin:nothing")
    good = make_folder()
    twice = await says({"path": str(good), "name": "a"}, {"path": str(make_folder()), "name": "a"})
    assert "two models are called 'a'" in (twice or "")
    assert "BertModel is not supported" in (
        await says(make_folder(architectures=["BertModel"])) or ""
    )

    broken = make_folder()
    (broken / "tokenizer.json").unlink()
    assert "no tokenizer.json" in (await says(good, broken) or "")

    broken = make_folder()
    (broken / "config.json").write_text("{")
    assert "is not JSON" in (await says(broken) or "")

    broken = make_folder(shards=2)
    (broken / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors does not exist" in (await says(broken) or "")


async def test_a_download_that_broke_off(make_folder: Callable[..., Path]) -> None:
    folder = make_folder()
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    for size in (0, 4, 100, len(whole) - 1):
        file.write_bytes(whole[:size])
        assert "is no safetensors file" in (await says(folder) or ""), size


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("model.embed_tokens.weight", None),
        ("model.norm.weight", [33]),
        ("model.layers.1.self_attn.k_proj.weight", [32, 16]),  # transposed: as many numbers
        ("model.layers.0.mlp.down_proj.weight", [48, 32]),
        ("model.layers.0.self_attn.q_proj.weight", [32, 32, 1]),
    ],
)
async def test_headers_that_do_not_fit(
    make_folder: Callable[..., Path], name: str, shape: list[int] | None
) -> None:
    folder = make_folder()
    file = folder / "model.safetensors"
    raw = file.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header, body = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    if shape is None:
        del header[name]
    else:
        more = 2 * math.prod(shape)
        header[name] |= {"shape": shape, "data_offsets": [len(body), len(body) + more]}
        body += bytes(more)
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + body)
    found = await says(folder)
    assert found is not None
    assert name in found


async def test_the_twin_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("native", "pure"):
        used = BackendInfo(name, "INFERA_EXT=0 is set", "python", False)
        monkeypatch.setattr(checks, "backend", lambda used=used: used)
        found = await NATIVE.run(CheckContext(tmp_path))
        assert (found is None) == (name == "native")
    assert "INFERA_EXT=0 is set" in (found or "")
