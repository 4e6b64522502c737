"""A shop whose time is the test's: operations on a real database, money told as Bakong would tell it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

import anyio
import pytest
from attrs import evolve
from sqlalchemy import Connection, select

from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import NewPayment, Payment
from bakong_service.domain.plan import PlanTerms
from bakong_service.domain.policy import Shop, SubscriptionPolicy
from bakong_service.domain.subscription import Subscription
from bakong_service.operations import boundaries, payments, plans
from bakong_service.operations.business import Business
from bakong_service.operations.settling import settle
from bakong_service.storage import credit_entries, history, subscriptions
from bakong_service.storage.executor import Executor, connect
from bakong_service.storage.history import Change
from bakong_service.storage.schema import events
from bakong_service.vault import Vault

P = ParamSpec("P")
T = TypeVar("T")

ACCOUNT = "coffee_house@dev"
START = datetime(2026, 1, 1, 9, 30, 15, 250000, tzinfo=UTC)
PERIOD = timedelta(days=30)

PLANS = (
    PlanTerms(code="PREMIUM", name="Premium", price=Money(50, "USD")),
    PlanTerms(code="FAMILY_PREMIUM", name="Family Premium", price=Money(100, "USD")),
    PlanTerms(code="BUSINESS", name="Business", price=Money(250, "USD")),
    PlanTerms(code="BASIC_KHR", name="Basic", price=Money(2000, "KHR")),
    PlanTerms(code="FULL_KHR", name="Full", price=Money(8000, "KHR")),
    PlanTerms(code="YEAR", name="A year", price=Money(500, "USD"), period=timedelta(days=360)),
)


def a_business(grace: timedelta = timedelta(days=3)) -> Business:
    """A shop that sells for dollars and riel."""
    return Business(
        shop=Shop(bakong_account_id=ACCOUNT, merchant_name="Coffee House"),
        vault=Vault({"1": b"k" * 32}, b"p" * 32),
        subscriptions=SubscriptionPolicy(grace=grace),
    )


class Rehearsed(Exception):  # noqa: N818 - what happened
    """Rolls a transaction back and carries out what came of it."""

    def __init__(self, result: Any) -> None:
        self.result = result


class Desk:
    """The shop's desk: `now` is moved by the test, everything else happens at it."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.business = a_business()
        self.now = START
        self._paid = 0

    @staticmethod
    def ungraced(business: Business) -> Business:
        """The same shop with a grace of 0."""
        return evolve(business, subscriptions=SubscriptionPolicy(grace=timedelta(0)))

    def at(self, moment: datetime) -> None:
        """Move on to a moment."""
        self.now = moment

    def after(self, *, days: float = 0, seconds: float = 0) -> None:
        """Move on by days and seconds."""
        self.now += timedelta(days=days, seconds=seconds)

    async def do(
        self, operation: Callable[Concatenate[Connection, Business, P], T], *args: P.args, **named: P.kwargs
    ) -> T:
        """Run an operation now."""
        given: dict[str, Any] = {"now": self.now, **named}
        return await self.executor.run(lambda connection: operation(connection, self.business, *args, **given))

    async def rehearse(
        self, operation: Callable[Concatenate[Connection, Business, P], T], *args: P.args, **named: P.kwargs
    ) -> T:
        """Run an operation now, and roll it back."""
        given: dict[str, Any] = {"now": self.now, **named}

        def run(connection: Connection) -> T:
            raise Rehearsed(operation(connection, self.business, *args, **given))

        try:
            return await self.executor.run(run)
        except Rehearsed as rehearsed:
            result: T = rehearsed.result
            return result

    async def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Run a query."""
        return await self.executor.read(lambda connection: query(connection, *args, **named))

    async def sell(self) -> None:
        """Offer the plans."""
        await self.do(plans.ensure_defaults, PLANS)

    async def buy(self, plan: str = "PREMIUM", user: str = "u1") -> Payment:
        """A payment for a plan, as a caller of the API makes it."""
        return await self.do(payments.create, NewPayment(user_id=user, plan=plan), actor="api:test")

    async def pay(
        self, payment: Payment, *, sent_at: datetime | None = None, amount: Money | None = None, tx: str | None = None
    ) -> Payment:
        """The payer pays (now, unless said), and the watcher finds it."""
        self._paid += 1
        money = amount or payment.amount
        sighting = Sighting(
            tx_hash=tx or f"{self._paid:064x}",
            amount=money.decimal,
            currency=money.currency,
            to_account=ACCOUNT,
            sent_at=sent_at or self.now,
        )
        outcome = Outcome(answer=Answer.FOUND, asked_at=self.now, sighting=sighting)
        return await self.do(settle, payment.id, outcome)

    async def subscribe(self, plan: str = "PREMIUM", user: str = "u1") -> Subscription:
        """A user who bought a plan and paid for it, now."""
        await self.pay(await self.buy(plan, user))
        return await self.of(user)

    async def of(self, user: str = "u1") -> Subscription:
        """The user's newest subscription, as it is kept."""
        found = await self.read(subscriptions.last_of, user)
        assert found is not None
        return found

    async def tick(self, user: str = "u1") -> Subscription:
        """The clock does what is due to the user's subscription."""
        return await self.do(boundaries.apply_due, (await self.of(user)).id)

    async def events(self, subject: str) -> list[dict[str, Any]]:
        """What was told of a subject, in order: `type`, `previous_status` and the data's members."""
        query = select(events).where(events.c.subject == subject).order_by(events.c.subject_seq)
        rows = await self.read(lambda connection: connection.execute(query).mappings().all())
        return [{"type": row["type"], "previous_status": row["previous_status"], **row["payload"]} for row in rows]

    async def told(self, subject: str) -> list[str]:
        """The types of the events about a subject, in order, without the subject's own name."""
        return [event["type"].partition(".")[2] for event in await self.events(subject)]

    async def history(self, subscription: Subscription) -> list[Change]:
        """A subscription's changes, oldest first."""
        return (await self.read(history.of_subscription, subscription.id))[::-1]

    async def credit(self, user: str = "u1", currency: str = "USD") -> int:
        """What the user may spend, in minor units."""
        return await self.read(credit_entries.balance, user, currency)


@pytest.fixture
async def desk(executor: Executor) -> Desk:
    """A shop with six plans."""
    desk = Desk(executor)
    await desk.sell()
    return desk


@pytest.fixture
def desk_class() -> type[Desk]:
    """The desk's class, for a test that runs its own loop."""
    return Desk


@pytest.fixture
def desk_of(database_url: str) -> Callable[[Callable[[Desk], Awaitable[T]]], T]:
    """Do something at a desk from a test that isn't asynchronous itself; the desk's time is the present."""

    def run(work: Callable[[Desk], Awaitable[T]]) -> T:
        async def at_a_desk() -> T:
            executor = connect(database_url)
            await executor.start()
            try:
                desk = Desk(executor)
                desk.at(datetime.now(UTC))
                await desk.do(plans.ensure_defaults, None)
                return await work(desk)
            finally:
                await executor.close()

        return anyio.run(at_a_desk)

    return run
