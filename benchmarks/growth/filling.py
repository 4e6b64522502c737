"""Fills a database with payments as operations make them: created, then paid or cancelled, over sixty days."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

from attrs import evolve

from bakong_service import app
from bakong_service.domain.money import Money
from bakong_service.domain.outcome import Answer, Outcome, Sighting
from bakong_service.domain.payment import NewPayment, Payment
from bakong_service.operations.payments import requests, settling
from bakong_service.operations.unit_of_work import WATCHER, UnitOfWork, transaction
from bakong_service.settings import Settings
from bakong_service.workers.audit_numbering import AuditNumberer
from bakong_service.workers.dispatch import Dispatcher

SPAN = timedelta(days=60)
CANCELLED_OF = 3  # one payment in so many is cancelled; the others are paid
IN_ONE_TRANSACTION = 250


async def fill(settings: Settings, payments: int, told: Callable[[int], None]) -> float:
    """Make that many payments, and return the seconds that it took. `told` hears how many there are."""
    begun, numbers = time.monotonic(), count(time.time_ns())
    async with app.opened(settings, prepared=True) as service:
        ends_at = datetime.now(UTC) - timedelta(days=2)
        for first in range(0, payments, IN_ONE_TRANSACTION):
            at = ends_at - SPAN + SPAN * first / payments

            def some(work: UnitOfWork, size: int = min(IN_ONE_TRANSACTION, payments - first)) -> None:
                for _ in range(size):
                    _one(work, next(numbers))

            await service.executor.run(transaction(service.business, "api:benchmark", at, some))
            told(min(first + IN_ONE_TRANSACTION, payments))
        # As the workers of a service would have done meanwhile.
        await Dispatcher(service.executor, service.business, service.clock).step(ends_at)
        await AuditNumberer(service.executor).step(ends_at)
    return time.monotonic() - begun


def _one(work: UnitOfWork, number: int) -> None:
    payment = requests.create(work, NewPayment(amount=Money(250, "USD"), description="Coffee"))
    if number % CANCELLED_OF == 0:
        requests.cancel(work, payment.reference, reason="changed their mind")
        last_look = evolve(work, now=payment.watch_until + timedelta(seconds=1), actor=WATCHER)
        settling.settle(last_look, payment.id, Outcome(answer=Answer.NOT_FOUND, asked_at=last_look.now))
    else:
        paid_at = work.now + timedelta(seconds=20)
        watcher = evolve(work, now=paid_at, actor=WATCHER)
        settling.settle(watcher, payment.id, _transfer(payment, number, paid_at))


def _transfer(payment: Payment, number: int, at: datetime) -> Outcome:
    sighting = Sighting(
        tx_hash=f"{number:064x}",
        amount=payment.amount.decimal,
        currency=payment.amount.currency,
        to_account=payment.to_account,
        from_account="payer@demo",
        external_ref=f"100FT{number:011d}",
        sent_at=at - timedelta(seconds=2),
        acknowledged_at=at - timedelta(seconds=1),
    )
    return Outcome(answer=Answer.FOUND, asked_at=at, sighting=sighting, raw="{}")
