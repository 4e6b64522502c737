"""What being paid does for the user, exactly once. A one-off payment does nothing here: its event is all there is."""

from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from bakong_service.domain.payment import Payment, Purpose
from bakong_service.operations import subscriptions
from bakong_service.operations.business import Business
from bakong_service.storage import effects, payments


def possible(connection: Connection, payment: Payment, *, now: datetime) -> bool:
    """Whether what the payment buys can still be had."""
    if payment.purpose is Purpose.ONE_OFF:
        return True
    return not effects.exists(connection, payment.id) and subscriptions.effect_still_valid(connection, payment, now=now)


def apply(connection: Connection, business: Business, payment: Payment, *, paid_at: datetime, now: datetime) -> Payment:
    """Do what a payment that has just become `paid` is for; the payment with the subscription that it went to."""
    if payment.purpose is Purpose.ONE_OFF:
        return payment
    effect = subscriptions.apply_payment(connection, business, payment, paid_at=paid_at, now=now)
    effects.add(connection, payment.id, kind=effect.kind, target=effect.target, now=now)
    if effect.target is None or effect.target == payment.subscription:
        return payment
    subscription_id = payments.assign(connection, payment, subscription=effect.target)
    return evolve(payment, subscription=effect.target, subscription_id=subscription_id)
