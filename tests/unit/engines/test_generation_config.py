"""What a model folder says about sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infera.errors import EngineError
from infera.types import Sampling
from infera_plugins.engines.exact.generation_config import read_sampling

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Sampling()),
        ("{}", Sampling()),
        ('{"do_sample": false, "temperature": 0.7}', Sampling(temperature=0.0)),
        (
            '{"do_sample": true, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "eos_token_id": 1}',
            Sampling(temperature=0.7, top_p=0.8, top_k=20),
        ),
        ('{"top_k": null}', Sampling()),
    ],
)
def test_the_makers_choice_is_taken(tmp_path: Path, text: str | None, expected: Sampling) -> None:
    if text is not None:
        (tmp_path / "generation_config.json").write_text(text)
    assert read_sampling(tmp_path) == expected


@pytest.mark.parametrize("text", ["", "[]", '{"temperature": "hot"}', '{"top_p": 7}', "\x00"])
def test_a_file_without_sense_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "generation_config.json").write_text(text)
    with pytest.raises(EngineError, match=r"generation_config\.json cannot be used"):
        read_sampling(tmp_path)
