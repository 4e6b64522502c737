"""The arithmetic of value: exact to the cent, with no cent made or lost by rounding."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bakong_service.domain.cadence import Cadence
from bakong_service.domain.money import Money
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Period
from bakong_service.domain.value import (
    Charge,
    Move,
    Share,
    apportioned,
    charge,
    difference,
    freed,
    held,
    left,
    need,
    remaining,
    revalued,
    rounded,
    shares,
    shortened,
)

START = datetime(2026, 1, 1, 9, 30, 15, 250000, tzinfo=UTC)
MONTH = timedelta(days=30)
DAY = timedelta(days=1)


def plan(minor: int, code: str = "PLAN", period: timedelta = MONTH) -> Plan:
    """A plan at this price."""
    return Plan(
        id=1, code=code, version=1, name=code, price=Money(minor, "USD"), cadence=Cadence(period), created_at=START
    )


def period(minor: int, *, number: int = 1, starts_at: datetime = START, length: timedelta = MONTH) -> Period:
    """A period that was filled with this value before it began; its id is ten times its number."""
    return Period(
        id=10 * number, number=number, starts_at=starts_at, ends_at=starts_at + length, plan=plan(minor),
        payment_id=None, value=Fraction(minor), valued_at=START,
    )  # fmt: skip


def row(*values: int) -> list[Period]:
    """Periods of a month each, one after the other."""
    return [period(minor, number=n + 1, starts_at=START + n * MONTH) for n, minor in enumerate(values)]


# Rounding, and time


@pytest.mark.parametrize(
    ("exact", "whole"),
    [("0", 0), ("49/100", 0), ("1/2", 1), ("3/2", 2), ("5/2", 3), ("249/100", 2), ("-1/2", 0), ("-51/100", -1)],
)
def test_half_a_unit_is_rounded_up(exact: str, whole: int) -> None:
    assert rounded(Fraction(exact)) == whole


@pytest.mark.parametrize(
    ("now", "is_left"),
    [
        (START - DAY, MONTH),
        (START, MONTH),
        (START + timedelta(microseconds=1), MONTH - timedelta(microseconds=1)),
        (START + MONTH - timedelta(microseconds=1), timedelta(microseconds=1)),
        (START + MONTH, timedelta(0)),
        (START + MONTH + DAY, timedelta(0)),
    ],
)
def test_the_time_that_is_left_is_all_before_the_period_and_none_after_it(now: datetime, is_left: timedelta) -> None:
    assert remaining(period(50), now) == is_left


@pytest.mark.parametrize(
    ("after", "exact", "whole"),
    [(-DAY, "50", 50), (0 * DAY, "50", 50), (10 * DAY, "100/3", 33), (15 * DAY, "25", 25), (20 * DAY, "50/3", 17),
     (MONTH, "0", 0), (MONTH + DAY, "0", 0)],
)  # fmt: skip
def test_time_serves_its_share_of_the_value(after: timedelta, exact: str, whole: int) -> None:
    assert (left(period(50), START + after), held(period(50), START + after)) == (Fraction(exact), whole)


def test_a_microsecond_serves_its_exact_share() -> None:
    micro = timedelta(microseconds=1)
    assert left(period(50), START + micro) == 50 - Fraction(50, MONTH // micro)


def test_value_that_was_put_in_halfway_is_served_by_the_time_from_then_on() -> None:
    filled = revalued(period(50), 50, START + 15 * DAY)
    assert (filled.value, filled.valued_at) == (Fraction(75), START + 15 * DAY)
    assert held(filled, START + 20 * DAY) == 50


def test_a_period_without_any_time_left_holds_nothing() -> None:
    over = evolve(period(50), valued_at=START + MONTH)
    assert (left(over, START + MONTH), held(over, START)) == (Fraction(0), 0)
    empty = period(50, length=timedelta(0))
    assert left(empty, START) == 0


def test_value_can_be_taken_out_and_put_in_at_the_same_moment() -> None:
    now = START + 7 * DAY
    assert revalued(revalued(period(50), -13, now), 13, now) == revalued(period(50), 0, now)


# Serving is cumulative


moments = st.lists(st.integers(0, MONTH // timedelta(microseconds=1)), max_size=60).map(sorted)


@given(st.integers(0, 100_000_000), moments)
def test_any_steps_serve_as_much_as_one(minor: int, steps: Sequence[int]) -> None:
    bought, served, account = period(minor), 0, minor
    for step in [*steps, MONTH // timedelta(microseconds=1)]:
        now = START + timedelta(microseconds=step)
        used = account - held(bought, now)
        assert used >= 0
        account, served = account - used, served + used
        assert served == minor - held(period(minor), now)
    assert (served, account) == (minor, 0)


@given(st.integers(1, 1_000_000), st.lists(st.tuples(st.integers(1, 10**6), st.integers(-50, 50)), max_size=80))
def test_any_changes_of_value_serve_what_was_put_in_less_what_was_taken_out(
    minor: int, changes: Sequence[tuple[int, int]]
) -> None:
    """What a period's account holds is the rounded exact value before and after each change, and 0 at the end."""
    changed, account, served, now = period(minor), minor, 0, START
    for micro, wanted in changes:
        now += timedelta(microseconds=micro)
        used = account - held(changed, now)
        account, served = account - used, served + used
        moved = max(wanted, -account)
        changed, account = revalued(changed, moved, now), account + moved
        minor += moved
        assert account == held(changed, now)
    served += account - held(changed, START + MONTH)
    assert served == minor


