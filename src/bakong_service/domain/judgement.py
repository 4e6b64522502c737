"""What an outcome means for a payment: which row of the table applies. Pure; nothing is written here.

Paid means this account, this currency, this amount, by the payer's own time. Everything else that is money goes to
people, with what was expected and what was seen.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from attrs import frozen

from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import UNPAID, Flag, Guard, On, Payment, PaymentStatus, guards
from bakong_service.domain.policy import PaymentPolicy

FAILED_APART = timedelta(seconds=30)
"""Bakong may say "transaction failed" while a payment is still under way: it must say so twice, this far apart."""
MOST_UNREADABLE = 3


@frozen(kw_only=True)
class Judgement:
    """What happened, under which condition; for the review the kind of the item and what was expected and seen."""

    on: On
    guard: Guard = Guard.ALWAYS
    review: str | None = None
    details: dict[str, Any] | None = None


def judge(
    payment: Payment, outcome: Outcome, policy: PaymentPolicy, *, disposition: str | None, now: datetime
) -> Judgement:
    """Judge an outcome. `disposition` is that of the receipt of the same transaction, where one is kept already."""
    match outcome.answer:
        case Answer.FOUND:
            assert outcome.sighting is not None
            if disposition == "rejected":  # an operator said that it isn't ours, and nothing else is to be seen
                return _when(payment, On.NOT_FOUND, _ended(payment, outcome))
            if disposition is not None:
                return Judgement(on=On.FOUND_AGAIN)
            return _found(payment, outcome.sighting, policy, now)
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
    """`guard`, where the table makes a difference for this status."""
    return Judgement(on=on, guard=guard if guard in guards(payment.status, on) else Guard.ALWAYS)


def _ended(payment: Payment, outcome: Outcome) -> Guard:
    assert outcome.asked_at is not None
    return Guard.ENDED if outcome.asked_at >= payment.watch_until else Guard.WATCHING


def _found(payment: Payment, sighting: Sighting, policy: PaymentPolicy, now: datetime) -> Judgement:
    kind, expected, seen = _difference(payment, sighting, policy, now)
    if kind is not None:
        details = {"difference": kind, "expected": expected, "seen": seen}
        return Judgement(on=On.FOUND_MISMATCH, review=kind if payment.status in UNPAID else None, details=details)
    if payment.status is PaymentStatus.CANCELLED:
        return Judgement(on=On.FOUND_OK, review="superseded" if Flag.SUPERSEDED in payment.flags else None)
    happened_at = sighting.happened_at
    assert happened_at is not None
    if happened_at <= payment.deadline_at + policy.grace:
        guard = Guard.IN_TIME
    elif happened_at <= payment.deadline_at + policy.late_accept:
        guard = Guard.LATE
    else:
        guard = Guard.TOO_LATE
    return _when(payment, On.FOUND_OK, guard)


def _difference(
    payment: Payment, sighting: Sighting, policy: PaymentPolicy, now: datetime
) -> tuple[str | None, str | None, str | None]:
    """The first thing that isn't as asked for: its kind, what was expected, what was seen. Kind None: all is."""
    if sighting.to_account != payment.to_account:
        return "receiver", payment.to_account, sighting.to_account
    if sighting.currency != payment.amount.currency:
        return "currency", payment.amount.currency, sighting.currency
    if sighting.amount != payment.amount.decimal:
        return "amount", str(payment.amount), _plain(sighting.amount)
    if not sighting.is_received:
        return "not_received", None, sighting.tracking_status
    happened_at = sighting.happened_at
    if happened_at is None:
        return "unreadable", "a time", None
    # Earlier than the code was made, or not yet: no clock of ours can say when that money was sent.
    if not payment.created_at - policy.grace <= happened_at <= now + policy.grace:
        return "time", f"{payment.created_at.isoformat()} to {now.isoformat()}", happened_at.isoformat()
    return None, None, None


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"
