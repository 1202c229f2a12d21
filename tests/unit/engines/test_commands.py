"""`infera models inspect` and `infera exact selftest`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from infera_plugins.engines.exact import selftest as digests
from infera_plugins.engines.exact.commands import exact, models
from infera_plugins.engines.exact.model import load_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def test_inspect_prints_manifest_and_id(make_folder: Callable[..., Path]) -> None:
    folder = make_folder()
    result = CliRunner().invoke(models, ["inspect", str(folder)], catch_exceptions=False)
    report = json.loads(result.stdout)
    info = load_model(folder, folder.name).info
    assert report == {
        "name": folder.name,
        "model_id": "0x" + info.model_id.hex(),
        "manifest": info.manifest,
    }


def test_selftest_agrees() -> None:
    result = CliRunner().invoke(exact, ["selftest"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "decoder-bf16" in result.stdout
    assert "DIFFERS" not in result.stdout


def test_selftest_fails_on_other_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(digests.EXPECTED, "exp", "00")
    result = CliRunner().invoke(exact, ["selftest"], catch_exceptions=False)
    assert result.exit_code == 1
    assert "DIFFERS" in result.stdout
