"""What Bakong's answer means for a payment: this account, this currency, this amount, by the payer's own time."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bakong_service.domain.judgement import Judgement, judge
from bakong_service.domain.money import EXPONENTS
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import Guard, On, PaymentStatus, find
from bakong_service.domain.policy import PaymentPolicy
from bakong_service.domain.review import Disposition
from kit.business import a_payment
from kit.clocks import BEGIN

MADE = BEGIN
POLICY = PaymentPolicy()
DEADLINE = MADE + POLICY.deadline
RIGHT = Sighting(tx_hash="a" * 64, amount=Decimal("2.5"), currency="USD", to_account="sokha@aclb", sent_at=MADE)


def judged(
    sighting: Sighting, *, now: datetime = MADE + timedelta(hours=2), disposition: Disposition | None = None, **p: Any
) -> Judgement:
    outcome = Outcome(answer=Answer.FOUND, asked_at=now, sighting=sighting)
    return judge(a_payment(**p), outcome, POLICY, disposition=disposition, now=now)


@pytest.mark.parametrize(
    ("after_deadline", "guard"),
    [
        (timedelta(minutes=-15), Guard.IN_TIME),
        (timedelta(0), Guard.IN_TIME),
        (timedelta(minutes=2), Guard.IN_TIME),
        (timedelta(minutes=2, milliseconds=1), Guard.LATE),
        (timedelta(minutes=15), Guard.LATE),
        (timedelta(minutes=15, milliseconds=1), Guard.TOO_LATE),
    ],
)
def test_the_payers_time_decides_and_not_ours(after_deadline: timedelta, guard: Guard) -> None:
    assert judged(evolve(RIGHT, sent_at=DEADLINE + after_deadline)).guard is guard
    acknowledged = evolve(RIGHT, sent_at=None, acknowledged_at=DEADLINE + after_deadline)
    assert judged(acknowledged).guard is guard


@pytest.mark.parametrize(
    ("differently", "kind", "expected", "seen"),
    [
        ({"amount": Decimal("0.01")}, "amount", "2.50", "0.01"),
        ({"amount": Decimal("2.51")}, "amount", "2.50", "2.51"),
        ({"amount": Decimal("2.500001")}, "amount", "2.50", "2.500001"),
        ({"currency": "KHR"}, "currency", "USD", "KHR"),
        ({"to_account": "other@aclb"}, "receiver", "sokha@aclb", "other@aclb"),
        ({"to_account": "SOKHA@aclb"}, "receiver", "sokha@aclb", "SOKHA@aclb"),
        (
            {"tracking_status": "REFUNDED_BY_RECEIVER", "is_received": False},
            "not_received",
            None,
            "REFUNDED_BY_RECEIVER",
        ),
        ({"sent_at": None}, "unreadable", "a time", None),
        (
            {"sent_at": MADE - timedelta(hours=24, seconds=1)},
            "time",
            "2026-11-01T12:00:00.000Z to 2026-11-01T14:00:00.000Z",
            "2026-10-31T11:59:59.000Z",
        ),
        (
            {"sent_at": MADE + timedelta(hours=2, minutes=3)},
            "time",
            "2026-11-01T12:00:00.000Z to 2026-11-01T14:00:00.000Z",
            "2026-11-01T14:03:00.000Z",
        ),
    ],
)
def test_other_money_is_a_mismatch_with_what_was_expected_and_seen(
    differently: dict[str, Any], kind: str, expected: str | None, seen: str | None
) -> None:
    judgement = judged(evolve(RIGHT, **differently))
    assert (judgement.on, judgement.review) == (On.FOUND_MISMATCH, kind)
    assert judgement.details == {"difference": kind, "expected": expected, "seen": seen}
    assert find(a_payment(), judgement.on, judgement.guard).to is PaymentStatus.REVIEW


def test_money_from_before_its_code_was_made_proves_a_wrong_clock_and_not_wrong_money() -> None:
    for before in (timedelta(minutes=3), timedelta(hours=24)):
        assert judged(evolve(RIGHT, sent_at=MADE - before)).guard is Guard.IN_TIME


def test_a_time_of_bakongs_is_judged_by_our_clock_where_the_skew_is_known() -> None:
    def guard(after_deadline: float, skew_minutes: float) -> tuple[On, Guard]:
        sighting = evolve(RIGHT, sent_at=DEADLINE + timedelta(minutes=after_deadline))
        skew = timedelta(minutes=skew_minutes)
        outcome = Outcome(answer=Answer.FOUND, asked_at=DEADLINE, sighting=sighting, skew=skew)
        judgement = judge(a_payment(), outcome, POLICY, disposition=None, now=DEADLINE)
        return judgement.on, judgement.guard

    assert guard(3, 0)[0] is On.FOUND_MISMATCH  # it comes from the future
    assert guard(3, 3) == (On.FOUND_OK, Guard.IN_TIME)
    assert guard(-3, -6)[0] is On.FOUND_MISMATCH
    assert guard(-1, -5)[0] is On.FOUND_MISMATCH
    assert guard(2, 0.2) == (On.FOUND_OK, Guard.IN_TIME)  # too little to be anything but the network's


def test_an_unknown_tracking_status_proves_nothing_against_the_money() -> None:
    assert judged(evolve(RIGHT, tracking_status="SOMETHING_NEW")).on is On.FOUND_OK


def test_amounts_are_equal_by_value() -> None:
    for text in ("2.5", "2.50", "2.500"):
        assert judged(evolve(RIGHT, amount=Decimal(text))).on is On.FOUND_OK


@given(
    amount=st.decimals(min_value="0.001", max_value="99999", places=3),
    currency=st.sampled_from(sorted(EXPONENTS)),
    account=st.sampled_from(["sokha@aclb", "sokha@ABAA", "x@aclb"]),
    minutes=st.integers(-10, 200),
    status=st.sampled_from(PaymentStatus),
)
def test_nothing_but_the_exact_payment_is_ever_paid(
    amount: Decimal, currency: str, account: str, minutes: int, status: PaymentStatus
) -> None:
    sent_at = MADE + timedelta(minutes=minutes)
    sighting = evolve(RIGHT, amount=amount, currency=currency, to_account=account, sent_at=sent_at)
    payment = a_payment(status=status)
    judgement = judged(sighting, now=MADE + timedelta(hours=3), status=status)
    row = find(payment, judgement.on, judgement.guard)
    if row.to is PaymentStatus.PAID:
        assert (amount, currency, account) == (Decimal("2.5"), "USD", "sokha@aclb")
        assert sent_at <= DEADLINE + POLICY.late_accept
    assert row.receipt is not None


@pytest.mark.parametrize("disposition", [d for d in Disposition if d is not Disposition.REJECTED])
@pytest.mark.parametrize("status", PaymentStatus)
def test_the_same_money_again_changes_nothing(disposition: Disposition, status: PaymentStatus) -> None:
    judgement = judged(RIGHT, disposition=disposition, status=status)
    assert judgement.on is On.FOUND_AGAIN
    assert find(a_payment(status=status), judgement.on, judgement.guard).to is None


def test_a_failure_counts_when_it_is_said_twice_thirty_seconds_apart() -> None:
    outcome = Outcome(answer=Answer.FAILED_TX, asked_at=MADE)
    cases = ((None, Guard.FIRST), (29, Guard.FIRST), (30, Guard.AGAIN))
    for seconds, guard in cases:
        first = None if seconds is None else MADE - timedelta(seconds=seconds)
        payment = a_payment(failed_at=first)
        assert judge(payment, outcome, POLICY, disposition=None, now=MADE).guard is guard


def test_an_answer_that_can_not_be_read_is_money_at_the_third_time() -> None:
    outcome = Outcome(answer=Answer.UNREADABLE, asked_at=MADE, raw="?")
    told = [
        judge(a_payment(unreadable=before), outcome, POLICY, disposition=None, now=MADE).guard
        for before in (0, 1, 2, 3)
    ]
    assert told == [Guard.BELOW_THREE, Guard.BELOW_THREE, Guard.THIRD, Guard.THIRD]
