"""A bad request is told where and why, and stores nothing. What never reaches the database needs but one of them."""

from collections.abc import Callable
from time import process_time
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select

from bakong_service.storage.schema import events, payment_history, payments
from bakong_service.web.http.service import Service

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


ONE_OFF = {"amount": "2.50", "currency": "USD", "description": "Coffee"}


async def rows(service: Service) -> dict[str, int]:
    """How many rows each table has that a create writes to."""
    tables = (payments, payment_history, events)

    def counted(connection: Connection) -> dict[str, int]:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
        }

    return await service.executor.read(counted)


REFUSED: list[tuple[str, dict[str, Any] | list[Any], str, str]] = [
    ("nothing", {}, "/amount", "required"),
    ("an amount without currency", {"amount": "1"}, "/currency", "required"),
    ("a plan for nobody", {"plan": "PREMIUM"}, "/user_id", "required"),
    ("a plan that isn't sold", {"user_id": "u", "plan": "GOLD"}, "/plan", "unknown_plan"),
    ("a plan at another price", {"user_id": "u", "plan": "PREMIUM", "amount": "0.01", "currency": "USD"}, "/amount",
     "amount_not_the_price"),
    ("a number for money", {"amount": 2.5, "currency": "USD"}, "/amount", "invalid_type"),
    ("a whole number for money", {"amount": 2, "currency": "USD"}, "/amount", "invalid_type"),
    ("no number", {"amount": "two", "currency": "USD"}, "/amount", "invalid_amount"),
    ("an exponent", {"amount": "1e3", "currency": "USD"}, "/amount", "invalid_amount"),
    ("a negative amount", {"amount": "-1", "currency": "USD"}, "/amount", "invalid_amount"),
    ("zero", {"amount": "0.00", "currency": "USD"}, "/amount", "invalid_amount"),
    ("three decimals of a dollar", {"amount": "1.005", "currency": "USD"}, "/amount", "invalid_amount"),
    ("half a riel", {"amount": "1.5", "currency": "KHR"}, "/amount", "invalid_amount"),
    ("an amount of 20 digits", {"amount": "9" * 20, "currency": "KHR"}, "/amount", "invalid_amount"),
    ("another currency", {"amount": "1", "currency": "EUR"}, "/currency", "unsupported_currency"),
    ("a misspelt member", {**ONE_OFF, "descripton": "x"}, "/descripton", "unknown_member"),
    ("a user id that is too long", {**ONE_OFF, "user_id": "u" * 65}, "/user_id", "invalid_value"),
    ("a user id that isn't text", {**ONE_OFF, "user_id": 7}, "/user_id", "invalid_type"),
    ("metadata that isn't text", {**ONE_OFF, "metadata": {"a": 1}}, "/metadata/a", "invalid_type"),
    ("too much metadata", {**ONE_OFF, "metadata": {str(n): "" for n in range(21)}}, "/metadata", "too_many"),
    ("NUL in a text", {**ONE_OFF, "description": "a\0b"}, "/description", "invalid_text"),
    ("a list", [], "", "invalid_type"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "pointer", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_a_bad_request_is_told_where_and_why_and_stores_nothing(
    client: httpx.AsyncClient, service: Service, body: Any, pointer: str, code: str
) -> None:
    before = await rows(service)
    response = await client.post("/v1/payments", json=body)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert {"type", "title", "status", "detail", "code", "request_id", "timestamp", "errors"} <= problem.keys()
    assert (pointer, code) in [(error["pointer"], error["code"]) for error in problem["errors"]]
    assert all(error["message"] for error in problem["errors"])
    assert await rows(service) == before


NOT_JSON = {
    "broken": b'{"amount": ',
    "two members of one name": b'{"amount": "1", "amount": "2", "currency": "USD"}',
    "NaN": b'{"amount": NaN}',
    "not UTF-8": b'{"description": "\xff"}',
    "nested too deeply": b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
async def test_what_isnt_json_is_said_so(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/v1/payments", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in {413, 422}
    assert response.json()["code"] in {"invalid_request", "body_too_large"}


async def test_half_a_surrogate_pair_is_refused(client: httpx.AsyncClient) -> None:
    body = rb'{"amount": "1", "currency": "USD", "description": "\ud800"}'
    response = await client.post("/v1/payments", content=body, headers={"Content-Type": "application/json"})
    assert response.json()["errors"][0]["pointer"] == "/description"


async def test_every_member_that_is_missing_or_unknown_is_named_at_once(client: httpx.AsyncClient) -> None:
    problem = (await client.post("/v1/payments", json={"amont": "1", "curency": "USD"})).json()
    assert {error["pointer"] for error in problem["errors"]} == {"/amont", "/curency", "/amount", "/currency"}


async def test_a_body_of_another_type_or_size_is_refused(client: httpx.AsyncClient) -> None:
    form = await client.post("/v1/payments", data={"amount": "1"})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    large = await client.post("/v1/payments", json={**ONE_OFF, "description": "x" * 70_000})
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")


def twice_at_the_end(size: int) -> bytes:
    return b"{" + b",".join(b'"%d":1' % min(n, size - 2) for n in range(size)) + b"}"


def unknown_members(size: int) -> bytes:
    return b"{" + b",".join(b'"%d":1' % n for n in range(size)) + b"}"


def long_name_over_many(size: int) -> bytes:
    return b'{"%s":{%s}}' % (b"n" * (size * 4), b",".join(b'"\\u0041%d":""' % n for n in range(size // 4)))


def deep_lists(size: int) -> bytes:
    return b"[" * (size * 9)


def a_string_without_end(size: int) -> bytes:
    return b'"' + b'\\"' * (size * 4)


HOSTILE = (twice_at_the_end, unknown_members, long_name_over_many, deep_lists, a_string_without_end)


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
async def test_the_cost_of_a_hostile_body_grows_no_faster_than_its_size(
    client: httpx.AsyncClient, make: Callable[[int], bytes]
) -> None:
    async def cost(size: int) -> float:
        """The processor's time for one answer, the least of five."""
        spent = []
        for _ in range(5):
            started = process_time()
            response = await client.post(
                "/v1/payments", content=make(size), headers={"Content-Type": "application/json"}
            )
            spent.append(process_time() - started)
            assert response.status_code == 422
            assert len(response.content) < 64 * 1024
        return min(spent)

    small, large = await cost(1_750), await cost(7_000)
    assert large < 8 * small + 0.02  # four times the size; what is quadratic takes sixteen times as long
