"""What the pages tell one to type works: commands, snippets, links."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from fenced import PAGES, ROOT, blocks, commands

from infera.cli import COMMANDS, cli
from infera.config import load
from infera.kernel.plugins import load_plugins

if TYPE_CHECKING:
    from live_network import Devnet

README = ROOT / "README.md"
each_page = pytest.mark.parametrize(
    "page", PAGES, ids=[p.relative_to(ROOT).as_posix() for p in PAGES]
)


def complaint(words: list[str], tasks: set[str]) -> str:
    """What is wrong with a command, as far as it is one of ours."""
    if words[0] == "infera":
        return _infera(words[1:])
    if words[0] == "nox" and "-s" in words:
        unknown = set(words[words.index("-s") + 1 :]) - tasks
        return f"no nox session {unknown}" if unknown else ""
    if words[0] not in ("python", "python3") or len(words) < 2:
        return ""
    if words[1] == "-m" and len(words) > 2:
        return "" if find_spec(words[2]) else f"no module {words[2]}"
    if words[1] == "noxfile.py":
        task = words[2] if len(words) > 2 else "-h"
        return "" if task in tasks | {"-h", "TASK"} else f"no task {task}"
    if words[1].endswith(".py"):
        here = any((root / words[1]).exists() for root in (ROOT, ROOT / "contracts"))
        return "" if here else f"no file {words[1]}"
    return ""


def _infera(words: list[str]) -> str:
    command: click.Command = cli
    context = click.Context(cli)
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            brought = load_plugins().commands().commands
            if command is cli and word not in COMMANDS and word not in brought:
                return f"no command {word}"
            found = command.get_command(context, word)
            if found is None:
                return f"{command.name} has no {word}"
            command = found
        elif word.startswith("--"):
            known = {o for p in command.params for o in p.opts} | {"--help", "--version"}
            if word.partition("=")[0] not in known:
                return f"{command.name} has no {word}"
    return ""


@pytest.fixture(scope="module")
def tasks() -> set[str]:
    pytest.importorskip("nox")
    return set(runpy.run_path(str(ROOT / "noxfile.py"), run_name="noxfile")["TASKS"])


@each_page
def test_commands_exist(page: Path, tasks: set[str]) -> None:
    wrong = {" ".join(words): text for words in commands(page) if (text := complaint(words, tasks))}
    assert not wrong


@each_page
def test_python_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        ast.parse(block.text)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", t).strip().lower().replace(" ", "-") for t in titles}
            assert anchor in slugs, target


def test_yaml_of_the_readme_is_a_configuration(tmp_path: Path) -> None:
    found = blocks(README, "yaml")
    assert found
    for block in found:
        load(f"node: {{name: readme}}\n{block.text}", load_plugins().registry, home=tmp_path)


def test_first_call_and_offline_check_of_its_receipt(echonet: Devnet, tmp_path: Path) -> None:
    [block] = blocks(README, "python")
    text = block.text.replace("http://127.0.0.1:8080/v1", echonet.base_url)
    text = text.replace("sk-infera-…", echonet.api_key).replace("first-light", "echo")
    names: dict[str, object] = {}
    exec(text, names)
    job = getattr(names["answer"], "id", "").removeprefix("chatcmpl-")

    [shell] = [b.text for b in blocks(README, "sh") if "receipt verify" in b.text]
    if shutil.which("curl") is None or not (Path(sys.prefix) / "bin" / "infera").exists():
        pytest.skip("the README's shell lines need curl and the infera command")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    given = {"KEY": echonet.api_key, "BASE_URL": echonet.base_url, "JOB": job}
    done = subprocess.run(
        ["bash", "-euc", shell],
        cwd=tmp_path,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
