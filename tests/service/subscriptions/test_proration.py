"""Money for a change of plan and the boundaries of periods, against exact fractions."""

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bakong_service.domain import lifecycle, proration
from bakong_service.domain.money import Money
from bakong_service.domain.plan import Plan, PlanTerms
from bakong_service.domain.proration import Stretch
from bakong_service.domain.subscription import Happening, Period, Status, Subscription

START = datetime(2026, 3, 1, tzinfo=UTC)
PERIOD = 2_592_000 * 1_000_000  # microseconds

prices = st.integers(1, 10_000_000)
remaining = st.integers(0, PERIOD)
stretches = st.lists(st.tuples(prices, remaining), min_size=1, max_size=3)
currencies = st.sampled_from(["USD", "KHR"])


def a_plan(price: int, currency: str = "USD", code: str = "PREMIUM", version: int = 1) -> Plan:
    return Plan(id=1, code=code, version=version, name=code, price=Money(price, currency), created_at=START)


def exact(new: int, paid: list[tuple[int, int]]) -> Fraction:
    return sum((Fraction((new - old) * left, PERIOD) for old, left in paid), Fraction(0))


@given(new=prices, paid=stretches, currency=currencies)
@settings(max_examples=1000)
def test_p9_a_charge_is_the_exact_fraction_rounded_half_up(
    new: int, paid: list[tuple[int, int]], currency: str
) -> None:
    charged = proration.upgrade_charge([Stretch(*each) for each in paid], a_plan(new, currency))
    assert charged == Money(max(0, math.floor(exact(new, paid) + Fraction(1, 2))), currency)


@given(new=prices, paid=stretches, currency=currencies)
@settings(max_examples=1000)
def test_a_credit_is_the_exact_fraction_rounded_down(new: int, paid: list[tuple[int, int]], currency: str) -> None:
    earned = proration.downgrade_credit([Stretch(*each) for each in paid], a_plan(new, currency))
    assert earned == Money(max(0, math.floor(-exact(new, paid))), currency)


@given(low=prices, high=prices, left=remaining)
def test_going_up_and_down_again_at_once_earns_nothing(low: int, high: int, left: int) -> None:
    low, high = sorted((low, high))
    paid = proration.upgrade_charge([Stretch(low, left)], a_plan(high))
    back = proration.downgrade_credit([Stretch(high, left)], a_plan(low))
    assert paid.minor - back.minor in (0, 1)


@pytest.mark.parametrize(
    ("old", "new", "seconds", "charged"),
    [  # the original's own example: 15 of 30 days between 0.50 and 1.00
        (50, 100, 1_296_000, 25),
        (50, 100, 2_592_000, 50),
        (50, 100, 25_919, 0),  # 0.499... cents
        (50, 100, 25_920, 1),  # half a cent
        (2000, 8000, 216, 1),  # half a riel
        (2000, 8000, 215, 0),
    ],
)
def test_a_half_is_rounded_up(old: int, new: int, seconds: int, charged: int) -> None:
    assert proration.upgrade_charge([Stretch(old, seconds * 1_000_000)], a_plan(new)).minor == charged


@given(price=prices, balance=st.integers(0, 10_000_000), least=st.integers(1, 100))
def test_credit_and_charge_make_the_price_but_for_what_a_qr_cant_ask_for(price: int, balance: int, least: int) -> None:
    split = proration.charge(Money(price, "KHR"), balance=balance, least=least)
    assert 0 <= split.credit.minor <= balance
    assert split.amount.minor == 0 or split.amount.minor >= least
    waived = price - split.credit.minor - split.amount.minor
    assert 0 <= waived < least


