"""docs/security.md: every attack has its test and its defences are in the sources as they are, the
tables are what the commands saw last, and every surviving mutant has its reason.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, Any]]:
    """The modules of contracts/script, which import each other by their plain names."""
    before = set(sys.modules)
    sys.path.insert(0, str(CONTRACTS / "script"))
    try:
        yield {name: importlib.import_module(name) for name in ("attacks", "mutate")}
    finally:
        sys.path.remove(str(CONTRACTS / "script"))
        for name in set(sys.modules) - before:
            path = getattr(sys.modules[name], "__file__", None)
            if path and Path(path).parent == CONTRACTS / "script":
                del sys.modules[name]


def test_every_attack_has_its_test_contract(scripts: dict[str, Any]) -> None:
    missing = [
        f"{attack.contract} in {attack.test}"
        for attack in scripts["attacks"].ATTACKS
        if not re.search(
            rf"^contract {attack.contract} ",
            (CONTRACTS / attack.test).read_text(encoding="utf-8"),
            re.M,
        )
    ]
    assert missing == []


def test_every_defence_is_in_the_sources(scripts: dict[str, Any]) -> None:
    for attack in scripts["attacks"].ATTACKS:
        for defence in attack.defences:
            assert scripts["attacks"].without(defence)  # raises if there is nothing to take away


def test_no_defence_can_go_unnoticed(scripts: dict[str, Any]) -> None:
    """Of what was tried; what was not tried yet says so in the table."""
    seen = scripts["attacks"].remembered()
    results = [result for defences in seen.values() for result in defences.values()]
    assert results
    assert [result for result in results if not result.endswith(" fail")] == []


@pytest.mark.parametrize("name", ["attacks", "mutate"])
def test_tables_are_what_the_commands_saw(name: str, scripts: dict[str, Any], page: str) -> None:
    script = scripts[name]
    if name == "attacks":
        table = script.table()
    else:
        table = script.table(json.loads(script.RESULTS.read_text(encoding="utf-8")))
    assert f"{script.BEGIN}\n{table}\n{script.END}" in page, f"run noxfile.py {name} --write"


def test_every_survivor_has_a_reason(scripts: dict[str, Any]) -> None:
    results = json.loads(scripts["mutate"].RESULTS.read_text(encoding="utf-8"))
    silent = [
        key for entry in results.values() for key, why in entry["survivors"].items() if not why
    ]
    assert silent == []
