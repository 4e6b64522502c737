"""The simulator's time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from bakong_khqr.testing import BakongSimulator, SimulatorResponse

Check = Callable[..., tuple[int, int | None, Any]]
Ask = Callable[..., SimulatorResponse]

NOON = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)


def test_time_is_the_clock_s_and_moves_with_advance(bakong: BakongSimulator) -> None:
    assert bakong.now == NOON
    bakong.advance(timedelta(minutes=5))
    assert bakong.now == NOON + timedelta(minutes=5)
    bakong.advance(timedelta(minutes=-10))
    assert bakong.now == NOON - timedelta(minutes=5)


def test_time_can_be_set_and_then_runs_on_with_the_clock() -> None:
    now = [NOON]
    bakong = BakongSimulator(clock=lambda: now[0])
    bakong.clock.set(datetime(2030, 1, 1, tzinfo=UTC))
    now[0] += timedelta(seconds=3)
    assert bakong.now == datetime(2030, 1, 1, 0, 0, 3, tzinfo=UTC)


def test_a_clock_of_another_zone_tells_the_same_time() -> None:
    phnom_penh = timezone(timedelta(hours=7))
    assert BakongSimulator(clock=lambda: NOON.astimezone(phnom_penh)).now == NOON


def test_a_clock_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        BakongSimulator(clock=lambda: datetime(2026, 1, 1)).now  # noqa: B018, DTZ001 - the mistake under test


def test_what_is_put_off_happens_before_the_first_call_after_it_as_of_its_moment(
    bakong: BakongSimulator, check: Check, payload: str
) -> None:
    md5 = bakong.remember(payload).md5
    bakong.after(timedelta(seconds=30), lambda: bakong.pay(payload))
    assert check("check_transaction_by_md5", {"md5": md5})[1] == 1
    bakong.advance(timedelta(minutes=5))
    created_at_ms = check("check_transaction_by_md5", {"md5": md5})[2]["createdDateMs"]
    assert created_at_ms == 1795435230000
    assert check("check_transaction_by_md5", {"md5": md5})[1] is None
    assert len(bakong.payments) == 1


def test_what_is_put_off_happens_in_order(bakong: BakongSimulator, ask: Ask) -> None:
    happened: list[str] = []
    for name, seconds in [("c", 3), ("a", 1), ("b", 1)]:
        bakong.after(timedelta(seconds=seconds), partial(happened.append, name))
    bakong.advance(timedelta(seconds=10))
    ask("renew_token", {})
    assert happened == ["a", "b", "c"]


def test_a_reset_simulator_is_as_it_was_made(check: Check, payload: str) -> None:
    bakong = BakongSimulator(clock=lambda: NOON, seed=3, daily_quota=5)
    first = bakong.pay(payload)
    bakong.configure(daily_quota=1, geo_block=True)
    bakong.inject("dropped", times=None)
    bakong.advance(timedelta(days=1))
    bakong.after(timedelta(days=1), lambda: bakong.pay(payload))
    bakong.reset()
    assert (bakong.now, bakong.switches.daily_quota, bakong.switches.geo_block) == (NOON, 5, False)
    assert (len(bakong.payments), bakong.faults.waiting(), len(bakong.requests)) == (0, [], 0)
    assert bakong.pay(payload) == first
