"""Lists over HTTP: each is read in both directions, and finds what somebody who closes a day looks for."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.operations.payments.settling import settle
from bakong_service.storage.payments import payments as rows
from bakong_service.web.http.service import Service

pytestmark = pytest.mark.anyio


async def made(client: httpx.AsyncClient, **asked: Any) -> str:
    answer = await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD", **asked})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["reference"])


async def pay(service: Service, reference: str, **differently: Any) -> None:
    payment = await service.executor.read(lambda c: rows.by_reference(c, reference))
    assert payment is not None
    now = service.clock.now()
    seen: dict[str, Any] = {"amount": payment.amount.decimal, "currency": payment.amount.currency} | differently
    sighting = Sighting(tx_hash=f"{payment.id:064x}", to_account=payment.to_account, sent_at=now, **seen)
    outcome = Outcome(answer=Answer.FOUND, asked_at=now, sighting=sighting)
    await service.run("system:watcher", lambda work: settle(work, payment.id, outcome))


async def found(client: httpx.AsyncClient, path: str, **filters: str) -> list[str]:
    answer = await client.get(path, params=filters)
    assert answer.status_code == 200, answer.text
    return [each["reference"] for each in answer.json()["data"]]


async def payments(client: httpx.AsyncClient) -> None:
    for number in range(5):
        await made(client, user_id=f"u{number}")


async def keys(client: httpx.AsyncClient) -> None:
    for number in range(5):
        await client.post("/v1/keys", json={"name": f"k{number}", "scopes": ["admin"]})


@pytest.mark.parametrize(("path", "fill"), [("/v1/payments", payments), ("/v1/keys", keys)])
async def test_a_list_is_read_forwards_and_back(
    client: httpx.AsyncClient, path: str, fill: Callable[[httpx.AsyncClient], Any]
) -> None:
    await fill(client)
    whole = (await client.get(path)).json()["data"]
    assert len(whole) == 5
    first = (await client.get(path, params={"limit": "2"})).json()
    second = (await client.get(path, params={"limit": "2", "starting_after": first["next_cursor"]})).json()
    third = (await client.get(path, params={"limit": "2", "starting_after": second["next_cursor"]})).json()
    assert [page["has_more"] for page in (first, second, third)] == [True, True, False]
    assert first["data"] + second["data"] + third["data"] == whole
    back = (await client.get(path, params={"limit": "2", "ending_before": third["previous_cursor"]})).json()
    assert back["data"] == second["data"]
    start = (await client.get(path, params={"limit": "2", "ending_before": back["previous_cursor"]})).json()
    assert (start["data"], start["has_more"]) == (first["data"], False)


async def test_receipts_are_read_in_pages(client: httpx.AsyncClient, service: Service) -> None:
    reference = await made(client)
    path = f"/v1/payments/{reference}/receipts"
    empty = (await client.get(path)).json()
    assert (empty["data"], empty["next_cursor"], empty["previous_cursor"]) == ([], None, None)
    await pay(service, reference)
    payment = await service.executor.read(lambda c: rows.by_reference(c, reference))
    assert payment is not None
    again = Sighting(
        tx_hash="f" * 64, amount=payment.amount.decimal, currency="USD", to_account=payment.to_account,
        sent_at=service.clock.now(),
    )  # fmt: skip
    outcome = Outcome(answer=Answer.FOUND, asked_at=service.clock.now(), sighting=again)
    await service.run("system:watcher", lambda work: settle(work, payment.id, outcome))
    newest = (await client.get(path, params={"limit": "1"})).json()
    oldest = (await client.get(path, params={"limit": "1", "starting_after": newest["next_cursor"]})).json()
    assert [each["data"][0]["disposition"] for each in (newest, oldest)] == ["open", "applied"]
    assert (newest["has_more"], oldest["has_more"]) == (True, False)


async def test_payments_are_found_by_what_is_known_of_them(client: httpx.AsyncClient, service: Service) -> None:
    order = await made(client, metadata={"order": "7", "table": "a b"}, description="Iced latte 50%")
    other = await made(client, metadata={"order": "77"}, description="iced tea", user_id="u1")
    riel = await made(client, amount="4000", currency="KHR", metadata={"table": "7"})
    plan = await made(client, amount=None, currency=None, user_id="u2", plan="PREMIUM")
    begun = service.clock.now()
    service.clock.offset += timedelta(minutes=5)
    await pay(service, other)
    await pay(service, plan, amount=Decimal(1))
    paid_at = (begun + timedelta(minutes=4)).isoformat()
    assert await found(client, "/v1/payments", **{"metadata[order]": "7"}) == [order]
    assert await found(client, "/v1/payments", **{"metadata[order]": "7", "metadata[table]": "a b"}) == [order]
    assert await found(client, "/v1/payments", **{"metadata[order]": "7", "metadata[table]": "7"}) == []
    assert await found(client, "/v1/payments", plan="PREMIUM") == [plan]
    assert await found(client, "/v1/payments", currency="KHR") == [riel]
    assert await found(client, "/v1/payments", amount="2.50", currency="USD") == [other, order]
    assert await found(client, "/v1/payments", amount="2.5", currency="USD", user_id="u1") == [other]
    assert await found(client, "/v1/payments", paid_from=paid_at) == [other]
    assert await found(client, "/v1/payments", paid_until=paid_at) == []
    assert await found(client, "/v1/payments", description="Iced latte 50%", created_until=paid_at, user_id="u9") == []
    assert await found(client, "/v1/payments", description="Iced", created_from="2020-01-01T00:00:00Z") == [order]
    assert await found(client, "/v1/payments", description="iced", user_id="u1") == [other]


async def test_payments_are_found_by_a_flag(client: httpx.AsyncClient, service: Service) -> None:
    late, _ = await made(client), await made(client)
    service.clock.offset += timedelta(minutes=20)
    await pay(service, late)
    assert await found(client, "/v1/payments", flag="late") == [late]
    assert await found(client, "/v1/payments", flag="reversed") == []


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("amount=2.50", ["?currency"]),
        ("amount=2.555&currency=USD", ["?amount"]),
        ("amount=0.5&currency=KHR", ["?amount"]),
        ("currency=EUR", ["?currency"]),
        ("flag=odd", ["?flag"]),
        ("description=Coffee", ["?description"]),
        ("metadata=7", ["?metadata"]),
        ("metadata[]=7", ["?metadata[]"]),
        ("metadata[a]=1&metadata[a]=2", ["?metadata[a]"]),
        ("metadata[a]=" + "x" * 501, ["?metadata[a]"]),
        ("&".join(f"metadata[{n}]=1" for n in range(6)), ["?metadata"]),
        ("plan[a]=7", ["?plan[a]"]),
        ("paid_from=2026&paid_until=soon", ["?paid_from", "?paid_until"]),
    ],
)
async def test_a_filter_that_says_nothing_is_refused_with_its_place(
    client: httpx.AsyncClient, query: str, faults: list[str]
) -> None:
    answer = await client.get(f"/v1/payments?{query}")
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == faults


async def test_subscriptions_are_found_by_plan_status_and_the_end_of_their_period(
    client: httpx.AsyncClient, service: Service
) -> None:
    for user, plan in (("u1", "PREMIUM"), ("u2", "FAMILY_PREMIUM")):
        await pay(service, await made(client, amount=None, currency=None, user_id=user, plan=plan))
        service.clock.offset += timedelta(days=1)
    [family] = await found(client, "/v1/subscriptions", plan="FAMILY_PREMIUM")
    [premium] = await found(client, "/v1/subscriptions", plan="PREMIUM", status="active")
    ends = (await client.get(f"/v1/subscriptions/{family}")).json()["current_period"]["ends_at"]
    assert await found(client, "/v1/subscriptions", period_end_from=ends) == [family]
    assert await found(client, "/v1/subscriptions", period_end_until=ends) == [premium]


async def test_deliveries_are_found_by_their_time(client: httpx.AsyncClient) -> None:
    for name in ("created_from", "created_until"):
        answer = await client.get("/v1/deliveries", params={name: "2026-11-01T00:00:00Z"})
        assert (answer.status_code, answer.json()["data"]) == (200, [])
        assert (await client.get("/v1/deliveries", params={name: "now"})).status_code == 422


async def test_what_was_taken_is_told_as_json_and_csv(client: httpx.AsyncClient, service: Service) -> None:
    await pay(service, await made(client, user_id="u1"))
    await pay(service, await made(client, amount=None, currency=None, user_id="u2", plan="PREMIUM"))
    day = (service.clock.now() + timedelta(hours=7)).date()
    query = {"from": day.isoformat(), "until": (day + timedelta(days=1)).isoformat()}
    answer = (await client.get("/v1/reports/takings", params=query)).json()
    nothing = {"refunded": "0.00", "credited": "0.00", "review": "0.00"}
    lines = [
        {"period": str(day), "currency": "USD", "plan": plan, "paid_net": paid, **nothing}
        for plan, paid in ((None, "2.50"), ("PREMIUM", "0.50"))
    ]
    assert answer == {"object": "takings", "by": "day", "data": lines}
    month = (await client.get("/v1/reports/takings", params=query | {"by": "month"})).json()
    assert [line["period"] for line in month["data"]] == [str(day)[:7]] * 2
    asked = await client.get("/v1/reports/takings", params=query | {"format": "csv"})
    accepted = await client.get("/v1/reports/takings", params=query, headers={"Accept": "text/csv"})
    assert asked.text == accepted.text
    assert asked.headers["content-type"] == "text/csv; charset=utf-8"
    assert asked.text.splitlines() == [
        "period,currency,plan,paid_net,refunded,credited,review",
        f"{day},USD,,2.50,0.00,0.00,0.00",
        f"{day},USD,PREMIUM,0.50,0.00,0.00,0.00",
    ]


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("", ["?from", "?until"]),
        ("from=2026-11-01&until=2026-11-01", ["?until"]),
        ("from=2026-11-01&until=2027-11-03", ["?until"]),
        ("from=2026-11-31&until=2026-12-01&by=week", ["?from", "?by"]),
        ("from_=2026-11-01&until=2026-12-01", ["?from", "?from_"]),
    ],
)
async def test_a_report_over_no_time_or_too_much_is_refused(
    client: httpx.AsyncClient, query: str, faults: list[str]
) -> None:
    answer = await client.get(f"/v1/reports/takings?{query}")
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == faults


async def test_a_browser_that_follows_a_finished_payment_is_told_once_and_stops(
    client: httpx.AsyncClient, service: Service
) -> None:
    reference = await made(client)
    await pay(service, reference)
    path = f"/v1/payments/{reference}/events"
    first = await client.get(path)
    assert (first.status_code, first.text.count("event: payment"), "id: 2" in first.text) == (200, 1, True)
    again = await client.get(path, headers={"Last-Event-ID": "2"})
    assert (again.status_code, again.content) == (204, b"")
    behind = await client.get(path, headers={"Last-Event-ID": "1"})
    assert (behind.status_code, '"status":"paid"' in behind.text) == (200, True)


async def test_a_browser_that_comes_again_gets_only_what_is_new(client: httpx.AsyncClient, service: Service) -> None:
    reference = await made(client)
    service.stopping.set()  # so that the stream of an open payment ends at once
    path = f"/v1/payments/{reference}/events"
    assert (await client.get(path)).text.count("event: payment") == 1
    assert (await client.get(path, headers={"Last-Event-ID": "1"})).text.count("event: payment") == 0
