"""When a payment is looked at next, and why. Pure: the watcher obeys, and the reason is shown to whoever asks.

Looks cost calls, and Bakong grants about a hundred a day: so there is one rhythm for when calls are plenty, and one for
when they aren't (`STARVED`), which leaves most of the work to hints.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from attrs import frozen

from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.domain.payment import WATCHED, Flag, Payment, PaymentStatus


class Mode(StrEnum):
    """How Bakong lets itself be asked."""

    BULK = "bulk"  # fifty at once
    SINGLES = "singles"  # the list endpoint is closed: one at a time
    STARVED = "starved"  # the day's calls don't suffice: hints and the few checks that matter most
    BLOCKED = "blocked"  # nothing gets through: no payment changes by inference


class Priority:
    """Who is asked for first; age breaks ties."""

    HINT = 0
    PAGE_OPEN = 1
    OPEN = 2
    LOOK_BACK = 3
    EVERY = (HINT, PAGE_OPEN, OPEN, LOOK_BACK)


@frozen
class Look:
    """The next look at a payment: when (None: never again), why, and before whom."""

    at: datetime | None
    reason: str
    priority: int = Priority.OPEN


NEVER = Look(None, "closed", Priority.LOOK_BACK)

ATTENTION = timedelta(seconds=60)  # how long a hint or an open page is good for looks in quick succession
QUICK = timedelta(seconds=2)
_BY_AGE = ((timedelta(minutes=2), timedelta(seconds=3)), (timedelta(minutes=5), timedelta(seconds=5)))
_THEN = timedelta(seconds=10)
_STARVED_FIRST = timedelta(minutes=3)
_AFTER_HINT = timedelta(seconds=10)  # Bakong shows a payment within about 10 s, so an early hint is followed up once
_LOOK_BACKS = (timedelta(minutes=2), timedelta(hours=1), timedelta(hours=6))  # after the deadline
_UNVERIFIABLE_EVERY = timedelta(hours=6)
UNVERIFIABLE_FOR = timedelta(days=7)
_MADE_ONCE = frozenset({"hint", "starved", "look_back"})  # looks that the rhythm doesn't come back to
_HINT_GOOD_FOR = timedelta(hours=24)  # past every midnight's new quota; a hint isn't asked about for ever
_BACKOFF_FIRST, _BACKOFF_LONGEST = timedelta(seconds=5), timedelta(seconds=300)
_PUT_OFF_LONGEST = timedelta(hours=6)


def next_look(payment: Payment, mode: Mode, *, now: datetime, outcome: Outcome | None = None) -> Look:
    """The look after `now`, for the payment as it stands after `outcome` was recorded (None: at its creation)."""
    if payment.status not in WATCHED:
        return _after_the_end(payment, now, outcome)
    if payment.last_outcome == Answer.STATIC_QR:  # Bakong can't follow this code: asking again tells no more
        return Look(payment.deadline_at, "deadline") if payment.status is PaymentStatus.PENDING else NEVER
    if outcome is not None and _ends_the_watch(payment, outcome):
        return NEVER
    look = _rhythm(payment, mode, now)
    if outcome is not None and outcome.answer is Answer.NO_ANSWER:
        again = _unanswered(payment, now)
        look = _held_back(look, payment, now, outcome) if again is None else _put_off(again, payment, now, outcome)
    if look.at is not None and payment.status is PaymentStatus.PENDING and look.at >= payment.deadline_at:
        return Look(payment.deadline_at, "deadline")
    return look


def backoff(failures: int, longest: timedelta = _BACKOFF_LONGEST) -> timedelta:
    """How long to wait after the n-th failure in a row: 5, 10, 20 ... seconds, and `longest` at most."""
    doubled: timedelta = _BACKOFF_FIRST * 2 ** min(max(failures - 1, 0), 16)
    return min(doubled, longest)


def _rhythm(payment: Payment, mode: Mode, now: datetime) -> Look:
    if payment.hint_at is not None:
        if payment.last_check_at is None or payment.last_check_at < payment.hint_at:  # it came while Bakong was asked
            return Look(now, "hint", Priority.HINT)
        if payment.last_check_at < payment.hint_at + _AFTER_HINT and mode is Mode.STARVED:
            return Look(payment.hint_at + _AFTER_HINT, "hint", Priority.HINT)
    if now >= payment.watch_until:
        return _after_the_watch(payment, now)
    if mode is not Mode.STARVED:
        if payment.hint_at is not None and now - payment.hint_at < ATTENTION:
            return Look(now + QUICK, "hint", Priority.HINT)
        if payment.viewed_at is not None and now - payment.viewed_at < ATTENTION and now < payment.deadline_at:
            return Look(now + QUICK, "page_open", Priority.PAGE_OPEN)
    if now < payment.deadline_at and payment.status in (PaymentStatus.PENDING, PaymentStatus.FAILED):
        return _hot(payment, mode, now)
    look_backs = _LOOK_BACKS[:1] if mode is Mode.STARVED else _LOOK_BACKS
    for after in look_backs:
        if now < payment.deadline_at + after < payment.watch_until:
            return Look(payment.deadline_at + after, "look_back", Priority.LOOK_BACK)
    return Look(payment.watch_until, "closing_check", Priority.LOOK_BACK)


def _hot(payment: Payment, mode: Mode, now: datetime) -> Look:
    age = now - payment.created_at
    if mode is Mode.STARVED:
        if age < _STARVED_FIRST:
            return Look(payment.created_at + _STARVED_FIRST, "starved")
        return Look(payment.deadline_at + _LOOK_BACKS[0], "look_back", Priority.LOOK_BACK)
    wait = next((interval for limit, interval in _BY_AGE if age < limit), _THEN)
    return Look(now + wait, "payer_may_pay")


def _after_the_watch(payment: Payment, now: datetime) -> Look:
    """The watch is over, but Bakong hasn't said so yet: ask on, ever less often, and give up after a week."""
    if now >= payment.watch_until + UNVERIFIABLE_FOR:
        return Look(None, "unverifiable", Priority.LOOK_BACK)
    asked_enough = backoff(payment.no_answers + 1) >= _BACKOFF_LONGEST
    return Look(now + _UNVERIFIABLE_EVERY if asked_enough else now, "unverifiable", Priority.LOOK_BACK)


