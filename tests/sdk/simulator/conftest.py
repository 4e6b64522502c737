"""A simulator whose clock stands still, codes to pay in it, and a short way to ask."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bakong_khqr import emv
from bakong_khqr.testing import BakongSimulator, SimulatorRequest, SimulatorResponse
from bakong_khqr.testing.exchange import write_json

NOON = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)


def make_payload(
    *, account: str = "sokha@aclb", currency: str = "840", amount: str | None = "2.50", static: bool = False
) -> str:
    """A KHQR's text, built from data objects so that these tests need nothing above `emv`."""
    # Created at noon; it ends in 2100, so that a client which looks at its own clock takes it too.
    timestamps = emv.DataObject.template(
        "99", [emv.DataObject("00", "1795435200000"), emv.DataObject("01", "4102444800000")]
    )
    fields = [
        emv.DataObject("00", "01"),
        emv.DataObject("01", "11" if static else "12"),
        emv.DataObject.template("29", [emv.DataObject("00", account)]),
        emv.DataObject("52", "5999"),
        emv.DataObject("53", currency),
        *([] if amount is None else [emv.DataObject("54", amount)]),
        emv.DataObject("58", "KH"),
        emv.DataObject("59", "Sokha Coffee"),
        emv.DataObject("60", "Phnom Penh"),
        *([] if static else [timestamps]),
    ]
    text = emv.build(fields) + "6304"
    return text + emv.crc16(text)


@pytest.fixture
def payload() -> str:
    """A dynamic code: 2.50 US dollars to sokha@aclb."""
    return make_payload()


@pytest.fixture
def build() -> Callable[..., str]:
    """`build(account=, currency=, amount=, static=)` gives the text of such a code."""
    return make_payload


@pytest.fixture
def bakong() -> BakongSimulator:
    """A simulator at noon, in which nothing is random."""
    return BakongSimulator(clock=lambda: NOON, seed=1)


@pytest.fixture
def ask(bakong: BakongSimulator) -> Callable[..., SimulatorResponse]:
    """`ask("check_transaction_by_md5", {...})` with the simulator's own token, or another, or none."""

    def ask(
        endpoint: str, body: Any = None, *, token: str | None = "simulator", method: str = "POST"
    ) -> SimulatorResponse:
        headers = {"user-agent": "test"} | ({} if token is None else {"authorization": f"Bearer {token}"})
        content = body if isinstance(body, bytes) else write_json(body).encode()
        path = endpoint if endpoint.startswith("/") else f"/v1/{endpoint}"
        return bakong.handle(SimulatorRequest(method=method, path=path, headers=headers, body=content))

    return ask


@pytest.fixture
def check(ask: Callable[..., SimulatorResponse]) -> Callable[..., tuple[int, int | None, Any]]:
    """The same as HTTP status, error code and data."""

    def check(endpoint: str, body: Any = None, **options: Any) -> tuple[int, int | None, Any]:
        response = ask(endpoint, body, **options)
        content = response.json() if response.content_type == "application/json" else {}
        return response.status, content.get("errorCode"), content.get("data")

    return check


@pytest.fixture
def anyio_backend() -> str:
    """httpx runs on others too, but one shows what is to be shown."""
    return "asyncio"
