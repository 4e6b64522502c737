"""The one place where a subscription is written: history first, then its state, then the events that tell of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import Factory, evolve, frozen
from sqlalchemy import Connection

from bakong_service.domain.event import NewEvent
from bakong_service.domain.lifecycle import next_due
from bakong_service.domain.money import Money
from bakong_service.domain.subscription import Happening, Subscription, transition
from bakong_service.operations import subscription_presenting
from bakong_service.operations.business import Business
from bakong_service.storage import credit_entries, history, outbox, subscription_payments, subscriptions

CLOCK = "system:clock"
WATCHER = "system:watcher"


@frozen(kw_only=True)
class Cause:
    """Why something happens, by whom, when. `facts` are plain values for history and events: the payment, the quote."""

    reason: str
    actor: str
    now: datetime
    facts: dict[str, Any] = Factory(dict)


def record(
    connection: Connection,
    business: Business,
    before: Subscription | None,
    after: Subscription,
    happening: Happening,
    cause: Cause,
    *,
    tells: Sequence[str] | None = None,
) -> Subscription:
    """Write what happened to a subscription (`before` None: a new one); the subscription as it stands now.

    The table gives the new status and the events, unless `tells` names others. Raises `Conflict` where it refuses.
    """
    row = transition(before, happening)
    told = row.tells if tells is None else tuple(tells)
    after = evolve(after, status=row.target or after.status, version=after.version + 1)
    after = awaiting_next(after, cause.now)
    if before is None:
        subscriptions.add(connection, after)
    history.write_subscription(
        connection,
        after.id,
        version=after.version,
        old=None if before is None else before.status.value,
        new=after.status.value,
        reason=cause.reason,
        actor=cause.actor,
        event_type=told[-1] if told else None,
        metadata={"transition": row.number, **cause.facts},
        now=cause.now,
    )
    if before is not None:
        subscriptions.save(connection, after)
    for event_type in told:
        tell(connection, business, after, event_type, cause, previous=before)
    return after


def awaiting_next(subscription: Subscription, now: datetime) -> Subscription:
    """The subscription with what the clock does to it next."""
    due = next_due(subscription, now)
    if due is None:
        return evolve(subscription, next_action=None, next_action_at=None)
    return evolve(subscription, next_action=due.happening.value, next_action_at=due.at)


def tell(
    connection: Connection,
    business: Business,
    subscription: Subscription,
    event_type: str,
    cause: Cause,
    *,
    previous: Subscription | None,
) -> None:
    """Write an event about a subscription: its public shape as it stands, the reason, and the facts."""
    event = NewEvent(
        type=event_type,
        subject=subscription.reference,
        previous_status=None if previous is None else previous.status.value,
        data={**present(connection, subscription), "reason": cause.reason, **cause.facts},
    )
    outbox.append(connection, business.identifiers, event, now=cause.now)


def present(connection: Connection, subscription: Subscription) -> dict[str, Any]:
    """The public shape of a subscription with its open payment and the user's credit."""
    currency = subscription.plan.price.currency
    return subscription_presenting.subscription(
        subscription,
        open_payment=subscription_payments.open_payment(connection, subscription),
        credit=Money(credit_entries.balance(connection, subscription.user_id, currency), currency),
    )
