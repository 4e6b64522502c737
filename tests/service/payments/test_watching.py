"""When a payment is looked at next, and why it says so."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bakong_service.domain.look import LookReason
from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.domain.payment import WATCHED, Flag, PaymentStatus
from bakong_service.domain.watching import Look, Mode, Priority, backoff, is_unverifiable, next_look
from kit.business import a_payment
from kit.clocks import BEGIN

MADE = BEGIN
DEADLINE = MADE + timedelta(minutes=15)
END = MADE + timedelta(hours=24)
S = PaymentStatus
R = LookReason


def at(minutes: float) -> datetime:
    return MADE + timedelta(minutes=minutes)


def asked(answer: Answer, when: datetime, **details: Any) -> Outcome:
    return Outcome(answer=answer, asked_at=when, **details)


def look(status: S, now: datetime, mode: Mode = Mode.BULK, answer: Answer = Answer.NOT_FOUND, **fields: Any) -> Look:
    payment = a_payment(status=status, last_check_at=now, **fields)
    return next_look(payment, mode, now=now, outcome=asked(answer, now))


@pytest.mark.parametrize(
    ("status", "now", "expected"),
    [
        (S.PENDING, at(0), Look(at(0.05), R.PAYER_MAY_PAY)),
        (S.PENDING, at(2), Look(at(2) + timedelta(seconds=5), R.PAYER_MAY_PAY)),
        (S.PENDING, at(5), Look(at(5) + timedelta(seconds=10), R.PAYER_MAY_PAY)),
        (S.PENDING, DEADLINE - timedelta(seconds=5), Look(DEADLINE, R.DEADLINE)),
        (S.FAILED, at(5), Look(at(5) + timedelta(seconds=10), R.PAYER_MAY_PAY)),
        (S.CANCELLED, at(1), Look(at(17), R.LOOK_BACK, 3)),
        (S.TIMEOUT, at(15), Look(at(17), R.LOOK_BACK, 3)),
        (S.TIMEOUT, at(17), Look(at(75), R.LOOK_BACK, 3)),
        (S.TIMEOUT, at(75), Look(at(375), R.LOOK_BACK, 3)),
        (S.TIMEOUT, at(375), Look(END, R.CLOSING_CHECK, 3)),
        (S.TIMEOUT, at(1439), Look(END, R.CLOSING_CHECK, 3)),
        (S.PAID, at(1), Look(None, R.CLOSED, 3)),
        (S.REVIEW, at(1), Look(None, R.CLOSED, 3)),
        (S.EXPIRED, END, Look(None, R.CLOSED, 3)),
        (S.REFUNDED, at(1), Look(None, R.CLOSED, 3)),
    ],
)
def test_the_rhythm_when_calls_are_plenty(status: S, now: datetime, expected: Look) -> None:
    assert look(status, now) == expected
    assert look(status, now, Mode.SINGLES) == expected


@pytest.mark.parametrize(
    ("status", "now", "expected"),
    [
        (S.PENDING, at(0), Look(at(3), R.STARVED)),
        (S.PENDING, at(3), Look(DEADLINE, R.DEADLINE)),  # M9 costs no call; the look comes two minutes after it
        (S.TIMEOUT, at(15), Look(at(17), R.LOOK_BACK, 3)),
        (S.TIMEOUT, at(17), Look(END, R.CLOSING_CHECK, 3)),
        (S.FAILED, at(4), Look(at(17), R.LOOK_BACK, 3)),
    ],
)
def test_the_rhythm_when_calls_are_few(status: S, now: datetime, expected: Look) -> None:
    assert look(status, now, Mode.STARVED) == expected


def test_a_hint_is_followed_for_a_minute_and_once_when_calls_are_few() -> None:
    hinted: dict[str, Any] = {"hint_at": at(1)}
    assert look(S.PENDING, at(1.5), **hinted) == Look(at(1.5) + timedelta(seconds=2), R.HINT, Priority.HINT)
    assert look(S.PENDING, at(2.1), **hinted).reason == "payer_may_pay"
    now = at(1) + timedelta(seconds=1)
    assert look(S.PENDING, now, Mode.STARVED, **hinted) == Look(at(1) + timedelta(seconds=10), R.HINT, 0)
    later = at(1) + timedelta(seconds=10)  # the fixed look is for payers of whom nothing is heard
    assert look(S.PENDING, later, Mode.STARVED, **hinted) == Look(DEADLINE, R.DEADLINE)


def test_a_hint_that_came_while_bakong_was_asked_is_not_lost() -> None:
    payment = a_payment(last_check_at=at(1), hint_at=at(1) + timedelta(seconds=1))
    found = next_look(payment, Mode.BULK, now=at(2), outcome=asked(Answer.NOT_FOUND, at(1)))
    assert found == Look(at(2), R.HINT, Priority.HINT)


def test_an_open_page_is_looked_at_often_but_not_when_calls_are_few() -> None:
    assert look(S.PENDING, at(6), viewed_at=at(6)) == Look(at(6) + timedelta(seconds=2), R.PAGE_OPEN, 1)
    assert look(S.PENDING, at(7.5), viewed_at=at(6)).reason == "payer_may_pay"
    assert look(S.TIMEOUT, at(16), viewed_at=at(16)).reason == "look_back"
    assert look(S.PENDING, at(1), Mode.STARVED, viewed_at=at(1)).reason == "starved"


def test_no_answer_holds_the_next_look_back() -> None:
    none = asked(Answer.NO_ANSWER, at(1), reason="server_unavailable")
    for failures, seconds in ((1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (50, 300)):
        payment = a_payment(no_answers=failures, last_check_at=at(1))
        held = next_look(payment, Mode.BULK, now=at(1), outcome=none)
        assert held == Look(at(1) + timedelta(seconds=seconds), R.PAYER_MAY_PAY)
    told = evolve(none, reason="rate_limited", retry_at=at(4))
    assert next_look(a_payment(), Mode.BULK, now=at(1), outcome=told) == Look(at(4), R.PAYER_MAY_PAY)
    assert next_look(a_payment(), Mode.BULK, now=at(1), outcome=evolve(told, retry_at=at(1))).reason == "payer_may_pay"


@pytest.mark.parametrize("mode", [Mode.BULK, Mode.SINGLES, Mode.STARVED, Mode.BLOCKED])
@pytest.mark.parametrize(
    ("status", "reason", "priority", "now"),
    [
        (S.PENDING, R.STARVED, 2, at(3)),
        (S.TIMEOUT, R.LOOK_BACK, 3, at(17)),
        (S.TIMEOUT, R.LOOK_BACK, 3, at(75)),
        (S.TIMEOUT, R.HINT, 0, at(30)),
    ],
)
def test_a_look_that_the_rhythm_makes_once_is_made_again_when_nobody_answered(
    mode: Mode, status: S, reason: LookReason, priority: int, now: datetime
) -> None:
    due = a_payment(
        status=status, next_check_at=now, next_check_reason=reason, priority=priority, last_check_at=now,
        no_answers=1, hint_at=now - timedelta(minutes=2) if reason == R.HINT else None,
    )  # fmt: skip
    outage = asked(Answer.NO_ANSWER, now, reason="server_unavailable")
    again = next_look(due, mode, now=now, outcome=outage)
    assert again == Look(now + timedelta(seconds=5), reason, priority)
    reset = MADE + timedelta(hours=5)
    quota = next_look(evolve(due, status=S.TIMEOUT), mode, now=now, outcome=evolve(outage, retry_at=reset))
    assert quota == Look(reset, reason, priority)
    assert next_look(due, mode, now=now, outcome=asked(Answer.NOT_FOUND, now)) != again
    if reason == "hint":
        stale = evolve(due, hint_at=now - timedelta(hours=24))
        assert next_look(stale, mode, now=now, outcome=outage).reason == "look_back" or mode is Mode.STARVED


def test_a_hint_at_an_expired_payment_is_looked_at_until_that_is_answered() -> None:
    expired = a_payment(status=S.EXPIRED, hint_at=END, last_check_at=END, no_answers=1)
    for answer in (Answer.NO_ANSWER, Answer.UNREADABLE):
        held = next_look(expired, Mode.STARVED, now=END, outcome=asked(answer, END, reason="server_unavailable"))
        assert held == Look(END + timedelta(seconds=5), R.HINT, Priority.HINT)
    assert next_look(expired, Mode.BULK, now=END, outcome=asked(Answer.NOT_FOUND, END)).at is None
    a_day_later = END + timedelta(days=1)
    outage = asked(Answer.NO_ANSWER, a_day_later, reason="server_unavailable")
    assert next_look(expired, Mode.BULK, now=a_day_later, outcome=outage).at is None


def test_a_look_planned_by_a_deadline_that_has_just_passed_keeps_its_time() -> None:
    planned = a_payment(status=S.TIMEOUT, next_check_at=at(17), next_check_reason="look_back", priority=3)
    passed = Outcome(answer=Answer.NO_ANSWER, asked_at=None, reason="deadline", retry_at=DEADLINE)
    assert next_look(planned, Mode.BULK, now=DEADLINE, outcome=passed) == Look(at(17), R.LOOK_BACK, 3)


def test_nothing_holds_the_deadline_back() -> None:
    midnight = asked(Answer.NO_ANSWER, at(1), reason="quota", retry_at=MADE + timedelta(hours=12))
    assert next_look(a_payment(), Mode.STARVED, now=at(1), outcome=midnight) == Look(DEADLINE, R.DEADLINE)


def test_a_static_code_is_asked_for_no_more_but_its_deadline_passes() -> None:
    told: dict[str, Any] = {"answer": Answer.STATIC_QR, "last_outcome": "static_qr"}
    assert look(S.PENDING, at(1), **told) == Look(DEADLINE, R.DEADLINE)
    assert look(S.TIMEOUT, at(16), **told).at is None


def test_after_the_watch_only_an_answer_ends_it() -> None:
    outage = asked(Answer.NO_ANSWER, END, reason="server_unavailable")
    timeout = a_payment(status=S.TIMEOUT, no_answers=1, last_check_at=END)
    soon = next_look(timeout, Mode.BULK, now=END, outcome=outage)
    assert soon == Look(END + timedelta(seconds=5), R.UNVERIFIABLE, Priority.LOOK_BACK)
    often = next_look(evolve(timeout, no_answers=9), Mode.BULK, now=END, outcome=outage)
    assert often == Look(END + timedelta(hours=6), R.UNVERIFIABLE, Priority.LOOK_BACK)
    a_week = END + timedelta(days=7)
    given_up = next_look(timeout, Mode.BULK, now=a_week, outcome=asked(Answer.NO_ANSWER, a_week, reason="x"))
    assert given_up == Look(None, R.UNVERIFIABLE, Priority.LOOK_BACK)
    for status, answer, ends in (
        (S.TIMEOUT, Answer.FAILED_TX, False),  # only "not found" says that nobody paid
        (S.FAILED, Answer.FAILED_TX, True),
        (S.CANCELLED, Answer.FAILED_TX, True),
        (S.FAILED, Answer.NOT_FOUND, True),
        (S.CANCELLED, Answer.NOT_FOUND, True),
    ):
        assert (look(status, END, answer=answer).at is None) is ends, (status, answer)


@pytest.mark.parametrize(
    ("status", "now", "conclusive", "answer", "expected"),
    [
        (S.TIMEOUT, END, None, Answer.NO_ANSWER, True),
        (S.TIMEOUT, END, at(14), Answer.NO_ANSWER, True),
        (S.TIMEOUT, END, at(17), Answer.NO_ANSWER, False),
        (S.TIMEOUT, END + timedelta(days=7), at(17), Answer.NO_ANSWER, True),
        (S.TIMEOUT, END - timedelta(seconds=1), None, Answer.NO_ANSWER, False),
        (S.TIMEOUT, END, None, Answer.NOT_FOUND, False),
        (S.TIMEOUT, END, None, Answer.FAILED_TX, True),
        (S.FAILED, END, None, Answer.FAILED_TX, False),
        (S.FAILED, END, None, Answer.NO_ANSWER, True),
        (S.CANCELLED, END, None, Answer.NO_ANSWER, True),
        (S.PENDING, END, None, Answer.NO_ANSWER, False),
        (S.PAID, END, None, Answer.NO_ANSWER, False),
    ],
)
def test_what_is_unverifiable(
    status: S, now: datetime, conclusive: datetime | None, answer: Answer, expected: bool
) -> None:
    payment = a_payment(status=status, last_conclusive_at=conclusive)
    assert is_unverifiable(payment, asked(answer, now), now) is expected
    flagged = evolve(payment, flags=frozenset({Flag.UNVERIFIABLE.value}))
    assert is_unverifiable(flagged, asked(answer, now), now) is False


@given(
    minutes=st.floats(0, 12_000),
    mode=st.sampled_from(Mode),
    status=st.sampled_from(sorted(WATCHED)),
    answer=st.sampled_from([Answer.NOT_FOUND, Answer.NO_ANSWER, Answer.FAILED_TX, Answer.UNREADABLE]),
    no_answers=st.integers(0, 40),
    hint=st.none() | st.floats(0, 12_000),
)
def test_what_is_watched_always_has_a_next_look_in_the_time_of_its_watch(
    minutes: float, mode: Mode, status: S, answer: Answer, no_answers: int, hint: float | None
) -> None:
    now = at(minutes)
    hint_at = None if hint is None or hint > minutes else at(hint)
    payment = a_payment(status=status, no_answers=no_answers, last_check_at=now, hint_at=hint_at)
    planned = next_look(payment, mode, now=now, outcome=asked(answer, now, reason="x"))
    if now < END:
        assert planned.at is not None
        assert planned.at >= min(now, DEADLINE)
        assert planned.at <= max(END, now + timedelta(minutes=5))
    if status is S.PENDING and planned.at is not None:
        assert planned.at <= DEADLINE
    assert planned.reason


def test_the_pause_doubles_up_to_five_minutes() -> None:
    assert [backoff(n).total_seconds() for n in (0, 1, 2, 3, 4, 5, 6, 7, 8)] == [5, 5, 10, 20, 40, 80, 160, 300, 300]
