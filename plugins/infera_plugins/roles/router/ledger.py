"""What each key may still spend, in memory, so that no request waits for a database or a chain.

The vault's books are the truth; this mirrors them and adds what they do not know yet: answers
charged but not yet debited on-chain,
and reservations of running jobs. Every figure is micro-USDC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infera.errors import ErrorType, RequestError
from infera.events import usdc

if TYPE_CHECKING:
    from infera.protocol.messages import KeyGrant
    from infera.types import Address

DAY_S = 86_400


@dataclass(slots=True)
class GrantBook:
    """One grant's spending. `charged` is cumulative and gross; `reserved` is what running jobs
    may still cost.
    """

    digest: bytes
    grant: KeyGrant
    signature: bytes
    charged: int = 0
    reserved: int = 0
    day: int = 0
    charged_today: int = 0
    revoked: bool = False


@dataclass(slots=True)
class AccountBook:
    """One account under this router. `usable` is its lockup less what is thawing; `debited` what
    the vault has taken.
    """

    address: Address
    generation: int = 0
    free: int = 0
    locked: int = 0
    usable: int = 0
    debited: int = 0
    charged: int = 0
    reserved: int = 0

    @property
    def unsettled(self) -> int:
        return self.charged - self.debited

    @property
    def available(self) -> int:
        return self.usable - self.unsettled - self.reserved


@dataclass(slots=True)
class Reservation:
    """Money put aside for one job: settled or released exactly once."""

    book: GrantBook
    account: AccountBook
    amount: int
    open: bool = True


@dataclass(slots=True)
class Ledger:
    """All accounts and grants of one router."""

    router: Address
    accounts: dict[Address, AccountBook] = field(default_factory=dict)
    grants: dict[bytes, GrantBook] = field(default_factory=dict)
    by_key: dict[bytes, GrantBook] = field(default_factory=dict)

    def account(self, address: Address) -> AccountBook:
        """The account's book, made empty on first sight."""
        return self.accounts.setdefault(address, AccountBook(address))

    def add(self, digest: bytes, grant: KeyGrant, signature: bytes) -> GrantBook:
        """Take a verified grant; a second grant for the same key replaces the first for new
        jobs.
        """
        book = self.grants.get(digest) or GrantBook(digest, grant, signature)
        self.grants[digest] = book
        self.by_key[grant.key_hash] = book
        self.account(grant.account)
        return book

    def usable_grant(self, key_hash: bytes, now: int) -> GrantBook:
        """The grant behind a bearer key. Raises 401 in words that never tell a stranger which
        keys exist.
        """
        book = self.by_key.get(key_hash)
        if book is None:
            raise _unauthorized("Incorrect API key provided.", "invalid_api_key")
        grant = book.grant
        if book.revoked or grant.generation != self.account(grant.account).generation:
            raise _unauthorized("This API key has been revoked by its owner.", "api_key_revoked")
        if not grant.not_before <= now <= grant.not_after:
            raise _unauthorized(
                "This API key is outside its period of validity.", "api_key_expired"
            )
        return book

    def reserve(self, book: GrantBook, amount: int, now: int) -> Reservation:
        """Put `amount` aside. Raises 402 naming the limit that was hit and what to do."""
        grant, account = book.grant, self.account(book.grant.account)
        self._roll_day(book, now)
        if amount > grant.per_job_cap:
            raise _broke(
                f"This request could cost {usdc(amount)}, above the key's limit of "
                f"{usdc(grant.per_job_cap)} per job. Lower max_tokens or use another key.",
                "per_job_cap_exceeded",
            )
        if book.charged_today + book.reserved + amount > grant.daily_cap:
            raise _broke(
                f"The key's daily limit of {usdc(grant.daily_cap)} is used up; "
                "it renews at midnight UTC.",
                "daily_cap_exceeded",
            )
        if book.charged + book.reserved + amount > grant.total_cap:
            raise _broke(
                f"The key's total limit of {usdc(grant.total_cap)} is used up; issue a new key.",
                "total_cap_exceeded",
            )
        if amount > account.available:
            raise _broke(
                f"This request could cost {usdc(amount)} but only "
                f"{usdc(max(account.available, 0))} is available "
                f"with this router. Lock more USDC for router {self.router}, or lower max_tokens.",
                "insufficient_funds",
            )
        book.reserved += amount
        account.reserved += amount
        return Reservation(book, account, amount)

    def release(self, reservation: Reservation) -> None:
        """Give the reservation back unspent. Doing it twice is harmless."""
        if reservation.open:
            reservation.open = False
            reservation.book.reserved -= reservation.amount
            reservation.account.reserved -= reservation.amount

    def settle(self, reservation: Reservation, cost: int, now: int) -> None:
        """Charge what the job did cost and give the rest back. `cost` never exceeds the
        reservation.
        """
        if not 0 <= cost <= reservation.amount or not reservation.open:
            raise ValueError("a job settles once, within its reservation")
        self.release(reservation)
        self.charge(reservation.book, cost, now)

    def charge(self, book: GrantBook, cost: int, now: int) -> None:
        """Book a cost outright (settling, or replaying the journal at start)."""
        self._roll_day(book, now)
        book.charged += cost
        book.charged_today += cost
        self.account(book.grant.account).charged += cost

    @staticmethod
    def _roll_day(book: GrantBook, now: int) -> None:
        day = now // DAY_S
        if day > book.day:
            book.day, book.charged_today = day, 0


def _unauthorized(message: str, code: str) -> RequestError:
    return RequestError(message, code=code, status=401, type=ErrorType.AUTHENTICATION)


def _broke(message: str, code: str) -> RequestError:
    return RequestError(message, code=code, status=402, type=ErrorType.INSUFFICIENT_FUNDS)
