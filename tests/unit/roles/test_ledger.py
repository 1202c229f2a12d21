"""The router's mirror of the money: never more promised than there is, never a cent lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from infera.errors import RequestError
from infera.keys import Signer
from infera.protocol.messages import KeyGrant
from infera_plugins.roles.router.ledger import DAY_S, GrantBook, Ledger, Reservation

ROUTER, ACCOUNT = Signer.generate().address, Signer.generate().address
NOON = 1_800_000_000 // DAY_S * DAY_S + DAY_S // 2


def _grant(key: int = 1, **changes: int) -> KeyGrant:
    fields = {
        "max_price_in": 10**6,
        "max_price_out": 10**6,
        "per_job_cap": 400,
        "daily_cap": 1_000,
        "total_cap": 3_000,
        "not_before": 0,
        "not_after": 2**40,
        "generation": 0,
    } | changes
    return KeyGrant(
        account=ACCOUNT, key_hash=bytes([key]) * 32, routers=(ROUTER,), models=(), **fields
    )


def _ledger(usable: int = 10_000, **changes: int) -> tuple[Ledger, GrantBook]:
    ledger = Ledger(ROUTER)
    book = ledger.add(b"\1" * 32, _grant(**changes), b"")
    ledger.account(ACCOUNT).usable = usable
    return ledger, book


@pytest.mark.parametrize(
    ("amount", "usable", "code"),
    [
        (401, 10_000, "per_job_cap_exceeded"),
        (400, 399, "insufficient_funds"),
    ],
)
def test_a_limit_is_named(amount: int, usable: int, code: str) -> None:
    ledger, book = _ledger(usable)
    with pytest.raises(RequestError) as refused:
        ledger.reserve(book, amount, NOON)
    assert (refused.value.code, refused.value.status) == (code, 402)
    assert book.reserved == ledger.account(ACCOUNT).reserved == 0


def test_the_daily_limit_counts_running_jobs_and_renews_at_midnight_utc() -> None:
    ledger, book = _ledger()
    for _ in range(2):
        ledger.settle(ledger.reserve(book, 400, NOON), 400, NOON)
    running = ledger.reserve(book, 200, NOON)
    with pytest.raises(RequestError, match="daily limit"):
        ledger.reserve(book, 1, NOON)
    ledger.release(running)
    tomorrow = NOON + DAY_S
    ledger.settle(ledger.reserve(book, 400, tomorrow), 400, tomorrow)
    assert book.charged == 1_200


def test_the_total_limit_ends_a_key() -> None:
    ledger, book = _ledger(total_cap=500)
    ledger.settle(ledger.reserve(book, 400, NOON), 400, NOON)
    with pytest.raises(RequestError, match="total limit"):
        ledger.reserve(book, 101, NOON)
    ledger.reserve(book, 100, NOON)


@pytest.mark.parametrize(
    ("now", "generation", "code"),
    [
        (5, 0, "api_key_expired"),
        (2_000, 0, "api_key_expired"),
        (500, 1, "api_key_revoked"),
    ],
)
def test_a_key_out_of_force_opens_nothing(now: int, generation: int, code: str) -> None:
    ledger, _ = _ledger(not_before=10, not_after=1_000)
    ledger.account(ACCOUNT).generation = generation
    with pytest.raises(RequestError) as refused:
        ledger.usable_grant(b"\1" * 32, now)
    assert (refused.value.status, refused.value.code) == (401, code)


def test_an_unknown_key_learns_nothing() -> None:
    ledger, _ = _ledger()
    with pytest.raises(RequestError) as refused:
        ledger.usable_grant(b"\2" * 32, NOON)
    assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")


def test_a_new_grant_for_a_key_replaces_the_old_one_whose_debts_stay() -> None:
    ledger, old = _ledger()
    ledger.settle(ledger.reserve(old, 300, NOON), 300, NOON)
    new = ledger.add(b"\2" * 32, _grant(total_cap=9_000), b"")
    assert ledger.usable_grant(b"\1" * 32, NOON) is new
    assert ledger.grants[old.digest].charged == 300
    assert ledger.account(ACCOUNT).unsettled == 300


@given(st.integers(0, 400), st.integers(0, 400))
def test_settling_twice_or_above_the_reservation_is_a_bug_that_shows(
    amount: int, cost: int
) -> None:
    ledger, book = _ledger()
    reservation = ledger.reserve(book, amount, NOON)
    if cost > amount:
        with pytest.raises(ValueError, match="within its reservation"):
            ledger.settle(reservation, cost, NOON)
        return
    ledger.settle(reservation, cost, NOON)
    with pytest.raises(ValueError, match="settles once"):
        ledger.settle(reservation, cost, NOON)
    ledger.release(reservation)
    assert book.reserved == 0


class Books(RuleBasedStateMachine):
    """Any order of reserving, settling, releasing, debiting and topping up keeps the books."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(ROUTER)
        self.books = [
            self.ledger.add(bytes([n]) * 32, _grant(n, daily_cap=10**9, total_cap=10**9), b"")
            for n in (1, 2)
        ]
        self.account = self.ledger.account(ACCOUNT)
        self.open: list[Reservation] = []
        self.deposited = 0
        self.spent = 0

    @rule(amount=st.integers(1, 2_000))
    def top_up(self, amount: int) -> None:
        self.deposited += amount
        self.account.usable += amount

    @rule(which=st.integers(0, 1), amount=st.integers(0, 500))
    def reserve(self, which: int, amount: int) -> None:
        room = self.account.available
        try:
            self.open.append(self.ledger.reserve(self.books[which], amount, NOON))
        except RequestError:
            assert amount > 400 or amount > room
        else:
            assert amount <= room

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        reservation = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        cost = data.draw(st.integers(0, reservation.amount))
        self.ledger.settle(reservation, cost, NOON)
        self.spent += cost

    @precondition(lambda self: self.open)
    @rule()
    def release(self) -> None:
        self.ledger.release(self.open.pop())

    @rule(data=st.data())
    def the_vault_debits(self, data: st.DataObject) -> None:
        amount = data.draw(st.integers(0, self.account.unsettled))
        self.account.debited += amount
        self.account.usable -= amount

    @invariant()
    def nothing_is_promised_twice(self) -> None:
        assert self.account.available >= 0
        assert self.account.charged == self.spent == sum(b.charged for b in self.books)
        assert self.account.reserved == sum(r.amount for r in self.open)
        assert self.account.reserved == sum(b.reserved for b in self.books)
        assert self.account.available == self.deposited - self.spent - self.account.reserved


TestBooks = Books.TestCase
