"""A payment link sells one thing to many visitors, each with a payment of their own, and to nobody more than it may."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import httpx
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bakong_service.domain.errors import NotFound
from bakong_service.domain.link import CODE_LENGTH, OPEN_AT_ONCE, new_code
from bakong_service.operations.links import selling
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.web.http.service import Service
from bakong_service.workers.dispatch import Dispatcher
from kit.service import client_of, pay

pytestmark = pytest.mark.anyio

COFFEE = {"amount": "2.50", "currency": "USD", "description": "Iced coffee", "metadata": {"sku": "7"}}
OPEN_AMOUNT = {"least_amount": "1.00", "most_amount": "50.00", "currency": "USD", "description": "A gift"}


@pytest.fixture
def service(service_of: Callable[..., Service]) -> Service:
    return service_of(PUBLIC_URL="http://service", RATE_LIMIT="off")


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(service) as client:
        yield client


@pytest.fixture
def visitor(service: Service) -> Callable[[], httpx.AsyncClient]:
    return lambda: client_of(service, key=None)


async def made(client: httpx.AsyncClient, **terms: Any) -> dict[str, Any]:
    answer = await client.post("/v1/links", json=terms)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def payments_of(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/v1/payments?limit=100")).json()["data"]
    return found


@given(st.integers(0, 2**128 - 1))
def test_a_code_has_ten_characters_and_no_look_alikes(number: int) -> None:
    assert re.fullmatch(f"[2-9a-hjkmnp-z]{{{CODE_LENGTH}}}", new_code(lambda bits: number))


async def test_a_visitor_who_pays_gets_a_payment_of_the_link(
    client: httpx.AsyncClient, service: Service, visitor: Any
) -> None:
    link = await made(client, **COFFEE)
    assert link["url"] == f"http://service/l/{link['code']}"
    async with visitor() as one:
        page = await one.get(link["url"])
        assert "Iced coffee" in page.text
        assert "$ 2.50" in page.text
        sent = await one.post(link["url"])
        assert sent.status_code == 303
        assert "$ 2.50" in (await one.get(sent.headers["location"])).text
    [payment] = await payments_of(client)
    assert (payment["link"], payment["amount"], payment["metadata"]) == (link["reference"], "2.50", {"sku": "7"})
    await Dispatcher(service.executor, service.business, service.clock).step(service.clock.now())
    [event] = (await client.get("/v1/events")).json()["data"]
    assert (event["type"], event["data"]["link"]) == ("payment.created", link["reference"])


async def test_a_visitor_has_one_open_payment_however_often_the_button_is_pressed(
    client: httpx.AsyncClient, visitor: Any
) -> None:
    link = await made(client, **COFFEE)
    async with visitor() as one, visitor() as other:
        first, again = await one.post(link["url"]), await one.post(link["url"])
        assert first.headers["location"] == again.headers["location"]
        assert (await other.post(link["url"])).headers["location"] != first.headers["location"]
    assert len(await payments_of(client)) == 2


async def test_a_code_that_was_typed_in_capitals_leads_to_the_link(client: httpx.AsyncClient, visitor: Any) -> None:
    link = await made(client, **COFFEE)
    async with visitor() as one:
        typed = await one.get(link["url"].upper().replace("HTTP://SERVICE/L/", "http://service/l/"))
        assert (typed.status_code, typed.headers["location"]) == (303, f"/l/{link['code']}")
    assert (await client.get(f"/v1/links/{link['reference']}")).json()["opened"] == 0


async def test_an_address_without_cookies_makes_few_payments(client: httpx.AsyncClient, visitor: Any) -> None:
    link = await made(client, **COFFEE)
    statuses = []
    for _ in range(22):
        async with visitor() as one:
            statuses.append((await one.post(link["url"])).status_code)
    assert statuses == [303] * 20 + [429] * 2


async def test_many_addresses_leave_few_payments_open(
    client: httpx.AsyncClient, service: Service, visitor: Any
) -> None:
    link = await made(client, **COFFEE)

    def crowd(work: UnitOfWork) -> None:
        for _ in range(OPEN_AT_ONCE - 1):
            selling.pay(work, link["code"], entered=None)

    await service.run("payer", crowd)
    async with visitor() as one, visitor() as other:
        assert (await one.post(link["url"])).status_code == 303
        assert (await other.post(link["url"])).status_code == 409


async def test_a_link_is_not_used_more_often_than_it_may(client: httpx.AsyncClient, visitor: Any) -> None:
    link = await made(client, **COFFEE, max_uses=1)
    async with visitor() as one, visitor() as other:
        assert (await one.post(link["url"])).status_code == 303
        assert (await other.post(link["url"])).status_code == 409
        assert 'id="pay"' not in (await other.get(link["url"])).text
        [payment] = await payments_of(client)
        await client.post(f"/v1/payments/{payment['reference']}/cancel")
        assert (await other.post(link["url"])).status_code == 303


async def test_a_link_that_is_closed_or_has_expired_sells_nothing(
    client: httpx.AsyncClient, service: Service, visitor: Any
) -> None:
    closed = await made(client, **COFFEE)
    ends = (service.clock.now() + timedelta(hours=1)).isoformat()
    expiring = await made(client, **COFFEE, expires_at=ends)
    assert (await client.post(f"/v1/links/{closed['reference']}/close")).json()["state"] == "closed"
    service.clock.offset = timedelta(hours=2)
    assert (await client.get(f"/v1/links/{expiring['reference']}")).json()["state"] == "expired"
    async with visitor() as one:
        for link in (closed, expiring):
            assert (await one.post(link["url"])).status_code == 409
    assert await payments_of(client) == []


@pytest.mark.parametrize(
    ("entered", "asked"),
    [
        ("1", "1.00"),
        ("50.00", "50.00"),
        ("1.5", "1.50"),
        *((wrong, None) for wrong in ("0.99", "50.01", "x", "", "1.005", "-5")),
    ],
)
async def test_the_payer_enters_an_amount_within_the_bounds(
    client: httpx.AsyncClient, visitor: Any, entered: str, asked: str | None
) -> None:
    link = await made(client, **OPEN_AMOUNT)
    async with visitor() as one:
        answer = await one.post(link["url"], data={"amount": entered})
    assert answer.status_code == (422 if asked is None else 303)
    assert [payment["amount"] for payment in await payments_of(client)] == ([] if asked is None else [asked])


async def test_a_link_for_a_plan_sells_it_to_its_user(client: httpx.AsyncClient, visitor: Any) -> None:
    link = await made(client, plan="PREMIUM", user_id="u1")
    async with visitor() as one:
        assert (await one.post(link["url"])).status_code == 303
    [payment] = await payments_of(client)
    assert (payment["plan"], payment["user_id"], payment["purpose"]) == ("PREMIUM", "u1", "new")


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"amount": "1"},
        {"amount": "1", "currency": "EUR"},
        {"amount": "1", "currency": "USD", "plan": "PREMIUM", "user_id": "u"},
        {"plan": "PREMIUM"},
        {"least_amount": "1", "currency": "USD"},
        {"most_amount": "1", "currency": "USD"},
        {"least_amount": "2", "most_amount": "1", "currency": "USD"},
        {"amount": "1", "currency": "USD", "max_uses": 0},
    ],
)
async def test_terms_that_fit_no_link_are_refused(client: httpx.AsyncClient, terms: dict[str, Any]) -> None:
    assert (await client.post("/v1/links", json=terms)).status_code == 422


async def test_visitors_and_sales_are_counted(client: httpx.AsyncClient, service: Service, visitor: Any) -> None:
    link = await made(client, **COFFEE)
    async with visitor() as one, visitor() as other:
        for _ in range(3):
            await one.get(link["url"])
        await other.get(link["url"])
        await one.post(link["url"])
    seen = (await client.get(f"/v1/links/{link['reference']}")).json()
    assert (seen["opened"], seen["open_payments"], seen["paid_payments"], seen["net_amount"]) == (2, 1, 0, "0.00")
    assert (await client.get("/v1/links")).json()["data"] == [seen]


async def test_what_a_link_sold_is_told_apart_from_what_was_refunded(
    client: httpx.AsyncClient, service: Service, visitor: Any
) -> None:
    link = await made(client, **COFFEE)
    for part in ("1.00", None):
        async with visitor() as one:
            await one.post(link["url"])
        [payment, *_] = await payments_of(client)
        await pay(service, payment["reference"])
        amount = {} if part is None else {"amount": part}
        refund = {"refund_reference": f"FT{part}"} | amount
        answer = await client.post(f"/v1/payments/{payment['reference']}/refund", json=refund)
        assert answer.status_code == 200, answer.text
    seen = (await client.get(f"/v1/links/{link['reference']}")).json()
    assert (seen["paid_payments"], seen["refunded_payments"]) == (1, 1)
    assert (seen["received_amount"], seen["refunded_amount"], seen["net_amount"]) == ("5.00", "3.50", "1.50")


async def test_the_printed_code_leads_to_the_link_and_the_preview_has_no_code(
    client: httpx.AsyncClient, visitor: Any
) -> None:
    link = await made(client, **COFFEE)
    picture = (await client.get(f"/v1/links/{link['reference']}/qr.png")).content
    [found] = zxingcpp.read_barcodes(Image.open(BytesIO(picture)).convert("RGB"))
    assert found.text == link["url"]
    async with visitor() as one:
        html = (await one.get(link["url"])).text
        assert f'<meta property="og:image" content="{link["url"]}/picture.png">' in html
        preview = Image.open(BytesIO((await one.get(f"{link['url']}/picture.png")).content)).convert("RGB")
    assert preview.size == (1200, 630)
    assert zxingcpp.read_barcodes(preview) == []


async def test_without_a_public_address_a_link_has_none(service_of: Any) -> None:
    async with client_of(service_of()) as client:
        link = await made(client, **COFFEE)
        refused = await client.get(f"/v1/links/{link['reference']}/qr.svg")
    assert link["url"] is None
    assert (refused.status_code, refused.json()["code"]) == (409, "no_public_url")


async def test_a_link_for_a_plan_that_there_is_not_is_refused(client: httpx.AsyncClient) -> None:
    refused = await client.post("/v1/links", json={"plan": "SILVER", "user_id": "u1"})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_plan")


async def test_closing_twice_changes_nothing(client: httpx.AsyncClient) -> None:
    link = await made(client, **COFFEE)
    first = await client.post(f"/v1/links/{link['reference']}/close")
    assert (await client.post(f"/v1/links/{link['reference']}/close")).json() == first.json()


async def test_an_unknown_link_shows_nothing(client: httpx.AsyncClient, visitor: Any) -> None:
    async with visitor() as one:
        assert (await one.get("/l/2222222222")).status_code == 404
        assert (await one.post("/l/2222222222")).status_code == 404
    assert (await client.get("/v1/links/lnk_x")).status_code == 404
    assert (await client.post("/v1/links/lnk_x/close")).status_code == 404
    assert (await client.get("/v1/links/lnk_x/qr.png")).status_code == 404


async def test_a_link_that_is_gone_makes_no_payment(service: Service) -> None:
    with pytest.raises(NotFound):
        await service.run("payer", lambda work: selling.pay(work, "2222222222", entered=None))
