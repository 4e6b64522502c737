"""Waiting for a payment: a schedule that grows, hints, outages, the last check, and what each way ends in."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bakong_khqr import KHQR, InvalidKHQR, errors
from bakong_khqr.api import Difference
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.calling.budget import DailyBudget
from bakong_khqr.calling.polling import GROWING, SPARING, PaymentWatch, PollingSchedule
from bakong_khqr.client import BakongClient
from bakong_khqr.retry import RetryPolicy
from bakong_khqr.testing import BakongSimulator

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CLOSES = NOW + timedelta(minutes=12)
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def timed(scripted: Any, clock: Any) -> Any:
    """`timed(answer, ...)`: as `scripted`, and it notes the age of the wait at each request."""

    class Timed(scripted):  # type: ignore[misc]  # the class is a fixture's value
        def __init__(self, *answers: Any) -> None:
            super().__init__(*answers)
            self.ages: list[float] = []

        def answer(self, request: httpx.Request) -> httpx.Response:
            self.ages.append((clock.now - NOW).total_seconds())
            return super().answer(request)  # type: ignore[no-any-return]

    return Timed


def test_a_payment_is_returned_as_soon_as_it_is_seen(client_for: Any, timed: Any, khqr: KHQR) -> None:
    bakong = timed(*[timed.NOT_FOUND] * 4, timed.PAID)
    transaction = client_for(bakong).wait_for_payment(khqr)
    assert transaction.matches(khqr)
    assert bakong.ages == [0, 3, 6, 9, 13]
    assert bakong.bodies == [{"md5": khqr.md5}] * 5


def test_a_payload_as_text_is_waited_for_too(client_for: Any, timed: Any, khqr: KHQR) -> None:
    assert client_for(timed(timed.PAID)).wait_for_payment(khqr.payload).matches(khqr)
    with pytest.raises(InvalidKHQR):
        client_for(timed(timed.PAID)).wait_for_payment("not a payload")


def test_the_intervals_grow_and_the_last_check_is_after_expiry_and_grace(
    client_for: Any, timed: Any, khqr: KHQR
) -> None:
    bakong = timed(timed.NOT_FOUND)
    with pytest.raises(errors.PaymentExpired):
        client_for(bakong).wait_for_payment(khqr)
    gaps = [later - earlier for earlier, later in zip(bakong.ages, bakong.ages[1:], strict=False)]
    assert gaps[:-1] == sorted(gaps[:-1])
    assert max(gaps) == 15
    assert bakong.ages[-1] == 720
    assert len(bakong.ages) == 15 + 41 + 1


def test_under_a_budget_it_asks_twice(client_for: Any, timed: Any, khqr: KHQR, clock: Any) -> None:
    bakong = timed(timed.NOT_FOUND)
    with pytest.raises(errors.PaymentExpired):
        client_for(bakong, budget=DailyBudget(100, clock=clock)).wait_for_payment(khqr)
    assert bakong.ages == [150, 720]


def test_a_payment_of_the_last_moment_is_not_lost(client_for: Any, timed: Any, khqr: KHQR, clock: Any) -> None:
    simulator = BakongSimulator(clock=clock)
    bakong = timed(lambda request: httpx.Client(transport=simulator.transport()).send(request))
    client = client_for(bakong, "simulator")
    simulator.pay(
        khqr, created_at=NOW + timedelta(minutes=10, seconds=30), visible_after=timedelta(minutes=11, seconds=59)
    )
    assert client.wait_for_payment(khqr, schedule=SPARING).matches(khqr)
    assert bakong.ages == [150, 720]


def test_a_schedule_of_ones_own(client_for: Any, timed: Any, khqr: KHQR) -> None:
    bakong = timed(timed.NOT_FOUND)
    with pytest.raises(errors.PaymentExpired):
        client_for(bakong).wait_for_payment(
            khqr, schedule=PollingSchedule(at_seconds=(0, 10), then_every_seconds=300), grace=timedelta(seconds=5)
        )
    assert bakong.ages == [0, 10, 310, 605]


@pytest.mark.parametrize(
    "schedule",
    [
        {"at_seconds": (5, 1)},
        {"at_seconds": (-1,)},
        {"at_seconds": (float("nan"),)},
        {"at_seconds": (float("inf"),)},
        {"at_seconds": (), "then_every_seconds": 0},
        {"at_seconds": (), "then_every_seconds": float("nan")},
    ],
)
def test_an_impossible_schedule_is_refused(schedule: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest, match=list(schedule)[-1]):
        PollingSchedule(**schedule)


def test_a_code_that_is_over_is_asked_for_once(client_for: Any, timed: Any, khqr: KHQR, clock: Any) -> None:
    clock.now += timedelta(hours=1)
    bakong = timed(timed.NOT_FOUND)
    with pytest.raises(errors.PaymentExpired):
        client_for(bakong).wait_for_payment(khqr)
    assert bakong.ages == [3600]


def test_a_code_without_expiry_is_waited_for_ten_minutes(client_for: Any, timed: Any) -> None:
    """An old dynamic payload, of the reference's test data."""
    old = KHQR.decode(
        "00020101021229180014jonhsmith@nbcq52045999530311654035005802KH5910Jonh Smith6010PHNOM PENH"
        "99170013173949577872263046894"
    )
    assert old.expires_at is None
    bakong = timed(timed.NOT_FOUND)
    with pytest.raises(errors.PaymentExpired):
        client_for(bakong).wait_for_payment(old, schedule=SPARING)
    assert bakong.ages == [150, 720]


