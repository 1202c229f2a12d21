"""INFR locked for votes, from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from governed import DAY, HOLDERS, INFR_WEI

from infera_plugins.chains.evm.bindings.infr import INFR
from infera_plugins.chains.evm.governance.times import LONGEST_LOCK, WEEK

if TYPE_CHECKING:
    from conftest import Town
    from infera_plugins.chains.evm.commands.desk import Desk


def power(amount: int, end: int, at: int) -> int:
    return amount * INFR_WEI // LONGEST_LOCK * max(0, end - at)


def test_a_lock_from_beginning_to_end(town: Town) -> None:
    lock = ("gov", "lock", "250_000.5", "--until", "2024-11-15", "--key", "minnow")
    said = town(*lock, "--dry-run")
    assert "250,000.5 INFR until 2024-11-14 00:00:00Z" in said  # the Thursday before
    assert "IN A PARAMETER VOTE" in said
    assert town.json("gov", "power", "minnow")["locked"] == "0"
    done = town.json(*lock, "--yes")
    assert [c["function"] for c in done["calls"]] == ["approve", "lock"]
    assert done["end"] % WEEK == 0
    assert [p["at"] for p in done["powers"]][-1] == done["end"]
    assert done["powers"][-1]["power"] == "0"
    assert done["powers"][0]["upgrade"] == done["powers"][0]["power"]
    assert int(done["powers"][0]["parameter"]) < int(done["powers"][0]["power"])

    facts = town.json("gov", "power", "minnow")
    assert facts["locked"] == str(250_000 * INFR_WEI + INFR_WEI // 2)
    assert facts["delegate"] == facts["account"] == town.key("minnow")
    assert 0 < int(facts["power"]) <= int(facts["own_power"])
    assert "lock_unfit" in town.refused("lock", "1", "--for", "1y", by="minnow")
    more = town.sent("increase", "49999.5", by="minnow")
    assert more["amount"] == str(300_000 * INFR_WEI)
    assert "no later" in town.refused("extend", "--for", "20w", by="minnow")
    longer = town.sent("extend", "--until", "2025-01-02T12:00", by="minnow")
    assert longer["end"] > done["end"]
    assert longer["calls"][0]["function"] == "extend"

    end = longer["end"]
    ahead = town.json("gov", "power", "minnow", "--at", "2024-06-01")
    assert int(ahead["power"]) == power(300_000, end, ahead["at"]) == int(ahead["own_power"])
    assert int(town.json("gov", "power", "minnow", "--at", "2025-06-01")["power"]) == 0
    past = town.json("gov", "power", "minnow", "--at", "2023-11-01")
    assert (past["power"], past["own_power"]) == ("0", None)
    everybody = town.json("gov", "power")
    assert everybody["locked_now"] == str(300_000 * INFR_WEI)
    assert int(everybody["quorums"]["upgrade"]) == 2 * int(everybody["quorums"]["parameter"])
    assert "time_invalid" in town("gov", "power", "--at", "+1y", code=1)

    early = town.refused("withdraw", by="minnow")
    assert "can be paid out from 2025-01-02 00:00:00Z (in " in early
    town.until(end)
    for late in (("increase", "1"), ("extend", "--for", "2y")):
        assert "ended at 2025-01-02" in town.refused(*late, by="minnow")
    assert "own lock  0 of power" in town("gov", "power", "minnow")
    assert town.sent("withdraw", by="minnow")["amount"] == str(300_000 * INFR_WEI)
    held = town.on_chain(lambda desk: _held(desk, town.key("minnow")))
    assert held == HOLDERS["minnow"] * INFR_WEI
    assert "VeINFR_NoLock(" in town.refused("withdraw", by="minnow")
    assert "does not exist" in town.refused("increase", "1", by="minnow")


async def _held(desk: Desk, account: str) -> int:
    return await INFR(desk).balance_of(account)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--for", "5y"), "more than 1461 days away"),
        (("--for", "1d"), "not in the future"),
        (("--until", "2023-01-01"), "not in the future"),
        (("--until", "soon"), "'soon' is no date"),
        (("--for", "2 moons"), "is no duration"),
    ],
)
def test_ends_that_no_lock_can_have(town: Town, options: tuple[str, ...], words: str) -> None:
    said = town.refused("lock", "1", *options, by="minnow")
    assert words in said
    assert "time_invalid" in said


def test_a_lock_needs_an_end_and_the_money(town: Town) -> None:
    by = ("--key", "minnow", "--yes")
    assert "--until DATE or --for" in town("gov", "lock", "1", *by, code=2)
    both = ("--until", "2025-01-01", "--for", "1y")
    assert "--until DATE or --for" in town("gov", "lock", "1", *both, *by, code=2)
    said = town("gov", "lock", "400000.1", "--for", "1y", *by, code=1)
    assert "has 400,000 INFR, not 400,000.1 INFR" in said


def test_a_delegate_votes_with_whole_locks(town: Town) -> None:
    town.lock_all()
    minnow, shark = town.key("minnow"), town.key("shark")
    before = town.json("gov", "power", "shark", "--at", "+1y")
    assert before["power"] is not None
    said = town("gov", "delegate", "shark", "--key", "minnow", "--yes")
    assert f"so far {minnow} votes with it" in said
    facts = town.json("gov", "power", "minnow")
    assert (facts["delegate"], facts["power"]) == (shark, "0")
    assert int(facts["own_power"]) > 0
    assert f"{shark} votes with this lock" in town("gov", "power", "minnow")
    after = town.json("gov", "power", "shark")
    assert int(after["power"]) > int(after["own_power"])
    ahead = town("gov", "power", "shark", "--at", "+1y")
    assert "not known ahead" in ahead
    assert town.json("gov", "power", "shark", "--at", "+1y")["power"] is None
    town.sent("delegate", "minnow", by="minnow")
    assert town.json("gov", "power", "minnow")["delegate"] == minnow
    assert LONGEST_LOCK == 1461 * DAY
