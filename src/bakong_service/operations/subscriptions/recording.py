"""Writes a change of a subscription, and nothing else does: first its history, then its row, then its events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from attrs import Factory, evolve, frozen
from sqlalchemy import Connection

from bakong_service import resources
from bakong_service.domain.event import NewEvent
from bakong_service.domain.lifecycle import next_due
from bakong_service.domain.subscription import Happening, Subscription, transition
from bakong_service.operations.ledger import credit
from bakong_service.operations.unit_of_work import UnitOfWork
from bakong_service.storage import history
from bakong_service.storage.history import Change
from bakong_service.storage.subscriptions import subscription_payments, subscriptions

S = TypeVar("S", bound=resources.Subscription)


@frozen
class Cause:
    """Why something happens. `facts` are plain values for history and events, such as the payment or the quote."""

    reason: str
    facts: dict[str, Any] = Factory(dict)


def record(
    work: UnitOfWork,
    before: Subscription | None,
    after: Subscription,
    happening: Happening,
    cause: Cause,
    *,
    tells: Sequence[str] | None = None,
) -> Subscription:
    """Write what happened to a subscription, and return the subscription after that. A new one has no `before`.

    The table gives the new status and the events, unless `tells` names others. Raises `Conflict` if the table refuses.
    """
    row = transition(before, happening)
    told = row.tells if tells is None else tuple(tells)
    after = evolve(after, status=row.target or after.status, version=after.version + 1)
    after = awaiting_next(after, work.now)
    if before is None:
        subscriptions.add(work.connection, after)
    change = Change(
        version=after.version,
        old_status=None if before is None else before.status.value,
        new_status=after.status.value,
        reason=cause.reason,
        actor=work.actor,
        event_type=told[-1] if told else None,
        metadata={"transition": row.number, **cause.facts},
        at=work.now,
    )
    history.write_subscription(work.connection, after.id, change)
    if before is not None:
        subscriptions.save(work.connection, after)
    for event_type in told:
        tell(work, after, event_type, cause, previous=before)
    return after


def awaiting_next(subscription: Subscription, now: datetime) -> Subscription:
    """Return the subscription with the next boundary that the clock applies."""
    due = next_due(subscription, now)
    if due is None:
        return evolve(subscription, next_action=None, next_action_at=None)
    return evolve(subscription, next_action=due.happening.value, next_action_at=due.at)


def tell(
    work: UnitOfWork, subscription: Subscription, event_type: str, cause: Cause, *, previous: Subscription | None
) -> None:
    """Write an event about a subscription, with the subscription as it is now, the reason and the facts."""
    changed = _resource(resources.ChangedSubscription, work.connection, subscription, reason=cause.reason)
    event = NewEvent(
        type=event_type,
        subject=subscription.reference,
        previous_status=None if previous is None else previous.status.value,
        data={**resources.plain(changed), **cause.facts},
    )
    work.append(event)


def resource(connection: Connection, subscription: Subscription) -> resources.Subscription:
    """Return a subscription with its open payment and the user's credit."""
    return _resource(resources.Subscription, connection, subscription)


def _resource(kind: type[S], connection: Connection, subscription: Subscription, **more: Any) -> S:
    currency = subscription.plan.price.currency
    return kind.of(
        subscription,
        open_payment=subscription_payments.open_payment(connection, subscription),
        credit=credit.balance(connection, subscription.user_id, currency),
        **more,
    )
