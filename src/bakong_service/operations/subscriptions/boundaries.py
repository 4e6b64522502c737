"""What the clock does to subscriptions. Every operation on a subscription first applies the boundaries due by now."""

from datetime import timedelta

from attrs import evolve

from bakong_service.domain import lifecycle
from bakong_service.domain.errors import NotFound
from bakong_service.domain.lifecycle import Due
from bakong_service.domain.payment import Flag, Purpose
from bakong_service.domain.subscription import Happening, Subscription
from bakong_service.operations.ledger import moving
from bakong_service.operations.payments import issuing
from bakong_service.operations.subscriptions.recording import Cause, awaiting_next, record, tell
from bakong_service.operations.unit_of_work import CLOCK, UnitOfWork
from bakong_service.storage.subscriptions import periods, subscriptions


def hold(work: UnitOfWork, reference: str) -> Subscription:
    """Lock a subscription until the transaction ends, and apply what is due. Raises `NotFound`."""
    found = subscriptions.by_reference(work.connection, reference)
    if found is None:
        raise NotFound("no_such_subscription", f"there is no subscription {reference[:64]}")
    subscriptions.lock_user(work.connection, found.user_id)
    return apply_due(work, found.id)


def apply_due(work: UnitOfWork, subscription_id: int) -> Subscription:
    """Apply every boundary that is due by `now`, in order, and return the subscription after that.

    The caller has locked the user. A second run changes nothing. Raises `NotFound`.
    """
    subscription = subscriptions.by_id(work.connection, subscription_id)
    if subscription is None:
        raise NotFound("no_such_subscription", f"there is no subscription number {subscription_id}")
    work = evolve(work, actor=CLOCK)
    while due := lifecycle.due_by(subscription, work.now):
        subscription = _apply(work, subscription, due)
    return subscription


def come_by(work: UnitOfWork, subscription_id: int) -> tuple[Subscription, Subscription]:
    """Apply what is due, for the worker. Return the subscription before and after that. Raises `NotFound`."""
    found = subscriptions.by_id(work.connection, subscription_id)
    if found is None:
        raise NotFound("no_such_subscription", f"there is no subscription number {subscription_id}")
    subscriptions.lock_user(work.connection, found.user_id)
    before = subscriptions.by_id(work.connection, subscription_id) or found
    return before, apply_due(work, subscription_id)


def _apply(work: UnitOfWork, subscription: Subscription, due: Due) -> Subscription:
    if due.happening is Happening.RENEWAL_DUE:
        return _remind(work, subscription, due)
    moving.serve(work, subscription)
    match due.happening:
        case Happening.PERIOD_STARTED:
            return _start_period(work, subscription)
        case Happening.PERIOD_UNPAID if work.business.subscriptions.grace > timedelta(0):
            after = lifecycle.in_grace(subscription, work.business.subscriptions.grace)
            return record(work, subscription, after, Happening.PERIOD_UNPAID, Cause("period_unpaid"))
        case Happening.PERIOD_UNPAID | Happening.GRACE_OVER:
            return _expire(work, subscription)
        case _:
            return record(work, subscription, subscription, Happening.END_REACHED, Cause("end_reached"))


def _remind(work: UnitOfWork, subscription: Subscription, due: Due) -> Subscription:
    after = awaiting_next(subscription, work.now)
    subscriptions.reschedule(work.connection, after)
    days = {"days_left": (subscription.period_end - due.at).days}
    cause = Cause("period_ends", days)
    tell(work, after, "subscription.renewal_due", cause, previous=subscription)
    return after


def _start_period(work: UnitOfWork, subscription: Subscription) -> Subscription:
    period = periods.from_number(work.connection, subscription.id, subscription.period_number + 1)[0]
    changed = period.plan.code != subscription.plan.code
    facts = {"previous_plan": subscription.plan.code} if changed else {}
    return record(
        work,
        subscription,
        lifecycle.rolled(subscription, period),
        Happening.PERIOD_STARTED,
        Cause("period_started", facts),
        tells=("subscription.downgraded",) if changed else (),
    )


def _expire(work: UnitOfWork, subscription: Subscription) -> Subscription:
    """Record that a renewal was not paid, in the audit log too."""
    issuing.cancel_open(
        work,
        user_id=subscription.user_id,
        purposes=(Purpose.UPGRADE,),
        reason="subscription_expired",
        flag=Flag.SUPERSEDED,
    )
    work.audit(
        "subscription.renewal_failed",
        subscription.reference,
        details={"plan": subscription.plan.code, "period": subscription.period_number},
    )
    return record(work, subscription, subscription, Happening.GRACE_OVER, Cause("renewal_not_paid"))
