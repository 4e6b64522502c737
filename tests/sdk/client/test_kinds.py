"""What is called or waited for later is refused by its name, if it is of the wrong kind, before anything is sent."""

import asyncio
import functools
import inspect
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest

from bakong_khqr import KHQR, errors
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.calling.budget import DailyBudget
from bakong_khqr.calling.polling import PollingSchedule
from bakong_khqr.client import BakongClient
from bakong_khqr.doctor import examine
from bakong_khqr.retry import RetryPolicy
from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.server import asgi_app

MD5 = "0" * 32


async def asynchronous(*_: object, **__: object) -> None:
    """Wait for nothing."""


def plain(*_: object, **__: object) -> None:
    """Do nothing."""


class AsyncCall:
    async def __call__(self, *_: object) -> None:
        """Wait for nothing."""


SIMPLE_CODE = KHQR.individual(
    bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee", currency="USD", amount="2.50",
    expires_in=timedelta(hours=1),
)  # fmt: skip


class Spends:
    def __init__(self, spend: object) -> None:
        self.spend = spend


NO_CALLABLE = (3, "a text", object(), datetime(2026, 11, 23, tzinfo=UTC))
ASYNC = (asynchronous, functools.partial(asynchronous, 1), AsyncCall(), AsyncMock())
NO_BUDGET = (3, object(), DailyBudget, Spends(3), plain)

# Parameter -> what it refuses: of the blocking client, of the asynchronous one.
OF_A_CLIENT: dict[str, tuple[tuple[object, ...], tuple[object, ...]]] = {
    "retry": ((3, RetryPolicy, plain), (3, RetryPolicy, plain)),
    "http_client": ((3, httpx.Client, plain), (3, httpx.AsyncClient, plain)),
    "budget": ((*NO_BUDGET, *map(Spends, ASYNC)), NO_BUDGET),
    "on_token": ((*NO_CALLABLE, *ASYNC), NO_CALLABLE),
    "clock": ((*NO_CALLABLE, *ASYNC), (*NO_CALLABLE, *ASYNC)),
    "sleep": ((*NO_CALLABLE, *ASYNC, asyncio.sleep), (*NO_CALLABLE, plain, time.sleep, functools.partial(plain, 1))),
}
OF_A_WAIT: dict[str, tuple[tuple[object, ...], tuple[object, ...]]] = {
    "hint": ((3, object(), threading.Event, asyncio.Event()), (3, object(), asyncio.Event, threading.Event())),
    "grace": ((3, 1.5, "a text"), (3, 1.5, "a text")),
    "schedule": ((3, (0, 3), PollingSchedule), (3, (0, 3), PollingSchedule)),
}
SIMPLE = {"self", "token", "email", "base_url", "timeout_seconds", "proxy", "khqr"}


def cases(table: dict[str, tuple[tuple[object, ...], tuple[object, ...]]]) -> list[Any]:
    return [
        pytest.param(kind, name, wrong, id=f"{kind.__name__}-{name}-{number}")
        for name, refused in table.items()
        for kind, values in zip((BakongClient, AsyncBakongClient), refused, strict=True)
        for number, wrong in enumerate(values)
    ]


@pytest.mark.parametrize("kind", [BakongClient, AsyncBakongClient])
def test_the_tables_have_every_parameter(kind: Any) -> None:
    assert inspect.signature(kind.__init__).parameters.keys() == SIMPLE - {"khqr"} | OF_A_CLIENT.keys()
    assert inspect.signature(kind.wait_for_payment).parameters.keys() == {"self", "khqr"} | OF_A_WAIT.keys()


@pytest.mark.parametrize(("kind", "name", "wrong"), cases(OF_A_CLIENT))
def test_a_client_refuses_a_wrong_kind_by_the_name_of_the_argument(kind: Any, name: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name}[:.]"):
        kind("a-token", **{name: wrong})


@pytest.mark.parametrize(("kind", "name", "wrong"), cases(OF_A_WAIT))
def test_a_wait_refuses_a_wrong_kind_before_it_asks(
    kind: Any, name: str, wrong: Any, scripted: Any, khqr: KHQR
) -> None:
    bakong = scripted(scripted.PAID)
    http = (httpx.Client if kind is BakongClient else httpx.AsyncClient)(transport=bakong.transport())

    def wait() -> Any:
        return kind("a-token", http_client=http).wait_for_payment(khqr, **{name: wrong})

    async def awaited() -> None:
        async with asyncio.timeout(5):
            await wait()

    with pytest.raises(TypeError, match=rf"^{name}[:.]"):
        _ = wait() if kind is BakongClient else asyncio.run(awaited())
    assert bakong.requests == []


