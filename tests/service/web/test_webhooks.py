"""Endpoints, deliveries and the feed over HTTP."""

import json
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from attrs import evolve

from bakong_service import webhooks
from bakong_service.domain.delivery import SCHEDULES, AttemptResult
from bakong_service.domain.endpoint import TargetPolicy
from bakong_service.domain.event import NewEvent
from bakong_service.operations.webhooks import endpoints
from bakong_service.storage.webhooks import outbox
from bakong_service.web.http.service import Service
from bakong_service.webhooks.sender import Sender
from bakong_service.workers.delivery import Deliverer
from bakong_service.workers.dispatch import Dispatcher
from kit.service import client_of

pytestmark = pytest.mark.anyio
URL = "https://shop.example/hooks"


class Wire(Sender):
    """Takes what is posted and answers with a status."""

    def __init__(self) -> None:
        super().__init__(TargetPolicy())
        self.posted: list[tuple[str, Mapping[str, str], bytes]] = []
        self.status = 204

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> AttemptResult:
        self.posted.append((url, headers, body))
        return AttemptResult(
            status=self.status, error=None, response="no" if self.status != 204 else None, duration=_NO_TIME
        )


_NO_TIME = SCHEDULES["default"].steps[0]


@pytest.fixture
def wire() -> Wire:
    return Wire()


async def happen(service: Service, subject: str = "pay_1", kind: str = "payment.paid") -> str:
    event = NewEvent(type=kind, subject=subject, previous_status="pending", data={"reference": subject})
    return await service.executor.run(
        lambda c: outbox.append(c, service.business.identifiers, event, now=service.clock.now())
    )


async def work(service: Service, wire: Wire) -> None:
    """Dispatch and deliver what is due."""
    await Dispatcher(service.executor, service.business, service.clock).step(service.clock.now())
    deliverer = Deliverer(service.executor, service.business, service.clock, sender=wire)
    while await deliverer.step(service.clock.now()) <= service.clock.now() or deliverer._under_way:
        await deliverer.ended()


