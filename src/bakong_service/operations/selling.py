"""What money or credit buys of a subscription: its first period, one more, or another plan for what is paid."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from bakong_service.domain import lifecycle
from bakong_service.domain.errors import Conflict
from bakong_service.domain.money import Money
from bakong_service.domain.payment import Flag, Purpose
from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import Happening, Period, Subscription
from bakong_service.operations import boundaries, issuing
from bakong_service.operations.business import Business
from bakong_service.operations.subscription_recording import Cause, record
from bakong_service.storage import periods, subscriptions


def begin(
    connection: Connection,
    business: Business,
    *,
    user_id: str,
    plan: Plan,
    paid: Money,
    payment_id: int,
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
    subscription = record(connection, business, None, begun, happening, cause)
    _sell(connection, subscription, plan, paid, payment_id, cause.now)
    supersede(connection, business, user_id, (Purpose.NEW, Purpose.RENEWAL), cause)
    return boundaries.apply_due(connection, business, subscription.id, now=cause.now)


def extend(
    connection: Connection,
    business: Business,
    before: Subscription,
    *,
    plan: Plan,
    paid: Money,
    payment_id: int | None,
    cause: Cause,
) -> Subscription:
    """S2 and S3: the next period that isn't paid yet. An upgrade that was quoted for the shorter time is superseded."""
    after = lifecycle.extended(before)
    _sell(connection, after, plan, paid, payment_id, cause.now)
    supersede(connection, business, before.user_id, (Purpose.UPGRADE,), cause)
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
    tells: Sequence[str] | None = None,
    numbers: Sequence[int] | None = None,
    scheduled: Plan | None = None,
) -> Subscription:
    """S6, S8 and S10: another plan at once, for the present period and all that are paid beyond it.

    `numbers` are the periods where it isn't all of them, and `scheduled` is the plan that the next one is sold as then.
    """
    periods.switch(connection, before.id, numbers or range(before.period_number, before.last_paid_period + 1), plan)
    supersede(connection, business, before.user_id, (Purpose.RENEWAL, Purpose.UPGRADE), cause)
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


def _sell(
    connection: Connection,
    subscription: Subscription,
    plan: Plan,
    paid: Money,
    payment_id: int | None,
    now: datetime,
) -> None:
    """Write the last paid period. The key keeps it from being sold twice."""
    number = subscription.last_paid_period
    period = Period(
        number=number,
        starts_at=subscription.anchor_at + (number - 1) * plan.period,
        ends_at=subscription.anchor_at + number * plan.period,
        plan=plan,
        price=paid,
        payment_id=payment_id,
    )
    if not periods.add(connection, subscription.id, period, now=now):
        raise Conflict("period_sold", f"period {number} of {subscription.reference} is sold already")
