"""How each happening changes a subscription: from values to values. The table of what may happen is in
`domain/subscription.py`; status and version are set where a change is recorded.
"""

from datetime import datetime, timedelta

from attrs import evolve, frozen

from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import PREPAID, Happening, Status, Subscription

REMINDERS = (timedelta(days=7), timedelta(days=3), timedelta(days=1))
"""Before the boundary, `subscription.renewal_due` is told at these."""


@frozen
class Due:
    """What the clock does to a subscription, and when."""

    at: datetime
    happening: Happening


def begun(*, id: int, reference: str, user_id: str, plan: Plan, starts_at: datetime, now: datetime) -> Subscription:  # noqa: A002 - the field's name
    """A new subscription, paid for one period from `starts_at` on."""
    ends_at = starts_at + plan.period
    return Subscription(
        id=id,
        reference=reference,
        user_id=user_id,
        plan=plan,
        status=Status.ACTIVE,
        flags=frozenset(),
        version=0,
        anchor_at=starts_at,
        period_number=1,
        period_end=ends_at,
        last_paid_period=1,
        entitled_until=ends_at,
        scheduled_plan=None,
        cancelled_at=None,
        cancel_reason=None,
        created_at=now,
        next_action=None,
        next_action_at=None,
    )


def extended(subscription: Subscription) -> Subscription:
    """One more period is paid for."""
    more = evolve(subscription, last_paid_period=subscription.last_paid_period + 1)
    return _flagged(evolve(more, entitled_until=more.paid_through))


def shortened(subscription: Subscription) -> Subscription:
    """The last paid period is given back. Takes a subscription that is paid ahead."""
    less = evolve(subscription, last_paid_period=subscription.last_paid_period - 1)
    return _flagged(evolve(less, entitled_until=less.paid_through))


def rolled(subscription: Subscription, plan: Plan) -> Subscription:
    """The next period, sold as `plan`, is the present one. A plan that was scheduled for it is scheduled no more."""
    scheduled = subscription.scheduled_plan
    next_period = evolve(
        subscription,
        period_number=subscription.period_number + 1,
        period_end=subscription.period_end + subscription.plan.period,
        plan=plan,
        scheduled_plan=None if scheduled is not None and scheduled.code == plan.code else scheduled,
    )
    return _flagged(next_period)


def switched(subscription: Subscription, plan: Plan) -> Subscription:
    """Another plan from now on, and nothing else scheduled."""
    return evolve(subscription, plan=plan, scheduled_plan=None)


def cancelled(subscription: Subscription, *, at_once: bool, reason: str | None, now: datetime) -> Subscription:
    """Stopped at the end of what is paid for, or at once. Grace ends with the cancelling: it isn't paid for."""
    end = now if at_once else max(subscription.paid_through, now)
    return evolve(subscription, entitled_until=end, cancelled_at=now, cancel_reason=reason)


def resumed(subscription: Subscription) -> Subscription:
    """As before the cancelling."""
    return evolve(subscription, entitled_until=subscription.paid_through, cancelled_at=None, cancel_reason=None)


def in_grace(subscription: Subscription, grace: timedelta) -> Subscription:
    """The boundary passed without a payment."""
    return evolve(subscription, entitled_until=subscription.period_end + grace)


def schedule(subscription: Subscription) -> tuple[Due, ...]:
    """All that the clock does to a subscription that nobody touches, up to its next change of state; in order."""
    end = subscription.period_end
    match subscription.status:
        case Status.ACTIVE | Status.CANCELLED if subscription.periods_ahead and end < subscription.entitled_until:
            return (Due(end, Happening.PERIOD_STARTED),)
        case Status.ACTIVE:
            reminders = (end - before for before in REMINDERS if end - before > subscription.period_start)
            return (*(Due(at, Happening.RENEWAL_DUE) for at in reminders), Due(end, Happening.PERIOD_UNPAID))
        case Status.PAST_DUE:
            return (Due(subscription.entitled_until, Happening.GRACE_OVER),)
        case Status.CANCELLED:
            return (Due(subscription.entitled_until, Happening.END_REACHED),)
        case _:
            return ()


def next_due(subscription: Subscription, now: datetime) -> Due | None:
    """What the clock does next. Reminders that are past are left out, a change of state never is."""
    for due in schedule(subscription):
        if due.at > now or due.happening is not Happening.RENEWAL_DUE:
            return due
    return None


def due_by(subscription: Subscription, now: datetime) -> Due | None:
    """What the clock has to do by now; None where it is nothing. Of several missed reminders it is the last."""
    since = subscription.next_action_at
    if since is None:
        return None
    return next((due for due in reversed(schedule(subscription)) if since <= due.at <= now), None)


def _flagged(subscription: Subscription) -> Subscription:
    flags = subscription.flags | {PREPAID} if subscription.periods_ahead > 1 else subscription.flags - {PREPAID}
    return evolve(subscription, flags=flags)