async def made(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await client.post("/v1/endpoints", json={"url": URL} | body)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_an_endpoints_life(client: httpx.AsyncClient, service: Service, wire: Wire) -> None:
    endpoint = await made(client, description="Shop", event_types=["payment.paid"])
    here = f"/v1/endpoints/{endpoint['reference']}"
    secret = endpoint.pop("secret")
    assert (await client.get(here)).json() == endpoint
    assert (await client.get("/v1/endpoints")).json()["data"] == [endpoint]
    assert secret not in (await client.get("/v1/audit")).text

    tested = await client.post(f"{here}/test")
    assert tested.status_code == 202
    await work(service, wire)
    ((url, headers, body),) = wire.posted
    assert url == URL
    assert webhooks.verify(body, headers, secret)["id"] == tested.json()["id"]

    rotated = (await client.post(f"{here}/rotate")).json()
    assert rotated.pop("secret") not in (secret, None)
    assert rotated["version"] == 2
    changed = await client.patch(here, json={"url": f"{URL}/2", "event_types": []})
    assert (changed.json()["url"], changed.json()["event_types"], changed.json()["version"]) == (f"{URL}/2", [], 3)
    assert (await client.request("DELETE", here)).json() == {
        "object": "endpoint", "reference": endpoint["reference"], "deleted": True,
    }  # fmt: skip
    assert (await client.get(here)).json()["code"] == "endpoint_not_found"
    assert (await client.get("/v1/endpoints")).json()["data"] == []


BAD = [
    ({}, ["/url"]),
    ({"url": 5}, ["/url"]),
    ({"url": "http://10.0.0.1/"}, ["/url"]),
    ({"url": URL, "secret": "short"}, ["/secret"]),
    ({"url": URL, "event_types": ["payment.lost"]}, ["/event_types"]),
    ({"url": URL, "event_types": "payment.paid"}, ["/event_types"]),
    ({"url": URL, "colour": "red"}, ["/colour"]),
    ({"url": "x", "event_types": ["y"], "secret": "z"}, ["/url", "/event_types", "/secret"]),
]


async def test_a_bad_endpoint_is_refused_at_its_places(client: httpx.AsyncClient) -> None:
    for body, pointers in BAD:
        response = await client.post("/v1/endpoints", json=body)
        assert response.status_code == 422
        assert [fault["pointer"] for fault in response.json()["errors"]] == pointers
    assert (await client.get("/v1/endpoints")).json()["data"] == []


async def test_plain_http_is_taken_in_test_mode_inside_private_networks_alone(
    client: httpx.AsyncClient, service: Service
) -> None:
    assert (await client.post("/v1/endpoints", json={"url": "http://10.0.0.1:8080/"})).status_code == 422
    targets = TargetPolicy(private_networks=(ip_network("10.0.0.0/8"),), plain_http=True)
    business = evolve(service.business, webhooks=evolve(service.business.webhooks, targets=targets))
    async with client_of(evolve(service, business=business)) as inside:
        assert (await inside.post("/v1/endpoints", json={"url": "http://10.0.0.1:8080/"})).status_code == 201


async def test_lists_are_paged_forwards_and_backwards(client: httpx.AsyncClient, service: Service, wire: Wire) -> None:
    for number in range(3):
        await made(client, url=f"{URL}/{number}")
    await happen(service)
    await work(service, wire)
    for path in ("/v1/endpoints", "/v1/deliveries"):
        every = (await client.get(path)).json()["data"]
        first = (await client.get(path, params={"limit": 2})).json()
        assert (first["data"], first["has_more"]) == (every[:2], True)
        rest = (await client.get(path, params={"starting_after": first["next_cursor"]})).json()
        assert (rest["data"], rest["has_more"]) == (every[2:], False)
        before = (await client.get(path, params={"ending_before": rest["next_cursor"]})).json()
        assert before["data"] == every[:2]


async def test_a_repeated_creation_makes_one_endpoint(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "once"}
    first, second = [await client.post("/v1/endpoints", json={"url": URL}, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert len((await client.get("/v1/endpoints")).json()["data"]) == 1


async def test_the_feed_is_read_from_where_one_stopped(client: httpx.AsyncClient, service: Service, wire: Wire) -> None:
    ids = [await happen(service, f"pay_{number}") for number in range(5)]
    assert (await client.get("/v1/events")).json()["data"] == []  # not dispatched yet
    await work(service, wire)
    first = (await client.get("/v1/events", params={"limit": 3})).json()
    assert (len(first["data"]), first["has_more"]) == (3, True)
    rest = (await client.get("/v1/events", params={"starting_after": first["next_cursor"]})).json()
    assert (len(rest["data"]), rest["has_more"]) == (2, False)
    assert {event["id"] for event in first["data"] + rest["data"]} == set(ids)
    again = {"starting_after": rest["next_cursor"]}
    assert (await client.get("/v1/events", params=again)).json()["data"] == []
    later = await happen(service, "pay_1", "payment.refunded")
    await work(service, wire)
    (event,) = (await client.get("/v1/events", params=again)).json()["data"]
    assert (event["id"], event["sequence"], event["api_version"]) == (later, 2, "2026-11-01")
    assert (await client.get(f"/v1/events/{later}")).json() == event
    assert (await client.get("/v1/events", params={"type": "payment.refunded"})).json()["data"] == [event]
    assert len((await client.get("/v1/events", params={"subject": "pay_1"})).json()["data"]) == 2
    assert (await client.get("/v1/events", params={"type": "payment.lost"})).status_code == 422
    assert (await client.get("/v1/events/evt_1")).status_code == 404


async def test_deliveries_tell_what_came_back_and_are_tried_again_on_request(
    client: httpx.AsyncClient, service: Service, wire: Wire
) -> None:
    endpoint = await made(client)
    wire.status = 500
    event = await happen(service)
    await work(service, wire)
    (delivery,) = (await client.get("/v1/deliveries", params={"endpoint": endpoint["reference"]})).json()["data"]
    assert (delivery["event"], delivery["state"], delivery["attempts"]) == (event, "pending", 1)
    here = f"/v1/deliveries/{delivery['reference']}"
    (attempt,) = (await client.get(here)).json()["attempts_made"]
    assert (attempt["status"], attempt["response"]) == (500, "no")
    wire.status = 204
    assert (await client.post(f"{here}/retry")).status_code == 202
    await work(service, wire)
    assert (await client.get(here)).json()["state"] == "delivered"
    again = (await client.post(f"{here}/retry")).json()
    assert again["reference"] != delivery["reference"]
    assert (again["event"], again["replay"]) == (event, True)
    assert len((await client.get("/v1/deliveries", params={"event": event})).json()["data"]) == 2
    assert (await client.get("/v1/deliveries", params={"state": "failed"})).json()["data"] == []
    assert (await client.get("/v1/deliveries", params={"state": "lost"})).status_code == 422
    assert (await client.get("/v1/deliveries/dlv_1")).status_code == 404
    assert (await client.post("/v1/deliveries/dlv_1/retry")).status_code == 404


async def test_a_stretch_is_replayed_and_a_disabled_endpoint_enabled(
    client: httpx.AsyncClient, service: Service, wire: Wire
) -> None:
    since = service.clock.now().isoformat()
    endpoint = await made(client)
    here = f"/v1/endpoints/{endpoint['reference']}"
    wire.status = 410
    await happen(service)
    await work(service, wire)
    assert (await client.get(here)).json()["disabled_reason"] == "gone"
    assert (await client.post(f"{here}/test")).json()["code"] == "endpoint_disabled"
    wire.status = 204
    assert (await client.post(f"{here}/enable")).json()["state"] == "enabled"
    await work(service, wire)
    dead = await client.post(f"{here}/replay", json={"since": since})
    assert (dead.status_code, dead.json()) == (202, {"object": "replay", "count": 0, "next_after": None})
    wire.posted.clear()
    everything = await client.post(f"{here}/replay", json={"since": since, "all": True})
    assert everything.json()["count"] == 1
    await work(service, wire)
    assert [json.loads(body)["type"] for _, _, body in wire.posted] == ["payment.paid"]
    assert (await client.post(f"{here}/replay", json={"since": "2026-11-01T00:00:00"})).status_code == 422


async def test_an_event_stays_under_20_kb_whatever_a_payment_carries(
    client: httpx.AsyncClient, service: Service, wire: Wire
) -> None:
    await made(client)
    metadata = {f"key {number:02}": "ក" * 190 for number in range(20)}
    body = {"amount": "1", "currency": "USD", "description": "\u0001" * 500, "metadata": metadata}
    assert (await client.post("/v1/payments", json=body)).status_code == 201
    await work(service, wire)
    ((_, _, posted),) = wire.posted
    assert 14_000 < len(posted) < 20_000
    too_much = await client.post("/v1/payments", json=body | {"metadata": metadata | {"key 00": "ក" * 500}})
    assert (too_much.status_code, too_much.json()["errors"][0]["code"]) == (422, "too_large")


async def test_webhooks_need_their_scope(client: httpx.AsyncClient, service: Service) -> None:
    key = (await client.post("/v1/keys", json={"name": "till", "scopes": ["payments:read"]})).json()["key"]
    async with client_of(service, key=key) as till:
        for path in ("/v1/endpoints", "/v1/events", "/v1/deliveries"):
            assert (await till.get(path)).json()["code"] == "missing_scope"


async def test_the_default_endpoint_is_the_settings_own(client: httpx.AsyncClient, service: Service) -> None:
    await service.run(
        "user",
        lambda work: endpoints.ensure_default(
            work,
            url=URL,
            secret="a secret of thirty-two characters",
        ),
    )
    (endpoint,) = (await client.get("/v1/endpoints")).json()["data"]
    assert endpoint["name"] == "default"
    refused = await client.patch(f"/v1/endpoints/{endpoint['reference']}", json={"url": f"{URL}/2"})
    assert (refused.status_code, refused.json()["code"]) == (409, "kept_by_settings")
