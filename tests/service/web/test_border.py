"""The border of every route: what fails behind it is a plain 500 with its stack in the log; each call is on record."""

from typing import Any

import httpx
import pytest
import structlog
from attrs import evolve
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import Response

from bakong_khqr import errors
from bakong_service.web.http.application import Application, application
from bakong_service.web.http.bodies import Nothing
from bakong_service.web.http.service import Service
from bakong_service.web.http.url_path import Table
from bakong_service.web.routes import ROUTES
from kit.described import Described
from kit.service import ENVIRONMENT, ServiceOf, client_of

pytestmark = pytest.mark.anyio

KEY = {"Authorization": f"Bearer {ENVIRONMENT['MAIN_BACKEND_API_KEY']}"}
HIDDEN = "where 10.1.2.3 fails"
FAILURES = (
    ZeroDivisionError(HIDDEN), KeyError(HIDDEN), RecursionError(HIDDEN), MemoryError(HIDDEN), OSError(HIDDEN),
    UnicodeDecodeError("utf-8", HIDDEN.encode(), 0, 1, HIDDEN), errors.ServerUnavailable(HIDDEN), TimeoutError(HIDDEN),
    StopAsyncIteration(HIDDEN),
)  # fmt: skip


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The border stands before any database; `test_ill_database.py` has what fails in one, on both."""
    return sqlite_url


@pytest.fixture
def service(service_of: ServiceOf) -> Service:
    return service_of(RATE_LIMIT="off", NOTIFY_SECRET="the-secret-of-notices-0123456789abcdef")


async def test_whatever_fails_behind_any_route_is_a_plain_500_with_its_stack_in_the_log(service: Service) -> None:
    failing: list[Exception] = []

    async def fails(_: Request) -> Response:
        raise failing[-1]

    whole = application(service)
    table = Table([evolve(route, handler=fails, body=None, query=Nothing) for route in ROUTES])
    app = Application(table, State({"service": service, "openapi": whole.state.openapi}))
    async with httpx.AsyncClient(transport=Described(app), base_url="http://service", headers=KEY) as client:
        for number, route in enumerate(ROUTES):
            failing.append(FAILURES[number % len(FAILURES)])
            with structlog.testing.capture_logs() as lines:
                answer = await client.request(route.method, route.path)
            assert (answer.status_code, answer.json()["code"]) == (500, "internal_error"), route.path
            assert HIDDEN not in answer.text
            told = [line for line in lines if line["event"] == "unforeseen_error"]
            assert [line["exc_info"] for line in told] == [failing[-1]], route.path


OF_PAYLOADS = (errors.InvalidKHQR, errors.UnreadableTransaction, errors.PaymentMismatch)  # and of transactions
AWAY = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.BakongError) and kind not in OF_PAYLOADS
]


@pytest.mark.parametrize("kind", AWAY, ids=lambda kind: kind.__name__)
async def test_whatever_bakong_refuses_its_link_is_a_503_that_says_when_to_come_back(
    service: Service, kind: type[errors.BakongError]
) -> None:
    async def away(_: str) -> str:
        raise kind(HIDDEN)

    async with client_of(evolve(service, deeplink=away)) as client:
        made = (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).json()
        answer = await client.get(made["links"]["deeplink"])
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "bakong_away", True)
    assert int(answer.headers["retry-after"]) > 0
    assert HIDDEN not in answer.text


async def test_no_answer_but_the_link_asks_bakong(service: Service, respx_mock: Any) -> None:
    """So Bakong may hang or be away, and each of these is answered at once: `respx_mock` refuses every call."""

    async def never(_: str) -> str:
        raise AssertionError("it asks Bakong")

    async with client_of(evolve(service, deeplink=never)) as client:
        made = (await client.post("/v1/payments", json={"user_id": "u1", "plan": "PREMIUM"})).json()
        here = made["links"]
        for name in ("self", "qr_png", "qr_svg", "card_png", "card_svg", "history", "receipts"):
            assert (await client.get(here[name])).status_code == 200, name
        assert (await client.post(here["check"])).status_code == 202
        for path in ("/v1/payments", "/v1/subscriptions", "/health/live", "/health/ready", "/metrics", "/v1/budget"):
            assert (await client.get(path)).status_code == 200, path
        assert (await client.post(here["cancel"])).status_code == 200
    assert not respx_mock.calls


async def test_each_call_is_one_line_of_the_log_with_its_key_and_address_and_nothing_that_it_carried(
    service: Service,
) -> None:
    carried = "a text that a caller sent"
    async with client_of(service) as client:
        for route in ROUTES:
            if route.resumed:
                continue  # a stream has no end
            path = "/".join("x" if part.startswith("{") else part for part in route.path.split("/"))
            body = {"description": carried, "reference": carried, "md5": {"deep": [carried]}}
            headers = {"X-Request-ID": "call-of-a-test", "X-Note": carried}
            with structlog.testing.capture_logs() as lines:
                answer = await client.request(route.method, path, params={"note": carried}, json=body, headers=headers)
            (line,) = [line for line in lines if line["event"] == "request"]
            assert (line["method"], line["route"], line["status"]) == (route.method, route.path, answer.status_code)
            assert (line["request_id"], line["ip"]) == ("call-of-a-test", "127.0.0.1")
            assert line["key_id"] == (None if route.scope is None else "main")
            assert line["milliseconds"] >= 0
            assert carried not in str([dict(each) for each in lines])
