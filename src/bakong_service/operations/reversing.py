"""Taking back what a payment bought, when an operator who refunds it chooses so."""

from datetime import datetime
from decimal import Decimal

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

    Of the paid periods it is the last; with none paid ahead the subscription ends now. Days that were served stay
    served: where the payment's own period is over, or the subscription is, or has another plan by now, it keeps what it
    has. The credit that was spent on what is taken is the user's again, and what a downgrade earned of it isn't any
    more; what money became and was spent stays spent.
    """
    subscriptions.lock_user(connection, owner(payment))
    credited = credit_entries.of(connection, reason=credit.PAYMENT_CREDITED, source=payment.reference)
    if credited is not None:
        _take_credit(connection, business, payment, credited.minor, source=payment.reference, now=now)
        return
    assert payment.subscription_id is not None  # what is paid for a plan went to a subscription, or became credit
    subscription = boundaries.apply_due(connection, business, payment.subscription_id, now=now)
    cause = Cause(reason="refunded", actor=actor, now=now, facts={"payment": payment.reference})
    if payment.purpose is Purpose.UPGRADE:
        _take_upgrade(connection, business, subscription, payment, cause)
    else:
        _take_period(connection, business, subscription, payment, cause)


def _take_credit(
    connection: Connection, business: Business, payment: Payment, minor: int, *, source: str, now: datetime
) -> None:
    """Take credit from the user, as far as it isn't spent."""
    currency = payment.amount.currency
    left = min(minor, credit_entries.balance(connection, owner(payment), currency))
    if left > 0:
        credit_entries.add(
            connection,
            business.identifiers,
            user_id=owner(payment),
            amount=Money(-left, currency),
            reason=credit.REFUNDED,
            source=source,
            now=now,
        )


def _take_earned(
    connection: Connection, business: Business, subscription: Subscription, payment: Payment, most: int, now: datetime
) -> None:
    """What downgrades earned of the money that goes back is taken, once. `most` of it bought nothing that is taken
    otherwise, or was served.
    """
    sources = f"{subscription.reference}#"
    reasons = (plan_changes.DOWNGRADE, credit.REFUNDED)
    left = credit_entries.total(connection, owner(payment), reasons, sources=sources)
    _take_credit(connection, business, payment, min(most, left), source=sources + payment.reference, now=now)


def _take_period(
    connection: Connection, business: Business, subscription: Subscription, payment: Payment, cause: Cause
) -> None:
    bought = periods.bought_by(connection, payment.id)
    assert bought is not None  # a payment is refunded once
    spent = credit.spent_on(connection, payment)
    total = payment.amount.minor + spent
    if bought.ends_at <= cause.now or subscription.status is Status.EXPIRED:
        most = min(payment.amount.minor, total - bought.plan.price.minor)
        _take_earned(connection, business, subscription, payment, most, cause.now)
        return
    # First what changes the user's credit: events tell it. An upgrade was quoted for the longer time.
    asked_for = (Purpose.UPGRADE,) if subscription.periods_ahead else (Purpose.RENEWAL, Purpose.UPGRADE)
    selling.supersede(connection, business, subscription.user_id, asked_for, cause)
    credit.reverse(connection, business, payment, now=cause.now)
    last = periods.from_number(connection, subscription.id, subscription.last_paid_period)[0]
    _take_earned(connection, business, subscription, payment, total - last.plan.price.minor, cause.now)
    if subscription.periods_ahead:
        periods.give_back(connection, subscription.id, payment.id, now=cause.now)
        shortened = lifecycle.shortened(subscription)
        record(connection, business, subscription, shortened, Happening.PAYMENT_REVERSED, cause)
    else:
        _end(connection, business, subscription, cause)


def _take_upgrade(
    connection: Connection, business: Business, subscription: Subscription, payment: Payment, cause: Cause
) -> None:
    """The former plan, for those of the upgraded periods that aren't served. A period bought as the dearer plan keeps
    it: its number is beyond the quoted ones, or its price is the dearer plan's where it moved up for a refunded one.
    """
    quote = Quote(**(payment.quote or {}))
    if subscription.plan.code != quote.to_plan:
        later = [
            Money.of(Decimal(reckoned["earned"]), reckoned["currency"]).minor
            for kind, reckoned in adjustments.of_subscription(connection, subscription.id)
            if kind == plan_changes.DOWNGRADE
            and reckoned["subscription_version"] > quote.subscription_version
            and reckoned["period_number"] <= quote.last_paid_period
        ]
        _take_earned(connection, business, subscription, payment, min(sum(later), payment.amount.minor), cause.now)
        return
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
