"""Both clients behind one blocking face, a clock that tests move, and a scripted Bakong."""

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bakong_khqr import KHQR
from bakong_khqr.async_client import AsyncBakongClient
from bakong_khqr.client import BakongClient

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # 17:00 in Phnom Penh
TRANSACTION = {
    "hash": "0a1b2c3d" * 8,
    "fromAccountId": "demokhppxxx@demo",
    "toAccountId": "sokha@aclb",
    "currency": "USD",
    "amount": 2.5,
    "description": None,
    "createdDateMs": 1795428000000,
    "acknowledgedDateMs": 1795428001000,
    "trackingStatus": None,
    "receiverBank": None,
    "receiverBankAccount": None,
    "instructionRef": None,
    "externalRef": "100FT00000000000",
}


class Clock:
    """Now, moved by sleeping and by tests. Nothing waits."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    async def async_sleep(self, seconds: float) -> None:
        """Let the time pass, for the asynchronous client."""
        self.sleep(seconds)


def answered(status: int, response_code: int, error_code: int | None, data: object = None) -> httpx.Response:
    """A JSON answer of the four members."""
    members = {"responseCode": response_code, "responseMessage": "a text", "errorCode": error_code, "data": data}
    return httpx.Response(status, json=members)


class ScriptedBakong:
    """Answers each request with the next of a script, the last for ever, and keeps the requests."""

    TRANSACTION = TRANSACTION
    NOT_FOUND = answered(200, 1, 1)
    PAID = answered(200, 0, None, TRANSACTION)
    UNAUTHORIZED = answered(401, 1, 6)
    BLOCKED = httpx.Response(403, html="<html>403 Forbidden</html>")
    UNAVAILABLE = httpx.Response(503, html="<html>503</html>")
    answered = staticmethod(answered)

    def __init__(self, *answers: httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def transport(self) -> httpx.MockTransport:
        """For either client's `http_client`."""
        return httpx.MockTransport(self.answer)

    @property
    def paths(self) -> list[str]:
        """The endpoint of each request."""
        return [request.url.path.removeprefix("/v1/") for request in self.requests]

    @property
    def bodies(self) -> list[Any]:
        """The JSON of each request."""
        return [json.loads(request.content) for request in self.requests]


class Waiting:
    """An asynchronous client behind the blocking client's face."""

    def __init__(self, client: AsyncBakongClient, runner: asyncio.Runner) -> None:
        self._client, self._runner = client, runner

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._client, name)
        if not inspect.iscoroutinefunction(member):
            return member
        return lambda *args, **options: self._runner.run(member(*args, **options))


@pytest.fixture
def now() -> datetime:
    """When every test begins, and the code of `khqr` is made: 17:00 in Phnom Penh."""
    return NOW


@pytest.fixture
def scripted() -> type[ScriptedBakong]:
    """`scripted(answer, answer, ...)`: a Bakong that says what a test wants."""
    return ScriptedBakong


@pytest.fixture
def clock() -> Clock:
    """A clock that stands until it is moved."""
    return Clock()


@pytest.fixture(params=["blocking", "asynchronous"])
def client_for(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Callable[..., Any]]:
    """`client_for(transport, **options)`: each of the two clients in turn, on the test's clock."""
    with asyncio.Runner() as runner:
        opened: list[Any] = []

        def make(transport: Any, token: Any = "a-token", **options: Any) -> Any:
            transport = transport.transport() if hasattr(transport, "transport") else transport
            options = {"clock": clock} | options
            if request.param == "blocking":
                client: Any = BakongClient(
                    token, http_client=httpx.Client(transport=transport), **{"sleep": clock.sleep, **options}
                )
                opened.append(client)
                return client
            client = AsyncBakongClient(
                token, http_client=httpx.AsyncClient(transport=transport), **{"sleep": clock.async_sleep, **options}
            )
            opened.append(client)
            return Waiting(client, runner)

        yield make
        for client in opened:
            if isinstance(client, BakongClient):
                http = client._sender._given_http
                assert http is not None
                http.close()
            else:
                runner.run(client._sender._given_http.aclose())


@pytest.fixture
def khqr() -> KHQR:
    """A dynamic code for USD 2.50, made now, for ten minutes."""
    return KHQR.individual(
        bakong_account_id="sokha@aclb",
        merchant_name="Sokha Coffee",
        currency="USD",
        amount="2.50",
        bill_number="INV-0042",
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
    )
