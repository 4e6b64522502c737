"""What is sent again, after which pause, and what never is."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from bakong_khqr import errors
from bakong_khqr.calling.budget import DailyBudget
from bakong_khqr.calling.polling import SPARING
from bakong_khqr.retry import RetryPolicy

MD5 = "0" * 32
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def steady(**options: Any) -> RetryPolicy:
    """A policy without jitter."""
    return RetryPolicy(**({"jitter": 0.0} | options))


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("no route"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut off"),
        httpx.Response(502, html="<html>"),
        httpx.Response(503),
        httpx.Response(200, json={"responseCode": 1, "errorCode": 9}),
        httpx.Response(200, json={"responseCode": 1, "errorCode": 15}),
        httpx.Response(429),
    ],
    ids=repr,
)
def test_what_fails_in_passing_is_tried_again(client_for: Any, scripted: Any, clock: Any, failure: Any) -> None:
    bakong = scripted(failure, failure, scripted.PAID)
    client = client_for(bakong, retry=steady())
    assert client.transaction_by_md5(MD5) is not None
    assert len(bakong.requests) == 3
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(401), errors.Unauthorized),
        (httpx.Response(403, html="<html>"), errors.Blocked),
        (httpx.Response(200, json={"responseCode": 1, "errorCode": 17}), errors.QuotaExceeded),
        (httpx.Response(400), errors.InvalidRequest),
        (httpx.Response(200, json={"responseCode": 1, "errorCode": 3}), errors.TransactionFailed),
        (httpx.Response(200, text="garbage"), errors.UnexpectedAnswer),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_answers_the_same_again_is_sent_once(client_for: Any, scripted: Any, answer: Any, error: Any) -> None:
    bakong = scripted(answer)
    with pytest.raises(error):
        client_for(bakong).transaction_by_md5(MD5)
    assert len(bakong.requests) == 1


def test_not_found_is_no_failure_and_sent_once(client_for: Any, scripted: Any) -> None:
    bakong = scripted(scripted.NOT_FOUND)
    assert client_for(bakong).transaction_by_md5(MD5) is None
    assert len(bakong.requests) == 1


def test_after_the_last_attempt_the_last_error_is_raised(client_for: Any, scripted: Any, clock: Any) -> None:
    bakong = scripted(scripted.UNAVAILABLE)
    with pytest.raises(errors.ServerUnavailable):
        client_for(bakong, retry=steady(attempts=4, first_delay_seconds=1)).transaction_by_md5(MD5)
    assert len(bakong.requests) == 4
    assert clock.slept == [1, 2, 4]


def test_one_attempt_never_repeats(client_for: Any, scripted: Any, clock: Any) -> None:
    bakong = scripted(scripted.UNAVAILABLE)
    with pytest.raises(errors.ServerUnavailable):
        client_for(bakong, retry=RetryPolicy(attempts=1)).transaction_by_md5(MD5)
    assert len(bakong.requests) == 1
    assert clock.slept == []


def test_retry_after_is_waited_out(client_for: Any, scripted: Any, clock: Any) -> None:
    bakong = scripted(httpx.Response(429, headers={"Retry-After": "7"}), scripted.NOT_FOUND)
    client_for(bakong, retry=steady()).transaction_by_md5(MD5)
    assert clock.slept == [7.5]


def test_a_retry_after_beyond_the_longest_pause_is_left_to_the_caller(
    client_for: Any, scripted: Any, clock: Any
) -> None:
    bakong = scripted(httpx.Response(429, headers={"Retry-After": "600"}))
    with pytest.raises(errors.RateLimited) as caught:
        client_for(bakong).transaction_by_md5(MD5)
    assert caught.value.retry_at == NOW + timedelta(minutes=10)
    assert clock.slept == []


def test_a_look_of_a_wait_is_sent_once_since_the_schedule_is_the_retry(
    client_for: Any, scripted: Any, khqr: Any, clock: Any
) -> None:
    bakong, budget = (
        scripted(httpx.Response(200, json={"responseCode": 1, "errorCode": 15})),
        DailyBudget(100, clock=clock),
    )
    with pytest.raises(errors.ServerUnavailable):
        client_for(bakong, budget=budget).wait_for_payment(khqr, schedule=SPARING)
    assert len(bakong.requests) == 2
    assert budget.remaining == 98


@pytest.mark.parametrize(
    ("method", "arguments", "options"),
    [
        ("request_token", ("dev@example.test",), {"organization": "Example Co", "project": "Shop"}),
        ("verify_code", ("ABCDEFGHIJKLMNOPQRST",), {}),
    ],
)
def test_what_mails_or_uses_up_a_code_is_sent_once(
    client_for: Any, scripted: Any, method: str, arguments: Any, options: Any
) -> None:
    bakong = scripted(scripted.UNAVAILABLE)
    with pytest.raises(errors.ServerUnavailable):
        getattr(client_for(bakong), method)(*arguments, **options)
    assert len(bakong.requests) == 1


def test_an_answer_that_drips_is_cut_off_in_time(client_for: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each read is quick, the whole would take for ever. Both clients give up after their own fashion."""
    ticks = iter(range(0, 10_000, 20))
    monkeypatch.setattr("bakong_khqr.calling._sending.time.monotonic", lambda: next(ticks))

    class Dripping(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            while True:
                yield b" "

        async def __aiter__(self) -> Any:
            while True:
                await asyncio.sleep(0)
                yield b" "

    client = client_for(
        httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping())),
        retry=RetryPolicy(attempts=1),
        timeout_seconds=0.05,
    )
    with pytest.raises(errors.ServerUnavailable, match="didn't end within"):
        client.transaction_by_md5(MD5)


class TestThePolicyAlone:
    """It answers with a delay and never sleeps."""

    FAILED = errors.ServerUnavailable("down")

    def test_delays_double_up_to_the_longest(self) -> None:
        policy = steady(attempts=9, first_delay_seconds=1, longest_delay_seconds=10)
        assert [policy.delay_seconds(attempt, self.FAILED, NOW) for attempt in range(1, 10)] == [
            1,
            2,
            4,
            8,
            10,
            10,
            10,
            10,
            None,
        ]

    def test_jitter_cuts_a_delay_by_at_most_its_share(self) -> None:
        delays = {
            share: RetryPolicy(first_delay_seconds=1, jitter=0.5, random=partial(float, share)).delay_seconds(
                1, self.FAILED, NOW
            )
            for share in (0.0, 0.5, 0.999)
        }
        assert delays == {0.0: 1.0, 0.5: 0.75, 0.999: pytest.approx(0.5005)}

    def test_a_retry_at_in_the_past_delays_no_further(self) -> None:
        past = errors.RateLimited("slow down", retry_at=NOW - timedelta(hours=1))
        assert steady().delay_seconds(1, past, NOW) == 0.5

    @pytest.mark.parametrize("option", [{"attempts": 0}, {"jitter": 1.5}, {"first_delay_seconds": -1}])
    def test_an_impossible_policy_is_refused(self, option: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=next(iter(option))):
            RetryPolicy(**option)
