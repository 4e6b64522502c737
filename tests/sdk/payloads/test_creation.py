"""Two codes are never one code by accident: the time at which a code is made is handed out once."""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakong_khqr import KHQR
from bakong_khqr.payload import _creation as creation
from bakong_khqr.payload._creation import Creation

NOW_MS = 1_764_000_000_000
EQUAL: dict[str, Any] = {
    "bakong_account_id": "sokha@aclb",
    "merchant_name": "Sokha Coffee",
    "amount": 1000,
    "expires_in": timedelta(minutes=10),
}


def made(_: object = None) -> str:
    return KHQR.individual(**EQUAL).md5


def test_a_thousand_codes_with_equal_fields_are_a_thousand_codes() -> None:
    assert len({made() for _ in range(1_000)}) == 1_000


def test_threads_make_no_code_twice() -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(made, range(2_000)))) == 2_000


@pytest.mark.parametrize("later", [0, -3_600_000])
def test_a_clock_that_is_replaced_and_stands_still_or_goes_back_makes_no_code_twice(
    monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    found = []
    for now in (NOW_MS, NOW_MS + later, NOW_MS):
        monkeypatch.setattr(creation, "time_ns", lambda now=now: now * 1_000_000)
        found += [made() for _ in range(100)]
    assert len(set(found)) == 300


def test_a_time_that_is_given_is_kept_to_the_millisecond() -> None:
    first, second = (KHQR.individual(**EQUAL, created_at=NOW_MS) for _ in range(2))
    assert first == second


def test_a_clock_that_was_set_back_gives_its_own_times_where_they_are_free() -> None:
    times = iter([NOW_MS, NOW_MS - 60_000, NOW_MS - 60_000, NOW_MS])
    source = Creation(lambda: next(times) * 1_000_000)
    assert [source.next_ms() for _ in range(4)] == [NOW_MS, NOW_MS - 60_000, NOW_MS - 59_999, NOW_MS + 1]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=60))
def test_no_time_is_handed_out_twice_and_each_is_the_next_free_one(clock: list[int]) -> None:
    times = iter(clock)
    source = Creation(lambda: next(times) * 1_000_000)
    taken: set[int] = set()
    for now in clock:
        moment = source.next_ms()
        assert moment == next(free for free in range(now, 1_000) if free not in taken)
        taken.add(moment)


def test_memory_is_bounded_and_the_promise_holds_beyond_it() -> None:
    times = [*range(0, 20_000, 2), *range(0, 20_000, 2)]
    clock = iter(times)
    source = Creation(lambda: next(clock) * 1_000_000)
    found = [source.next_ms() for _ in times]
    assert len(set(found)) == len(found)
    assert len(source._firsts) == len(source._lasts) <= 4_096


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_repeats_no_code_that_was_made_before_the_fork_and_is_not_stopped_by_its_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(creation, "time_ns", lambda: NOW_MS * 1_000_000)
    before = [made() for _ in range(100)]
    with creation._creation._lock.here:
        pool = multiprocessing.get_context("fork").Pool(1)
    with pool:
        inside = pool.map_async(made, range(100)).get(timeout=30)
    assert len({*before, *inside}) == 200
