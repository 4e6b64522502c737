"""What every answer carries, and what is refused at the gate."""

from typing import Any

import httpx
import pytest
import structlog

from bakong_service.storage.executor import DatabaseUnavailable
from bakong_service.web.service import Service

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def test_every_answer_has_safe_headers_and_a_request_id(stranger: httpx.AsyncClient) -> None:
    for path in ("/health/live", "/v1/payments", "/nowhere"):
        headers = (await stranger.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert len(headers["x-request-id"]) == 32
        assert "access-control-allow-origin" not in headers


async def test_the_caller_may_bring_a_request_id_if_it_is_a_plain_word(stranger: httpx.AsyncClient) -> None:
    mine = await stranger.get("/nowhere", headers={"X-Request-ID": "order-42.try-1"})
    assert mine.headers["x-request-id"] == mine.json()["request_id"] == "order-42.try-1"
    odd = await stranger.get("/nowhere", headers={"X-Request-ID": 'a"b\tc{d}efgh'})
    assert len(odd.headers["x-request-id"]) == 32


async def test_each_request_is_one_line_in_the_log_without_its_key(client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as lines:
        await client.get("/v1/payments/pay_x?wait=0")
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/payments/{reference}", 404)
    assert (line["key_id"], line["ip"]) == ("main", "127.0.0.1")
    assert "the-main-backend-key" not in str(line)


async def test_property_25_the_database_away_is_a_503_with_retry_after(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise DatabaseUnavailable("the database doesn't answer: connection refused by 10.1.2.3")

    monkeypatch.setattr(service.executor, "run", away)
    response = await client.post("/v1/payments", json={"amount": "1", "currency": "USD"})
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert response.headers["retry-after"]
    assert response.json()["retryable"] is True
    assert "10.1.2.3" not in response.text
    assert (await client.get("/health/ready")).status_code == 503
    assert (await client.get("/health/live")).status_code == 200


async def test_property_25_what_nobody_foresaw_is_a_plain_500_with_its_stack_in_the_log(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("planted-detail")

    monkeypatch.setattr(service.executor, "read", broken)
    with structlog.testing.capture_logs() as lines:
        response = await client.get("/v1/payments/pay_x")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "planted-detail" not in response.text
    (line,) = [line for line in lines if line["event"] == "unforeseen_error"]
    assert isinstance(line["exc_info"], ZeroDivisionError)


async def test_a_body_that_comes_too_slowly_is_given_up(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    from bakong_service.web import bodies

    monkeypatch.setattr(bodies, "DEADLINE_SECONDS", 0.01)

    async def drip() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    response = await client.post("/v1/payments", content=drip(), headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (408, "body_too_slow")


async def test_more_requests_than_memory_allows_are_told_to_come_back(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bakong_service.web import gate

    monkeypatch.setattr(gate, "_AT_ONCE", 0)
    response = await client.get("/v1/payments")
    assert (response.status_code, response.json()["code"]) == (503, "overloaded")
    assert response.headers["retry-after"] == "1"
