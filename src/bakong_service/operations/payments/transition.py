"""Changes a payment, and nothing else does: first its history, then its row, then its event, in one transaction."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from attrs import evolve

from bakong_service import resources
from bakong_service.domain.event import NewEvent
from bakong_service.domain.outcome import Outcome
from bakong_service.domain.payment import Flag, Payment, PaymentStatus, Transition
from bakong_service.domain.watching import Mode, next_look
from bakong_service.operations.ledger import credit
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage import history
from bakong_service.storage.engine.signals import PAYMENTS, signal
from bakong_service.storage.history import Change
from bakong_service.storage.payments import payments

# In these statuses, the credit that was set aside is returned to the user. Late money takes it again if it is unspent.
_CLOSED_UNPAID = (
    PaymentStatus.TIMEOUT,
    PaymentStatus.FAILED,
    PaymentStatus.CANCELLED,
    PaymentStatus.EXPIRED,
    PaymentStatus.REFUNDED,
)


def carry_out(
    work: UnitOfWork,
    payment: Payment,
    row: Transition,
    *,
    reason: str,
    mode: Mode = Mode.BULK,
    outcome: Outcome | None = None,
    metadata: dict[str, Any] | None = None,
    tells: dict[str, Any] | None = None,
    paid_at: datetime | None = None,
    effect: Callable[[Payment], Payment] | None = None,
) -> Payment:
    """Do what a row of the table says, and return the payment after that.

    The caller has locked `payment`, which may have new facts of a look. `paid_at` is the time when the payer sent the
    money. `effect` runs between the change and its event, so that the event can show both; `tells` has further members
    of the event. Raises `storage.payments.StateMoved` if the payment wasn't locked.
    """
    status = row.to or payment.status
    flags = payment.flags | {row.flag.value} if row.flag else payment.flags
    after = evolve(payment, status=status, flags=flags, paid_at=paid_at or payment.paid_at)
    after = payments.looking(after, next_look(after, mode, now=work.now, outcome=outcome))
    change = Change(
        version=payment.version + 1,
        old_status=payment.status.value,
        new_status=status.value,
        reason=reason,
        actor=work.actor,
        event_type=row.event,
        metadata=metadata,
        at=work.now,
    )
    history.write_payment(work.connection, payment.id, change)
    after = payments.save(work.connection, payment, after)
    if effect is not None:
        after = effect(after)
    closes_unpaid = row.to in _CLOSED_UNPAID and payment.status is not PaymentStatus.PAID
    if row.flag is Flag.CREDITED or closes_unpaid:
        credit.give_back(work, after)
    if row.event:
        event = NewEvent(
            type=row.event,
            subject=payment.reference,
            previous_status=payment.status.value,
            data={**resources.plain(resources.Payment.of(after)), **(tells or {})},
        )
        work.append(event)
    signal(work.connection, PAYMENTS, payment.reference)
    return after
