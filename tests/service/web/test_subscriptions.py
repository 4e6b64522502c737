"""Subscriptions and plans over HTTP: the one question, the changes, and what is refused."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.operations.ledger import credit
from bakong_service.operations.payments.settling import settle
from bakong_service.storage.payments import payments
from bakong_service.web.http.service import Service
from kit.service import ServiceOf, client_of

pytestmark = pytest.mark.anyio

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # what is refused never gets to it


async def pay(service: Service, payment: dict[str, Any]) -> None:
    """The payer pays what a QR asks for, and the watcher finds it."""
    now = service.clock.now()
    found = await service.executor.read(lambda connection: payments.by_reference(connection, payment["reference"]))
    assert found is not None
    sighting = Sighting(
        tx_hash=found.md5 * 2,
        amount=found.amount.decimal,
        currency=found.amount.currency,
        to_account=found.to_account,
        sent_at=now,
    )
    outcome = Outcome(answer=Answer.FOUND, asked_at=now, sighting=sighting)
    await service.run("user", lambda work: settle(work, found.id, outcome))


async def subscribe(client: httpx.AsyncClient, service: Service, plan: str = "PREMIUM", user: str = "u1") -> str:
    """A user with a paid plan; the subscription's path."""
    made = await client.post("/v1/payments", json={"user_id": user, "plan": plan})
    assert made.status_code == 201, made.text
    await pay(service, made.json())
    reference = (await client.get(f"/v1/users/{user}/subscription")).json()["reference"]
    return f"/v1/subscriptions/{reference}"


async def test_the_one_question_is_answered_first(client: httpx.AsyncClient, service: Service) -> None:
    await subscribe(client, service)
    answer = await client.get("/v1/users/u1/subscription")
    subscription = answer.json()
    assert answer.status_code == 200
    assert list(subscription)[:2] == ["object", "entitled_until"]
    assert (subscription["object"], subscription["status"], subscription["plan"]) == (
        "subscription",
        "active",
        "PREMIUM",
    )
    assert subscription["current_period"]["ends_at"] == subscription["entitled_until"]
    assert subscription["credit"] == {"amount": "0.00", "currency": "USD"}
    assert subscription["open_payment"] is None
    assert (await client.get(f"/v1/subscriptions/{subscription['reference']}")).json() == subscription