def test_what_only_its_result_shows_to_be_async_is_refused_before_the_call_is_sent(scripted: Any) -> None:
    bakong = scripted(scripted.NOT_FOUND)
    with httpx.Client(transport=bakong.transport()) as http:
        wrong: dict[str, dict[str, Any]] = {
            "budget.spend": {"budget": Spends(lambda *_, **__: asynchronous())},
            "clock": {"clock": lambda: asynchronous()},
            "sleep": {"budget": Spends(lambda *_, **__: 1.0), "sleep": lambda _: asynchronous()},
        }
        for name, options in wrong.items():
            with pytest.raises(TypeError, match=rf"^{name}: must not return an awaitable"):
                BakongClient("a-token", http_client=http, **options).transaction_by_md5(MD5)
    assert bakong.requests == []


def test_a_renewed_token_that_nothing_would_store_is_an_error(scripted: Any) -> None:
    bakong = scripted(scripted.answered(200, 0, None, {"token": "new"}))
    with httpx.Client(transport=bakong.transport()) as http:
        wrong: Any = lambda _: asynchronous()  # noqa: E731 - a lambda hides that its result is awaitable
        client = BakongClient("old", email="dev@example.test", http_client=http, on_token=wrong)
        with pytest.raises(TypeError, match=r"^on_token: must not return an awaitable"):
            client.renew_token()


@pytest.mark.parametrize(
    ("result", "kind"),
    [("a text", TypeError), (True, TypeError), (-1, errors.InvalidRequest), (float("nan"), errors.InvalidRequest)],
)
def test_a_budget_that_answers_no_seconds_lets_nothing_through(
    result: Any, kind: Any, client_for: Any, scripted: Any
) -> None:
    bakong = scripted(scripted.NOT_FOUND)
    with pytest.raises(kind, match=r"^budget\.spend: must return"):
        client_for(bakong, budget=Spends(lambda *_, **__: result)).transaction_by_md5(MD5)
    assert bakong.requests == []


@pytest.mark.parametrize("moment", [3, None, datetime(2026, 11, 23)])  # noqa: DTZ001 - the mistake under test
def test_a_clock_without_a_time_zone_is_refused_before_the_call_is_sent(
    moment: Any, client_for: Any, scripted: Any
) -> None:
    bakong = scripted(scripted.NOT_FOUND)
    with pytest.raises(TypeError, match=r"^clock: must return an aware datetime"):
        client_for(bakong, clock=lambda: moment).transaction_by_md5(MD5)
    assert bakong.requests == []


def test_a_negative_grace_is_refused(client_for: Any, scripted: Any, khqr: KHQR) -> None:
    bakong = scripted(scripted.PAID)
    with pytest.raises(errors.InvalidRequest, match=r"^grace: must be 0 or more"):
        client_for(bakong).wait_for_payment(khqr, grace=timedelta(seconds=-1))
    assert bakong.requests == []


def of_the_simulator() -> dict[str, Callable[[Any], object]]:
    simulator = BakongSimulator()
    return {
        "clock": lambda wrong: BakongSimulator(clock=wrong),
        "action": lambda wrong: simulator.after(timedelta(1), wrong),
        "drop": lambda wrong: asgi_app(simulator, wrong),
        "resolve": lambda wrong: next(examine(None, http_client=httpx.Client(), resolve=wrong)),
        "now": lambda wrong: next(examine(None, http_client=httpx.Client(), now=wrong)),
        "random": lambda wrong: RetryPolicy(random=wrong),
    }


@pytest.mark.parametrize("wrong", [*NO_CALLABLE, *ASYNC], ids=lambda wrong: type(wrong).__name__)
@pytest.mark.parametrize("name", ["clock", "action", "drop", "resolve", "now", "random"])
def test_the_other_callables_are_refused_by_name(name: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name}: must "):
        of_the_simulator()[name](wrong)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("clock", lambda wrong: DailyBudget(clock=wrong)),
        ("calls_per_second", lambda wrong: DailyBudget(calls_per_second=wrong)),
        ("attempts", lambda wrong: RetryPolicy(attempts=wrong)),
        ("first_delay_seconds", lambda wrong: RetryPolicy(first_delay_seconds=wrong)),
        ("longest_delay_seconds", lambda wrong: RetryPolicy(longest_delay_seconds=wrong)),
        ("jitter", lambda wrong: RetryPolicy(jitter=wrong)),
        ("at_seconds", lambda wrong: PollingSchedule(at_seconds=wrong)),
        ("then_every_seconds", lambda wrong: PollingSchedule(at_seconds=(), then_every_seconds=wrong)),
        ("delay", lambda wrong: BakongSimulator().after(wrong, plain)),
        ("duration", lambda wrong: BakongSimulator().advance(wrong)),
        ("visible_after", lambda wrong: BakongSimulator().pay(SIMPLE_CODE, visible_after=wrong)),
        ("lifetime", lambda wrong: BakongSimulator().issue_token(lifetime=wrong)),
        ("http_client", lambda wrong: next(examine(None, http_client=wrong))),
        ("grace", lambda wrong: BakongClient("a-token").wait_for_payment(SIMPLE_CODE, grace=wrong)),
    ],
)
def test_the_other_values_are_refused_by_name(name: str, make: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match=rf"^{name}: must "):
        make("a text")
