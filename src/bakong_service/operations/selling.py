"""What money or credit buys of a subscription: its first period, one more, or another plan for what is paid."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from bakong_service.domain import lifecycle
from bakong_service.domain.errors import Conflict
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Flag, Payment, Purpose
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Happening, Period, Subscription
from bakong_service.operations import boundaries, credit, issuing
from bakong_service.operations.business import Business
from bakong_service.operations.subscription_recording import Cause, record
from bakong_service.storage import periods, subscriptions


def begin(
    connection: Connection,
    business: Business,
    *,
    user_id: str,
    plan: Plan,
    payment: Payment,
    paid_at: datetime,
    happening: Happening,
    cause: Cause,
) -> Subscription:
    """S1 and S4: a subscription from the payer's time on, but no day that was sold before."""
    earlier = subscriptions.last_of(connection, user_id)
    begun = lifecycle.begun(
        id=business.identifiers.number(cause.now),
        reference=business.identifiers.reference("sub"),
        user_id=user_id,
        plan=plan,
        starts_at=paid_at if earlier is None else max(paid_at, earlier.sold_until),
        now=cause.now,
    )
    _make_way(connection, business, user_id, (Purpose.NEW, Purpose.RENEWAL), payment, cause)
    subscription = record(connection, business, None, begun, happening, cause)
    _sell(connection, subscription, plan, _paid(payment), payment, cause.now)
    return boundaries.apply_due(connection, business, subscription.id, now=cause.now)


def extend(
    connection: Connection,
    business: Business,
    before: Subscription,
    *,
    plan: Plan,
    paid: Payment | Money,
    cause: Cause,
) -> Subscription:
    """S2 and S3: the next period that isn't paid yet, `paid` by a payment or by credit alone.

    An upgrade that was quoted for the shorter time is superseded.
    """
    after = lifecycle.extended(before)
    payment = None if isinstance(paid, Money) else paid
    price = paid if isinstance(paid, Money) else _paid(paid)
    _sell(connection, after, plan, price, payment, cause.now)
    _make_way(connection, business, before.user_id, (Purpose.UPGRADE,), payment, cause)
    happening = Happening.RENEWAL_PAID_AHEAD if before.periods_ahead else Happening.RENEWAL_PAID
    record(connection, business, before, after, happening, cause)
    return boundaries.apply_due(connection, business, before.id, now=cause.now)  # past due: its period begins at once


def switch(
    connection: Connection,
    business: Business,
    before: Subscription,
    *,
    plan: Plan,
    happening: Happening,
    cause: Cause,
    payment: Payment | None = None,
    tells: Sequence[str] | None = None,
    numbers: Sequence[int] | None = None,
    scheduled: Plan | None = None,
) -> Subscription:
    """S6, S8 and S10: another plan at once, for the present period and all that are paid beyond it.

    `numbers` are the periods where it isn't all of them, and `scheduled` is the plan that the next one is sold as then.
    """
    periods.switch(connection, before.id, numbers or range(before.period_number, before.last_paid_period + 1), plan)
    _make_way(connection, business, before.user_id, (Purpose.RENEWAL, Purpose.UPGRADE), payment, cause)
    cause = evolve(cause, facts={**cause.facts, "previous_plan": before.plan.code})
    after = evolve(lifecycle.switched(before, plan), scheduled_plan=scheduled)
    return record(connection, business, before, after, happening, cause, tells=tells)


def supersede(
    connection: Connection, business: Business, user_id: str, purposes: Iterable[Purpose], cause: Cause
) -> bool:
    """Cancel open payments that ask for what isn't wanted any more; whether there were any. They stay watched."""
    return bool(
        issuing.cancel_open(
            connection,
            business,
            user_id=user_id,
            purposes=purposes,
            reason="superseded",
            flag=Flag.SUPERSEDED,
            actor=cause.actor,
            now=cause.now,
        )
    )


def _make_way(
    connection: Connection,
    business: Business,
    user_id: str,
    purposes: Iterable[Purpose],
    payment: Payment | None,
    cause: Cause,
) -> None:
    """Supersede, then spend what was set aside for `payment`: what that gives back counts. Before anything is told."""
    supersede(connection, business, user_id, purposes, cause)
    if payment is not None:
        credit.keep(connection, business, payment, now=cause.now)


def _paid(payment: Payment) -> Money:
    """What a period was bought for: the payment and the credit set aside for it."""
    return Money(payment.amount.minor + payment.credit_reserved, payment.amount.currency)


def _sell(
    connection: Connection, subscription: Subscription, plan: Plan, price: Money, payment: Payment | None, now: datetime
) -> None:
    """Write the last paid period. The key keeps it from being sold twice."""
    number = subscription.last_paid_period
    period = Period(
        number=number,
        starts_at=subscription.anchor_at + (number - 1) * plan.period,
        ends_at=subscription.anchor_at + number * plan.period,
        plan=plan,
        price=price,
        payment_id=None if payment is None else payment.id,
    )
    if not periods.add(connection, subscription.id, period, now=now):
        raise Conflict("period_sold", f"period {number} of {subscription.reference} is sold already")
