"""Events for the main backend. An event is written in the same transaction as its change, or not at all."""

from datetime import datetime
from typing import Any

from attrs import frozen

from bakong_service.domain.identifiers import derived_reference

PAYMENT_EVENTS: dict[str, str] = {
    "payment.created": "A payment was made.",
    "payment.paid": "The money came and was accepted.",
    "payment.failed": "Bakong said twice that the transfer failed.",
    "payment.timeout": "The deadline has passed without money. The service goes on looking for a while.",
    "payment.expired": "The service looks no longer for money.",
    "payment.cancelled": "The payment was cancelled, or another one took its place.",
    "payment.credited": "The money came and is the user's credit.",
    "payment.review_required": "Money came that a person has to decide about.",
    "payment.partly_refunded": "It was recorded that a part of the money was sent back.",
    "payment.refunded": "It was recorded that the money was sent back, or the last part of it.",
    "payment.reversed": "What the payment bought was taken back.",
}
SUBSCRIPTION_EVENTS: dict[str, str] = {
    "subscription.activated": "A subscription began.",
    "subscription.renewed": "One more period was paid for.",
    "subscription.renewal_due": "The paid period ends in 7, 3 or 1 days.",
    "subscription.renewal_failed": "Nobody paid for the next period within the grace.",
    "subscription.past_due": "The paid period is over; the user is served during the grace.",
    "subscription.upgraded": "The plan is a dearer one now.",
    "subscription.downgrade_scheduled": "The plan will be a cheaper one with the next period.",
    "subscription.downgraded": "The plan is a cheaper one now.",
    "subscription.upgrade_credited": (
        "An upgrade was paid for that can't be had any more; the money is the user's credit."
    ),
    "subscription.cancelled": "The subscription was cancelled.",
    "subscription.resumed": "A cancelling was taken back.",
    "subscription.expired": "The subscription is over, because nobody paid.",
    "subscription.ended": "A cancelled subscription is over.",
    "subscription.shortened": "A payment was reversed, and the days that it bought are gone.",
}
ENDPOINT_EVENTS: dict[str, str] = {
    "endpoint.disabled": "An endpoint gets nothing any more.",
    "endpoint.test": "Somebody asked for a test.",
}
EVENT_TYPES = PAYMENT_EVENTS | SUBSCRIPTION_EVENTS | ENDPOINT_EVENTS
"""Every type, and what an event of it tells."""

_TOLD = ("status", "plan", "scheduled_plan", "entitled_until", "amount", "currency", "paid_at")
"""The members of `data` that an event's id depends on: those that a receiver acts upon. Versions and next looks may
differ after a restore, so they aren't among them."""


@frozen(kw_only=True)
class NewEvent:
    """An event that will be written. The outbox gives it its number within the subject."""

    type: str
    subject: str  # the reference of what changed: pay_…, sub_…, we_…
    previous_status: str | None
    data: dict[str, Any]  # the public shape of the subject after the change; no secret, no payer account

    def reference(self, count: int) -> str:
        """Return the public id, `evt_…`, of the `count`-th event of this type about this subject.

        The id is derived from the event's content. If a database was restored from a backup and finds the same payment
        paid once more, the new event has the id that receivers know already. The id doesn't depend on the sequence,
        because earlier events may be lost or may happen in another order.
        """
        told = [self.data.get(name) for name in _TOLD]
        return derived_reference("evt", self.subject, self.type, count, *told)


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