def test_a_fraction_doesnt_grow_for_ever_and_stays_right() -> None:
    changed, now = period(50), START
    exact = Fraction(50)
    for n in range(1, 400):
        before, now = now, START + timedelta(microseconds=6_000_000_007 * n)
        exact = exact * Fraction(remaining(changed, now) // timedelta(microseconds=1),
                                 remaining(changed, before) // timedelta(microseconds=1))  # fmt: skip
        minor = 1 if n % 2 else -1
        exact += minor
        changed = revalued(changed, minor, now)
        assert changed.value.denominator <= 10**36
        assert abs(changed.value - exact) < Fraction(n, 10**24)
    assert changed.value != exact  # or nothing was cut


def test_a_short_fraction_is_kept_exactly() -> None:
    third = revalued(period(50), 0, START + 10 * DAY)
    assert third.value == Fraction(100, 3)
    longest = evolve(period(50), value=Fraction(1, 10**36), valued_at=START)
    assert revalued(longest, 0, START).value == Fraction(1, 10**36)
    longer = evolve(longest, value=Fraction(10**20, 10**36 + 1))
    assert revalued(longer, 0, START).value == Fraction(100_000_000, 10**24)
    assert revalued(longer, 0, START) != longer


# What a change of plan moves


@pytest.mark.parametrize(
    ("after", "minor"), [(0 * DAY, 100), (10 * DAY, 67), (15 * DAY, 50), (20 * DAY, 33), (MONTH, 0), (-DAY, 100)]
)
def test_a_plan_needs_its_price_for_the_time_that_is_left(after: timedelta, minor: int) -> None:
    assert need(period(7), plan(100), START + after) == minor


def test_a_need_is_counted_by_the_plans_own_length() -> None:
    assert need(period(7), plan(360, period=timedelta(days=360)), START) == 30
    assert need(period(7), plan(1, period=2 * MONTH), START) == 1  # half a cent
    assert need(period(7), plan(1, period=2 * MONTH), START + timedelta(microseconds=1)) == 0


def test_what_is_over_has_no_share_in_a_change() -> None:
    paid = row(50, 80, 20)
    assert shares(paid, plan(100), START) == (Share(1, 50), Share(2, 20), Share(3, 80))
    assert shares(paid, plan(100), START + 15 * DAY) == (Share(1, 25), Share(2, 20), Share(3, 80))
    assert shares(paid, plan(100), START + MONTH) == (Share(2, 20), Share(3, 80))
    assert shares(paid, plan(10), START) == (Share(1, -40), Share(2, -70), Share(3, -10))
    assert shares([], plan(10), START) == ()


def test_the_difference_is_the_sum_of_the_shares() -> None:
    assert (difference([Share(1, 50), Share(2, -20)]), difference([Share(1, -1)]), difference([])) == (30, -1, 0)


@pytest.mark.parametrize(
    ("changes", "moves"),
    [
        ((), ()),
        (((1, 50), (2, -49)), ()),  # it costs a cent: nothing moves
        (((1, 50), (2, -50)), ((2, 1, 50),)),
        (((1, 0), (2, 0)), ()),
        (((1, -40), (2, -70)), ((1, None, 40), (2, None, 70))),
        (((1, 30), (2, -40), (3, -20)), ((2, 1, 30), (2, None, 10), (3, None, 20))),  # credit comes from the later
        (((1, -90), (2, 20), (3, 30)), ((1, 2, 20), (1, 3, 30), (1, None, 40))),
        (((1, 5), (2, -4), (3, 5), (4, -8)), ((2, 1, 4), (4, 1, 1), (4, 3, 5), (4, None, 2))),
        (((1, -1), (2, 0)), ((1, None, 1),)),
        (((1, 1), (2, -5)), ((2, 1, 1), (2, None, 4))),
    ],
)
def test_what_is_freed_fills_other_periods_from_the_earlier_ones_first_and_the_rest_is_credit(
    changes: Sequence[tuple[int, int]], moves: Sequence[tuple[int, int | None, int]]
) -> None:
    assert freed([Share(*each) for each in changes]) == tuple(Move(*each) for each in moves)


@given(st.lists(st.integers(-100, 100), max_size=6))
def test_a_free_change_gives_each_period_what_it_needs_and_the_rest_to_credit(minors: Sequence[int]) -> None:
    changes = [Share(n, minor) for n, minor in enumerate(minors, 1)]
    moves = freed(changes)
    if difference(changes) > 0:
        assert moves == ()
        return
    got = {share.number: 0 for share in changes}
    for move in moves:
        assert move.minor > 0
        got[move.source] -= move.minor
        if move.target is not None:
            got[move.target] += move.minor
    assert got == {share.number: share.minor for share in changes}
    assert sum(move.minor for move in moves if move.target is None) == -difference(changes)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (10, (1, 1, 1), (4, 3, 3)),  # equal remainders: the first one first
        (11, (1, 1, 1), (4, 4, 3)),
        (100, (1, 2, 3), (17, 33, 50)),  # the largest remainder is the first one's
        (7, (10, 20, 70), (1, 1, 5)),
        (5, (0, 1, 0), (0, 5, 0)),
        (0, (3, 4), (0, 0)),
        (5, (3, 2), (3, 2)),
        (5, (0, 0), (0, 0)),
        (5, (), ()),
    ],
)
def test_a_sum_is_split_by_largest_remainder(total: int, weights: Sequence[int], parts: Sequence[int]) -> None:
    assert apportioned(total, weights) == parts


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=8).filter(any), st.data())
def test_the_parts_add_up_and_none_is_a_unit_away_from_its_share(weights: Sequence[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(weights)))
    parts = apportioned(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1
        assert 0 <= part <= weight  # so no part is more than what was wanted


# A price and credit


@pytest.mark.parametrize(
    ("price", "balance", "least", "asked", "credit"),
    [
        (50, 0, 1, 50, 0), (50, 20, 1, 30, 20), (50, 49, 1, 1, 49), (50, 50, 1, 0, 50), (50, 80, 1, 0, 50),
        (2000, 1900, 100, 100, 1900), (2000, 1901, 100, 0, 1901), (99, 0, 100, 0, 0), (0, 5, 1, 0, 0),
    ],
)  # fmt: skip
def test_credit_pays_first_and_a_rest_that_no_qr_can_ask_for_is_waived(
    price: int, balance: int, least: int, asked: int, credit: int
) -> None:
    split = charge(Money(price, "USD"), balance=balance, least=least)
    assert split == Charge(Money(asked, "USD"), Money(credit, "USD"))


# Time follows value


def test_a_period_that_lost_a_part_of_its_value_loses_that_part_of_its_time_and_later_ones_move_up() -> None:
    paid = row(50, 80, 20)
    after = shortened(paid, {20: 20}, START)
    assert after.removed == ()
    first, second, third = after.kept
    assert first == paid[0]
    assert (second.number, second.starts_at, second.ends_at) == (2, START + MONTH, START + MONTH + MONTH * 3 / 4)
    assert (second.value, second.plan) == (Fraction(60), paid[1].plan)
    assert third == evolve(paid[2], starts_at=second.ends_at, ends_at=second.ends_at + MONTH)


def test_the_present_period_is_cut_by_what_is_left_of_it() -> None:
    now = START + 10 * DAY
    (present, following) = shortened(row(90, 30), {10: 20}, now).kept  # 60 were left
    assert (present.starts_at, present.ends_at) == (START, now + timedelta(seconds=20 * 86_400 * 40 // 60))
    assert (present.value, present.valued_at) == (Fraction(40), now)
    assert (following.starts_at, following.ends_at) == (present.ends_at, present.ends_at + MONTH)


def test_time_is_cut_to_whole_seconds_rounded_down() -> None:
    (present,) = shortened(row(7), {10: 5}, START).kept
    assert present.ends_at == START + timedelta(seconds=30 * 86_400 * 2 // 7)
    now = START + timedelta(microseconds=400_000)
    (present,) = shortened(row(50), {10: 1}, now).kept
    assert present.ends_at == now + timedelta(seconds=(30 * 86_400 - 1) * 49 // 50)
    assert (present.ends_at - now) % timedelta(seconds=1) == timedelta(0)


def test_a_present_period_that_was_emptied_ends_now_because_its_served_part_stays() -> None:
    now = START + 10 * DAY
    paid = row(90, 30)
    after = shortened(paid, {10: 60}, now)
    assert after.removed == ()
    present, following = after.kept
    assert present == evolve(paid[0], ends_at=now, value=Fraction(0), valued_at=now)
    assert following == evolve(paid[1], starts_at=now, ends_at=now + MONTH)


@pytest.mark.parametrize(("after", "lost"), [(10 * DAY, 33), (20 * DAY, 17)])
def test_an_emptied_period_keeps_no_part_of_a_unit(after: timedelta, lost: int) -> None:
    """33 1/3 and 16 2/3 are left: what the account held is all that there was."""
    (present,) = shortened(row(50), {10: lost}, START + after).kept
    assert (present.value, present.ends_at) == (Fraction(0), START + after)


def test_a_later_period_that_was_emptied_is_removed_and_holds_nothing() -> None:
    paid = row(50, 80, 20)
    after = shortened(paid, {20: 80}, START)
    assert after.removed == (evolve(paid[1], value=Fraction(0), valued_at=START),)
    first, third = after.kept
    assert first == paid[0]
    assert third == evolve(paid[2], number=2, starts_at=START + MONTH, ends_at=START + 2 * MONTH)


def test_all_can_be_emptied() -> None:
    after = shortened(row(50, 80, 20), {10: 50, 20: 80, 30: 20}, START)
    assert [(each.number, each.starts_at, each.ends_at) for each in after.kept] == [(1, START, START)]
    assert [each.number for each in after.removed] == [2, 3]


@pytest.mark.parametrize("taken", [{}, {20: 0}, {99: 5}])
def test_a_period_that_lost_nothing_keeps_its_time_also_where_it_holds_nothing(taken: dict[int, int]) -> None:
    paid = row(50, 0)
    assert shortened(paid, taken, START + DAY).kept == tuple(paid)


def test_periods_are_numbered_from_the_present_one_on() -> None:
    paid = [evolve(each, number=each.number + 4) for each in row(50, 80, 20)]
    assert [each.number for each in shortened(paid, {20: 80}, START).kept] == [5, 6]


def test_periods_that_begin_later_than_now_keep_where_the_first_of_them_begins() -> None:
    """A subscription may begin where an earlier one's paid days end."""
    (first, second) = shortened(row(50, 80), {10: 25}, START - DAY).kept
    assert (first.starts_at, first.ends_at) == (START, START + MONTH / 2)
    assert second.starts_at == first.ends_at


@given(
    st.lists(st.integers(1, 10_000), min_size=1, max_size=4), st.integers(0, MONTH // timedelta(microseconds=1) - 1),
    st.data(),
)  # fmt: skip
def test_no_refund_lengthens_and_value_and_time_are_cut_alike(
    values: Sequence[int], micro: int, data: st.DataObject
) -> None:
    now = START + timedelta(microseconds=micro)
    paid = row(*values)
    taken = {each.id: data.draw(st.integers(0, held(each, now))) for each in paid}
    after = shortened(paid, taken, now)
    assert sorted(each.id for each in (*after.kept, *after.removed)) == [each.id for each in paid]
    before = {each.id: each for each in paid}
    for each in after.kept:
        was = before[each.id]
        assert remaining(each, now) <= remaining(was, now)
        assert held(each, now) == held(was, now) - taken[each.id]
        if taken[each.id] and held(each, now):
            exact = Fraction(held(each, now), held(was, now)) * (remaining(was, now) // timedelta(microseconds=1))
            assert 0 <= exact - remaining(each, now) // timedelta(microseconds=1) < 1_000_000
    for one, other in zip(after.kept, after.kept[1:], strict=False):
        assert (other.starts_at, other.number) == (one.ends_at, one.number + 1)
