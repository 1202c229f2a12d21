"""The documentation is complete: every hook, setting, error code and check is in it, and nothing
else.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infera import hookspecs
from infera.cli.checks import BUILTIN
from infera.config import load, shipped, shipped_names
from infera.config.export import json_schema
from infera.config.reference import ENVIRONMENT, settings_of, settings_page
from infera.kernel.plugins import Plugins, load_plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("infera_"))


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load_plugins()


# -- hooks


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_heading_and_its_signature(hook: str) -> None:
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    assert f"### {hook}\n" in page("hooks.md")
    assert f"`{hook}({arguments})`" in page("hooks.md")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_when_it_is_called(hook: str) -> None:
    assert "Called" in (inspect.getdoc(getattr(hookspecs, hook)) or "")


def test_no_hook_is_documented_that_is_none() -> None:
    assert set(re.findall(r"^### (infera_\w+)$", page("hooks.md"), re.M)) == set(HOOKS)


# -- settings


def test_settings_page_is_what_the_code_says(plugins: Plugins) -> None:
    assert page("settings.md") == settings_page(plugins.registry), (
        "run `infera config reference > docs/settings.md`"
    )


def test_every_setting_has_a_meaning(plugins: Plugins) -> None:
    silent = [
        f"{kind.kind}.{setting.name}"
        for kinds in plugins.registry.kinds.values()
        for kind in kinds.values()
        for setting in settings_of(kind.config_model)
        if not setting.text
    ]
    assert silent == []


def test_schema_is_what_the_code_says(plugins: Plugins) -> None:
    path = ROOT / "configs" / "schema" / "node.json"
    assert json.loads(path.read_text(encoding="utf-8")) == json_schema(plugins.registry), (
        "run `infera config schema > configs/schema/node.json`"
    )


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_configuration_is_valid(name: str, plugins: Plugins, tmp_path: Path) -> None:
    load(shipped(name), plugins.registry, home=tmp_path)


@pytest.mark.parametrize("name", [n for n in shipped_names() if n != "devnet"])
def test_shipped_configuration_has_every_key_with_its_default(name: str, plugins: Plugins) -> None:
    text = shipped(name).read_text(encoding="utf-8")
    used = re.findall(r"^  - kind: (\w+)$", text, re.M)
    for kinds in plugins.registry.kinds.values():
        for kind in kinds.values():
            if kind.kind in used:
                for setting in settings_of(kind.config_model):
                    commented = f"# {setting.name}: {setting.default}".rstrip()
                    given = re.search(rf"^ +{setting.name}:", text, re.M)
                    assert given or f"    {commented}\n" in text, f"{kind.kind}: {commented}"


def test_every_environment_variable_has_a_meaning() -> None:
    folders = ("core", "plugins", "ext")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    found = {
        name
        for path in paths
        for name in re.findall(r"\bINFERA_[A-Z_]+\b", path.read_text(encoding="utf-8"))
    }
    assert found == set(ENVIRONMENT)


# -- error codes


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for root in ("core/infera", "plugins/infera_plugins"):
        for path in sorted((ROOT / root).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def codes_in(tree: ast.Module) -> set[str]:
    """Constants given as `code=`, as the `code` parameter of a local helper, or as a class's
    `code`.
    """
    helpers = {
        node.name: [a.arg for a in node.args.args].index("code")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and "code" in [a.arg for a in node.args.args]
    }
    found: set[Any] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found |= {k.value for k in node.keywords if k.arg == "code"}
            place = helpers.get(node.func.id) if isinstance(node.func, ast.Name) else None
            if place is not None and len(node.args) > place:
                found.add(node.args[place])
        elif isinstance(node, ast.ClassDef):
            found |= {
                item.value
                for item in node.body
                if isinstance(item, ast.Assign) and getattr(item.targets[0], "id", "") == "code"
            }
    return {f.value for f in found if isinstance(f, ast.Constant) and isinstance(f.value, str)}


def test_every_error_code_is_documented_and_no_other() -> None:
    used = {code for _, tree in sources() for code in codes_in(tree)}
    documented = set(re.findall(r"^\| `(\w+)` \|", page("errors.md"), re.M))
    missing, stale = sorted(used - documented), sorted(documented - used)
    assert not missing, f"add to docs/errors.md: {', '.join(missing)}"
    assert not stale, f"no code raises these any more; docs/errors.md: {', '.join(stale)}"


# -- checks


def test_every_check_is_documented_and_no_other(plugins: Plugins) -> None:
    checks = {c.code: c for c in BUILTIN} | plugins.registry.checks
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", page("checks.md"), re.M)
    assert dict(rows) == {code: check.severity.value for code, check in checks.items()}
