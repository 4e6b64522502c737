"""What the outcome of a look means for a payment: which row of the table of payments applies.

A payment is paid by the right amount in the right currency to the right account, sent in time. A person decides about
any other money; the judgement then says what was expected and what was seen.
"""

from datetime import datetime, timedelta
from typing import Any

from attrs import frozen

from bakong_service.domain.moment import moment
from bakong_service.domain.money import written
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import UNPAID, Flag, Guard, On, Payment, PaymentStatus, guards
from bakong_service.domain.policy import PaymentPolicy
from bakong_service.domain.review import Disposition, ReviewKind
from bakong_service.domain.timekeeping import is_notable

FAILED_APART = timedelta(seconds=30)
"""Bakong may say "transaction failed" while a transfer is still in progress, so it must say so twice, so far apart."""
MOST_UNREADABLE = 3
_CLOCK_ERROR = timedelta(days=1)
"""If Bakong dates money before its payment was made, by this at most, a clock is wrong and the money is right: nobody
could pay the QR before it existed. A still earlier time, such as 1970, isn't the time at which somebody sent money."""


@frozen(kw_only=True)
class Judgement:
    """The event and the condition of a row of the table; for a review item also its kind and its details."""

    on: On
    guard: Guard = Guard.ALWAYS
    review: ReviewKind | None = None
    details: dict[str, Any] | None = None


def judge(
    payment: Payment, outcome: Outcome, policy: PaymentPolicy, *, disposition: Disposition | None, now: datetime
) -> Judgement:
    """Judge an outcome. `disposition` is that of the receipt of the same transaction, if there is one already."""
    match outcome.answer:
        case Answer.FOUND:
            assert outcome.sighting is not None
            if disposition is Disposition.REJECTED:
                # An operator said that this money isn't ours, and there is no other.
                return _when(payment, On.NOT_FOUND, _ended(payment, outcome))
            if disposition is not None:
                return Judgement(on=On.FOUND_AGAIN)
            return _found(payment, outcome, outcome.sighting, policy, now)
        case Answer.UNREADABLE:
            third = payment.unreadable + 1 >= MOST_UNREADABLE
            return _when(payment, On.FOUND_UNREADABLE, Guard.THIRD if third else Guard.BELOW_THREE)
        case Answer.NOT_FOUND:
            return _when(payment, On.NOT_FOUND, _ended(payment, outcome))
        case Answer.FAILED_TX:
            again = payment.failed_at is not None and now - payment.failed_at >= FAILED_APART
            return _when(payment, On.FAILED_TX, Guard.AGAIN if again else Guard.FIRST)
        case Answer.STATIC_QR:
            return Judgement(on=On.STATIC_QR)
        case _:
            return Judgement(on=On.NO_ANSWER)


def _when(payment: Payment, on: On, guard: Guard) -> Judgement:
    """Return the judgement with `guard` if the table has a row with it for this status, else without a guard."""
    return Judgement(on=on, guard=guard if guard in guards(payment.status, on) else Guard.ALWAYS)


def _ended(payment: Payment, outcome: Outcome) -> Guard:
    assert outcome.asked_at is not None
    return Guard.ENDED if outcome.asked_at >= payment.watch_until else Guard.WATCHING


def _found(payment: Payment, outcome: Outcome, sighting: Sighting, policy: PaymentPolicy, now: datetime) -> Judgement:
    happened_at = _by_our_clock(sighting.happened_at, outcome.skew, policy)
    kind, expected, seen = _difference(payment, sighting, happened_at, policy, now)
    if kind is not None:
        details = {"difference": kind.value, "expected": expected, "seen": seen}
        return Judgement(on=On.FOUND_MISMATCH, review=kind if payment.status in UNPAID else None, details=details)
    if payment.status is PaymentStatus.CANCELLED:
        return Judgement(on=On.FOUND_OK, review=ReviewKind.SUPERSEDED if Flag.SUPERSEDED in payment.flags else None)
    assert happened_at is not None
    if happened_at <= payment.deadline_at + policy.grace:
        guard = Guard.IN_TIME
    elif happened_at <= payment.deadline_at + policy.late_accept:
        guard = Guard.LATE
    else:
        guard = Guard.TOO_LATE
    return _when(payment, On.FOUND_OK, guard)


def _by_our_clock(told: datetime | None, skew: timedelta, policy: PaymentPolicy) -> datetime | None:
    """Return Bakong's time by our clock, by which the deadlines were set. A small difference is left as it is."""
    return told - skew if told is not None and is_notable(skew, policy.grace) else told


def _difference(
    payment: Payment, sighting: Sighting, happened_at: datetime | None, policy: PaymentPolicy, now: datetime
) -> tuple[ReviewKind | None, str | None, str | None]:
    """Return the first difference: its kind, what was expected, and what was seen.

    The kind is None if there is none.
    """
    if sighting.to_account != payment.to_account:
        return ReviewKind.RECEIVER, payment.to_account, sighting.to_account
    if sighting.currency != payment.amount.currency:
        return ReviewKind.CURRENCY, payment.amount.currency, sighting.currency
    if sighting.amount != payment.amount.decimal:
        return ReviewKind.AMOUNT, str(payment.amount), written(sighting.amount, sighting.currency)
    if not sighting.is_received:
        return ReviewKind.NOT_RECEIVED, None, sighting.tracking_status
    if happened_at is None:
        return ReviewKind.UNREADABLE, "a time", None
    # The time is long before the QR was made, or in the future: nobody knows when this money was sent.
    if not payment.created_at - _CLOCK_ERROR <= happened_at <= now + policy.grace:
        return ReviewKind.TIME, f"{moment(payment.created_at)} to {moment(now)}", moment(happened_at)
    return None, None, None
