"""Taking back what a payment bought, when an operator who refunds it chooses so."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from attrs import evolve
from sqlalchemy import Connection

from bakong_service.domain import lifecycle
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.purchase import Quote
from bakong_service.domain.subscription import Happening, Status, Subscription
from bakong_service.operations import boundaries, credit, plan_changes, selling
from bakong_service.operations.business import Business
from bakong_service.operations.credit import owner
from bakong_service.operations.subscription_recording import Cause, record
from bakong_service.storage import adjustments, credit_entries, periods, plans, subscriptions


def reverse(connection: Connection, business: Business, payment: Payment, *, actor: str, now: datetime) -> None:
    """Take back the effect of a payment for a plan: the credit it became, the upgrade, or a period.

    Of the paid periods it is the last; with none paid ahead the subscription ends now. Days that were served can't be
    taken back: where the payment's own period is over, or the subscription is, or has another plan by now, nothing
    is. The credit that was spent on what is taken is the user's again, and what a downgrade earned of it isn't any
    more; what money became and was spent stays spent.
    """
    subscriptions.lock_user(connection, owner(payment))
    credited = credit_entries.of(connection, reason=credit.PAYMENT_CREDITED, source=payment.reference)
    if credited is not None:
        _take_credit(connection, business, payment, credited, now)
        return
    assert payment.subscription_id is not None  # what is paid for a plan went to a subscription, or became credit
    subscription = boundaries.apply_due(connection, business, payment.subscription_id, now=now)
    cause = Cause(reason="refunded", actor=actor, now=now, facts={"payment": payment.reference})
    if payment.purpose is Purpose.UPGRADE:
        _take_upgrade(connection, business, subscription, payment, cause)
        return
    bought = periods.bought_by(connection, payment.id)
    if bought is None or bought.ends_at <= now:
        return
    if subscription.status is Status.EXPIRED:
        _take_earned(connection, business, subscription, payment, bought.number, now)
        return
    credit.reverse(connection, business, payment, now=now)  # first: events tell the user's credit
    _take_earned(connection, business, subscription, payment, subscription.last_paid_period, now)
    if subscription.periods_ahead:
        periods.give_back(connection, subscription.id, payment.id, now=now)
        shortened = lifecycle.shortened(subscription)
        record(connection, business, subscription, shortened, Happening.PAYMENT_REVERSED, cause)
    else:
        _end(connection, business, subscription, cause)


def _take_credit(connection: Connection, business: Business, payment: Payment, credited: Money, now: datetime) -> None:
    left = min(credited.minor, credit_entries.balance(connection, owner(payment), credited.currency))
    if not left:
        return
    credit_entries.add(
        connection,
        business.identifiers,
        user_id=owner(payment),
        amount=Money(-left, credited.currency),
        reason=credit.REFUNDED,
        source=payment.reference,
        now=now,
    )


def _take_earned(
    connection: Connection, business: Business, subscription: Subscription, payment: Payment, number: int, now: datetime
) -> None:
    """What downgrades earned of a period, as far as it isn't spent: its money goes back."""
    earned = 0
    for reckoned in _downgrades(connection, subscription):
        saved = dict(enumerate(map(Fraction, reckoned["saved"]), reckoned["period_number"]))
        earned += min(floor(saved.get(number, 0)), _earned(reckoned))
    _take_credit(connection, business, payment, Money(earned, payment.amount.currency), now)


def _downgrades(connection: Connection, subscription: Subscription) -> list[dict[str, Any]]:
    changes = adjustments.of_subscription(connection, subscription.id)
    return [reckoned for kind, reckoned in changes if kind == plan_changes.DOWNGRADE]


def _earned(reckoned: dict[str, Any]) -> int:
    return Money.of(Decimal(reckoned["earned"]), reckoned["currency"]).minor


def _take_upgrade(
    connection: Connection, business: Business, subscription: Subscription, payment: Payment, cause: Cause
) -> None:
    """The former plan, for those of the upgraded periods that aren't served. A period bought as the dearer plan keeps
    it: its number is beyond the quoted ones, or its price is the dearer plan's where it moved up for a refunded one.
    """
    quote = Quote(**(payment.quote or {}))
    plan = plans.of_version(connection, quote.from_plan, quote.from_version)
    dearer = plans.of_version(connection, quote.to_plan, quote.to_version)
    assert plan is not None
    assert dearer is not None
    paid = periods.from_number(connection, subscription.id, subscription.period_number)
    upgraded = [
        period.number
        for period in paid
        if period.ends_at > cause.now
        and period.number <= quote.last_paid_period
        and period.price.minor < dearer.price.minor
    ]
    if subscription.plan.code != quote.to_plan:
        later = [
            reckoned
            for reckoned in _downgrades(connection, subscription)
            if reckoned["subscription_version"] > quote.subscription_version
        ]
        earned = min(sum(map(_earned, later)), payment.amount.minor)
        _take_credit(connection, business, payment, Money(earned, payment.amount.currency), cause.now)
        return
    if subscription.status is Status.EXPIRED or subscription.period_number not in upgraded:
        return
    credit.reverse(connection, business, payment, now=cause.now)
    selling.switch(
        connection, business, subscription, plan=plan, happening=Happening.PAYMENT_REVERSED, cause=cause,
        tells=("subscription.downgraded",), numbers=upgraded, scheduled=dearer if len(upgraded) < len(paid) else None,
    )  # fmt: skip


def _end(connection: Connection, business: Business, subscription: Subscription, cause: Cause) -> None:
    if subscription.status is Status.CANCELLED:
        after = evolve(subscription, entitled_until=cause.now)
        # What tells of it is `subscription.ended`, which the clock adds at once.
        record(connection, business, subscription, after, Happening.PAYMENT_REVERSED, cause, tells=())
    else:
        after = lifecycle.cancelled(subscription, at_once=True, reason="refunded", now=cause.now)
        record(connection, business, subscription, after, Happening.CANCELLED, cause)
    boundaries.apply_due(connection, business, subscription.id, now=cause.now)
