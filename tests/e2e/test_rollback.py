"""A rollback followed through power cuts: every job is committed again, once and right."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
from collections import Counter
from typing import TYPE_CHECKING

import mortal_node
import mortal_router
import pytest

from infera.protocol.pricing import fees

if TYPE_CHECKING:
    from pathlib import Path

USDC = 1_000_000


def _life(home: Path, point: str | None) -> int:
    """One life of a mortal router; its exit status."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*mortal_node.PRELOAD, "mortal_router"])
    child = context.Process(target=mortal_router.run, args=(home, point))
    child.start()
    child.join(90)
    if child.is_alive():
        child.kill()
        child.join()
        pytest.fail(f"the router neither died {point!r} nor recovered")
    assert child.exitcode is not None
    return child.exitcode


@pytest.mark.timeout(600)
@pytest.mark.parametrize("half", [0, 1])
def test_a_convicted_router_commits_every_job_once_however_often_it_dies(
    tmp_path: Path, half: int
) -> None:
    """One home, convicted and killed at every write in a seeded order, started again each time."""
    home, order = tmp_path / "home", list(mortal_router.POINTS)
    random.Random(11).shuffle(order)
    order = order[half::2]
    for point in order:
        assert _life(home, point) == -signal.SIGKILL, point
    assert _life(home, None) == 0
    facts = json.loads((home / "facts.json").read_text())

    assert facts["epoch"] == len(order), "each life was convicted once"
    assert facts["charged"] == facts["debited"]
    assert facts["outside"] + facts["free"] + facts["locked"] + facts["debited"] == 1_000 * USDC
    batched = {job["job"]: job for job in facts["jobs"] if job["state"] == "batched"}
    places = Counter(tuple(job["place"]) for job in batched.values())
    assert max(places.values()) == 1
    assert {batch for batch, _ in places} == set(range(facts["batches"])), "no batch is missing"
    assert sum(job["cost"] for job in batched.values()) == facts["charged"]
    answers = [json.loads(line) for line in (home / "answers").read_text().splitlines()]
    assert len(answers) == mortal_router.JOBS * len(order)
    for answer in answers:
        assert batched[answer["job"]]["cost"] == answer["cost"], "what a caller has had is settled"
    assert facts["header_debited"] == facts["charged"], "and nothing was counted twice"
    for address, name in facts["providers"].items():
        mine = [job["cost"] for job in batched.values() if job["provider"] == address]
        assert facts["claimed"][name] == sum(fees(cost).provider for cost in mine)
    taken = sum(facts["claimed"].values())
    assert facts["vault"] + taken == 500 * USDC
