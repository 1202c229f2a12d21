"""docs/plugins.md: what it quotes is the example, what it shows is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from fenced import EXAMPLE, ROOT, Block, blocks

from infera.cli import main
from infera.errors import PluginError
from infera.kernel.plugins import load_plugins

if TYPE_CHECKING:
    from live_network import Devnet

PAGE = ROOT / "docs" / "plugins.md"
QUOTES = [b for b in blocks(PAGE) if "." in b.mark]
WRONG = [
    (block, answer)
    for block, answer in zip(blocks(PAGE), blocks(PAGE)[1:], strict=False)
    if block.mark == "wrong"
]


def session(command: str) -> list[str]:
    """What the page shows as the outputs of a command."""
    found = []
    for block in blocks(PAGE, "console"):
        for part in re.split(r"^\$ ", block.text, flags=re.M):
            line, _, output = part.partition("\n")
            if line == command and output:
                found.append(output)
    return found


def run(*args: str) -> int:
    """The command line, in this process; its exit status."""
    try:
        main(list(args))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def numberless(text: str) -> str:
    """What counts differs with what else is installed, or was asked before."""
    return re.sub(r"\d+", "N", text)


@pytest.fixture
def importable(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(installed))


# -- what it quotes


@pytest.mark.parametrize("block", QUOTES, ids=[f"{b.mark}-{i}" for i, b in enumerate(QUOTES)])
def test_quote_is_in_the_file(block: Block) -> None:
    text = (EXAMPLE / block.mark).read_text("utf-8")
    assert f"\n{block.text}" in f"\n{text}", f"docs/plugins.md quotes {block.mark} wrongly"


def test_every_part_of_the_example_is_quoted() -> None:
    files = {"pyproject.toml", "echo.yaml", "tests/test_echo.py"}
    files |= {f"infera_echo/{name}.py" for name in ("__init__", "engine")}
    assert {block.mark for block in QUOTES} == files


def test_tree_is_the_folder() -> None:
    folders, named = [Path()], set()
    for line in blocks(PAGE)[0].text.splitlines()[1:]:
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        path = folders[depth - 1] / name
        if name.endswith("/"):
            folders[depth:] = [path]
        else:
            named.add(path.as_posix())
    there = {p.relative_to(EXAMPLE).as_posix() for p in EXAMPLE.rglob("*") if p.is_file()}
    assert named == {p for p in there if not re.search(r"__pycache__|egg-info|^\.|^build/", p)}


def test_engine_stays_short() -> None:
    assert len((EXAMPLE / "infera_echo" / "engine.py").read_text().splitlines()) < 80


# -- what it shows


@pytest.mark.usefixtures("importable")
def test_plugin_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    [shown] = session("infera plugins")
    assert run("plugins") == 0
    assert set(shown.strip().splitlines()) <= set(capsys.readouterr().out.splitlines())


@pytest.mark.usefixtures("importable")
def test_configuration_is_valid_and_a_typing_mistake_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    valid, invalid = session("infera validate echo.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INFERA_HOME", str(tmp_path / "home"))
    text = (EXAMPLE / "echo.yaml").read_text()
    Path("echo.yaml").write_text(text)
    assert run("validate", "echo.yaml") == 0
    assert numberless(capsys.readouterr().out) == numberless(valid).strip() + "\n"
    Path("echo.yaml").write_text(text.replace("prefix:", "prefx:"))
    assert run("validate", "echo.yaml") == 78
    assert capsys.readouterr().err.strip() == invalid.strip()


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(("block", "answer"), WRONG, ids=range(len(WRONG)))
def test_wrong_hook_is_refused_with_these_words(block: Block, answer: Block) -> None:
    module = ModuleType("infera_echo")
    module.__file__ = "infera_echo/__init__.py"
    exec(compile(block.text, module.__file__, "exec"), module.__dict__)
    with pytest.raises(PluginError) as refused:
        load_plugins([("echo", module)], entry_points=False)
    assert answer.mark == "says"
    assert f"error: {refused.value}\n  [{refused.value.code}]\n" == answer.text


def test_network_answers_and_checks_the_answer(echonet: Devnet) -> None:
    [block] = [b for b in blocks(PAGE, "python") if "OpenAI(" in b.text]
    text = block.text.replace("http://127.0.0.1:8080/v1", echonet.base_url)
    exec(text.replace("sk-infera-…", echonet.api_key), {})
    line = echonet.node.line("upheld (27 tokens", 20)
    [shown] = [b.text for b in blocks(PAGE) if b.text.startswith("delivered")]
    assert numberless(line) in numberless(shown).splitlines()


def test_example_passes_its_own_tests(installed: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=EXAMPLE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
