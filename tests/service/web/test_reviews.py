"""The review queue and refunds over HTTP, from money that doesn't match."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.operations.payments import requests as operations
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.payments import payments
from bakong_service.web.http.service import Service
from kit.service import ServiceOf, client_of

pytestmark = pytest.mark.anyio


async def money_came(service: Service, reference: str, amount: str) -> None:
    """Let the watcher find money for a payment."""
    now = service.clock.now()
    sighting = Sighting(
        tx_hash=f"hash-of-{reference}", amount=Decimal(amount), currency="USD", to_account="sokha@aclb", sent_at=now
    )
    outcome = Outcome(answer=Answer.FOUND, asked_at=now, sighting=sighting)

    def settle(work: UnitOfWork) -> None:
        payment = payments.by_reference(work.connection, reference)
        assert payment is not None
        operations.settle(work, payment.id, outcome)

    await service.run("user", settle)


@pytest.fixture
async def underpaid(client: httpx.AsyncClient, service: Service) -> dict[str, Any]:
    """A payment of 2.50 dollars for which 0.01 came."""
    payment = (await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD", "user_id": "me"})).json()
    await money_came(service, payment["reference"], "0.01")
    read: dict[str, Any] = (await client.get(payment["links"]["self"])).json()
    assert read["status"] == "review"
    return read


async def open_items(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get("/v1/reviews")).json()["data"]
    return items


async def test_money_that_doesnt_match_waits_for_a_person(client: httpx.AsyncClient, underpaid: dict[str, Any]) -> None:
    (item,) = await open_items(client)
    assert (item["payment"], item["resolved_at"]) == (underpaid["reference"], None)
    assert (await client.get(f"/v1/reviews/{item['reference']}")).json() == item
    (receipt,) = (await client.get(f"{underpaid['links']['self']}/receipts")).json()["data"]
    assert (receipt["amount"], receipt["disposition"]) == ("0.01", "open")


@pytest.mark.parametrize(
    ("action", "note", "status"),
    [
        ("accept", None, "paid"),
        ("credit", None, "paid"),
        ("refunded", "FT42", "refunded"),
        ("not_ours", "test", "timeout"),
    ],
)
async def test_each_decision_has_its_end(
    client: httpx.AsyncClient, underpaid: dict[str, Any], action: str, note: str | None, status: str
) -> None:
    (item,) = await open_items(client)
    here = f"/v1/reviews/{item['reference']}/resolve"
    decided = await client.post(here, json={"action": action, "note": note})
    assert decided.status_code == 200, decided.text
    assert decided.json()["status"] == status
    assert await open_items(client) == []
    (kept,) = (await client.get("/v1/reviews", params={"status": "all"})).json()["data"]
    assert (kept["action"], kept["operator"], kept["note"]) == (action, "api:main", note)
    again = await client.post(here, json={"action": "accept"})
    assert (again.status_code, again.json()["code"]) == (409, "review_resolved")


async def test_some_decisions_need_a_note(client: httpx.AsyncClient, underpaid: dict[str, Any]) -> None:
    (item,) = await open_items(client)
    refused = await client.post(f"/v1/reviews/{item['reference']}/resolve", json={"action": "refunded"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/note")
    unknown = await client.post(f"/v1/reviews/{item['reference']}/resolve", json={"action": "forget"})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/action")


async def test_a_refund_is_recorded_once(client: httpx.AsyncClient, service: Service) -> None:
    payment = (await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD"})).json()
    here = f"/v1/payments/{payment['reference']}/refund"
    early = await client.post(here, json={"refund_reference": "FT42"})
    assert (early.status_code, early.json()["code"]) == (409, "payment_pending")
    await money_came(service, payment["reference"], "2.50")
    refunded = await client.post(here, json={"refund_reference": "FT42"})
    assert (refunded.status_code, refunded.json()["status"]) == (200, "refunded")
    assert (await client.post(here, json={"refund_reference": "FT42"})).status_code == 409


async def test_unknown_items_are_404(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/reviews/rev_none")).status_code == 404
    assert (await client.post("/v1/reviews/rev_none/resolve", json={"action": "accept"})).status_code == 404


async def test_the_budget_of_the_day_is_told(service_of: ServiceOf) -> None:
    async with client_of(service_of(BAKONG_DAILY_LIMIT="100")) as client:
        budget = (await client.get("/v1/budget")).json()
    assert (budget["limit"], budget["used"], budget["budget_remaining"]) == (100, 0, 100)
    assert budget["payments_affordable"] > 50
    assert (budget["mode"], budget["mode_reason"], budget["mode_since"]) == ("starved", "few_calls_left", None)
    async with client_of(service_of(BAKONG_DAILY_LIMIT="off")) as client:
        assert (await client.get("/v1/budget")).json()["mode"] == "bulk"


async def test_verification_holds_over_what_was_done_here(
    client: httpx.AsyncClient, service: Service, underpaid: dict[str, Any]
) -> None:
    assert (await client.get("/v1/verify")).json() == {"object": "verification", "holds": True, "violations": []}
