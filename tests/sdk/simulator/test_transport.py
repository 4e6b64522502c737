"""The simulator plugged into httpx, blocking and asynchronous: both meet the same."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from bakong_khqr.testing import BakongSimulator

BASE_URL = "https://api-bakong.nbc.gov.kh"
HEADERS = {"authorization": "Bearer simulator"}
MD5 = {"md5": "0" * 32}

Post = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(params=["blocking", "asynchronous"])
async def post(request: pytest.FixtureRequest, bakong: BakongSimulator, anyio_backend: str) -> Post:
    """`await post(path, json=..., waits=...)` through one client or the other."""

    async def post(path: str, *, waits: bool = False, seconds: float = 5, **content: Any) -> httpx.Response:
        options: dict[str, Any] = {
            "transport": bakong.transport(waits=waits),
            "base_url": BASE_URL,
            "headers": HEADERS,
            "timeout": seconds,
        }
        if request.param == "blocking":
            with httpx.Client(**options) as client:
                return client.post(path, **content)  # noqa: ASYNC212 - the blocking form is under test
        async with httpx.AsyncClient(**options) as other:
            return await other.post(path, **content)

    return post


@pytest.mark.anyio
async def test_a_payment_comes_through(bakong: BakongSimulator, post: Post, payload: str) -> None:
    payment = bakong.pay(payload)
    answer = await post("/v1/check_transaction_by_md5", json={"md5": payment.md5})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["data"]["hash"] == payment.hash


@pytest.mark.anyio
async def test_a_token_is_needed(post: Post) -> None:
    answer = await post("/v1/check_transaction_by_md5", json=MD5, headers={"authorization": "Bearer wrong"})
    assert answer.status_code == 401


@pytest.mark.anyio
async def test_a_dropped_connection_is_a_protocol_error(bakong: BakongSimulator, post: Post) -> None:
    bakong.inject("dropped")
    with pytest.raises(httpx.RemoteProtocolError):
        await post("/v1/check_transaction_by_md5", json=MD5)


@pytest.mark.anyio
async def test_a_late_answer_is_a_timeout_at_once(bakong: BakongSimulator, post: Post) -> None:
    bakong.inject("slow", seconds=60)
    started = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        await post("/v1/check_transaction_by_md5", json=MD5)
    assert time.monotonic() - started < 2


@pytest.mark.anyio
async def test_an_answer_in_time_takes_no_time(bakong: BakongSimulator, post: Post) -> None:
    bakong.inject("slow", seconds=4)
    started = time.monotonic()
    assert (await post("/v1/check_transaction_by_md5", json=MD5)).status_code == 200
    assert time.monotonic() - started < 2


@pytest.mark.anyio
async def test_a_transport_that_waits_takes_its_time(bakong: BakongSimulator, post: Post) -> None:
    bakong.inject("slow", seconds=0.05)
    bakong.inject("slow", seconds=9)
    started = time.monotonic()
    assert (await post("/v1/check_transaction_by_md5", json=MD5, waits=True)).status_code == 200
    with pytest.raises(httpx.ReadTimeout):
        await post("/v1/check_transaction_by_md5", json=MD5, waits=True, seconds=0.05)
    assert 0.1 <= time.monotonic() - started < 2


@pytest.mark.anyio
async def test_headers_of_an_answer_come_through(bakong: BakongSimulator, post: Post) -> None:
    bakong.inject("rate_limited", retry_after_seconds=9)
    answer = await post("/v1/check_transaction_by_md5", json=MD5)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")


@pytest.mark.anyio
async def test_control_works_through_a_transport_too(post: Post, payload: str) -> None:
    paid = (await post("/_simulator/pay", json={"qr": payload})).json()
    assert (await post("/v1/check_transaction_by_md5", json={"md5": paid["md5"]})).json()["errorCode"] is None
