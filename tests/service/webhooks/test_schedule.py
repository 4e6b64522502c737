"""When a delivery is tried again, and what an endpoint's answer means."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakong_service.domain.delivery import SCHEDULES, AttemptResult, Verdict, is_given_up
from bakong_service.webhooks.verdict import retry_after, verdict

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DEFAULT, COMPAT = SCHEDULES["default"], SCHEDULES["compat"]


def answered(status: int | None, header: str | None = None) -> AttemptResult:
    return AttemptResult(status=status, error=None, retry_after=header, duration=timedelta(0))


def test_the_default_schedule_is_13_attempts_in_about_three_days() -> None:
    waits = [DEFAULT.wait(n, retry_after=None, chance=0) for n in range(13)]
    assert [wait.total_seconds() for wait in waits if wait is not None] == [
        0, 1, 2, 4, 60, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400,
    ]  # fmt: skip
    assert DEFAULT.wait(13, retry_after=None, chance=0) is None
    assert timedelta(days=3) < sum(filter(None, waits), timedelta()) < timedelta(days=3, hours=5)


def test_the_compat_schedule_is_1_2_4_seconds_and_then_failed() -> None:
    hour = timedelta(hours=1)
    assert [COMPAT.wait(n, retry_after=hour, chance=1) for n in range(5)] == [
        timedelta(0), timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=4), None,
    ]  # fmt: skip


@given(st.integers(0, 12), st.floats(-1, 1))
def test_a_wait_is_a_fifth_shorter_or_longer_at_most(attempts: int, chance: float) -> None:
    step, wait = DEFAULT.steps[attempts], DEFAULT.wait(attempts, retry_after=None, chance=chance)
    assert wait is not None
    assert step * 0.8 <= wait <= step * 1.2


@given(st.integers(0, 12), st.integers(0, 10**7), st.floats(-1, 1))
def test_retry_after_stretches_a_wait_to_twice_its_step_at_most(attempts: int, seconds: int, chance: float) -> None:
    step = DEFAULT.steps[attempts]
    wait = DEFAULT.wait(attempts, retry_after=timedelta(seconds=seconds), chance=chance)
    assert wait is not None
    assert step <= wait <= 2 * step
    if step <= timedelta(seconds=seconds) <= 2 * step:
        assert wait == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("status", "means"),
    [(code, Verdict.DELIVERED) for code in (200, 201, 202, 204, 299)]
    + [(code, Verdict.RETRY) for code in (None, 199, 300, 301, 302, 307, 308, 400, 401, 404, 409, 411, 429, 500, 503)]
    + [(410, Verdict.GONE)],
)
def test_what_an_answer_means(status: int | None, means: Verdict) -> None:
    assert verdict(answered(status)) is means


@pytest.mark.parametrize(
    ("status", "header", "wait"),
    [
        (429, "7", 7),
        (502, " 0 ", 0),
        (503, "Sun, 01 Nov 2026 12:01:00 GMT", 60),
        (504, "Sun, 01 Nov 2026 11:00:00 GMT", 0),
        (503, "9" * 400, 366 * 86_400),
        (503, None, None),
        (503, "soon", None),
        (503, "-5", None),
        (503, "²", None),
        (503, "1.5", None),
        (503, "Sun, 99 Nov 2026 12:01:00 GMT", None),
        (503, "Thu, 01 Jan 9999999999999 00:00:00 GMT", None),
        (503, "Thu, 01 Jan 2026 00:00:00 +99999999999999999999", None),
        (503, "Sun Nov  1 12:01:00 2026", 60),
        (503, "Sun, 01 Nov 2026 12:01:00 -0000", 60),
        (500, "7", None),
        (301, "7", None),
        (200, "7", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_only_where_it_has_a_meaning(
    status: int, header: str | None, wait: int | None
) -> None:
    expected = None if wait is None else timedelta(seconds=wait)
    assert retry_after(answered(status, header), now=NOW) == expected


@pytest.mark.parametrize(
    ("days", "failures", "given_up"), [(5, 20, True), (5, 19, False), (4.99, 1000, False), (30, 21, True)]
)
def test_an_endpoint_is_given_up_after_five_days_and_twenty_failures(
    days: float, failures: int, given_up: bool
) -> None:
    assert is_given_up(failing_since=NOW - timedelta(days=days), failures=failures, now=NOW) is given_up
