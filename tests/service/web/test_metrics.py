"""Metrics: requests, workers, and the database as it is."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bakong_service.alerts import counted
from bakong_service.storage.bakong import provider_clock
from bakong_service.web.http.service import Service
from bakong_service.workers.loop import Loop
from bakong_service.workers.verification import Verifier

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def scraped(client: httpx.AsyncClient) -> dict[tuple[str, str], float]:
    response = await client.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, "/".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def test_requests_are_counted_by_route_and_not_by_reference(client: httpx.AsyncClient) -> None:
    for n in range(3):
        await client.get(f"/v1/payments/pay_{n}")
    found = await scraped(client)
    assert found["bakong_http_requests_total", "GET//v1/payments/{reference}/404"] == 3


async def test_the_database_is_told_as_it_is(client: httpx.AsyncClient, service: Service) -> None:
    await client.post("/v1/payments", json={"amount": "1.00", "currency": "USD"})
    service.clock.offset = timedelta(minutes=1)
    found = await scraped(client)
    assert found["bakong_fact", "payments_watched"] == 1
    assert 50 < found["bakong_fact", "watcher_behind_seconds"] < 61
    assert found["bakong_fact", "dispatch_lag_seconds"] >= 60
    assert found["bakong_fact", "reviews_open"] == 0


async def test_workers_and_their_counts_are_told(client: httpx.AsyncClient, service: Service) -> None:
    async def step(now: Any) -> None:
        return None

    loop = Loop("settlement", step, service.clock)
    loop.errors = 2
    loop.last_step_at = service.clock.now()
    service.metrics.follow(loop)
    service.metrics.count("bakong_checks", "Answers", {"not_found": 5})
    found = await scraped(client)
    assert found["bakong_worker_errors", "settlement"] == 2
    assert found["bakong_worker_last_step_timestamp", "settlement"] == loop.last_step_at.timestamp()
    assert found["bakong_checks_total", "not_found"] == 5


async def test_invariants_are_checked_every_hour(client: httpx.AsyncClient, service: Service) -> None:
    told: list[int] = []
    verifier = Verifier(service.executor, service.business, told.append)
    now = service.clock.now()
    first = await verifier.step(now)
    assert (first, told) == (now + timedelta(minutes=5), [])
    assert await verifier.step(first) == first + timedelta(hours=1)
    assert told == [0]
    assert ("bakong_invariant_violations", "") not in await scraped(client), "nobody has looked, so nothing holds yet"
    service.metrics.verified(3)
    assert (await scraped(client))["bakong_invariant_violations", ""] == 3


async def test_readiness_tells_its_details_to_who_may_see_metrics_alone(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    assert (await stranger.get("/health/ready")).json() == {"status": "ready"}
    told = (await client.get("/health/ready")).json()
    assert (told["status"], told["degraded"]) == ("ready", False)
    assert told["facts"]["payments_watched"] == 0
    wrong = await stranger.get("/health/ready", headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401


@pytest.mark.parametrize(("seconds", "degraded"), [(0, False), (30, False), (61, True), (-61, True)])
async def test_a_clock_that_differs_from_bakongs_by_half_the_grace_is_degraded(
    client: httpx.AsyncClient, service: Service, seconds: int, degraded: bool
) -> None:
    skew = timedelta(seconds=seconds)
    await service.executor.run(lambda connection: provider_clock.write(connection, skew=skew))
    told = (await client.get("/health/ready")).json()
    assert (told["status"], told["degraded"]) == ("ready", degraded)
    assert told["clock"] == {"trusted": True, "bakong_ahead_seconds": seconds, "differs_from_bakong": degraded}


async def test_a_clock_that_is_not_believed_is_degraded(client: httpx.AsyncClient, service: Service) -> None:
    now = service.clock.now()
    await service.executor.run(lambda connection: provider_clock.write(connection, distrusted_at=now))
    told = (await client.get("/health/ready")).json()
    assert (told["degraded"], told["clock"]["trusted"]) == (True, False)


async def test_payments_are_counted_by_status_and_the_delay_of_their_detection_is_told(
    client: httpx.AsyncClient, service: Service
) -> None:
    for _ in range(2):
        await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD"})
    service.metrics.detected(4.0)
    found = await scraped(client)
    assert found["bakong_payments", "pending"] == 2
    assert found["bakong_payments", "paid"] == 0
    text = (await client.get("/metrics")).text
    assert 'bakong_payment_detection_seconds_bucket{le="2.0"} 0.0' in text
    assert 'bakong_payment_detection_seconds_bucket{le="5.0"} 1.0' in text


async def test_every_line_of_the_log_that_a_person_should_look_at_is_counted(client: httpx.AsyncClient) -> None:
    before = (await scraped(client)).get(("bakong_alerts_total", "webhook_failed"), 0)
    for method in ("error", "info"):
        assert counted(None, method, {"event": "webhook_failed"}) == {"event": "webhook_failed"}
    assert (await scraped(client))["bakong_alerts_total", "webhook_failed"] == before + 1
