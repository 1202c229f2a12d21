"""The tutorial's plugin, installed without a network, and a live network that runs it."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from fenced import EXAMPLE
from live_network import Devnet, network

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example as `pip install --target` leaves it: packages and metadata."""
    target = tmp_path_factory.mktemp("site")
    settings = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())
    project = settings["project"]
    for package in settings["tool"]["setuptools"]["packages"]:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(EXAMPLE / package, target / package, ignore=ignore)
    name = project["name"].replace("-", "_")
    info = target / f"{name}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
            for group, points in project["entry-points"].items()
        )
    )
    return target


@pytest.fixture(scope="session")
def echonet(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """The tutorial's network, its settlement sped up so that a test can wait for it."""
    config = yaml.safe_load((EXAMPLE / "echo.yaml").read_text())
    config["chains"][0] |= {
        "challenge_window_s": 1,
        "block_interval_s": 0.2,
        "poll_interval_s": 0.1,
    }
    next(r for r in config["roles"] if r["kind"] == "router")["batch_interval_s"] = 0.5
    with pytest.MonkeyPatch.context() as patch:
        path = [str(installed), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
        with network(tmp_path_factory.mktemp("docs") / "echonet", config) as node:
            facts = node.ready()
            yield Devnet(node, facts["base_url"], facts["api_key"], facts["accounts"])
