"""One payment, asked for by the blocking client, the asynchronous one and over real HTTP: the same result."""

from datetime import timedelta

import httpx
import pytest

from bakong_khqr import KHQR
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.client import BakongClient
from bakong_khqr.testing import BakongSimulator
from bakong_khqr.testing.server import serve


@pytest.mark.anyio
async def test_a_payment_is_the_same_by_every_way() -> None:
    simulator = BakongSimulator()
    code = KHQR.merchant(
        bakong_account_id="shop@aclb",
        merchant_name="Sokha Coffee",
        merchant_id="123456",
        acquiring_bank="ACLEDA Bank",
        currency="KHR",
        amount=4000,
        expires_in=timedelta(minutes=10),
    )
    with serve(simulator) as url:
        with httpx.Client(transport=simulator.transport()) as http:
            in_memory = BakongClient("simulator", http_client=http)
            assert in_memory.transaction_by_md5(code.md5) is None
            simulator.pay(code)
            blocking = in_memory.wait_for_payment(code)
            listed = in_memory.transactions_by_md5([code.md5])[code.md5]
        async with httpx.AsyncClient(transport=simulator.transport()) as async_http:
            asynchronous = await AsyncBakongClient("simulator", http_client=async_http).wait_for_payment(code)
        with BakongClient("simulator", base_url=url) as over_http:
            blocking_over_http = over_http.wait_for_payment(code)
        async with AsyncBakongClient("simulator", base_url=url) as over_http_too:
            asynchronous_over_http = await over_http_too.wait_for_payment(code)
    assert blocking == listed == asynchronous == blocking_over_http == asynchronous_over_http
    assert blocking.matches(code)
