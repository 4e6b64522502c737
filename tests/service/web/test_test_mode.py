"""Test mode: a clock that is moved on, a payer behind the simulator. Live mode has neither."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from bakong_khqr.testing import BakongSimulator
from bakong_service.storage import test_clock
from bakong_service.web.http.service import Service
from bakong_service.workers.upkeep import ClockFollower
from kit.service import ServiceOf, client_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def test_the_clock_moves_everywhere_and_is_kept(
    client: httpx.AsyncClient, service: Service, simulator: BakongSimulator
) -> None:
    for _ in range(2):
        moved = await client.post("/v1/test/clock/advance", json={"seconds": 3600})
        assert moved.status_code == 200, moved.text
    assert moved.json()["offset_seconds"] == 7200
    assert service.clock.offset == timedelta(hours=2)
    assert simulator.clock.offset == timedelta(hours=2)
    assert await service.executor.read(test_clock.offset) == timedelta(hours=2)


async def test_other_processes_follow_the_clock(
    client: httpx.AsyncClient, service: Service, simulator: BakongSimulator
) -> None:
    await client.post("/v1/test/clock/advance", json={"seconds": 60})
    service.clock.offset = timedelta(0)
    await ClockFollower(service.executor, service.clock).step(service.clock.now())
    assert service.clock.offset == timedelta(minutes=1)


async def test_without_a_simulator_nothing_moves(client: httpx.AsyncClient, service: Service) -> None:
    refused = await client.post("/v1/test/clock/advance", json={"seconds": 60})
    assert (refused.status_code, refused.json()["code"]) == (503, "simulator_away")
    assert refused.headers["retry-after"]
    assert await service.executor.read(test_clock.offset) == timedelta(0)


@pytest.mark.parametrize("seconds", [0, -1, 1.5, "60", 10**10])
async def test_the_clock_moves_forward_by_whole_seconds(client: httpx.AsyncClient, seconds: Any) -> None:
    assert (await client.post("/v1/test/clock/advance", json={"seconds": seconds})).status_code == 422


async def test_a_payer_pays_what_the_qr_asks_for(client: httpx.AsyncClient, simulator: BakongSimulator) -> None:
    payment = (await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD"})).json()
    paid = await client.post("/v1/test/pay", json={"reference": payment["reference"]})
    assert paid.status_code == 200, paid.text
    assert (paid.json()["payment"], paid.json()["amount"]) == (payment["reference"], "2.50")


async def test_what_was_paid_has_the_decimals_of_its_currency(
    client: httpx.AsyncClient, simulator: BakongSimulator
) -> None:
    payment = (await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})).json()
    paid = await client.post("/v1/test/pay", json={"reference": payment["reference"]})
    assert paid.json()["amount"] == "1.00"


@pytest.mark.parametrize("hours", [-5, 5])
async def test_a_payer_pays_at_the_service_s_time_whatever_the_simulator_s_is(
    client: httpx.AsyncClient, service: Service, simulator: BakongSimulator, hours: int
) -> None:
    await client.post("/v1/test/clock/advance", json={"seconds": 3600})
    simulator.clock.offset = timedelta(hours=hours)
    payment = (await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD"})).json()
    paid = await client.post("/v1/test/pay", json={"reference": payment["reference"]})
    late = service.clock.now() - datetime.fromisoformat(paid.json()["sent_at"])
    assert timedelta(0) <= late < timedelta(minutes=1)


async def test_a_payer_may_err(client: httpx.AsyncClient, simulator: BakongSimulator) -> None:
    payment = (await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD"})).json()
    body = {"reference": payment["reference"], "amount": "0.01", "currency": "KHR", "to_account_id": "other@bank"}
    wrong = await client.post("/v1/test/pay", json={**body, "currency": "USD"})
    assert wrong.json()["to_account"] == "other@bank"
    refused = await client.post("/v1/test/pay", json={"reference": payment["reference"], "amount": "x"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "refused_by_simulator")


async def test_what_isnt_a_simulator_isnt_told_to_pay(client: httpx.AsyncClient, respx_mock: respx.MockRouter) -> None:
    respx_mock.route(host="127.0.0.1").respond(404)
    payment = (await client.post("/v1/payments", json={"amount": "2.50", "currency": "USD"})).json()
    refused = await client.post("/v1/test/pay", json={"reference": payment["reference"]})
    assert (refused.status_code, refused.json()["code"]) == (503, "not_a_simulator")


async def test_live_mode_has_neither(service_of: ServiceOf) -> None:
    live = service_of(MODE="live", BAKONG_BASE_URL="https://api-bakong.nbc.gov.kh")
    async with client_of(live) as client:
        for path in ("/v1/test/clock/advance", "/v1/test/pay"):
            refused = await client.post(path, json={})
            assert (refused.status_code, refused.json()["code"]) == (404, "no_such_route")