async def test_a_user_without_a_subscription_is_a_404(client: httpx.AsyncClient) -> None:
    for path in ("/v1/users/nobody/subscription", "/v1/subscriptions/sub_none", "/v1/subscriptions/sub_none/history"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_subscription")


async def test_the_answer_is_right_to_the_second_though_no_worker_runs(
    client: httpx.AsyncClient, service: Service
) -> None:
    await subscribe(client, service)
    for days, status in ((29.9, "active"), (0.2, "past_due"), (3, "expired")):
        service.clock.offset += timedelta(days=days)
        answer = (await client.get("/v1/users/u1/subscription")).json()
        assert answer["status"] == status
    assert (await client.get("/v1/subscriptions")).json()["data"][0]["status"] == "expired"


async def test_the_renewal_is_ready_when_its_time_has_come(client: httpx.AsyncClient, service: Service) -> None:
    await subscribe(client, service)
    service.clock.offset += timedelta(days=24)
    open_payment = (await client.get("/v1/users/u1/subscription")).json()["open_payment"]
    assert (open_payment["purpose"], open_payment["amount"], open_payment["status"]) == ("renewal", "0.50", "pending")
    assert (await client.get(f"/v1/payments/{open_payment['reference']}")).json()["qr"].startswith("000201")


async def test_every_change_answers_with_the_subscription_as_it_is_then(
    client: httpx.AsyncClient, service: Service
) -> None:
    path = await subscribe(client, service, "FAMILY_PREMIUM")
    downgraded = await client.post(f"{path}/downgrade", json={"plan": "PREMIUM"})
    assert (downgraded.status_code, downgraded.json()["scheduled_plan"]) == (200, "PREMIUM")
    cancelled = await client.post(f"{path}/cancel", json={"reason": "too dear"})
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancelled.json()["cancel_reason"] == "too dear"
    resumed = await client.post(f"{path}/resume")
    assert (resumed.status_code, resumed.json()["status"]) == (200, "active")
    now = await client.post(f"{path}/downgrade", json={"plan": "PREMIUM", "at": "now"})
    assert now.json()["credit"] == {"amount": "0.50", "currency": "USD"}
    ended = await client.post(f"{path}/cancel", json={"at": "now"})
    assert (ended.json()["status"], ended.json()["open_payment"]) == ("expired", None)
    assert ended.json() == (await client.get(path)).json()


async def test_an_upgrade_is_previewed_quoted_and_paid(client: httpx.AsyncClient, service: Service) -> None:
    path = await subscribe(client, service)
    key = {"Idempotency-Key": "upgrade-1"}
    preview = await client.post(f"{path}/upgrade", json={"plan": "FAMILY_PREMIUM", "preview": True}, headers=key)
    assert preview.status_code == 200
    assert (preview.json()["amount"], preview.json()["currency"]) == ("0.50", "USD")
    assert (await client.get(path)).json()["open_payment"] is None
    asked = await client.post(f"{path}/upgrade", json={"plan": "FAMILY_PREMIUM"}, headers=key)  # it kept nothing
    assert asked.status_code == 201
    assert set(asked.json()) == {"quote", "payment", "subscription"}
    payment = asked.json()["payment"]
    assert (payment["purpose"], payment["amount"], payment["subscription"]) == ("upgrade", "0.50", path.split("/")[-1])
    assert asked.json()["subscription"]["open_payment"]["reference"] == payment["reference"]
    await pay(service, payment)
    assert (await client.get(path)).json()["plan"] == "FAMILY_PREMIUM"


async def test_an_upgrade_with_nothing_to_charge_answers_200_without_a_payment(
    client: httpx.AsyncClient, service: Service
) -> None:
    path = await subscribe(client, service)
    service.clock.offset += timedelta(days=30) - timedelta(minutes=5)
    asked = await client.post(f"{path}/upgrade", json={"plan": "FAMILY_PREMIUM"})
    assert (asked.status_code, asked.json()["payment"]) == (200, None)
    assert asked.json()["subscription"]["plan"] == "FAMILY_PREMIUM"


async def test_a_renewal_is_a_payment_or_credit(client: httpx.AsyncClient, service: Service) -> None:
    path = await subscribe(client, service)
    asked = await client.post(f"{path}/renew")
    assert (asked.status_code, asked.json()["payment"]["purpose"]) == (201, "renewal")
    await service.run(
        "operator:dara",
        lambda work: credit.grant(
            work,
            "u1",
            Money(50, "USD"),
            reason="granted",
        ),
    )
    paid = await client.post(f"{path}/renew")
    assert (paid.status_code, paid.json()["payment"]) == (200, None)
    assert paid.json()["subscription"]["paid_until"] > asked.json()["subscription"]["paid_until"]


async def test_a_renewal_sent_twice_with_one_key_is_made_once(client: httpx.AsyncClient, service: Service) -> None:
    path = await subscribe(client, service)
    headers = {"Idempotency-Key": "renew-1"}
    first = await client.post(f"{path}/renew", headers=headers)
    second = await client.post(f"{path}/renew", headers=headers)
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"


async def test_what_cant_be_is_a_409_with_what_to_do_instead(client: httpx.AsyncClient, service: Service) -> None:
    path = await subscribe(client, service)
    answer = await client.post("/v1/payments", json={"user_id": "u1", "plan": "FAMILY_PREMIUM"})
    assert (answer.status_code, answer.json()["code"]) == (409, "upgrade_instead")
    assert f"POST {path}/upgrade" in answer.json()["detail"]
    resumed = await client.post(f"{path}/resume")
    assert (resumed.status_code, resumed.json()["code"]) == (409, "not_cancelled")


@pytest.mark.parametrize(
    ("action", "body", "pointer"),
    [
        ("upgrade", {}, "/plan"),
        ("upgrade", {"plan": "FAMILY_PREMIUM", "amount": "0.01"}, "/amount"),
        ("upgrade", {"plan": "FAMILY_PREMIUM", "preview": "yes"}, "/preview"),
        ("upgrade", {"plan": "NOTHING"}, "/plan"),
        ("downgrade", {"plan": 7}, "/plan"),
        ("downgrade", {"plan": "PREMIUM", "at": "soon"}, "/at"),
        ("cancel", {"reason": ""}, "/reason"),
        ("cancel", {"reason": "r" * 201}, "/reason"),
        ("cancel", {"at": None}, "/at"),
        ("renew", {"free": True}, "/free"),
        ("resume", {"plan": "PREMIUM"}, "/plan"),
    ],
)
@ON_SQLITE
async def test_a_bad_body_is_refused_with_pointer_and_rule(
    client: httpx.AsyncClient, service: Service, action: str, body: dict[str, Any], pointer: str
) -> None:
    path = await subscribe(client, service)
    before = (await client.get(path)).json()
    answer = await client.post(f"{path}/{action}", json=body)
    assert answer.status_code == 422, answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert all(fault["message"] for fault in answer.json()["errors"])
    assert (await client.get(path)).json() == before


async def test_the_history_is_told_newest_first_and_pages_both_ways(
    client: httpx.AsyncClient, service: Service
) -> None:
    path = await subscribe(client, service)
    for action in ("cancel", "resume", "cancel"):
        await client.post(f"{path}/{action}")
    everything = (await client.get(f"{path}/history")).json()
    assert [change["version"] for change in everything["data"]] == [4, 3, 2, 1]
    assert everything["data"][-1]["actor"] == "system:watcher"
    assert everything["data"][0]["actor"] == "api:main"
    page = (await client.get(f"{path}/history?limit=2")).json()
    assert ([change["version"] for change in page["data"]], page["has_more"]) == ([4, 3], True)
    following = (await client.get(f"{path}/history", params={"starting_after": page["next_cursor"]})).json()
    assert ([change["version"] for change in following["data"]], following["has_more"]) == ([2, 1], False)
    params = {"ending_before": following["next_cursor"], "limit": 3}
    assert [change["version"] for change in (await client.get(f"{path}/history", params=params)).json()["data"]] == [
        4, 3, 2,
    ]  # fmt: skip


async def test_subscriptions_are_listed_and_filtered(client: httpx.AsyncClient, service: Service) -> None:
    for user, plan in (("a", "PREMIUM"), ("b", "FAMILY_PREMIUM"), ("c", "PREMIUM")):
        await subscribe(client, service, plan, user)
    await client.post(
        "/v1/subscriptions/" + (await client.get("/v1/users/c/subscription")).json()["reference"] + "/cancel"
    )

    async def users(query: str) -> list[str]:
        return [each["user_id"] for each in (await client.get(f"/v1/subscriptions{query}")).json()["data"]]

    assert await users("") == ["c", "b", "a"]
    assert await users("?plan=PREMIUM") == ["c", "a"]
    assert await users("?status=cancelled") == ["c"]
    assert await users("?user_id=b") == ["b"]
    first = (await client.get("/v1/subscriptions?limit=1")).json()
    assert await users(f"?starting_after={first['next_cursor']}") == ["b", "a"]
    second = (await client.get(f"/v1/subscriptions?limit=1&starting_after={first['next_cursor']}")).json()
    assert await users(f"?ending_before={second['next_cursor']}") == ["c"]
    refused = await client.get("/v1/subscriptions?status=paid")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "?status")