def test_a_static_code_is_refused_before_anything_is_sent(client_for: Any, timed: Any) -> None:
    static = KHQR.individual(bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee")
    bakong = timed(timed.PAID)
    with pytest.raises(errors.StaticQRNotSupported, match="khqr: it is static"):
        client_for(bakong).wait_for_payment(static)
    assert not bakong.requests


@pytest.mark.parametrize(
    "changes",
    [
        {"toAccountId": "thief@bank"},
        {"currency": "KHR"},
        {"amount": 0.01},
        {"createdDateMs": 1795431600000},
        {"trackingStatus": "REFUNDED_BY_RECEIVER"},
    ],
    ids=str,
)
def test_another_payment_is_a_mismatch_with_the_transaction(
    client_for: Any, timed: Any, khqr: KHQR, changes: dict[str, Any]
) -> None:
    bakong = timed(timed.answered(200, 0, None, timed.TRANSACTION | changes))
    with pytest.raises(errors.PaymentMismatch) as caught:
        client_for(bakong).wait_for_payment(khqr)
    assert caught.value.transaction.hash == timed.TRANSACTION["hash"]
    (difference,) = caught.value.differences
    assert isinstance(difference, Difference)
    assert difference.field in str(caught.value)
    assert len(bakong.requests) == 1


OUTAGES = [
    httpx.ConnectError("no address"),
    httpx.ReadTimeout("slow"),
    httpx.Response(500),
    httpx.Response(504, html="<html>"),
    httpx.Response(429),
    httpx.Response(200, html="<html>maintenance"),
    httpx.Response(200, json={"responseCode": 1, "errorCode": 9}),
    httpx.Response(200, json={"responseCode": 1, "errorCode": 15}),
    httpx.Response(200, json={"responseCode": 1, "errorCode": 42}),
    httpx.Response(200, json={"responseCode": 1, "errorCode": 3}),
    httpx.Response(200, json={"responseCode": 0, "data": None}),
]


@pytest.mark.parametrize("outage", OUTAGES, ids=str)
def test_an_outage_is_waited_out(client_for: Any, timed: Any, khqr: KHQR, outage: Any) -> None:
    bakong = timed(timed.NOT_FOUND, outage, outage, timed.PAID)
    assert client_for(bakong, retry=ONCE).wait_for_payment(khqr).matches(khqr)


@pytest.mark.parametrize("outage", OUTAGES[:-1], ids=str)
def test_an_outage_at_the_last_check_is_an_error_and_never_expired(
    client_for: Any, timed: Any, khqr: KHQR, outage: Any
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if bakong.ages[-1] < 720:
            return timed.NOT_FOUND  # type: ignore[no-any-return]
        if isinstance(outage, Exception):
            raise outage
        return httpx.Response(outage.status_code, content=outage.content)

    bakong = timed(answer)
    client = client_for(bakong, retry=ONCE)
    with pytest.raises(errors.BakongError) as caught:
        client.wait_for_payment(khqr, schedule=SPARING)
    assert not isinstance(caught.value, errors.PaymentExpired)
    bakong._answers[:] = [timed.PAID]
    assert client.wait_for_payment(khqr).matches(khqr), "calling again repeats the last check"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(401), errors.Unauthorized),
        (httpx.Response(403, html="<html>"), errors.Blocked),
        (httpx.Response(400), errors.InvalidRequest),
        (httpx.Response(200, json={"responseCode": 1, "errorCode": 2}), errors.StaticQRNotSupported),
        (httpx.Response(200, json={"responseCode": 1, "errorCode": 17}), errors.QuotaExceeded),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_waiting_cannot_help_is_raised_at_once(
    client_for: Any, timed: Any, khqr: KHQR, answer: Any, error: Any
) -> None:
    bakong = timed(answer)
    with pytest.raises(error):
        client_for(bakong).wait_for_payment(khqr)
    assert len(bakong.requests) == 1


def test_a_success_that_stays_unreadable_is_raised_with_its_body_after_three(
    client_for: Any, timed: Any, khqr: KHQR
) -> None:
    bakong = timed(timed.answered(200, 0, None, {"amount": 2.5}))
    with pytest.raises(errors.UnreadableTransaction) as caught:
        client_for(bakong).wait_for_payment(khqr)
    assert b'"amount"' in caught.value.body
    assert len(bakong.requests) == 3


def test_a_quota_that_is_whole_again_before_the_code_ends_is_waited_for(
    client_for: Any, timed: Any, clock: Any
) -> None:
    clock.now = datetime(2026, 11, 23, 16, 58, tzinfo=UTC)  # two minutes before midnight in Phnom Penh
    code = KHQR.individual(
        bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee", currency="USD", amount="2.50",
        created_at=clock.now, expires_in=timedelta(minutes=10),
    )  # fmt: skip
    spent = timed.answered(200, 1, 17)
    paid = timed.answered(200, 0, None, timed.TRANSACTION | {"createdDateMs": int(clock.now.timestamp() * 1000)})
    bakong = timed(spent, paid)
    began = clock.now
    assert client_for(bakong).wait_for_payment(code).matches(code)
    assert clock.now - began >= timedelta(minutes=2)
    assert len(bakong.requests) == 2


class Hint:
    """An event whose waiting passes the test's time, set at given ages of the wait."""

    def __init__(self, clock: Any, *at: float) -> None:
        self._clock, self._at = clock, [NOW + timedelta(seconds=age) for age in at]

    def wait_until(self, deadline: datetime) -> bool:
        if self._at and self._at[0] <= deadline:
            self._clock.now = max(self._clock.now, self._at.pop(0))
            return True
        self._clock.now = deadline
        return False

    def clear(self) -> None:
        """A hint is taken once."""


class BlockingHint(Hint):
    def wait(self, seconds: float) -> bool:
        return self.wait_until(self._clock.now + timedelta(seconds=seconds))


def test_a_hint_asks_at_once_and_once_more_ten_seconds_later(timed: Any, khqr: KHQR, clock: Any) -> None:
    bakong = timed(timed.NOT_FOUND)
    with httpx.Client(transport=bakong.transport()) as http:
        client = BakongClient("a-token", http_client=http, clock=clock, sleep=clock.sleep)
        with pytest.raises(errors.PaymentExpired):
            client.wait_for_payment(khqr, schedule=SPARING, hint=BlockingHint(clock, 40, 300))  # type: ignore[arg-type]  # a test's event
    assert bakong.ages == [40, 50, 150, 300, 310, 720]


def test_a_hint_finds_a_payment_between_two_checks(timed: Any, khqr: KHQR, clock: Any) -> None:
    bakong = timed(timed.NOT_FOUND, timed.PAID)
    with httpx.Client(transport=bakong.transport()) as http:
        client = BakongClient("a-token", http_client=http, clock=clock, sleep=clock.sleep)
        hint: Any = BlockingHint(clock, 40)
        assert client.wait_for_payment(khqr, schedule=SPARING, hint=hint).matches(khqr)
    assert bakong.ages == [40, 50]


def made_just_now(scripted: Any) -> tuple[KHQR, dict[str, Any]]:
    """A code on the real clock, and its payment."""
    code = KHQR.individual(
        bakong_account_id="sokha@aclb",
        merchant_name="Sokha Coffee",
        currency="USD",
        amount="2.50",
        expires_in=timedelta(hours=1),
    )
    return code, scripted.TRANSACTION | {"createdDateMs": int(datetime.now(UTC).timestamp()) * 1000}


def test_a_real_event_of_another_thread_is_a_hint(scripted: Any) -> None:
    """On the real clock, with a schedule that would never ask: only the hint can."""
    code, paid = made_just_now(scripted)
    bakong, hint = scripted(scripted.answered(200, 0, None, paid)), threading.Event()
    hint.set()
    with httpx.Client(transport=bakong.transport()) as http:
        client = BakongClient("a-token", http_client=http)
        assert client.wait_for_payment(code, schedule=PollingSchedule(at_seconds=()), hint=hint).matches(code)
    assert not hint.is_set()


@pytest.mark.anyio
async def test_a_real_event_of_another_task_is_a_hint(scripted: Any) -> None:
    code, paid = made_just_now(scripted)
    asked, hint = asyncio.Event(), asyncio.Event()

    def not_found(_: httpx.Request) -> httpx.Response:
        asked.set()
        return scripted.NOT_FOUND  # type: ignore[no-any-return]

    bakong = scripted(not_found, scripted.answered(200, 0, None, paid))
    async with httpx.AsyncClient(transport=bakong.transport()) as http:
        client = AsyncBakongClient("a-token", http_client=http)
        schedule = PollingSchedule(at_seconds=(0.001,))
        waiting = asyncio.create_task(client.wait_for_payment(code, schedule=schedule, hint=hint))
        await asked.wait()
        hint.set()
        assert (await waiting).matches(code)
    assert len(bakong.requests) == 2
    assert not hint.is_set()


class TestTheWatchAlone:
    """It says when to ask next; it neither waits nor asks."""

    def test_checks_that_an_outage_outlasted_are_not_made_up_for(self, khqr: KHQR) -> None:
        watch = PaymentWatch(khqr, started_at=NOW, schedule=GROWING)
        late = NOW + timedelta(seconds=100)
        watch.failed(errors.ServerUnavailable("down"), asked_at=NOW + timedelta(seconds=3), now=late)
        assert watch.due_at == NOW + timedelta(seconds=101)
        assert watch.seconds_until_due(late) == 1

    def test_what_bakong_asked_for_is_obeyed(self, khqr: KHQR) -> None:
        watch = PaymentWatch(khqr, started_at=NOW, schedule=GROWING)
        until = NOW + timedelta(seconds=200)
        watch.failed(errors.RateLimited("slow down", retry_at=until), asked_at=NOW, now=NOW)
        assert until <= watch.due_at <= until + timedelta(seconds=15)

    def test_a_hint_asks_no_sooner_than_bakong_wants_to_be_asked(self, khqr: KHQR) -> None:
        watch = PaymentWatch(khqr, started_at=NOW, schedule=SPARING)
        until = NOW + timedelta(seconds=120)
        watch.failed(errors.RateLimited("slow down", retry_at=until), asked_at=NOW, now=NOW)
        watch.hinted(NOW + timedelta(seconds=1))
        assert watch.due_at == until
        watch.answered(None, asked_at=until)
        assert watch.due_at == until + timedelta(seconds=10)
        watch.hinted(until + timedelta(seconds=5))
        assert watch.due_at == until + timedelta(seconds=5), "the pause is over"

    @pytest.mark.parametrize("kind", [errors.RateLimited, errors.QuotaExceeded, errors.ServerUnavailable])
    def test_a_pause_that_outlasts_the_last_check_is_raised(self, khqr: KHQR, kind: type[errors.BakongError]) -> None:
        watch = PaymentWatch(khqr, started_at=NOW, schedule=GROWING)
        with pytest.raises(kind):
            watch.failed(kind("later", retry_at=CLOSES + timedelta(seconds=1)), asked_at=NOW, now=NOW)

    def test_a_pause_that_ends_with_the_wait_leaves_the_last_check(self, khqr: KHQR) -> None:
        watch = PaymentWatch(khqr, started_at=NOW, schedule=GROWING)
        watch.failed(errors.RateLimited("slow down", retry_at=CLOSES), asked_at=NOW, now=NOW)
        watch.hinted(NOW + timedelta(seconds=1))
        assert watch.due_at == watch.closes_at == CLOSES
