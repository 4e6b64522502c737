"""When the service looks at a payment next, and why. The watcher obeys, and the API shows the reason.

Each look costs a call, and NBC grants about a hundred calls a day. So there is one rhythm for plenty of calls, and one
for few calls (`STARVED`), in which most looks are made because of hints.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from attrs import frozen

from bakong_service.domain.look import LookReason
from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.domain.payment import MONEY, WATCHED, Flag, Payment, PaymentStatus


class Mode(StrEnum):
    """How Bakong can be asked, and how often."""

    BULK = "bulk"  # fifty at once
    SINGLES = "singles"  # the list endpoint is closed: one at a time
    STARVED = "starved"  # the rest of the day's calls is too small: hints and a few fixed looks
    BLOCKED = "blocked"  # Bakong answers nothing, and no payment changes because of that


class Priority:
    """Which payments are looked at first; among equals, the one that has been due for longest."""

    HINT = 0
    PAGE_OPEN = 1
    OPEN = 2
    LOOK_BACK = 3
    EVERY = (HINT, PAGE_OPEN, OPEN, LOOK_BACK)


@frozen
class Look:
    """The next look at a payment: when (None: never again), why, and with which priority."""

    at: datetime | None
    reason: LookReason
    priority: int = Priority.OPEN


NEVER = Look(None, LookReason.CLOSED, Priority.LOOK_BACK)

ATTENTION = timedelta(seconds=60)  # after a hint, or while a page is open, look every QUICK for this long
QUICK = timedelta(seconds=2)
_BY_AGE = ((timedelta(minutes=2), timedelta(seconds=3)), (timedelta(minutes=5), timedelta(seconds=5)))
_THEN = timedelta(seconds=10)
_STARVED_FIRST = timedelta(minutes=3)
_AFTER_HINT = timedelta(seconds=10)  # Bakong shows a payment within about 10 s, so an early hint is followed up once
_LOOK_BACKS = (timedelta(minutes=2), timedelta(hours=1), timedelta(hours=6))  # after the deadline
_UNVERIFIABLE_EVERY = timedelta(hours=6)
UNVERIFIABLE_FOR = timedelta(days=7)
_MADE_ONCE = frozenset({LookReason.HINT, LookReason.STARVED, LookReason.LOOK_BACK})
"""Looks that the rhythm doesn't repeat."""
_HINT_GOOD_FOR = timedelta(hours=24)  # long enough to reach the next day's calls; an older hint is dropped
_HINTS_APART = timedelta(seconds=10)
_HINTS_APART_AFTER_PAYMENT = timedelta(minutes=10)  # the money has come, so a look can only find a second transfer
REVIEW_OPENED_BEFORE = timedelta(minutes=2)
"""How long after a review item was opened the payment is looked at: a payer who made a mistake soon sends again."""
REVIEW_EVERY = timedelta(days=1)
"""How often a payment is looked at while one of its review items is open."""
_BACKOFF_FIRST, _BACKOFF_LONGEST = timedelta(seconds=5), timedelta(seconds=300)
_PUT_OFF_LONGEST = timedelta(hours=6)


def next_look(payment: Payment, mode: Mode, *, now: datetime, outcome: Outcome | None = None) -> Look:
    """Return the look after `now`. The payment is as `outcome` left it; `outcome` is None when the payment is made."""
    if payment.status not in WATCHED:
        return _after_the_end(payment, now, outcome)
    if payment.last_outcome == Answer.STATIC_QR:  # Bakong can't follow this QR, so asking again is useless
        return Look(payment.deadline_at, LookReason.DEADLINE) if payment.status is PaymentStatus.PENDING else NEVER
    if outcome is not None and _ends_the_watch(payment, outcome):
        return NEVER
    look = _rhythm(payment, mode, now)
    if outcome is not None and outcome.answer is Answer.NO_ANSWER:
        again = _unanswered(payment, now)
        look = _held_back(look, payment, now, outcome) if again is None else _put_off(again, payment, now, outcome)
    if look.at is not None and payment.status is PaymentStatus.PENDING and look.at >= payment.deadline_at:
        return Look(payment.deadline_at, LookReason.DEADLINE)
    return look


