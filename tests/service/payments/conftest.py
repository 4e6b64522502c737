"""A shop on a database of its own: its payments, what Bakong is made to say of them, and what is then on record."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from attrs import define, evolve, field
from sqlalchemy import Connection, select

from bakong_service.domain.event import Event
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import NewPayment, Payment
from bakong_service.domain.policy import Shop
from bakong_service.domain.watching import Mode
from bakong_service.operations import payments, plans, reviews, settling
from bakong_service.operations.business import Business
from bakong_service.storage import history, outbox, receipts, schema
from bakong_service.storage import payments as rows
from bakong_service.storage import reviews as queue
from bakong_service.storage.executor import Executor, Operation
from bakong_service.storage.history import Change
from bakong_service.storage.invariants import Violation
from bakong_service.storage.receipts import Receipt
from bakong_service.storage.reviews import ReviewItem
from bakong_service.storage.verification import verify
from bakong_service.vault import Vault

ACCOUNT = "sokha@aclb"
BEGIN = datetime(2026, 11, 1, 12, tzinfo=UTC)
_hashes = count(1)


@define
class Till:
    """One shop at one moment. `now` is moved by hand."""

    executor: Executor
    business: Business
    now: datetime = BEGIN
    mode: Mode = Mode.BULK
    created: list[int] = field(factory=list)

    async def run(self, operation: Operation[Any]) -> Any:
        return await self.executor.run(operation)

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    async def create(self, **asked: Any) -> Payment:
        request = NewPayment(**(asked or {"amount": Money(250, "USD")}))
        return await self.run(lambda c: payments.create(c, self.business, request, actor="api:test", now=self.now))

    async def settle(self, payment: Payment, outcome: Outcome, *, fence: int | None = None) -> Payment:
        return await self.run(
            lambda c: settling.settle(c, self.business, payment.id, outcome, fence=fence, mode=self.mode, now=self.now)
        )

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
        return await self.run(
            lambda c: payments.cancel(
                c, self.business, payment.reference, reason="test", actor="api:test", now=self.now
            )
        )

    async def resolve(self, item: ReviewItem, action: str, note: str | None = "why") -> Payment:
        return await self.run(
            lambda c: reviews.resolve(
                c, self.business, item.reference, action=action, operator="operator:dara", note=note, now=self.now
            )
        )

    async def refund(self, payment: Payment, *, reverse: bool = False) -> Payment:
        return await self.run(
            lambda c: reviews.record_refund(
                c,
                self.business,
                payment.reference,
                refund_reference="FT1",
                reverse=reverse,
                operator="operator:dara",
                now=self.now,
            )
        )

    async def hint(self, payment: Payment) -> Payment:
        return await self.run(lambda c: payments.hint(c, self.business, payment.reference, now=self.now))

    # What is on record

    async def payment(self, payment: Payment) -> Payment:
        return await self.executor.read(lambda c: rows.by_id(c, payment.id))

    async def history(self, payment: Payment) -> list[Change]:
        return await self.executor.read(lambda c: history.of_payment(c, payment.id))

    async def receipts(self, payment: Payment) -> list[Receipt]:
        return await self.executor.read(lambda c: receipts.of_payment(c, payment.id))

    async def reviews(self, payment: Payment, *, only_open: bool = True) -> list[ReviewItem]:
        return await self.executor.read(lambda c: queue.of_payment(c, payment.id, only_open=only_open))

    async def events(self, payment: Payment) -> list[Event]:
        def query(connection: Connection) -> list[Event]:
            ids = connection.execute(
                select(schema.events.c.id)
                .where(schema.events.c.subject == payment.reference)
                .order_by(schema.events.c.subject_seq)
            ).scalars()
            return [outbox.by_ids(connection, [event_id])[event_id] for event_id in ids]

        return await self.executor.read(query)

    async def told(self, payment: Payment) -> list[str]:
        """The types of the payment's events, in their order."""
        return [event.type for event in await self.events(payment)]

    async def violations(self) -> list[Violation]:
        return await self.executor.read(
            lambda c: verify(
                c, self.business.vault, subscription_grace=self.business.subscriptions.grace, now=self.now
            ),
            many=True,
        )


@pytest.fixture
def business() -> Business:
    shop = Shop(bakong_account_id=ACCOUNT, merchant_name="Sokha Coffee")
    return Business(shop=shop, vault=Vault({"k1": b"0" * 32}, b"p" * 32))


@pytest.fixture
async def till(executor: Executor, business: Business) -> Till:
    """A till with the default plans."""
    till = Till(executor=executor, business=business)
    await till.run(lambda c: plans.ensure_defaults(c, business, None, now=till.now))
    return till


@pytest.fixture
async def usd(till: Till) -> Payment:
    """An open one-off payment of 2.50 dollars."""
    return await till.create(amount=Money(250, "USD"))


def decimal(text: str) -> Decimal:
    return Decimal(text)


@pytest.fixture(scope="session")
def till_of() -> type[Till]:
    """What makes a till, for tests that make their own."""
    return Till
