"""Following one payment: when to ask next, and what an answer means for the wait. Pure: time is an argument.

shown ── ask at the schedule's ages and at hints ──> expiry ── grace ──> one last check
           │ this payment -> returned                                      │ not found -> PaymentExpired
           │ another      -> PaymentMismatch                               │ no answer -> that error
           │ no answer    -> ask again, not before the error's `retry_at`
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import inf

from attrs import field, frozen

from bakong_khqr.api.answers import Transaction
from bakong_khqr.api.confirmation import confirm
from bakong_khqr.errors import (
    BakongError,
    InvalidRequest,
    PaymentExpired,
    PaymentMismatch,
    StaticQRNotSupported,
    TransactionFailed,
    UnexpectedAnswer,
    UnreadableTransaction,
    shown,
)
from bakong_khqr.khqr import KHQR

GRACE = timedelta(minutes=2)
"""After the expiry, for a payer who was under way and for clocks that differ."""
LIFE_WITHOUT_EXPIRY = timedelta(minutes=10)
"""How long a code without an expiration is waited for: the longest life that Bakong's document recommends."""
AFTER_HINT = timedelta(seconds=10)
"""Bakong shows a payment within about 10 s, so a hint that found nothing is followed up once, this much later."""
MOST_UNREADABLE = 3
"""A success that can't be read three times running won't become readable by waiting, and may be money."""


def _check_ages(_: object, __: object, ages: tuple[float, ...]) -> None:
    if not all(0 <= age < inf for age in ages) or list(ages) != sorted(ages):
        raise InvalidRequest(f"at_seconds: must be ages of 0 or more in rising order, not {shown(ages)}")


def _check_interval(_: object, __: object, seconds: float | None) -> None:
    if seconds is not None and not 0 < seconds < inf:
        raise InvalidRequest(f"then_every_seconds: must be more than 0, or None, not {shown(seconds)}")


@frozen(kw_only=True)
class PollingSchedule:
    """At which ages of the wait to ask. The last check, after expiry and grace, is always made and isn't listed."""

    at_seconds: tuple[float, ...] = field(validator=_check_ages)
    """Seconds since the wait began."""
    then_every_seconds: float | None = field(default=None, validator=_check_interval)
    """The interval after those; None asks no more until the last check."""

    def ages(self) -> Iterator[float]:
        """All ages to ask at, in seconds, without end where there is an interval."""
        yield from self.at_seconds
        if self.then_every_seconds is not None:
            age = self.at_seconds[-1] if self.at_seconds else 0.0
            while True:
                age += self.then_every_seconds
                yield age


GROWING = PollingSchedule(at_seconds=(0, 3, 6, 9, 13, 17, 22, 28, 35, 43, 52, 62, 74, 87, 101), then_every_seconds=15)
"""For a token without a quota. At once, since a wait may be a resumed one, then every few seconds, later every 15."""

SPARING = PollingSchedule(at_seconds=(150,))
"""For 100 calls a day: one check when most payers are done, and the last one; the rest is left to hints.

150 s is the earliest that settles over 50 payments by 100 calls in the model of `benchmarks/quota`.
"""


class PaymentWatch:
    """The state of one wait. A client asks at `due_at`, tells what came of it, and does as it is told."""

    def __init__(
        self, khqr: KHQR, *, started_at: datetime, schedule: PollingSchedule, grace: timedelta = GRACE
    ) -> None:
        if khqr.is_static:
            raise StaticQRNotSupported(
                "khqr: is static, which Bakong can't follow by its MD5; make a dynamic one, with amount and expiry"
            )
        if not isinstance(schedule, PollingSchedule):
            raise TypeError(f"schedule: must be a PollingSchedule, not {type(schedule).__name__}")
        self.khqr = khqr
        self.closes_at = (khqr.expires_at or started_at + LIFE_WITHOUT_EXPIRY) + grace
        self._grace = grace
        self._schedule = (started_at + timedelta(seconds=age) for age in schedule.ages())
        self._scheduled_at = next(self._schedule, self.closes_at)
        self._follow_up_at: datetime | None = None
        self._not_before = datetime.min.replace(tzinfo=UTC)
        self._unreadable = 0
        self.due_at = min(self._scheduled_at, self.closes_at)
        """When to ask next."""

    def seconds_until_due(self, now: datetime) -> float:
        """How long to wait before asking; 0 when it is time."""
        return max((self.due_at - now).total_seconds(), 0.0)

    def hinted(self, now: datetime) -> None:
        """Somebody says that the payer is done (the app returned, a button): ask now, and once more a little later.

        Where Bakong asked for a pause, "now" is its end.
        """
        self.due_at = max(now, self._not_before)
        self._follow_up_at = self.due_at + AFTER_HINT

    def answered(self, transaction: Transaction | None, *, asked_at: datetime) -> Transaction | None:
        """Take an answer: the payment when it is the one asked for, None to go on.

        Raises `PaymentMismatch` for another payment, and `PaymentExpired` when the last check found none.
        """
        self._unreadable = 0
        if transaction is not None:
            verdict = confirm(self.khqr, transaction, grace=self._grace)
            if verdict:
                return transaction
            raise PaymentMismatch(
                f"a payment came under this code's MD5, but not the one asked for: {verdict}",
                transaction=transaction,
                differences=verdict.differences,
            )
        if asked_at >= self.closes_at:
            raise PaymentExpired("no payment was found by the last check, after the code's expiry and grace")
        self._plan(after=asked_at)
        return None

    def failed(self, error: BakongError, *, asked_at: datetime, now: datetime) -> None:
        """Take an error: return to go on, or raise it when waiting can't help or the time is over."""
        self._unreadable = self._unreadable + 1 if isinstance(error, UnreadableTransaction) else 0
        passes = error.transient or isinstance(error, (TransactionFailed, UnexpectedAnswer))
        if not passes or asked_at >= self.closes_at or self._unreadable >= MOST_UNREADABLE:
            raise error
        if error.retry_at is not None:
            if error.retry_at > self.closes_at:
                raise error  # even the last check would come before Bakong wants to be asked
            self._not_before = error.retry_at
        self._plan(after=max(now, self._not_before))

    def _plan(self, *, after: datetime) -> None:
        """Set the next check: the first after `after` of the schedule, a hint's follow-up, and the last one."""
        while self._scheduled_at <= after and self._scheduled_at < self.closes_at:
            self._scheduled_at = next(self._schedule, self.closes_at)
        self.due_at = min(self._scheduled_at, self.closes_at)
        if self._follow_up_at is not None and self._follow_up_at > after:
            self.due_at = min(self.due_at, self._follow_up_at)