async def test_plans_are_listed_and_offered(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/v1/plans")).json()
    assert [(plan["code"], plan["amount"], plan["currency"], plan["period_seconds"]) for plan in listed["data"]] == [
        ("FAMILY_PREMIUM", "1.00", "USD", 2_592_000), ("PREMIUM", "0.50", "USD", 2_592_000),
    ]  # fmt: skip
    gold = {"code": "GOLD", "name": "មាស", "amount": "12000", "currency": "KHR", "period_days": 90}
    offered = await client.post("/v1/plans", json=gold)
    assert (offered.status_code, offered.json()["version"], offered.json()["period_seconds"]) == (201, 1, 7_776_000)
    dearer = await client.post("/v1/plans", json={**gold, "amount": "15000"})
    assert (dearer.json()["version"], dearer.json()["amount"]) == (2, "15000")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"code": "gold"}, "/code"),
        ({"name": "  "}, "/name"),
        ({"amount": 1.5}, "/amount"),
        ({"amount": "0.505"}, "/amount"),
        ({"amount": "0"}, "/amount"),
        ({"currency": "EUR"}, "/currency"),
        ({"period_days": 0}, "/period_days"),
        ({"period_days": 1.5}, "/period_days"),
        ({"code": "PREMIUM", "currency": "KHR", "amount": "2000"}, "/currency"),
        ({"currency": "KHR", "amount": "50"}, "/amount"),
    ],
)
@ON_SQLITE
async def test_a_bad_plan_is_refused_and_nothing_is_sold(
    client: httpx.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    gold = {"code": "GOLD", "name": "Gold", "amount": "2.00", "currency": "USD"}
    answer = await client.post("/v1/plans", json={**gold, **change})
    assert answer.status_code == 422, answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert len((await client.get("/v1/plans")).json()["data"]) == 2


async def test_a_plan_is_withdrawn_from_sale_and_offered_again(client: httpx.AsyncClient) -> None:
    withdrawn = await client.post("/v1/plans/PREMIUM/withdraw")
    assert (withdrawn.status_code, withdrawn.json()["on_sale"]) == (200, False)
    listed = {plan["code"]: plan["on_sale"] for plan in (await client.get("/v1/plans")).json()["data"]}
    assert listed == {"FAMILY_PREMIUM": True, "PREMIUM": False}
    refused = await client.post("/v1/payments", json={"user_id": "u", "plan": "PREMIUM"})
    assert (refused.status_code, refused.json()["code"]) == (409, "plan_withdrawn")
    terms = {"code": "PREMIUM", "name": "Premium", "amount": "0.50", "currency": "USD"}
    offered = await client.post("/v1/plans", json=terms)
    assert (offered.json()["on_sale"], offered.json()["version"]) == (True, 1)
    unknown = await client.post("/v1/plans/GOLD/withdraw")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "plan_not_found")


async def test_where_a_plans_file_is_set_nobody_else_says_what_is_sold(service_of: ServiceOf, tmp_path: Path) -> None:
    file = tmp_path / "plans.json"
    terms = {"code": "PREMIUM", "name": "Premium", "price": "0.50", "currency": "USD"}
    file.write_text(json.dumps({"plans": [terms]}), encoding="utf-8")
    async with client_of(service_of(PLANS_FILE=str(file))) as client:
        dearer = {"code": "PREMIUM", "name": "Premium", "amount": "5.00", "currency": "USD"}
        for refused in (await client.post("/v1/plans", json=dearer), await client.post("/v1/plans/PREMIUM/withdraw")):
            assert (refused.status_code, refused.json()["code"]) == (409, "kept_by_plans_file")
            assert str(file) in refused.json()["detail"]
        assert {plan["version"] for plan in (await client.get("/v1/plans")).json()["data"]} == {1}
