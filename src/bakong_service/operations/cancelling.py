"""Stopping a subscription, at the end of what is paid or at once, and taking it back in time."""

from datetime import datetime

from sqlalchemy import Connection

from bakong_service.domain import lifecycle
from bakong_service.domain.payment import Purpose
from bakong_service.domain.subscription import Happening, Subscription, transition
from bakong_service.operations import boundaries, issuing
from bakong_service.operations.business import Business
from bakong_service.operations.subscription_recording import Cause, record


def cancel(
    connection: Connection,
    business: Business,
    reference: str,
    *,
    at_once: bool,
    reason: str | None,
    actor: str,
    now: datetime,
) -> Subscription:
    """S11: served until the end of what is paid, or no more from now on. Nothing is paid back by this.

    Open QRs are cancelled; they stay watched, and money that comes all the same is looked at by a person. `reason` is
    the user's own. Raises `NotFound`, and `Conflict` where it is cancelled already or over.
    """
    subscription = boundaries.hold(connection, business, reference, now=now)
    transition(subscription, Happening.CANCELLED)
    issuing.cancel_open(
        connection,
        business,
        user_id=subscription.user_id,
        purposes=(Purpose.RENEWAL, Purpose.UPGRADE),
        reason="subscription_cancelled",
        flag=None,
        actor=actor,
        now=now,
    )
    after = lifecycle.cancelled(subscription, at_once=at_once, reason=reason, now=now)
    cause = Cause(reason=reason or "cancelled", actor=actor, now=now)
    cancelled = record(connection, business, subscription, after, Happening.CANCELLED, cause)
    return boundaries.apply_due(connection, business, cancelled.id, now=now)


def resume(connection: Connection, business: Business, reference: str, *, actor: str, now: datetime) -> Subscription:
    """S12: as before the cancelling. Raises `NotFound`, and `Conflict` where it isn't cancelled or is over."""
    subscription = boundaries.hold(connection, business, reference, now=now)
    cause = Cause(reason="resumed", actor=actor, now=now)
    return record(connection, business, subscription, lifecycle.resumed(subscription), Happening.RESUMED, cause)
