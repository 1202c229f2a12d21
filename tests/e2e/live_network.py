"""A whole node in a process of its own, as a person would run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
START_S = 180.0
POLL_S = 0.02


def fast_devnet(**changes: Any) -> dict[str, Any]:
    """The shipped devnet with intervals a test can wait for. `changes` go to the router."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "devnet.yaml").read_text())
    config["chains"][0] |= {
        "challenge_window_s": 1,
        "block_interval_s": 0.2,
        "poll_interval_s": 0.1,
    }
    for role in config["roles"]:
        if role["kind"] == "router":
            role |= {"batch_interval_s": 0.5} | changes
        if role["kind"] == "provider":
            role |= {"claim_interval_s": 2.0, "seat_interval_s": 1.0, "seat_claim_usdc": 0.002}
    return config


def until(what: str, check: Callable[[], Any], deadline_s: float = 20.0) -> Any:
    """Poll `check` until it says something true; what that is."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(POLL_S)
    raise AssertionError(f"not within {deadline_s:g} s: {what}")


def infera(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the `infera` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "infera.cli", *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


class Network:
    """One `infera` process and what it printed."""

    def __init__(self, home: Path, process: subprocess.Popen[bytes], log: Path) -> None:
        self.home = home
        self.process = process
        self._log = log

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def line(self, part: str, deadline_s: float = START_S) -> str:
        """The first line printed that contains `part`, once it is there."""

        def look() -> str | None:
            found = next((line for line in self.output.splitlines() if part in line), None)
            if found is None and not self.running:
                pytest_fail(f"the node ended without {part!r}:\n{self.output}")
            return found

        try:
            return str(until(part, look, deadline_s))
        except AssertionError:
            pytest_fail(f"no {part!r} after {deadline_s:g} s; the node said:\n{self.output}")

    def ready(self) -> dict[str, Any]:
        """What devnet.json says, once it is there."""
        path = self.home / "devnet.json"

        def look() -> bool:
            if not self.running:
                pytest_fail(f"the node ended before it was ready:\n{self.output}")
            return path.exists()

        try:
            until("devnet.json", look, START_S)
        except AssertionError:
            pytest_fail(f"not ready after {START_S:g} s; the node said:\n{self.output}")
        facts: dict[str, Any] = json.loads(path.read_text())
        return facts

    def kill(self) -> None:
        """What a power cut does."""
        self.process.kill()
        self.process.wait()

    def interrupt(self, deadline_s: float = 120.0) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(deadline_s)


def pytest_fail(message: str) -> NoReturn:
    """Fail the test with a long message."""
    import pytest

    pytest.fail(message, pytrace=False)


@contextmanager
def network(home: Path, config: dict[str, Any] | None = None, *command: str) -> Iterator[Network]:
    """Run `infera up` (or another command) on `home`; it has ended when the block is left."""
    home.parent.mkdir(parents=True, exist_ok=True)
    file = home.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(fast_devnet() if config is None else config))
    arguments = command or ("up", "--port", "0", "--config", str(file))
    log = home.with_suffix(".log")
    (home / "devnet.json").unlink(missing_ok=True)  # a killed node leaves it
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "infera.cli", *arguments, "--home", str(home)],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield Network(home, process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def get(base_url: str, path: str, api_key: str, **headers: str) -> Any:
    """GET a JSON document of the API."""
    request = Request(
        f"{base_url}{path}", headers={"Authorization": f"Bearer {api_key}", **headers}
    )
    with urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def post(base_url: str, path: str, api_key: str, body: Any, **headers: str) -> tuple[int, Any]:
    """POST a JSON document: the status and the answer."""
    request = Request(
        f"{base_url}{path}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json", **headers},
    )
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


class Devnet(NamedTuple):
    """The session's network and how to call it."""

    node: Network
    base_url: str
    api_key: str
    accounts: dict[str, str]

    def account(self) -> dict[str, Any]:
        """What the developer has left."""
        found: dict[str, Any] = get(self.base_url, "/account", self.api_key)
        return found

    def receipt(self, job_id: str) -> dict[str, Any]:
        """The job's receipt bundle as it is now."""
        found: dict[str, Any] = get(self.base_url, f"/receipts/{job_id}", self.api_key)
        return found