def _after_the_end(payment: Payment, now: datetime, outcome: Outcome | None) -> Look:
    """Nothing looks by itself any more. A hint at an expired payment is worth a look until that look is answered."""
    hinted = payment.status is PaymentStatus.EXPIRED and _is_hint_fresh(payment, now)
    if hinted and outcome is not None and outcome.answer in (Answer.NO_ANSWER, Answer.UNREADABLE):
        return _put_off(Look(now, "hint", Priority.HINT), payment, now, outcome)
    return NEVER


def _unanswered(payment: Payment, now: datetime) -> Look | None:
    """The look that was due and got no answer, where the rhythm has moved on from it: it is made again, not skipped.

    None for looks that the rhythm repeats by itself: those of every few seconds, and those after the watch.
    """
    # One that lies ahead was planned just now, by the deadline that passed.
    due = payment.next_check_at is not None and payment.next_check_at <= now
    if not due or payment.next_check_reason not in _MADE_ONCE or now >= payment.watch_until:
        return None
    if payment.next_check_reason == "hint" and not _is_hint_fresh(payment, now):
        return None
    return Look(now, payment.next_check_reason, payment.priority)


def _is_hint_fresh(payment: Payment, now: datetime) -> bool:
    return payment.hint_at is not None and now < payment.hint_at + _HINT_GOOD_FOR


def _held_back(look: Look, payment: Payment, now: datetime, outcome: Outcome) -> Look:
    """No answer: not before the provider says, or before a pause that doubles.

    The look keeps its reason: it decides whether the look is worth a call. What went wrong is in `last_outcome`.
    """
    if look.at is None:
        return look
    not_before = outcome.retry_at or now + backoff(payment.no_answers)
    if look.at >= not_before:
        return look
    return Look(not_before, look.reason, look.priority)


def _put_off(look: Look, payment: Payment, now: datetime, outcome: Outcome) -> Look:
    """No answer to a look that isn't one of many: again soon, then ever less often; a day's outage costs 14 calls."""
    at = now if outcome.asked_at is None else now + backoff(payment.no_answers, _PUT_OFF_LONGEST)
    if now < payment.watch_until:
        at = min(at, payment.watch_until)
    return Look(max(at, outcome.retry_at or at), look.reason, look.priority)


def is_unverifiable(payment: Payment, outcome: Outcome, now: datetime) -> bool:
    """M11's condition: the watch is over, this wasn't the answer that ends it, and none came since the deadline.

    An answer after the deadline lets it ask on for a week first; then it is unverifiable as well.
    """
    if Flag.UNVERIFIABLE in payment.flags or payment.status not in WATCHED - {PaymentStatus.PENDING}:
        return False
    if now < payment.watch_until or _ends_the_watch(payment, outcome):
        return False
    answered = payment.last_conclusive_at is not None and payment.last_conclusive_at >= payment.deadline_at
    return not answered or now >= payment.watch_until + UNVERIFIABLE_FOR


def _ends_the_watch(payment: Payment, outcome: Outcome) -> bool:
    """Whether this was the last look: asked after the watch, and answered. Only "not found" lets a timeout expire."""
    if outcome.asked_at is None or outcome.asked_at < payment.watch_until:
        return False
    failed_is_enough = payment.status in (PaymentStatus.FAILED, PaymentStatus.CANCELLED)
    return outcome.answer is Answer.NOT_FOUND or (outcome.answer is Answer.FAILED_TX and failed_is_enough)
