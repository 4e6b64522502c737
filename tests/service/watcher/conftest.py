"""A watcher over the simulator of Bakong, on a database of its own and a clock that is moved by hand."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from attrs import define, field

from bakong_khqr.testing import BakongSimulator
from bakong_service.domain.money import Money
from bakong_service.domain.payment import NewPayment, Payment
from bakong_service.domain.policy import Shop
from bakong_service.operations import payments, plans
from bakong_service.operations.business import Business
from bakong_service.storage import payments as rows
from bakong_service.storage import reviews
from bakong_service.storage.executor import Executor, Operation
from bakong_service.storage.verification import verify
from bakong_service.vault import Vault
from bakong_service.workers.settlement import Settlement
from bakong_service.workers.watching import watcher

BEGIN = datetime(2026, 11, 1, 12, tzinfo=UTC)


@define
class HandClock:
    """A clock that stands until it is moved."""

    offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        return BEGIN + self.offset


@define(eq=False)
class Scene:
    """The shop, Bakong and a watcher between them."""

    executor: Executor
    business: Business
    bakong: BakongSimulator
    clock: HandClock
    http: httpx.AsyncClient
    settings: dict[str, Any] = field(factory=dict)
    watcher: Settlement = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.restart()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def later(self, **by: float) -> None:
        self.clock.offset += timedelta(**by)

    def until(self, moment: datetime) -> None:
        self.clock.offset = moment - BEGIN

    def restart(self, **settings: Any) -> Settlement:
        """A watcher that knows nothing but what is in the database."""
        self.settings |= settings
        self.watcher = self.another()
        return self.watcher

    def another(self) -> Settlement:
        """One more replica."""
        given = {"token": "simulator", "email": None, "daily_limit": None} | self.settings
        return watcher(
            self.executor, self.business, self.clock, http=self.http, base_url="https://bakong.test", **given
        )

    async def step(self) -> datetime | None:
        return await self.watcher.step(self.now)

    async def live(self, *, until: datetime | None = None, **by: float) -> None:
        """Let time pass as the watcher asks for it, jumping from look to look."""
        end = until or self.now + timedelta(**by)
        while self.now < end:
            await self.step()
            due = await self.executor.run(_next_due)
            self.until(min(end, max(due or end, self.now + timedelta(milliseconds=10))))
        await self.step()

    async def run(self, operation: Operation[Any]) -> Any:
        return await self.executor.run(operation)

    async def create(self, **asked: Any) -> Payment:
        request = NewPayment(**(asked or {"amount": Money(250, "USD")}))
        return await self.run(lambda c: payments.create(c, self.business, request, actor="api:test", now=self.now))

    def pay(self, payment: Payment, **details: Any) -> None:
        self.bakong.pay(self.qr(payment), **details)

    def qr(self, payment: Payment) -> str:
        return self.business.vault.open(payment.qr, f"payments.qr_enc.{payment.reference}")

    async def hint(self, payment: Payment) -> Payment:
        return await self.run(lambda c: payments.hint(c, self.business, payment.reference, now=self.now))

    async def payment(self, payment: Payment) -> Payment:
        return await self.run(lambda c: rows.by_id(c, payment.id))

    async def reviews(self, payment: Payment) -> list[str]:
        return [item.kind for item in await self.run(lambda c: reviews.of_payment(c, payment.id, only_open=True))]

    async def violations(self) -> list[Any]:
        return await self.run(
            lambda c: verify(c, self.business.vault, subscription_grace=self.business.subscriptions.grace, now=self.now)
        )

    def calls(self, endpoint: str = "") -> int:
        """How many calls Bakong was sent since the last time this was asked."""
        asked = sum(endpoint in request.path for request in self.bakong.requests)
        self.bakong.requests.clear()
        return asked


def _next_due(connection: Any) -> datetime | None:
    from bakong_service.storage import claims

    return claims.next_due(connection)


@pytest.fixture
async def scene(executor: Executor) -> AsyncIterator[Scene]:
    """A scene with the default plans, a kind Bakong and no limit of calls."""
    clock = HandClock()
    shop = Shop(bakong_account_id="sokha@aclb", merchant_name="Sokha Coffee")
    business = Business(shop=shop, vault=Vault({"k1": b"0" * 32}, b"p" * 32))
    bakong = BakongSimulator(clock=clock.now, seed=1)
    await executor.run(lambda c: plans.ensure_defaults(c, business, None, now=clock.now()))
    async with httpx.AsyncClient(transport=bakong.transport()) as http:
        yield Scene(executor=executor, business=business, bakong=bakong, clock=clock, http=http)  # type: ignore[arg-type]  # a clock by shape