def takes_hint(payment: Payment, *, at_most: int, now: datetime) -> bool:
    """Return whether a hint is worth a call now: a payment takes `at_most` of them, each some time after the last one.

    A payment that is paid or refunded takes one only when nobody has looked at it for ten minutes.
    """
    if payment.hints >= at_most:
        return False
    if payment.status in (PaymentStatus.PAID, PaymentStatus.REFUNDED):
        since = [moment for moment in (payment.hint_at, payment.last_check_at) if moment is not None]
        return not since or now - max(since) >= _HINTS_APART_AFTER_PAYMENT
    return payment.hint_at is None or now - payment.hint_at >= _HINTS_APART


def hint_priority(payment: Payment) -> int:
    """Return the priority of a hint's look: the calls that are kept for hints are for payments without money."""
    return Priority.LOOK_BACK if payment.status in MONEY else Priority.HINT


def is_hinted(payment: Payment) -> bool:
    """Return whether the next look at a payment is made because of a hint."""
    return payment.next_check_at is not None and payment.next_check_reason == LookReason.HINT


def backoff(failures: int, longest: timedelta = _BACKOFF_LONGEST) -> timedelta:
    """Return how long to wait after the n-th failure in a row: 5, 10, 20 ... seconds, and `longest` at most."""
    doubled: timedelta = _BACKOFF_FIRST * 2 ** min(max(failures - 1, 0), 16)
    return min(doubled, longest)


def _rhythm(payment: Payment, mode: Mode, now: datetime) -> Look:
    """Return the next look at a watched payment if every look is answered."""
    if _is_hint_unseen(payment, now):
        return Look(now, LookReason.HINT, Priority.HINT)
    if mode is Mode.STARVED and payment.hint_at is not None:
        follow_up_at = payment.hint_at + _AFTER_HINT
        if (payment.last_check_at or now) < follow_up_at:
            return Look(follow_up_at, LookReason.HINT, Priority.HINT)
    if now >= payment.watch_until:
        return _after_the_watch(payment, now)
    if mode is not Mode.STARVED:
        if payment.hint_at is not None and now - payment.hint_at < ATTENTION:
            return Look(now + QUICK, LookReason.HINT, Priority.HINT)
        if payment.viewed_at is not None and now - payment.viewed_at < ATTENTION and now < payment.deadline_at:
            return Look(now + QUICK, LookReason.PAGE_OPEN, Priority.PAGE_OPEN)
    if now < payment.deadline_at and payment.status in (PaymentStatus.PENDING, PaymentStatus.FAILED):
        return _hot(payment, mode, now)
    return _look_back(payment, mode, now)


def _look_back(payment: Payment, mode: Mode, now: datetime) -> Look:
    """Return the next of the few looks between the deadline and the end of the watch."""
    look_backs = _LOOK_BACKS[:1] if mode is Mode.STARVED else _LOOK_BACKS
    missed = [after for after in look_backs if payment.deadline_at + after <= now]
    if missed and (payment.last_check_at or payment.created_at) < payment.deadline_at + missed[-1]:
        return Look(now, LookReason.LOOK_BACK, Priority.LOOK_BACK)  # no worker ran when it was due
    for after in look_backs:
        if now < payment.deadline_at + after < payment.watch_until:
            return Look(payment.deadline_at + after, LookReason.LOOK_BACK, Priority.LOOK_BACK)
    return Look(payment.watch_until, LookReason.CLOSING_CHECK, Priority.LOOK_BACK)


def _hot(payment: Payment, mode: Mode, now: datetime) -> Look:
    age = now - payment.created_at
    if mode is Mode.STARVED:
        # Whoever sent a hint sends another when the payer is done. After hints in vain this look seldom finds money.
        if age < _STARVED_FIRST and payment.hint_at is None:
            return Look(payment.created_at + _STARVED_FIRST, LookReason.STARVED)
        return Look(payment.deadline_at + _LOOK_BACKS[0], LookReason.LOOK_BACK, Priority.LOOK_BACK)
    wait = next((interval for limit, interval in _BY_AGE if age < limit), _THEN)
    return Look(now + wait, LookReason.PAYER_MAY_PAY)


def _after_the_watch(payment: Payment, now: datetime) -> Look:
    """Return the next look after the end of the watch if Bakong hasn't answered: ever less often, for a week."""
    if now >= payment.watch_until + UNVERIFIABLE_FOR:
        return Look(None, LookReason.UNVERIFIABLE, Priority.LOOK_BACK)
    asked_enough = backoff(payment.no_answers + 1) >= _BACKOFF_LONGEST
    return Look(now + _UNVERIFIABLE_EVERY if asked_enough else now, LookReason.UNVERIFIABLE, Priority.LOOK_BACK)


