"""Taking back what a payment bought, when an operator who refunds it chooses so."""

from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from bakong_service.domain import lifecycle
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Payment, Purpose
from bakong_service.domain.purchase import Quote
from bakong_service.domain.subscription import Happening, Status, Subscription
from bakong_service.operations import boundaries, credit, selling
from bakong_service.operations.business import Business
from bakong_service.operations.credit import owner
from bakong_service.operations.subscription_recording import Cause, record
from bakong_service.storage import credit_entries, periods, plans, subscriptions


def reverse(connection: Connection, business: Business, payment: Payment, *, actor: str, now: datetime) -> None:
    """Take back the effect of a payment for a plan: the credit it became, the upgrade, or a period.

    Of the paid periods it is the last; with none paid ahead the subscription ends now. Days that were served can't be
    taken back: where the payment's own period is over, or the subscription is, or has another plan by now, nothing
    is. The credit that was spent on what is taken is the user's again; what money became and was spent stays spent.
    """
    subscriptions.lock_user(connection, owner(payment))
    credited = credit_entries.of(connection, reason=credit.PAYMENT_CREDITED, source=payment.reference)
    if credited is not None:
        _take_credit(connection, business, payment, credited, now)
        return
    assert payment.subscription_id is not None  # what is paid for a plan went to a subscription, or became credit
    subscription = boundaries.apply_due(connection, business, payment.subscription_id, now=now)
    if subscription.status is Status.EXPIRED:
        return
    cause = Cause(reason="refunded", actor=actor, now=now, facts={"payment": payment.reference})
    if payment.purpose is Purpose.UPGRADE:
        _take_upgrade(connection, business, subscription, payment, cause)
        return
    if _is_served(connection, payment, now):
        return
    credit.reverse(connection, business, payment, now=now)  # first: events tell the user's credit
    if subscription.periods_ahead:
        periods.give_back(connection, subscription.id, payment.id, now=now)
        shortened = lifecycle.shortened(subscription)
        record(connection, business, subscription, shortened, Happening.PAYMENT_REVERSED, cause)
    else:
        _end(connection, business, subscription, cause)


def _take_credit(connection: Connection, business: Business, payment: Payment, credited: Money, now: datetime) -> None:
    left = min(credited.minor, credit_entries.balance(connection, owner(payment), credited.currency))
    credit_entries.add(
        connection,
        business.identifiers,
        user_id=owner(payment),
        amount=Money(-left, credited.currency),
        reason=credit.REFUNDED,
        source=payment.reference,
        now=now,
    )


def _is_served(connection: Connection, payment: Payment, now: datetime) -> bool:
    bought = periods.bought_by(connection, payment.id)
    return bought is None or bought.ends_at <= now


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
    if subscription.plan.code != quote.to_plan or subscription.period_number not in upgraded:
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
