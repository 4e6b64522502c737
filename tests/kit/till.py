"""A shop on a database: its payments and subscriptions, what Bakong is made to say of them, and what is on record."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Concatenate, ParamSpec, TypeVar

from attrs import define, evolve, field
from sqlalchemy import Connection, select

from bakong_service.domain import ledger as accounts
from bakong_service.domain.cadence import Cadence
from bakong_service.domain.event import Event
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import NewPayment, Payment
from bakong_service.domain.plan import PlanTerms
from bakong_service.domain.subscription import Subscription
from bakong_service.operations.business import Business
from bakong_service.operations.payments import requests as payments
from bakong_service.operations.payments import reviews, settling
from bakong_service.operations.subscriptions import boundaries, plans
from bakong_service.operations.unit_of_work import UnitOfWork, transaction
from bakong_service.storage import history, schema
from bakong_service.storage.checks.invariants import Violation
from bakong_service.storage.checks.verification import verify
from bakong_service.storage.engine.executor import Executor, Operation
from bakong_service.storage.history import Change
from bakong_service.storage.ledger import entries as ledger
from bakong_service.storage.payments import payments as rows
from bakong_service.storage.payments import receipts
from bakong_service.storage.payments import reviews as queue
from bakong_service.storage.payments.receipts import Receipt
from bakong_service.storage.payments.reviews import ReviewItem
from bakong_service.storage.subscriptions import subscriptions
from bakong_service.storage.webhooks import outbox
from kit.business import a_business
from kit.clocks import StandingClock

P = ParamSpec("P")
T = TypeVar("T")

START = datetime(2026, 1, 1, 9, 30, 15, 250000, tzinfo=UTC)
PLANS = (
    PlanTerms(code="PREMIUM", name="Premium", price=Money(50, "USD")),
    PlanTerms(code="FAMILY_PREMIUM", name="Family Premium", price=Money(100, "USD")),
    PlanTerms(code="BUSINESS", name="Business", price=Money(250, "USD")),
    PlanTerms(code="BASIC_KHR", name="Basic", price=Money(2000, "KHR")),
    PlanTerms(code="FULL_KHR", name="Full", price=Money(8000, "KHR")),
    PlanTerms(code="YEAR", name="A year", price=Money(500, "USD"), cadence=Cadence.stated(period_days=360)),
)
_hashes = count(1)
_transfers = count(1)


class Rehearsed(Exception):  # noqa: N818 - what happened
    """Rolls a transaction back and carries out what came of it."""

    def __init__(self, result: Any) -> None:
        self.result = result


@define
class Till:
    """One shop at one moment, which the test moves; everything else happens at it."""

    executor: Executor
    business: Business = field(factory=a_business)
    clock: StandingClock = field(factory=StandingClock)

    # The moment, and work at it

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def at(self, moment: datetime | None) -> None:
        """Move on to a moment."""
        assert moment is not None
        self.clock.at = moment

    def later(self, **by: float) -> None:
        self.clock.later(**by)

    def work(self, connection: Connection, actor: str = "api:test") -> UnitOfWork:
        return UnitOfWork(connection=connection, business=self.business, actor=actor, now=self.now)

    async def run(self, operation: Operation[T]) -> T:
        return await self.executor.run(operation)

    async def do(
        self,
        operation: Callable[..., T],
        *args: Any,
        actor: str = "api:test",
        now: datetime | None = None,
        **named: Any,
    ) -> T:
        """Run an operation now, unless said otherwise."""
        return await self.executor.run(
            transaction(self.business, actor, now or self.now, lambda work: operation(work, *args, **named))
        )

    async def rehearse(self, operation: Callable[..., T], *args: Any, actor: str = "api:test", **named: Any) -> T:
        """Run an operation now, and roll it back."""

        def run(work: UnitOfWork) -> T:
            raise Rehearsed(operation(work, *args, **named))

        try:
            return await self.executor.run(transaction(self.business, actor, self.now, run))
        except Rehearsed as rehearsed:
            result: T = rehearsed.result
            return result

    async def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Run a query."""
        return await self.executor.read(lambda connection: query(connection, *args, **named))

    # Payments

    async def create(self, **asked: Any) -> Payment:
        return await self.do(payments.create, NewPayment(**(asked or {"amount": Money(250, "USD")})))

    async def settle(self, payment: Payment, outcome: Outcome, *, fence: int | None = None) -> Payment:
        return await self.do(settling.settle, payment.id, outcome, fence=fence)

    async def see(self, payment: Payment, **differently: Any) -> Payment:
        """Bakong shows money under the payment's MD5: this payment's, unless it is said what is different."""
        return await self.settle(payment, self.found(payment, **differently))

    def found(self, payment: Payment, **differently: Any) -> Outcome:
        return Outcome(answer=Answer.FOUND, asked_at=self.now, sighting=self.sighting(payment, **differently), raw="{}")

    def sighting(self, payment: Payment, **differently: Any) -> Sighting:
        asked_for = Sighting(
            tx_hash=f"{next(_hashes):064x}",
            amount=payment.amount.decimal,
            currency=payment.amount.currency,
            to_account=payment.to_account,
            from_account="demokhppxxx@demo",
            external_ref="100FT00000000001",
            sent_at=self.now,
            acknowledged_at=self.now + timedelta(seconds=1),
        )
        return evolve(asked_for, **differently)

    async def answer(self, payment: Payment, answer: Answer, **details: Any) -> Payment:
        """Bakong says something else of a payment, asked now."""
        return await self.settle(payment, Outcome(answer=answer, **({"asked_at": self.now} | details)))

    async def cancel(self, payment: Payment) -> Payment:
        return await self.do(payments.cancel, payment.reference, reason="test")

    async def resolve(self, item: ReviewItem, action: str, note: str | None = "why") -> Payment:
        return await self.do(reviews.resolve, item.reference, action=action, note=note, actor="operator:dara")

    async def refund(self, payment: Payment, *, reverse: bool = False, amount: Decimal | None = None) -> Payment:
        return await self.do(
            reviews.record_refund,
            payment.reference,
            refund_reference=f"FT{next(_transfers)}",
            reverse=reverse,
            amount=amount,
            actor="operator:dara",
        )

    async def hint(self, payment: Payment) -> Payment:
        return await self.do(payments.hint, payment.reference)

    # Subscriptions

    async def buy(self, plan: str = "PREMIUM", user: str = "u1") -> Payment:
        """A payment for a plan, as a caller of the API makes it."""
        return await self.create(user_id=user, plan=plan)

    async def pay(
        self,
        payment: Payment | None,
        *,
        sent_at: datetime | None = None,
        amount: Money | None = None,
        tx: str | None = None,
    ) -> Payment:
        """The payer pays (now, unless said), and the watcher finds it."""
        assert payment is not None
        money = amount or payment.amount
        return await self.see(
            payment,
            amount=money.decimal,
            currency=money.currency,
            sent_at=sent_at or self.now,
            tx_hash=tx or f"{next(_hashes):064x}",
        )

    async def subscribe(self, plan: str = "PREMIUM", user: str = "u1") -> Subscription:
        """A user who bought a plan and paid for it, now."""
        await self.pay(await self.buy(plan, user))
        return await self.of(user)

    async def tick(self, user: str = "u1") -> Subscription:
        """The clock does what is due to the user's subscription."""
        return await self.do(boundaries.apply_due, (await self.of(user)).id)

    # What is on record

    async def of(self, user: str = "u1") -> Subscription:
        """The user's newest subscription, as it is kept."""
        found = await self.read(subscriptions.last_of, user)
        assert found is not None
        return found

    async def credit(self, user: str = "u1", currency: str = "USD") -> int:
        """What the user may spend, in minor units."""
        return await self.read(ledger.balance, accounts.credit(user), currency)

    def qr(self, payment: Payment) -> str:
        return self.business.vault.open(payment.qr, f"payments.qr_enc.{payment.reference}")

    async def payment(self, payment: Payment) -> Payment:
        found = await self.read(rows.by_id, payment.id)
        assert found is not None
        return found

    async def history(self, of: Payment | Subscription) -> list[Change]:
        """The changes of a payment or a subscription, newest first."""
        return await self.read(history.of_payment if isinstance(of, Payment) else history.of_subscription, of.id)

    async def receipts(self, payment: Payment) -> list[Receipt]:
        return await self.read(receipts.of_payment, payment.id)

    async def reviews(self, payment: Payment, *, only_open: bool = True) -> list[ReviewItem]:
        return await self.read(queue.of_payment, payment.id, only_open=only_open)

    async def events(self, subject: str) -> list[Event]:
        """What was told of a subject, in order."""

        def query(connection: Connection) -> list[Event]:
            events = schema.events.c
            ids = connection.execute(
                select(events.id).where(events.subject == subject).order_by(events.subject_seq)
            ).scalars()
            return [outbox.by_ids(connection, [event_id])[event_id] for event_id in ids]

        return await self.executor.read(query)

    async def told(self, subject: str) -> list[str]:
        """The types of the events about a subject, in order, without the subject's own name."""
        types = [event.type.partition(".") for event in await self.events(subject)]
        assert all(subject.startswith(kind[:3]) for kind, _, _ in types)  # pay_..., sub_...
        return [name for _, _, name in types]

    async def violations(self) -> list[Violation]:
        return await self.executor.read(
            lambda c: verify(
                c, self.business.vault, subscription_grace=self.business.subscriptions.grace, now=self.now
            ),
            many=True,
        )


async def a_desk(executor: Executor, *, at: datetime = START, sold: Sequence[PlanTerms] | None = PLANS) -> Till:
    """Return a till that sells these plans, or the default ones."""
    desk = Till(executor, clock=StandingClock(at))
    await desk.do(plans.ensure_defaults, sold)
    return desk