@given(now=st.integers(0, 3 * PERIOD))
def test_the_paid_time_ahead_adds_up(now: int) -> None:
    plan = a_plan(50)
    periods = [
        Period(
            number=number,
            starts_at=START + timedelta(microseconds=(number - 1) * PERIOD),
            ends_at=START + timedelta(microseconds=number * PERIOD),
            plan=plan,
            price=plan.price,
            payment_id=number,
        )
        for number in (1, 2, 3)
    ]
    moment = START + timedelta(microseconds=now)
    assert sum(each.remaining_microseconds for each in proration.ahead(periods, moment)) == 3 * PERIOD - now


# Periods


def a_subscription(starts_at: datetime = START) -> Subscription:
    return lifecycle.begun(id=1, reference="sub_1", user_id="u1", plan=a_plan(50), starts_at=starts_at, now=starts_at)


moments = st.datetimes(datetime(2024, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware


@given(starts_at=moments, times=st.integers(1, 120))
def test_p7_boundaries_are_whole_periods_from_the_anchor_and_touch(starts_at: datetime, times: int) -> None:
    subscription = a_subscription(starts_at)
    for number in range(2, times + 2):
        end = subscription.period_end
        subscription = lifecycle.rolled(lifecycle.extended(subscription), subscription.plan)
        assert subscription.period_number == number
        assert subscription.period_start == end
        assert subscription.period_end - starts_at == number * timedelta(seconds=2_592_000)
        assert subscription.entitled_until == subscription.period_end == subscription.paid_through


@given(starts_at=moments, days=st.integers(0, 29), at_once=st.booleans())
def test_a_cancelled_subscription_never_sold_more_than_it_serves(starts_at: datetime, days: int, at_once: bool) -> None:
    now = starts_at + timedelta(days=days)
    cancelled = lifecycle.cancelled(a_subscription(starts_at), at_once=at_once, reason=None, now=now)
    assert cancelled.sold_until == cancelled.entitled_until == (now if at_once else cancelled.period_end)
    assert lifecycle.resumed(cancelled) == a_subscription(starts_at)


def test_reminders_stand_in_the_order_of_their_time() -> None:
    due = lifecycle.schedule(a_subscription())
    assert [(each.at - START).days for each in due] == [23, 27, 29, 30]
    assert [each.happening for each in due] == [Happening.RENEWAL_DUE] * 3 + [Happening.PERIOD_UNPAID]


def test_a_period_shorter_than_a_week_has_only_the_reminders_that_fall_in_it() -> None:
    two_days = evolve(a_plan(50), period=timedelta(days=2))
    begun = lifecycle.begun(id=1, reference="sub_1", user_id="u1", plan=two_days, starts_at=START, now=START)
    assert [each.at - START for each in lifecycle.schedule(begun)] == [timedelta(days=1), timedelta(days=2)]


def test_the_clock_has_nothing_to_do_with_what_is_over() -> None:
    expired = evolve(a_subscription(), status=Status.EXPIRED, next_action_at=None)
    assert lifecycle.schedule(expired) == ()
    assert lifecycle.next_due(expired, START) is None
    assert lifecycle.due_by(expired, START) is None


def test_a_change_of_state_that_is_past_is_still_due() -> None:
    due = lifecycle.next_due(a_subscription(), START + timedelta(days=99))
    assert due is not None
    assert due.happening is Happening.PERIOD_UNPAID


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", "premium"),
        ("code", "_A"),
        ("code", "A" * 33),
        ("name", "  "),
        ("name", "n" * 65),
        ("price", Money(0, "USD")),
        ("period", timedelta(minutes=59)),
        ("period", timedelta(days=3661)),
        ("period", timedelta(days=1, microseconds=1)),
    ],
)
def test_terms_that_break_a_rule_are_refused_by_the_fields_name(field: str, value: object) -> None:
    good = {"code": "PREMIUM", "name": "Premium", "price": Money(50, "USD"), "period": timedelta(days=30)}
    with pytest.raises(ValueError, match=f"^{field} is "):
        PlanTerms(**{**good, field: value})  # type: ignore[arg-type] # one of them is wrong
