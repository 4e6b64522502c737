"""Inbound notices: signed, recent, taken once, and only ever a hint."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from bakong_service import webhooks
from bakong_service.storage.schema import audit_log
from bakong_service.web.service import Service

pytestmark = pytest.mark.anyio

SECRET = "the-secret-of-notices-0123456789abcdef"
PATH = "/v1/notify/bakong"


@pytest.fixture
def service(service_of: Any) -> Service:
    made: Service = service_of(NOTIFY_SECRET=SECRET)
    return made


@pytest.fixture
async def payment(client: httpx.AsyncClient) -> dict[str, Any]:
    made: dict[str, Any] = (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).json()
    return made


async def notify(
    stranger: httpx.AsyncClient, service: Service, notice_id: str, *, secret: str = SECRET, age: int = 0, **body: Any
) -> httpx.Response:
    content = json.dumps(body).encode()
    at = service.clock.now() - timedelta(seconds=age)
    headers = webhooks.sign(notice_id, content, [secret], at=at) | {"Content-Type": "application/json"}
    return await stranger.post(PATH, content=content, headers=headers)


async def audited(service: Service, action: str) -> list[Any]:
    query = select(audit_log).where(audit_log.c.action == action)
    return await service.executor.read(lambda connection: list(connection.execute(query).mappings()))


async def test_a_notice_makes_the_watcher_look_soon_and_nothing_else(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, service: Service, payment: dict[str, Any]
) -> None:
    taken = await notify(stranger, service, "n1", md5=payment["md5"])
    assert (taken.status_code, taken.json()["payment"]) == (202, payment["reference"])
    now = (await client.get(payment["links"]["self"])).json()
    assert (now["status"], now["next_check_reason"]) == ("pending", "hint")
    (line,) = await audited(service, "notice.received")
    assert line["subject"] == payment["reference"]


async def test_property_20_a_notice_that_comes_again_changes_nothing(
    stranger: httpx.AsyncClient, service: Service, payment: dict[str, Any]
) -> None:
    await notify(stranger, service, "n1", reference=payment["reference"])
    again = await notify(stranger, service, "n1", reference=payment["reference"])
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert len(await audited(service, "notice.received")) == 1


async def test_property_4_a_bad_signature_is_refused_and_a_security_event(
    stranger: httpx.AsyncClient, service: Service, payment: dict[str, Any]
) -> None:
    refused = await notify(stranger, service, "n1", secret="x" * 40, reference=payment["reference"])
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_signature")
    (line,) = await audited(service, "authentication.failed")
    assert (line["level"], line["details"]["code"]) == ("SECURITY", "invalid_signature")


@pytest.mark.parametrize("age", [301, -301])
async def test_an_old_notice_cant_be_played_again(
    stranger: httpx.AsyncClient, service: Service, payment: dict[str, Any], age: int
) -> None:
    assert (await notify(stranger, service, "n1", age=age, reference=payment["reference"])).status_code == 401


async def test_property_19_an_unknown_payment_is_a_404_and_audited(
    stranger: httpx.AsyncClient, service: Service
) -> None:
    unknown = await notify(stranger, service, "n1", reference="pay_none")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "payment_not_found")
    assert len(await audited(service, "notice.unknown_payment")) == 1


async def test_a_notice_names_one_payment(stranger: httpx.AsyncClient, service: Service) -> None:
    for body in ({}, {"reference": "a", "md5": "0" * 32}):
        assert (await notify(stranger, service, "n1", **body)).status_code == 422


async def test_without_a_secret_no_notice_is_taken(service_of: Any, client_to: Any) -> None:
    closed = service_of()
    async with client_to(closed, key=None) as stranger:
        refused = await notify(stranger, closed, "n1", reference="x")
    assert (refused.status_code, refused.json()["code"]) == (404, "no_such_route")
