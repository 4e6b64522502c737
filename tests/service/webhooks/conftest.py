"""A shop with webhooks on a test clock, and a receiver whose every answer the test decides."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from attrs import Factory, define, evolve, field
from sqlalchemy import Connection

from bakong_service.clock import Clock
from bakong_service.domain.delivery import Delivery, DeliveryState
from bakong_service.domain.endpoint import Endpoint, NewEndpoint, TargetPolicy
from bakong_service.domain.event import NewEvent
from bakong_service.domain.identifiers import Identifiers
from bakong_service.domain.policy import Shop, WebhookPolicy
from bakong_service.operations import deliveries as delivery_operations
from bakong_service.operations import endpoints
from bakong_service.operations.business import Business
from bakong_service.storage import delivery_records, outbox
from bakong_service.storage.executor import Executor
from bakong_service.vault import Vault
from bakong_service.workers.delivery import Deliverer
from bakong_service.workers.dispatch import Dispatcher

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
LOOPBACK = TargetPolicy(private_networks=(ip_network("127.0.0.0/8"),), plain_http=True)


class StoppedClock(Clock):
    """Stands still until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        super().__init__()
        self.at = at

    def world(self) -> datetime:
        return self.at

    def advance(self, by: timedelta | float) -> None:
        self.at += by if isinstance(by, timedelta) else timedelta(seconds=by)


@define
class Request:
    """What a receiver was sent."""

    target: str
    headers: dict[str, str]
    body: bytes


Answerer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def status(code: int, *headers: str, body: bytes = b"") -> Answerer:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {code} Told", f"content-length: {len(body)}", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)

    return answer


@define
class Receiver:
    """An HTTP server on a free port. Answers 204, or as the test says: `answers` first, then `answer`."""

    requests: list[Request] = Factory(list)
    answers: list[Answerer] = Factory(list)
    answer: Answerer = Factory(lambda: status(204))
    url: str = ""
    connections: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(factory=set)

    async def start(self, **options: object) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, **options)  # type: ignore[arg-type]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    @property
    def port(self) -> int:
        assert self._server is not None
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in head[1:] if ": " in line}
                body = await reader.readexactly(int(headers["content-length"]))
                request = Request(head[0].split(" ")[1], headers, body)
                self.requests.append(request)
                await (self.answers.pop(0) if self.answers else self.answer)(request, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the sender has gone
        finally:
            self._open.discard(writer)
            writer.close()


@pytest.fixture
def told() -> Callable[..., Answerer]:
    """`told(503, "retry-after: 5", body=b"...")`: an answer for a receiver to give."""
    return status


@pytest.fixture
def new_receiver() -> type[Receiver]:
    """A receiver that the test starts and closes itself."""
    return Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.close()


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def business() -> Business:
    return Business(
        shop=Shop(bakong_account_id="shop@bank", merchant_name="Shop"),
        vault=Vault({"1": b"k" * 32}, b"pepper"),
        identifiers=Identifiers(random.Random(7).getrandbits),
        webhooks=WebhookPolicy(targets=LOOPBACK),
    )


@define
class Shopfront:
    """Everything of webhooks, with hands for tests."""

    executor: Executor
    business: Business
    clock: StoppedClock
    dispatcher: Dispatcher = field(init=False)
    deliverer: Deliverer = field(init=False)
    started: datetime = START

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self, **policy: object) -> None:
        """Begin with new workers, as a new process would."""
        self.business = evolve(self.business, webhooks=evolve(self.business.webhooks, **policy))
        self.dispatcher = Dispatcher(self.executor, self.business, self.clock)
        self.deliverer = Deliverer(self.executor, self.business, self.clock)

    async def listen(
        self, url: str, *, secret: str | None = None, event_types: frozenset[str] = frozenset()
    ) -> Endpoint:
        """A new endpoint."""
        endpoint, _ = await self.listen_with_secret(url, secret=secret, event_types=event_types)
        return endpoint

    async def listen_with_secret(
        self, url: str, *, secret: str | None = None, event_types: frozenset[str] = frozenset()
    ) -> tuple[Endpoint, str]:
        request = NewEndpoint(url=url, secret=secret, event_types=event_types)
        return await self.executor.run(
            lambda c: endpoints.create(c, self.business, request, actor="user", now=self.clock.now())
        )

    def another_worker(self) -> Deliverer:
        """A deliverer as a second process has it."""
        return Deliverer(self.executor, self.business, self.clock)

    async def happen(
        self,
        subject: str = "pay_1",
        kind: str = "payment.paid",
        *,
        and_then: Callable[[Connection], object] | None = None,
        **data: object,
    ) -> str:
        """An event, committed and not yet dispatched; `and_then` runs in its transaction."""
        event = NewEvent(type=kind, subject=subject, previous_status="pending", data={"reference": subject, **data})

        def operation(connection: Connection) -> str:
            reference = outbox.append(connection, self.business.identifiers, event, now=self.clock.now())
            if and_then is not None:
                and_then(connection)
            return reference

        return await self.executor.run(operation)

    async def forget_attempts(self) -> int:
        return await self.executor.run(lambda c: delivery_operations.forget_attempts(c, now=self.clock.now()))

    async def dispatch(self) -> None:
        await self.dispatcher.step(self.clock.now())

    async def deliver(self) -> None:
        """Dispatch, and make every attempt that is due until none is."""
        await self.dispatch()
        busy = True
        while busy:
            due = await self.deliverer.step(self.clock.now())
            busy = due <= self.clock.now() or bool(self.deliverer._under_way)
            await self.deliverer.ended()

    async def deliveries(self, **filters: object) -> list[Delivery]:
        """Every delivery, oldest first."""
        rows = await self.executor.read(lambda c: delivery_records.page(c, limit=1000, **filters))  # type: ignore[arg-type]
        return rows[::-1]

    async def states(self) -> list[DeliveryState]:
        return [row.state for row in await self.deliveries()]


@pytest.fixture
async def shop(executor: Executor, business: Business, clock: StoppedClock) -> AsyncIterator[Shopfront]:
    shop = Shopfront(executor, business, clock)
    yield shop
    await shop.deliverer.aclose()
