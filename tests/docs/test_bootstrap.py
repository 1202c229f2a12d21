"""noxfile.py is the way in: bare Python runs it, and its lock is complete and clean."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "configs" / "locks" / "dev.txt").read_text(encoding="utf-8")
TASKS = ("up", "test", "lint", "types", "imports", "artifacts", "contracts", "bench", "docs")


@pytest.fixture(scope="module")
def noxfile() -> Any:
    """noxfile.py as a module."""
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_help_needs_nothing_but_python() -> None:
    command = [sys.executable, "-I", "-S", str(ROOT / "noxfile.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for task in TASKS:
        assert re.search(rf"^  {task} +\S", done.stdout, re.M)


def test_unknown_task_is_wrong_usage() -> None:
    command = [sys.executable, "-I", "-S", str(ROOT / "noxfile.py"), "tset"]
    assert subprocess.run(command, capture_output=True).returncode == 2


def test_ci_runs_existing_tasks(noxfile: Any) -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    used = {
        word
        for line in re.findall(r"^ *(?:for task in (?=.+; do$)|phase (?=\w))([\w ]+)", script, re.M)
        for word in line.split()
    }
    assert used == {"test", "lint", "types", "imports", "artifacts", "contracts"}
    assert used <= set(noxfile.TASKS)


@pytest.fixture
def no_postgresql(noxfile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(noxfile.POSTGRES_VARIABLE, raising=False)
    monkeypatch.setattr(noxfile, "postgresql_programs", lambda: None)


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ([], True),
        (["-x", "-k", "rows"], True),
        (["tests/unit"], True),
        (["tests/unit/state/test_postgres.py::test_it", "-q"], True),
        (["tests/unit/kernel", "tests/docs"], False),
    ],
)
def test_postgresql_is_there_for_the_tests_that_need_it(
    args: list[str],
    wanted: bool,
    noxfile: Any,
    no_postgresql: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert noxfile.POSTGRES_TESTS.exists()
    with noxfile.postgresql(args):
        assert noxfile.POSTGRES_VARIABLE not in os.environ
    assert ("its tests are left out" in capsys.readouterr().out) is wanted


def test_postgresql_that_is_given_is_used(
    noxfile: Any, no_postgresql: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(noxfile.POSTGRES_VARIABLE, "postgresql://elsewhere/db")
    with noxfile.postgresql([]):
        assert os.environ[noxfile.POSTGRES_VARIABLE] == "postgresql://elsewhere/db"
    assert os.environ[noxfile.POSTGRES_VARIABLE] == "postgresql://elsewhere/db"


@pytest.mark.skipif(os.name != "posix", reason="PostgreSQL is started on POSIX systems")
def test_postgresql_that_does_not_start_is_done_without(
    noxfile: Any,
    no_postgresql: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(noxfile, "postgresql_programs", lambda: tmp_path / "nothing")
    with noxfile.postgresql([]):
        assert noxfile.POSTGRES_VARIABLE not in os.environ
    shown = capsys.readouterr().out
    assert "does not start: its tests are left out" in shown
    assert "initdb: " in shown


def test_steps_are_redone_when_their_inputs_change(
    noxfile: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noxfile, "ROOT", tmp_path)
    lock = tmp_path / "lock"
    lock.write_text("one")
    stamps = noxfile.Stamps(tmp_path / "steps")
    assert stamps.outdated("packages", [lock])
    stamps.mark("packages", [lock])
    assert not stamps.outdated("packages", [lock])
    assert stamps.outdated("project", [lock])
    lock.write_text("two")
    assert stamps.outdated("packages", [lock])


def test_lock_has_every_dependency_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]["dev"]
    wanted = [*project["project"]["dependencies"], *extras, *project["build-system"]["requires"]]
    locked = {name.lower().replace("_", "-") for name in re.findall(r"^([\w.-]+)==", LOCK, re.M)}
    names = {re.split(r"[\s\[<>=;!~]", line)[0].lower().replace("_", "-") for line in wanted}
    assert names <= locked, "run `python3 noxfile.py lock`"
    entries = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.M)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)


def test_lock_names_no_index_and_no_path() -> None:
    assert not re.search(r"https?://|--index|--find-links|^file:|^/", LOCK, re.M)
