"""What every answer carries, and what is refused at the gate."""

import asyncio
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
import structlog
from attrs import evolve

from bakong_service.storage.engine.executor import DatabaseUnavailable
from bakong_service.web.http import docs
from bakong_service.web.http.gate import client_ip
from bakong_service.web.http.service import Service

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


@pytest.mark.parametrize("path", ["/v1/payments/", "/health/ready/", "/docs/", "/v1/events/?cursor=x"])
async def test_a_slash_too_many_is_a_404_and_never_a_redirect(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path, headers={"Host": "evil.example"})
    assert response.status_code == 404
    assert "location" not in response.headers


async def test_the_database_away_is_a_503_with_retry_after(
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


async def test_what_nobody_foresaw_is_a_plain_500_with_its_stack_in_the_log(
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

    from bakong_service.web.http.server import BOUNDS

    monkeypatch.setattr("bakong_service.web.http.bodies.BOUNDS", evolve(BOUNDS, body_seconds=0.01))

    async def drip() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    response = await client.post("/v1/payments", content=drip(), headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (408, "body_too_slow")


PROXIES = tuple(ip_network(text) for text in ("10.0.0.0/8", "fd00::/8"))


@pytest.mark.parametrize(
    ("told", "address"),
    [
        (["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1", "203.0.113.9, 10.0.0.7"], "203.0.113.9"),  # each proxy wrote a line
        (["203.0.113.9:4711"], "203.0.113.9"),
        (["[2001:db8::1]:443"], "2001:db8::1"),
        (["[2001:db8::1]"], "2001:db8::1"),
        (["2001:db8::1, [fd00::1]"], "2001:db8::1"),
        (["unknown"], "10.0.0.1"),
        (["203.0.113.9:port"], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_a_trusted_proxy_may_write_lines_ports_and_brackets(told: list[str], address: str) -> None:
    assert client_ip("10.0.0.1", told, PROXIES) == address


async def test_a_proxy_that_nobody_named_is_told_once(stranger: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            await stranger.get("/health/live", headers={"X-Forwarded-For": "203.0.113.9"})
    (line,) = [line for line in lines if line["event"] == "proxy_not_trusted"]
    assert (line["peer"], line["setting"]) == ("127.0.0.1", "TRUSTED_PROXIES")


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_an_open_page_is_made_once_and_has_an_etag(
    stranger: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    first = await stranger.get(path)
    monkeypatch.setattr(docs, "_encoded", None)
    monkeypatch.setattr(docs, "_page", None)
    assert (await stranger.get(path)).content == first.content
    known = await stranger.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


async def test_readiness_is_looked_at_once_a_second(
    stranger: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds, looks = 0.0, []
    run = service.executor.run

    async def counted(operation: Any, **options: Any) -> Any:
        looks.append(operation)
        return await run(operation, **options)

    monkeypatch.setattr(service.executor, "run", counted)
    monkeypatch.setattr(service.readiness, "_monotonic", lambda: seconds)
    await asyncio.gather(*(stranger.get("/health/ready") for _ in range(20)))
    assert len(looks) == 1
    seconds = 1.0
    await stranger.get("/health/ready")
    assert len(looks) == 2
