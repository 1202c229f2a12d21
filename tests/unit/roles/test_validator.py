"""The validator's parts: lanes, patience, journal, reporter."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from time import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from sqlalchemy.exc import IntegrityError

from infera.bus import EventBus
from infera.errors import ChainError, ChainUnavailableError
from infera.events import FindingsReported
from infera.keys import Signer
from infera.protocol.leaves import JobLeaf
from infera.protocol.messages import Verdict
from infera.services.reputation import Report, ReputationBook, Standing
from infera.state import State
from infera.state.tables import verdicts
from infera.types import Outcome, Tier
from infera_plugins.roles.validator.journal import Journal, Pending
from infera_plugins.roles.validator.lanes import Lanes
from infera_plugins.roles.validator.patience import Patience
from infera_plugins.roles.validator.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from infera.events import Event

ME, OTHER, SILENT, GOOD = (Signer(bytes([n]) * 32).address for n in range(1, 5))


# -- lanes


class Desk:
    """Work that ends when the test says so."""

    def __init__(self) -> None:
        self.begun: list[Pending] = []
        self.ended: list[Pending] = []
        self._news = anyio.Event()
        self._may_end: dict[Pending, anyio.Event] = {}

    def release(self, pending: Pending) -> None:
        self._may_end.setdefault(pending, anyio.Event()).set()

    async def work(self, pending: Pending) -> None:
        self.begun.append(pending)
        self._tell()
        await self._may_end.setdefault(pending, anyio.Event()).wait()
        self.ended.append(pending)
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def until(self, begun: int = 0, ended: int = 0) -> None:
        with anyio.fail_after(10):
            while len(self.begun) < begun or len(self.ended) < ended:
                await self._news.wait()


@asynccontextmanager
async def lanes_of(desk: Desk, at_once: int) -> AsyncIterator[Lanes]:
    async with anyio.create_task_group() as tasks:
        yield Lanes(tasks, desk.work, at_once)
        tasks.cancel_scope.cancel()


async def test_a_silent_router_keeps_nobody_waiting() -> None:
    desk = Desk()
    async with lanes_of(desk, 8) as lanes:
        stuck = [Pending(SILENT, n, n) for n in range(3)]
        good = [Pending(GOOD, n, n) for n in range(3)]
        for batch in good:
            desk.release(batch)
        for batch in (*stuck, *good):
            lanes.add(batch)
        await desk.until(ended=3)
        assert desk.ended == good
        assert [p for p in desk.begun if p.router == SILENT] == stuck[:1]


async def test_a_routers_batches_keep_their_order() -> None:
    desk = Desk()
    async with lanes_of(desk, 8) as lanes:
        batches = [Pending(GOOD, n, n) for n in range(4)]
        for batch in (*batches, batches[1]):  # told twice, as after a restart
            lanes.add(batch)
        for batch in reversed(batches):
            desk.release(batch)
        await desk.until(ended=4)
        assert desk.begun == desk.ended == batches
        lanes.add(batches[0])  # the lane was given up in between
        await desk.until(ended=5)


async def test_routers_take_turns() -> None:
    desk = Desk()
    async with lanes_of(desk, 1) as lanes:
        busy = [Pending(SILENT, n, n) for n in range(5)]
        late = [Pending(GOOD, n, n) for n in range(2)]
        for batch in (*busy, *late):
            lanes.add(batch)
        await desk.until(begun=1)
        for batch in (*busy, *late):
            desk.release(batch)
        await desk.until(ended=7)
        assert desk.begun == [busy[0], late[0], busy[1], late[1], *busy[2:]]


# -- patience


async def test_patience_ends_a_silent_visit() -> None:
    patience = Patience(0.01)
    with anyio.fail_after(10), patience.scope:
        await anyio.sleep_forever()
    assert patience.scope.cancelled_caught


async def test_patience_rests_and_is_renewed() -> None:
    patience = Patience(100)
    with patience.scope:
        first = patience.scope.deadline
        with patience.resting():
            assert patience.scope.deadline == math.inf
        assert first <= patience.scope.deadline < math.inf
        patience.scope.deadline = anyio.current_time() + 1
        patience.renew()
        assert patience.scope.deadline > anyio.current_time() + 90


# -- journal


def leaf(number: int, provider: str = OTHER) -> JobLeaf:
    ticket = number.to_bytes(32, "big")
    return JobLeaf(ticket, bytes(32), OTHER, bytes(32), provider, 1, Tier.OPTIMISTIC, 1, 1)


def report(batch: int, position: int, outcome: Outcome = Outcome.UPHELD) -> Report:
    siblings = (bytes([1]) * 32, bytes([2]) * 32)
    return Report(GOOD, batch, position, 4, siblings, leaf(position), outcome)


async def keep(journal: Journal, found: Report) -> None:
    verdict = Verdict(found.leaf.hash(), ME, found.outcome, bytes(32))
    await journal.keep(found.router, found.batch, found.position, verdict, b"", "", found)


@pytest.fixture
async def state() -> AsyncIterator[State]:
    async with State("sqlite://") as state:
        yield state


async def test_batches_wait_until_they_are_done(state: State) -> None:
    journal = Journal(state, ME)
    one, two = Pending(GOOD, 0, 7), Pending(SILENT, 0, 5)
    for pending in (one, two, one):
        await journal.expect(pending)
    assert await Journal(state, ME).pending() == [two, one]
    assert await Journal(state, OTHER).pending() == []
    await journal.done(two)
    assert await journal.pending() == [one]


async def test_a_batch_that_is_committed_again_is_looked_at_again(state: State) -> None:
    journal = Journal(state, ME)
    old, new = Pending(GOOD, 0, 7), Pending(GOOD, 0, 9)
    await journal.expect(old)
    await journal.expect(new)
    await journal.done(old)
    assert await journal.pending() == [new]


async def test_a_leaf_is_judged_once_and_one_that_takes_its_place_too(state: State) -> None:
    journal = Journal(state, ME)
    first = report(0, 1)
    await keep(journal, first)
    assert await journal.has(GOOD, 0, 1, first.leaf.hash())
    with pytest.raises(IntegrityError):
        await keep(journal, first)
    other = Report(GOOD, 0, 1, 4, (), leaf(99), Outcome.MISMATCH)
    assert not await journal.has(GOOD, 0, 1, other.leaf.hash())
    await keep(journal, other)
    async with state.read() as conn:
        rows = (await conn.execute(verdicts.select())).all()
    assert [row.leaf for row in rows] == [other.leaf.hash()]
    assert await journal.untold(10) == [other]


# -- reporter


class Chain(ReputationBook):
    """Takes reports, or refuses as the test says; counts each leaf once, as the contract does."""

    takes_reports = True

    def __init__(self) -> None:
        self.counted: dict[bytes, Outcome] = {}
        self.sent: list[int] = []
        self.refusal: Any = lambda reports: None

    async def standing(self, provider: str, block: int | None = None) -> Standing:
        raise AssertionError

    async def sampling_rate(self, provider: str, block: int) -> int:
        raise AssertionError

    async def register(self, signer: Signer, provider: str) -> None:
        raise AssertionError

    async def report(self, validator: Signer, reports: Sequence[Report]) -> int:
        self.sent.append(len(reports))
        if revert := self.refusal(reports):
            raise revert if isinstance(revert, ChainError) else ChainError("no", revert=revert)
        new = [r for r in reports if r.leaf.ticket not in self.counted]
        if not new:
            raise ChainError("no", revert="CheckDesk_NothingNew()")
        self.counted |= {r.leaf.ticket: r.outcome for r in new}
        return len(new)


class Office:
    """A reporter with everything around it, and a clock that moves when told."""

    def __init__(self, state: State) -> None:
        self.journal = Journal(state, ME)
        self.chain = Chain()
        self.said: list[str] = []
        self.told: list[Event] = []
        self.ahead_s = 0.0
        bus = EventBus()
        bus.publish = self.told.append  # type: ignore[method-assign]
        self.reporter = Reporter(
            ME,
            Signer(bytes([1]) * 32),
            self.chain,
            self.journal,
            bus,
            self.said.append,
            count=3,
            age_s=600,
            retry_s=60,
            clock=self._now,
        )

    def _now(self) -> float:
        return time() + self.ahead_s


async def test_findings_go_out_together_by_number_or_by_age(state: State) -> None:
    office = Office(state)
    assert await office.reporter.turn() is None
    await keep(office.journal, report(0, 0))
    wait_s = await office.reporter.turn()
    assert wait_s is not None
    assert 590 < wait_s <= 600
    await keep(office.journal, report(0, 1))
    await keep(office.journal, report(1, 2, Outcome.MISMATCH))
    assert await office.reporter.turn() == 0.0
    assert office.chain.sent == [3]
    assert await office.journal.waiting() == (0, 0)

    await keep(office.journal, report(1, 3))
    office.ahead_s = 601
    await office.reporter.turn()
    assert office.chain.sent == [3, 1]
    assert office.told == [FindingsReported(ME, 3), FindingsReported(ME, 1)]


async def test_what_was_reported_before_a_crash_counts_once(state: State) -> None:
    office = Office(state)
    office.ahead_s = 601
    await keep(office.journal, report(0, 0))
    await office.chain.report(Signer(bytes([1]) * 32), await office.journal.untold(9))
    # The note that it was told is missing: it is sent again, refused, and that is the note.
    await office.reporter.turn()
    assert await office.journal.waiting() == (0, 0)
    assert len(office.chain.counted) == 1
    assert office.told == []


async def test_a_voided_batch_keeps_no_other_findings_back(state: State) -> None:
    office = Office(state)
    office.chain.refusal = lambda reports: (
        "JobRegistry_UnknownBatch(0x…, 1)" if any(r.batch == 1 for r in reports) else None
    )
    for number in range(3):
        await keep(office.journal, report(number, number))
    await office.reporter.turn()
    assert sorted(int.from_bytes(ticket, "big") for ticket in office.chain.counted) == [0, 2]
    assert await office.journal.waiting() == (0, 0)
    assert len(office.said) == 1
    assert "findings dropped" in office.said[0]


@pytest.mark.parametrize(
    "reason",
    [ChainUnavailableError("away"), "CheckDesk_NotValidator(0x…)", "Reputation_NotWriter(0x…)"],
)
async def test_findings_are_kept_while_they_cannot_be_told(state: State, reason: Any) -> None:
    office = Office(state)
    office.ahead_s = 601
    office.chain.refusal = lambda reports: reason
    await keep(office.journal, report(0, 0))
    with pytest.raises(ChainError):
        await office.reporter.turn()
    office.chain.refusal = lambda reports: None
    await office.reporter.turn()
    assert len(office.chain.counted) == 1


async def test_the_reporter_wakes_on_news(state: State) -> None:
    office = Office(state)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(office.reporter.run)
        for number in range(3):
            await keep(office.journal, report(0, number))
            office.reporter.notice()
        with anyio.fail_after(10):
            while not office.told:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert office.told == [FindingsReported(ME, 3)]
