"""The one place where a payment changes: history first, then the row, then the event, in the caller's transaction."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from attrs import evolve
from sqlalchemy import Connection

from bakong_service.domain.event import NewEvent
from bakong_service.domain.outcome import Outcome
from bakong_service.domain.payment import Flag, Payment, PaymentStatus, Transition
from bakong_service.domain.watching import Mode, next_look
from bakong_service.operations import credit, presenting
from bakong_service.operations.business import Business
from bakong_service.storage import history, outbox, payments
from bakong_service.storage.signals import PAYMENTS, signal

# In these the user's credit is theirs again. Late money takes it back (`credit.keep`), as far as it isn't spent.
_CLOSED_UNPAID = (
    PaymentStatus.TIMEOUT,
    PaymentStatus.FAILED,
    PaymentStatus.CANCELLED,
    PaymentStatus.EXPIRED,
    PaymentStatus.REFUNDED,
)


def carry_out(
    connection: Connection,
    business: Business,
    payment: Payment,
    row: Transition,
    *,
    reason: str,
    actor: str,
    mode: Mode = Mode.BULK,
    outcome: Outcome | None = None,
    metadata: dict[str, Any] | None = None,
    paid_at: datetime | None = None,
    effect: Callable[[Payment], Payment] | None = None,
    now: datetime,
) -> Payment:
    """Do what a row of the table says; the payment as it then stands.

    `payment` is held by the caller, and may carry what the watcher has just noted. `paid_at` is when the payer sent;
    `effect` is done between the change and the event that tells of both. Raises `storage.payments.StateMoved` where the
    payment wasn't held after all.
    """
    status = row.to or payment.status
    flags = payment.flags | {row.flag.value} if row.flag else payment.flags
    after = evolve(payment, status=status, flags=flags, paid_at=paid_at or payment.paid_at)
    after = payments.looking(after, next_look(after, mode, now=now, outcome=outcome))
    history.write_payment(
        connection,
        payment.id,
        version=payment.version + 1,
        old=payment.status.value,
        new=status.value,
        reason=reason,
        actor=actor,
        event_type=row.event,
        metadata=metadata,
        now=now,
    )
    after = payments.save(connection, payment, after)
    if effect is not None:
        after = effect(after)
    closes_unpaid = row.to in _CLOSED_UNPAID and payment.status is not PaymentStatus.PAID
    if row.flag is Flag.CREDITED or closes_unpaid:
        credit.give_back(connection, business, after, now=now)
    if row.event:
        event = NewEvent(
            type=row.event,
            subject=payment.reference,
            previous_status=payment.status.value,
            data=presenting.payment(after),
        )
        outbox.append(connection, business.identifiers, event, now=now)
    signal(connection, PAYMENTS, payment.reference)
    return after
