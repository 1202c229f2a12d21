"""Power cuts and stops: what a node knows when it comes back."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import mortal_node
import openai
import pytest
from live_network import Devnet, get, infera, network, until

from infera.protocol.pricing import fees

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "first-light"
USDC = 1_000_000


def _life(home: Path, point: str | None, calls: int = 1) -> int:
    """One life of a mortal node; its exit status."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(mortal_node.PRELOAD)
    child = context.Process(target=mortal_node.run, args=(home, point, calls))
    child.start()
    child.join(60)
    if child.is_alive():
        child.kill()
        child.join()
        pytest.fail(f"the node neither died {point!r} nor recovered")
    assert child.exitcode is not None
    return child.exitcode


def test_every_delivered_job_is_settled_once_however_often_the_power_fails(tmp_path: Path) -> None:
    """One home, killed at every point in a seeded order, started again each time."""
    home, dice = tmp_path / "home", random.Random(7)
    order = list(mortal_node.POINTS)
    early, late = order[:2], order[2:]
    dice.shuffle(late)
    for point in (*early, *late):
        rare = mortal_node.POINTS[point][1] not in ("open_job", "keep", "deliver_job")
        calls = 1 if rare else dice.randrange(1, 12)
        assert _life(home, point, calls) == -signal.SIGKILL, point
    assert _life(home, None) == 0
    facts = json.loads((home / "facts.json").read_text())

    assert facts["charged"] == facts["debited"]
    assert facts["outside"] == 500 * USDC, "deposited once, though the note of it was lost"
    assert facts["outside"] + facts["free"] + facts["locked"] + facts["debited"] == 1_000 * USDC
    batched = {job["job"]: job for job in facts["jobs"] if job["state"] == "batched"}
    places = Counter(tuple(job["place"]) for job in batched.values())
    assert max(places.values()) == 1
    assert {batch for batch, _ in places} == set(range(facts["batches"])), "no batch is missing"
    assert max(Counter(job["sequence"] for job in facts["jobs"]).values()) == 1
    assert sum(job["cost"] for job in batched.values()) == facts["charged"]

    answers = [json.loads(line) for line in (home / "answers").read_text().splitlines()]
    assert len(answers) > mortal_node.JOBS
    for answer in answers:
        assert batched[answer["job"]]["cost"] == answer["cost"], "what a caller has had is settled"
    for address, name in facts["providers"].items():
        mine = [job["cost"] for job in batched.values() if job["provider"] == address]
        assert facts["claimed"][name] == sum(fees(cost).provider for cost in mine)
    taken = sum(facts["claimed"].values())
    assert facts["vault"] + taken == 500 * USDC


def test_a_killed_node_comes_back_and_stops_in_order(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ask: Any = {"model": MODEL, "messages": [{"role": "user", "content": "What is INFERA?"}]}
    with network(home) as node:
        facts = node.ready()
        with openai.OpenAI(
            base_url=facts["base_url"], api_key=facts["api_key"], max_retries=0
        ) as client:
            whole = client.chat.completions.create(**ask, max_tokens=8, seed=3)
            stream = client.chat.completions.create(**ask, max_tokens=200, stream=True)
            next(stream)
            node.kill()
            with pytest.raises(Exception, match=r"."):
                list(stream)
    with network(home) as node:
        again = node.ready()
        same = {name: again[name] for name in ("api_key", "accounts", "contracts", "chain_id")}
        assert same == {name: facts[name] for name in same}
        assert "made first-light official" not in node.output
        assert "earned " in node.line("for its seats")
        account = get(again["base_url"], "/account", again["api_key"])
        assert account["spent"] > 0
        assert account["free"] + account["locked"] + account["spent"] >= 50 * USDC
        job = whole.id.removeprefix("chatcmpl-")
        receipt = until(
            "the job of the earlier life is settled",
            lambda: _settled(again["base_url"], job, again["api_key"]),
        )
        assert receipt["receipt"]["cost"] > 0

        with openai.OpenAI(
            base_url=again["base_url"], api_key=again["api_key"], max_retries=0
        ) as client:
            told = client.chat.completions.create(**ask, max_tokens=8, seed=3)
            assert told.choices[0].message.content == whole.choices[0].message.content
            # A stop lets a running answer end.
            pieces: list[Any] = []
            stream = client.chat.completions.create(**ask, max_tokens=40, stream=True)
            pieces.append(next(stream))
            reader = threading.Thread(target=lambda: pieces.extend(stream))
            reader.start()
            assert node.interrupt() == 0
            reader.join(20)
            assert pieces[-1].choices[0].finish_reason
        stopped = [
            line.split()[1:] for line in node.output.splitlines() if line.startswith("stopped ")
        ]
        kinds = [kind for kind, *_ in stopped]
        order = ["front", "role", "engine", "verifier", "chain", "state"]
        assert kinds == sorted(kinds, key=order.index), "the last to start is the first to stop"
        assert set(kinds) == set(order)
        assert "Traceback" not in node.output
        assert not (home / "devnet.json").exists()


def _settled(base_url: str, job: str, api_key: str) -> Any:
    found = get(base_url, f"/receipts/{job}", api_key)
    return found if found["leaf"] else None


def test_a_home_serves_one_node_only(devnet: Devnet) -> None:
    second = infera("up", "--home", str(devnet.node.home), "--port", "0")
    assert second.returncode == 1
    assert "[home_in_use]" in second.stderr
    assert f"(process {devnet.node.process.pid})" in second.stderr
    assert "Traceback" not in second.stderr
    assert devnet.node.running
    assert get(devnet.base_url, "/account", devnet.api_key)


def test_a_port_in_use_is_said_before_anything_starts(devnet: Devnet, tmp_path: Path) -> None:
    port = devnet.base_url.split(":")[-1].removesuffix("/v1")
    second = infera("up", "--home", str(tmp_path / "home"), "--port", port)
    assert second.returncode == 1
    assert f"port {port} is in use" in second.stderr
    assert "Traceback" not in second.stderr
    assert not (tmp_path / "home" / "chain.db").exists()
