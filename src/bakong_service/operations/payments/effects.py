"""The effect of a paid payment, which happens exactly once. A one-off payment has none: it only has its event."""

from datetime import datetime

from attrs import evolve

from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.purchase import Incoming
from bakong_service.operations.ledger import moving
from bakong_service.operations.subscriptions import purchases as subscriptions
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage.payments import effects, payments


def possible(work: UnitOfWork, payment: Payment) -> bool:
    """Return whether the effect of a payment is still possible."""
    if payment.purpose is Purpose.ONE_OFF:
        return True
    return not effects.exists(work.connection, payment.id) and subscriptions.effect_still_valid(work, payment)


def apply(work: UnitOfWork, payment: Payment, incoming: Incoming, *, paid_at: datetime) -> Payment:
    """Carry out the effect of a payment that has just become `paid`, with the money that came for it.

    Return the payment with the subscription that it now belongs to.
    """
    if payment.purpose is Purpose.ONE_OFF:
        moving.take_one_off(work, payment, incoming)
        return payment
    effect = subscriptions.apply_payment(work, payment, incoming, paid_at=paid_at)
    effects.add(work.connection, payment.id, kind=effect.kind, target=effect.target, now=work.now)
    if effect.target is None or effect.target == payment.subscription:
        return payment
    subscription_id = payments.assign(work.connection, payment, subscription=effect.target)
    return evolve(payment, subscription=effect.target, subscription_id=subscription_id)