def _after_the_end(payment: Payment, now: datetime, outcome: Outcome | None) -> Look:
    """Return the next look at a closed payment: the look that somebody asked for, until Bakong answers it."""
    hinted = _is_hint_fresh(payment, now)
    if hinted and _is_hint_unseen(payment, now):
        return Look(now, LookReason.HINT, min(payment.priority, hint_priority(payment)))
    if outcome is None:
        return NEVER
    if hinted and outcome.answer in (Answer.NO_ANSWER, Answer.UNREADABLE):
        return _put_off(
            Look(now, LookReason.HINT, min(payment.priority, hint_priority(payment))), payment, now, outcome
        )
    if payment.next_check_reason == LookReason.REVIEW and outcome.answer is Answer.NO_ANSWER:
        return _put_off(Look(now, LookReason.REVIEW, Priority.LOOK_BACK), payment, now, outcome)
    return NEVER


def _unanswered(payment: Payment, now: datetime) -> Look | None:
    """Return the look that got no answer, to be made again, if the rhythm wouldn't repeat it.

    Return None if the rhythm repeats the look by itself: looks every few seconds, and looks after the watch.
    """
    # A look in the future was planned just now, because the deadline passed.
    due = payment.next_check_at is not None and payment.next_check_at <= now
    if not due or payment.next_check_reason not in _MADE_ONCE or now >= payment.watch_until:
        return None
    if payment.next_check_reason == LookReason.HINT and not _is_hint_fresh(payment, now):
        return None
    return Look(now, payment.next_check_reason, payment.priority)


def _is_hint_unseen(payment: Payment, now: datetime) -> bool:
    """Return whether a hint came after Bakong was last asked, or while it was being asked.

    A hint with a time in the future comes from a replica whose clock is ahead, and it counts only from that time on.
    """
    hint_at, seen_at = payment.hint_at, payment.last_check_at
    return hint_at is not None and hint_at <= now and (seen_at is None or seen_at < hint_at)


def _is_hint_fresh(payment: Payment, now: datetime) -> bool:
    return payment.hint_at is not None and now < payment.hint_at + _HINT_GOOD_FOR


def _held_back(look: Look, payment: Payment, now: datetime, outcome: Outcome) -> Look:
    """Return the look after no answer: not before the time that Bakong named, or before a pause that doubles.

    The look keeps its reason, because the reason decides whether the look may use a call. `last_outcome` has the error.
    """
    if look.at is None:
        return look
    not_before = outcome.retry_at or now + backoff(payment.no_answers)
    if look.at >= not_before:
        return look
    return Look(not_before, look.reason, look.priority)


def _put_off(look: Look, payment: Payment, now: datetime, outcome: Outcome) -> Look:
    """Return a look that must be repeated: soon, then ever less often. An outage of a day costs 14 calls."""
    at = now if outcome.asked_at is None else now + backoff(payment.no_answers, _PUT_OFF_LONGEST)
    if now < payment.watch_until:
        at = min(at, payment.watch_until)
    return Look(max(at, outcome.retry_at or at), look.reason, look.priority)


def is_unverifiable(payment: Payment, outcome: Outcome, now: datetime) -> bool:
    """Return whether the watch is over, this outcome doesn't end it, and Bakong hasn't answered since the deadline.

    If Bakong did answer after the deadline, the service asks for another week before the payment is unverifiable (M11
    in the table of payments).
    """
    if Flag.UNVERIFIABLE in payment.flags or payment.status not in WATCHED - {PaymentStatus.PENDING}:
        return False
    if now < payment.watch_until or _ends_the_watch(payment, outcome):
        return False
    answered = payment.last_conclusive_at is not None and payment.last_conclusive_at >= payment.deadline_at
    return not answered or now >= payment.watch_until + UNVERIFIABLE_FOR


def _ends_the_watch(payment: Payment, outcome: Outcome) -> bool:
    """Return whether this was the last look: made after the watch, and answered.

    Only "not found" lets a payment in `timeout` expire.
    """
    if outcome.asked_at is None or outcome.asked_at < payment.watch_until:
        return False
    failed_is_enough = payment.status in (PaymentStatus.FAILED, PaymentStatus.CANCELLED)
    return outcome.answer is Answer.NOT_FOUND or (outcome.answer is Answer.FAILED_TX and failed_is_enough)
