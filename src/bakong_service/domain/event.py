"""What happened, as the main backend is told it. An event is written with the change it tells of, or not at all."""

from datetime import datetime
from typing import Any

from attrs import frozen

PAYMENT_EVENTS = (
    "payment.created", "payment.paid", "payment.failed", "payment.timeout", "payment.expired", "payment.cancelled",
    "payment.credited", "payment.review_required", "payment.refunded",
)  # fmt: skip
SUBSCRIPTION_EVENTS = (
    "subscription.activated", "subscription.renewed", "subscription.renewal_due", "subscription.renewal_failed",
    "subscription.past_due", "subscription.upgraded", "subscription.downgrade_scheduled", "subscription.downgraded",
    "subscription.upgrade_credited", "subscription.cancelled", "subscription.resumed", "subscription.expired",
    "subscription.ended", "subscription.shortened",
)  # fmt: skip
ENDPOINT_EVENTS = ("endpoint.disabled", "endpoint.test")
EVENT_TYPES = PAYMENT_EVENTS + SUBSCRIPTION_EVENTS + ENDPOINT_EVENTS


@frozen(kw_only=True)
class NewEvent:
    """An event about to be written: its number within the subject is given by the outbox."""

    type: str
    subject: str  # the reference of what changed: pay_…, sub_…, we_…
    previous_status: str | None
    data: dict[str, Any]  # the public shape of the subject after the change; no secret, no payer account


@frozen(kw_only=True)
class Event:
    """An event as it was written."""

    id: int
    reference: str
    type: str
    subject: str
    sequence: int
    previous_status: str | None
    data: dict[str, Any]
    created_at: datetime
    feed_position: int | None
