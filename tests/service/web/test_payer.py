"""What a payer's page needs: the link to a bank app, and the news as they come."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from attrs import evolve
from starlette.types import Message, Scope

from bakong_khqr.errors import ServerUnavailable
from bakong_service.operations.payments import requests as operations
from bakong_service.web.http.application import application
from bakong_service.web.http.service import Service
from kit.service import client_of
from kit.there import there

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
async def payment(client: httpx.AsyncClient) -> dict[str, Any]:
    made: dict[str, Any] = (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).json()
    return made


async def test_the_link_is_asked_for_when_it_is_wanted(client: httpx.AsyncClient, payment: dict[str, Any]) -> None:
    answer = await client.get(payment["links"]["deeplink"])
    assert answer.json()["deeplink"] == f"https://bakong.example/{len(payment['qr'])}"


async def test_without_bakong_a_payment_is_made_and_only_its_link_waits(
    service: Service,
) -> None:
    async def away(_: str) -> str:
        raise ServerUnavailable("no route to host", retry_at=service.clock.now() + timedelta(seconds=90))

    async with client_of(evolve(service, deeplink=away)) as client:
        made = await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})
        assert made.status_code == 201
        link = await client.get(made.json()["links"]["deeplink"])
    assert (link.status_code, link.json()["code"]) == (503, "bakong_away")
    assert 80 < int(link.headers["retry-after"]) <= 90


async def test_a_payment_that_takes_no_payer_has_no_link(client: httpx.AsyncClient, payment: dict[str, Any]) -> None:
    await client.post(payment["links"]["cancel"])
    refused = await client.get(payment["links"]["deeplink"])
    assert (refused.status_code, refused.json()["code"]) == (409, "payment_cancelled")


async def test_a_page_is_told_each_change_until_the_last(service: Service, payment: dict[str, Any]) -> None:
    """Over raw ASGI: httpx's transport gives an answer only when it is complete."""
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        for line in message.get("body", b"").decode().splitlines():
            if line.startswith("data: "):
                await told.put(json.loads(line.removeprefix("data: ")))

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": payment["links"]["events"],
        "raw_path": payment["links"]["events"].encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"authorization", f"Bearer {there(service.settings.main_backend_api_key).reveal()}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("service", 80),
    }
    stream = asyncio.create_task(application(service)(scope, receive, send))
    async with asyncio.timeout(10):
        assert (await told.get())["status"] == "pending"
        await service.run(
            "user",
            lambda work: operations.cancel(
                work,
                payment["reference"],
                reason="x",
            ),
        )
        assert (await told.get())["status"] == "cancelled"
        await stream  # nothing more can come: it ends by itself
