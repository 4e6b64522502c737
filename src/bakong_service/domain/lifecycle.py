"""How each happening changes the values of a subscription. The table of what may happen is in `domain/subscription.py`.

Status and version aren't set here, but when the change is recorded.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import evolve, frozen

from bakong_service.domain.plan import Plan
from bakong_service.domain.subscription import PREPAID, Happening, Period, Status, Subscription

REMINDERS = (timedelta(days=7), timedelta(days=3), timedelta(days=1))
"""How long before an unpaid boundary the event `subscription.renewal_due` is sent."""


@frozen
class Due:
    """Something that the clock does to a subscription, and when."""

    at: datetime
    happening: Happening


def begun(*, id: int, reference: str, user_id: str, plan: Plan, starts_at: datetime, now: datetime) -> Subscription:  # noqa: A002 - the field's name
    """Return a new subscription that is paid for one period from `starts_at` on."""
    ends_at = plan.cadence.end_of_period(starts_at)
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
        period_start=starts_at,
        period_end=ends_at,
        last_paid_period=1,
        paid_through=ends_at,
        entitled_until=ends_at,
        scheduled_plan=None,
        cancelled_at=None,
        cancel_reason=None,
        created_at=now,
        next_action=None,
        next_action_at=None,
    )


def extended(subscription: Subscription, plan: Plan) -> Subscription:
    """Return the subscription after one more period, sold as `plan`, was paid."""
    paid_through = plan.cadence.end_of_period(subscription.paid_through)
    more = evolve(subscription, last_paid_period=subscription.last_paid_period + 1, paid_through=paid_through)
    return _flagged(evolve(more, entitled_until=paid_through))


def rescheduled(subscription: Subscription, periods: Sequence[Period]) -> Subscription:
    """Return the subscription after a refund changed the times of its periods.

    `periods` are those that are left, from the present one on; at least one is left.
    """
    present, last = periods[0], periods[-1]
    changed = evolve(
        subscription, period_end=present.ends_at, last_paid_period=last.number, paid_through=last.ends_at,
        entitled_until=last.ends_at,
    )  # fmt: skip
    return _flagged(changed)


def rolled(subscription: Subscription, period: Period) -> Subscription:
    """Return the subscription after `period` became the present one. If its plan was scheduled, it is in force now."""
    scheduled = subscription.scheduled_plan
    next_period = evolve(
        subscription,
        period_number=period.number,
        period_start=period.starts_at,
        period_end=period.ends_at,
        plan=period.plan,
        scheduled_plan=None if scheduled is not None and scheduled.code == period.plan.code else scheduled,
    )
    return _flagged(next_period)


def switched(subscription: Subscription, plan: Plan) -> Subscription:
    """Return the subscription under another plan from now on, with no plan scheduled."""
    return evolve(subscription, plan=plan, scheduled_plan=None)


def cancelled(subscription: Subscription, *, at_once: bool, reason: str | None, now: datetime) -> Subscription:
    """Return the subscription cancelled at the end of the paid time, or at once.

    Grace isn't paid, so it ends at once.
    """
    end = now if at_once else max(subscription.paid_through, now)
    return evolve(subscription, entitled_until=end, cancelled_at=now, cancel_reason=reason)


def resumed(subscription: Subscription) -> Subscription:
    """Return the subscription as it was before it was cancelled."""
    return evolve(subscription, entitled_until=subscription.paid_through, cancelled_at=None, cancel_reason=None)


def in_grace(subscription: Subscription, grace: timedelta) -> Subscription:
    """Return the subscription after a boundary that wasn't paid."""
    return evolve(subscription, entitled_until=subscription.period_end + grace)


def schedule(subscription: Subscription) -> tuple[Due, ...]:
    """Return everything that the clock does to an untouched subscription up to its next change of status, in order."""
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
    """Return what the clock does next. A reminder whose time has passed is skipped; a change of status never is."""
    for due in schedule(subscription):
        if due.at > now or due.happening is not Happening.RENEWAL_DUE:
            return due
    return None


def due_by(subscription: Subscription, now: datetime) -> Due | None:
    """Return what the clock has to do by now, or None. If several reminders were missed, only the last counts."""
    since = subscription.next_action_at
    if since is None:
        return None
    return next((due for due in reversed(schedule(subscription)) if since <= due.at <= now), None)


def _flagged(subscription: Subscription) -> Subscription:
    flags = subscription.flags | {PREPAID} if subscription.periods_ahead > 1 else subscription.flags - {PREPAID}
    return evolve(subscription, flags=flags)
