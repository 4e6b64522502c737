"""Payments over HTTP: made once, shown as they are, and refused with pointer and rule."""

from io import BytesIO
from typing import Any

import httpx
import pytest
import zxingcpp
from PIL import Image
from sqlalchemy import func, select

from bakong_khqr import KHQR
from bakong_service.storage.schema import events, payment_history, payments
from bakong_service.web.service import Service

pytestmark = pytest.mark.anyio

ONE_OFF = {"amount": "2.50", "currency": "USD", "description": "Coffee"}


async def rows(service: Service) -> dict[str, int]:
    """How many rows each table has that a create writes to."""
    tables = (payments, payment_history, events)
    return {
        table.name: await service.executor.read(
            lambda connection, table=table: connection.execute(select(func.count()).select_from(table)).scalar_one()
        )
        for table in tables
    }


async def test_a_one_off_payment_is_made_and_read_back(client: httpx.AsyncClient) -> None:
    created = await client.post("/v1/payments", json=ONE_OFF)
    assert created.status_code == 201, created.text
    payment = created.json()
    assert (payment["object"], payment["status"], payment["purpose"]) == ("payment", "pending", "one_off")
    assert (payment["amount"], payment["currency"], payment["description"]) == ("2.50", "USD", "Coffee")
    khqr = KHQR.decode(payment["qr"])
    assert khqr.md5 == payment["md5"]
    assert khqr.bill_number == payment["bill_number"]
    assert str(khqr.amount) == "2.50"
    read = await client.get(f"/v1/payments/{payment['reference']}")
    assert read.status_code == 200
    assert read.json() == payment


async def test_a_plan_is_sold_at_its_own_price(client: httpx.AsyncClient) -> None:
    payment = (await client.post("/v1/payments", json={"user_id": "user-123", "plan": "PREMIUM"})).json()
    assert (payment["plan"], payment["amount"], payment["currency"]) == ("PREMIUM", "0.50", "USD")
    assert (payment["user_id"], payment["purpose"]) == ("user-123", "new")


async def test_riel_are_whole(client: httpx.AsyncClient) -> None:
    payment = (await client.post("/v1/payments", json={"amount": "4000", "currency": "KHR"})).json()
    assert payment["amount"] == "4000"
    assert "54044000" in payment["qr"]


async def test_the_qr_is_a_picture_that_reads_back_to_the_payload(client: httpx.AsyncClient) -> None:
    payment = (await client.post("/v1/payments", json=ONE_OFF)).json()
    png = await client.get(payment["links"]["qr_png"])
    assert png.headers["content-type"] == "image/png"
    assert png.content.startswith(b"\x89PNG")
    assert zxingcpp.read_barcodes(Image.open(BytesIO(png.content)))[0].text == payment["qr"]
    svg = await client.get(payment["links"]["qr_svg"])
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.text.startswith(("<svg", "<?xml"))


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
    ("metadata that isn't text", {**ONE_OFF, "metadata": {"a": 1}}, "/metadata", "invalid_type"),
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
    assert {error["pointer"] for error in problem["errors"]} == {"/amont", "/curency"}


async def test_a_body_of_another_type_or_size_is_refused(client: httpx.AsyncClient) -> None:
    form = await client.post("/v1/payments", data={"amount": "1"})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    large = await client.post("/v1/payments", json={**ONE_OFF, "description": "x" * 70_000})
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "path", ["/v1/payments/pay_none", "/v1/payments/pay_none/qr.png", "/v1/payments/pay_none/qr.svg"]
)
async def test_an_unknown_reference_is_a_404(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "payment_not_found")


async def test_unknown_routes_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    nowhere = await client.get("/v1/nowhere")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "no_such_route")
    method = await client.delete("/v1/payments")
    assert (method.status_code, method.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in method.headers["allow"]
    nul = await client.get("/v1/payments/a%00b")
    assert (nul.status_code, nul.json()["code"]) == (400, "invalid_url")
