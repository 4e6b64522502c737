"""Where the money is, over HTTP: a payment's value, credit that an operator gives, and previews that store nothing."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import httpx
import msgspec
import pytest
from sqlalchemy import Connection, func, select

from bakong_service import resources
from bakong_service.domain.outcome import Answer, Outcome
from bakong_service.operations.payments.settling import settle
from bakong_service.storage import schema
from bakong_service.storage.payments import payments
from bakong_service.storage.webhooks import outbox
from bakong_service.web.http.service import Service
from kit.service import ServiceOf, client_of, pay

pytestmark = pytest.mark.anyio

PLACES = ("served", "periods", "credit", "set_aside", "review", "returned", "lost")


def holds(value: dict[str, Any], shape: type[Any]) -> None:
    assert value.keys() == {field.name for field in attrs.fields(shape)}
    msgspec.convert(value, shape)


async def bought(client: httpx.AsyncClient, service: Service, plan: str = "PREMIUM") -> tuple[str, str]:
    """A user with a paid plan: the payment's reference, and the subscription's path."""
    made = (await client.post("/v1/payments", json={"user_id": "u1", "plan": plan})).json()
    await pay(service, made["reference"])
    subscription = (await client.get("/v1/users/u1/subscription")).json()
    return made["reference"], f"/v1/subscriptions/{subscription['reference']}"


async def value(client: httpx.AsyncClient, reference: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/v1/payments/{reference}")).json()["value"]
    return found


def some(found: dict[str, Any]) -> dict[str, str]:
    """The places that hold something."""
    return {name: found[name] for name in PLACES if float(found[name])}


async def stored(service: Service) -> dict[str, int]:
    """How many rows each table has."""

    def count(connection: Connection) -> dict[str, int]:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in schema.metadata.sorted_tables
        }

    return await service.executor.read(count)


async def test_the_places_of_a_payment_add_up_to_what_came(client: httpx.AsyncClient, service: Service) -> None:
    reference, path = await bought(client, service, "FAMILY_PREMIUM")
    assert some(await value(client, reference)) == {"periods": "1.00"}
    service.clock.offset += timedelta(days=15)
    await client.post(f"{path}/downgrade", json={"plan": "PREMIUM", "at": "now"})
    after = await value(client, reference)
    assert (after["received"], after["currency"], after["others"]) == ("1.00", "USD", [])
    assert some(after) == {"served": "0.50", "periods": "0.25", "credit": "0.25"}


async def test_a_payment_that_nothing_came_for_has_all_its_places_empty(client: httpx.AsyncClient) -> None:
    made = (await client.post("/v1/payments", json={"amount": "4000", "currency": "KHR"})).json()
    found = await value(client, made["reference"])
    assert found == {"currency": "KHR", "received": "0", "refundable": "0", "others": []} | dict.fromkeys(PLACES, "0")


async def test_money_of_another_currency_is_told_apart(client: httpx.AsyncClient, service: Service) -> None:
    made = (await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD"})).json()
    await pay(service, made["reference"], amount=Decimal(4000), currency="KHR")
    found = await value(client, made["reference"])
    assert (found["received"], some(found)) == ("0.00", {})
    [other] = found["others"]
    assert (other["currency"], other["received"], some(other)) == ("KHR", "4000", {"review": "4000"})


async def test_money_of_another_currency_is_not_refunded_with_the_payments_own(
    client: httpx.AsyncClient, service: Service
) -> None:
    made = (await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD"})).json()
    await pay(service, made["reference"])
    await pay(service, made["reference"], amount=Decimal(4000), currency="KHR")
    found = await value(client, made["reference"])
    assert (found["received"], found["refundable"]) == ("2.50", "2.50")
    [other] = found["others"]
    assert (other["currency"], other["received"], other["refundable"]) == ("KHR", "4000", "0")


# Credit by an operator


async def give(client: httpx.AsyncClient, amount: str, key: str | None = None, **changes: Any) -> httpx.Response:
    body = {"amount": amount, "currency": "USD", "reason": "goodwill", **changes}
    return await client.post("/v1/users/u1/credit", json=body, headers={"Idempotency-Key": key} if key else {})


async def test_credit_is_given_removed_and_spent(client: httpx.AsyncClient, service: Service) -> None:
    given = await give(client, "0.30")
    assert given.status_code == 201
    assert (given.json()["amount"], given.json()["balance"]) == ("0.30", "0.30")
    removed = (await give(client, "-0.10")).json()
    assert (removed["amount"], removed["balance"], removed["user_id"]) == ("-0.10", "0.20", "u1")
    bought_with_it = (await client.post("/v1/payments", json={"user_id": "u1", "plan": "PREMIUM"})).json()
    assert bought_with_it["amount"] == "0.30"
    assert (await client.get("/v1/verify")).json()["violations"] == []


async def test_credit_is_given_by_name_and_with_a_reason(client: httpx.AsyncClient) -> None:
    given = (await give(client, "0.30")).json()
    await give(client, "-0.30", reason="given twice")
    lines = [each for each in (await client.get("/v1/audit")).json()["data"] if each["action"].startswith("credit.")]
    assert [(line["action"], line["actor"], line["details"]["reason"]) for line in lines] == [
        ("credit.removed", "api:main", "given twice"), ("credit.given", "api:main", "goodwill"),
    ]  # fmt: skip
    assert lines[1]["subject"] == given["reference"]


async def test_credit_that_is_sent_twice_with_one_key_is_given_once(client: httpx.AsyncClient) -> None:
    first, second = await give(client, "0.30", "k"), await give(client, "0.30", "k")
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    another = await give(client, "0.40", "k")
    assert (another.status_code, another.json()["code"]) == (422, "idempotency_key_reused")
    assert (await give(client, "0.01")).json()["balance"] == "0.31"


async def test_no_more_credit_is_removed_than_there_is(client: httpx.AsyncClient) -> None:
    await give(client, "0.30")
    refused = await give(client, "-0.31")
    assert (refused.status_code, refused.json()["code"]) == (409, "credit_too_small")
    assert "0.30 USD" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"amount": "0"}, "/amount"),
        ({"amount": "-0.00"}, "/amount"),
        ({"amount": "--1"}, "/amount"),
        ({"amount": "0.001"}, "/amount"),
        ({"amount": 1.5}, "/amount"),
        ({"amount": "1.00", "currency": "EUR"}, "/currency"),
        ({"amount": "1.00", "reason": ""}, "/reason"),
        ({"amount": "1.00", "reason": "  "}, "/reason"),
        ({"amount": "1.00", "reason": "r" * 501}, "/reason"),
        ({"amount": "1.00", "plan": "PREMIUM"}, "/plan"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_bad_credit_is_refused_with_pointer_and_rule(
    client: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    answer = await client.post("/v1/users/u1/credit", json={"currency": "USD", "reason": "goodwill", **body})
    assert answer.status_code == 422, answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_only_an_operator_gives_credit(client: httpx.AsyncClient, service: Service) -> None:
    key = (await client.post("/v1/keys", json={"name": "till", "scopes": ["payments:write"]})).json()["key"]
    async with client_of(service, key=key) as till:
        refused = await give(till, "1.00")
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")


async def test_live_mode_wants_a_key_for_credit(service_of: ServiceOf) -> None:
    live = service_of(MODE="live", BAKONG_BASE_URL="https://api-bakong.nbc.gov.kh")
    async with client_of(live) as client:
        refused = await give(client, "1.00")
    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency_key_required")


# Previews


async def test_a_preview_of_an_upgrade_says_what_moves_where(client: httpx.AsyncClient, service: Service) -> None:
    _, path = await bought(client, service)
    await give(client, "0.20")
    before = await stored(service)
    preview = await client.post(f"{path}/upgrade", json={"plan": "FAMILY_PREMIUM", "preview": True})
    assert preview.status_code == 200
    holds(preview.json(), resources.UpgradePreview)
    assert preview.json()["moves"] == {
        "periods": [{"period": 1, "amount": "0.50"}], "from_payment": "0.30", "from_credit": "0.20",
        "to_credit": "0.00", "waived": "0.00", "lost": "0.00", "currency": "USD",
    }  # fmt: skip
    assert await stored(service) == before
    upgraded = (await client.post(f"{path}/upgrade", json={"plan": "FAMILY_PREMIUM"})).json()
    assert upgraded["payment"]["amount"] == preview.json()["moves"]["from_payment"]
    assert upgraded.keys() == {field.name for field in attrs.fields(resources.Upgrade)}


async def test_a_preview_of_a_downgrade_says_what_becomes_credit(client: httpx.AsyncClient, service: Service) -> None:
    _, path = await bought(client, service, "FAMILY_PREMIUM")
    before = await stored(service)
    body = {"plan": "PREMIUM", "at": "now", "preview": True}
    now = (await client.post(f"{path}/downgrade", json=body)).json()
    holds(now, resources.DowngradePreview)
    assert (now["moves"]["to_credit"], now["moves"]["periods"]) == ("0.50", [{"period": 1, "amount": "-0.50"}])
    later = (await client.post(f"{path}/downgrade", json={**body, "at": "period_end"})).json()
    holds(later, resources.DowngradePreview)
    nothing = dict.fromkeys(("from_payment", "from_credit", "to_credit", "waived", "lost"), "0.00")
    assert later["moves"] == {"periods": [], **nothing, "currency": "USD"}
    assert await stored(service) == before
    done = (await client.post(f"{path}/downgrade", json={"plan": "PREMIUM", "at": "now"})).json()
    assert done["credit"]["amount"] == now["moves"]["to_credit"]


async def test_a_preview_says_what_one_period_gives_to_another(client: httpx.AsyncClient, service: Service) -> None:
    plan = {"code": "PREMIUM", "name": "Premium", "currency": "USD"}
    _, path = await bought(client, service)
    await client.post("/v1/plans", json={**plan, "amount": "1.50"})
    made = (await client.post("/v1/payments", json={"user_id": "u1", "plan": "PREMIUM"})).json()
    await pay(service, made["reference"])
    preview = (await client.post(f"{path}/upgrade", json={"plan": "FAMILY_PREMIUM", "preview": True})).json()
    assert preview["moves"]["periods"] == [{"period": 1, "amount": "0.50"}, {"period": 2, "amount": "-0.50"}]
    assert preview["moves"]["to_credit"] == "0.00"


async def test_a_preview_of_a_cancelling_says_what_is_lost(client: httpx.AsyncClient, service: Service) -> None:
    reference, path = await bought(client, service)
    subscription = (await client.get(path)).json()
    service.clock.offset += timedelta(days=15)
    before = await stored(service)
    now = (await client.post(f"{path}/cancel", json={"at": "now", "preview": True})).json()
    holds(now, resources.CancelPreview)
    assert (now["lost"], now["currency"]) == ("0.25", "USD")
    assert now["entitled_until"] < subscription["entitled_until"]
    later = (await client.post(f"{path}/cancel", json={"preview": True})).json()
    assert (later["lost"], later["entitled_until"]) == ("0.00", subscription["entitled_until"])
    assert await stored(service) == before
    assert (await client.get(path)).json()["status"] == "active"
    await client.post(f"{path}/cancel", json={"at": "now"})
    assert some(await value(client, reference)) == {"served": "0.25", "lost": now["lost"]}


@pytest.mark.parametrize("action", ["upgrade", "downgrade", "cancel"])
async def test_what_is_refused_is_refused_to_a_preview(
    client: httpx.AsyncClient, service: Service, action: str
) -> None:
    _, path = await bought(client, service)
    await client.post(f"{path}/cancel", json={"at": "now"})
    body = {"preview": True} | ({} if action == "cancel" else {"plan": "FAMILY_PREMIUM"})
    refused = await client.post(f"{path}/{action}", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "subscription_over")


# Refunds


async def reversed_by(service: Service, reference: str, kind: str) -> Any:
    """What the event of this kind says was taken back."""
    of_kind = (schema.events.c.subject == reference) & (schema.events.c.type == kind)

    def find(connection: Connection) -> Any:
        found = connection.execute(select(schema.events.c.id).where(of_kind)).scalar_one()
        return outbox.by_ids(connection, [found])[found].data["reversed"]

    return await service.executor.read(find)


async def test_a_refund_in_place_is_reversed_later_and_once(client: httpx.AsyncClient, service: Service) -> None:
    reference, path = await bought(client, service)
    body = {"refund_reference": "FT1"}
    assert (await client.post(f"/v1/payments/{reference}/refund", json=body)).json()["status"] == "refunded"
    assert (await client.get(path)).json()["status"] == "active"
    reversed_later = await client.post(f"/v1/payments/{reference}/refund", json={**body, "reverse": True})
    assert (reversed_later.status_code, reversed_later.json()["flags"]) == (200, ["reversed"])
    assert (await client.get(path)).json()["status"] == "expired"
    again = await client.post(f"/v1/payments/{reference}/refund", json={**body, "reverse": True})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_reverse")
    assert await reversed_by(service, reference, "payment.refunded") == {}
    assert await reversed_by(service, reference, "payment.reversed") == {"USD": {"period": "0.50"}}


async def test_money_that_was_never_seen_is_not_accepted(client: httpx.AsyncClient, service: Service) -> None:
    made = (await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD"})).json()
    service.clock.offset += timedelta(days=3)
    now = service.clock.now()
    found = await service.executor.read(lambda connection: payments.by_reference(connection, made["reference"]))
    assert found is not None
    outcome = Outcome(answer=Answer.NO_ANSWER, asked_at=now, reason="server_unavailable")
    await service.run("user", lambda work: settle(work, found.id, outcome))
    [item] = (await client.get("/v1/reviews")).json()["data"]
    refused = await client.post(f"/v1/reviews/{item['reference']}/resolve", json={"action": "accept"})
    assert (refused.status_code, refused.json()["code"]) == (409, "no_money_seen")
    assert f"POST /v1/payments/{made['reference']}/check" in refused.json()["detail"]
