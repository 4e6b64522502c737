"""Follows one payment: when to ask next, and what an answer means for the wait. Time is an argument.

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

from bakong_khqr._kinds import checked_duration
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
"""How long after the expiry a payment still counts: the payer may be paying, and clocks differ."""
LIFE_WITHOUT_EXPIRY = timedelta(minutes=10)
"""How long to wait for a code without an expiry: the longest life that Bakong's document recommends."""
AFTER_HINT = timedelta(seconds=10)
"""Bakong shows a payment within about 10 s, so after a hint one more check comes this much later."""
MOST_UNREADABLE = 3
"""After so many unreadable successes in a row, the wait ends with the error, because they may be money."""


def _check_ages(_: object, __: object, ages: tuple[float, ...]) -> None:
    if not isinstance(ages, tuple | list) or not all(isinstance(age, int | float) for age in ages):
        raise TypeError(f"at_seconds: must be a tuple of numbers, not {shown(ages)}")
    if not all(0 <= age < inf for age in ages) or list(ages) != sorted(ages):
        raise InvalidRequest(f"at_seconds: must be ages of 0 or more in rising order, not {shown(ages)}")


def _check_interval(_: object, __: object, seconds: float | None) -> None:
    if not isinstance(seconds, int | float | None):
        raise TypeError(f"then_every_seconds: must be a number, or None, not {type(seconds).__name__}")
    if seconds is not None and not 0 < seconds < inf:
        raise InvalidRequest(f"then_every_seconds: must be more than 0, or None, not {shown(seconds)}")


@frozen(kw_only=True)
class PollingSchedule:
    """The ages of the wait at which to ask. The last check, after expiry and grace, is always made and isn't listed."""

    at_seconds: tuple[float, ...] = field(validator=_check_ages)
    """Seconds since the wait began."""
    then_every_seconds: float | None = field(default=None, validator=_check_interval)
    """The interval after those ages. With None, only the last check follows."""

    def ages(self) -> Iterator[float]:
        """Yield the ages to ask at, in seconds. With an interval they never end."""
        yield from self.at_seconds
        if self.then_every_seconds is not None:
            age = self.at_seconds[-1] if self.at_seconds else 0.0
            while True:
                age += self.then_every_seconds
                yield age


GROWING = PollingSchedule(at_seconds=(0, 3, 6, 9, 13, 17, 22, 28, 35, 43, 52, 62, 74, 87, 101), then_every_seconds=15)
"""For a token without a quota: ask at once, because the wait may be a resumed one, then every few seconds, and later
every 15 seconds.
"""

SPARING = PollingSchedule(at_seconds=(150,))
"""For 100 calls a day: one check when most payers have paid, and the last check. Hints add checks.

In the model of `benchmarks/quota`, 150 s is the earliest age at which 100 calls settle more than 50 payments.
"""


class PaymentWatch:
    """The state of one wait. A client asks at `due_at`, reports the answer or the error, and follows the decision."""

    def __init__(
        self, khqr: KHQR, *, started_at: datetime, schedule: PollingSchedule, grace: timedelta = GRACE
    ) -> None:
        if khqr.is_static:
            raise StaticQRNotSupported(
                "khqr: it is static, and Bakong can't track it by its MD5; use a code with an amount and an expiry"
            )
        if not isinstance(schedule, PollingSchedule):
            raise TypeError(f"schedule: must be a PollingSchedule, not {type(schedule).__name__}")
        checked_duration("grace", grace)
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
        """Return how long to wait before asking; 0 if it is time."""
        return max((self.due_at - now).total_seconds(), 0.0)

    def hinted(self, now: datetime) -> None:
        """Ask now and once more a little later, because the payer may have paid (pressed a button, for example).

        If Bakong asked for a pause, ask at the end of that pause.
        """
        self.due_at = max(now, self._not_before)
        self._follow_up_at = self.due_at + AFTER_HINT

    def answered(self, transaction: Transaction | None, *, asked_at: datetime) -> Transaction | None:
        """Judge an answer: return the payment if the code asked for it, or `None` to go on waiting.

        Raises `PaymentMismatch` for another payment, and `PaymentExpired` if the last check found no payment.
        """
        self._unreadable = 0
        if transaction is not None:
            verdict = confirm(self.khqr, transaction, grace=self._grace)
            if verdict:
                return transaction
            raise PaymentMismatch(
                f"a payment came for this code's MD5, but it isn't what the code asked for: {verdict}",
                transaction=transaction,
                differences=verdict.differences,
            )
        if asked_at >= self.closes_at:
            raise PaymentExpired("the last check, after the code's expiry and grace, found no payment")
        self._plan(after=asked_at)
        return None

    def failed(self, error: BakongError, *, asked_at: datetime, now: datetime) -> None:
        """Judge an error: return to go on waiting, or raise the error if waiting can't help or the time is over."""
        self._unreadable = self._unreadable + 1 if isinstance(error, UnreadableTransaction) else 0
        passes = error.transient or isinstance(error, (TransactionFailed, UnexpectedAnswer))
        if not passes or asked_at >= self.closes_at or self._unreadable >= MOST_UNREADABLE:
            raise error
        if error.retry_at is not None:
            if error.retry_at > self.closes_at:
                raise error  # Bakong may be asked only after the last check
            self._not_before = error.retry_at
        self._plan(after=max(now, self._not_before))

    def _plan(self, *, after: datetime) -> None:
        """Set the next check after `after`: by the schedule, after a hint, or the last check, whichever is first."""
        while self._scheduled_at <= after and self._scheduled_at < self.closes_at:
            self._scheduled_at = next(self._schedule, self.closes_at)
        self.due_at = min(self._scheduled_at, self.closes_at)
        if self._follow_up_at is not None and self._follow_up_at > after:
            self.due_at = min(self.due_at, self._follow_up_at)
