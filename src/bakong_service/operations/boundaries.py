"""What the clock does to subscriptions. Every operation on one begins here: it first applies what is due by now."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from bakong_service.domain import lifecycle
from bakong_service.domain.errors import NotFound
from bakong_service.domain.lifecycle import Due
from bakong_service.domain.payment import Flag, Purpose
from bakong_service.domain.subscription import Happening, Subscription
from bakong_service.operations import issuing
from bakong_service.operations.business import Business
from bakong_service.operations.subscription_recording import CLOCK, Cause, awaiting_next, record, tell
from bakong_service.storage import audit, periods, subscriptions


def hold(connection: Connection, business: Business, reference: str, *, now: datetime) -> Subscription:
    """A subscription as it stands at `now`, held until the transaction ends. Raises `NotFound`."""
    found = subscriptions.by_reference(connection, reference)
    if found is None:
        raise NotFound("no_such_subscription", f"there is no subscription {reference}")
    subscriptions.lock_user(connection, found.user_id)
    return apply_due(connection, business, found.id, now=now)


def apply_due(connection: Connection, business: Business, subscription_id: int, *, now: datetime) -> Subscription:
    """Apply every boundary that is due by `now`, in order; the subscription as it stands then.

    The caller holds `lock_user`. Run twice, it does nothing the second time. Raises `NotFound`.
    """
    subscription = subscriptions.by_id(connection, subscription_id)
    if subscription is None:
        raise NotFound("no_such_subscription", f"there is no subscription number {subscription_id}")
    while due := lifecycle.due_by(subscription, now):
        subscription = _apply(connection, business, subscription, due, now)
    return subscription


def come_by(
    connection: Connection, business: Business, subscription_id: int, *, now: datetime
) -> tuple[Subscription, Subscription]:
    """The clock's own visit: the subscription as it was and as it is. Raises `NotFound`."""
    found = subscriptions.by_id(connection, subscription_id)
    if found is None:
        raise NotFound("no_such_subscription", f"there is no subscription number {subscription_id}")
    subscriptions.lock_user(connection, found.user_id)
    before = subscriptions.by_id(connection, subscription_id) or found
    return before, apply_due(connection, business, subscription_id, now=now)


def _apply(
    connection: Connection, business: Business, subscription: Subscription, due: Due, now: datetime
) -> Subscription:
    match due.happening:
        case Happening.RENEWAL_DUE:
            return _remind(connection, business, subscription, due, now)
        case Happening.PERIOD_STARTED:
            return _start_period(connection, business, subscription, now)
        case Happening.PERIOD_UNPAID if business.subscriptions.grace > timedelta(0):
            after = lifecycle.in_grace(subscription, business.subscriptions.grace)
            cause = Cause(reason="period_unpaid", actor=CLOCK, now=now)
            return record(connection, business, subscription, after, Happening.PERIOD_UNPAID, cause)
        case Happening.PERIOD_UNPAID | Happening.GRACE_OVER:
            return _expire(connection, business, subscription, now)
        case _:
            cause = Cause(reason="end_reached", actor=CLOCK, now=now)
            return record(connection, business, subscription, subscription, Happening.END_REACHED, cause)


def _remind(
    connection: Connection, business: Business, subscription: Subscription, due: Due, now: datetime
) -> Subscription:
    after = awaiting_next(subscription, now)
    subscriptions.reschedule(connection, after)
    days = {"days_left": (subscription.period_end - due.at).days}
    cause = Cause(reason="period_ends", actor=CLOCK, now=now, facts=days)
    tell(connection, business, after, "subscription.renewal_due", cause, previous=subscription)
    return after


def _start_period(
    connection: Connection, business: Business, subscription: Subscription, now: datetime
) -> Subscription:
    period = periods.from_number(connection, subscription.id, subscription.period_number + 1)[0]
    changed = period.plan.code != subscription.plan.code
    facts = {"previous_plan": subscription.plan.code} if changed else {}
    return record(
        connection,
        business,
        subscription,
        lifecycle.rolled(subscription, period.plan),
        Happening.PERIOD_STARTED,
        Cause(reason="period_started", actor=CLOCK, now=now, facts=facts),
        tells=("subscription.downgraded",) if changed else (),
    )


def _expire(connection: Connection, business: Business, subscription: Subscription, now: datetime) -> Subscription:
    """P33: a renewal that failed is in the audit, and told of on its own."""
    issuing.cancel_open(
        connection,
        business,
        user_id=subscription.user_id,
        purposes=(Purpose.UPGRADE,),
        reason="subscription_expired",
        flag=Flag.SUPERSEDED,
        actor=CLOCK,
        now=now,
    )
    cause = Cause(reason="renewal_not_paid", actor=CLOCK, now=now)
    audit.write(
        connection,
        business.identifiers,
        action="subscription.renewal_failed",
        actor=CLOCK,
        subject=subscription.reference,
        details={"plan": subscription.plan.code, "period": subscription.period_number},
        now=now,
    )
    return record(connection, business, subscription, subscription, Happening.GRACE_OVER, cause)
