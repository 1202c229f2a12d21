"""docs/http-api.md names everything there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripted_gateway import ScriptedGateway

import infera_plugins.fronts.openai as plugin
from infera_plugins.fronts.openai import translate
from infera_plugins.fronts.openai.app import HOT
from infera_plugins.fronts.openai.config import OpenAIFrontConfig
from infera_plugins.fronts.openai.generate import Doorkeeper
from infera_plugins.fronts.openai.metrics import Metrics
from infera_plugins.fronts.openai.routes import Routes

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/http-api.md").read_text()


def _codes() -> set[str]:
    assert plugin.__file__ is not None
    found: set[str] = set()
    for file in Path(plugin.__file__).parent.glob("*.py"):
        text = file.read_text()
        found |= set(re.findall(r'code="(\w+)"', text))
        found |= set(re.findall(r'"(\w+_(?:type|array|value|length))"\)', text))
    return {code for code in found if not code.startswith("front_")}


def _routes() -> set[str]:
    gateway, config = ScriptedGateway(), OpenAIFrontConfig()
    table = Routes(gateway, config, Doorkeeper(gateway, config), Metrics()).table()
    return {re.sub(r":\w+", "", route.path) for route in table} | set(HOT)


@pytest.mark.parametrize(
    "word",
    sorted(
        translate.CHAT
        | translate.COMPLETION
        | translate.IGNORED
        | set(translate.UNSUPPORTED)
        | translate.INFERA
        | set(translate.TIERS)
        | _codes()
    ),
)
def test_parameters_and_codes(word: str) -> None:
    assert re.search(rf"`[^`\n]*\b{word}\b[^`\n]*`", PAGE), f"{word} is missing in docs/http-api.md"


@pytest.mark.parametrize("path", sorted(_routes()))
def test_routes(path: str) -> None:
    assert re.search(rf"`(GET|POST) {re.escape(path)}`", PAGE)


@pytest.mark.parametrize("name", sorted(OpenAIFrontConfig.model_fields))
def test_settings(name: str) -> None:
    default = OpenAIFrontConfig.model_fields[name].default
    match = re.search(rf"^ +(?:# )?{name}: ([^#\n]*)", PAGE, re.MULTILINE)
    assert match, f"{name} is missing in docs/http-api.md"
    if isinstance(default, (int, float)):
        assert float(match[1]) == default


def test_metrics() -> None:
    for line in Metrics().render().decode().splitlines():
        if line.startswith("# TYPE ") and not line.split()[2].endswith("_created"):
            name = line.split()[2]
            assert f"`{name}`" in PAGE or f"`{name}_total`" in PAGE, name
