"""The rules behind the modes: the day's calls, the circuit, and how an answer is read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bakong_khqr import Currency, errors
from bakong_khqr.api import Transaction
from bakong_service.domain import access as doors
from bakong_service.domain.access import Access
from bakong_service.domain.allowance import Allowance, day_of, next_day
from bakong_service.domain.outcome import Answer
from bakong_service.domain.watching import Mode, Priority
from bakong_service.workers.budget import BudgetSpent
from bakong_service.workers.reading import outcome_of
from kit.there import there

NOW = datetime(2026, 11, 1, 16, 59, 59, tzinfo=UTC)


def test_a_day_is_phnom_penhs() -> None:
    assert day_of(NOW) == "2026-11-01"
    assert day_of(NOW + timedelta(seconds=1)) == "2026-11-02"
    assert next_day(NOW) == NOW + timedelta(seconds=1)
    assert next_day(NOW + timedelta(seconds=1)) == NOW + timedelta(days=1, seconds=1)


@pytest.mark.parametrize(
    ("limit", "used", "open_payments", "mode", "starved"),
    [
        (None, 10**9, 10**6, Mode.SINGLES, False),
        (100, 0, 0, Mode.BULK, True),
        (10_000, 0, 10, Mode.SINGLES, False),
        (10_000, 9_000, 10, Mode.SINGLES, True),
        (10_000, 0, 1_000, Mode.SINGLES, True),
        (10_000, 0, 1_000, Mode.BULK, False),
    ],
)
def test_a_day_is_starved_when_it_can_not_carry_what_is_open_and_what_may_come(
    limit: int | None, used: int, open_payments: int, mode: Mode, starved: bool
) -> None:
    assert Allowance(day="d", limit=limit, used=used).is_starved(open_payments, mode) is starved


@pytest.mark.parametrize(
    ("used", "open_payments", "permitted"),
    [
        (0, 5, {0, 1, 2, 3}),
        (84, 5, {0, 1, 2, 3}),
        (85, 5, {0, 3}),  # one call is kept for each open payment, to be looked at after its deadline
        (90, 5, {0}),  # and a tenth of the day for hints
        (50, 200, {0, 3}),
        (99, 0, {0}),
        (100, 0, set()),
    ],
)
def test_the_last_calls_are_for_what_matters_most(used: int, open_payments: int, permitted: set[int]) -> None:
    allowance = Allowance(day="d", limit=100, used=used)
    every = Priority.EVERY
    assert {p for p in every if allowance.permits(p, open_payments=open_payments, now=NOW)} == permitted


def test_a_spent_quota_permits_nothing_until_its_probe() -> None:
    blocked = Allowance(day="d", limit=None, used=5, blocked_until=NOW)
    assert not blocked.permits(Priority.HINT, open_payments=0, now=NOW - timedelta(seconds=1))
    assert blocked.permits(Priority.HINT, open_payments=0, now=NOW)
    assert blocked.is_starved(0, Mode.BULK)
    assert (blocked.remaining, blocked.payments_affordable) == (None, None)
    assert Allowance(day="d", limit=100, used=0).payments_affordable == 58


def test_the_circuit_stays_open_longer_after_each_refusal() -> None:
    access, now, pauses = Access(since=NOW), NOW, []
    for _ in range(5):
        access = doors.refused(access, "blocked", now)
        assert access.waits(now)
        assert doors.refused(access, "blocked", now) == access  # a call that was under way
        probe_at = there(access.probe_at)
        pauses.append((probe_at - now).total_seconds() / 60)
        now = probe_at
    assert pauses == [5, 10, 20, 30, 30]
    assert access.since == NOW
    answered = doors.single_answered(access, now)
    assert (answered.mode, answered.refusals) == (Mode.BULK, 0)


def test_outages_open_it_at_the_fifth_in_a_row_and_for_less() -> None:
    access = Access(since=NOW)
    for _ in range(4):
        access = doors.failed(access, NOW)
    assert access.mode is Mode.BULK
    assert doors.single_answered(access, NOW).failures == 0
    access = doors.failed(access, NOW)
    assert (access.mode, access.reason, access.probe_at) == (
        Mode.BLOCKED, "server_unavailable", NOW + timedelta(seconds=30),
    )  # fmt: skip
    probe_at = there(access.probe_at)
    assert doors.failed(access, probe_at).probe_at == probe_at + timedelta(minutes=1)


def test_a_closed_list_is_tried_every_six_hours_or_once_a_day_and_stays_known_through_an_outage() -> None:
    singles = doors.list_refused(Access(since=NOW), NOW, is_starved=False)
    assert not singles.asks_lists(NOW + timedelta(hours=5, minutes=59))
    assert singles.asks_lists(NOW + timedelta(hours=6))
    again = doors.list_refused(singles, NOW + timedelta(hours=6), is_starved=True)
    assert not again.asks_lists(NOW + timedelta(hours=29, minutes=59))  # a refused list costs one of the day's calls
    assert again.asks_lists(NOW + timedelta(hours=30))
    assert again.since == NOW
    blocked = doors.refused(singles, "blocked", NOW)
    assert doors.single_answered(blocked, NOW + timedelta(minutes=5)).mode is Mode.SINGLES
    assert doors.single_answered(blocked, NOW + timedelta(hours=7)).mode is Mode.BULK
    opened = doors.list_answered(singles, NOW + timedelta(hours=6))
    assert (opened.mode, opened.since) == (Mode.BULK, NOW + timedelta(hours=6))
    assert doors.list_answered(opened, NOW + timedelta(hours=7)) == opened


@pytest.mark.parametrize(
    ("error", "answer", "reason", "wait"),
    [
        (errors.TransactionFailed("x"), Answer.FAILED_TX, None, None),
        (errors.StaticQRNotSupported("x"), Answer.STATIC_QR, None, None),
        (errors.UnreadableTransaction("x", body=b"\xff{"), Answer.UNREADABLE, None, None),
        (errors.RateLimited("x"), Answer.NO_ANSWER, "rate_limited", timedelta(seconds=30)),
        (
            errors.RateLimited("x", retry_at=NOW + timedelta(hours=1)), Answer.NO_ANSWER, "rate_limited",
            timedelta(hours=1),
        ),
        (errors.QuotaExceeded("x"), Answer.NO_ANSWER, "quota", timedelta(seconds=1 + 7)),  # midnight comes first
        (BudgetSpent("x"), Answer.NO_ANSWER, "quota", timedelta(seconds=1 + 7)),
        (errors.Unauthorized("x"), Answer.NO_ANSWER, "unauthorized", None),
        (errors.Blocked("x"), Answer.NO_ANSWER, "blocked", None),
        (errors.ServerUnavailable("x"), Answer.NO_ANSWER, "server_unavailable", None),
        (errors.InvalidRequest("x"), Answer.NO_ANSWER, "invalid_request", None),
        (errors.UnexpectedAnswer("x"), Answer.NO_ANSWER, "unexpected_answer", None),
    ],
)  # fmt: skip
def test_an_error_is_never_an_answer(
    error: errors.BakongError, answer: Answer, reason: str | None, wait: timedelta | None
) -> None:
    outcome = outcome_of(error, asked_at=NOW, spread=7)
    assert (outcome.answer, outcome.reason) == (answer, reason)
    assert outcome.retry_at == (None if wait is None else NOW + wait)
    assert outcome.raw == ("\ufffd{" if answer is Answer.UNREADABLE else None)


@pytest.mark.parametrize(
    ("told", "received"),
    [
        (None, True),
        ("SUCCESS", True),
        ("SOMETHING_NEW", True),
        ("FAILED_AT_ACH", False),
        ("REFUNDED_BY_RECEIVER", False),
        ("rejected", False),
        ("Reversed_By_Bank", False),
        ("CANCELLED", False),
        ("UNPAID", False),
    ],
)
def test_money_is_received_unless_its_tracking_status_says_otherwise(told: str | None, received: bool) -> None:
    transaction = Transaction(
        hash="a" * 64, from_account_id="payer@wing", to_account_id="sokha@aclb", amount=Decimal(1),
        currency=Currency.USD, created_at=NOW, acknowledged_at=None, description=None, tracking_status=told,
        receiver_bank=None, receiver_bank_account=None, instruction_ref=None, external_ref=None,
    )  # fmt: skip
    sighting = outcome_of(transaction, asked_at=NOW).sighting
    assert sighting is not None
    assert (sighting.tracking_status, sighting.is_received) == (told, received)
