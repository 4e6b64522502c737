"""Payments over HTTP: made once, shown as they are, and refused with pointer and rule."""

from io import BytesIO

import httpx
import pytest
import zxingcpp
from PIL import Image

from bakong_khqr import KHQR

pytestmark = pytest.mark.anyio

ONE_OFF = {"amount": "2.50", "currency": "USD", "description": "Coffee"}


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
    found = read.json()
    assert found.pop("value")["received"] == "0.00"
    assert found == payment


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
